"""A hook's input, the host that runs it, and every channel's store as it sees them. Imports next to nothing."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ChannelError
from agent_channels.core.host.frames import channel_block, channel_blocks
from agent_channels.core.host.sessions import HostSession, Sessions
from agent_channels.core.i18n.messages import LANGUAGES, set_language
from agent_channels.core.journal.entry import Entry
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.settings.paths import env_value, state_dir
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health
from agent_channels.registry import CHANNELS

__all__ = ["HookChannel", "HookEvent", "HookHost", "open_hook_channels"]

INPUT_MAX = 4 * 1024 * 1024
HANDED = 20
# Hosts put more than 10,000 characters of a hook's context into a file and show the model only where it begins.
CONTEXT_MAX = 9_000
WAIT_LEASE_S = 6.0


class HookHost:
    """The program that runs the hook: how it is known to its servers too, and whether it still lives."""

    def __init__(self) -> None:
        pid = env_value("CLAUDE_PID") or ""
        self._parent = os.getppid()
        self._pid = int(pid) if pid.isascii() and pid.isdigit() and os.name == "posix" else None
        self.keys = {key for key in (env_value("CLAUDE_CODE_MESSAGING_SOCKET"), f"pid {pid}" if pid else None) if key}

    def gone(self) -> bool:
        """Whether nobody is there any more to take what the hook says; a shell between the two may outlive the host."""
        if os.getppid() != self._parent:
            return True
        try:
            if self._pid is not None:
                os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


class HookEvent:
    """A hook's input. Every field is checked where it is used: it comes from outside."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        session = values.get("session_id")
        self.session = session if isinstance(session, str) and session else env_value("CLAUDE_CODE_SESSION_ID") or ""
        cwd = values.get("cwd")
        self.cwd = Path(cwd) if isinstance(cwd, str) and cwd else Path.cwd()
        self.project = Path(env_value("CLAUDE_PROJECT_DIR") or self.cwd)
        self.host = HookHost()

    @classmethod
    def read(cls) -> HookEvent:
        """From standard input.

        Raises ValueError for what is no JSON object, or names no session: nothing is done for it.
        """
        values = json.loads(sys.stdin.read(INPUT_MAX))
        event = cls(values) if isinstance(values, dict) else None
        if event is None or not event.session:
            raise ValueError("the input is no object that names a session")
        return event


class HookChannel:
    """One channel's store as a hook sees it."""

    def __init__(self, channel: str, folder: Path, store: Store, event: HookEvent) -> None:
        self.channel, self.folder, self.store = channel, folder, store
        self.inbox, self.sessions, self.health = Inbox(store, History(store)), Sessions(store), Health(store)
        self._waits_until = 0.0
        self.session, self._host = event.session, event.host
        self.ours()

    def ours(self) -> bool:
        """Whether the bot is read for the session that runs this hook."""
        reader = self.health.get("session")
        keys = (self.health.get("host") or "").split("\n")
        if reader and not self._host.keys.isdisjoint(keys):
            # A host that clears its conversation goes on under a new session id; its servers keep the old one.
            self.session = reader
        return bool(self.session) and reader == self.session

    def state(self) -> HostSession | None:
        """The row of the session that runs this hook."""
        return self.sessions.get(self.session)

    def waiting(self) -> list[Entry]:
        """What is open and was not handed to this session yet."""
        return self.inbox.ready(HANDED)

    def hand_over(self) -> str:
        """Takes what is waiting and fits, written down as offered by a hook; its blocks, and a word on what is left.

        In one transaction, since the server offers it too in another mode. Empty when nothing is waiting.
        """
        if not self.waiting():
            return ""
        with self.store.transaction():
            waiting = self.waiting()
            fitting = [entry for entry, size in zip(waiting, self._sizes(waiting), strict=True) if size <= CONTEXT_MAX]
            offered = self.inbox.begin_offer(fitting, self.session, "hook")
            self.inbox.finish_offer([entry.id for entry in offered])
        left = len(waiting) - len(offered)
        more = f"{left} more, or too long for this place: call wait_for_messages (timeout_s 0) of {self.channel}."
        return "\n".join(filter(None, (channel_blocks(self.channel, offered), more if left else "")))

    def _sizes(self, entries: list[Entry]) -> list[int]:
        """How much of the context each entry fills, with all before it, in UTF-16 units."""
        sizes = (len(channel_block(self.channel, entry).encode("utf-16-le")) // 2 + 25 for entry in entries)
        return list(itertools.accumulate(sizes))

    def posted(self) -> bool:
        """Whether something was just posted to this session and not answered: a host that waits does not read it."""
        return self.inbox.posted_since(self.session, "wake", time.time() - self.setting("escalate_after_s", 15))

    def wait(self) -> None:
        """Tells the server, now and then, that a hook takes what comes, so that it is not offered another way too."""
        if self._waits_until < time.time() + WAIT_LEASE_S / 2:
            self._waits_until = time.time() + WAIT_LEASE_S
            self.sessions.set_waiting(self.session, self._waits_until)

    def wait_no_more(self) -> None:
        """Takes that back."""
        if self._waits_until:
            self.sessions.set_waiting(self.session, 0.0)

    def setting(self, name: str, default: float) -> float:
        """A number of config.yaml, read without the settings model, which is heavy; else the default."""
        value = self._written(name)
        return float(value) if isinstance(value, int | float) and 0 <= value <= 86_400 else default

    def set_language(self) -> None:
        """Has people told things in this channel's language."""
        language = self._written("language")
        set_language(language if isinstance(language, str) and language in LANGUAGES else "en")

    def _written(self, name: str) -> Any:
        path = self.folder / "config.yaml"
        try:
            text = path.read_text(encoding="utf-8")
            if name not in text:
                return None
            import yaml

            return yaml.safe_load(text).get(name)
        except Exception:  # noqa: BLE001 - a hook is transparent whatever the file holds
            return None


@contextmanager
def open_hook_channels(event: HookEvent) -> Iterator[list[HookChannel]]:
    """Every channel that has state in this project; what cannot be opened is left out."""
    environ = {**os.environ, "CLAUDE_PROJECT_DIR": str(event.project)}
    lines: list[HookChannel] = []
    try:
        for channel in CHANNELS:
            folder = state_dir(channel, environ)
            # Never made here: a project that has no channel stays as it is.
            if (folder / "channel.db").is_file():
                try:
                    lines.append(HookChannel(channel, folder, Store.open(folder), event))
                except (ChannelError, OSError):
                    continue
        yield lines
    finally:
        for line in lines:
            line.store.close()
