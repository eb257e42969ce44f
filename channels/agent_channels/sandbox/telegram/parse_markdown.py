"""`parse_mode` MarkdownV2 and Markdown into text and entities, as td/telegram/MessageEntity.cpp does it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent_channels.sandbox.telegram.parse_html import ParseError
from agent_channels.sandbox.telegram.utf16 import Entity, byte_offset, checked_link, link_user_id, utf16

__all__ = ["parse_markdown", "parse_markdown_v2"]

RESERVED = "_*[]()~`>#+-=|{}.!\n"
EMOJI_LINK = re.compile(r"tg:(?://)?emoji\?id=(\d+)$", re.IGNORECASE)
# How the server's errors name the kinds, and how the Bot API does.
KINDS = {
    "Bold": "bold",
    "Italic": "italic",
    "Underline": "underline",
    "Strikethrough": "strikethrough",
    "Spoiler": "spoiler",
    "Code": "code",
    "Pre": "pre",
    "PreCode": "pre",
    "TextUrl": "text_link",
    "CustomEmoji": "custom_emoji",
    "BlockQuote": "blockquote",
    "ExpandableBlockQuote": "expandable_blockquote",
}
CLOSERS = {
    "Bold": "*",
    "Code": "`",
    "Pre": "```",
    "PreCode": "```",
    "TextUrl": "]",
    "CustomEmoji": "]",
    "Underline": "__",
    "Strikethrough": "~",
    "Spoiler": "||",
}


@dataclass
class _OpenMark:
    kind: str
    argument: str
    offset: int
    index: int
    start: int


class _MarkdownV2:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.out = ""
        self.offset = 0
        self.open: list[_OpenMark] = []
        self.entities: list[Entity] = []
        self.quoting = False
        self.line_start = True

    def peek(self, ahead: int = 0) -> str:
        return self.text[self.at + ahead : self.at + ahead + 1]

    def put(self, piece: str) -> None:
        self.out += piece
        self.offset += utf16(piece)

    def parse(self) -> tuple[str, list[Entity]]:
        while self.at < len(self.text):
            char = self.peek()
            if char == "\\" and self.peek(1) and 0 < ord(self.peek(1)) <= 126:
                self.put(self.peek(1))
                self.at += 2
                self.line_start = False
            elif char not in self.reserved():
                self.put(char)
                self.at += 1
                self.line_start = self.line_start and char == "\r"
            elif self.ends():
                self.close()
            else:
                self.begin(char)
        self.finish()
        return self.out, self.entities

    def reserved(self) -> str:
        return "`" if self.open and self.open[-1].kind in {"Code", "Pre", "PreCode"} else RESERVED

    def ends(self) -> bool:
        if not self.open:
            return False
        if self.quoting and self.peek() == "\n" and self.peek(1) != ">":
            return True
        kind = self.open[-1].kind
        if kind == "Italic":
            return self.peek() == "_" and self.peek(1) != "_"
        return kind in CLOSERS and self.text.startswith(CLOSERS[kind], self.at)

    def begin(self, char: str) -> None:
        begun = self.at
        if char == "\n":
            self.put(char)
            self.at += 1
            self.line_start = True
            return
        kind, width = self.opening(char)
        argument = ""
        self.at += width
        if kind == "Pre":
            kind, argument = self.pre_start()
        if kind:
            self.open.append(_OpenMark(kind, argument, self.offset, begun, len(self.out)))

    def opening(self, char: str) -> tuple[str, int]:
        pair = self.text[self.at : self.at + 2]
        if char == "_":
            return ("Underline", 2) if pair == "__" else ("Italic", 1)
        if char == "`":
            return ("Pre", 3) if self.text.startswith("```", self.at) else ("Code", 1)
        single = {"*": "Bold", "~": "Strikethrough", "[": "TextUrl"}.get(char)
        if single:
            return single, 1
        double = {"||": "Spoiler", "![": "CustomEmoji"}.get(pair)
        if double:
            return double, 2
        if char == ">" and self.line_start:
            if self.quoting:
                return "", 1
            self.quoting = True
            return "BlockQuote", 1
        raise ParseError(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")

    def pre_start(self) -> tuple[str, str]:
        end = self.at
        while end < len(self.text) and not self.text[end].isspace() and self.text[end] != "`":
            end += 1
        kind, language = "Pre", ""
        if end != self.at and end < len(self.text) and self.text[end] != "`":
            kind, language = "PreCode", self.text[self.at : end]
            self.at = end
        if self.peek() in {"\n", "\r"}:
            self.at += 2 if self.peek(1) in {"\n", "\r"} and self.peek(1) != self.peek() else 1
        return kind, language

    def unclosed(self) -> ParseError:
        last = self.open[-1]
        return ParseError(f"Can't find end of {last.kind} entity at byte offset {byte_offset(self.text, last.index)}")

    def close(self) -> None:
        newline = self.peek() == "\n"
        kind = self.open[-1].kind
        if newline and kind != "BlockQuote":
            if kind != "Spoiler" or self.open[-1].index != self.at - 2:
                raise self.unclosed()
            self.open.pop()
            if not self.open or self.open[-1].kind != "BlockQuote":
                raise self.unclosed() if self.open else ParseError("Can't find end of Spoiler entity")
            kind = "ExpandableBlockQuote"
        opened = self.open[-1]
        self.at += 1 if newline else len(CLOSERS.get(kind, "_"))
        extra: Entity | None = {}
        if newline:
            self.quoting = False
            self.put("\n")
            self.line_start = True
        elif kind == "PreCode":
            extra = {"language": opened.argument}
        elif kind == "TextUrl":
            extra = self.link(opened)
        elif kind == "CustomEmoji":
            extra = self.emoji()
        self.keep(opened, kind, extra)

    def keep(self, opened: _OpenMark, kind: str, extra: Entity | None) -> None:
        length = self.offset - opened.offset
        if extra is not None and length:
            base: Entity = {"type": KINDS[kind], "offset": opened.offset, "length": length}
            self.entities.append({**base, **extra})
        self.open.pop()

    def url(self, what: str) -> str:
        self.at += 1
        begun, url = self.at, ""
        while self.at < len(self.text) and self.peek() != ")":
            if self.peek() == "\\" and self.peek(1) and 0 < ord(self.peek(1)) <= 126:
                self.at += 1
            url += self.peek()
            self.at += 1
        if self.peek() != ")":
            raise ParseError(f"Can't find end of a {what} at byte offset {byte_offset(self.text, begun)}")
        self.at += 1
        return url

    def link(self, opened: _OpenMark) -> Entity | None:
        url = self.url("URL") if self.peek() == "(" else self.out[opened.start :]
        user = link_user_id(url)
        if user is not None:
            return {"type": "text_mention", "user": {"id": user}}
        checked = checked_link(url)
        return {"url": checked} if checked else None

    def emoji(self) -> Entity:
        if self.peek() != "(":
            raise ParseError("Custom emoji entity must contain a tg://emoji URL")
        url = self.url("custom emoji URL")
        found = EMOJI_LINK.match(url)
        if not found:
            raise ParseError("Custom emoji URL must have an emoji identifier")
        return {"custom_emoji_id": found[1]}

    def finish(self) -> None:
        if self.quoting:
            kind = "BlockQuote"
            if self.open[-1].kind == "Spoiler" and self.open[-1].index == len(self.text) - 2:
                self.open.pop()
                kind = "ExpandableBlockQuote"
            if self.open and self.open[-1].kind == "BlockQuote":
                self.keep(self.open[-1], kind, {})
        if self.open:
            raise self.unclosed()


def parse_markdown_v2(text: str) -> tuple[str, list[Entity]]:
    """(text without markup, entities unsorted). Raises ParseError."""
    return _MarkdownV2(text).parse()


LEGACY = {"_": ("italic", "_"), "*": ("bold", "*"), "`": ("code", "`"), "[": ("text_link", "]")}


def parse_markdown(text: str) -> tuple[str, list[Entity]]:
    """The legacy mode: no nesting, a backslash before one of ``_*`[`` escapes it. Raises ParseError."""
    out, at = "", 0
    entities: list[Entity] = []
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at + 1 : at + 2] in {"_", "*", "`", "["}:
            out += text[at + 1]
            at += 2
        elif char not in LEGACY:
            out += char
            at += 1
        else:
            inner, at, entity = _legacy(text, at)
            if entity and inner:
                entities.append({"offset": utf16(out), "length": utf16(inner), **entity})
            out += inner
    return out, entities


def _legacy(text: str, at: int) -> tuple[str, int, Entity]:
    kind, closer = LEGACY[text[at]]
    if text.startswith("```", at):
        kind, closer = "pre", "```"
    start = at + len(closer)
    end = text.find(closer, start)
    if end < 0:
        where = byte_offset(text, at)
        raise ParseError(f"Can't find end of the entity starting at byte offset {where}")
    inner, after = text[start:end], end + len(closer)
    if kind == "pre":
        language = re.match(r"(\S+)\n", inner)
        body = inner[language.end() :] if language else inner.removeprefix("\n")
        return body, after, {"type": "pre", **({"language": language[1]} if language else {})}
    if kind != "text_link":
        return inner, after, {"type": kind}
    found = re.match(r"\(([^)]*)\)", text[after:])
    url = found[1] if found else inner
    user = link_user_id(url)
    after += found.end() if found else 0
    if user is not None:
        return inner, after, {"type": "text_mention", "user": {"id": user}}
    checked = checked_link(url)
    return inner, after, {"type": "text_link", "url": checked} if checked else {}
