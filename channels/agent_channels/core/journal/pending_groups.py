"""Several messages that are becoming one event, as they are kept on the first one's row until the event is complete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.frozen import frozen
from agent_channels.core.journal.entry import State, dump_files, load_files
from agent_channels.core.store.database import Row

__all__ = ["GroupedMessage", "PendingGroup", "dump_messages", "group_of", "is_plain_text"]

# Meta keys that a plain text does not have.
_NOT_PLAIN = ("forward_from", "edited", "reaction", "button", "attachments", "delivery_ids")


@frozen
class GroupedMessage:
    """One message of a group. `said_at` is in epoch seconds; `forward` is the author's name if it was forwarded.

    `plain`: a text and nothing else. `near_limit`: about as long as a message can be, so that more of it may follow.
    `at_limit`: cut by the client because of its length alone, not at white space.
    """

    delivery_id: str
    message_id: str
    text: str
    said_at: float
    plain: bool = False
    near_limit: bool = False
    at_limit: bool = False
    forward: str | None = None
    album: str | None = None
    files: tuple[Attachment, ...] = ()


@frozen
class PendingGroup:
    """An entry that more messages may join until `until` (epoch seconds). `held`: its sender is not paired yet."""

    id: int
    messages: tuple[GroupedMessage, ...]
    meta: dict[str, str]
    downloads: tuple[Attachment, ...]
    until: float
    held: bool = False


def dump_messages(messages: Sequence[GroupedMessage]) -> str:
    """Return the messages of a group as JSON; the keys are those of schema 5."""
    return json.dumps([_dump(message) for message in messages])


def _dump(message: GroupedMessage) -> dict[str, object]:
    values = asdict(message)
    values["near"], values["full"] = values.pop("near_limit"), values.pop("at_limit")
    return {**values, "files": dump_files(message.files)}


def _load(values: dict[str, object]) -> GroupedMessage:
    near, full = values.pop("near"), values.pop("full")
    files = tuple(load_files(str(values.pop("files"))))
    return GroupedMessage(**values, near_limit=bool(near), at_limit=bool(full), files=files)  # type: ignore[arg-type]


def is_plain_text(row: Row) -> bool:
    """Return True if an entry's row is a text and nothing else."""
    return row["attachments"] == "[]" and not any(key in json.loads(row["meta"]) for key in _NOT_PLAIN)


def group_of(row: Row) -> PendingGroup:
    """Return the group that an entry's row is, or would be if another message joined it."""
    if row["group_messages"]:
        messages = tuple(_load(values) for values in json.loads(row["group_messages"]))
    else:
        said_at = row["said_at"] or row["received_at"]
        messages = (GroupedMessage(row["delivery_id"], row["message_id"], row["content"], said_at, plain=True),)
    return PendingGroup(
        id=row["id"],
        messages=messages,
        meta=json.loads(row["meta"]),
        downloads=tuple(load_files(row["image"])),
        until=row["group_until"] or 0.0,
        held=row["state"] == State.HELD,
    )
