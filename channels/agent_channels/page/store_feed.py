"""What the page of a running channel shows: the state folders of a project, read and never written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import anyio

from agent_channels.core.errors import ChannelError, StoreError
from agent_channels.core.i18n.messages import LANGUAGES
from agent_channels.core.i18n.sentences import in_language, words_of
from agent_channels.core.log import redact
from agent_channels.core.program import in_hints
from agent_channels.core.runtime.status import fact_lines
from agent_channels.core.scheduling import Wakeup
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.core.store.faults import VALUE_FAULTS, unreadable_value
from agent_channels.core.store.watcher import StoreWatcher
from agent_channels.page.feed import PageFeed
from agent_channels.page.store_chats import StoreChats

__all__ = ["ChannelState", "StoreFeed"]

# Who reads the bot, and what has expired, changes without a commit.
REFRESH_EVERY_S = 2.0
Facts = Callable[[Services], dict[str, Any]]


class ChannelState:
    """The state of one channel, followed through the making of its database, its end, and another in its place."""

    def __init__(self, channel: str, state_dir: Path, facts: Facts) -> None:
        """`facts` returns what is known of the channel, as `status.facts`, and where its token comes from."""
        self.channel = channel
        self._path, self._facts = state_dir / "channel.db", facts
        self._store: Store | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a database."""
        return self._found() is not None

    def close(self) -> None:
        """Close the database."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def store(self) -> Store:
        """Return the database that is there now, open for reading; an empty one if there is none.

        Raises `UntrustedState` if this user's program neither made nor adopted the folder, and `StoreError`.
        """
        found = self._found()
        if self._store is None or found != self._identity:
            self.close()
            self._store = Store.open_existing(self._path.parent).read_only()
            self._identity = found
        return self._store

    def parts(self, opened: Collection[str]) -> dict[str, Any]:
        """Return what the page shows of it: {places, channel, life, chats {key: view}}. Raises `ChannelError`.

        Only chats whose keys are in `opened`, and the first one, come with their messages and lives.
        """
        store = self.store()
        try:
            return self._parts(Services.of(store), opened)
        except VALUE_FAULTS as error:
            raise unreadable_value(self._path, error) from error

    def _parts(self, services: Services, opened: Collection[str]) -> dict[str, Any]:
        known = self._facts(services)
        idle = in_hints(known["mode"]["why"]) if known["mode"]["name"] == "none" else None
        chats = StoreChats(self.channel, services)
        listed = chats.listed()
        whole = [chat for chat in listed if chat.key in opened or chat is listed[0]]
        lives = [life for chat in whole for life in chats.lives(chat, idle)] + chats.unsorted_lives(idle)
        lines = fact_lines(known)
        return {
            "places": [{**chat.as_dict(self.channel), "last": chats.last(chat)} for chat in listed],
            "channel": {
                "lines": {code: [[name, *_told(code, name, text)] for name, text in lines] for code in LANGUAGES},
                "problem": _in_each_language(known["problem"]) if known["problem"] else None,
                "reading": known["owner"] is not None and known["reader"]["state"] == "reading",
                "bot": (known["bot"] or {}).get("username"),
                "paired": known["paired"],
                "pending": known["pending"],
                "open": known["inbox"]["open"],
            },
            "life": [{**life, "id": f"{self.channel}/{life['id']}", "platform": self.channel} for life in lives],
            "chats": {chat.key: chats.view(chat) for chat in whole},
        }

    def _found(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            info = self._path.lstat()
            return info.st_dev, info.st_ino
        return None


class StoreFeed(PageFeed):
    """The parts: `setting`, `channels`, and of the chats that somebody looks at `life` and `chat:KEY`."""

    def __init__(self, project: Path, states: Mapping[str, ChannelState]) -> None:
        super().__init__()
        self._project, self._states = project, states

    def close(self) -> None:
        """Close every database."""
        for state in self._states.values():
            state.close()

    def refresh(self) -> None:
        """Look at every state; one that cannot be read is shown with the reason."""
        places: list[dict[str, Any]] = []
        channels: dict[str, Any] = {}
        lives: list[dict[str, Any]] = []
        chats: dict[str, Any] = {}
        for name, state in self._shown().items():
            try:
                found = state.parts(self.open_chats)
            except ChannelError as error:
                state.close()
                problem, none = _in_each_language(words_of(error)), {code: list[str]() for code in LANGUAGES}
                channels[name] = {"lines": none, "problem": problem, "reading": False, "paired": [], "pending": []}
                continue
            places += found["places"]
            channels[name] = found["channel"]
            lives += found["life"]
            chats |= {f"chat:{key}": view for key, view in found["chats"].items()}
        setting = {"project": str(self._project), "chats": places}
        parts = {"setting": setting, "channels": channels, "life": lives, **chats}
        self.publish({name: _each_text(part, redact) for name, part in parts.items()})

    def check(self) -> None:
        """Raise `ChannelError` if a state cannot be read: what a verb says at its start, the page need not."""
        for state in self._states.values():
            state.store()

    async def run(self) -> None:
        """Look after each commit of any process, and every few seconds, until cancelled, while there are listeners."""
        wakeup, watched = Wakeup(), dict[str, Store]()
        async with anyio.create_task_group() as tasks:
            while True:
                for name, state in self._states.items():
                    with contextlib.suppress(ChannelError):
                        store = state.store()
                        if watched.get(name) is not store:
                            watched[name] = store
                            tasks.start_soon(_watch, store, wakeup)
                with anyio.move_on_after(REFRESH_EVERY_S):
                    await wakeup.wait()
                if self.listening:
                    self.refresh()

    def _shown(self) -> dict[str, ChannelState]:
        """Return the states that there are; all of them while there is none."""
        return {name: state for name, state in self._states.items() if state.exists} or dict(self._states)


async def _watch(store: Store, wakeup: Wakeup) -> None:
    """Set `wakeup` after each commit of another process, until the store is closed."""
    with contextlib.suppress(StoreError):
        await StoreWatcher(store, wakeup.set).run()


def _told(language: str, *texts: str) -> list[str]:
    """Return sentences as the page tells them to those who read a language."""
    return [in_hints(in_language(text, language)) for text in texts]


def _in_each_language(text: str) -> dict[str, str]:
    """Return a sentence by language: several people may look, and each browser has its own."""
    return {code: in_hints(in_language(text, code)) for code in LANGUAGES}


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value in which every text is what `change` makes of it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each_text(one, change) for key, one in value.items()}
    return [_each_text(one, change) for one in value] if isinstance(value, list | tuple) else value
