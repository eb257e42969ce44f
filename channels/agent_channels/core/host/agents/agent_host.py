"""What is known of an agent host: who it says it is, what it takes, and which of its files we write.

The figures were measured with the host's own program (docs/hosts.md says which version); a host without a file here
gets the limits of the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol

from agent_channels.core.contract.checks import Finding
from agent_channels.core.frozen import frozen
from agent_channels.core.settings.config import Environment

__all__ = ["Ability", "AgentHost", "HostFile", "HostLimits", "SessionBell"]


@frozen
class HostLimits:
    """How long one tool call may take, in seconds, and how many characters of its result reach the model whole.

    `in_bytes`: the host counts the bytes of UTF-8 instead. `context_max`: how many characters of what a hook adds, in
    UTF-16 units. `cancels_answered`: it cancels each call once it has the result, so a cancelled result is not lost.
    """

    call_s: float = 50.0
    result_max: int = 6_000
    context_max: int = 9_000
    in_bytes: bool = False
    cancels_answered: bool = False


@frozen
class HostFile:
    """A file of a host's that `channels setup --host` writes into, and `channels uninstall` takes ours out of.

    `add` returns the file's text with ours in it, given its text, "" if there is none; where ours is in it already it
    returns the text as it is. `remove` is the way back; "" if nothing of others is left. Both raise `ConfigError` for a
    text that cannot be read. `what`: what of ours is in it, in words.
    """

    path: Path
    what: str
    add: Callable[[str], str]
    remove: Callable[[str], str]


class SessionBell(Protocol):
    """How a host is told to begin a turn in one of its sessions."""

    async def ring(self, host_id: str, text: str) -> None:
        """Give the session with this id of the host's a prompt: at once if it is idle, else after its turn.

        Raises `Unavailable` if the host does not take it.
        """
        ...


@frozen
class Ability:
    """Whether a host can do something besides calling tools, and how: in words, for the table and `channels status`.

    `how` is "" where the host has no documented way.
    """

    how: str = ""

    def __bool__(self) -> bool:
        return bool(self.how)


@frozen
class AgentHost:
    """One host.

    `program` is the command that starts it. `files(environments)` returns the files to write for the channels whose
    environments these are, in this project; `arguments(environments)` what its command line takes so that a new session
    receives their messages. `checks` are those that `channels doctor --host` makes beside its files, by name.
    `bell(env)` wakes its idle sessions from our server.
    """

    name: str
    title: str
    program: str = ""
    limits: HostLimits = field(default_factory=HostLimits)
    files: Callable[[Sequence[Environment]], list[HostFile]] | None = None
    arguments: Callable[[Sequence[Environment]], list[str]] | None = None
    checks: Mapping[str, Callable[[Environment], Finding]] = field(default_factory=dict)
    bell: Callable[[Environment], SessionBell] | None = None
    wake: Ability = Ability()
    hand_over: Ability = Ability()
    permission: Ability = Ability()
    stop: Ability = Ability()

    @property
    def only_pulls(self) -> bool:
        """Whether its agent gets messages in no other way than by asking for them."""
        return not (self.wake or self.hand_over)
