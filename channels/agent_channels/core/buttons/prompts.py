"""Questions somebody waits for: the agent's `ask`, a permission, a host's multiple choice. One row, one answer.

Whoever asked keeps a lease; whoever reads the bot stores the taps. A card whose asker is gone takes no answer any more,
so that nobody is told of an outcome which reached nobody. What was typed or tapped for a vanished `ask` becomes an
ordinary event instead, until its deadline.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent_channels.core.buttons.panels import Panel, Panels
from agent_channels.core.buttons.prompt_spec import DONE, LETTERS, OTHER, Kind, Prompt, PromptSpec, prompt_of
from agent_channels.core.contract.messages import Person
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.i18n.messages import translate
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label

__all__ = ["AnswerResult", "Prompts"]


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What a tap or a typed text did. `feedback`: what the person is told; `grid`: the keyboard to draw, if any."""

    feedback: str
    alert: bool = False
    final: bool = False
    grid: Grid | None = None
    prompt: Prompt | None = field(default=None)


class Prompts:
    """The prompts table, and the panels that show a prompt."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self.panels = Panels(store)
        self._clock = clock

    def now(self) -> float:
        """The clock that deadlines are measured by (epoch seconds)."""
        return self._clock()

    def create(
        self,
        kind: Kind,
        spec: PromptSpec,
        *,
        session: str,
        bound_s: float,
        lease_s: float,
        request_id: str | None = None,
    ) -> Prompt:
        """Asks something; it is open for `bound_s` seconds, and as long as the asker renews its lease."""
        prompt_id, now = secrets.token_urlsafe(12), self._clock()
        request_id = request_id or "".join(secrets.choice(LETTERS) for _ in range(5))
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO prompts (id, kind, request_id, session, spec, created_at, expires_at, lease_until) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (prompt_id, kind, request_id, session, spec.dump(), now, now + bound_s, now + lease_s),
            )
        return self._must(prompt_id)

    def get(self, prompt_id: str) -> Prompt | None:
        """The prompt with this id."""
        row = self.store.row("SELECT * FROM prompts WHERE id = ?", prompt_id)
        return None if row is None else prompt_of(row)

    def _must(self, prompt_id: str) -> Prompt:
        found = self.get(prompt_id)
        if found is None:
            raise LookupError(prompt_id)
        return found

    def renew(self, prompt_id: str, lease_s: float) -> None:
        """The asker still waits."""
        with self.store.transaction() as db:
            db.execute("UPDATE prompts SET lease_until = ? WHERE id = ?", (self._clock() + lease_s, prompt_id))

    def unsent(self) -> list[Prompt]:
        """Open cards that nobody has been shown yet."""
        rows = self.store.rows(
            "SELECT * FROM prompts WHERE state = 'open' AND sent = 0 AND kind != 'ask' ORDER BY created_at"
        )
        return [prompt_of(row) for row in rows]

    def sent(self, prompt_id: str) -> None:
        """The card went out."""
        with self.store.transaction() as db:
            db.execute("UPDATE prompts SET sent = 1 WHERE id = ?", (prompt_id,))

    # ---- answers

    def press(self, panel: Panel, position: int, person: Person) -> AnswerResult:
        """A tap on a prompt's panel; the caller has checked that the person may answer."""
        with self.store.transaction():
            prompt = self.get(panel.prompt_id or "")
            gone = self._gone(prompt)
            if prompt is None or gone:
                return AnswerResult(gone or translate("tap_unknown"), alert=True)
            button = panel.cells()[position][2]
            if prompt.spec.other and button.value == OTHER:
                self._set(prompt.id, typing_by=person.id)
                return AnswerResult(translate("prompt_type_answer"))
            if prompt.spec.multi:
                return self._toggle(prompt, button, position, person)
            return self._settle(prompt, [position], None, person)

    def typed(self, panel: Panel, text: str, person: Person, *, quoted: bool) -> AnswerResult | None:
        """A text that may answer a prompt: a label or number when one is to be chosen, free text when that is asked.

        Free text counts after a tap on "other", or when it quotes the question. None: it is no answer.
        """
        with self.store.transaction():
            prompt = self.get(panel.prompt_id or "")
            if prompt is None or self._gone(prompt):
                return None
            said = " ".join(text.split()).casefold()
            flat = prompt.spec.flat()
            labels = [" ".join(b.label.split()).casefold() for b in flat]
            if labels.count(said) == 1:
                return self._settle(prompt, [labels.index(said)], None, person)
            if said.isascii() and said.isdigit() and len(said) <= 3 and 1 <= int(said) <= len(flat):
                return self._settle(prompt, [int(said) - 1], None, person)
            if prompt.spec.other and text.strip() and (quoted or prompt.typing_by == person.id):
                return self._settle(prompt, [], text.strip(), person)
            return None

    def filled_in(self, panel: Panel, text: str, person: Person) -> AnswerResult:
        """What was typed in the form of a prompt's own button."""
        answered = self.typed(panel, text, person, quoted=True)
        if answered is None:
            answered = AnswerResult(self._gone(self.get(panel.prompt_id or "")) or translate("tap_unknown"), alert=True)
        return answered

    def verdict(self, request_id: str, behavior: str, person: Person) -> AnswerResult | None:
        """A typed `yes abcde` or `no abcde`; None when no open permission has this id."""
        row = self.store.row(
            "SELECT * FROM prompts WHERE kind = 'permission' AND request_id = ? AND state = 'open'", request_id
        )
        if row is None:
            return None
        with self.store.transaction():
            prompt = self._must(row["id"])
            gone = self._gone(prompt)
            if gone:
                return AnswerResult(gone, alert=True)
            return self._settle(prompt, [0 if behavior == "allow" else 1], None, person)

    def _toggle(self, prompt: Prompt, button: Button, position: int, person: Person) -> AnswerResult:
        if button.value == DONE:
            if not prompt.chosen:
                return AnswerResult(translate("prompt_choose_first"), alert=True)
            return self._settle(prompt, prompt.chosen, None, person)
        chosen = sorted(set(prompt.chosen) ^ {position})
        self._set(prompt.id, chosen=json.dumps(chosen))
        return AnswerResult("", grid=prompt.spec.shown(chosen), prompt=prompt)

    def _settle(self, prompt: Prompt, positions: list[int], text: str | None, person: Person) -> AnswerResult:
        cells = [(r, c, b) for r, row in enumerate(prompt.spec.grid) for c, b in enumerate(row)]
        picked = [cells[i] for i in positions]
        labels = [b.label for _, _, b in picked]
        result: dict[str, Any] = {"user": person.display_name, "user_id": person.id, "at": self._clock()}
        if text is not None:
            result |= {"text": text, "other": True}
        elif prompt.spec.multi:
            result |= {"labels": labels, "values": [b.label if b.value is None else b.value for _, _, b in picked]}
        else:
            row, col, button = picked[0]
            value = button.label if button.value is None else button.value
            result |= {"label": button.label, "value": value, "row": row, "col": col}
        self._set(prompt.id, state="answered", result=json.dumps(result))
        shown = text if text is not None else ", ".join(labels)
        # An `ask` reaches the agent in any case; of a card nothing is claimed until whoever asked has taken it.
        key = "outcome_answered" if prompt.kind == "ask" else "outcome_chosen"
        self._close_panels(prompt.id, "answered", shown, translate(key, **_outcome(result)))
        return AnswerResult(label(shown, 150), final=True, prompt=self.get(prompt.id))

    def _gone(self, prompt: Prompt | None) -> str | None:
        """Why a prompt takes no answer any more; None while it does."""
        if prompt is None:
            return translate("tap_unknown")
        now = self._clock()
        if prompt.state in {"answered", "taken"}:
            return translate("tap_answered", label=label(_chosen(prompt.result or {}), 120))
        if prompt.state != "open" or prompt.expires_at <= now:
            return translate("prompt_ended")
        # What is chosen for a vanished `ask` becomes an event; a verdict for a vanished hook would reach nobody.
        return translate("prompt_ended") if prompt.kind != "ask" and prompt.lease_until <= now else None

    # ---- endings

    def close(self, prompt_id: str, sentence: str) -> bool:
        """Ends an open prompt without an answer; its panels say so. False when it was over already."""
        with self.store.transaction() as db:
            ended = db.execute(
                "UPDATE prompts SET state = 'closed' WHERE id = ? AND state = 'open'", (prompt_id,)
            ).rowcount
            if ended:
                self._close_panels(prompt_id, "closed", "", sentence)
            return bool(ended)

    def sweep(self) -> bool:
        """Closes what is past its deadline; True when there was any.

        An answer which a vanished asker never took becomes an ordinary event; on a card it says that it reached nobody.
        """
        now = self._clock()
        over = self.store.rows("SELECT id FROM prompts WHERE state = 'open' AND expires_at <= ?", now)
        for row in over:
            self.close(row["id"], translate("prompt_unanswered"))
        lost = [prompt_of(row) for row in self.store.rows(
            "SELECT * FROM prompts WHERE state = 'answered' AND kind != 'ask' AND lease_until <= ?", now
        )]  # fmt: skip
        for prompt in lost:
            self._end(prompt, "answered", "closed", "outcome_undelivered")
        orphans = self.store.value(
            "SELECT count(*) FROM inbox WHERE state = 'asked' AND prompt_id NOT IN "
            "(SELECT id FROM prompts WHERE lease_until > ?)",
            now,
        )
        if orphans:
            with self.store.transaction() as db:
                db.execute(
                    "UPDATE inbox SET state = 'ready' WHERE state = 'asked' AND prompt_id NOT IN "
                    "(SELECT id FROM prompts WHERE lease_until > ?)",
                    (now,),
                )
        return bool(over or lost or orphans)

    def taken(self, prompt_id: str) -> None:
        """The asker has its answer: a card says so, and what was kept of it as an event is answered."""
        with self.store.transaction() as db:
            prompt = self.get(prompt_id)
            if prompt is not None and prompt.kind != "ask":
                self._end(prompt, "answered", "taken", "outcome_delivered")
            db.execute(
                "UPDATE inbox SET state = 'answered', answered_at = ? WHERE state = 'asked' AND prompt_id = ?",
                (self._clock(), prompt_id),
            )

    def tidy(self, prompt_id: str) -> None:
        """Cards that went out while their question was being answered, or closed, are ended like the others."""
        with self.store.transaction() as db:
            prompt = self.get(prompt_id)
            if prompt is None or prompt.state == "open":
                return
            key = {"answered": "outcome_chosen", "taken": "outcome_delivered"}.get(prompt.state, "prompt_unanswered")
            db.execute("UPDATE panels SET state = 'answered' WHERE prompt_id = ? AND state = 'open'", (prompt_id,))
            db.execute(
                "UPDATE panels SET sentence = coalesce(sentence, ?), outcome_due = 1 WHERE prompt_id = ?",
                (translate(key, **_outcome(prompt.result or {})), prompt_id),
            )

    def _close_panels(self, prompt_id: str, state: str, outcome: str, sentence: str) -> None:
        with self.store.transaction() as db:
            db.execute(
                "UPDATE panels SET state = ?, outcome = ?, sentence = ?, outcome_due = 1 "
                "WHERE prompt_id = ? AND state = 'open'",
                (state, outcome, sentence, prompt_id),
            )

    def _end(self, prompt: Prompt, before: str, after: str, key: str) -> None:
        """Says on a card what became of its answer, once."""
        with self.store.transaction() as db:
            if db.execute(
                "UPDATE prompts SET state = ? WHERE id = ? AND state = ?", (after, prompt.id, before)
            ).rowcount:
                db.execute(
                    "UPDATE panels SET sentence = ?, outcome_due = 1 WHERE prompt_id = ? AND state = 'answered'",
                    (translate(key, **_outcome(prompt.result or {})), prompt.id),
                )

    def _set(self, prompt_id: str, **values: object) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        with self.store.transaction() as db:
            db.execute(f"UPDATE prompts SET {names} WHERE id = ?", (*values.values(), prompt_id))


def _chosen(result: dict[str, Any]) -> str:
    return str(result.get("text") or result.get("label") or ", ".join(result.get("labels", ())))


def _outcome(result: dict[str, Any]) -> dict[str, str]:
    return {"label": label(_chosen(result), 200), "user": label(str(result.get("user", "")), 64)}
