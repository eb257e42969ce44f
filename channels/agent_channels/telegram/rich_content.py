"""Rich messages as people send them: a tree of blocks becomes text with Markdown, files, and the names in it.

Pure, and nothing in the tree is trusted. What this version does not know is walked by the keys that hold words, so that
no word is lost to a new kind of block, or to a field that has another name in another version of the Bot API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from agent_channels.core.contract.messages import Attachment, Identity
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.messages import translate
from agent_channels.core.text.times import epoch_iso
from agent_channels.telegram.attachments import file_of, picture_of
from agent_channels.telegram.chats import Json

__all__ = ["RichContent", "rich_content"]

# "Rich Message Limits": 16 levels, 500 blocks, 50 files, 20 columns, 32,768 characters; these here only keep us safe.
DEPTH_MAX = 100
NODES_MAX = 100_000
FILES_MAX = 50
COLUMNS_MAX = 20

# The keys that hold what people see, in any node, within a line or as blocks; others hold addresses, names, numbers.
_INLINE_KEYS = """text summary title label caption credit alternative_text expression description content header
question"""
_INLINE = frozenset(_INLINE_KEYS.split())
_CONTAINERS = frozenset({"blocks", "items", "cells", "rows", "columns", "buttons"})
# Files, by the type of their block: a voice note is called as in messages.
_SAME = ("photo", "video", "animation", "audio", "document", "live_photo", "video_note", "sticker")
_FILES = {kind: kind for kind in _SAME} | {"voice_note": "voice"}
# Nothing to see by themselves.
_SILENT = frozenset({"anchor", "divider"})


@frozen
class RichContent:
    """What a rich message says."""

    text: str
    """The words, with Markdown where it says what a word is."""
    files: tuple[Attachment, ...] = ()
    """In order."""
    names: frozenset[str] = frozenset()
    """Whom it mentions: `@username` in lower case, or an id where an account has no username."""
    command: str | None = None
    """The command that it begins with, as it is written: `/start@bot`."""
    button_data: frozenset[str] = frozenset()
    """What the buttons in the text send when they are tapped."""

    def mentions(self, me: Identity) -> bool:
        """Return whether it names the bot."""
        return me.id in self.names or f"@{me.username}".casefold() in self.names


def rich_content(message: Json) -> RichContent | None:
    """Return what a rich message says; None for a message of another kind."""
    rich = message.get("rich_message")
    if not isinstance(rich, dict):
        return None
    walk = _Walk()
    # Telegram sends blocks. Its other two forms are for bots, but hold words too.
    text = walk.blocks(rich["blocks"], 0, "\n\n") if rich.get("blocks") else str(_written(rich))
    command = walk.command if walk.command and text.startswith(walk.command) else None
    return RichContent(text, tuple(walk.files), frozenset(walk.names), command, frozenset(walk.button_data))


def _written(rich: Json) -> str:
    return next((rich[key] for key in ("markdown", "html", "text") if isinstance(rich.get(key), str)), "")


class _Walk:
    """One walk over one tree; collects the files and names on its way."""

    def __init__(self) -> None:
        self.files: list[Attachment] = []
        self.names: set[str] = set()
        self.command: str | None = None
        self.button_data: set[str] = set()
        self._nodes = 0

    # ---- blocks

    def blocks(self, nodes: Any, depth: int, between: str = "\n") -> str:
        """Return a list of blocks, or one."""
        found = nodes if isinstance(nodes, list) else [nodes]
        return between.join(filter(str.strip, (self._block(node, depth + 1) for node in found)))

    def _block(self, node: Any, depth: int) -> str:
        if not isinstance(node, dict):
            return self._inline(node, depth)
        if self._exhausted(depth):
            return " ".join(_words(node))
        kind = str(node.get("type") or "")
        if kind in _FILES:
            return self._file(kind, node, depth)
        draw = _BLOCKS.get(kind)
        if draw is not None:
            return draw(self, node, depth)
        return self._inline(node, depth) if kind in _INLINE_KINDS else self._unknown(node, depth, "\n")

    def _exhausted(self, depth: int) -> bool:
        self._nodes += 1
        return depth > DEPTH_MAX or self._nodes > NODES_MAX

    def _unknown(self, node: Json, depth: int, between: str) -> str:
        """Return the words of a node of a kind that is not known; when it has none, say that it is there."""
        files = len(self.files)
        text = self.inside(node, depth, between)
        kind = str(node.get("type") or "")
        if text.strip() or len(self.files) > files or not kind or kind in _SILENT:
            return text
        return translate("kind_unknown", kind=kind[:64].replace("_", " "))

    def inside(self, node: Json, depth: int, between: str = "\n", skip: tuple[str, ...] = ()) -> str:
        """Return every word in a node, whatever its keys are called, in order."""
        parts = []
        for key, value in node.items():
            if key in skip:
                continue
            if key == "credit":
                parts.append(self._credit(node, depth))
            elif key in _INLINE:
                parts.append(self._inline(value, depth + 1))
            elif not self._take_file(key, value):
                parts.append(self._below(value, depth + 1, between, shown=key in _CONTAINERS))
        # A space under some formatting is still a space.
        return between.join(part for part in parts if part.strip()) or "".join(parts)

    def _below(self, value: Any, depth: int, between: str, *, shown: bool) -> str:
        """Return the words below a key that holds nodes; bare strings in it count if they are `shown`."""
        if isinstance(value, str):
            return value if shown else ""
        if not isinstance(value, dict | list):
            return ""
        if self._exhausted(depth):
            return " ".join(_words(value))
        if isinstance(value, list):
            return between.join(filter(None, (self._below(one, depth + 1, between, shown=shown) for one in value)))
        return self._block(value, depth + 1) if "type" in value else self.inside(value, depth + 1, between)

    def _credit(self, node: Json, depth: int) -> str:
        credit = self._inline(node.get("credit"), depth + 1)
        return f"— {credit}" if credit.strip() else ""

    def draw_heading(self, node: Json, depth: int) -> str:
        size = node.get("size")
        level = size if isinstance(size, int) and 1 <= size <= 6 else 1
        text = self.inside(node, depth)
        return f"{'#' * level} {text}" if text.strip() else ""

    def draw_pre(self, node: Json, depth: int) -> str:
        code = self.inside(node, depth)
        fence = "`" * max(3, _longest_run(code) + 1)
        language = re.sub(r"[\s`]+", "", str(node.get("language") or ""))[:40]
        return f"{fence}{language}\n{code.removesuffix(chr(10))}\n{fence}" if code.strip() else ""

    def draw_math(self, node: Json, depth: int) -> str:
        text = self.inside(node, depth)
        return f"$$\n{text}\n$$" if text.strip() else ""

    def draw_quote(self, node: Json, depth: int) -> str:
        text = self.inside(node, depth)
        return "\n".join(f"> {line}" for line in text.split("\n")) if text.strip() else ""

    def draw_details(self, node: Json, depth: int) -> str:
        summary = self._inline(node.get("summary"), depth + 1)
        text = self.inside(node, depth, skip=("summary",))
        return "\n".join(part for part in (f"▸ {summary}" if summary.strip() else "", text) if part)

    def draw_list(self, node: Json, depth: int) -> str:
        items = node.get("items")
        if not isinstance(items, list):
            return self._unknown(node, depth, "\n")
        drawn = [self._item(item, depth + 1) for item in items]
        return "\n".join([*filter(None, drawn), *filter(None, [self.inside(node, depth, skip=("items",))])])

    def _item(self, item: Any, depth: int) -> str:
        if not isinstance(item, dict):
            return f"- {self._inline(item, depth)}"
        label, value = self._inline(item.get("label"), depth + 1).strip(), item.get("value")
        # A bullet is drawn by the program; a number, a letter or a Roman numeral is what people refer to.
        marker = label if re.search(r"\w", label) else f"{value}." if isinstance(value, int) else "-"
        if item.get("has_checkbox") or "is_checked" in item:
            marker += " [x]" if item.get("is_checked") else " [ ]"
        inside = self.inside(item, depth, skip=("label",))
        return f"{marker} {inside}".replace("\n", "\n" + " " * (len(marker) + 1)) if inside.strip() else ""

    def draw_table(self, node: Json, depth: int) -> str:
        rows = node.get("cells")
        if not isinstance(rows, list):
            return self._unknown(node, depth, "\n")
        lines: list[str] = []
        # Column -> rows below that a cell reaches into.
        reaching: dict[int, int] = {}
        for number, row in enumerate(rows):
            cells = row if isinstance(row, list) else [row]
            lines.append(f"| {' | '.join(self._row(cells, reaching, depth + 1))} |")
            if number == 0 and all(isinstance(cell, dict) and cell.get("is_header") for cell in cells):
                lines.append("|" + " --- |" * max(1, len(re.findall(r"(?<!\\)\|", lines[0])) - 1))
        return "\n".join([*lines, *filter(None, [self.inside(node, depth, skip=("cells",))])])

    def _row(self, cells: list[Any], reaching: dict[int, int], depth: int) -> Iterator[str]:
        column = 0

        def pass_reaching() -> Iterator[str]:
            nonlocal column
            while reaching.get(column, 0) > 0:
                reaching[column] -= 1
                column += 1
                yield ""

        for cell in cells:
            yield from pass_reaching()
            text = self.inside(cell, depth) if isinstance(cell, dict) else self._inline(cell, depth)
            yield " ".join(text.split()).replace("|", "\\|")
            for more in range(_span(cell, "colspan") if column < COLUMNS_MAX else 1):
                if more:
                    yield ""
                reaching[column] = _span(cell, "rowspan") - 1
                column += 1
        yield from pass_reaching()

    def draw_map(self, node: Json, depth: int) -> str:
        place = node.get("location")
        where = f"{place.get('latitude')}, {place.get('longitude')}" if isinstance(place, dict) else ""
        told = f"({': '.join(filter(None, (translate('kind_location'), where)))})"
        return "\n".join(filter(None, (told, self.inside(node, depth, skip=("location",)))))

    def draw_buttons(self, node: Json, depth: int) -> str:
        buttons = node.get("buttons")
        if not isinstance(buttons, list):
            return self._unknown(node, depth, "\n")
        return " ".join(filter(None, (self._button(button, depth + 1) for button in buttons)))

    def _button(self, button: Any, depth: int) -> str:
        label = self.inside(button, depth, " ") if isinstance(button, dict) else self._inline(button, depth)
        url, data = (button.get("url"), button.get("callback_data")) if isinstance(button, dict) else (None, None)
        if isinstance(data, str):
            self.button_data.add(data)
        return f"[{label}]" + (f" ({url})" if isinstance(url, str) and url else "") if label.strip() else ""

    def _file(self, kind: str, node: Json, depth: int) -> str:
        before = len(self.files)
        self._take_file(kind, node.get(kind))
        taken = self.files[before:]
        word = kind.replace("_", " ") if not taken else taken[0].kind.replace("_", " ")
        name = f": {taken[0].name}" if taken and taken[0].name else ""
        return "\n".join(filter(None, (f"({word}{name})", self.inside(node, depth, skip=(kind,)))))

    def _take_file(self, kind: str, value: Any) -> bool:
        """Keep a file, if the value is one; return whether it is."""
        try:
            if isinstance(value, list):
                found = picture_of(value)
            elif isinstance(value, dict) and "file_id" in value:
                found = file_of(_FILES.get(kind, kind), value)
            else:
                return False
        except (KeyError, TypeError, ValueError):
            return False
        if len(self.files) < FILES_MAX:
            self.files.append(found)
        return True

    # ---- within a line

    def _inline(self, node: Any, depth: int) -> str:
        if isinstance(node, str):
            return node
        if isinstance(node, int | float) and not isinstance(node, bool):
            return str(node)
        if not isinstance(node, dict | list) or not node:
            return ""
        if self._exhausted(depth):
            return " ".join(_words(node))
        if isinstance(node, list):
            between = (
                "\n" if any(isinstance(one, dict) and str(one.get("type")) in _ONLY_BLOCKS for one in node) else ""
            )
            return between.join(self._inline(one, depth + 1) for one in node)
        kind = str(node.get("type") or "")
        if kind in _ONLY_BLOCKS:
            return self._block(node, depth)
        draw = _INLINE_KINDS.get(kind)
        return draw(self, node, depth) if draw is not None else self._unknown(node, depth, " ")

    def draw_plain(self, node: Json, depth: int) -> str:
        return self.inside(node, depth, " ")

    def draw_code(self, node: Json, depth: int) -> str:
        return _per_line(self.inside(node, depth, " "), _as_code)

    def draw_link(self, node: Json, depth: int) -> str:
        text, url = self.inside(node, depth, " "), node.get("url")
        if not isinstance(url, str) or not url or text.strip().rstrip("/") == url.rstrip("/"):
            return text
        return f"{text} ({url})"

    def draw_moment(self, node: Json, depth: int) -> str:
        text = self.inside(node, depth, " ")
        # Programs show it in each reader's own time zone.
        with suppress(ValueError, OverflowError, TypeError, KeyError):
            return f"{text} ({epoch_iso(float(node['unix_time']))})"
        return text

    def draw_mention(self, node: Json, depth: int) -> str:
        text = self.inside(node, depth, " ")
        self.names.add(f"@{str(node.get('username') or text).removeprefix('@')}".casefold())
        return text

    def draw_text_mention(self, node: Json, depth: int) -> str:
        user = node.get("user")
        if isinstance(user, dict) and user.get("id"):
            self.names.add(str(user["id"]))
        return self.inside(node, depth, " ", skip=("user",))

    def draw_bot_command(self, node: Json, depth: int) -> str:
        text = self.inside(node, depth, " ")
        self.command = self.command or text
        return text

    def draw_in_line_button(self, node: Json, depth: int) -> str:
        return self._button(node["button"], depth) if node.get("button") else self._unknown(node, depth, " ")


def _marked(mark: str, end: str = "") -> Callable[[_Walk, Json, int], str]:
    def draw(walk: _Walk, node: Json, depth: int) -> str:
        return _per_line(walk.inside(node, depth, " "), lambda words: f"{mark}{words}{end or mark}")

    return draw


def _per_line(text: str, draw: Callable[[str], str]) -> str:
    """Draw the words of each line: a mark beside white space marks nothing."""
    return re.sub(r"\S(?:.*\S)?", lambda line: draw(line[0]), text)


def _as_code(words: str) -> str:
    mark = "`" * (_longest_run(words) + 1)
    space = " " if "`" in {words[0], words[-1]} else ""
    return f"{mark}{space}{words}{space}{mark}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _span(cell: Any, key: str) -> int:
    span = cell.get(key) if isinstance(cell, dict) else None
    return min(span, COLUMNS_MAX) if isinstance(span, int) and span > 0 else 1


def _words(value: Any) -> Iterator[str]:
    """Yield the words below a node, however deep they lie, without a call for each level."""
    # (whether a bare string here is something to read, the value)
    stack: list[tuple[bool, Any]] = [(False, value)]
    while stack:
        shown, one = stack.pop()
        if isinstance(one, str):
            if shown and one.strip():
                yield one
        elif isinstance(one, list):
            stack += [(shown, item) for item in reversed(one)]
        elif isinstance(one, dict):
            stack += [(key in _INLINE or key in _CONTAINERS, item) for key, item in reversed(one.items())]


_Draw = Callable[[_Walk, Json, int], str]

# Drawn as it stands: what it says is in its words.
_PLAIN_BLOCKS = ("paragraph", "footer", "thinking", "collage", "slideshow")
_BLOCKS: Mapping[str, _Draw] = {
    **dict.fromkeys(_PLAIN_BLOCKS, _Walk.inside),
    "heading": _Walk.draw_heading,
    "pre": _Walk.draw_pre,
    "divider": lambda *_: "---",
    "anchor": lambda *_: "",
    "mathematical_expression": _Walk.draw_math,
    "list": _Walk.draw_list,
    "blockquote": _Walk.draw_quote,
    "pullquote": _Walk.draw_quote,
    "expandable_blockquote": _Walk.draw_quote,
    "table": _Walk.draw_table,
    "details": _Walk.draw_details,
    "map": _Walk.draw_map,
    "buttons": _Walk.draw_buttons,
}
_PLAIN_KINDS = """bold italic underline marked custom_emoji anchor_link reference reference_link email_address
phone_number bank_card_number hashtag cashtag"""
# What changes the meaning of words is marked; bold type does not.
_INLINE_KINDS: Mapping[str, _Draw] = {
    **dict.fromkeys(_PLAIN_KINDS.split(), _Walk.draw_plain),
    "strikethrough": _marked("~~"),
    "spoiler": _marked("||"),
    "superscript": _marked("<sup>", "</sup>"),
    "subscript": _marked("<sub>", "</sub>"),
    "mathematical_expression": _marked("$"),
    "code": _Walk.draw_code,
    "url": _Walk.draw_link,
    "date_time": _Walk.draw_moment,
    "anchor": lambda *_: "",
    "mention": _Walk.draw_mention,
    "text_mention": _Walk.draw_text_mention,
    "bot_command": _Walk.draw_bot_command,
    "button": _Walk.draw_in_line_button,
}
_ONLY_BLOCKS = frozenset({*_BLOCKS, *_FILES}) - _INLINE_KINDS.keys()
