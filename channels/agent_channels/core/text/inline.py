"""The inside of a paragraph, a heading or a table's cell: styles, code, links and pictures."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent_channels.core.text.document import Dialect, Writer
from agent_channels.core.text.spans import SpanKind

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["Inline"]

_HOST = re.compile(r"[^\s.@:/]+(?:\.[^\s.@:/]+)+")
# A longer address would leave no room for words on the platform with the shortest messages.
LINK_MAX = 800
_STYLES: dict[str, SpanKind] = {"strong": "bold", "em": "italic", "s": "strike", "spoiler": "spoiler"}


class Inline:
    """Writes the inside of one paragraph, heading or cell."""

    def __init__(self, out: Writer, look: Dialect) -> None:
        self._out, self._look = out, look
        self._open: list[int] = []
        self._target: str | None = None

    def read(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            match token.type:
                case "text" | "text_special":
                    self._out.put(token.content)
                case "softbreak" | "hardbreak":
                    self._out.put("\n")
                case "code_inline":
                    self._spanned("code", token.content)
                case "address":
                    self._spanned("address", token.content)
                case "image":
                    self._image(token)
                case "link_open":
                    self._open.append(self._out.mark())
                    self._target = str(token.attrGet("href") or "")
                case "link_close":
                    self._link(self._open.pop(), self._target or "")
                    self._target = None
                case _:
                    self._styled(token)

    def _styled(self, token: Token) -> None:
        kind = _STYLES.get(token.type.rpartition("_")[0])
        if kind is not None and token.nesting > 0:
            self._open.append(self._out.mark())
        elif kind is not None:
            self._out.span(kind, self._open.pop())

    def _spanned(self, kind: SpanKind, text: str) -> None:
        start = self._out.mark()
        self._out.put(text)
        self._out.span(kind, start)

    def _image(self, token: Token) -> None:
        label = "".join(child.content for child in token.children or ())
        target = str(token.attrGet("src") or "")
        start = self._out.mark()
        self._out.put(label)
        if self._target is None:
            self._link(start, target)

    def _link(self, start: int, target: str) -> None:
        """What was written since `start` becomes a link, or where it cannot be one, the address follows it."""
        shown = self._out.since(start).strip()
        target = "".join("%20" if char == " " else char for char in target if char.isprintable())
        if not shown:
            self._spanned("address", target)
        elif shown in {target, target.removeprefix("mailto:")}:
            self._out.span("address", start)
        elif _is_link(target, self._look.schemes) and "://" not in shown:
            self._out.span("link", start, target)
        elif target and not target.startswith("#"):
            self._out.put(" (")
            self._spanned("address", target)
            self._out.put(")")


def _is_link(target: str, schemes: frozenset[str]) -> bool:
    """Whether platforms take this as a link's address: a scheme they know and a host with a dot in it."""
    if len(target) > LINK_MAX or any(unicodedata.category(char)[0] in "ZC" for char in target):
        return False
    try:
        parts = urlsplit(target)
        host = parts.hostname or ""
        port_is_number = parts.port is None or parts.port >= 0
    except ValueError:
        return False
    if parts.scheme not in schemes or not port_is_number:
        return False
    return parts.scheme not in {"http", "https"} or _HOST.fullmatch(host) is not None
