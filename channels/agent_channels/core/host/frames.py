"""An entry as the agent sees it: the params of a push, or the `<channel ...>` block of every other mode."""

from __future__ import annotations

from collections.abc import Iterable

from agent_channels.core.journal.entry import Entry

__all__ = ["channel_block", "channel_blocks", "offered_meta", "push_params"]


def push_params(entry: Entry) -> dict[str, object]:
    """Return the params of the host's channel notification: {content, meta}."""
    return {"content": entry.content, "meta": offered_meta(entry)}


def channel_block(source: str, entry: Entry) -> str:
    """Return `<channel source="..." key="value" ...>text</channel>`; nothing in it can leave its frame."""
    attributes = "".join(f' {key}="{_quoted(value)}"' for key, value in offered_meta(entry).items())
    return f'<channel source="{_quoted(source)}"{attributes}>\n{entry.content}\n</channel>'


def channel_blocks(source: str, entries: Iterable[Entry]) -> str:
    """Return several blocks, one after the other."""
    return "\n".join(channel_block(source, entry) for entry in entries)


def offered_meta(entry: Entry) -> dict[str, str]:
    """Return an entry's meta with its delivery id, `late` if it waited, and `redelivered` from the second offer on."""
    meta = {**entry.meta, "delivery_id": entry.delivery_id}
    if entry.late:
        meta["late"] = "true"
    if entry.offers > 1:
        meta["redelivered"] = "true"
    return meta


def _quoted(value: str) -> str:
    return value.replace("&", "&amp;").replace('"', "&quot;").replace("\n", "&#10;")
