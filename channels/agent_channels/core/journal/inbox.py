"""The journal of what people sent: one row per raw event, from its arrival to the agent's answer.

A row that is not answered is open, whatever happened to the processes in between, and is offered again with the same
delivery id. `entry.State` draws the states.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter

from agent_channels.core.contract.messages import Attachment, RawEvent
from agent_channels.core.frozen import frozen
from agent_channels.core.journal.entry import (
    OPEN,
    AgentEvent,
    Entry,
    State,
    dump_files,
    file_paths,
    holds_secret,
    load_files,
    masked_value,
    replied_files,
    sql_list,
)
from agent_channels.core.journal.history import History, without_escapes
from agent_channels.core.journal.pending_groups import (
    GroupedMessage,
    PendingGroup,
    dump_messages,
    group_of,
    is_plain_text,
)
from agent_channels.core.log import redact
from agent_channels.core.store.database import Row, Store

__all__ = ["Inbox", "WaitingChat"]

_OPEN = sql_list(*OPEN)
_SHOWN = f"(state = '{State.OFFERED}' OR (state = '{State.READY}' AND offers > 0))"
_DELIVERED = f"chat_id = ? AND state NOT IN {sql_list(State.HELD, State.DROPPED)}"
_READY_OR_FETCHING = f"CASE WHEN image = '[]' THEN '{State.READY}' ELSE '{State.FETCHING}' END"
_UNTOLD = f"state IN {sql_list(State.READY, State.OFFERING, State.OFFERED)} AND wait_notified = 0 AND received_at < ?"
_OVER = sql_list(State.ANSWERED, State.DROPPED, State.JOINED)
# A row that was not counted as somebody's message, but is kept so that its event is not taken twice.
_COUNTED_OVER = sql_list(State.ANSWERED, State.DROPPED)
# There may be thousands, so it seeks from chat to chat in the index instead of looking at all that waits.
_READY_CHATS = f"""
    WITH RECURSIVE chats (chat_id) AS (
        SELECT min(chat_id) FROM inbox INDEXED BY inbox_ready WHERE state = '{State.READY}'
        UNION ALL SELECT (
            SELECT min(chat_id) FROM inbox INDEXED BY inbox_ready
            WHERE state = '{State.READY}' AND chat_id > chats.chat_id
        ) FROM chats WHERE chat_id IS NOT NULL
    )
    SELECT chat_id FROM chats WHERE chat_id IS NOT NULL
    ORDER BY (SELECT min(id) FROM inbox WHERE state = '{State.READY}' AND inbox.chat_id = chats.chat_id) LIMIT ?
