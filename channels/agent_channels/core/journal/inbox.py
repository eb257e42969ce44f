"""The journal of what people sent: one row per raw event, from arrival to the agent's answer.

received (journalled) -> offered (handed to a host) -> answered (the agent acted on the chat). A row that is not
answered is open, whatever happened to the processes in between, and is offered again with the same delivery id.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent_channels.core.contract.messages import Attachment, RawEvent
from agent_channels.core.journal.history import History
from agent_channels.core.journal.offers import OPEN, Entry, Offers, dump_files, entry_of, load_files
from agent_channels.core.store.database import Row, Store

__all__ = ["Event", "Inbox", "paths_of", "unmark"]


@dataclass(frozen=True, slots=True)
class Event:
    """What the host will see of an entry: `content`, `meta`, and the picture to fetch before it is shown."""

    chat_id: str
    message_id: str
    user_id: str
    content: str
    meta: dict[str, str]
    thread_id: str | None = None
    image: Attachment | None = None
    attachments: tuple[Attachment, ...] = ()
    said_at: float | None = None
    fetch: tuple[Attachment, ...] = ()
    """What else is to be fetched before it is shown."""


class Inbox(Offers):
    """The inbox table's SQL."""

    elsewhere: frozenset[str] = frozenset()
    """Events that another project's agent was shown already: shown here, they say that they come again."""

    def lately_shown(self, bot_id: str) -> frozenset[str]:
        """The last events that were handed to a host here: what a reader that died had not confirmed is among them."""
        rows = self.store.rows(
            "SELECT event_id FROM inbox WHERE bot_id = ? AND (offers > 0 OR state = 'offering') ORDER BY id DESC "
            "LIMIT 500",
            bot_id,
        )
        return frozenset(row["event_id"] for row in rows)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._history = History(store)

    def put(self, bot_id: str, events: Sequence[RawEvent], marks: Mapping[str, str | None] | None = None) -> int:
        """Journals raw events, skipping those already there; returns how many were new.

        `marks` are the reader's notes of how far it has read: they move with the events or not at all.
        """
        now = time.time()
        with self.store.transaction() as db:
            before = db.total_changes
            db.executemany(
                "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at, offers) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (bot_id, e.event_id, f"{bot_id}.{e.event_id}", e.payload, now, int(e.event_id in self.elsewhere))
                    for e in events
                ],
            )
            new = db.total_changes - before
            for name, value in (marks or {}).items():
                if value is None:
                    db.execute("DELETE FROM cursors WHERE bot_id = ? AND name = ?", (bot_id, name))
                else:
                    db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", (bot_id, name, value))
            return new

    def cursors(self, bot_id: str) -> dict[str, str]:
        """The reader's notes of how far it has read."""
        rows = self.store.rows("SELECT name, value FROM cursors WHERE bot_id = ?", bot_id)
        return {row["name"]: row["value"] for row in rows}

    def raw(self, limit: int) -> list[tuple[int, RawEvent]]:
        """The oldest journalled events nobody has looked at yet, in order."""
        rows = self.store.rows(
            "SELECT id, event_id, payload, received_at FROM inbox WHERE state = 'raw' ORDER BY id LIMIT ?", limit
        )
        return [(row["id"], RawEvent(row["event_id"], row["payload"], row["received_at"])) for row in rows]

    def open(self, entry_id: int, event: Event, *, held: bool = False, prompt_id: str | None = None) -> None:
        """Makes a raw row an entry for the agent.

        `held` keeps it back until its sender is paired; `prompt_id` until whoever asked has the answer, or is gone.
        """
        fetch = [*([event.image] if event.image else []), *event.fetch]
        files = [*(file for file in fetch if file not in event.attachments), *event.attachments]
        state = "held" if held else "asked" if prompt_id else "fetching" if fetch else "ready"
        with self.store.transaction() as db:
            db.execute(
                "UPDATE inbox SET state = ?, chat_id = ?, thread_id = ?, message_id = ?, user_id = ?, content = ?, "
                "meta = ?, image = ?, attachments = ?, said_at = ?, prompt_id = ? WHERE id = ?",
                (
                    state, event.chat_id, event.thread_id, event.message_id, event.user_id, event.content,
                    json.dumps(event.meta), dump_files(fetch), dump_files(files), event.said_at, prompt_id, entry_id,
                ),
            )  # fmt: skip

    def drop(self, entry_id: int, state: str = "dropped") -> None:
        """Ends a row that is not for the agent; the row stays for deduplication, what was said does not."""
        with self.store.transaction() as db:
            db.execute("UPDATE inbox SET state = ?, payload = '' WHERE id = ?", (state, entry_id))

    def fail(self, entry_id: int) -> None:
        """Sets a row aside that could not be processed; its raw event is kept for inspection."""
        with self.store.transaction() as db:
            db.execute("UPDATE inbox SET state = 'failed' WHERE id = ?", (entry_id,))

    def held(self, user_id: str) -> int:
        """How many messages of an unpaired person are being kept."""
        return int(self.store.value("SELECT count(*) FROM inbox WHERE state = 'held' AND user_id = ?", user_id))

    def release(self, user_id: str) -> None:
        """Opens what a person said before being paired."""
        with self.store.transaction() as db:
            for row in self.store.rows("SELECT * FROM inbox WHERE state = 'held' AND user_id = ? ORDER BY id", user_id):
                entry = entry_of(row)
                self._history.heard(
                    entry.chat_id, entry.message_id, entry.content, entry.meta, entry.thread_id,
                    image=entry.image is not None,
                )  # fmt: skip
            db.execute(
                "UPDATE inbox SET state = CASE WHEN image = '[]' THEN 'ready' ELSE 'fetching' END "
                "WHERE state = 'held' AND user_id = ?",
                (user_id,),
            )

    def forget(self, user_ids: Iterable[str]) -> None:
        """Drops what was kept of people who were denied or whose code expired."""
        ids = [(user_id,) for user_id in user_ids]
        with self.store.transaction() as db:
            for which in (
                "state = 'joined' AND user_id = ? AND joined_to IN (SELECT id FROM inbox WHERE state = 'held')",
                "state = 'held' AND user_id = ?",
            ):
                db.executemany(
                    "UPDATE inbox SET state = 'dropped', payload = '', content = NULL, meta = NULL, joined = NULL "
                    f"WHERE {which}",
                    ids,
                )

    def fetching(self) -> list[Entry]:
        """Entries whose picture is still to be downloaded, oldest first."""
        return [entry_of(row) for row in self.store.rows("SELECT * FROM inbox WHERE state = 'fetching' ORDER BY id")]

    def fetched(self, entry: Entry, content: str, meta: dict[str, str]) -> None:
        """Ends the download of an entry's picture, well or badly; the entry is ready to be offered."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE inbox SET state = 'ready', content = ?, meta = ? WHERE id = ? AND state = 'fetching'",
                (content, json.dumps(meta), entry.id),
            )
            if content != entry.content and "delivery_ids" not in meta:
                self._history.completed(entry.chat_id, entry.message_id, content)

    def listed(self, *, only_open: bool, limit: int) -> list[Row]:
        """The newest entries, oldest of them first, with every column."""
        where = f"state IN {OPEN}" if only_open else "state NOT IN ('dropped', 'joined')"
        rows = self.store.rows(f"SELECT * FROM inbox WHERE {where} ORDER BY id DESC LIMIT ?", limit)
        return rows[::-1]

    def dropped(self, event_ids: Iterable[str | None]) -> set[str]:
        """Which of these raw events were journalled and are not for the agent."""
        found = (self.store.value("SELECT event_id FROM inbox WHERE state = 'dropped' AND event_id = ?", event_id)
                 for event_id in event_ids if event_id)  # fmt: skip
        return {event_id for event_id in found if event_id}

    def open_in(self, chat_id: str) -> int:
        """How many entries of a chat are still open."""
        return int(self.store.value(f"SELECT count(*) FROM inbox WHERE state IN {OPEN} AND chat_id = ?", chat_id))

    def waiting_in(self, chat_id: str, limit: int) -> list[Row]:
        """The oldest open entries of a chat, with every column."""
        return self.store.rows(
            f"SELECT * FROM inbox WHERE state IN {OPEN} AND chat_id = ? ORDER BY id LIMIT ?", chat_id, limit
        )

    def forget_ended(self, chat_id: str) -> None:
        """Deletes what was said in a chat and is over; the rows stay for deduplication."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE inbox SET payload = '', content = NULL, meta = NULL, image = NULL, attachments = NULL, "
                f"joined = NULL WHERE chat_id = ? AND state NOT IN {OPEN} AND state NOT IN ('held', 'failed') AND "
                f"coalesce(joined_to, 0) NOT IN (SELECT id FROM inbox WHERE state IN {OPEN} OR state = 'held')",
                (chat_id,),
            )

    def attachments(self, chat_id: str, message_id: str) -> list[Attachment] | None:
        """The files of a message that was delivered from a chat; None when no such message is known."""
        row = self.store.row(
            "SELECT attachments FROM inbox WHERE chat_id = ? AND message_id = ? AND attachments IS NOT NULL "
            "AND state NOT IN ('held', 'dropped') ORDER BY id DESC",
            chat_id,
            message_id,
        )
        return None if row is None else load_files(row["attachments"])

    def known_file(self, chat_id: str, file_id: str) -> Attachment | None:
        """The attachment with this id among the chat's delivered messages."""
        rows = self.store.rows(
            "SELECT attachments FROM inbox WHERE chat_id = ? AND instr(attachments, ?) > 0 "
            "AND state NOT IN ('held', 'dropped') ORDER BY id DESC",
            chat_id,
            json.dumps(file_id),
        )
        found = (a for row in rows for a in load_files(row["attachments"]) if a.file_id == file_id)
        return next(found, None)

    def open_files(self) -> set[str]:
        """The downloaded files of entries that are still open."""
        rows = self.store.rows(f"SELECT meta FROM inbox WHERE state IN {OPEN} AND meta LIKE '%path%'")
        return {path for row in rows for path in paths_of(json.loads(row["meta"]))}

    def retry_failed(self, version: str) -> int:
        """What an earlier version could not process is looked at again, once by each version."""
        with self.store.transaction() as db:
            if self.store.value("SELECT value FROM settings WHERE key = 'version'") == version:
                return 0
            db.execute("INSERT OR REPLACE INTO settings VALUES ('version', ?)", (version,))
            return db.execute("UPDATE inbox SET state = 'raw' WHERE state = 'failed'").rowcount

    def counts(self) -> dict[str, int]:
        """How many entries came as far as each state: received >= offered >= answered; open are not answered."""
        by_state = {row[0]: row[1] for row in self.store.rows("SELECT state, count(*) FROM inbox GROUP BY state")}
        open_ = sum(by_state.get(s, 0) for s in ("raw", "joining", "fetching", "ready", "offering", "offered", "asked"))
        answered = by_state.get("answered", 0)
        offered = self.store.value(f"SELECT count(*) FROM inbox WHERE offers > 0 AND state IN {OPEN}")
        return {
            "received": open_ + answered,
            "open": open_,
            "offered": int(offered) + answered,
            "answered": answered,
            "held": by_state.get("held", 0),
            "failed": by_state.get("failed", 0),
        }

    def oldest_open(self) -> float | None:
        """When the oldest open entry arrived (seconds since the epoch)."""
        found: float | None = self.store.value(f"SELECT min(received_at) FROM inbox WHERE state IN {OPEN}")
        return found


def paths_of(meta: Mapping[str, str]) -> list[str]:
    """The paths of the downloaded files that an entry's meta names."""
    listed = [file.get("path") for file in json.loads(meta.get("attachments") or "[]")]
    return [path for path in (meta.get("image_path"), *listed) if path]


def unmark(store: Store, chat_id: str, message_id: str) -> None:
    """The agent's own reaction took the place of our mark: nothing is to be put back there."""
    with store.transaction() as db:
        db.execute(
            "UPDATE inbox SET mark = NULL WHERE chat_id = ? AND message_id = ? AND mark IS NOT NULL",
            (chat_id, message_id),
        )
