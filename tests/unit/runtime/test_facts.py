"""The facts about a channel."""

from __future__ import annotations

from pathlib import Path

from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.runtime.status import facts
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store


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
