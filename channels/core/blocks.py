"""An entry as the `<channel ...>` block a push would show: what every mode but push itself hands to the agent."""

from __future__ import annotations

from collections.abc import Iterable

from channels.core.events import shown_meta
from channels.core.inbox import Entry

__all__ = ["block", "blocks"]


def block(source: str, entry: Entry) -> str:
    """`<channel source="..." key="value" ...>text</channel>`; nothing in it can leave its frame."""
    attributes = "".join(f' {key}="{_quoted(value)}"' for key, value in shown_meta(entry).items())
    return f'<channel source="{_quoted(source)}"{attributes}>\n{entry.content}\n</channel>'


def blocks(source: str, entries: Iterable[Entry]) -> str:
    """Several blocks, one after the other."""
    return "\n".join(block(source, entry) for entry in entries)


def _quoted(value: str) -> str:
    return value.replace("&", "&amp;").replace('"', "&quot;").replace("\n", "&#10;")
