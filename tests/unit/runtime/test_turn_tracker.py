"""The steps of a turn between two changes of the store: only counted, until anybody changes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent_channels.core.host.hand_over import HandedOver
from agent_channels.core.host.hook_call import HookCall
from agent_channels.core.host.turns import Turn
from agent_channels.core.runtime.turn_tracker import TurnTracker
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

SESSION = "s"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Those of the server that the host calls."""
    with Store.open(tmp_path / "state") as store:
        yield Services.of(store)


@pytest.fixture
def others(tmp_path: Path, services: Services) -> Iterator[Services]:
    """Those of another process of the project."""
    with Store.open(tmp_path / "state") as store:
        yield Services.of(store)


@pytest.fixture
def mode() -> list[str]:
    """How messages reach the agent; a test changes the first."""
    return ["hook"]


@pytest.fixture
def tracker(services: Services, tmp_path: Path, mode: list[str]) -> TurnTracker:
    context: Any = SimpleNamespace(
        services=services,
        wakeups=Wakeups(),
        link=SimpleNamespace(session=SESSION, source="telegram"),
        env=SimpleNamespace(environ={"CLAUDE_PROJECT_DIR": str(tmp_path)}),
        modes=SimpleNamespace(current=lambda: (mode[0], ""), refresh=lambda: None, context_max=9_000),
        channel=SimpleNamespace(name="telegram"),
    )
    made = TurnTracker(context)
    made.reads = True
    made.handle(HookCall("UserPromptSubmit", "p1", prompt="go"))
    return made


def step(tracker: TurnTracker, number: int = 1) -> list[dict[str, Any]]:
    """Use a tool; return what the host is answered before and after it."""
    before = HookCall("PreToolUse", "p1", tool="Bash", call=f"call-{number}", subject=f"make {number}")
    return [tracker.handle(before), tracker.handle(HookCall("PostToolBatch", "p1"))]


def running(services: Services) -> Turn:
    """The turn that runs."""
    turn = services.turns.current(SESSION)
    assert turn is not None
    return turn


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("by", ["hook", "pull", "push", "wake"])
def test_a_quiet_step_writes_nothing_and_this_process_knows_it(
    tracker: TurnTracker, services: Services, others: Services, mode: list[str], by: str, *, reads: bool
) -> None:
    """After the first, a step asks only whether the store changed; what it adds is known here, elsewhere when saved."""
    mode[0], tracker.reads = by, reads
    step(tracker)
    asked: list[str] = []
    services.store._db.set_trace_callback(asked.append)
    assert [step(tracker, number) for number in (2, 3)] == [[{}, {}]] * 2
    services.store._db.set_trace_callback(None)
    assert asked == ["PRAGMA data_version"] * 4
    assert (running(services).detail.steps, running(others).detail.steps) == (3, 0)
    assert running(services).detail.recent[-1] == "Bash: make 3"
    tracker.host_left()
    assert [(turn.ending, turn.detail.steps) for turn in others.turns.newest(1)] == [("gone", 3)]


@pytest.mark.parametrize("before", [("push", True), ("hook", False)])
def test_a_quiet_step_looks_again_once_messages_are_handed_over(
    tracker: TurnTracker, monkeypatch: pytest.MonkeyPatch, mode: list[str], before: tuple[str, bool]
) -> None:
    """Another mode is in force, or this process reads the bot now: no statement of the store tells of either."""
    looked: list[str] = []
    monkeypatch.setattr(tracker, "_hand_over", lambda: looked.append(mode[0]) or HandedOver())
    mode[0], tracker.reads = before
    for number in range(3):
        step(tracker, number)
    looked.clear()
    mode[0], tracker.reads = "hook", True
    step(tracker, 4)
    assert looked == ["hook"]


@pytest.mark.parametrize("here", [True, False])
def test_a_stop_is_obeyed_at_the_next_step(
    tracker: TurnTracker, services: Services, others: Services, *, here: bool
) -> None:
    """Whichever process it was asked of, and however quiet it was before."""
    for number in range(3):
        assert step(tracker, number) == [{}, {}]
    assert (services if here else others).turns.request_stop(running(services).id, "ann")
    (denied, ended) = step(tracker, 4)
    assert denied["hookSpecificOutput"]["permissionDecision"] == "deny"
    assert ended["continue"] is False
    assert [(turn.ending, turn.detail.steps) for turn in others.turns.newest(1)] == [("stopped", 3)]


def test_the_last_steps_are_told_of_a_turn_that_another_process_ends(
    tracker: TurnTracker, services: Services, others: Services
) -> None:
    """Its last words, an answer, and the prompt after it write down what was not yet."""
    last_calls = (
        HookCall("MessageDisplay", "p1", words="done"),
        HookCall("PreToolUse", "p1", tool="mcp__telegram__reply"),
    )
    for number, call in enumerate(last_calls, 1):
        step(tracker, number)
        tracker.handle(call)
        assert running(others).detail.steps == number
    step(tracker, 3)
    first = running(services).id
    assert others.turns.end(first, "done")
    tracker.handle(HookCall("UserPromptSubmit", "p2", prompt="more"))
    ended = others.turns.get(first)
    assert ended is not None
    assert (ended.ending, ended.detail.steps) == ("done", 3)
    assert running(others).detail.steps == 0
