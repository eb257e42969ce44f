"""One bot's line while it is open: the store and its services, the adapter, and the claim to read the bot."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from agent_channels.core.buttons.panels import Panels
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.host.delivery import Push
from agent_channels.core.host.inbox_socket import InboxSocket
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.process import channel_flag, evidence, host_keys
from agent_channels.core.host.sessions import Sessions
from agent_channels.core.i18n.messages import set_language
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.outbox import Outbox
from agent_channels.core.outbound.sender import Sender
from agent_channels.core.people.access import Access
from agent_channels.core.runtime.active_reader import ActiveReader
from agent_channels.core.runtime.reader_lock import HandoverRequests, ReaderLock
from agent_channels.core.scheduling import Broadcast, Wakeup
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.paths import env_value
from agent_channels.core.settings.trust import refuse_cloned
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health
from agent_channels.core.store.watcher import StoreWatcher

__all__ = ["ChannelRuntime", "open_runtime"]

logger = logging.getLogger(__name__)
TAKE_OVER_EVERY_S = 1.0
# After handing over on request, the others get this long to claim before we try again.
STAND_BACK_S = 15.0


@dataclass(slots=True)
class ChannelRuntime:
    """Everything that one bot needs; made by `open_runtime`."""

    channel: Channel
    env: Environment
    settings: Settings
    bot_id: str
    store: Store
    adapter: Adapter
    push: Push
    session: str
    client: Callable[[], str]
    inbox: Inbox = field(init=False)
    access: Access = field(init=False)
    panels: Panels = field(init=False)
    files: Files = field(init=False)
    health: Health = field(init=False)
    history: History = field(init=False)
    sender: Sender = field(init=False)
    lock: ReaderLock = field(init=False)
    reader: ActiveReader | None = field(init=False, default=None)
    idle_reason: str = field(init=False, default="starting")
    sessions: Sessions = field(init=False)
    modes: Modes = field(init=False)
    flag: str | None = field(init=False)
    changed: Broadcast = field(init=False, default_factory=Broadcast)
    _asked: bool = field(init=False, default=False)
    _sign: Wakeup = field(init=False, default_factory=Wakeup)
    _owning: anyio.CancelScope = field(init=False, default_factory=anyio.CancelScope)

    def __post_init__(self) -> None:
        settings, store = self.settings, self.store
        self.inbox, self.access, self.panels = Inbox(store), Access(store), Panels(store)
        self.health, self.history = Health(store), History(store)
        self.files = Files(
            self.env.state_dir,
            roots=settings.send_roots,
            quota_mb=settings.files_quota_mb,
            environ=self.env.environ,
        )
        self.sender = Sender(
            self.adapter,
            self.access,
            self.panels,
            Outbox(store),
            self.files,
            rate_wait_s=settings.rate_wait_s,
            ttl_s=settings.panel_ttl_h * 3600,
            file_above=settings.file_above,
        )
        self.lock = ReaderLock(self.channel.name, self.bot_id, self.env.state_dir)
        self.sessions = Sessions(store)
        self.flag = channel_flag(self.channel.name)
        self.modes = Modes(
            settings, self.session, self.inbox, self.sessions, self.flag, InboxSocket.of(self.env.environ)
        )

    def shown(self, chat_id: str) -> list[int]:
        """What the session's agent knows of a chat now: what it is about to do there answers that, and no more."""
        if self.reader is not None:
            self.reader.delivery.settle()
        return self.inbox.shown(chat_id, self.session)

    async def chat(self, chat_id: str) -> str:
        """The chat an agent means: a person's own id stands for their direct chat.

        Raises `PlatformError` when the direct chat cannot be opened.
        """
        person, known = self.access.direct_chat(chat_id)
        if person is None:
            return chat_id
        if known is None:
            known = await self.adapter.open_direct_chat(chat_id)
            if known != chat_id:
                self.access.seen(Chat(known, "direct"), Person(chat_id, person.name, person.username))
        return known

    def acted(self, chat_id: str, seen: Sequence[int]) -> None:
        """The session's agent acted on a chat: what it was shown from there before is answered."""
        if self.reader is not None:
            self.reader.acting(chat_id)
        self.inbox.answered(chat_id, self.session, seen)
        if self.reader is not None:
            self.reader.answered(chat_id)

    async def run(self) -> None:
        """Claims the bot when it may and reads it while it can, until cancelled."""
        self.sessions.seen(self.session, self.client())
        await anyio.sleep(self.settings.grace_s)
        async with anyio.create_task_group() as group:
            group.start_soon(StoreWatcher(self.store, self._foreign_commit).run)
            while True:
                while self.claim_reason() is None:
                    self.health.idle(self.idle_reason)
                    await self._sign.wait()
                await self._claim()
                try:
                    await self._own()
                finally:
                    self.lock.release()
                self.idle_reason = "the bot was handed over on request"
                await anyio.sleep(STAND_BACK_S)

    async def _claim(self) -> None:
        while not self.lock.claim():
            holder = self.lock.holder()
            self.idle_reason = f"{holder.describe()} reads this bot" if holder else "starting"
            await anyio.sleep(TAKE_OVER_EVERY_S)
        self.idle_reason = ""

    async def _own(self) -> None:
        """Reads until asked to hand over."""
        HandoverRequests(self.store).take_release()
        elsewhere = self._inherit()
        silence_s = self.channel.silence_s(self.settings)
        with anyio.CancelScope() as self._owning:
            self.reader = ActiveReader(
                self.adapter,
                self.store,
                self.settings,
                self.files,
                self.bot_id,
                self.push,
                self.session,
                silence_s,
                self.health,
                self.modes,
                self.changed,
            )
            self.reader.shown_elsewhere(elsewhere)
            self.modes.publish()
            self.health.session(self.session, host_keys(self.env.environ))
            try:
                await self.reader.run()
            finally:
                self.reader = None

    def _inherit(self) -> frozenset[str]:
        """Goes on where the last project to read this bot had come; returns what others' agents were shown."""
        readers, ours = self.lock.readers(), self.env.state_dir
        elsewhere: set[str] = set()
        for folder in readers:
            if folder == ours or not (folder / "channel.db").is_file():
                continue
            try:
                with Store.open(folder) as store:
                    elsewhere |= Inbox(store).lately_shown(self.bot_id)
                    if folder == readers[-1]:
                        self.inbox.put(self.bot_id, [], Inbox(store).cursors(self.bot_id))
            except StoreError as error:
                logger.warning("how far %s had read is not known: %s", folder, error)
        self.lock.took_over()
        return frozenset(elsewhere)

    def _foreign_commit(self) -> None:
        self.changed.notify_all()
        self.modes.refresh()
        if self.reader is None:
            # A hook of this session may have shown that messages will be heard.
            self._sign.set()
            return
        self.reader.foreign_commit()
        if HandoverRequests(self.store).take_release():
            logger.warning("handing the bot over, as was asked for")
            self._owning.cancel()

    def claim_reason(self) -> str | None:
        """Why this process may read the bot; None, with `waiting_why` saying what is missing, when it may not."""
        if self.settings.claim == "never":
            self.idle_reason = "claim is set to never"
            return None
        if self.settings.claim == "always":
            return "claim is set to always"
        if self.settings.mode == "push":
            return "mode is fixed to push"
        shown = self.flag or evidence(self.env.environ) or self._seen()
        if shown is None:
            self.idle_reason = (
                "this host gave no sign that it shows channel messages, so the bot is not read for it; start the host "
                f"with its channel flag for server:{self.channel.name}, install the hooks, have the agent call "
                "wait_for_messages, or set claim: always in config.yaml (CHANNELS_CLAIM=always)"
            )
        return shown

    def _seen(self) -> str | None:
        known = self.sessions.get(self.session)
        if known and known.hooks:
            return f"this session runs the hooks {', '.join(sorted(known.hooks))}"
        if known and known.pulled_at:
            return "the agent asks for messages"
        return "the agent waits for an answer" if self._asked else None

    def pulled(self) -> None:
        """The agent asked for messages: a sign that it will hear."""
        self.sessions.pulled(self.session)
        self.modes.refresh()
        self._sign.set()

    def asking(self) -> None:
        """The agent waits for an answer to a grid: somebody has to read it."""
        self._asked = True
        self._sign.set()

    def ring_due(self) -> None:
        """There is an outcome to show; whoever reads the bot shows it."""
        if self.reader is not None:
            self.reader.ring_due()

    def mode(self) -> tuple[str, str]:
        """The delivery mode in force, and why."""
        return self.reader.mode() if self.reader else ("none", self.idle_reason)


@asynccontextmanager
async def open_runtime(
    channel: Channel, env: Environment, push: Push, client: Callable[[], str]
) -> AsyncIterator[ChannelRuntime]:
    """Opens the line of the bot whose token is set.

    Raises `ConfigError` when no token is set or a setting is wrong, `StoreError` when the database cannot be used.
    """
    settings = load(channel.settings, env)
    set_language(settings.language)
    token = env.token()
    if token is None:
        raise ConfigError(
            f"no token is set for {channel.title}; run `channels setup {channel.name}` in a terminal (it asks for the "
            f"token without showing it and stores it in {env.state_dir / '.env'}); this server notices it by itself"
        )
    refuse_cloned(settings, env)
    bot_id = channel.bot_id(token)
    with Store.open(env.state_dir) as store:
        # The platform's library is heavy; the session keeps answering while it is imported.
        adapter = await anyio.to_thread.run_sync(channel.connect, env, settings, token)
        async with adapter:
            # The host's own name for its session, so that a reconnected server is known to serve the same agent.
            session = env_value("CLAUDE_CODE_SESSION_ID", env.environ) or f"{int(time.time())}-{secrets.token_hex(4)}"
            yield ChannelRuntime(channel, env, settings, bot_id, store, adapter, push, session, client)
