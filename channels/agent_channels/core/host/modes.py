"""How messages reach this session's agent: detected, with the reason, and given up if it does not work.

The ladder is push, wake, hook, pull. Push and wake are things we do; hook and pull are things the host or the agent
does, for which messages are kept ready.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from agent_channels.core.host.agents.agent_host import AgentHost
from agent_channels.core.host.hand_over import CONTEXT_MAX
from agent_channels.core.host.inbox_socket import InboxSocket
from agent_channels.core.host.sessions import CARRIED, HostSession, Sessions
from agent_channels.core.host.turns import Turns
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.scheduling import RARELY_S
from agent_channels.core.settings.config import Settings

__all__ = ["Modes"]

# The hooks that hand messages over; the others only show that the host runs hooks.
HANDING = ("bell", "prompt", "stop")
# A hook that ran this long ago may be gone from the settings.
HOOK_FRESH_S = 24 * 3600.0
REFRESH_S = 1.0


class Modes:
    """The mode in force for one host session."""

    def __init__(
        self,
        settings: Settings,
        session: str,
        inbox: Inbox,
        sessions: Sessions,
        flag: str | None,
        socket: InboxSocket | None,
        host: AgentHost | None = None,
    ) -> None:
        """`flag`: the host's channel flag, if its command line has one; `socket`: its inbox socket, if it gave one.

        `host`: the known host that this is, if it is one; none of these take pushes.
        """
        self._host = host
        self._fixed = None if settings.mode == "auto" else settings.mode
        self._after_s = settings.escalate_after_s
        self._session, self._inbox, self._sessions = session, inbox, sessions
        self._flag = flag
        self._turns = Turns(sessions.store)
        self.socket = socket
        self._failed: dict[str, str] = {}
        self._published = ""
        self._cached: HostSession | None = None
        self._cached_at = 0.0
        # What follows from it: asked several times a message, and built from sentences.
        self._found: tuple[str, str] | None = None
        self._revision = 0

    def current(self) -> tuple[str, str]:
        """Return the mode in force, and why."""
        if self._fixed:
            return self._fixed, sentence("set by the operator")
        known = self._cached_session()
        if self._found is None:
            self._found = self._find(known)
        return self._found

    def _find(self, known: HostSession | None) -> tuple[str, str]:
        proven = known.proven if known else frozenset()
        failed = [sentence("{mode} {why}", mode=mode, why=why) for mode, why in self._failed.items()]
        works = [(mode, why) for mode, why in self._ladder() if mode not in self._failed]
        # A mode that we carry and that was answered goes before one that is only assumed to work. That an agent fetched
        # something once does not mean that it will ask again.
        works.sort(key=lambda found: found[0] not in proven or found[0] not in CARRIED)
        for mode, why in works:
            answered = sentence("{why}, and the agent has answered that way", why=why) if mode in proven else why
            return mode, joined([answered, *failed])
        return "pull", joined(["messages are kept until the agent calls wait_for_messages", *failed])

    def _cached_session(self) -> HostSession | None:
        # Asked at every message; only our own writes and, once a second, other processes change the row.
        now = time.monotonic()
        if self._cached is None or now - self._cached_at > REFRESH_S:
            self._cached, self._cached_at = self._sessions.get(self._session), now
            self._found = None
        return self._cached

    def refresh(self) -> None:
        """Forget what is cached of this session: something was recorded about it."""
        self._cached = None

    def _ladder(self) -> list[tuple[str, str]]:
        ladder: list[tuple[str, str]] = []
        if self._flag:
            ladder.append(("push", sentence("the host was started with {flag}", flag=self._flag)))
        if self.socket is not None:
            ladder.append(("wake", sentence("the host gave its session's inbox socket")))
        known = self._cached_session()
        since = time.time() - HOOK_FRESH_S
        fresh = [name for name in HANDING if known and known.hooks.get(name, 0.0) > since]
        if fresh:
            why = sentence("this session runs the hooks {hooks}", hooks=", ".join(fresh))
            if self._host is not None and self._host.wake:
                why = sentence("{why}, and is woken: {how}", why=why, how=self._host.wake.how)
            ladder.append(("hook", why))
        if known and known.pulled_at:
            ladder.append(("pull", sentence("the agent asks for messages by itself")))
        if not ladder and self._host is None:
            # A push costs nothing where it is not understood, and is all that can be tried.
            ladder.append(("push", sentence("nothing shows how this host takes messages, so they are pushed")))
        return ladder

    @property
    def context_max(self) -> int:
        """How many characters of what a hook adds this host shows its model whole."""
        return self._host.limits.context_max if self._host is not None else CONTEXT_MAX

    def hook_is_waiting(self) -> bool:
        """Return True if a hook of this session waits for the next message right now: it takes what comes."""
        if (revision := self._sessions.store.revision()) != self._revision:
            # Another process committed: it may have been the hook.
            self._revision = revision
            self.refresh()
        known = self._cached_session()
        return known is not None and known.waiting_until > self._inbox.now()

    def has_hook(self, name: str) -> bool:
        """Return whether a hook of this session ran."""
        known = self._cached_session()
        return known is not None and name in known.hooks

    def acted(self, modes: Iterable[str]) -> bool:
        """Prove the modes that carried what the agent has or answers; called before an answer is counted.

        Returns True if that changed what is known of a mode: another one may be in force.
        """
        changed = False
        for mode in modes:
            if self._failed.pop(mode, None) is not None:
                self._found, changed = None, True
            known = self._cached_session()
            if known is None or mode not in known.proven:
                self._sessions.prove(self._session, mode)
                self.refresh()
                changed = True
        if self.socket is not None:
            self.socket.mark_agent_active()
        if changed:
            self.publish()
        return changed

    def fail(self, mode: str, why: str) -> None:
        """Give a mode up for this session."""
        self._failed[mode] = why
        self._found = None

    def unproven(self) -> list[str]:
        """Return the modes that we carry in which nothing was ever answered."""
        known = self._cached_session()
        return [mode for mode in CARRIED if not known or mode not in known.proven]

    @property
    def look_within_s(self) -> float:
        """How long `may_escalate` may go unasked, so that what is offered meanwhile is not given up too late."""
        return min(RARELY_S, self._after_s)

    def may_escalate(self) -> bool:
        """Return whether something was offered by a mode that is unproven, so that it is given up without an answer."""
        return self._fixed is None and self.current()[0] in self.unproven() and self._inbox.any_offered(self._session)

    def escalate(self) -> bool:
        """Give up the mode in force if it is unproven and drew no answer in time.

        A mode fixed by the operator is never given up, and what nothing below could carry stays offered.
        Returns True if something is ready again.
        """
        if self._fixed:
            return False
        mode, _ = self.current()
        if mode not in self.unproven():
            return False
        if self._host is not None and self._turns.current(self._session) is not None:
            # It works on something, and tells of no prompt that came by its inbox: what was posted is read, or will be.
            return False
        below = [name for name, _ in self._ladder() if name != mode and name not in self._failed]
        if not below or not self._inbox.escalate(self._session, mode, self._inbox.now() - self._after_s):
            return False
        self.fail(mode, sentence("drew no answer in {after_s:.0f} s", after_s=self._after_s))
        return True

    def publish(self) -> tuple[str, str]:
        """Record the mode for other processes; return it."""
        mode, why = self.current()
        if self._published != f"{mode}{why}":
            self._published = f"{mode}{why}"
            self._sessions.set_mode(self._session, mode, why)
        return mode, why
