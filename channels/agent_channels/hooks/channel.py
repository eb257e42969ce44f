"""A channel's store as a hook sees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent_channels.core.contract.messages import Place
from agent_channels.core.errors import ChannelError
from agent_channels.core.host.final_answers import FinalAnswers
from agent_channels.core.host.hand_over import CONTEXT_MAX, ENTRIES_MAX, hand_over
from agent_channels.core.host.loops import Loop, Loops
from agent_channels.core.host.progress_messages import ProgressMessages
from agent_channels.core.host.sessions import CARRIED, HostSession, Sessions
from agent_channels.core.host.turns import Turn, Turns
from agent_channels.core.journal.entry import Entry
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.settings.hook_settings import HookSettings, load_hook_settings
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.core.store.notices import Notices
from agent_channels.core.store.steady_clock import SteadyClock
from agent_channels.hooks.event import HookEvent
from agent_channels.registry import CHANNELS

if TYPE_CHECKING:
    from agent_channels.core.runtime.turn_notices import TurnNotices

__all__ = ["HookChannel", "channel_folders", "open_hook_channels"]

WAIT_LEASE_S = 6.0


class HookChannel:
    """One channel's store, and whether its bot is read for the host session that runs the hook.

    `session` is the id by which the servers know that session.
    """

    def __init__(self, name: str, folder: Path, store: Store, event: HookEvent) -> None:
        self.name, self.folder, self.store = name, folder, store
        # Not all of `Services`: most hooks need no more, and importing the rest takes time.
        self.inbox = Inbox(store, History(store), clock=SteadyClock(KeyValue(store)))
        self.sessions, self.health = Sessions(store), Health(store)
        self.turns, self.answers = Turns(store), FinalAnswers(store)
        self.notices = Notices(store)
        self.loops = Loops(store, self.notices, Audit(store), ProgressMessages(store))
        self.session, self.project, self._host = event.session, event.project, event.host
        if not event.host.names_itself:
            self.session = self.sessions.of_host(event.host.keys, event.session) or event.session
            if self.session == event.session:
                self.sessions.leave(event.session, event.host.keys)
        self._named = event.session
        self._context_max = event.context_max or CONTEXT_MAX
        self._lease_ends = 0.0
        self._settings: tuple[float, HookSettings] | None = None
        self.is_ours()

    def is_ours(self) -> bool:
        """Return whether the bot is read for the session that runs this hook."""
        reader = self.health.get("session")
        keys = (self.health.get("host") or "").split("\n")
        if reader and self._host.names_itself and not self._host.keys.isdisjoint(keys):
            # A host that clears its conversation goes on under a new session id; its servers keep the old one.
            self.session = reader
        return bool(self.session) and reader == self.session

    def serves_host(self) -> bool:
        """Return whether a server of ours runs in the host that runs this hook, for a host that does not say so."""
        return self.session != self._named

    def host_session(self) -> HostSession | None:
        """Return what is known of the session that runs this hook."""
        return self.sessions.get(self.session)

    # ---- messages

    def waiting(self) -> list[Entry]:
        """Return the open messages that were not handed to this session yet."""
        return self.inbox.ready(ENTRIES_MAX)

    def hand_over(self, room: int = CONTEXT_MAX) -> str:
        """Offer the waiting messages that fit into `room` characters; return them as text, "" if none is waiting."""
        handed = hand_over(self.inbox, self.turns, self.session, self.name, min(room, self._context_max))
        if handed.entries and any(name.startswith("OTEL_") for name in os.environ):
            _trace(self.inbox, handed.entries)
        return handed.text

    def end_turn(self, said: str) -> str | None:
        """Record that the session's turn ended, and what its agent said then; return its id if it ended by this."""
        if (turn := self.turns.current(self.session)) is None:
            return None
        with self.store.transaction():
            if not self.turns.end(turn.id, "done"):
                return None
            if said.strip() and turn.places:
                self.answers.add(turn, said)
        return turn.id

    def turn_at_work(self) -> Turn:
        """Return the session's turn; begin one if none runs, which may be for what was posted to its inbox."""
        if (turn := self.turns.current(self.session)) is not None:
            return turn
        return self.turns.show(self.session, [Place(*place) for place in self.inbox.posted_from(self.session)])

    def end_stopped(self, turn: Turn) -> None:
        """Record that the session's turn ended since it was stopped, and with it what it was asked; tell its chats."""
        notices = self._turn_notices()
        with self.store.transaction():
            if self.turns.end(turn.id, "stopped"):
                for chat_id in turn.chats:
                    self.inbox.answer(chat_id, self.session)
                notices.tell_stopped(turn)

    def end_if_stopped(self) -> None:
        """Do so for a turn that was asked to stop, where nothing else told people."""
        turn = self.turns.current(self.session)
        if turn is not None and turn.stop_at is not None:
            self.end_stopped(turn)

    def steer(self) -> str:
        """Hand over what came in the middle of a turn, if no better way carries it; tell people, once a turn."""
        session = self.host_session()
        if session is None or session.mode not in {"hook", "pull"} or not self.waiting():
            return ""
        before = self.turns.current(self.session)
        known = set(before.places if before else ())
        text = self.hand_over()
        turn = self.turns.current(self.session)
        if turn is not None:
            self._turn_notices().tell_steered(turn, set(turn.places) - known)
        return text

    def tell_dialog(self, message: str) -> None:
        """Tell approvers that a dialog waits at the terminal, unless they have a card for it."""
        self._turn_notices().tell_dialog(self.turns.current(self.session), message)

    def _turn_notices(self) -> TurnNotices:
        # Few hooks have anything to tell.
        from agent_channels.core.i18n.messages import set_language
        from agent_channels.core.runtime.turn_notices import TurnNotices
        from agent_channels.core.scheduling import Wakeups
        from agent_channels.core.services import Services

        set_language(self.settings().language)
        return TurnNotices(Services.of(self.store), Wakeups())

    def sends_answer(self, turn_id: str) -> bool:
        """Return whether a process that reads the bot has still to look after what was said at a turn's end."""
        return self.answers.are_due(turn_id) and self.is_read()

    def is_read(self) -> bool:
        """Return whether a process reads the bot for this state folder."""
        # Most hooks need no more than the store.
        from agent_channels.core.runtime.reader_lock import ReaderLock

        bot_id = self.health.get("bot_id")
        return bot_id is not None and ReaderLock(self.name, bot_id, self.folder).is_read()

    def has_unread_post(self) -> bool:
        """Return whether a message was just posted to the session's socket: a host does not read it during a hook."""
        return self.inbox.posted_since(self.session, "wake", self.inbox.now() - self.settings().escalate_after_s)

    # ---- the loop

    def loop(self) -> Loop | None:
        """Return the loop that runs in the session, by the host's id for it or by the servers'."""
        return self.loops.current(*self._ids())

    def has_begun(self, loop: Loop) -> bool:
        """Return whether the agent was shown the message that began a loop; it is not handed over again then.

        The server may have been started again since, and offers what is not answered once more.
        """
        if not self.is_ours() or loop.delivery_id is None:
            return True
        known = self.host_session()
        unproven = [mode for mode in CARRIED if known is None or mode not in known.proven]
        if loop.round == 1 and self.inbox.is_unseen(loop.delivery_id, unproven):
            return False
        with self.store.transaction():
            again = [entry for entry in self.waiting() if entry.delivery_id == loop.delivery_id]
            self.inbox.finish_offer([entry.id for entry in self.inbox.begin_offer(again, self.session, "hook")])
        return True

    def end_loop(self) -> bool:
        """End the session's loop, since the session is over; return False if none runs."""
        loop = self.loop()
        if loop is None:
            return False
        from agent_channels.core.i18n.messages import set_language

        set_language(self.settings().language)
        return self.loops.end(loop, "gone")

    def prompted(self) -> None:
        """Record that a prompt reached the session."""
        self.sessions.record_hook(self.session, "prompt")
        self.loops.prompted(*self._ids())

    def take_due_loop(self) -> Loop | None:
        """Return the loop for whose next round the session has to be woken now; the caller does so."""
        return self.loops.take_due(*self._ids())

    def _ids(self) -> set[str]:
        return {self.session, self._named}

    # ---- waiting for messages

    def announce_wait(self) -> None:
        """Tell the server that this hook takes what comes, so that it is not offered another way too."""
        if self._lease_ends < self.inbox.now() + WAIT_LEASE_S / 2:
            self._lease_ends = self.inbox.now() + WAIT_LEASE_S
            self.sessions.set_waiting(self.session, self._lease_ends)

    def withdraw_wait(self) -> None:
        """Take the announcement back."""
        if self._lease_ends:
            self.sessions.set_waiting(self.session, 0.0)

    # ---- settings

    def settings(self) -> HookSettings:
        """Return the settings in config.yaml as it is now; a hook that waits obeys a change at once.

        What the server would refuse is reported on stderr, and its default holds.
        """
        path = self.folder / "config.yaml"
        try:
            changed_at = path.stat().st_mtime
        except OSError:
            changed_at = 0.0
        if self._settings is None or self._settings[0] != changed_at:
            settings, problems = load_hook_settings(path)
            self._settings = changed_at, settings
            if problems:
                for problem in problems:
                    _report(self.folder, problem)
        return self._settings[1]


