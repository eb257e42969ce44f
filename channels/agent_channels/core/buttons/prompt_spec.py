"""A question as a value: the answers to choose from, the words of its card, and how far it has come."""

from __future__ import annotations

import json
from typing import Any, Literal

from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.messages import translate
from agent_channels.core.store.database import Row

__all__ = ["ALLOW", "DENY", "DONE", "LETTERS", "OTHER", "SESSION", "WHOLE", "Kind", "Prompt", "PromptSpec", "prompt_of"]

Kind = Literal["ask", "permission", "question"]
# The values of the extra buttons.
OTHER, DONE, WHOLE = "·other·", "·done·", "·whole·"
# The values of a permission's answers.
ALLOW, SESSION, DENY = "allow", "session", "deny"
# Five letters without l, as hosts write their request ids.
LETTERS = "abcdefghijkmnopqrstuvwxyz"
CHECKED, UNCHECKED = "☑ ", "☐ "


@frozen
class PromptSpec:
    """What is asked. A card shows `head`, `body`, `code`, `below` and `foot`; an `ask` has its own message instead.

    `multi`: several answers, then Done. `other`: free text is an answer too. `language` is that of `code`, and `file`
    the path of the file that `code` is a diff of: such a card shows the beginning of a long one, and sends it whole to
    who asks for it. `subject` is what a permission is for, in one line without secrets, `rule` the policy's rule that
    asks, and `approvers` how many people have to allow it. `verbatim`: the words are masked as what is decided about
    will be, and are shown as they are.
    """

    grid: Grid
    head: str = ""
    body: str = ""
    foot: str = ""
    multi: bool = False
    other: bool = False
    code: str = ""
    language: str = ""
    file: str = ""
    below: str = ""
    subject: str = ""
    rule: str = ""
    approvers: int = 1
    verbatim: bool = False

    def dump(self) -> str:
        """Return it as JSON."""
        grid = [[[b.label, b.value, b.style, b.url, b.form, b.copy] for b in row] for row in self.grid]
        words = (self.head, self.body, self.foot)
        code = (self.code, self.language, self.file, self.below)
        policy = (self.subject, self.rule, self.approvers)
        return json.dumps([grid, *words, self.multi, self.other, *code, *policy, self.verbatim])

    @classmethod
    def load(cls, text: str) -> PromptSpec:
        """Return what `dump` wrote."""
        grid, *rest = json.loads(text)
        return cls(tuple(tuple(Button(*cell) for cell in row) for row in grid), *rest)

    def drawn_grid(self, chosen: list[int] | None = None) -> Grid:
        """Return the grid as people see it: check marks on what is chosen, and the extra buttons."""
        grid = [list(row) for row in self.grid]
        if self.multi:
            checked, position = set(chosen or ()), 0
            for row in grid:
                for column, button in enumerate(row):
                    if button.answers:
                        mark = CHECKED if position in checked else UNCHECKED
                        row[column] = Button(mark + button.label, button.value, button.style)
                    position += 1
        extra = []
        if self.other:
            extra.append(Button(translate("button_other"), OTHER, form=True))
        if self.multi:
            extra.append(Button(translate("button_done"), DONE, "primary"))
        return tuple(tuple(row) for row in [*grid, extra] if row)

    def cells(self) -> list[tuple[int, int, Button]]:
        """Return the answers with row and column, in reading order."""
        return [(r, c, button) for r, row in enumerate(self.grid) for c, button in enumerate(row)]


@frozen
class Prompt:
    """One question. `state` is open, answered, taken (the asker has the answer) or closed; times are epoch seconds.

    `lease_until` is until when the asker surely waits; `chosen` are the checked positions; `typing_by` is the user id
    of who tapped "other" and may type the answer. `host` are the keys of the host process that relayed the prompt, and
    waits for the verdict whatever becomes of the server; empty if the asker waits itself. `allowed_by` are the ids of
    the people who have allowed it so far, where several have to.
    """

    id: str
    kind: Kind
    request_id: str
    session: str
    spec: PromptSpec
    state: str
    sent: bool
    expires_at: float
    lease_until: float
    chosen: list[int]
    result: dict[str, Any] | None
    typing_by: str | None
    host: frozenset[str]
    allowed_by: tuple[str, ...] = ()

    def words(self) -> str:
        """Return everything that it says, and what it was answered, as one text to search."""
        spec, result = self.spec, self.result or {}
        buttons = (text for _, _, button in spec.cells() for text in (button.label, button.value))
        answers = (result.get("text"), result.get("label"), *result.get("labels", ()))
        texts = (spec.head, spec.body, spec.code, spec.below, spec.foot, spec.subject, *buttons, *answers)
        return "\n".join(filter(None, texts))


def prompt_of(row: Row) -> Prompt:
    """Return a row of the prompts table as a value."""
    return Prompt(
        id=row["id"],
        kind=row["kind"],
        request_id=row["request_id"],
        session=row["session"],
        spec=PromptSpec.load(row["spec"]),
        state=row["state"],
        sent=bool(row["sent"]),
        expires_at=row["expires_at"],
        lease_until=row["lease_until"],
        chosen=json.loads(row["chosen"]),
        result=json.loads(row["result"]) if row["result"] else None,
        typing_by=row["typing_by"],
        allowed_by=tuple(json.loads(row["allowed_by"])),
        host=frozenset(filter(None, row["host"].split("\n"))),
    )
