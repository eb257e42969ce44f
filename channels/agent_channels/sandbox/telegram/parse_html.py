"""`parse_mode` HTML into text and entities, with the errors of td's parse_html (td/telegram/MessageEntity.cpp)."""

from __future__ import annotations

from agent_channels.sandbox.telegram.links import link_entity
from agent_channels.sandbox.telegram.markup import MarkupParser, OpenMark, ParseError
from agent_channels.sandbox.telegram.utf16 import Entity, byte_offset, is_utf8

__all__ = ["parse_html"]

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
NAMED_REFERENCES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
# The server's strings end in a zero byte, which it counts as white space.
SPACE = " \t\r\n\0\v"


def parse_html(text: str) -> tuple[str, list[Entity]]:
    """Return (text without tags, entities in no particular order). Raises ParseError."""
    return _HtmlParser(text).parse()


class _HtmlParser(MarkupParser):
    def char(self) -> str:
        return self.text[self.index] if self.index < len(self.text) else "\0"

    def skip_space(self) -> None:
        while self.index < len(self.text) and self.char() in SPACE:
            self.index += 1

    def until(self, stops: str) -> str:
        start = self.index
        while self.char() not in stops:
            self.index += 1
        return self.text[start : self.index]

    def parse(self) -> tuple[str, list[Entity]]:
        while self.index < len(self.text):
            char = self.char()
            if char == "&" and (decoded := self.reference()):
                self.put(decoded)
            elif char != "<":
                self.put(char)
                self.index += 1
            elif self.text[self.index + 1 : self.index + 2] == "/":
                self.end_tag()
            else:
                self.start_tag()
        if self.open:
            raise ParseError(f'Can\'t find end tag corresponding to start tag "{self.open[-1].kind}"')
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
        """Read a character reference; "" when there is none here, and the position stays."""
        end = self.index + 1
        if self.text[end : end + 1] == "#":
            base, digits = (16, "0123456789abcdefABCDEF") if self.text[end + 1 : end + 2] == "x" else (10, "0123456789")
            end += 2 if base == 16 else 1
            start = end
            while self.text[end : end + 1] and self.text[end] in digits:
                end += 1
            code = int(self.text[start:end] or "0", base)
            if code == 0 or code >= 0x10FFFF or end - self.index >= 10:
                return ""
            decoded = chr(code)
        else:
            while self.text[end : end + 1].isascii() and self.text[end : end + 1].isalpha():
                end += 1
            decoded = NAMED_REFERENCES.get(self.text[self.index + 1 : end], "")
            if not decoded:
                return ""
        self.index = end + 1 if self.text[end : end + 1] == ";" else end
        return decoded

    def start_tag(self) -> None:
        begin = self.index
        where = byte_offset(self.text, begin)
        self.index += 1
        tag = self.until(SPACE + ">").lower()
        if self.index >= len(self.text):
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
        self.index += 1
        if tag == "span" and argument != "spoiler":
            raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {where}')
        self.push(tag, argument, begin)

    def attribute(self, tag: str, where: int) -> tuple[str, str]:
        if self.index >= len(self.text):
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
        self.index += 1
        self.skip_space()
        if self.index >= len(self.text):
            raise ParseError(f'Unclosed start tag "{tag}" at byte offset {where}')
        value = self.value()
        if self.index >= len(self.text):
            raise ParseError(f"Unclosed start tag at byte offset {where}")
        return name, value

    def value(self) -> str:
        if self.char() not in "'\"":
            start = self.index
            while self.char().isascii() and (self.char().isalnum() or self.char() in ".-"):
                self.index += 1
            if self.char() not in SPACE + ">":
                raise ParseError(f"Unexpected end of name token at byte offset {byte_offset(self.text, start)}")
            return self.text[start : self.index].lower()
        quote = self.char()
        self.index += 1
        value = ""
        while self.index < len(self.text) and self.char() != quote:
            if self.char() == "&" and (decoded := self.reference()):
                value += decoded
            else:
                value += self.char()
                self.index += 1
        self.index += 1
        return value

    def end_tag(self) -> None:
        where = byte_offset(self.text, self.index)
        if not self.open:
            raise ParseError(f"Unexpected end tag at byte offset {where}")
        self.index += 2
        tag = self.until(SPACE + ">").lower()
        self.skip_space()
        if self.char() != ">":
            raise ParseError(f"Unclosed end tag at byte offset {where}")
        self.index += 1
        opened = self.open[-1]
        if tag and tag != opened.kind:
            raise ParseError(f'Unmatched end tag at byte offset {where}, expected "</{opened.kind}>", found "</{tag}>"')
        if self.offset > opened.offset:
            self.close(opened)
        self.open.pop()

    def close(self, opened: OpenMark) -> None:
        span: Entity = {"offset": opened.offset, "length": self.offset - opened.offset}
        if opened.kind in STYLES:
            self.entities.append({"type": STYLES[opened.kind], **span})
        elif opened.kind == "tg-emoji":
            if not opened.argument.isdigit() or not 0 < int(opened.argument) < 2**63:
                raise ParseError("Invalid custom emoji identifier specified")
            self.entities.append({"type": "custom_emoji", **span, "custom_emoji_id": opened.argument})
        elif opened.kind == "a":
            if link := link_entity(opened.argument or self.out[opened.start :]):
                self.entities.append({**link, **span})
        elif opened.kind == "blockquote":
            kind = "expandable_blockquote" if opened.argument else "blockquote"
            self.entities.append({"type": kind, **span})
        else:
            self.close_code(opened, span)

    def close_code(self, opened: OpenMark, span: Entity) -> None:
        """Add a `pre` or `code`; one directly around the other becomes a single `pre` with the code's language."""
        last = self.entities[-1] if self.entities else {}
        same = (last.get("offset"), last.get("length")) == (span["offset"], span["length"])
        if opened.kind == "pre" and same and last["type"] == "code" and last.get("language"):
            last["type"] = "pre"
        elif opened.kind == "code" and same and last["type"] == "pre" and opened.argument:
            last["language"] = opened.argument
        else:
            language = {"language": opened.argument} if opened.argument else {}
            self.entities.append({"type": opened.kind, **span, **language})


def _argument(tag: str, name: str, value: str) -> str:
    if (tag, name) in {("a", "href"), ("tg-emoji", "emoji-id"), ("blockquote", "expandable")}:
        return value
    if (tag, name) == ("code", "class") and value.startswith("language-"):
        return value.removeprefix("language-")
    if (tag, name) == ("span", "class") and value.startswith("tg-"):
        return value.removeprefix("tg-")
    return ""
