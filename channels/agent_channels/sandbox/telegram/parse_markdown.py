"""`parse_mode` MarkdownV2 and Markdown into text and entities, as td/telegram/MessageEntity.cpp does it."""

from __future__ import annotations

import re

from agent_channels.sandbox.telegram.links import link_entity
from agent_channels.sandbox.telegram.markup import MarkupParser, OpenMark, ParseError
from agent_channels.sandbox.telegram.utf16 import Entity, byte_offset, utf16

__all__ = ["parse_markdown", "parse_markdown_v2"]

RESERVED = "_*[]()~`>#+-=|{}.!\n"
EMOJI_LINK = re.compile(r"tg:(?://)?emoji\?id=(\d+)$", re.IGNORECASE)
# The server's names of the kinds, which its errors show, and the Bot API's.
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


def parse_markdown_v2(text: str) -> tuple[str, list[Entity]]:
    """Return (text without markup, entities in no particular order). Raises ParseError."""
    return _MarkdownV2Parser(text).parse()


class _MarkdownV2Parser(MarkupParser):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.quoting = False
        self.line_start = True

    def peek(self, ahead: int = 0) -> str:
        return self.text[self.index + ahead : self.index + ahead + 1]

    def is_escape(self) -> bool:
        return self.peek() == "\\" and bool(self.peek(1)) and 0 < ord(self.peek(1)) <= 126

    def parse(self) -> tuple[str, list[Entity]]:
        while self.index < len(self.text):
            char = self.peek()
            if self.is_escape():
                self.put(self.peek(1))
                self.index += 2
                self.line_start = False
            elif char not in self.reserved():
                self.put(char)
                self.index += 1
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
        return kind in CLOSERS and self.text.startswith(CLOSERS[kind], self.index)

    def begin(self, char: str) -> None:
        begun = self.index
        if char == "\n":
            self.put(char)
            self.index += 1
            self.line_start = True
            return
        kind, width = self.opening(char)
        argument = ""
        self.index += width
        if kind == "Pre":
            kind, argument = self.pre_start()
        if kind:
            self.push(kind, argument, begun)

    def opening(self, char: str) -> tuple[str, int]:
        """Return (kind, width) of the mark that begins here; kind "" for a `>` that continues a quote."""
        pair = self.text[self.index : self.index + 2]
        if char == "_":
            return ("Underline", 2) if pair == "__" else ("Italic", 1)
        if char == "`":
            return ("Pre", 3) if self.text.startswith("```", self.index) else ("Code", 1)
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
        """Read the language and the line break after an opening fence; return (kind, language)."""
        end = self.index
        while end < len(self.text) and not self.text[end].isspace() and self.text[end] != "`":
            end += 1
        kind, language = "Pre", ""
        if end != self.index and end < len(self.text) and self.text[end] != "`":
            kind, language = "PreCode", self.text[self.index : end]
            self.index = end
        if self.peek() in {"\n", "\r"}:
            self.index += 2 if self.peek(1) in {"\n", "\r"} and self.peek(1) != self.peek() else 1
        return kind, language

    def unclosed(self) -> ParseError:
        last = self.open[-1]
        return ParseError(f"Can't find end of {last.kind} entity at byte offset {byte_offset(self.text, last.index)}")

    def close(self) -> None:
        newline = self.peek() == "\n"
        kind = self.open[-1].kind
        if newline and kind != "BlockQuote":
            # A `||` that opens right before the end of a quote makes the quote expandable.
            if kind != "Spoiler" or self.open[-1].index != self.index - 2:
                raise self.unclosed()
            self.open.pop()
            if not self.open or self.open[-1].kind != "BlockQuote":
                raise self.unclosed() if self.open else ParseError("Can't find end of Spoiler entity")
            kind = "ExpandableBlockQuote"
        opened = self.open[-1]
        self.index += 1 if newline else len(CLOSERS.get(kind, "_"))
        fields: Entity | None = {}
        if newline:
            self.quoting = False
            self.put("\n")
            self.line_start = True
        elif kind == "PreCode":
            fields = {"language": opened.argument}
        elif kind == "TextUrl":
            fields = link_entity(self.url("URL") if self.peek() == "(" else self.out[opened.start :])
        elif kind == "CustomEmoji":
            fields = self.emoji()
        self.keep(opened, kind, fields)

    def keep(self, opened: OpenMark, kind: str, fields: Entity | None) -> None:
        """Add the entity of the innermost open mark with its own fields, unless they are None or it has no text."""
        length = self.offset - opened.offset
        if fields is not None and length:
            entity: Entity = {"type": KINDS[kind], "offset": opened.offset, "length": length}
            self.entities.append({**entity, **fields})
        self.open.pop()

    def url(self, what: str) -> str:
        self.index += 1
        begun, url = self.index, ""
        while self.index < len(self.text) and self.peek() != ")":
            if self.is_escape():
                self.index += 1
            url += self.peek()
            self.index += 1
        if self.peek() != ")":
            raise ParseError(f"Can't find end of a {what} at byte offset {byte_offset(self.text, begun)}")
        self.index += 1
        return url

    def emoji(self) -> Entity:
        if self.peek() != "(":
            raise ParseError("Custom emoji entity must contain a tg://emoji URL")
        match = EMOJI_LINK.match(self.url("custom emoji URL"))
        if not match:
            raise ParseError("Custom emoji URL must have an emoji identifier")
        return {"custom_emoji_id": match[1]}

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


LEGACY = {"_": ("italic", "_"), "*": ("bold", "*"), "`": ("code", "`"), "[": ("text_link", "]")}


def parse_markdown(text: str) -> tuple[str, list[Entity]]:
    """Parse the legacy mode: no nesting, a backslash before one of ``_*`[`` escapes it. Raises ParseError."""
    out, index = "", 0
    entities: list[Entity] = []
    while index < len(text):
        char = text[index]
        if char == "\\" and text[index + 1 : index + 2] in {"_", "*", "`", "["}:
            out += text[index + 1]
            index += 2
        elif char not in LEGACY:
            out += char
            index += 1
        else:
            inner, index, entity = _legacy_entity(text, index)
            if entity and inner:
                entities.append({"offset": utf16(out), "length": utf16(inner), **entity})
            out += inner
    return out, entities


def _legacy_entity(text: str, index: int) -> tuple[str, int, Entity | None]:
    """Return (its text, the index after it, the entity without offset and length or None)."""
    kind, closer = LEGACY[text[index]]
    if text.startswith("```", index):
        kind, closer = "pre", "```"
    start = index + len(closer)
    end = text.find(closer, start)
    if end < 0:
        where = byte_offset(text, index)
        raise ParseError(f"Can't find end of the entity starting at byte offset {where}")
    inner, after = text[start:end], end + len(closer)
    if kind == "pre":
        language = re.match(r"(\S+)\n", inner)
        body = inner[language.end() :] if language else inner.removeprefix("\n")
        return body, after, {"type": "pre", **({"language": language[1]} if language else {})}
    if kind != "text_link":
        return inner, after, {"type": kind}
    match = re.match(r"\(([^)]*)\)", text[after:])
    return inner, after + (match.end() if match else 0), link_entity(match[1] if match else inner)
