"""How messages reach this session's agent: found out by itself, with the reason, and given up when it does not work.

The ladder is push, wake, hook, pull. Push and wake are things we do; hook and pull are things the host or the agent
does, for which messages are kept ready.
"""

from __future__ import annotations

import time

from agent_channels.core.host.inbox_socket import InboxSocket
from agent_channels.core.host.sessions import HostSession, Sessions
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.settings.config import Settings

__all__ = ["Modes"]

CARRIED = ("push", "wake")
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
        wake: InboxSocket | None,
    ) -> None:
        """`flag`: the host's channel flag, if its command line shows one; `wake`: its inbox socket, if it gave one."""
        self._fixed = None if settings.mode == "auto" else settings.mode
        self._after_s = settings.escalate_after_s
        self._session, self._inbox, self._sessions = session, inbox, sessions
        self._flag = flag
        self.wake = wake
        self._failed: dict[str, str] = {}
        self._said = ""
        self._known: HostSession | None = None
        self._known_at = 0.0
        self._revision = 0

    def current(self) -> tuple[str, str]:
        """The mode in force, and why."""
        if self._fixed:
            return self._fixed, "fixed by the operator"
        known = self._session_now()
        proven = known.proven if known else frozenset()
        failed = "".join(f"; {mode} {why}" for mode, why in self._failed.items())
        works = [(mode, why) for mode, why in self._ladder() if mode not in self._failed]
        # What carries by itself and was answered goes before what is only believed in. An agent that once fetched
        # something does not thereby say that it will ask again.
        works.sort(key=lambda found: found[0] not in proven or found[0] not in CARRIED)
        for mode, why in works:
            return mode, f"{why}, and the agent has answered that way{failed}" if mode in proven else f"{why}{failed}"
        return "pull", f"messages are kept until the agent calls wait_for_messages{failed}"

    def _session_now(self) -> HostSession | None:
        # Asked at every message; only our own writes and, once a second, other processes change the row.
        now = time.monotonic()
        if self._known is None or now - self._known_at > REFRESH_S:
            self._known, self._known_at = self._sessions.get(self._session), now
        return self._known

    def refresh(self) -> None:
        """Something was written about this session: look again."""
        self._known = None

    def _ladder(self) -> list[tuple[str, str]]:
        ladder = []
        if self._flag:
            ladder.append(("push", f"the host was started with {self._flag}"))
        if self.wake is not None:
            ladder.append(("wake", "the host gave its session's inbox socket"))
        known = self._session_now()
        since = time.time() - HOOK_FRESH_S
        fresh = [name for name in HANDING if known and known.hooks.get(name, 0.0) > since]
        if fresh:
            ladder.append(("hook", f"this session runs the hooks {', '.join(fresh)}"))
        if known and known.pulled_at:
            ladder.append(("pull", "the agent asks for messages by itself"))
        if not ladder:
            # Costs nothing where it is not understood, and is all that can be tried.
            ladder.append(("push", "nothing shows how this host takes messages, so they are pushed"))
        return ladder

    def left_to_hook(self) -> bool:
        """Whether a hook of this session waits for the next message right now: it takes what comes."""
        if (revision := self._sessions.store.revision()) != self._revision:
            # Another process wrote something: it may have been the hook.
            self._revision = revision
            self.refresh()
        known = self._session_now()
        return known is not None and known.waiting_until > time.time()

    def acted(self, chat_id: str) -> None:
        """Before an answer is counted: the modes that carried what is being answered are proven."""
        news = False
        for mode in self._inbox.modes_of(chat_id, self._session):
            news |= self._failed.pop(mode, None) is not None
            known = self._session_now()
            if known is None or mode not in known.proven:
                self._sessions.prove(self._session, mode)
                self.refresh()
                news = True
        if self.wake is not None:
            self.wake.acted()
        if news:
            self.publish()

    def fail(self, mode: str, why: str) -> None:
        """A mode does not work in this session."""
        self._failed[mode] = why

    def unproven(self) -> list[str]:
        """The carried modes in which nothing was ever answered."""
        known = self._session_now()
        return [mode for mode in CARRIED if not known or mode not in known.proven]

    def escalate(self) -> bool:
        """Gives up the mode in force if it is unproven and drew no answer in time; True when something is ready again.

        A mode fixed by hand is never given up, and what nothing below could carry stays offered.
        """
        if self._fixed:
            return False
        mode, _ = self.current()
        if mode not in self.unproven():
            return False
        below = [name for name, _ in self._ladder() if name != mode and name not in self._failed]
        if not below or not self._inbox.escalate(self._session, mode, time.time() - self._after_s):
            return False
        self.fail(mode, f"drew no answer in {self._after_s:.0f} s")
        return True

    def publish(self) -> tuple[str, str]:
        """Writes the mode down for other processes; returns it."""
        mode, why = self.current()
        if self._said != f"{mode}{why}":
            self._said = f"{mode}{why}"
            self._sessions.mode(self._session, mode, why)
        return mode, why
