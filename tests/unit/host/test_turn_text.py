"""What people see of a turn: short enough for every platform, and never a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.host.tool_words import describe_tool, masked_line
from agent_channels.core.host.turn_text import DraftText, ending_line, progress_text, working_line
from agent_channels.core.host.turns import Detail, Step, Turn

NOW = 1_000_000.0
# Services' own shapes, and what is called a secret.
SECRETS = st.one_of(
    st.from_regex(r"ghp_[A-Za-z0-9]{36}", fullmatch=True),
    st.from_regex(r"sk-ant-[A-Za-z0-9]{40}", fullmatch=True),
    st.from_regex(r"AKIA[A-Z0-9]{16}", fullmatch=True),
    st.from_regex(r"xoxb-[0-9]{12}-[A-Za-z0-9]{24}", fullmatch=True),
)
COMMANDS = st.sampled_from(
    [
        "export TOKEN={}",
        "export TOKEN='{}' && make",
        'curl -H "Authorization: Bearer {}" https://example.com',
        "git push https://ann:{}@example.com/repo.git",
        "deploy --token {} --now",
        "PASSWORD={} ./run.sh",
        'echo "{}" | gh auth login --with-token',
    ]
)


def turn(detail: Detail, **changes: object) -> Turn:
    made = Turn("t", "s", NOW - 83, detail=detail)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@given(secret=SECRETS, command=COMMANDS, before=st.text(max_size=120), at=st.integers(0, 35))
def test_no_secret_is_shown(secret: str, command: str, before: str, at: int) -> None:
    """A command with a secret in it, wherever it is cut, and with an invisible character in the middle."""
    hidden = secret[:at] + "\u200b" + secret[at:]
    for written in (secret, hidden):
        words = describe_tool("Bash", f"{before}; {command.format(written)}")
        detail = Detail(steps=2, recent=[words], running=[Step("1", words, NOW)])
        for text in (progress_text(turn(detail), NOW, verbose=True), working_line(turn(detail), NOW)):
            assert secret not in text
            # Nor most of it, before a cut.
            assert secret[4:20] not in text


def test_the_longest_turn_fits_every_platform() -> None:
    """As much as a turn can hold of everything is below 2,000 characters, and the plan shows what is worked on."""
    words = "x" * 300
    detail = Detail(
        steps=12_345,
        files=["a"] * 500,
        running=[Step(str(n), words, NOW - 9000) for n in range(12)],
        recent=[words] * 5,
        plan=[(str(n), f"item {n} {words}", n < 20) for n in range(30)],
        words="y" * 200,
        note="Compacting the conversation…",
    )
    text = progress_text(turn(detail), NOW, verbose=True)
    assert len(text) < 2000
    lines = text.splitlines()
    assert "… and 9 more" in lines
    assert "☑ 18 done before these" in lines
    assert [line[:9] for line in lines if line.startswith(("☑ item", "☐ item"))] == [
        *(f"☑ item {n}" for n in (18, 19)),
        *(f"☐ item {n}" for n in range(20, 26)),
    ]
    assert "… and 4 more" in lines


def test_only_time_differs_while_nothing_happens() -> None:
    """Two moments of the same turn show the same but for the durations."""
    detail = Detail(steps=1, running=[Step("1", "Bash: make", NOW - 5)], recent=["Edit: a.py"])
    assert progress_text(turn(detail), NOW) == "⏳ Working: 1:23, 1 step\n· Edit: a.py\n▸ Bash: make (0:05)"
    assert progress_text(turn(detail), NOW + 60) == "⏳ Working: 2:23, 1 step\n· Edit: a.py\n▸ Bash: make (1:05)"


def test_each_ending_is_one_line() -> None:
    """Done, stopped, failed, interrupted, gone: with time, steps and files, and who stopped it."""
    detail = Detail(steps=14, files=["a", "b", "c"])
    lines = {
        ending: ending_line(turn(detail, ended_at=NOW + 68, ending=ending, stop_by="Ada\nLovelace"))
        for ending in ("done", "stopped", "failed", "interrupted", "gone")
    }
    assert lines == {
        "done": "✅ Done in 2:31, 14 steps, 3 files",
        "stopped": "⏹ Stopped by Ada Lovelace after 2:31, 14 steps, 3 files",
        "failed": "⚠️ Failed after 2:31, 14 steps, 3 files",
        "interrupted": "⏹ Interrupted at the terminal after 2:31, 14 steps, 3 files",
        "gone": "⌛ The session ended after 2:31, 14 steps, 3 files",
    }


@pytest.mark.parametrize("lead", [0, 10, 3_950, 3_990, 3_999])
def test_no_half_of_a_secret_shows_where_a_long_text_is_cut(lead: int) -> None:
    """However long what stands before it is, and however short that is once it is masked."""
    secret = "ghp_" + "a1B2" * 9
    shown = masked_line(f'TOKEN="{"x" * lead}" {secret} ' + "y " * 50_000, 200)
    assert "a1B2" not in shown


WORDS = st.lists(st.sampled_from(["begin", "end", "begin and end"]), max_size=40)


@given(WORDS, st.integers(1, 4))
def test_a_draft_only_grows(events: list[str], look_every: int) -> None:
    """However often it is looked at, each text continues the one before, and every step is in it once."""
    detail, draft, began, shown = Detail(), DraftText(), 0, ""
    for number, event in enumerate(events):
        if event != "end":
            began += 1
            detail.begin_step(Step(f"call {began}", f"step {began}", NOW))
        if event != "begin":
            detail.end_steps()
        if number % look_every:
            continue
        text = draft.text(turn(detail))
        lines = text.splitlines()
        # Above twenty lines the older half goes; between two looks at most five ended steps are known.
        if shown.startswith("· ") and len(lines) > len(shown.splitlines()):
            assert text.startswith(shown)
        assert len(set(lines)) == len(lines)
        assert len(lines) <= 20
        shown = text


def test_a_draft_tells_what_its_host_and_agent_say() -> None:
    """Before the first step it says that the agent thinks; compacting once, the agent's words only where wanted."""
    detail = Detail()
    assert DraftText().text(turn(detail)) == "▸ thinking"
    detail.begin_step(Step("1", "make", NOW))
    detail.note, detail.words = "Compacting…", "now the tests"
    plain, verbose = DraftText(), DraftText()
    assert [plain.text(turn(detail)) for _ in range(2)] == ["· make\nCompacting…"] * 2
    assert verbose.text(turn(detail), verbose=True) == "· make\nCompacting…\n💬 now the tests"
