"""Changes to the text of a JSON file: what does not change stays byte for byte, in any style."""

from __future__ import annotations

import json
import re
from typing import Any

from agent_channels.core.frozen import frozen
from agent_channels.core.patterns import lazy_pattern

__all__ = ["comments_in", "edited", "without_comments"]

JSON = dict[str, Any]
_BLANK = lazy_pattern(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
# Strings come first, so that what looks like the others within them is none. What does not end goes to the text's end,
# or a hostile file with a million beginnings would be searched as often.
_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = lazy_pattern(rf"{_STRING}|(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))", re.DOTALL)
_LAST_COMMA = lazy_pattern(rf"{_STRING}|(?P<comma>,)(?=\s*[\]}}])", re.DOTALL)


def without_comments(text: str) -> str:
    """Return a text with blanks for its comments, and for a comma behind the last item: all else stays in its place."""

    def blank(found: re.Match[str]) -> str:
        return re.sub(r"[^\r\n]", " ", found[0]) if found.lastgroup else found[0]

    return _LAST_COMMA.sub(blank, _COMMENT.sub(blank, text))


def comments_in(text: str) -> list[str]:
    """Return the comments of a JSON text, in order."""
    return [found[0].rstrip() for found in _COMMENT.finditer(text) if found.lastgroup]


@frozen
class _Member:
    """One key of an object, or item of a list: where it begins in the text, and where its value begins and ends."""

    key: str
    start: int
    value: int
    end: int


@frozen
class _Change:
    start: int
    end: int
    text: str


def edited(text: str, after: JSON, *, comments: bool = False) -> str:
    """Return the text of a JSON object, changed so that it means `after`; an empty text is an empty object.

    `comments`: it may hold some, as `without_comments` knows them; those within what is replaced go with it. Raises
    ValueError if the text is not a JSON object.
    """
    plain = without_comments(text) if comments else text
    before = json.loads(plain) if plain.strip() else {}
    if not isinstance(before, dict):
        raise TypeError("the text is not a JSON object")
    newline = "\r\n" if "\r\n" in text else "\n"
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    unit = found[1] if found else "  "
    whole = json.dumps(after, ensure_ascii=False, indent=unit).replace("\n", newline) + newline
    if not plain.strip():
        return whole
    changes = _changes(plain, _skip(plain, 0), before, after, _Style(unit, newline))
    for change in sorted(changes, key=lambda change: change.start, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    # A key that stands twice in an object, for one, cannot be changed in its place.
    return text if json.loads(without_comments(text) if comments else text) == after else whole


@frozen
class _Style:
    """How the file is written: one step of indentation, and its line end."""

    unit: str
    newline: str

    def dump(self, value: Any, indent: str) -> str:
        """Return a value's text, for a place whose line is indented so."""
        return json.dumps(value, ensure_ascii=False, indent=self.unit).replace("\n", self.newline + indent)


def _changes(text: str, at: int, before: Any, after: Any, style: _Style) -> list[_Change]:
    """Return what to change in the object or the list that begins at `at`."""
    members, close = _members(text, at)
    changes: list[_Change] = []
    if isinstance(after, dict):
        kept = [index for index, member in enumerate(members) if member.key in after]
        added = [(f"{json.dumps(key, ensure_ascii=False)}: ", after[key]) for key in after if key not in before]
    else:
        kept = _kept(before, after)
        added = [("", value) for value in after[len(kept) :]]
    outer = _indent(text, at)
    inner = _indent(text, members[0].start) if members and _begins_line(text, members[0].start) else outer + style.unit
    new = [f"{name}{style.dump(value, inner)}" for name, value in added]
    glue = f",{style.newline}{inner}"
    if not kept:
        return [_Change(at + 1, close, f"{style.newline}{inner}{glue.join(new)}{style.newline}{outer}" if new else "")]
    for index, member in enumerate(members):
        if index not in kept:
            behind = index > kept[0]
            start, end = (members[index - 1].end, member.end) if behind else (member.start, members[index + 1].start)
            changes.append(_Change(start, end, ""))
        elif isinstance(after, dict) and before[member.key] != after[member.key]:
            changes += _value(text, member, before[member.key], after[member.key], inner, style)
    if new:
        # Behind the last member, whether that stays or not.
        changes.append(_Change(members[-1].end, members[-1].end, f"{glue}{glue.join(new)}"))
    return changes


def _value(text: str, member: _Member, old: Any, new: Any, indent: str, style: _Style) -> list[_Change]:
    for kind in (dict, list):
        if isinstance(old, kind) and isinstance(new, kind):
            return _changes(text, member.value, old, new, style)
    return [_Change(member.value, member.end, style.dump(new, indent))]


def _kept(before: list[Any], after: list[Any]) -> list[int]:
    """Return the places of the items that a list goes on beginning with."""
    kept: list[int] = []
    for index, item in enumerate(before):
        if len(kept) < len(after) and after[len(kept)] == item:
            kept.append(index)
    return kept


def _members(text: str, at: int) -> tuple[list[_Member], int]:
    """Return the members of the object or the list that begins at `at`, and where its closing bracket is."""
    members = []
    is_object, place = text[at] == "{", _skip(text, at + 1)
    while text[place] not in "}]":
        start, key = place, ""
        if is_object:
            key, place = _DECODER.raw_decode(text, start)
            place = _skip(text, _skip(text, place) + 1)
        value = place
        _, end = _DECODER.raw_decode(text, value)
        members.append(_Member(key, start, value, end))
        place = _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)
    return members, place


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _indent(text: str, at: int) -> str:
    """The blanks at the beginning of the line that a place is in."""
    line = text[text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _begins_line(text: str, at: int) -> bool:
    return not text[text.rfind("\n", 0, at) + 1 : at].strip() and "\n" in text[:at]
