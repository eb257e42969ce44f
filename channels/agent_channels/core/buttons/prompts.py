"""Questions somebody waits for: the agent's `ask`, a permission, a host's multiple choice. One row, one answer.

The asker keeps a lease; the process that reads the bot stores the taps. A card whose asker is gone takes no answer any
more, so that nobody is told of an outcome which reached nobody. What was typed or tapped for a vanished `ask` becomes
an ordinary event instead, until its deadline, and the person is told so.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from agent_channels.core.buttons.matching import match_answer
from agent_channels.core.buttons.panels import Panel, Panels
from agent_channels.core.buttons.prompt_spec import (
    DENY,
    DONE,
    LETTERS,
    OTHER,
    WHOLE,
    Kind,
    Prompt,
    PromptSpec,
    prompt_of,
)
from agent_channels.core.contract.messages import Person
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact
from agent_channels.core.people.access import Access
from agent_channels.core.secret_shapes import find_secrets
from agent_channels.core.store.audit import Audit
from agent_channels.core.text.sanitize import label

__all__ = ["AnswerResult", "Prompts"]


@frozen
class AnswerResult:
    """What a tap or a typed text did. `feedback`: what the person is told; `grid`: the keyboard to draw, if any.

    `whole`: the person asked to see the whole change, which answers nothing.
    """

    feedback: str
    alert: bool = False
    final: bool = False
    grid: Grid | None = None
    prompt: Prompt | None = None
    whole: bool = False


class Prompts:
    """The prompts table, and the panels that show a prompt."""

    def __init__(self, panels: Panels, inbox: Inbox, access: Access, *, clock: Callable[[], float] = time.time) -> None:
        self.store = panels.store
        self._panels, self._inbox, self._access, self._clock = panels, inbox, access, clock
        self._audit = Audit(panels.store)

    def now(self) -> float:
        """Return the time that deadlines are measured by (epoch seconds)."""
        return self._clock()

    def create(
        self,
        kind: Kind,
        spec: PromptSpec,
        *,
        session: str,
        timeout_s: float,
        lease_s: float,
        request_id: str | None = None,
        host: Collection[str] = (),
    ) -> Prompt:
        """Ask something: it is open for `timeout_s` seconds, and as long as the asker renews its lease.

        `host` are the keys of the host process that relayed it.
        """
        prompt_id, now = secrets.token_urlsafe(12), self._clock()
        request_id = request_id or "".join(secrets.choice(LETTERS) for _ in range(5))
        with self.store.transaction() as db:
            db.execute(
                "INSERT INTO prompts (id, kind, request_id, session, spec, created_at, expires_at, lease_until, host) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    prompt_id,
                    kind,
                    request_id,
                    session,
                    spec.dump(),
                    now,
                    now + timeout_s,
                    now + lease_s,
                    "\n".join(host),
                ),
            )
        return self._require(prompt_id)

    def get(self, prompt_id: str) -> Prompt | None:
        """Return the prompt with this id."""
        row = self.store.row("SELECT * FROM prompts WHERE id = ?", prompt_id)
        return None if row is None else prompt_of(row)

    def _require(self, prompt_id: str) -> Prompt:
        found = self.get(prompt_id)
        if found is None:
            raise LookupError(prompt_id)
        return found

    def renew(self, prompt_id: str, lease_s: float) -> None:
        """Record that the asker still waits."""
        self._set(prompt_id, lease_until=self._clock() + lease_s)

    def check(self, prompt_id: str, lease_s: float) -> Prompt | None:
        """Return a prompt as it is now, recording that its asker still waits; None if there is no such prompt."""
        prompt = self.get(prompt_id)
        if prompt is not None and prompt.state == "open":
            self.renew(prompt_id, lease_s)
        return prompt

    def relayed(self, session: str, host: Collection[str]) -> list[Prompt]:
        """Return the prompts that this host process relayed in a session, and that it has no verdict on yet."""
        rows = self.store.rows(
            "SELECT * FROM prompts WHERE state IN ('open', 'answered') AND host != '' AND session = ?", session
        )
        return [prompt for row in rows if not (prompt := prompt_of(row)).host.isdisjoint(host)]

    def open_cards(self, *, only_unsent: bool) -> list[Prompt]:
        """Return the open cards whose asker waits, oldest first; `only_unsent`: nobody has been shown them yet."""
        rows = self.store.rows(
            "SELECT * FROM prompts WHERE state = 'open' AND sent <= ? AND kind != 'ask' AND lease_until > ? "
            "ORDER BY created_at",
            0 if only_unsent else 1,
            self._clock(),
        )
        return [prompt_of(row) for row in rows]

    def mark_sent(self, prompt_id: str) -> None:
        """Record that the card is being sent."""
        self._set(prompt_id, sent=1)

    def _set(self, prompt_id: str, **values: object) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.store.transaction() as db:
            db.execute(f"UPDATE prompts SET {columns} WHERE id = ?", (*values.values(), prompt_id))

    # ---- answers

    def press(self, panel: Panel, position: int, person: Person) -> AnswerResult:
        """Count a tap on a prompt's panel; the caller has checked that the person may answer."""
        with self.store.transaction():
            prompt = self.get(panel.prompt_id or "")
            refusal = self._refusal(prompt)
            if prompt is None or refusal:
                return AnswerResult(refusal or translate("tap_unknown"), alert=True)
            button = panel.cells()[position][2]
            if button.value == WHOLE:
                return AnswerResult(translate("tap_whole_change"), prompt=prompt, whole=True)
            if prompt.spec.other and button.value == OTHER:
                self._set(prompt.id, typing_by=person.id)
                return AnswerResult(translate("prompt_type_answer"))
            if prompt.spec.multi:
                return self._toggle(prompt, button, position, person)
            return self._answer(prompt, [position], None, person)

    def type(self, panel: Panel, text: str, person: Person, *, quoted: bool) -> AnswerResult | None:
        """Count a typed answer: a label or number, or free text where the prompt takes it; None if it is none.

        Free text counts after a tap on "other", or when it quotes the question.
        """
        with self.store.transaction():
            prompt = self.get(panel.prompt_id or "")
            if prompt is None or self._refusal(prompt):
                return None
            labels = [button.label if button.answers else None for _, _, button in prompt.spec.cells()]
            position = match_answer(text, labels)
            if position is not None:
                return self._answer(prompt, [position], None, person)
            if prompt.spec.other and text.strip() and (quoted or prompt.typing_by == person.id):
                return self._answer(prompt, [], text.strip(), person)
            return None

    def fill_in(self, panel: Panel, text: str, person: Person) -> AnswerResult:
        """Count what was typed in the form that a prompt's "other" button opened."""
        result = self.type(panel, text, person, quoted=True)
        if result is None:
            result = AnswerResult(
                self._refusal(self.get(panel.prompt_id or "")) or translate("tap_unknown"), alert=True
            )
        return result

    def verdict(self, request_id: str, behavior: str, person: Person) -> AnswerResult | None:
        """Count a typed `yes abcde` or `no abcde`; None if no open permission has this id."""
        row = self.store.row(
            "SELECT * FROM prompts WHERE kind = 'permission' AND request_id = ? AND state = 'open'", request_id
        )
        if row is None:
            return None
        with self.store.transaction():
            prompt = self._require(row["id"])
            refusal = self._refusal(prompt)
            if refusal:
                return AnswerResult(refusal, alert=True)
            values = [button.value for _, _, button in prompt.spec.cells()]
            return self._answer(prompt, [values.index(behavior)], None, person)

    def _toggle(self, prompt: Prompt, button: Button, position: int, person: Person) -> AnswerResult:
        if button.value == DONE:
            if not prompt.chosen:
                return AnswerResult(translate("prompt_choose_first"), alert=True)
            return self._answer(prompt, prompt.chosen, None, person)
        chosen = sorted(set(prompt.chosen) ^ {position})
        self._set(prompt.id, chosen=json.dumps(chosen))
        return AnswerResult("", grid=prompt.spec.drawn_grid(chosen), prompt=prompt)

    def _answer(self, prompt: Prompt, positions: list[int], text: str | None, person: Person) -> AnswerResult:
        cells = prompt.spec.cells()
        picked = [cells[position] for position in positions]
        labels = [button.label for _, _, button in picked]
        result: dict[str, Any] = {"user": person.display_name, "user_id": person.id, "at": time.time()}
        if text is not None:
            result |= {"text": text, "other": True}
        elif prompt.spec.multi:
            result |= {"labels": labels, "values": [_value(button) for _, _, button in picked]}
        else:
            row, col, button = picked[0]
            result |= {"label": button.label, "value": _value(button), "row": row, "col": col}
        # Only an `ask` takes an answer without its asker.
        gone = prompt.lease_until <= self._clock()
        if (waiting := self._waits_for_others(prompt, person, result)) is not None:
            return waiting
        self._record(prompt, person, result)
        self._set(prompt.id, state="taken" if gone else "answered", result=json.dumps(result))
        # What the message shows at its end is kept; the result is the asker's until it has it.
        answer = redact(text) if text is not None else ", ".join(labels)
        # An `ask` reaches the agent in any case; of a card nothing is claimed until the asker has taken the answer.
        key = "outcome_answered" if prompt.kind == "ask" else "outcome_chosen"
        sentence = _outcome("outcome_as_message" if gone else key, result)
        self._panels.end_prompt(prompt.id, "answered", answer, sentence)
        return AnswerResult(label(answer, 150), final=True, prompt=self.get(prompt.id))

    def _waits_for_others(self, prompt: Prompt, person: Person, result: dict[str, Any]) -> AnswerResult | None:
        """Count one person's consent where several have to give theirs; None if the answer is final now."""
        needed = prompt.spec.approvers
        if prompt.kind != "permission" or needed < 2 or result["value"] == DENY:
            return None
        # The consent of someone who has lost the role since does not count.
        allowed = tuple(one for one in prompt.allowed_by if self._access.is_approver(one))
        if person.id in allowed:
            return AnswerResult(translate("approval_once"), alert=True)
        allowed = (*allowed, person.id)
        if len(allowed) >= needed:
            return None
        self._set(prompt.id, allowed_by=json.dumps(allowed))
        self._audit.add("permission consent", person.id, f"{prompt.spec.subject}; {prompt.spec.rule}")
        return AnswerResult(translate("approval_counted", count=len(allowed), needed=needed), alert=True)

    def _record(self, prompt: Prompt, person: Person, result: dict[str, Any]) -> None:
        """Record a decision about a permission, with the rule that asked for it."""
        if prompt.kind == "permission":
            by = prompt.spec.rule or "the host asks, and no rule of the policy matches"
            detail = f"{prompt.spec.subject}; request {prompt.request_id}; {by}"
            self._audit.add(f"permission {result['value']}", person.id, detail)

    def _refusal(self, prompt: Prompt | None) -> str | None:
        """Return why a prompt no longer takes an answer; None while it does."""
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
        """End an open prompt without an answer, showing a sentence; return False if it was over already."""
        with self.store.transaction() as db:
            ended = db.execute(
                "UPDATE prompts SET state = 'closed' WHERE id = ? AND state = 'open'", (prompt_id,)
            ).rowcount
            if ended:
                self._panels.end_prompt(prompt_id, "closed", "", sentence)
            return bool(ended)

    def close_asks(self, sentence: str) -> int:
        """End every open `ask` without an answer, and return how many; their askers are told."""
        rows = self.store.rows("SELECT id FROM prompts WHERE state = 'open' AND kind = 'ask'")
        for row in rows:
            self.close(row["id"], sentence)
        return len(rows)

    def show_again(self) -> None:
        """Let every open card be sent once more."""
        with self.store.transaction() as db:
            db.execute("UPDATE prompts SET sent = 0 WHERE state = 'open' AND kind != 'ask'")

    def replace_relayed(self, session: str, request_id: str) -> None:
        """Close what a session relayed under this id before: the new request is another one."""
        rows = self.store.rows(
            "SELECT id FROM prompts WHERE state = 'open' AND host != '' AND session = ? AND request_id = ?",
            session,
            request_id,
        )
        for row in rows:
            self.close(row["id"], translate("prompt_unanswered"))

    def take(self, prompt_id: str, unproven: Sequence[str] = ()) -> bool:
        """Record that the asker has the answer; return False if it went another way meanwhile.

        A card says so. The event that was kept of the answer to an `ask` is answered, also if nobody waited for the
        answer and only modes in `unproven` carried the event so far; `confirm` it once the asker certainly has it.
        """
        with self.store.transaction():
            prompt = self.get(prompt_id)
            if prompt is None or prompt.state not in {"answered", "taken"}:
                return False
            if prompt.kind != "ask":
                if prompt.state == "answered":
                    self._end_card(prompt, "taken", "outcome_delivered")
                return prompt.state == "answered"
            waited = self._inbox.prompt_taken(prompt_id, unproven)
            if prompt.state == "taken" and waited:
                self._set(prompt_id, state="answered")
            return waited or prompt.state == "answered"

    def repeat(self, prompt_id: str) -> None:
        """Record that the asker was given the answer, perhaps too late to hear it: it is given it once more."""
        self._inbox.count_offer(prompt_id)

    def confirm(self, prompt_ids: Sequence[str]) -> None:
        """Record that the answers to these `ask`s reached their askers: they never become events."""
        with self.store.transaction() as db:
            db.executemany(
                "UPDATE prompts SET state = 'taken' WHERE id = ? AND state = 'answered'", [(i,) for i in prompt_ids]
            )
            for prompt_id in prompt_ids:
                self._mask_result(prompt_id)
                self._panels.prompt_over(prompt_id)

    def _mask_result(self, prompt_id: str) -> None:
        """Mask the credentials in an answer that its asker has."""
        prompt = self.get(prompt_id)
        if prompt is not None and prompt.result is not None and find_secrets(str(prompt.result.get("text", ""))):
            self._set(prompt_id, result=json.dumps({**prompt.result, "text": redact(prompt.result["text"])}))

    def abandon(self, prompt_id: str) -> None:
        """Record that nobody waits for the answer to an `ask` any more: given or still to come, it becomes an event."""
        with self.store.transaction():
            self._set(prompt_id, lease_until=0.0)
            prompt = self.get(prompt_id)
            if prompt is not None and prompt.state == "answered":
                self._hand_on(prompt)

    def _hand_on(self, prompt: Prompt) -> None:
        """Make the answer to an `ask` an ordinary event, and say so where it was given."""
        with self.store.transaction():
            self._inbox.open_answer(prompt.id)
            self._set(prompt.id, state="taken")
            self._panels.set_sentence(prompt.id, _outcome("outcome_as_message", prompt.result))

    def any_waiting(self) -> bool:
        """Return whether a question is open, or its answer not taken yet."""
        return self.store.row("SELECT 1 FROM prompts WHERE state IN ('open', 'answered') LIMIT 1") is not None

    def sweep(self) -> bool:
        """Close what is past its deadline; return True if there was anything.

        An answer that a vanished asker never took becomes an ordinary event; a card says that it reached nobody.
        """
        now = self._clock()
        # An asker that still waits closes its question itself.
        expired = self.store.rows(
            "SELECT id FROM prompts WHERE state = 'open' AND expires_at <= ? AND lease_until <= ?", now, now
        )
        for row in expired:
            self.close(row["id"], translate("prompt_unanswered"))
        lost = self.store.rows("SELECT * FROM prompts WHERE state = 'answered' AND lease_until <= ?", now)
        for row in lost:
            prompt = prompt_of(row)
            if prompt.kind == "ask":
                self._hand_on(prompt)
            else:
                self._end_card(prompt, "closed", "outcome_undelivered")
        return bool(expired or lost) | bool(self._inbox.open_orphaned_answers(now))

    def end_late_cards(self, prompt_id: str) -> None:
        """End cards that were sent while their question was being answered or closed, like the others."""
        with self.store.transaction():
            prompt = self.get(prompt_id)
            if prompt is None or prompt.state == "open":
                return
            key = {"answered": "outcome_chosen", "taken": "outcome_delivered"}.get(prompt.state, "prompt_unanswered")
            self._panels.end_late_cards(prompt_id, _outcome(key, prompt.result))

    def _end_card(self, prompt: Prompt, state: str, key: str) -> None:
        """Say on an answered card what became of its answer, once."""
        with self.store.transaction() as db:
            if db.execute(
                "UPDATE prompts SET state = ? WHERE id = ? AND state = 'answered'", (state, prompt.id)
            ).rowcount:
                self._panels.set_sentence(prompt.id, _outcome(key, prompt.result))

    def matching(self, chat_id: str, wanted: Callable[[str], bool], until: float) -> list[str]:
        """Return the ids of prompts made until then that a chat saw, and that are over.

        They are `wanted` by what they say or were answered.
        """
        rows = self.store.rows(
            "SELECT * FROM prompts WHERE state IN ('taken', 'closed') AND id IN "
            "(SELECT prompt_id FROM panels WHERE chat_id = ? AND outcome_due = 0) AND created_at <= ?",
            chat_id,
            until,
        )
        return [row["id"] for row in rows if wanted(prompt_of(row).words())]

    def forget(self, ids: Iterable[str]) -> None:
        """Delete prompts, with the panels that show them."""
        with self.store.transaction() as db:
            for prompt_id in ids:
                self._panels.forget_prompt(prompt_id)
                db.execute("DELETE FROM prompts WHERE id = ?", (prompt_id,))

    def prune(self, before: float, limit: int) -> int:
        """Delete at most `limit` prompts that are over and expired before then (epoch seconds); return how many."""
        with self.store.transaction() as db:
            return db.execute(
                "DELETE FROM prompts WHERE id IN "
                "(SELECT id FROM prompts WHERE expires_at < ? AND state != 'open' LIMIT ?)",
                (before, limit),
            ).rowcount


def _value(button: Button) -> str:
    return button.label if button.value is None else button.value


def _chosen(result: dict[str, Any]) -> str:
    return redact(str(result.get("text") or result.get("label") or ", ".join(result.get("labels", ()))))


def _outcome(key: str, result: dict[str, Any] | None) -> str:
    """Return the sentence that says what was chosen, and by whom."""
    result = result or {}
    return translate(key, label=label(_chosen(result), 200), user=label(str(result.get("user", "")), 64))
