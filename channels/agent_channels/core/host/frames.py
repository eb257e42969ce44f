"""An entry as the `<channel ...>` block a push would show: what every mode but push itself hands to the agent."""

from __future__ import annotations

from collections.abc import Iterable

from agent_channels.core.journal.offers import Entry

__all__ = ["channel_block", "channel_blocks", "push_params", "shown_meta"]


def channel_block(source: str, entry: Entry) -> str:
    """`<channel source="..." key="value" ...>text</channel>`; nothing in it can leave its frame."""
    attributes = "".join(f' {key}="{_quoted(value)}"' for key, value in shown_meta(entry).items())
    return f'<channel source="{_quoted(source)}"{attributes}>\n{entry.content}\n</channel>'


def channel_blocks(source: str, entries: Iterable[Entry]) -> str:
    """Several blocks, one after the other."""
    return "\n".join(channel_block(source, entry) for entry in entries)


def _quoted(value: str) -> str:
    return value.replace("&", "&amp;").replace('"', "&quot;").replace("\n", "&#10;")


def push_params(entry: Entry) -> dict[str, object]:
    """The params of the host's notification."""
    return {"content": entry.content, "meta": shown_meta(entry)}


def shown_meta(entry: Entry) -> dict[str, str]:
    """An entry's meta as the host sees it: with its delivery id, and `redelivered` from the second offer on."""
    meta = {**entry.meta, "delivery_id": entry.delivery_id}
    if entry.offers > 1:
        meta["redelivered"] = "true"
    return meta
