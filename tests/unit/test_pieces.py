"""Small pieces: backoff, bells, what a host's command line says, and the sentences people read."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import get_args

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.host.process import ancestors, opted_in
from agent_channels.core.i18n import en as wording_en
from agent_channels.core.i18n import messages as wording
from agent_channels.core.i18n import zh_tw as wording_zh
from agent_channels.core.i18n.messages import translate
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.settings.config import Language
from clock import Clock

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
    bell = Wakeup()
    bell.set()
    bell.set()
    with anyio.fail_after(5):
        await bell.wait()
        async with anyio.create_task_group() as group:
            group.start_soon(bell.wait)
            await anyio.wait_all_tasks_blocked()
            bell.set()
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


def fields(text: str) -> set[str]:
    """The values that a sentence takes."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.fixture
def english() -> Iterator[None]:
    """Whatever is spoken in the test, it is English again afterwards."""
    yield
    wording.set_language("en")


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("key", sorted(wording_en.TEXTS))
def test_every_sentence_can_be_said(language: str, key: str, english: None) -> None:
    """Each takes just the values it names, and what a person wrote is not read as a pattern."""
    wording.set_language(language)
    taken = fields(wording_en.TEXTS[key])
    said = translate(key, **dict.fromkeys(taken, "{x} %s 7"))
    assert said
    assert said.count("{x} %s 7") >= len(taken)
    with pytest.raises(KeyError):
        translate(f"{key} is not there")


def test_every_language_has_every_sentence() -> None:
    """The tables have the same keys in the same order, and each sentence takes the same values in all of them."""
    english, chinese = wording_en.TEXTS, wording_zh.TEXTS
    assert list(chinese) == list(english)
    assert {key: fields(text) for key, text in chinese.items()} == {key: fields(text) for key, text in english.items()}


def test_a_translation_is_one() -> None:
    """A sentence with letters in it is not the English one; commands, which are typed as they are, stay."""
    for key, text in wording_zh.TEXTS.items():
        plain = re.sub(r"\{\w+\}", "", wording_en.TEXTS[key])
        assert (text == wording_en.TEXTS[key]) == (re.search(r"[A-Za-z]", plain) is None), key
        commands = re.compile(r"(?<!\w)/\w+(?: \w+)?(?= –)|(?:yes|no) \{request_id\}")
        assert commands.findall(text) == commands.findall(wording_en.TEXTS[key]), key


def test_the_settings_know_the_languages() -> None:
    """`language` in config.yaml takes just those that there is a table of."""
    assert get_args(Language) == tuple(wording.LANGUAGES)