"""
# Longer than any wait for more messages: a deadline beyond it was set by a clock that has been put back since.
FAR_S = 10.0
# What a reader that died had not confirmed is among the last so many events that were offered.
LATELY = 500


@frozen
class WaitingChat:
    """A chat, or one of its threads, with messages that wait: how many, and the newest one's id.

    `unoffered`: at least one of them was not handed to a host.
    """

    chat_id: str
    thread_id: str | None
    count: int
    newest: str
    unoffered: bool = True


class Inbox:
    """The inbox table."""

    def __init__(self, store: Store, history: History, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` (epoch seconds) is what the age of an offer is measured by."""
        self.store, self._history, self.now = store, history, clock

    # ---- journalling

    def put(
        self, bot_id: str, events: Sequence[RawEvent], *, seen: frozenset[str] = frozenset()
    ) -> list[tuple[int, RawEvent]]:
        """Journal raw events, skipping those that are there already; return the new ones, each with its entry's id.

        Events whose id is in `seen` were shown to another project's agent: they count as offered once.
        """
        now, new = time.time(), []
        with self.store.transaction() as db:
            for event in events:
                added = db.execute(
                    "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at, offers, late) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        bot_id, event.event_id, f"{bot_id}.{event.event_id}", event.payload, now,
                        event.event_id in seen, event.late,
                    ),
                )  # fmt: skip
                if added.rowcount and added.lastrowid is not None:
                    new.append((added.lastrowid, RawEvent(event.event_id, event.payload, now)))
        return new

    def unsorted(self, limit: int) -> list[tuple[int, RawEvent]]:
        """Return the oldest journalled events that nobody has sorted yet, each with its entry's id."""
        rows = self.store.rows(
            f"SELECT id, event_id, payload, received_at FROM inbox WHERE state = '{State.RAW}' ORDER BY id LIMIT ?",
            limit,
        )
        return [(row["id"], RawEvent(row["event_id"], row["payload"], row["received_at"])) for row in rows]

    def retry_failed(self) -> int:
        """Sort again what could not be processed; return how many entries."""
        with self.store.transaction() as db:
            return db.execute(
                f"UPDATE inbox SET state = '{State.RAW}' WHERE state = '{State.FAILED}'",
            ).rowcount

    def recently_offered(self, bot_id: str) -> frozenset[str]:
        """Return the ids of the last events that were handed to a host here."""
        rows = self.store.rows(
            f"SELECT event_id FROM inbox WHERE bot_id = ? AND (offers > 0 OR state = '{State.OFFERING}') "
            "ORDER BY id DESC LIMIT ?",
            bot_id,
            LATELY,
        )
        return frozenset(row["event_id"] for row in rows)

    # ---- sorting

    def open(self, entry_id: int, event: AgentEvent, *, held: bool = False, prompt_id: str | None = None) -> State:
        """Make a raw row an entry for the agent; return its new state.

        `held` keeps it back until its sender is paired; `prompt_id` until the asker has the answer, or is gone.
        """
        state = State.FETCHING if event.files_to_fetch else State.READY
        if held or prompt_id:
            state = State.HELD if held else State.ASKED
        self._fill(entry_id, state, event, prompt_id=prompt_id)
        return state

    def end(self, entry_id: int, *, answered: bool = False) -> None:
        """End a row that is not for the agent, or was `answered` by us; only what deduplication needs is kept."""
        state = State.ANSWERED if answered else State.DROPPED
        with self.store.transaction() as db:
            db.execute("UPDATE inbox SET state = ?, payload = '' WHERE id = ?", (state, entry_id))

    def fail(self, entry_id: int) -> None:
        """Set aside a row that could not be processed; its raw event is kept for the next version."""
        with self.store.transaction() as db:
            db.execute("UPDATE inbox SET state = ? WHERE id = ?", (State.FAILED, entry_id))

    def _fill(self, entry_id: int, state: State, event: AgentEvent, *, prompt_id: str | None = None) -> None:
        own = event.attachments
        if event.image is not None and event.image not in own:
            own = (event.image, *own)
        with self.store.transaction() as db:
            db.execute(
                "UPDATE inbox SET state = ?, chat_id = ?, thread_id = ?, message_id = ?, user_id = ?, content = ?, "
                "meta = ?, image = ?, attachments = ?, said_at = ?, prompt_id = ?, secret = ? WHERE id = ?",
                (
                    state, event.chat_id, event.thread_id, event.message_id, event.user_id, event.content,
                    json.dumps(event.meta), dump_files(event.files_to_fetch), dump_files(own),
                    event.said_at, prompt_id, self._holds_secret(event.content, event.meta), entry_id,
                ),
            )  # fmt: skip

    def _holds_secret(self, text: str, meta: Mapping[str, str]) -> bool:
        """Return whether a row that is being written holds a credential."""
        if found := holds_secret(text, meta):
            self.store.memory.forget()
        return found

    # ---- messages that become one event

    def pending_group(self, chat_id: str, user_id: str, thread_id: str | None) -> PendingGroup | None:
        """Return the group that a person's next message in a chat may join."""
        # "+": SQLite finds them by their state, of which there are few; a chat may have years of messages.
        row = self.store.row(
            f"SELECT * FROM inbox WHERE state IN {sql_list(State.JOINING, State.HELD)} "
            f"AND (state = '{State.JOINING}' OR group_messages IS NOT NULL) "
            "AND +chat_id = ? AND user_id = ? AND thread_id IS ? ORDER BY id DESC",
            chat_id, user_id, thread_id,
        )  # fmt: skip
        return None if row is None else group_of(row)

    def last_plain_text(self, chat_id: str, user_id: str, thread_id: str | None, before: int) -> PendingGroup | None:
        """Return a plain text that was not offered yet, if it is the last thing the person said before an entry."""
        row = self.store.row(
            f"SELECT * FROM inbox WHERE state = '{State.READY}' AND offers = 0 AND chat_id = ? AND user_id = ? "
            "AND thread_id IS ? AND id < ? ORDER BY id DESC",
            chat_id, user_id, thread_id, before,
        )  # fmt: skip
        if row is None or not is_plain_text(row):
            return None
        later = self.store.value(
            "SELECT 1 FROM inbox WHERE id > ? AND id < ? AND +chat_id = ? AND user_id = ?",
            row["id"], before, chat_id, user_id,
        )  # fmt: skip
        return None if later else group_of(row)

    def delivery_id(self, entry_id: int) -> str:
        """Return an entry's delivery id."""
        return str(self.store.value("SELECT delivery_id FROM inbox WHERE id = ?", entry_id))

    def begin_group(self, entry_id: int, event: AgentEvent, first: GroupedMessage, until: float, *, held: bool) -> None:
        """Make a raw row an entry that more messages may join until then (epoch seconds)."""
        self._fill(entry_id, State.HELD if held else State.JOINING, event)
        with self.store.transaction() as db:
            db.execute(
                "UPDATE inbox SET group_messages = ?, group_until = ? WHERE id = ?",
                (dump_messages([first]), until, entry_id),
            )

    def join_group(
        self, group: PendingGroup, entry_id: int, event: AgentEvent, content: str, meta: dict[str, str]
    ) -> None:
        """Make a raw row a part of a group, given with its messages, deadline, `content` and `meta` as they are now."""
        self._fill(entry_id, State.JOINED, event)
        files = [file for message in group.messages for file in message.files]
        with self.store.transaction() as db:
            db.execute("UPDATE inbox SET group_entry = ?, payload = '' WHERE id = ?", (group.id, entry_id))
            db.execute(
                "UPDATE inbox SET state = ?, group_messages = ?, group_until = ?, content = ?, meta = ?, image = ?, "
                "attachments = ?, secret = ? WHERE id = ?",
                (
                    State.HELD if group.held else State.JOINING, dump_messages(group.messages), group.until, content,
                    json.dumps(meta), dump_files(group.downloads), dump_files(files),
                    self._holds_secret(content, meta), group.id,
                ),
            )  # fmt: skip

    def complete_group(self, entry_id: int) -> None:
        """End one group's waiting; its event is complete."""
        with self.store.transaction() as db:
            db.execute(
                f"UPDATE inbox SET state = {_READY_OR_FETCHING} WHERE state = '{State.JOINING}' AND id = ?", (entry_id,)
            )

    def complete_groups(self, now: float) -> int:
        """End the waiting of every group that is due; return how many events are complete."""
        with self.store.transaction() as db:
            return db.execute(
                f"UPDATE inbox SET state = {_READY_OR_FETCHING} WHERE state = '{State.JOINING}' "
                "AND (group_until <= ? OR group_until > ?)",
                (now, now + FAR_S),
            ).rowcount

    def next_group_due(self) -> float | None:
        """Return when the next group is complete (epoch seconds)."""
        found: float | None = self.store.value(
            f"SELECT min(group_until) FROM inbox WHERE state = '{State.JOINING}'",
        )
        return found

    def postpone_groups(self, until: float) -> None:
        """Let every group wait until then: the platform repeats what an earlier process did not hear."""
        if self.next_group_due() is not None:
            with self.store.transaction() as db:
                db.execute(f"UPDATE inbox SET group_until = ? WHERE state = '{State.JOINING}'", (until,))

    # ---- messages of people who are not paired yet

    def held_count(self, user_id: str) -> int:
        """Return how many messages of an unpaired person are kept."""
        return int(
            self.store.value(f"SELECT count(*) FROM inbox WHERE state = '{State.HELD}' AND user_id = ?", user_id)
        )

    def release(self, user_id: str) -> None:
        """Open what a person said before being paired, and add it to the history."""
        held = f"state = '{State.HELD}' AND user_id = ?"
        with self.store.transaction() as db:
            for row in self.store.rows(f"SELECT * FROM inbox WHERE {held} ORDER BY id", user_id):
                entry = _entry(row)
                self._history.add_received(
                    entry.chat_id, entry.message_id, entry.content, entry.meta, entry.thread_id,
                    image=row["attachments"] != "[]",
                )  # fmt: skip
            db.execute(f"UPDATE inbox SET state = {_READY_OR_FETCHING} WHERE {held}", (user_id,))

    def forget_held(self, user_ids: Iterable[str]) -> None:
        """Drop what was kept of people who were denied or whose code expired."""
        ids = [(user_id,) for user_id in user_ids]
        with self.store.transaction() as db:
            held = f"state = '{State.HELD}'"
            joined = f"state = '{State.JOINED}' AND group_entry IN (SELECT id FROM inbox WHERE {held})"
            for which in (joined, held):
                db.executemany(
                    f"UPDATE inbox SET state = '{State.DROPPED}', payload = '', content = NULL, meta = NULL, "
                    f"group_messages = NULL WHERE {which} AND user_id = ?",
                    ids,
                )

    # ---- another bot

    def last_id(self) -> int:
        """Return the id of the newest entry; 0 before the first."""
        return int(self.store.value("SELECT max(id) FROM inbox") or 0)

    def any_unsettled(self) -> bool:
        """Return True if anything is yet to be sorted, joined to more, or downloaded."""
        states = sql_list(State.RAW, State.JOINING, State.FETCHING)
        return self.store.row(f"SELECT 1 FROM inbox WHERE state IN {states} LIMIT 1") is not None

    def move_chat(self, old_id: str, new_id: str) -> None:
        """Give a chat's open entries, and what the agent is shown of them, its new id."""
        with self.store.transaction() as db:
            states = sql_list(*OPEN, State.HELD)
            for row in self.store.rows(f"SELECT id, meta FROM inbox WHERE state IN {states} AND chat_id = ?", old_id):
                meta = json.dumps({**json.loads(row["meta"]), "chat_id": new_id})
                db.execute("UPDATE inbox SET chat_id = ?, meta = ? WHERE id = ?", (new_id, meta, row["id"]))

    # ---- downloads

    def fetching(self) -> list[Entry]:
        """Return the entries whose files are still to be downloaded, oldest first."""
        return self._entries(f"state = '{State.FETCHING}' ORDER BY id")

    def fetched(self, entry: Entry, content: str, meta: dict[str, str]) -> None:
        """Record that an entry's files arrived, or failed to, with what it reads now; it is ready to be offered."""
        with self.store.transaction() as db:
            db.execute(
                f"UPDATE inbox SET state = '{State.READY}', content = ?, meta = ? "
                f"WHERE id = ? AND state = '{State.FETCHING}'",
                (content, json.dumps(meta), entry.id),
            )
            if content != entry.content and "delivery_ids" not in meta:
                self._history.complete(entry.chat_id, entry.message_id, content)

    def open_files(self) -> set[str]:
        """Return the paths of the downloaded files of open entries."""
        rows = self.store.rows(f"SELECT meta FROM inbox WHERE state IN {_OPEN} AND meta LIKE '%path%'")
        return {path for row in rows for path in file_paths(json.loads(row["meta"]))}

    def attachments(self, chat_id: str, message_id: str) -> list[Attachment] | None:
        """Return the files of a message that was delivered from a chat; None if no such message is known.

        Those of a message without any are the files of the one that it replies to. A message that was itself never
        delivered is known if a delivered one replies to it.
        """
        row = self.store.row(
            f"SELECT attachments, meta FROM inbox WHERE {_DELIVERED} AND message_id = ? AND attachments IS NOT NULL "
            "ORDER BY id DESC",
            chat_id,
            message_id,
        )
        if row is not None:
            return load_files(row["attachments"]) or replied_files(json.loads(row["meta"]))
        row = self.store.row(
            f"SELECT meta FROM inbox WHERE {_DELIVERED} AND instr(meta, ?) > 0 "
            "AND instr(meta, '\"reply_to_attachments\"') > 0 ORDER BY id DESC",
            chat_id,
            f'"reply_to_message_id": {json.dumps(message_id)}',
        )
        return None if row is None else replied_files(json.loads(row["meta"]))

    def attachment(self, chat_id: str, file_id: str) -> Attachment | None:
        """Return the file with this id from a chat's delivered messages, or from those that they reply to."""
        rows = self.store.rows(
            f"SELECT attachments, meta FROM inbox WHERE {_DELIVERED} "
            "AND (instr(attachments, ?) > 0 OR instr(meta, ?) > 0) ORDER BY id DESC",
            chat_id,
            json.dumps(file_id),
            file_id,
        )
        files = (
            file for row in rows for file in (*load_files(row["attachments"]), *replied_files(json.loads(row["meta"])))
        )
        return next((file for file in files if file.file_id == file_id), None)

    # ---- offering

    def ready(self, limit: int) -> list[Entry]:
        """Return the oldest entries to offer; one chat with thousands waiting does not hold up the others.

        If it would take more than half of the places, or leave none to a chat, every chat has its turn: first the
        oldest of each, then the second oldest of each, and so on.
        """
        rows = self.store.rows(f"SELECT * FROM inbox WHERE state = '{State.READY}' ORDER BY id LIMIT ?", limit)
        if len(rows) < limit:
            return [_entry(row) for row in rows]
        chats, places = self.store.rows(_READY_CHATS, limit), Counter(row["chat_id"] for row in rows)
        if len(chats) == 1 or (len(chats) == len(places) and 2 * max(places.values()) <= limit):
            return [_entry(row) for row in rows]
        oldest = f"SELECT * FROM inbox WHERE state = '{State.READY}' AND chat_id = ? ORDER BY id LIMIT ?"
        found = [
            (turn, row["id"], row)
            for chat in chats
            for turn, row in enumerate(self.store.rows(oldest, chat["chat_id"], 1 + limit // len(chats)))
        ]
        return [_entry(row) for _, _, row in sorted(found, key=itemgetter(0, 1))[:limit]]

    def any_ready(self) -> bool:
        """Return True if there is anything to offer."""
        return self.store.row(f"SELECT 1 FROM inbox WHERE state = '{State.READY}' LIMIT 1") is not None

    def any_offered(self, session: str) -> bool:
        """Return True if a session was offered anything that it has not answered."""
        sql = f"SELECT 1 FROM inbox WHERE state = '{State.OFFERED}' AND session = ? LIMIT 1"
        return self.store.row(sql, session) is not None

    def was_never_offered(self, delivery_id: str | None) -> bool:
        """Return whether an entry has yet to be offered for the first time."""
        return self.is_unseen(delivery_id, ())

    def is_unseen(self, delivery_id: str | None, unproven: Sequence[str]) -> bool:
        """Return whether an entry waits that was never offered, or only by a mode that may not reach the agent."""
        marks = ", ".join("?" * len(unproven))
        waits = f"state IN {sql_list(State.FETCHING, State.READY)} AND (offers = 0 OR mode IN ({marks}))"
        values = (delivery_id, *unproven)
        return self.store.row(f"SELECT 1 FROM inbox WHERE delivery_id = ? AND {waits}", *values) is not None

    def begin_offer(self, entries: Sequence[Entry], session: str = "", mode: str = "push") -> list[Entry]:
        """Record that entries are about to be offered to a session; return those that are, with the offer counted.

        They are returned in the order in which they came, whichever chat's turn it was.

        It is written before the host sees them, so that a death in between shows up as `redelivered` and never as a
        duplicate that looks new.
        """
        now = self.now()
        with self.store.transaction() as db:
            # What another process dropped or answered since it was read here stays so.
            offered = [
                entry
                for entry in sorted(entries, key=attrgetter("id"))
                if db.execute(
                    f"UPDATE inbox SET state = '{State.OFFERING}', offers = offers + 1, offered_at = ?, session = ?, "
                    f"mode = ? WHERE id = ? AND state IN {sql_list(State.READY, State.OFFERED)}",
                    (now, session, mode, entry.id),
                ).rowcount
            ]
        for entry in offered:
            entry.offers += 1
        return offered

    def finish_offer(self, entry_ids: Sequence[int]) -> None:
        """Record that entries went through to the host."""
        self._move_offering(entry_ids, f"state = '{State.OFFERED}'")

    def withdraw_offer(self, entry_ids: Sequence[int]) -> None:
        """Undo an offer that certainly reached nobody."""
        self._move_offering(entry_ids, f"state = '{State.READY}', offers = offers - 1")

    def _move_offering(self, entry_ids: Sequence[int], change: str) -> None:
        with self.store.transaction() as db:
            db.executemany(
                f"UPDATE inbox SET {change} WHERE id = ? AND state = '{State.OFFERING}'", [(i,) for i in entry_ids]
            )

    def resume_offers(self, session: str, through: Sequence[int]) -> None:
        """Make ready again what this session was about to be offered, except what is known to have gone through."""
        with self.store.transaction() as db:
            for row in self.store.rows(
                f"SELECT id FROM inbox WHERE state = '{State.OFFERING}' AND session = ?", session
            ):
                if row["id"] not in through:
                    db.execute(f"UPDATE inbox SET state = '{State.READY}' WHERE id = ?", (row["id"],))

    def reopen(self) -> int:
        """At the start of a session: offer again whatever was offered and never answered; return how many entries."""
        with self.store.transaction() as db:
            return db.execute(
                f"UPDATE inbox SET state = '{State.READY}' WHERE state IN {sql_list(State.OFFERING, State.OFFERED)}"
            ).rowcount

    def escalate(self, session: str, mode: str, before: float) -> int:
        """Make ready again what a session was offered by a mode before then (epoch seconds); return how many."""
        with self.store.transaction() as db:
            return db.execute(
                f"UPDATE inbox SET state = '{State.READY}' WHERE state = '{State.OFFERED}' AND session = ? "
                "AND mode = ? AND offered_at < ?",
                (session, mode, before),
            ).rowcount

    def offer_again(self, session: str) -> int:
        """Make ready again what a session was offered and has not answered; return how many entries."""
        with self.store.transaction() as db:
            return db.execute(
                f"UPDATE inbox SET state = '{State.READY}' WHERE state = '{State.OFFERED}' AND session = ?", (session,)
            ).rowcount

    def take_over(self, session: str, entry_ids: Collection[int]) -> None:
        """Count entries that are ready as offered to a session by pull: its agent has seen them in one before."""
        with self.store.transaction() as db:
            db.executemany(
                f"UPDATE inbox SET state = '{State.OFFERED}', session = ? "
                f"WHERE id = ? AND mode = 'pull' AND state = '{State.READY}'",
                [(session, entry_id) for entry_id in entry_ids],
            )

    def show_again(self, session: str, entry_ids: Collection[int]) -> None:
        """Make ready again what a session was given by calls whose results did not reach it, if it is still open."""
        with self.store.transaction() as db:
            db.executemany(
                f"UPDATE inbox SET state = '{State.READY}' WHERE id = ? AND session = ? AND mode = 'pull' "
                f"AND state IN {sql_list(State.OFFERING, State.OFFERED)}",
                [(entry_id, session) for entry_id in entry_ids],
            )

    def is_being_offered(self, entry_id: int, session: str) -> bool:
        """Return whether an entry is on its way to a session."""
        query = f"SELECT 1 FROM inbox WHERE id = ? AND session = ? AND state = '{State.OFFERING}'"
        return self.store.row(query, entry_id, session) is not None

    def pullable(self, session: str, limit: int, unproven: Sequence[str], before: float) -> list[Entry]:
        """Return what an agent that asks for messages is shown, each chat in its turn.

        That is what is ready, what `unproven` modes carried, and what it was offered before then (epoch seconds).
        """
        modes = ", ".join("?" for _ in unproven)
        rows = self.store.rows(
            "SELECT inbox.* FROM inbox JOIN (SELECT id, row_number() OVER (PARTITION BY chat_id ORDER BY id) AS turn "
            f"FROM inbox WHERE state = '{State.READY}' OR (state = '{State.OFFERED}' AND session = ? AND "
            f"(mode IN ({modes}) OR offered_at < ?)) ORDER BY turn, id LIMIT ?) AS chosen USING (id) ORDER BY turn, id",
            session, *unproven, before, limit,
        )  # fmt: skip
        return [_entry(row) for row in rows]

    def offered_modes(self, chat_id: str, session: str) -> list[str]:
        """Return by which modes a session was offered what is open in a chat."""
        rows = self.store.rows(
            f"SELECT DISTINCT mode FROM inbox WHERE state IN {_OPEN} AND chat_id = ? AND session = ? "
            f"AND state = '{State.OFFERED}'",
            chat_id,
            session,
        )
        return [row["mode"] for row in rows if row["mode"]]

    def posted_since(self, session: str, mode: str, since: float) -> bool:
        """Return True if a session was offered something by a mode since then (epoch seconds) and has not answered."""
        return bool(
            self.store.value(
                f"SELECT 1 FROM inbox WHERE state IN {sql_list(State.OFFERING, State.OFFERED)} AND session = ? "
                "AND mode = ? AND offered_at > ? LIMIT 1",
                session,
                mode,
                since,
            )
        )

    def posted_from(self, session: str) -> list[tuple[str, str | None]]:
        """Return the chats, and their threads, of what was posted to a session's inbox and is not answered."""
        rows = self.store.rows(
            f"SELECT DISTINCT chat_id, thread_id FROM inbox WHERE state = '{State.OFFERED}' AND session = ? "
            "AND mode = 'wake' AND chat_id IS NOT NULL",
            session,
        )
        return [(row["chat_id"], row["thread_id"]) for row in rows]

    def unannounced(self, session: str) -> int:
        """Return how many entries are ready that this session has not been woken for."""
        return int(
            self.store.value(
                f"SELECT count(*) FROM inbox WHERE state = '{State.READY}' AND announced_to IS NOT ?", session
            )
            or 0
        )

    def announce(self, session: str) -> None:
        """Record that this session was woken for everything that is ready."""
        with self.store.transaction() as db:
            db.execute(f"UPDATE inbox SET announced_to = ? WHERE state = '{State.READY}'", (session,))

    def places_of(self, delivery_ids: Sequence[str]) -> list[tuple[str, str | None]]:
        """Return the chats, and their threads, that entries came from; ids that nobody knows are left out."""
        marks = ", ".join("?" for _ in delivery_ids)
        rows = self.store.rows(
            f"SELECT DISTINCT chat_id, thread_id FROM inbox WHERE delivery_id IN ({marks}) AND chat_id IS NOT NULL",
            *delivery_ids,
        )
        return [(row["chat_id"], row["thread_id"]) for row in rows]

    # ---- answers

    def shown_to(self, chat_id: str, session: str = "", *threads: str | None) -> list[int]:
        """Return the entries that a session was offered of a chat, or of some of its threads, and has not answered.

        What was reopened for another session, but not offered to it yet, counts too.
        """
        return [entry_id for entry_id, _ in self.shown_by(chat_id, session, *threads)]

    def shown_by(self, chat_id: str, session: str = "", *threads: str | None) -> list[tuple[int, str | None]]:
        """Like `shown_to`, each with the mode that carried it, None for what was reopened."""
        within = f"AND ({' OR '.join('thread_id IS ?' for _ in threads)})" if threads else ""
        rows = self.store.rows(
            f"SELECT id, CASE state WHEN '{State.OFFERED}' THEN mode END AS mode FROM inbox "
            f"WHERE state IN {_OPEN} AND chat_id = ? AND session = ? AND {_SHOWN} {within}",
            chat_id,
            session,
            *threads,
        )
        return [(row["id"], row["mode"]) for row in rows]

    def answer(self, chat_id: str, session: str = "", seen: Sequence[int] | None = None) -> int:
        """Answer what a session had been shown of a chat when its agent acted there; return how many entries.

        `seen` is what `shown_to` gave when the action began: messages that arrived since then stay open.
        """
        seen = self.shown_to(chat_id, session) if seen is None else seen
        with self.store.transaction() as db:
            return sum(
                db.execute(
                    f"UPDATE inbox SET state = '{State.ANSWERED}', answered_at = ? "
                    f"WHERE id = ? AND session = ? AND {_SHOWN}",
                    (time.time(), entry_id, session),
                ).rowcount
                for entry_id in seen
            )

    def acknowledge(self, delivery_ids: Sequence[str]) -> int:
        """Answer entries by their delivery ids, in any session; return how many were open."""
        now = time.time()
        with self.store.transaction() as db:
            return sum(
                db.execute(
                    f"UPDATE inbox SET state = '{State.ANSWERED}', answered_at = ? WHERE state IN {_OPEN} AND id = "
                    "(SELECT coalesce(group_entry, id) FROM inbox WHERE delivery_id = ?)",
                    (now, delivery_id),
                ).rowcount
                for delivery_id in delivery_ids
            )

    def mask_answered(self) -> int:
        """Mask the credentials in what was answered or dropped, which nobody is told again; return in how many."""
        # Asked at every answer, and there is seldom one.
        unmasked = "SELECT 1 FROM inbox WHERE secret > 0 AND secret = 1 LIMIT 1"
        if not self.store.memory.recall("secrets", lambda: self.store.value(unmasked)):
            return 0
        over = f"state IN {_COUNTED_OVER}"
        # "secret > 0" says nothing that "secret = 1" does not, but SQLite takes the partial index only where a query
        # has the index's own condition.
        where = (
            f"secret > 0 AND secret = 1 AND ({over} OR (state = '{State.JOINED}' AND group_entry IN "
            f"(SELECT id FROM inbox WHERE secret = 2 OR (secret = 1 AND {over}))))"
        )
        with self.store.changing() as db:
            rows = self.store.rows(f"SELECT * FROM inbox WHERE {where} ORDER BY id DESC")
            for row in rows:
                meta = {name: masked_value(value) for name, value in json.loads(row["meta"] or "{}").items()}
                files = [masked_value(row[name] or "[]") for name in ("image", "attachments")]
                db.execute(
                    "UPDATE inbox SET secret = 2, payload = '', group_messages = NULL, content = ?, meta = ?, "
                    "image = ?, attachments = ? WHERE id = ?",
                    (redact(row["content"] or ""), json.dumps(meta), *files, row["id"]),
                )
        return len(rows)

    def any_masked_since(self, since: float) -> bool:
        """Return whether credentials were masked in an entry that was answered since then (epoch seconds)."""
        return bool(
            self.store.value("SELECT 1 FROM inbox WHERE secret > 0 AND secret = 2 AND answered_at >= ? LIMIT 1", since)
        )

    def prompt_taken(self, prompt_id: str, unproven: Sequence[str] = ()) -> bool:
        """Answer the entry of a prompt: its asker has the answer. Return False if it has gone another way.

        What modes in `unproven` carried may have reached nobody.
        """
        marks = ", ".join("?" for _ in unproven)
        waits = f"state IN {sql_list(State.ASKED, State.READY)} OR (state = '{State.OFFERED}' AND mode IN ({marks}))"
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    f"UPDATE inbox SET state = '{State.ANSWERED}', answered_at = ? WHERE prompt_id = ? AND ({waits})",
                    (time.time(), prompt_id, *unproven),
                ).rowcount
            )

    def count_offer(self, prompt_id: str) -> None:
        """Count the answer to a prompt as offered: it may have reached its asker."""
        with self.store.transaction() as db:
            db.execute(
                f"UPDATE inbox SET offers = offers + 1 WHERE prompt_id = ? AND state = '{State.ASKED}'", (prompt_id,)
            )

    def open_answer(self, prompt_id: str) -> None:
        """Make the answer to a prompt an ordinary event, marked as offered before if its asker may have it."""
        with self.store.transaction() as db:
            db.execute(
                f"UPDATE inbox SET offers = offers + (state = '{State.ANSWERED}'), state = '{State.READY}', "
                f"answered_at = NULL WHERE prompt_id = ? AND state IN {sql_list(State.ASKED, State.ANSWERED)}",
                (prompt_id,),
            )

    def open_orphaned_answers(self, now: float) -> int:
        """Make the answer of every prompt whose asker is gone at that time an ordinary event; return how many."""
        orphaned = f"state = '{State.ASKED}' AND prompt_id NOT IN (SELECT id FROM prompts WHERE lease_until > ?)"
        if not self.store.value(f"SELECT 1 FROM inbox WHERE {orphaned} LIMIT 1", now):
            return 0
        with self.store.transaction() as db:
            return db.execute(f"UPDATE inbox SET state = '{State.READY}' WHERE {orphaned}", (now,)).rowcount

    def mark_restored(self) -> int:
        """Count all that is open or held as offered before: after a backup it may have been; return how many."""
        waits = sql_list(*OPEN, State.HELD)
        with self.store.transaction() as db:
            return db.execute(f"UPDATE inbox SET offers = max(offers, 1) WHERE state IN {waits}").rowcount

    # ---- the operator

    def redeliver(self, delivery_id: str) -> bool:
        """Offer an entry again, answered or not; return False if no entry for the agent has this id."""
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    f"UPDATE inbox SET state = '{State.READY}', answered_at = NULL WHERE delivery_id = ? "
                    "AND content IS NOT NULL AND state NOT IN "
                    f"{sql_list(State.HELD, State.JOINING, State.JOINED, State.FETCHING)}",
                    (delivery_id,),
                ).rowcount
            )

    def give_up(self, delivery_id: str) -> bool:
        """Drop an open entry by hand; return False if none is open under this id."""
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    f"UPDATE inbox SET state = '{State.DROPPED}' WHERE delivery_id = ? AND state IN {_OPEN}",
                    (delivery_id,),
                ).rowcount
            )

    def state_of(self, delivery_id: str) -> tuple[State, bool] | None:
        """Return the state of an entry, and whether it has content for the agent; None if there is no such entry."""
        query = "SELECT state, content IS NOT NULL AS has_content FROM inbox WHERE delivery_id = ?"
        row = self.store.row(query, delivery_id)
        return (State(row["state"]), bool(row["has_content"])) if row else None

    # ---- what people are told about waiting

    def overdue(self, before: float) -> list[WaitingChat]:
        """Return the chats with messages that wait since before then (epoch seconds), each told once, and mark them."""
        if not self.store.value(f"SELECT 1 FROM inbox WHERE {_UNTOLD} LIMIT 1", before):
            return []
        with self.store.transaction() as db:
            # SQLite takes a bare column from the row that gave the maximum.
            rows = self.store.rows(
                "SELECT chat_id, thread_id, count(*) AS n, max(id), message_id, "
                f"sum(state = '{State.READY}') AS unoffered FROM inbox WHERE {_UNTOLD} GROUP BY chat_id, thread_id",
                before,
            )
            db.execute(f"UPDATE inbox SET wait_notified = 1 WHERE {_UNTOLD}", (before,))
        return [
            WaitingChat(row["chat_id"], row["thread_id"], row["n"], row["message_id"], bool(row["unoffered"]))
            for row in rows
        ]

    def offered_late(self, before: float) -> list[WaitingChat]:
        """Return the chats whose unoffered messages were said before then (epoch seconds), each once, and mark them."""
        late = f"state = '{State.READY}' AND offers = 0 AND late_notified = 0 AND said_at < ?"
        with self.store.transaction() as db:
            rows = self.store.rows(
                f"SELECT chat_id, thread_id, count(*) AS n, max(id), message_id FROM inbox WHERE {late} "
                "GROUP BY chat_id, thread_id",
                before,
            )
            db.execute(f"UPDATE inbox SET late_notified = 1 WHERE {late}", (before,))
        return [WaitingChat(row["chat_id"], row["thread_id"], row["n"], row["message_id"]) for row in rows]

    def mark_waiting(self, chat_id: str, message_id: str) -> None:
        """Record that a message carries our reaction for "nobody has picked it up yet"."""
        with self.store.changing() as db:
            db.execute(
                "UPDATE inbox SET receipt = 'waiting' WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
            )

    def unmark_waiting(self, chat_id: str) -> list[str]:
        """Forget those reactions in a chat; return the ids of the messages that carry one."""
        # Asked at every answer, and there is seldom one.
        marked = "SELECT 1 FROM inbox WHERE receipt IS NOT NULL LIMIT 1"
        if not self.store.memory.recall("receipts", lambda: self.store.value(marked)):
            return []
        where = "chat_id = ? AND receipt = 'waiting'"
        rows = self.store.rows(f"SELECT message_id FROM inbox WHERE {where}", chat_id)
        if rows:
            with self.store.changing() as db:
                db.execute(f"UPDATE inbox SET receipt = NULL WHERE {where}", (chat_id,))
        return [row["message_id"] for row in rows]

    def unmark(self, chat_id: str, message_id: str) -> None:
        """Forget our reaction on a message: the agent's own took its place."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE inbox SET receipt = NULL WHERE chat_id = ? AND message_id = ? AND receipt IS NOT NULL",
                (chat_id, message_id),
            )

    # ---- reading

    def newest(self, *, only_open: bool, limit: int) -> list[Row]:
        """Return the newest entries, oldest of them first, with every column."""
        where = f"state IN {_OPEN}" if only_open else f"state NOT IN {sql_list(State.DROPPED, State.JOINED)}"
        rows = self.store.rows(f"SELECT * FROM inbox WHERE {where} ORDER BY id DESC LIMIT ?", limit)
        return rows[::-1]

    def newest_in(self, chat_id: str, limit: int) -> list[Row]:
        """Return the newest entries of a chat in whatever state, oldest of them first, with every column.

        What became part of another entry is left out.
        """
        rows = self.store.rows(
            f"SELECT * FROM inbox WHERE chat_id = ? AND state != '{State.JOINED}' ORDER BY id DESC LIMIT ?",
            chat_id,
            limit,
        )
        return rows[::-1]

    def newest_unsorted(self, limit: int) -> list[Row]:
        """Return the newest events that nobody has sorted yet, or could, oldest of them first, with every column."""
        rows = self.store.rows(
            f"SELECT * FROM inbox WHERE state IN {sql_list(State.RAW, State.FAILED)} ORDER BY id DESC LIMIT ?", limit
        )
        return rows[::-1]

    def waiting_by_chat(self) -> dict[str, int]:
        """Return how many entries of each chat are open, or held until their sender is let in."""
        rows = self.store.rows(
            f"SELECT chat_id, count(*) AS n FROM inbox WHERE state IN {sql_list(*OPEN, State.HELD)} "
            "AND chat_id IS NOT NULL GROUP BY chat_id"
        )
        return {row["chat_id"]: row["n"] for row in rows}

    def dropped(self, event_ids: Iterable[str | None]) -> set[str]:
        """Return which of these raw events were journalled and are not for the agent."""
        query = f"SELECT event_id FROM inbox WHERE state = '{State.DROPPED}' AND event_id = ?"
        found = (self.store.value(query, event_id) for event_id in event_ids if event_id)
        return {event_id for event_id in found if event_id}

    def open_count(self, chat_id: str, user_id: str | None = None) -> int:
        """Return how many entries of a chat, or of one person in it, are open."""
        return int(
            self.store.value(
                f"SELECT count(*) FROM inbox WHERE state IN {_OPEN} AND chat_id = ? AND user_id = coalesce(?, user_id)",
                chat_id,
                user_id,
            )
        )

    def open_in(self, chat_id: str, limit: int, user_id: str | None = None) -> list[Row]:
        """Return the oldest open entries of a chat, or of one person in it, with every column."""
        return self.store.rows(
            f"SELECT * FROM inbox WHERE state IN {_OPEN} AND chat_id = ? AND user_id = coalesce(?, user_id) "
            "ORDER BY id LIMIT ?",
            chat_id,
            user_id,
            limit,
        )

    def counts(self) -> dict[str, int]:
        """Return how many entries came as far as each state: received >= offered >= answered; open are not answered."""
        by_state = {row[0]: row[1] for row in self.store.rows("SELECT state, count(*) FROM inbox GROUP BY state")}
        open_ = sum(by_state.get(state, 0) for state in OPEN)
        answered = by_state.get(State.ANSWERED, 0)
        offered = self.store.value(f"SELECT count(*) FROM inbox WHERE offers > 0 AND state IN {_OPEN}")
        return {
            "received": open_ + answered,
            "open": open_,
            "offered": int(offered) + answered,
            "answered": answered,
            "held": by_state.get(State.HELD, 0),
            "failed": by_state.get(State.FAILED, 0),
        }

    def trace_rows(self, entry_ids: Sequence[int]) -> list[Row]:
        """Return what places entries in traces, oldest first: delivery_id, state, chat_id, offers, meta (JSON)."""
        marks = ", ".join("?" for _ in entry_ids)
        return self.store.rows(
            f"SELECT delivery_id, state, chat_id, offers, meta FROM inbox WHERE id IN ({marks}) ORDER BY id", *entry_ids
        )

    def panel_trace(self, panel_id: str) -> str | None:
        """Return the `traceparent` of the send that a panel came with, which its answers go on with."""
        found: str | None = self.store.value("SELECT trace FROM panels WHERE id = ?", panel_id)
        return found

    def oldest_open(self) -> float | None:
        """Return when the oldest open entry arrived (epoch seconds)."""
        found: float | None = self.store.value(f"SELECT min(received_at) FROM inbox WHERE state IN {_OPEN}")
        return found

    def _entries(self, where: str, *values: object) -> list[Entry]:
        return [_entry(row) for row in self.store.rows(f"SELECT * FROM inbox WHERE {where}", *values)]

    # ---- forgetting

    def forget_ended(self, chat_id: str) -> None:
        """Delete what was said in a chat and is over; the rows stay for deduplication."""
        open_or_held = sql_list(*OPEN, State.HELD)
        with self.store.transaction() as db:
            db.execute(
                "UPDATE inbox SET payload = '', content = NULL, meta = NULL, image = NULL, attachments = NULL, "
                f"group_messages = NULL WHERE chat_id = ? AND state NOT IN {sql_list(*OPEN, State.HELD, State.FAILED)} "
                f"AND coalesce(group_entry, 0) NOT IN (SELECT id FROM inbox WHERE state IN {open_or_held})",
                (chat_id,),
            )

    def matching(self, chat_id: str, wanted: Callable[[str], bool], *, is_open: bool = False) -> list[int]:
        """Return the ids of what was said in a chat, is `wanted`, and is over, or not yet."""
        states = _OPEN if is_open else _OVER
        rows = self.store.rows(
            f"SELECT id, content, meta FROM inbox WHERE chat_id = ? AND content IS NOT NULL AND state IN {states}",
            chat_id,
        )
        # With the value of a button that was tapped, what was quoted, and the names of files.
        return [row["id"] for row in rows if wanted("\n".join([row["content"], *_readable(row["meta"])]))]

    def forget_entries(self, ids: Iterable[int]) -> None:
        """Delete what was said; the rows stay for deduplication."""
        with self.store.transaction() as db:
            db.executemany(
                "UPDATE inbox SET payload = '', content = NULL, meta = NULL, image = NULL, attachments = NULL, "
                "group_messages = NULL WHERE id = ?",
                [(one,) for one in ids],
            )

    def prune(self, before: float, keep_rows: int, limit: int) -> int:
        """Delete at most `limit` ended entries that arrived before then, and at most `limit` above `keep_rows`.

        `before` is in epoch seconds. A quarter of `keep_rows` is for what was not for the agent: a flood must not push
        out what was answered. Returns how many were deleted; open entries never are.
        """
        with self.store.transaction() as db:
            deleted = db.execute(
                f"DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE state IN {_OVER} AND received_at < ? "
                "LIMIT ?)",
                (before, limit),
            ).rowcount
        # In this order: once few are left that were dropped, it is the answered ones that are too many.
        for states, most in ((sql_list(State.DROPPED), keep_rows // 4), (_COUNTED_OVER, keep_rows)):
            ended = self.store.value(f"SELECT count(*) FROM inbox WHERE state IN {states}")
            if ended > most and deleted < limit:
                with self.store.transaction() as db:
                    deleted += db.execute(
                        f"DELETE FROM inbox WHERE id IN (SELECT id FROM inbox WHERE state IN {states} "
                        "ORDER BY id LIMIT ?)",
                        (min(limit - deleted, ended - most),),
                    ).rowcount
        return deleted


def _readable(meta: str | None) -> Iterator[str]:
    """Yield the values of an entry's meta; what may be a list as JSON also without escapes."""
    for value in json.loads(meta or "{}").values():
        yield value
        if value.startswith(("[", "{")):
            yield without_escapes(value)


def _entry(row: Row) -> Entry:
    return Entry(
        id=row["id"],
        delivery_id=row["delivery_id"],
        chat_id=row["chat_id"],
        thread_id=row["thread_id"],
        message_id=row["message_id"],
        content=row["content"],
        meta=json.loads(row["meta"]),
        offers=row["offers"],
        said_at=row["said_at"],
        late=bool(row["late"]),
        files_to_fetch=tuple(load_files(row["image"])),
    )
