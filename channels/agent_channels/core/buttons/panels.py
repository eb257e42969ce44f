"""Button grids as rows of the store: who may tap, once or often, until when, and what was chosen.

What a button carries on the platform is an opaque random id with its position, so any label fits, survives a restart
and cannot be forged.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from agent_channels.core.buttons.layout import parse_callback
from agent_channels.core.buttons.matching import match_answer
from agent_channels.core.contract.messages import Person, Place
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.errors import Ambiguous, PlatformError, Refused
from agent_channels.core.frozen import frozen
from agent_channels.core.journal.history import without_escapes
from agent_channels.core.secret_shapes import find_secrets
from agent_channels.core.store.database import Row, Store

__all__ = ["Panel", "Panels", "Press", "Refusal", "SentPanel"]

Refusal = Literal["unknown", "expired", "closed", "answered", "foreign"]
# A typed "2" long after the question is more likely a message than an answer.
TYPED_WITHIN_S = 24 * 3600.0


@frozen
class Panel:
    """One grid that was sent. `tappers` None: everybody the gate lets through in that chat.

    `message_id` is None until the platform's answer is known. `sentence` is what its message shows at the end instead
    of the default outcome; `prompt_id` names the prompt that it shows, `turn_id` the turn that its buttons are about.
    `offer`: it is no question.
    """

    id: str
    chat_id: str
    thread_id: str | None
    message_id: str | None
    grid: Grid
    tappers: frozenset[str] | None
    single_use: bool
    state: str
    expires_at: float
    snapshot: str | None
    outcome: str | None
    prompt_id: str | None
    sentence: str | None
    turn_id: str | None = None
    offer: bool = False

    def cells(self) -> list[tuple[int, int, Button]]:
        """Return every button with its row and column, in reading order."""
        return [(r, c, button) for r, row in enumerate(self.grid) for c, button in enumerate(row)]


@frozen
class Press:
    """What a tap or typed answer came to: the button if it counts, else why it does not."""

    panel: Panel | None
    refused: Refusal | None = None
    button: Button | None = None
    row: int = 0
    col: int = 0

    @property
    def outcome(self) -> str | None:
        """The label chosen on this panel, now or before."""
        return self.panel.outcome if self.panel else None


@frozen
class SentPanel:
    """A panel that people were shown, since when (epoch seconds), and who tapped which position of it, in order."""

    panel: Panel
    created_at: float
    presses: tuple[tuple[int, str], ...]


class Panels:
    """The tables panels and presses."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._clock = clock
        self.owner = ""
        """What the ids of new panels begin with, so that a tap says whose it is; at most 8 characters."""

    def create(
        self,
        chat_id: str,
        grid: Grid,
        *,
        ttl_s: float,
        thread_id: str | None = None,
        tappers: Collection[str] | None = None,
        single_use: bool = True,
        prompt_id: str | None = None,
        turn_id: str | None = None,
        trace: str | None = None,
        offer: bool = False,
    ) -> str:
        """Store a grid before it is sent; return its id.

        `trace`: the `traceparent` that its answers go on with. `offer`: it is no question, and answered by taps alone.
        """
        panel_id, now = self.owner + secrets.token_urlsafe(16)[len(self.owner) :], self._clock()
        with self.store.changing() as db:
            db.execute(
                "INSERT INTO panels (id, chat_id, thread_id, grid, tappers, single_use, created_at, expires_at, "
                "prompt_id, turn_id, trace, offer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    panel_id, chat_id, thread_id, _dump(grid), None if tappers is None else json.dumps(sorted(tappers)),
                    single_use, now, now + ttl_s, prompt_id, turn_id, trace, offer,
                ),
            )  # fmt: skip
        return panel_id

    def bind(self, panel_id: str, message_id: str, snapshot: str | None) -> None:
        """Record which message holds a grid that was sent; earlier grids of that message are closed."""
        with self.store.changing() as db:
            db.execute(
                "UPDATE panels SET state = 'closed' WHERE state = 'open' AND id != ? AND message_id = ? AND chat_id = "
                "(SELECT chat_id FROM panels WHERE id = ?)",
                (panel_id, message_id, panel_id),
            )
            db.execute("UPDATE panels SET message_id = ?, snapshot = ? WHERE id = ?", (message_id, snapshot, panel_id))

    def move(self, panel_id: str, place: Place) -> None:
        """Record that a panel is about to be sent to another place than the one it was made for."""
        with self.store.changing() as db:
            db.execute("UPDATE panels SET chat_id = ?, thread_id = ? WHERE id = ?", (*place, panel_id))

    def discard(self, panel_id: str) -> None:
        """Delete a grid that was never shown to anybody."""
        with self.store.changing() as db:
            db.execute("DELETE FROM panels WHERE id = ? AND message_id IS NULL", (panel_id,))

    @contextmanager
    def sending(self, panel_id: str) -> Iterator[None]:
        """Send a panel's message in the block; the panel is deleted after an error that means that nobody saw it."""
        try:
            yield
        except Ambiguous:
            # The message may have arrived, and then its buttons have to work.
            raise
        except (PlatformError, Refused):
            self.discard(panel_id)
            raise

    # ---- reading

    def get(self, panel_id: str) -> Panel | None:
        """Return the panel with this id."""
        row = self.store.row("SELECT * FROM panels WHERE id = ?", panel_id)
        return None if row is None else _panel(row)

    def open_in(self, chat_id: str) -> list[Panel]:
        """Return every panel of a chat that people see and may answer, oldest first."""
        rows = self.store.rows(
            "SELECT * FROM panels WHERE state = 'open' AND message_id IS NOT NULL AND chat_id = ? AND expires_at > ? "
            "ORDER BY created_at, rowid",
            chat_id,
            self._clock(),
        )
        return [_panel(row) for row in rows]

    def open_on(self, chat_id: str, message_id: str) -> Panel | None:
        """Return the open panel that a message holds."""
        row = self.store.row(
            "SELECT * FROM panels WHERE state = 'open' AND expires_at > ? AND chat_id = ? AND message_id = ?",
            self._clock(), chat_id, message_id,
        )  # fmt: skip
        return None if row is None else _panel(row)

    def is_open(self, data: str) -> bool:
        """Return True if a button's data names a panel that still takes answers."""
        parsed = parse_callback(data)
        return parsed is not None and bool(
            self.store.value(
                "SELECT 1 FROM panels WHERE id = ? AND state = 'open' AND expires_at > ?", parsed[0], self._clock()
            )
        )

    def locate(self, data: str, chat_id: str, message_id: str, snapshot: str | None = None) -> tuple[Panel, int] | None:
        """Return the panel and the position in it that a button's data names in this message; None if it is forged."""
        parsed = parse_callback(data)
        panel = self.get(parsed[0]) if parsed else None
        if panel is None or parsed is None or parsed[1] >= len(panel.cells()) or panel.chat_id != chat_id:
            return None
        if panel.cells()[parsed[1]][2].url:
            # A link is opened by the person's own client and carries no data.
            return None
        if panel.message_id is None:
            # Sent, but this program died before it learned the message's id.
            self.bind(panel.id, message_id, snapshot)
            return self.get(panel.id) or panel, parsed[1]
        return (panel, parsed[1]) if panel.message_id == message_id else None

    def answerable(self, chat_id: str, thread_id: str | None, reply_to: str | None) -> Panel | None:
        """Return the open panel that a typed text may answer: the one it replies to, else the newest.

        Permissions are never answered by a bare word, and offers and buttons about a turn by no word at all.
        """
        if reply_to and self._has_panel(chat_id, reply_to):
            # It answers this question and no other, even if it is closed.
            panel = self.open_on(chat_id, reply_to)
            return None if panel is not None and (panel.turn_id or panel.offer) else panel
        # Asked of every message, and there is seldom one.
        shown = "SELECT 1 FROM panels WHERE state = 'open' AND message_id IS NOT NULL LIMIT 1"
        if not self.store.memory.recall("panels", lambda: self.store.value(shown)):
            return None
        now = self._clock()
        row = self.store.row(
            "SELECT * FROM panels WHERE state = 'open' AND message_id IS NOT NULL AND chat_id = ? AND thread_id IS ? "
            "AND expires_at > ? AND created_at > ? AND turn_id IS NULL AND offer = 0 "
            "AND coalesce(prompt_id, '') NOT IN (SELECT id FROM prompts WHERE kind = 'permission') "
            "ORDER BY created_at DESC, rowid DESC LIMIT 1",
            chat_id, thread_id, now, now - TYPED_WITHIN_S,
        )  # fmt: skip
        return None if row is None else _panel(row)

    def is_asked(self, place: Place, since: float) -> bool:
        """Return whether a question that was put since then (epoch seconds) waits for an answer in a place."""
        sql = (
            "SELECT 1 FROM panels WHERE state = 'open' AND message_id IS NOT NULL AND turn_id IS NULL AND offer = 0 "
            "AND chat_id = ? AND thread_id IS ? AND created_at >= ? AND expires_at > ? LIMIT 1"
        )
        return self.store.value(sql, *place, since, self._clock()) is not None

    def _has_panel(self, chat_id: str, message_id: str) -> bool:
        return bool(
            self.store.value("SELECT 1 FROM panels WHERE chat_id = ? AND message_id = ? LIMIT 1", chat_id, message_id)
        )

    def sent_to(self, chat_id: str, limit: int) -> list[SentPanel]:
        """Return the newest panels that a chat was shown, whatever became of them, oldest of them first."""
        rows = self.store.rows(
            "SELECT * FROM panels WHERE chat_id = ? AND message_id IS NOT NULL ORDER BY created_at DESC, rowid DESC "
            "LIMIT ?",
            chat_id,
            limit,
        )
        return [SentPanel(_panel(row), row["created_at"], self._presses(row["id"])) for row in reversed(rows)]

    def is_over(self, panel: Panel) -> bool:
        """Return True if a panel takes no answers any more."""
        return panel.state != "open" or panel.expires_at <= self._clock()

    def _presses(self, panel_id: str) -> tuple[tuple[int, str], ...]:
        rows = self.store.rows("SELECT position, user FROM presses WHERE panel_id = ? ORDER BY id", panel_id)
        return tuple((row["position"], row["user"]) for row in rows)

    def chats_showing(self, prompt_id: str) -> set[str]:
        """Return the chats in which people see a prompt."""
        rows = self.store.rows("SELECT chat_id FROM panels WHERE prompt_id = ? AND message_id IS NOT NULL", prompt_id)
        return {row["chat_id"] for row in rows}

    def last_tapper(self, panel_id: str) -> str:
        """Return the name of the person who tapped last."""
        return str(self.store.value("SELECT user FROM presses WHERE panel_id = ? ORDER BY id DESC", panel_id) or "")

    # ---- answers

    def press(self, data: str, chat_id: str, message_id: str, person: Person, snapshot: str | None = None) -> Press:
        """Count a tap if it counts: the first one on a single-use panel by somebody who may."""
        located = self.locate(data, chat_id, message_id, snapshot)
        if located is None:
            return Press(None, "unknown")
        return self._take(*located, person)

    def type(
        self, chat_id: str, thread_id: str | None, text: str, person: Person, reply_to: str | None
    ) -> Press | None:
        """Count a typed answer: a label, or its number from 1; None if the text is an ordinary message."""
        panel = self.answerable(chat_id, thread_id, reply_to)
        if panel is None or (panel.tappers is not None and person.id not in panel.tappers):
            return None
        labels = [button.label if button.answers else None for _, _, button in panel.cells()]
        position = match_answer(text, labels)
        return None if position is None else self._take(panel, position, person)

    def _take(self, panel: Panel, position: int, person: Person) -> Press:
        with self.store.changing() as db:
            panel = self.get(panel.id) or panel
            refused = self._refusal(panel, person)
            if refused:
                return Press(panel, refused)
            row, col, button = panel.cells()[position]
            db.execute(
                "INSERT INTO presses (panel_id, position, user_id, user, at) VALUES (?, ?, ?, ?, ?)",
                (panel.id, position, person.id, person.display_name, self._clock()),
            )
            if panel.single_use:
                db.execute(
                    "UPDATE panels SET state = 'answered', outcome = ?, outcome_due = 1 WHERE id = ?",
                    (button.label, panel.id),
                )
            return Press(self.get(panel.id), None, button, row, col)

    def _refusal(self, panel: Panel, person: Person) -> Refusal | None:
        if panel.tappers is not None and person.id not in panel.tappers:
            return "foreign"
        if panel.state == "answered":
            return "answered"
        if panel.state != "open":
            return "closed"
        return "expired" if panel.expires_at <= self._clock() else None

    # ---- endings

    def cancel(self, panel_id: str, sentence: str) -> bool:
        """End an open panel without an answer, showing a sentence; return False if it was over already."""
        with self.store.changing() as db:
            return bool(
                db.execute(
                    "UPDATE panels SET state = 'closed', sentence = ?, outcome_due = 1 WHERE id = ? AND state = 'open'",
                    (sentence, panel_id),
                ).rowcount
            )

    def cancel_all(self, sentence: str) -> int:
        """End every open panel without an answer, showing a sentence; return how many."""
        with self.store.changing() as db:
            return db.execute(
                "UPDATE panels SET state = 'closed', sentence = ?, outcome_due = 1 WHERE state = 'open'", (sentence,)
            ).rowcount

    def forget_messages(self) -> None:
        """Close every panel, and forget which messages hold them: another bot's messages may have the same ids."""
        with self.store.changing() as db:
            db.execute("UPDATE panels SET state = 'closed' WHERE state = 'open'")
            db.execute("UPDATE panels SET message_id = NULL, outcome_due = 0")

    def close_on(self, chat_id: str, message_id: str) -> None:
        """Close the grid of a message whose author took it away."""
        with self.store.changing() as db:
            db.execute(
                "UPDATE panels SET state = 'closed' WHERE state = 'open' AND chat_id = ? AND message_id = ?",
                (chat_id, message_id),
            )

    def end_prompt(self, prompt_id: str, state: str, outcome: str, sentence: str) -> None:
        """End every open panel of a prompt."""
        with self.store.changing() as db:
            db.execute(
                "UPDATE panels SET state = ?, outcome = ?, sentence = ?, outcome_due = 1 "
                "WHERE prompt_id = ? AND state = 'open'",
                (state, outcome, sentence, prompt_id),
            )

    def end_late_cards(self, prompt_id: str, sentence: str) -> None:
        """End the panels that were sent while their prompt was being answered or closed, like the others."""
        with self.store.changing() as db:
            db.execute("UPDATE panels SET state = 'answered' WHERE prompt_id = ? AND state = 'open'", (prompt_id,))
            db.execute(
                "UPDATE panels SET sentence = coalesce(sentence, ?), outcome_due = 1 WHERE prompt_id = ?",
                (sentence, prompt_id),
            )

    def set_sentence(self, prompt_id: str, sentence: str) -> None:
        """Change what the answered panels of a prompt show."""
        with self.store.changing() as db:
            db.execute(
                "UPDATE panels SET sentence = ?, outcome_due = 1 WHERE prompt_id = ? AND state = 'answered'",
                (sentence, prompt_id),
            )

    def outcomes_due(self) -> list[Panel]:
        """Return the panels whose message does not show the outcome yet."""
        return [_panel(row) for row in self.store.rows("SELECT * FROM panels WHERE outcome_due = 1 ORDER BY rowid")]

    def outcome_shown(self, panel: Panel) -> None:
        """Record that a panel's message shows its outcome, or never can; a sentence set meanwhile stays due."""
        with self.store.changing() as db:
            db.execute("UPDATE panels SET outcome_due = 0 WHERE id = ? AND sentence IS ?", (panel.id, panel.sentence))
            self._drop_snapshots("id = ?", panel.id)

    def prompt_over(self, prompt_id: str) -> None:
        """Record that a prompt's asker has the answer: its messages change no more."""
        self._drop_snapshots("prompt_id = ?", prompt_id)

    def _drop_snapshots(self, where: str, value: str) -> None:
        """Delete how messages were when they were sent, where a credential is in it that an approver let through.

        Nothing needs it once they show an outcome that does not change again.
        """
        rows = self.store.rows(
            f"SELECT id, snapshot FROM panels WHERE {where} AND snapshot IS NOT NULL AND state != 'open' "
            "AND outcome_due = 0 AND coalesce(prompt_id, '') NOT IN "
            "(SELECT id FROM prompts WHERE state IN ('open', 'answered'))",
            value,
        )
        held = [(row["id"],) for row in rows if find_secrets(row["snapshot"])]
        if held:
            with self.store.changing() as db:
                db.executemany("UPDATE panels SET snapshot = NULL WHERE id = ?", held)

    def sent_messages(self, limit: int) -> list[tuple[str, str]]:
        """Return the last messages that hold panels, newest first: the chat and the message's id."""
        rows = self.store.rows(
            "SELECT chat_id, message_id FROM panels WHERE message_id IS NOT NULL ORDER BY created_at DESC LIMIT ?",
            limit,
        )
        return [(row["chat_id"], row["message_id"]) for row in rows]

    # ---- forgetting

    def drop_values(self, panel_id: str) -> None:
        """Delete the values of a panel's buttons; what they are called stays."""
        panel = self.get(panel_id)
        if panel is not None:
            grid = tuple(tuple(replace(button, value=None) for button in row) for row in panel.grid)
            with self.store.changing() as db:
                db.execute("UPDATE panels SET grid = ? WHERE id = ?", (_dump(grid), panel_id))

    def matching(self, chat_id: str, wanted: Callable[[str], bool], until: float) -> list[str]:
        """Return the ids of a chat's panels made until then that are over, show it, and are `wanted` by their words."""
        rows = self.store.rows(
            "SELECT id, grid, snapshot, outcome, sentence FROM panels WHERE chat_id = ? AND outcome_due = 0 "
            "AND (state != 'open' OR expires_at <= ?) AND created_at <= ?",
            chat_id, self._clock(), until,
        )  # fmt: skip
        # As people read it, and not as JSON writes it.
        return [row["id"] for row in rows if wanted(without_escapes("\n".join(filter(None, tuple(row)[1:]))))]

    def forget(self, ids: Iterable[str]) -> None:
        """Delete panels."""
        with self.store.changing() as db:
            db.executemany("DELETE FROM panels WHERE id = ?", [(one,) for one in ids])

    def forget_prompt(self, prompt_id: str) -> None:
        """Delete the panels of a prompt that is over, where they show it."""
        with self.store.changing() as db:
            db.execute("DELETE FROM panels WHERE prompt_id = ? AND outcome_due = 0", (prompt_id,))

    def forget_ended(self, chat_id: str) -> None:
        """Delete a chat's panels that are over and show it."""
        with self.store.changing() as db:
            db.execute("DELETE FROM panels WHERE chat_id = ? AND state != 'open' AND outcome_due = 0", (chat_id,))

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` panels that expired before then (epoch seconds) and show it; return how many."""
        with self.store.changing() as db:
            return db.execute(
                "DELETE FROM panels WHERE id IN "
                "(SELECT id FROM panels WHERE expires_at < ? AND outcome_due = 0 LIMIT ?)",
                (before, limit),
            ).rowcount


def _dump(grid: Sequence[Sequence[Button]]) -> str:
    return json.dumps([[[b.label, b.value, b.style, b.url, b.form, b.copy] for b in row] for row in grid])


def _load(text: str) -> Grid:
    cells: list[list[list[Any]]] = json.loads(text)
    return tuple(tuple(Button(*cell) for cell in row) for row in cells)


def _panel(row: Row) -> Panel:
    return Panel(
        id=row["id"],
        chat_id=row["chat_id"],
        thread_id=row["thread_id"],
        message_id=row["message_id"],
        grid=_load(row["grid"]),
        tappers=None if row["tappers"] is None else frozenset(json.loads(row["tappers"])),
        single_use=bool(row["single_use"]),
        state=row["state"],
        expires_at=row["expires_at"],
        snapshot=row["snapshot"],
        outcome=row["outcome"],
        prompt_id=row["prompt_id"],
        sentence=row["sentence"],
        turn_id=row["turn_id"],
        offer=bool(row["offer"]),
    )
