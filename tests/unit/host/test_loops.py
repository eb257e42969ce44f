"""The loops table: one loop a session, each round counted once, each end told once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_channels.core.host.loop_spec import LoopSpec
from agent_channels.core.host.loops import Loop, round_text
from agent_channels.core.host.turns import Place
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

ANN = ("7", "ann")
SPEC = LoopSpec("work until it is done", 3, "DONE")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Store.open(tmp_path / "state") as store:
        yield Services.of(store)


def begin(services: Services, session: str = "one") -> Loop:
    loop = services.loops.start(SPEC, session, "", ANN, place=Place("42", "5"))
    assert loop is not None
    return loop


def notices(services: Services) -> list[tuple[str, str | None, bool, str]]:
    """What people are told, in order, each once."""
    found = []
    while (notice := services.notices.claim()) is not None:
        found.append((notice.chat_id, notice.thread_id, notice.silent, notice.text))
        services.notices.delete(notice)
    return found


def test_a_session_has_one_loop(services: Services) -> None:
    """A second is refused until the first has ended; another session has its own."""
    loop = begin(services)
    assert services.loops.start(SPEC, "one", "", ANN) is None
    other = begin(services, "two")
    assert services.loops.running() == [loop, other]
    assert services.loops.current("one") == loop
    assert services.loops.current("unknown", "two") == other
    assert services.loops.current("unknown") is None
    assert services.loops.end(loop, "promised")
    begin(services)


def test_two_hooks_at_once_begin_one_round(services: Services) -> None:
    """Of two that saw the same loop, one moves it; the round is told once, without a sound, in the loop's thread."""
    loop = begin(services)
    after = services.loops.begin_round(loop, 1)
    assert after is not None
    assert (after.round, after.in_a_row) == (2, 1)
    assert services.loops.begin_round(loop, 1) is None
    assert notices(services) == [("42", "5", True, "🔁 Round 2 of 3")]
    assert round_text(after).startswith("Round 2 of 3")
    services.loops.end(after, "stopped", ANN)
    assert services.loops.begin_round(after, 2) is None


def test_an_end_is_told_once(services: Services) -> None:
    """Whoever comes second changes nothing, and nobody is told again; the record says who stopped it."""
    loop = begin(services)
    assert services.loops.stop_in(["one", "one", "two"], ANN) == [loop]
    assert not services.loops.end(loop, "promised")
    assert services.loops.stop([loop], ANN) == []
    assert notices(services) == [("42", "5", False, "⏹ Loop stopped by ann in round 1 of 3.")]
    rows = [(row["what"], row["subject"]) for row in services.audit.latest(5)]
    assert rows == [("loop_stop", "7"), ("loop_start", "7")]


@pytest.mark.parametrize("ending", ["promised", "rounds", "failed", "interrupted", "gone", "blocked", "second"])
def test_every_ending_has_words(services: Services, ending: str) -> None:
    """Each is told in a sentence of its own."""
    loop = begin(services)
    assert services.loops.end(loop, ending)  # type: ignore[arg-type]
    ((_, _, silent, text),) = notices(services)
    assert "Loop" in text
    assert not silent


def test_the_count_in_a_row_begins_anew_with_a_tool_or_a_prompt(services: Services) -> None:
    """The host counts turns that go on without a tool, from each prompt on."""
    loop: Loop | None = begin(services)
    for change in (services.loops.worked, services.loops.prompted):
        assert loop is not None
        loop = services.loops.begin_round(loop, 5, wake_after_s=0.0)
        assert loop is not None
        assert loop.due_at is not None
        change("another session")
        assert services.loops.current("one") == loop
        change("one")
        loop = services.loops.current("one")
        assert loop is not None
        assert loop.in_a_row == 0
    assert loop is not None
    assert loop.due_at is None


def test_a_session_is_woken_once_for_a_round(services: Services) -> None:
    """The bell takes what is due, once; what is not due yet waits."""
    loop = services.loops.begin_round(begin(services), 0, wake_after_s=60.0)
    assert loop is not None
    assert services.loops.take_due("one") is None
    services.loops.wake_now(loop)
    assert services.loops.take_due("two") is None
    assert services.loops.take_due("two", "one") is not None
    assert services.loops.take_due("one") is None


def test_a_loop_is_pruned_when_it_is_over(services: Services) -> None:
    """One that runs stays, however old."""
    loop = begin(services)
    later = loop.began_at + 1e6
    assert services.loops.prune(later, 10) == 0
    services.loops.end(loop, "rounds")
    assert services.loops.prune(later, 10) == 1
