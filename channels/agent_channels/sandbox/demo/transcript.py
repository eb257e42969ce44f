"""The printed transcript: the phone on the left, the wire on the right; below each other in a narrow terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import PurePath
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from agent_channels.sandbox.agent.host import ChannelEvent, ToolResult, events_in
from agent_channels.sandbox.demo.phone import DemoPhone

__all__ = ["Transcript", "WireLine", "event_lines", "hook_lines", "tool_lines"]

TWO_COLUMNS, WIDEST = 100, 120
TAG_WIDTH = 8
COLOURS = {
    "update": "yellow",
    "event": "cyan",
    "call": "magenta",
    "hook": "magenta",
    "result": "green",
    "shell": "bold",
    "server": "red",
}
# The meta keys of an event that are printed; any others are abbreviated to "…".
PRINTED_META = (
    "chat_id", "message_id", "user", "button", "button_label", "button_row", "button_col", "panel_id", "image_path",
    "redelivered", "delivery_id",
)  # fmt: skip
EMPHASIZED_META = {"button", "image_path", "redelivered"}

# A tag such as "event", and the text beside it.
WireLine = tuple[str, Text | str]


class Transcript:
    """Prints the journey as it happens."""

    def __init__(self, console: Console, owner_id: int) -> None:
        self.console = console
        self.width = min(console.width, WIDEST)
        self.two_columns = self.width >= TWO_COLUMNS
        self._left = (48 if self.width >= WIDEST else 44) if self.two_columns else min(self.width, 56)
        self._right = self.width - self._left - 3 if self.two_columns else self.width - 4
        self._ascii = console.options.ascii_only
        self._bar = "|" if self._ascii else "│"
        self._steps = 0
        self.phone = DemoPhone(console, self._left, owner_id)

    def title(self, lines: Sequence[str], left: str, right: str) -> None:
        """Print the head of the transcript, with the headings of the two columns."""
        self._print(Text(lines[0], "bold"))
        for line in lines[1:]:
            self.paragraph(line, "dim")
        if self.two_columns:
            self._print()
            pad = " " * (self._left - cell_len(left))
            self._print(Text.assemble((left, "bold"), pad, f" {self._bar} ", (right, "bold")))

    def step(self, heading: str) -> None:
        """Print the heading of the next step."""
        self._steps += 1
        rule = "-" if self._ascii else "─"
        head = f"{rule}{rule} {self._steps}. {heading} "
        self._print()
        self._print(Text(head, "bold").append(rule * max(0, self.width - cell_len(head)), "dim"))

    def row(self, phone: Sequence[Text] = (), wire: Sequence[WireLine] = ()) -> None:
        """Print one moment: the phone's screen, and what crossed the wire."""
        tagged = [line for tag, body in wire for line in self._tagged(tag, body)]
        if self.two_columns:
            for left, right in zip_longest(phone, tagged):
                self._print(self._beside(left or Text(), right))
            return
        for line in phone:
            self._print(line)
        for line in tagged:
            self._print(Text.assemble(("  " + self._bar + " ", "dim"), line))

    def paragraph(self, text: str = "", style: str = "") -> None:
        """Print a paragraph across both columns."""
        for part in Text(text, style).wrap(self.console, self.width) or [Text()]:
            self._print(part)

    def copyable(self, text: str) -> None:
        """Print text for copying, without wrapping its lines."""
        self._print(Text(text))

    # --- inside

    def _tagged(self, tag: str, body: Text | str) -> list[Text]:
        body = Text(body) if isinstance(body, str) else body
        lines = body.wrap(self.console, self._right - TAG_WIDTH)
        tags = [Text(tag.ljust(TAG_WIDTH), COLOURS.get(tag, "dim"))] + [Text(" " * TAG_WIDTH)] * (len(lines) - 1)
        return [Text.assemble(tag_text, line) for tag_text, line in zip(tags, lines, strict=True)]

    def _beside(self, left: Text, right: Text | None) -> Text:
        line = Text.assemble(left, " " * (self._left - left.cell_len), (f" {self._bar}", "dim"))
        return line.append(" ").append_text(right) if right is not None else line

    def _print(self, line: Text | None = None) -> None:
        printed = line if line is not None else Text()
        printed.rstrip()
        self.console.print(printed, soft_wrap=True)


def event_lines(event: ChannelEvent) -> list[WireLine]:
    """Return the line of a channel event, with its meta abbreviated."""
    body = Text(json.dumps(event.content, ensure_ascii=False))
    for name in PRINTED_META:
        if name in event.meta:
            style = "bold" if name in EMPHASIZED_META else "dim"
            body.append(" ").append(f"{name}={_abbreviated(name, event.meta[name])}", style)
    return [("event", body.append(" …", "dim") if set(event.meta) - set(PRINTED_META) else body)]


def tool_lines(result: ToolResult) -> list[WireLine]:
    """Return the lines of a tool call and its result."""
    return [("call", f"{result.call.tool} {_arguments(result.call.arguments)}"), ("result", result.text)]


def hook_lines(event: str, values: Mapping[str, Any], answer: Mapping[str, Any]) -> list[WireLine]:
    """Return the lines of a hook that the host called: what it told, and what it was answered."""
    told = values.get("tool_input", {})
    words = (values.get("tool_name"), told.get("command") or told.get("file_path"), values.get("task_subject"))
    line = " ".join(filter(None, (event, *words)))
    specific = answer.get("hookSpecificOutput", {})
    messages = [part for message in events_in(specific.get("additionalContext", "")) for part in event_lines(message)]
    if "permissionDecision" in specific:
        line += f" -> {specific['permissionDecision']}"
    if answer.get("continue") is False:
        line += f" -> continue: false ({answer.get('stopReason', '')})"
    return [("hook", line + (" -> adds:" if messages else "")), *messages]


def _arguments(arguments: Mapping[str, Any]) -> str:
    return " ".join(
        f"{name}={value if name == 'chat_id' else json.dumps(value, ensure_ascii=False)}"
        for name, value in arguments.items()
    )


def _abbreviated(name: str, value: str) -> str:
    match name:
        case "image_path":
            return "…/" + "/".join(PurePath(value).parts[-2:])
        case "panel_id":
            return value[:6] + "…"
        case "button" | "redelivered":
            return f'"{value}"'
        case _:
            return value
