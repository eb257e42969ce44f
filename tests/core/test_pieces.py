"""Small pieces: backoff, bells, what a host's command line says, and the sentences people read."""

from __future__ import annotations

import string

import anyio
import pytest
from clock import Clock
from hypothesis import given
from hypothesis import strategies as st

from channels.core import wording
from channels.core.host import ancestors, opted_in
from channels.core.tasks import Backoff, Bell
from channels.core.wording import say

# ---- backoff


def test_pauses_grow_up_to_the_cap_with_jitter(clock: Clock) -> None:
    """Each failure doubles the pause, a quarter up or down, never far above the cap."""
    backoff = Backoff(first_s=0.5, cap_s=4, calm_s=60, clock=clock)
    pauses = []
    for _ in range(50):
        pauses.append(backoff.next())
        clock.forward(pauses[-1])
    for pause, nominal in zip(pauses, [0.5, 1, 2, 4] + [4] * 46, strict=True):
        assert 0.75 * nominal <= pause <= 1.25 * nominal
    assert len(set(pauses)) > 10


def test_only_calm_brings_the_pause_down(clock: Clock) -> None:
    """Successes in between do not count: only a time without failures does."""
    backoff = Backoff(first_s=1, cap_s=8, calm_s=60, clock=clock)
    assert backoff.next() <= 1.25
    for _ in range(5):
        clock.forward(59)
        last = backoff.next()
    assert last >= 6
    clock.forward(60)
    assert backoff.next() <= 1.25


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_no_rhythm_of_failures_makes_a_hot_loop(gaps: list[float]) -> None:
    """However failures are spaced, a pause is never shorter than three quarters of the first step."""
    clock = Clock(0)
    backoff = Backoff(clock=clock)
    for gap in gaps:
        assert 0.375 <= backoff.next() <= 4.375
        clock.forward(gap)


async def test_a_bell_rung_early_or_often_is_heard_once() -> None:
    """No ring is missed, and many are one."""
    bell = Bell()
    bell.ring()
    bell.ring()
    with anyio.fail_after(5):
        await bell.wait()
        async with anyio.create_task_group() as group:
            group.start_soon(bell.wait)
            await anyio.wait_all_tasks_blocked()
            bell.ring()
    with anyio.move_on_after(0) as scope:
        await bell.wait()
    assert scope.cancelled_caught


# ---- the host


@pytest.mark.parametrize(
    ("command_line", "found"),
    [
        ("claude --channels server:sample", "--channels server:sample"),
        ("claude --channels=server:sample", "--channels server:sample"),
        ("claude --channels server:other server:sample", "--channels server:sample"),
        ("claude --channels server:other,server:sample -p hi", "--channels server:sample"),
        ("node cli.js --dangerously-load-development-channels server:sample", None),
        ("claude --channels plugin:sample@market", "--channels plugin:sample@market"),
        ("claude --channels server:other --channels server:sample", "--channels server:sample"),
        ("claude --channels server:other", None),
        ("claude --channels server:sample2", None),
        ("claude --channels sample", None),
        ("claude --channels", None),
        ("claude --channels -p server:sample", None),
        ("claude -p --channels-are-fun server:sample", None),
        ("claude mcp list", None),
        ("", None),
    ],
)
def test_the_hosts_command_line_says_whether_it_opted_in(command_line: str, found: str | None) -> None:
    """Only a channel flag that names this server, or a plugin, counts."""
    expected = found
    if "development" in command_line:
        expected = "--dangerously-load-development-channels server:sample"
    assert opted_in(command_line.split(), "sample") == expected


def test_the_programs_above_this_one_can_be_seen() -> None:
    """The command lines of the ancestors, nearest first, or nothing where the system does not show them."""
    lines = list(ancestors())
    assert all(isinstance(word, str) for line in lines for word in line)
    assert len(lines) <= 8


# ---- sentences


@pytest.mark.parametrize("key", sorted(wording._TEXTS))
def test_every_sentence_can_be_said(key: str) -> None:
    """Each takes just the values it names, and what a person wrote is not read as a pattern."""
    fields = {name for _, name, _, _ in string.Formatter().parse(wording._TEXTS[key]) if name}
    said = say(key, **dict.fromkeys(fields, "{x} %s 7"))
    assert said
    assert said.count("{x} %s 7") >= len(fields)
    with pytest.raises(KeyError):
        say(f"{key} is not there")
