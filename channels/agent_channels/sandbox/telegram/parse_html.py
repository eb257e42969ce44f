"""`parse_mode` HTML into text and entities, with the errors of td's parse_html (td/telegram/MessageEntity.cpp)."""

from __future__ import annotations

from dataclasses import dataclass

from agent_channels.sandbox.telegram.utf16 import Entity, byte_offset, checked_link, is_utf8, link_user_id, utf16

__all__ = ["ParseError", "parse_html"]

STYLES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "u": "underline",
    "ins": "underline",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
}
TAGS = {*STYLES, "a", "tg-emoji", "pre", "code", "blockquote"}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
# The server's strings end in a zero byte, which it counts as white space.
SPACE = " \t\r\n\0\v"


class ParseError(Exception):
    """The markup is wrong; the text is what follows `can't parse entities: `."""


@dataclass
class _OpenTag:
    tag: str
    argument: str
    offset: int
    start: int


class _Html:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.out = ""
        self.offset = 0
        self.open: list[_OpenTag] = []
        self.entities: list[Entity] = []

    def char(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else "\0"

    def put(self, piece: str) -> None:
        self.out += piece
        self.offset += utf16(piece)

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.char() in SPACE:
            self.at += 1

    def until(self, stops: str) -> str:
        start = self.at
        while self.char() not in stops:
            self.at += 1
        return self.text[start : self.at]

    def parse(self) -> tuple[str, list[Entity]]:
        while self.at < len(self.text):
            char = self.char()
            if char == "&" and (decoded := self.reference()):
                self.put(decoded)
            elif char != "<":
                self.put(char)
                self.at += 1
            elif self.text[self.at + 1 : self.at + 2] == "/":
                self.end_tag()
            else:
                self.start_tag()
        if self.open:
            raise ParseError(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')
        if not is_utf8(self.out):
            raise ParseError(
                "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched "
                "surrogate code units"
            )
        for entity in self.entities:
            if entity["type"] == "code":
                entity.pop("language", None)
        return self.out, self.entities

    def reference(self) -> str:
        end = self.at + 1
        if self.text[end : end + 1] == "#":
            base, digits = (16, "0123456789abcdefABCDEF") if self.text[end + 1 : end + 2] == "x" else (10, "0123456789")
            end += 2 if base == 16 else 1
            start = end
            while self.text[end : end + 1] and self.text[end] in digits:
                end += 1
            code = int(self.text[start:end] or "0", base)
            if code == 0 or code >= 0x10FFFF or end - self.at >= 10:
                return ""
            decoded = chr(code)
        else:
            while self.text[end : end + 1].isascii() and self.text[end : end + 1].isalpha():
                end += 1
            decoded = NAMED.get(self.text[self.at + 1 : end], "")
            if not decoded:
                return ""
        self.at = end + 1 if self.text[end : end + 1] == ";" else end
        return decoded

    def start_tag(self) -> None:
        begin = self.at
        where = byte_offset(self.text, begin)
        self.at += 1
        tag = self.until(SPACE + ">").lower()
        if self.at >= len(self.text):
            raise ParseError(f"Unclosed start tag at byte offset {where}")
        if tag not in TAGS:
            raise ParseError(f'Unsupported start tag "{tag}" at byte offset {where}')
        argument = ""
        while self.char() != ">":
            self.skip_space()
            if self.char() == ">":
                break
            name, value = self.attribute(tag, where)
            argument = _argument(tag, name, value) or argument
        self.at += 1
        if tag == "span" and argument != "spoiler":
            raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {where}')
        self.open.append(_OpenTag(tag, argument, self.offset, len(self.out)))

    def attribute(self, tag: str, where: int) -> tuple[str, str]:
        if self.at >= len(self.text):
            raise ParseError(f"Unclosed start tag at byte offset {where}")
        name = self.until(SPACE + "=>" if tag == "blockquote" else SPACE + "=")
        if not name:
            raise ParseError(f'Empty attribute name in the tag "{tag}" at byte offset {where}')
        if tag == "blockquote" and name == "expandable" and self.char() != "=":
            return name, "1"
        self.skip_space()
        if self.char() != "=":
            raise ParseError(
                f'Expected equal sign in declaration of an attribute of the tag "{tag}" at byte offset {where}'
            )
        self.at += 1
        self.skip_space()
        if self.at >= len(self.text):
            raise ParseError(f'Unclosed start tag "{tag}" at byte offset {where}')
        value = self.value()
        if self.at >= len(self.text):
            raise ParseError(f"Unclosed start tag at byte offset {where}")
        return name, value

    def value(self) -> str:
        if self.char() not in "'\"":
            start = self.at
            while self.char().isascii() and (self.char().isalnum() or self.char() in ".-"):
                self.at += 1
            if self.char() not in SPACE + ">":
                raise ParseError(f"Unexpected end of name token at byte offset {byte_offset(self.text, start)}")
            return self.text[start : self.at].lower()
        quote = self.char()
        self.at += 1
        value = ""
        while self.at < len(self.text) and self.char() != quote:
            if self.char() == "&" and (decoded := self.reference()):
                value += decoded
            else:
                value += self.char()
                self.at += 1
        self.at += 1
        return value

    def end_tag(self) -> None:
        where = byte_offset(self.text, self.at)
        if not self.open:
            raise ParseError(f"Unexpected end tag at byte offset {where}")
        self.at += 2
        tag = self.until(SPACE + ">").lower()
        self.skip_space()
        if self.char() != ">":
            raise ParseError(f"Unclosed end tag at byte offset {where}")
        self.at += 1
        opened = self.open[-1]
        if tag and tag != opened.tag:
            raise ParseError(f'Unmatched end tag at byte offset {where}, expected "</{opened.tag}>", found "</{tag}>"')
        if self.offset > opened.offset:
            self.close(opened)
        self.open.pop()

    def close(self, opened: _OpenTag) -> None:
        span: Entity = {"offset": opened.offset, "length": self.offset - opened.offset}
        if opened.tag in STYLES:
            self.entities.append({"type": STYLES[opened.tag], **span})
        elif opened.tag == "tg-emoji":
            if not opened.argument.isdigit() or not 0 < int(opened.argument) < 2**63:
                raise ParseError("Invalid custom emoji identifier specified")
            self.entities.append({"type": "custom_emoji", **span, "custom_emoji_id": opened.argument})
        elif opened.tag == "a":
            self.entities.extend(_link(opened.argument or self.out[opened.start :], span))
        elif opened.tag == "blockquote":
            kind = "expandable_blockquote" if opened.argument else "blockquote"
            self.entities.append({"type": kind, **span})
        else:
            self.close_code(opened, span)

    def close_code(self, opened: _OpenTag, span: Entity) -> None:
        last = self.entities[-1] if self.entities else {}
        same = (last.get("offset"), last.get("length")) == (span["offset"], span["length"])
        if opened.tag == "pre" and same and last["type"] == "code" and last.get("language"):
            last["type"] = "pre"
        elif opened.tag == "code" and same and last["type"] == "pre" and opened.argument:
            last["language"] = opened.argument
        else:
            language = {"language": opened.argument} if opened.argument else {}
            self.entities.append({"type": opened.tag, **span, **language})


def _argument(tag: str, name: str, value: str) -> str:
    if (tag, name) in {("a", "href"), ("tg-emoji", "emoji-id"), ("blockquote", "expandable")}:
        return value
    if (tag, name) == ("code", "class") and value.startswith("language-"):
        return value.removeprefix("language-")
    if (tag, name) == ("span", "class") and value.startswith("tg-"):
        return value.removeprefix("tg-")
    return ""


def _link(url: str, span: Entity) -> list[Entity]:
    user = link_user_id(url)
    if user is not None:
        return [{"type": "text_mention", **span, "user": {"id": user}}]
    checked = checked_link(url)
    return [{"type": "text_link", **span, "url": checked}] if checked else []


def parse_html(text: str) -> tuple[str, list[Entity]]:
    """(text without tags, entities unsorted). Raises ParseError."""
    return _Html(text).parse()
