"""Markdown into formatted text, laid out for a chat."""

from __future__ import annotations

import re
import unicodedata

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.formatted_text import Dialect, FormattedText, FormattedTextBuilder

__all__ = ["escape", "is_plain", "parse"]

# A text without any of these has no markup.
_MARKUP = lazy_pattern(r"[\\`*_~|\[<&\t]|://|^[ >#+=\-\d]", re.MULTILINE)
_LINE_BREAK = lazy_pattern("\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def escape(text: str) -> str:
    """Return Markdown that reads as `text`."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def is_plain(source: str) -> bool:
    """Return True if `source` is one line that `parse` returns unchanged, as most short answers are."""
    if not (source.isascii() and source.isprintable()) or source.strip() != source:
        return False
    return bool(source) and _MARKUP.search(source) is None


def parse(source: str, dialect: Dialect) -> FormattedText:
    """Return `source` as formatted text, which is empty only if `source` is blank."""
    source = _LINE_BREAK.sub("\n", source.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    if dialect.dropped:
        # A letter composed with its mark, where Unicode has one, survives the loss of the mark.
        source = re.sub(f".[{dialect.dropped}]", lambda match: unicodedata.normalize("NFC", match[0]), source)
    if _MARKUP.search(source) is None:
        return _plain(source, dialect)
    # Imported late: the parser is large, and many texts have no markup.
    from agent_channels.core.text.markdown_layout import lay_out

    formatted = lay_out(source, dialect)
    return formatted if formatted is not None and formatted.text.strip() else _plain(source, dialect)


def _plain(source: str, dialect: Dialect) -> FormattedText:
    builder = FormattedTextBuilder(dialect)
    lines = "\n".join(line.strip(" \t") for line in source.split("\n")).strip("\n")
    builder.write(re.sub(r"\n{3,}", "\n\n", lines))
    return builder.build()
