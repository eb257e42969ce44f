"""A card of a change is one message on every platform, with code that reads as it is and buttons that still fit."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.buttons import approval_cards
from agent_channels.core.buttons.approval_cards import FOLD_LINES, ApprovalCards
from agent_channels.core.buttons.card_content import permission_spec
from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Place
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.markdown import escape
from agent_channels.discord import formatting as discord_formatting
from agent_channels.discord import markup as discord_markup
from agent_channels.telegram import formatting as telegram_formatting
from agent_channels.telegram import markup as telegram_markup


@dataclass
class Drawing:
    """What a card needs of an adapter."""

    formatting: Any
    limits: Limits

    def render(self, text: str, format_: str) -> list[RenderedPart]:
        return cast("list[RenderedPart]", self.formatting.render(text, format_))

    def escape(self, text: str, format_: str) -> str:
        assert format_ == "markdown"
        return escape(text)


TELEGRAM = Drawing(telegram_formatting, telegram_markup.LIMITS)
DISCORD = Drawing(discord_formatting, discord_markup.LIMITS)


def asked(content: str, **more: Any) -> PromptSpec:
    """A card for a new file."""
    return permission_spec(
        "Write",
        {"file_path": "/p/a.md", "content": content, **more},
        project=Path("/p"),
        request_id="abcde",
        read=lambda _: None,
        rules=[{"toolName": "Edit", "ruleContent": "//p/a.md"}],
    )


def messages(drawing: Drawing, spec: PromptSpec, files: Files | None = None) -> tuple[list[Outgoing], bool, str]:
    """The messages of a card, whether they show a beginning only, and what the file in them holds."""
    cards = ApprovalCards(*cast("Any", (drawing, None, None, None, None, files, None)))
    with ExitStack() as opened:
        found, is_cut = cards._messages(spec, Place("1", None), opened)
        held = ""
        if found[0].file is not None:
            with found[0].file.stream() as stream:
                held = stream.read().decode()
        return found, is_cut, held


def change(drawing: Drawing, content: str, **more: Any) -> tuple[Outgoing, bool, str]:
    """The one message of a card for a new file, whether it was cut, and its whole diff."""
    spec = asked(content, **more)
    (message,), is_cut, _ = messages(drawing, spec)
    return message, is_cut, spec.code


def inked(text: str) -> str:
    """Lines without spaces: a tab is drawn as several, and none at the end of a block."""
    return re.sub(r"[ \t]+|\s+$", "", text)


CONTENTS = st.one_of(
    st.text(alphabet=st.sampled_from("`~*_|<>&#-+ \n\tab😀é.\\$@/:"), min_size=1, max_size=3000),
    st.text(min_size=1, max_size=500),
    st.sampled_from(["`" * 5000, "```\n" * 2000, "😀" * 5000, "\n" * 5000, "~~~\n" * 9, " \n", "x" * 9000, "@" * 3000]),
)


@given(CONTENTS)
def test_a_change_is_one_message_and_its_lines_are_there(content: str) -> None:
    """Whatever a file holds: the beginning of its diff is drawn as one block, character by character."""
    message, is_cut, whole = change(TELEGRAM, content)
    *folds, block = [span for span in message.spans if span.kind in {"fold", "pre"}]
    shown = message.text[block.start : block.end]
    # Folded, only its first three lines are in view.
    assert [fold[:3] for fold in folds] == ([("fold", *block[1:3])] if shown.count("\n") >= FOLD_LINES else [])
    assert block.value == "diff"
    # The platform drops these marks from every text.
    expected = inked(re.sub("[\u0333\u033f\u030a]", "", whole))
    if is_cut:
        assert expected.startswith(inked(shown).removesuffix("…"))
        assert "… and " in message.text
    else:
        assert inked(shown) == expected


@given(CONTENTS)
def test_discord_draws_the_same_in_a_block(content: str) -> None:
    """No run of ticks in the file ends the block, and it fits beside the words and what is said at the end."""
    message, is_cut, whole = change(DISCORD, content)
    assert len(message.text) <= DISCORD.limits.text
    match = re.search(r"```diff\n(.*)\n```\n", message.text, re.DOTALL)
    assert match is not None
    assert "```" not in match[1]
    shown = match[1].replace("\u200b", "")
    assert inked(whole).startswith(inked(shown).removesuffix("…"))
    assert ("… and " in message.text) is is_cut


@pytest.mark.parametrize("drawing", [TELEGRAM, DISCORD])
def test_what_a_tool_adds_takes_room_from_the_diff(drawing: Drawing) -> None:
    """Further arguments are shown below it, and it is still one message."""
    message, is_cut, _ = change(drawing, "x\n" * 3000, note="y" * (drawing.limits.text // 2))
    assert is_cut
    assert "note: yyy" in message.text


@pytest.mark.parametrize("drawing", [TELEGRAM, DISCORD])
def test_what_needs_many_messages_is_one_with_a_file(drawing: Drawing, tmp_path: Path) -> None:
    """Everything is in the file, the request and what the buttons mean under it; no copy stays."""
    spec = asked("x\n" * 3000, note="y " * 20_000)
    (_, message), is_cut, held = messages(drawing, spec, Files(tmp_path / "state", environ={}))
    assert not is_cut
    assert held == f"{spec.body}\n\n{spec.code}\n\n{spec.below}"
    assert "every change to this file" in message.text
    assert "yes abcde" in message.text
    assert list((tmp_path / "state" / "files").iterdir()) == []


class FailingPrompts:
    """A store that fails twice, in each of the looks at it."""

    def __init__(self) -> None:
        self.sweeps, self.came_back = 0, asyncio.Event()

    def sweep(self) -> bool:
        self.sweeps += 1
        if self.sweeps == 1:
            raise StoreError("disk I/O error")
        if self.sweeps > 2:
            self.came_back.set()
        return False

    def any_waiting(self) -> bool:
        if self.sweeps == 2:
            raise StoreError("disk I/O error")
        return True


async def test_what_is_over_is_closed_later_if_the_store_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its questions fails: the bot is not opened again for it."""
    monkeypatch.setattr(approval_cards, "SWEEP_EVERY_S", 0.01)
    prompts = FailingPrompts()
    task = asyncio.create_task(ApprovalCards(*cast("Any", (None, None, prompts, None, None, None, None))).sweep())
    async with asyncio.timeout(10):
        await prompts.came_back.wait()
    task.cancel()
