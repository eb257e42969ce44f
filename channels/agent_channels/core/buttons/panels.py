"""Button grids as rows of the store: who may tap, once or often, until when, and what was chosen.

What a button carries on the platform is an opaque random id with its position, so any label fits, survives a restart
and cannot be made up.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent_channels.core.buttons.layout import parse_callback
from agent_channels.core.contract.messages import Person
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.store.database import Row, Store

__all__ = ["Panel", "Panels", "Press"]

Refusal = Literal["unknown", "expired", "closed", "answered", "foreign"]
# A typed "2" long after the question is more likely a text than an answer.
TYPED_WITHIN_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One grid that was sent. `tappers` None: everybody the gate lets through in that chat."""

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

    def cells(self) -> list[tuple[int, int, Button]]:
        """Every button with its row and column, in reading order."""
        return [(r, c, button) for r, row in enumerate(self.grid) for c, button in enumerate(row)]


@dataclass(frozen=True, slots=True)
class Press:
    """What came of a tap: the button when it counts, else why not. `outcome` is what the panel shows as its answer."""

    panel: Panel | None
    refused: Refusal | None = None
    button: Button | None = None
    row: int = 0
    col: int = 0

    @property
    def outcome(self) -> str | None:
        """The label chosen on this panel, now or before."""
        return self.panel.outcome if self.panel else None


