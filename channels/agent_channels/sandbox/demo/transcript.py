"""The transcript: the phone on the left, the wire on the right; one below the other where the terminal is narrow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import PurePath
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from agent_channels.sandbox.agent.host import ToolResult
from agent_channels.sandbox.demo.phone import DemoPhone
from agent_channels.sandbox.demo.script import ChannelEvent

__all__ = ["Transcript", "WireLine", "called", "told"]

WIDE, WIDEST = 100, 120
TAG = 8
COLOURS = {"update": "yellow", "event": "cyan", "call": "magenta", "result": "green", "shell": "bold", "server": "red"}
# What a reader of the transcript needs of an event's meta; the rest shows as ….
SHOWN = (
    "chat_id", "message_id", "user", "button", "button_label", "button_row", "button_col", "panel_id", "image_path",
    "redelivered", "delivery_id",
)  # fmt: skip
LOUD = {"button", "image_path", "redelivered"}

WireLine = tuple[str, Text | str]


class Transcript:
    """Prints the play as it happens. Everything printed is given to it by whoever saw it happen."""

    def __init__(self, console: Console, me: int) -> None:
        self.console = console
        self.width = min(console.width, WIDEST)
        self.wide = self.width >= WIDE
        self._left = (48 if self.width >= WIDEST else 44) if self.wide else min(self.width, 56)
        self._right = self.width - self._left - 3 if self.wide else self.width - 4
        self._fine = not console.options.ascii_only
        self._bar = "│" if self._fine else "|"
        self._steps = 0
        self.phone = DemoPhone(console, self._left, me)

    def title(self, lines: Sequence[str], left: str, right: str) -> None:
        """The head of the transcript, with what the two columns hold."""
        self._print(Text(lines[0], "bold"))
        for line in lines[1:]:
            self.say(line, "dim")
        if self.wide:
            self._print()
            pad = " " * (self._left - cell_len(left))
            self._print(Text.assemble((left, "bold"), pad, f" {self._bar} ", (right, "bold")))

    def step(self, words: str) -> None:
        """The next step's heading."""
        self._steps += 1
        rule = "─" if self._fine else "-"
        head = f"{rule}{rule} {self._steps}. {words} "
        self._print()
        self._print(Text(head, "bold").append(rule * max(0, self.width - cell_len(head)), "dim"))

    def row(self, phone: Sequence[Text] = (), wire: Sequence[WireLine] = ()) -> None:
        """One moment: what the phone shows, and what crossed the wire."""
        crossed = [line for tag, body in wire for line in self._tagged(tag, body)]
        if self.wide:
            for left, right in zip_longest(phone, crossed):
                self._print(self._beside(left or Text(), right))
            return
        for line in phone:
            self._print(line)
        for line in crossed:
            self._print(Text.assemble(("  " + self._bar + " ", "dim"), line))

    def say(self, text: str = "", style: str = "") -> None:
        """A paragraph across both columns."""
        for part in Text(text, style).wrap(self.console, self.width) or [Text()]:
            self._print(part)

    def copyable(self, text: str) -> None:
        """What is to be copied out of the terminal: as it is, however long its lines are."""
        self._print(Text(text))

    # --- inside

    def _tagged(self, tag: str, body: Text | str) -> list[Text]:
        body = Text(body) if isinstance(body, str) else body
        lines = body.wrap(self.console, self._right - TAG)
        tags = [Text(tag.ljust(TAG), COLOURS.get(tag, "dim"))] + [Text(" " * TAG)] * (len(lines) - 1)
        return [Text.assemble(mark, line) for mark, line in zip(tags, lines, strict=True)]

    def _beside(self, left: Text, right: Text | None) -> Text:
        line = Text.assemble(left, " " * (self._left - left.cell_len), (f" {self._bar}", "dim"))
        return line.append(" ").append_text(right) if right is not None else line

    def _print(self, line: Text | None = None) -> None:
        shown = line if line is not None else Text()
        shown.rstrip()
        self.console.print(shown, soft_wrap=True)


def told(event: ChannelEvent) -> list[WireLine]:
    """A channel event with its meta abbreviated."""
    body = Text(json.dumps(event.content, ensure_ascii=False))
    for name in SHOWN:
        if name in event.meta:
            body.append(" ").append(f"{name}={_short(name, event.meta[name])}", "bold" if name in LOUD else "dim")
    return [("event", body.append(" …", "dim") if set(event.meta) - set(SHOWN) else body)]


def called(done: ToolResult) -> list[WireLine]:
    """A tool call and its result."""
    return [("call", f"{done.act.tool} {_arguments(done.act.arguments)}"), ("result", done.result)]


def _arguments(arguments: Mapping[str, Any]) -> str:
    return " ".join(
        f"{name}={value if name == 'chat_id' else json.dumps(value, ensure_ascii=False)}"
        for name, value in arguments.items()
    )


def _short(name: str, value: str) -> str:
    match name:
        case "image_path":
            return "…/" + "/".join(PurePath(value).parts[-2:])
        case "panel_id":
            return value[:6] + "…"
        case "button" | "redelivered":
            return f'"{value}"'
        case _:
            return value
