"""A check of a set-up: its input and its finding."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.settings.config import Environment, Settings

__all__ = ["Check", "EnabledGroup", "Finding", "Setup", "State", "fine", "note", "skipped", "wrong"]

State = Literal["ok", "note", "skipped", "wrong"]


@frozen
class Finding:
    """What one check found. The functions `fine`, `note`, `skipped` and `wrong` make one."""

    state: State
    found: str
    evidence: str = ""
    """What the finding rests on, such as a value or an error."""
    next: str = ""
    """What the operator can do about it; empty when there is nothing to do."""

    def to_json(self, check: str) -> dict[str, str]:
        """Return it as JSON, with the check's name: check, state, found, evidence, next."""
        return {
            "check": check,
            "state": self.state,
            "found": self.found,
            "evidence": self.evidence,
            "next": self.next,
        }


def fine(found: str, evidence: str = "") -> Finding:
    """Return the finding that all is well."""
    return Finding("ok", found, evidence)


def note(found: str, evidence: str = "", next_: str = "") -> Finding:
    """Return a finding that is worth knowing and keeps no message from coming or going."""
    return Finding("note", found, evidence, next_)


def skipped(reason: str) -> Finding:
    """Return the finding that the check could not be made."""
    return Finding("skipped", reason)


def wrong(found: str, evidence: str, next_: str) -> Finding:
    """Return a cause of silence, with what to do about it."""
    return Finding("wrong", found, evidence, next_)


@frozen
class EnabledGroup:
    """A group that the agent reads, with the part of its access rule that checks need."""

    id: str
    title: str
    require_mention: bool
    patterns: bool = False
    """Whether some patterns make a message count that does not name the bot."""

    @property
    def reads_unaddressed(self) -> bool:
        """Whether messages count that do not name the bot."""
        return not self.require_mention or self.patterns

    @property
    def label(self) -> str:
        """The title and id, for people."""
        return f"{self.title} ({self.id})" if self.title else self.id


@frozen
class Setup:
    """One channel's set-up, gathered from this machine before anything is asked of the network."""

    env: Environment
    settings: Settings | None = None
    settings_problem: str = ""
    """Why there are no settings; empty when there are."""
    token: str | None = None
    bot_id: str | None = None
    token_problem: str = ""
    """Why the token cannot be read; empty also when none is set."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The result of `runtime.status.facts`; empty without a database."""
    database_problem: str = ""
    """Why the database cannot be used; empty also when there is none."""
    hub_reader: Mapping[str, Any] | None = None
    """Who reads the bot for the hub that shares it, on whatever machine: machine, pid, state, error; None: nobody."""
    groups: tuple[EnabledGroup, ...] = ()
    disturb: bool = True
    """Whether a check may interrupt another reader of the bot for a moment, to find out that there is one."""

    @property
    def holder(self) -> Mapping[str, Any] | None:
        """The process that reads the bot, as in `facts`; None when none does."""
        found: Mapping[str, Any] | None = self.facts.get("owner")
        return found


Check = Callable[[], Awaitable[Finding]]
