"""The facts about a channel."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.runtime.status import facts
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.core.store.faults import VALUE_FAULTS


def test_the_process_that_reads_is_no_idle_server(store: Store, tmp_path: Path) -> None:
    """A server writes down why it does not read; once it has taken over, that is about nobody."""
    services, lock = Services.of(store), ReaderLock("telegram", "8000000001", tmp_path)
    services.health.set_idle("no host session was proven")
    assert "does not read the bot" in str(facts("telegram", tmp_path, services, "8000000001")["idle_server"])
    assert lock.claim()
    try:
        known = facts("telegram", tmp_path, services, "8000000001")
    finally:
        lock.release()
    assert known["owner"] is not None
    assert known["idle_server"] is None


def test_bytes_in_a_damaged_database_are_no_facts(store: Store, tmp_path: Path) -> None:
    """Where text was written, a program that shows the facts gets text, or is told at once."""
    services = Services.of(store)
    with store.transaction() as db:
        db.execute("INSERT INTO people VALUES ('1001', 'Ann', x'fffe', 0, '', 0)")
    with pytest.raises(VALUE_FAULTS):
        facts("telegram", tmp_path, services, "8000000001")
