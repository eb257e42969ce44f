"""An inbox entry: the states it passes through, what the agent is shown of it, and the files that belong to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.frozen import frozen
from agent_channels.core.log import redact
from agent_channels.core.secret_shapes import find_secrets

__all__ = [
    "FILE_LISTS",
    "NEXT",
    "OPEN",
    "AgentEvent",
    "Entry",
    "State",
    "dump_files",
    "file_paths",
    "holds_secret",
    "load_files",
    "masked_value",
    "replied_files",
    "sql_list",
]

# The keys of an entry's meta that list files as JSON: its own, and those of the message that it replies to.
FILE_LISTS = ("attachments", "reply_to_attachments")


class State(StrEnum):
    """Where an inbox entry is on its way from the platform to the agent's answer.

        RAW ──► HELD ─────┐            its sender's pairing is pending
         │ ├──► JOINING ──┤            more messages may join it
         │ ├──► JOINED    │            it became part of another entry
         │ ├──► FETCHING ─┤            its files are being downloaded
         │ ├──► ASKED ────┤            it answers an `ask` whose caller has not taken it yet
         │ └──────────────┴──► READY ──► OFFERING ──► OFFERED ──► ANSWERED
         │                       ▲          │            │           │
         │                       └──────────┴────────────┴───────────┘  offered again
         ├──► DROPPED                  not for the agent, denied, expired, or given up by the operator
         └──► FAILED ──► RAW           it could not be processed; a newer version tries again

    `NEXT` holds every step that is allowed.
    """

    RAW = "raw"
    HELD = "held"
    JOINING = "joining"
    JOINED = "joined"
    FETCHING = "fetching"
    ASKED = "asked"
    READY = "ready"
    OFFERING = "offering"
    OFFERED = "offered"
    ANSWERED = "answered"
    DROPPED = "dropped"
    FAILED = "failed"


# The agent has not acted on these yet. The partial index inbox_chat_open has the same list, word for word.
OPEN = (State.RAW, State.JOINING, State.FETCHING, State.READY, State.OFFERING, State.OFFERED, State.ASKED)

# An open entry can be acknowledged by its delivery id, or given up by the operator, wherever it is.
_ENDS = {State.ANSWERED, State.DROPPED}
NEXT: Mapping[State, frozenset[State]] = {
    State.RAW: frozenset(
        {State.HELD, State.JOINING, State.JOINED, State.FETCHING, State.READY, State.ASKED, State.FAILED, *_ENDS}
    ),
    State.HELD: frozenset({State.READY, State.FETCHING, State.DROPPED}),
    State.JOINING: frozenset({State.READY, State.FETCHING, *_ENDS}),
    State.JOINED: frozenset({State.DROPPED}),
    State.FETCHING: frozenset({State.READY, *_ENDS}),
    State.ASKED: frozenset({State.READY, *_ENDS}),
    State.READY: frozenset({State.JOINING, State.OFFERING, *_ENDS}),
    State.OFFERING: frozenset({State.READY, State.OFFERED, *_ENDS}),
    State.OFFERED: frozenset({State.READY, State.OFFERING, *_ENDS}),
    State.ANSWERED: frozenset({State.READY}),
    State.DROPPED: frozenset({State.READY}),
    State.FAILED: frozenset({State.RAW}),
}


@cache
def sql_list(*states: State) -> str:
    """Return states as a list for SQL's IN: `('ready', 'offered')`."""
    return f"({', '.join(repr(state.value) for state in states)})"


@frozen
class AgentEvent:
    """What the agent is shown of a message or tap, and the files to download before it is shown.

    `content` and `meta` are sanitised. `said_at` is in epoch seconds. `image` is the message's own picture, which
    `image_path` will name; `downloads` are the other files to fetch, also of the message that it replies to;
    `attachments` are all of the message's own files.
    """

    chat_id: str
    message_id: str
    user_id: str
    content: str
    meta: dict[str, str]
    thread_id: str | None = None
    image: Attachment | None = None
    attachments: tuple[Attachment, ...] = ()
    said_at: float | None = None
    downloads: tuple[Attachment, ...] = ()

    @property
    def files_to_fetch(self) -> list[Attachment]:
        """Every file to download, `image` first."""
        return [*([self.image] if self.image else []), *self.downloads]


@dataclass(slots=True)
class Entry:
    """An inbox entry that is for the agent, as it was read; `offers` is counted up when it is offered.

    `files_to_fetch` are the files to download before it is shown, the picture first.
    """

    id: int
    delivery_id: str
    chat_id: str
    thread_id: str | None
    message_id: str
    content: str
    meta: dict[str, str]
    offers: int
    said_at: float | None = None
    late: bool = False
    """Whether it waited before it came here, because the project was away."""
    files_to_fetch: tuple[Attachment, ...] = ()


def dump_files(files: Sequence[Attachment]) -> str:
    """Return attachments as JSON."""
    return json.dumps([[f.kind, f.file_id, f.name, f.mime, f.size] for f in files]) if files else "[]"


def load_files(text: str) -> list[Attachment]:
    """Return the attachments that `dump_files` wrote."""
    return [Attachment(*fields) for fields in json.loads(text)] if text != "[]" else []


def holds_secret(text: str, meta: Mapping[str, str]) -> bool:
    """Return whether an event's text, the text that it quotes, or the name of a file in it has a credential in it."""
    return bool(find_secrets("\n".join([text, *meta.values()])))


def masked_value(value: str) -> str:
    """Return a value of an event's meta, or its files as JSON, without credentials; JSON stays JSON."""
    if not value.startswith(("[", "{")):
        return redact(value)
    try:
        return json.dumps(_masked(json.loads(value)))
    except (ValueError, RecursionError):
        return redact(value)


def _masked(value: object) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return {name: _masked(one) for name, one in value.items()} if isinstance(value, dict) else value


def file_paths(meta: Mapping[str, str]) -> list[str]:
    """Return the paths of the downloaded files that an entry's meta names."""
    listed = [file.get("path") for key in FILE_LISTS for file in json.loads(meta.get(key) or "[]")]
    return [path for path in (meta.get("image_path"), *listed) if path]


def replied_files(meta: Mapping[str, str]) -> list[Attachment]:
    """Return the files of the message that an entry replies to, as its meta names them."""
    listed = json.loads(meta.get("reply_to_attachments") or "[]")
    return [Attachment(*(file.get(key) for key in ("kind", "file_id", "name", "mime", "size"))) for file in listed]
