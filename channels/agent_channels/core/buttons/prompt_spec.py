"""What is asked, as a value: the answers to choose from, the words of a card, and how far it has come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.i18n.messages import translate
from agent_channels.core.store.database import Row

__all__ = ["DONE", "LETTERS", "OTHER", "Kind", "Prompt", "PromptSpec", "prompt_of"]

Kind = Literal["ask", "permission", "question"]
OTHER, DONE = "·other·", "·done·"
# Five letters without l, as hosts write their request ids.
LETTERS = "abcdefghijkmnopqrstuvwxyz"
TICK = "☑ "
BOX = "☐ "


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """What is asked. `label`: a short name of it for later; `head` and `body`: what a card shows, `body` in full."""

    grid: Grid
    head: str = ""
    body: str = ""
    foot: str = ""
    multi: bool = False
    other: bool = False

    def dump(self) -> str:
        """As JSON."""
        grid = [[[b.label, b.value, b.style, b.url] for b in row] for row in self.grid]
        return json.dumps([grid, self.head, self.body, self.foot, self.multi, self.other])

    @classmethod
    def load(cls, text: str) -> PromptSpec:
        """From JSON."""
        grid, *rest = json.loads(text)
        return cls(tuple(tuple(Button(*cell) for cell in row) for row in grid), *rest)

    def shown(self, chosen: list[int] | None = None) -> Grid:
        """The grid as it is drawn: ticks on what is chosen, and the extra buttons."""
        grid = [list(row) for row in self.grid]
        if self.multi:
            ticked, position = set(chosen or ()), 0
            for row in grid:
                for column, button in enumerate(row):
                    mark = TICK if position in ticked else BOX
                    row[column] = Button(mark + button.label, button.value, button.style)
                    position += 1
        extra = []
        if self.other:
            extra.append(Button(translate("button_other"), OTHER, form=True))
        if self.multi:
            extra.append(Button(translate("button_done"), DONE, "primary"))
        return tuple(tuple(row) for row in [*grid, extra] if row)

    def flat(self) -> list[Button]:
        """The answers, in reading order."""
        return [button for row in self.grid for button in row]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question."""

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


def prompt_of(row: Row) -> Prompt:
    """A row of the prompts table."""
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
    )