class Panels:
    """The tables panels and presses."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._clock = clock
        self._saying: dict[str, str | None] = {}

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
    ) -> str:
        """Stores a grid before it is sent; returns its id."""
        panel_id, now = secrets.token_urlsafe(16), self._clock()
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO panels (id, chat_id, thread_id, grid, tappers, single_use, created_at, expires_at, "
                "prompt_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    panel_id, chat_id, thread_id, _dump(grid), None if tappers is None else json.dumps(sorted(tappers)),
                    single_use, now, now + ttl_s, prompt_id,
                ),
            )  # fmt: skip
        return panel_id

    def bind(self, panel_id: str, message_id: str, snapshot: str | None) -> None:
        """The grid was sent: this is the message that holds it. Other grids of that message are closed."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE panels SET state = 'closed' WHERE state = 'open' AND id != ? AND message_id = ? AND chat_id = "
                "(SELECT chat_id FROM panels WHERE id = ?)",
                (panel_id, message_id, panel_id),
            )
            db.execute("UPDATE panels SET message_id = ?, snapshot = ? WHERE id = ?", (message_id, snapshot, panel_id))

    def discard(self, panel_id: str) -> None:
        """The grid was never shown to anybody."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM panels WHERE id = ? AND message_id IS NULL", (panel_id,))

    def close_on(self, chat_id: str, message_id: str) -> None:
        """A message's grid was taken away by its author."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE panels SET state = 'closed' WHERE state = 'open' AND chat_id = ? AND message_id = ?",
                (chat_id, message_id),
            )

    def open_in(self, chat_id: str) -> list[Panel]:
        """Every panel of a chat that people see and may answer, oldest first."""
        rows = self.store.rows(
            "SELECT * FROM panels WHERE state = 'open' AND message_id IS NOT NULL AND chat_id = ? AND expires_at > ? "
            "ORDER BY created_at, rowid",
            chat_id,
            self._clock(),
        )
        return [_panel(row) for row in rows]

    def cancel(self, panel_id: str, sentence: str) -> bool:
        """Ends an open panel without an answer; it says so. False when it was over already."""
        with self.store.transaction() as db:
            return bool(
                db.execute(
                    "UPDATE panels SET state = 'closed', sentence = ?, outcome_due = 1 WHERE id = ? AND state = 'open'",
                    (sentence, panel_id),
                ).rowcount
            )

    def forget_ended(self, chat_id: str) -> None:
        """Deletes a chat's panels that are over and show it."""
        with self.store.transaction() as db:
            db.execute("DELETE FROM panels WHERE chat_id = ? AND state != 'open' AND outcome_due = 0", (chat_id,))

    def get(self, panel_id: str) -> Panel | None:
        """The panel with this id."""
        row = self.store.row("SELECT * FROM panels WHERE id = ?", panel_id)
        return None if row is None else _panel(row)

    def open_on(self, chat_id: str, message_id: str) -> Panel | None:
        """The open panel a message holds."""
        row = self.store.row(
            "SELECT * FROM panels WHERE state = 'open' AND expires_at > ? AND chat_id = ? AND message_id = ?",
            self._clock(), chat_id, message_id,
        )  # fmt: skip
        return None if row is None else _panel(row)

    def locate(self, data: str, chat_id: str, message_id: str, snapshot: str | None = None) -> tuple[Panel, int] | None:
        """The panel, and the position in it, that a button's data names in this message; None for made-up data."""
        parsed = parse_callback(data)
        panel = self.get(parsed[0]) if parsed else None
        if panel is None or parsed is None or parsed[1] >= len(panel.cells()) or panel.chat_id != chat_id:
            return None
        if panel.message_id is None:
            # Sent, but this program died before it learned the message's id.
            self.bind(panel.id, message_id, snapshot)
            return self.get(panel.id) or panel, parsed[1]
        return (panel, parsed[1]) if panel.message_id == message_id else None

    def press(self, data: str, chat_id: str, message_id: str, person: Person, snapshot: str | None = None) -> Press:
        """Counts a tap, if it counts: the first one on a single-use panel by somebody who may."""
        located = self.locate(data, chat_id, message_id, snapshot)
        if located is None:
            return Press(None, "unknown")
        panel, position = located
        row, col, button = panel.cells()[position]
        return self._take(panel, row, col, button, person)

    def typed(
        self, chat_id: str, thread_id: str | None, text: str, person: Person, reply_to: str | None
    ) -> Press | None:
        """Counts a typed answer to the newest open panel (or the one replied to): a label, or its number from 1.

        None when the text is no such answer; then it is an ordinary message.
        """
        panel = self.asked(chat_id, thread_id, reply_to)
        if panel is None or (panel.tappers is not None and person.id not in panel.tappers):
            return None
        found = _match(panel, text)
        return None if found is None else self._take(panel, *found, person)

    def asked(self, chat_id: str, thread_id: str | None, reply_to: str | None) -> Panel | None:
        """The open panel that a typed text may answer: the one replied to, else the newest. Never a permission."""
        if reply_to and self._held_one(chat_id, reply_to):
            # Said of this question and no other, even when it is closed.
            return self.open_on(chat_id, reply_to)
        now = self._clock()
        row = self.store.row(
            "SELECT * FROM panels WHERE state = 'open' AND message_id IS NOT NULL AND chat_id = ? AND thread_id IS ? "
            "AND expires_at > ? AND created_at > ? AND coalesce(prompt_id, '') NOT IN "
            "(SELECT id FROM prompts WHERE kind = 'permission') ORDER BY created_at DESC, rowid DESC LIMIT 1",
            chat_id, thread_id, now, now - TYPED_WITHIN_S,
        )  # fmt: skip
        return None if row is None else _panel(row)

    def _held_one(self, chat_id: str, message_id: str) -> bool:
        return bool(
            self.store.value("SELECT 1 FROM panels WHERE chat_id = ? AND message_id = ? LIMIT 1", chat_id, message_id)
        )

    def _take(self, panel: Panel, row: int, col: int, button: Button, person: Person) -> Press:
        with self.store.transaction() as db:
            panel = self.get(panel.id) or panel
            refused = self._refusal(panel, person)
            if refused:
                return Press(panel, refused)
            position = next(i for i, cell in enumerate(panel.cells()) if cell[:2] == (row, col))
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

    def due(self) -> list[Panel]:
        """Answered panels whose message does not show the answer yet."""
        found = [_panel(row) for row in self.store.rows("SELECT * FROM panels WHERE outcome_due = 1 ORDER BY rowid")]
        self._saying = {panel.id: panel.sentence for panel in found}
        return found

    def shown(self, panel_id: str) -> None:
        """The panel's message shows what was due, or never can; what is to be said since then stays due."""
        with self.store.transaction() as db:
            db.execute(
                "UPDATE panels SET outcome_due = 0 WHERE id = ? AND sentence IS ?",
                (panel_id, self._saying.get(panel_id)),
            )

    def chosen_by(self, panel_id: str) -> str:
        """The name of whoever tapped last."""
        return str(self.store.value("SELECT user FROM presses WHERE panel_id = ? ORDER BY id DESC", panel_id) or "")


def _match(panel: Panel, text: str) -> tuple[int, int, Button] | None:
    said = " ".join(text.split()).casefold()
    cells = [cell for cell in panel.cells() if cell[2].url is None]
    named = [cell for cell in cells if " ".join(cell[2].label.split()).casefold() == said]
    if len(named) == 1:
        return named[0]
    # Equal labels are told apart by number only, never by guessing.
    if not named and said.isascii() and said.isdigit() and len(said) <= 3:
        number = int(said)
        every = panel.cells()
        if 1 <= number <= len(every) and every[number - 1][2].url is None:
            return every[number - 1]
    return None


def _dump(grid: Sequence[Sequence[Button]]) -> str:
    return json.dumps([[[b.label, b.value, b.style, b.url, b.form] for b in row] for row in grid])


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
    )
