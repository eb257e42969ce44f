"""The clock that deadlines are measured by: it goes on evenly, the same for every process that uses the store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agent_channels.core.store import steady_clock
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.core.store.steady_clock import SteadyClock


@pytest.fixture(autouse=True)
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the system says which start of the machine this is."""
    path = tmp_path / "boot_id"
    path.write_text("first\n", encoding="ascii")
    monkeypatch.setattr(steady_clock, "_BOOT_ID", path)
    return path


@pytest.mark.parametrize("jump_s", [7200.0, -7200.0])
def test_setting_the_system_clock_does_not_move_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """Neither for a process that used it before, nor for one that starts afterwards."""
    before, real = SteadyClock(KeyValue(store)), time.time
    assert before() == pytest.approx(real(), abs=1)
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)
    with Store(store.path) as other:
        after = SteadyClock(KeyValue(other))
        assert after() == pytest.approx(before(), abs=1)
        assert before() == pytest.approx(real(), abs=1)


def test_after_a_restart_of_the_machine_it_begins_at_the_system_clock(
    store: Store, boot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was set meanwhile is taken over then."""
    SteadyClock(KeyValue(store))()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 7200)
    boot.write_text("second\n", encoding="ascii")
    assert SteadyClock(KeyValue(store))() == pytest.approx(real() + 7200, abs=1)


@pytest.mark.parametrize("fault", ["no boot id", "garbage", "read only"])
def test_without_a_shared_beginning_a_process_has_its_own(store: Store, boot: Path, fault: str) -> None:
    """A system without boot ids, a value that is not a number, a store that is open for reading only."""
    if fault == "no boot id":
        boot.unlink()
    elif fault == "garbage":
        KeyValue(store).set("clock", "first soon")
    with Store.open_read_only(store.path) if fault == "read only" else Store(store.path) as other:
        clock = SteadyClock(KeyValue(other))
        first = clock()
        assert first == pytest.approx(time.time(), abs=1)
        assert clock() >= first
