"""An entry as the agent sees it: the params of a push, or the `<channel ...>` block of every other mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent_channels.core.host.call_limits import CallLimits
from agent_channels.core.journal.entry import Entry

__all__ = ["channel_block", "channel_blocks", "channel_parts", "offered_meta", "push_params"]

# An attribute that takes more than this fraction of a page is cut like the text.
LONG_PART = 8
# What `part` and `parts` take, and the least that is worth beginning in what is left of a page.
NUMBERS_SIZE, WORTH_BEGINNING = 32, 100


def push_params(entry: Entry) -> dict[str, object]:
    """Return the params of the host's channel notification: {content, meta}."""
    return {"content": entry.content, "meta": offered_meta(entry)}


def channel_block(source: str, entry: Entry) -> str:
    """Return `<channel source="..." key="value" ...>text</channel>`; nothing in it can leave its frame."""
    return _block(source, offered_meta(entry), entry.content)


def _block(source: str, meta: Mapping[str, str], content: str) -> str:
    attributes = "".join(f' {key}="{_quoted(value)}"' for key, value in meta.items())
    return f'<channel source="{_quoted(source)}"{attributes}>\n{content}\n</channel>'


def channel_blocks(source: str, entries: Iterable[Entry]) -> str:
    """Return several blocks, one after the other."""
    return "\n".join(channel_block(source, entry) for entry in entries)


def channel_parts(source: str, entry: Entry, limits: CallLimits, room: int) -> list[str]:
    """Return an entry as blocks that fit into the room: one, or several that say which `part` of how many they are.

    Each has the entry's short attributes. A long one is cut like the text: put together, the parts hold all of it.
    """
    meta = offered_meta(entry)
    if limits.fits(whole := _block(source, meta, entry.content), room):
        return [whole]
    long = {key: value for key, value in meta.items() if limits.size(value) > room // LONG_PART}
    short = {key: value for key, value in meta.items() if key not in long}
    empty = max(room - limits.size(_block(source, short, "")) - NUMBERS_SIZE, room // LONG_PART)
    parts: list[tuple[dict[str, str], str]] = []
    begun: tuple[dict[str, str], str] = ({}, "")
    left = empty
    for key, value in [*long.items(), ("", entry.content)]:
        written, around = (_quoted, len(f' {key}=""')) if key else (str, 0)
        rest = value
        while rest:
            if begun != ({}, "") and left - around < WORTH_BEGINNING:
                parts.append(begun)
                begun, left = ({}, ""), empty
            end = limits.fitting(rest, left - around, written)
            taken, rest = rest[:end], rest[end:]
            left -= limits.size(written(taken)) + around
            begun = ({**begun[0], key: taken}, begun[1]) if key else (begun[0], taken)
            if rest:
                parts.append(begun)
                begun, left = ({}, ""), empty
    if begun != ({}, ""):
        parts.append(begun)
    return [
        _block(source, {**short, **attributes, "part": str(number), "parts": str(len(parts))}, text)
        for number, (attributes, text) in enumerate(parts, 1)
    ]


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