def channel_folders(event: HookEvent) -> dict[str, Path]:
    """Return where the state folder of each channel of the event's project is, which may not exist."""
    environ = {**os.environ, "CLAUDE_PROJECT_DIR": str(event.project)}
    return {name: state_dir(name, environ) for name in CHANNELS}


@contextmanager
def open_hook_channels(event: HookEvent) -> Iterator[list[HookChannel]]:
    """Open every channel that has a store in the event's project; skip those whose store cannot be opened.

    Why it cannot is said on stderr.
    """
    channels: list[HookChannel] = []
    try:
        for name, folder in channel_folders(event).items():
            # A hook never creates a store: a project without a channel stays as it is.
            if (folder / "channel.db").is_file():
                try:
                    channels.append(HookChannel(name, folder, Store.open(folder), event))
                except (ChannelError, OSError) as error:
                    _report(folder, str(error))
        yield channels
    finally:
        for channel in channels:
            channel.store.close()


def _trace(inbox: Inbox, entries: Sequence[Entry]) -> None:
    """Record that messages were handed over, and send that: the hook ends in a moment."""
    from agent_channels import __version__
    from agent_channels.core import tracing
    from agent_channels.core.journal.traces import offer_span

    tracing.configure(__version__)
    if not tracing.is_on():
        return
    for entry in entries:
        with offer_span(inbox, entry, "hook"):
            pass
    tracing.flush()


def _report(folder: Path, problem: str) -> None:
    """Say on stderr, and in the log of the state folder, what keeps a hook from its work."""
    # Most hooks have nothing to say.
    from agent_channels.core.log import redact
    from agent_channels.core.settings.log_file import LogFile

    print(redact(f"channels: {problem}"), file=sys.stderr)
    LogFile(folder, "hook").write("WARNING", __name__, problem)
