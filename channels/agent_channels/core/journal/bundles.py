"""Messages that are becoming one event: what is stored of them, on their rows in the inbox.

The first row is the event. While more may come it is in the state `joining` until `join_until`; the rows of the others
are `joined`. Everything is written at once, so that a crash neither loses a piece nor tears an event apart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.journal.inbox import Event, Inbox
from agent_channels.core.journal.offers import dump_files, load_files
from agent_channels.core.store.database import Row

__all__ = ["GroupedMessage", "PendingGroup", "PendingGroups"]

# Longer than any window: a deadline beyond it was set by a clock that has been put back since.
FAR_S = 10.0
# What the meta of a plain text does not have.
_NOT_PLAIN = ("forward_from", "edited", "reaction", "button", "attachments", "delivery_ids")


@dataclass(frozen=True, slots=True)
class GroupedMessage:
    """One message of a bundle. `said_at` in epoch seconds; `forward` is whose words they are, if not the sender's.

    `plain`: a text and nothing else; `near`: about as long as a message can be; `full`: cut by its length alone.
    """

    delivery_id: str
    message_id: str
    text: str
    said_at: float
    plain: bool = False
    near: bool = False
    full: bool = False
    forward: str | None = None
    album: str | None = None
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingGroup:
    """An event that may get more pieces. `until`: when that ends, epoch seconds."""

    id: int
    pieces: tuple[GroupedMessage, ...]
    meta: dict[str, str]
    fetch: tuple[Attachment, ...]
    until: float
    held: bool = False


class PendingGroups:
    """The columns `joined`, `joined_to` and `join_until` of the inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox, self._store = inbox, inbox.store

    def current(self, chat_id: str, user_id: str, thread_id: str | None) -> PendingGroup | None:
        """What a person's next message in a chat may belong to."""
        # "+": found by their state, of which there are few; a chat may have years of messages.
        row = self._store.row(
            "SELECT * FROM inbox WHERE state IN ('joining', 'held') AND (state = 'joining' OR joined IS NOT NULL) "
            "AND +chat_id = ? AND user_id = ? AND thread_id IS ? ORDER BY id DESC",
            chat_id, user_id, thread_id,
        )  # fmt: skip
        return None if row is None else _bundle(row)

    def unoffered(self, chat_id: str, user_id: str, thread_id: str | None, before: int) -> PendingGroup | None:
        """A plain text that nobody was offered yet, when it is the last thing the person said in the chat."""
        row = self._store.row(
            "SELECT * FROM inbox WHERE state = 'ready' AND offers = 0 AND chat_id = ? AND user_id = ? "
            "AND thread_id IS ? AND id < ? ORDER BY id DESC",
            chat_id, user_id, thread_id, before,
        )  # fmt: skip
        if row is None or any(key in json.loads(row["meta"]) for key in _NOT_PLAIN) or row["attachments"] != "[]":
            return None
        later = self._store.value(
            "SELECT 1 FROM inbox WHERE id > ? AND id < ? AND +chat_id = ? AND user_id = ?",
            row["id"], before, chat_id, user_id,
        )  # fmt: skip
        return None if later else _bundle(row)

    def delivery_id(self, entry_id: int) -> str:
        """An entry's delivery id."""
        return str(self._store.value("SELECT delivery_id FROM inbox WHERE id = ?", entry_id))

    def begin(self, entry_id: int, piece: GroupedMessage, until: float) -> None:
        """An entry that was opened just now waits for more."""
        with self._store.transaction() as db:
            db.execute(
                "UPDATE inbox SET state = CASE state WHEN 'held' THEN 'held' ELSE 'joining' END, joined = ?, "
                "join_until = ? WHERE id = ?",
                (_dumped([piece]), until, entry_id),
            )

    def add(self, bundle: PendingGroup, entry_id: int, event: Event, content: str, meta: dict[str, str]) -> None:
        """A message becomes a part of a bundle, whose pieces, end, `content` and `meta` are given as they are now."""
        self._inbox.open(entry_id, event)
        files = [file for piece in bundle.pieces for file in piece.files]
        with self._store.transaction() as db:
            db.execute(
                "UPDATE inbox SET state = 'joined', joined_to = ?, payload = '' WHERE id = ?", (bundle.id, entry_id)
            )
            db.execute(
                "UPDATE inbox SET state = CASE state WHEN 'held' THEN 'held' ELSE 'joining' END, joined = ?, "
                "join_until = ?, content = ?, meta = ?, image = ?, attachments = ? WHERE id = ?",
                (
                    _dumped(bundle.pieces), bundle.until, content, json.dumps(meta), dump_files(bundle.fetch),
                    dump_files(files), bundle.id,
                ),
            )  # fmt: skip

    def close(self, now: float, only: int | None = None) -> int:
        """Ends the waiting of bundles that are due at `now`, or of one; returns how many. They are ready then."""
        which = "id = ?" if only is not None else "(join_until <= ? OR join_until > ?)"
        values = (only,) if only is not None else (now, now + FAR_S)
        with self._store.transaction() as db:
            return db.execute(
                "UPDATE inbox SET state = CASE WHEN image = '[]' THEN 'ready' ELSE 'fetching' END "
                f"WHERE state = 'joining' AND {which}",
                values,
            ).rowcount

    def next_due(self) -> float | None:
        """When the next bundle is due, epoch seconds."""
        found: float | None = self._store.value("SELECT min(join_until) FROM inbox WHERE state = 'joining'")
        return found

    def wait_anew(self, until: float) -> None:
        """What an earlier process left waiting waits until then: the platform repeats what that one did not hear."""
        if self.next_due() is not None:
            with self._store.transaction() as db:
                db.execute("UPDATE inbox SET join_until = ? WHERE state = 'joining'", (until,))


def _dumped(pieces: Sequence[GroupedMessage]) -> str:
    return json.dumps([{**asdict(piece), "files": dump_files(piece.files)} for piece in pieces])


def _bundle(row: Row) -> PendingGroup:
    meta: dict[str, str] = json.loads(row["meta"])
    if row["joined"]:
        kept = json.loads(row["joined"])
        pieces = tuple(GroupedMessage(**{**one, "files": tuple(load_files(one["files"]))}) for one in kept)
    else:
        said = row["said_at"] or row["received_at"]
        pieces = (GroupedMessage(row["delivery_id"], row["message_id"], row["content"], said, plain=True),)
    fetch, until = tuple(load_files(row["image"])), row["join_until"] or 0.0
    return PendingGroup(row["id"], pieces, meta, fetch, until, held=row["state"] == "held")
