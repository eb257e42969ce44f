"""What a check of a set-up finds, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent_channels.core.settings.config import Environment, Settings

__all__ = ["Check", "Finding", "Place", "Setup", "State", "fine", "note", "skipped", "wrong"]

State = Literal["ok", "note", "skipped", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer: what was found, by what it is known, and what to do next.

    `state`: `wrong` keeps messages from coming or going, `note` is worth knowing and right as it is, `skipped` could
    not be looked at.
    """

    state: State
    found: str
    evidence: str = ""
    next: str = ""

    def shape(self, check: str) -> dict[str, str]:
        """As JSON: check, state, found, evidence, next."""
        return {
            "check": check,
            "state": self.state,
            "found": self.found,
            "evidence": self.evidence,
            "next": self.next,
        }


def fine(found: str, evidence: str = "") -> Finding:
    """Nothing to do."""
    return Finding("ok", found, evidence)


def note(found: str, evidence: str = "", next_: str = "") -> Finding:
    """Worth knowing."""
    return Finding("note", found, evidence, next_)


def skipped(why: str) -> Finding:
    """Could not be looked at."""
    return Finding("skipped", why)


def wrong(found: str, evidence: str, next_: str) -> Finding:
    """A cause of silence, with the way out."""
    return Finding("wrong", found, evidence, next_)


@dataclass(frozen=True, slots=True)
class Place:
    """An enabled group."""

    id: str
    title: str
    require_mention: bool
    patterns: bool = False
    """Whether messages count that do not name the bot, by patterns."""

    @property
    def overhears(self) -> bool:
        """Whether messages count that do not name the bot."""
        return not self.require_mention or self.patterns

    @property
    def shown(self) -> str:
        """Its title and id."""
        return f"{self.title} ({self.id})" if self.title else self.id


@dataclass(frozen=True, slots=True)
class Setup:
    """One channel's set-up as it lies there, gathered before anything is asked of the network.

    `facts` is what `runtime.status.facts` knows, {} without a database; `problem` why there is none;
    `settings_problem` and `token_problem` say why there are no settings, or no token.
    """

    env: Environment
    settings: Settings | None = None
    settings_problem: str = ""
    token: str | None = None
    bot_id: str | None = None
    token_problem: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    places: tuple[Place, ...] = ()
    disturb: bool = True
    """Whether a check may disturb another reader of the bot for a moment, to see that there is one."""

    @property
    def holder(self) -> Mapping[str, Any] | None:
        """The process that reads the bot, as in the facts."""
        found: Mapping[str, Any] | None = self.facts.get("owner")
        return found


Check = Callable[[], Awaitable[Finding]]
