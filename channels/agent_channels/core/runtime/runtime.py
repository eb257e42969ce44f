"""One bot while it is open: its context, the right to read it, and what tool calls do with it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from agent_channels.core import tracing
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.host.agents.registry import host_of_client
from agent_channels.core.host.delivery import HostLink, Push
from agent_channels.core.host.inbox_socket import InboxSocket
from agent_channels.core.host.modes import Modes
from agent_channels.core.host.outer_session import without_outer_session
from agent_channels.core.host.process import channel_flag, host_keys
from agent_channels.core.i18n.messages import set_language
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.journal.traces import trace_answer
from agent_channels.core.outbound.outgoing_secrets import OutgoingSecrets
from agent_channels.core.outbound.sender import Sender
from agent_channels.core.process import host_pid, restarts, session_name
from agent_channels.core.runtime.active_reader import ActiveReader
from agent_channels.core.runtime.claim import ReadClaim
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.runtime.reader_lock import HandoverRequests, ReaderLock
from agent_channels.core.runtime.turn_tracker import TurnTracker
from agent_channels.core.scheduling import Wakeups, wait_for_tick
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load, renamed_settings
from agent_channels.core.settings.paths import env_value, project_dir
from agent_channels.core.settings.policy import policy_problems
from agent_channels.core.settings.state_folder import is_trusted
from agent_channels.core.store.database import Store
from agent_channels.core.store.watcher import StoreWatcher

if TYPE_CHECKING:
    from agent_channels.core.runtime.hub.sent import SentRecorder
    from agent_channels.core.runtime.hub.tasks import HubTasks

__all__ = ["ChannelRuntime", "open_runtime"]

logger = logging.getLogger(__name__)
TAKE_OVER_EVERY_S = 1.0
# After handing over on request, the others get this long to claim before we try again.
STAND_BACK_S = 15.0
CLOSE_WITHIN_S = 0.2
# Several hosts give up on a tool call after a minute.
SECRETS_ASKED_S = 45.0


Shown = Sequence[tuple[int, str | None]]
"""Entries, each with the mode that carried it, None if it is to be offered again."""


class ChannelRuntime:
    """One open bot; made by `open_runtime`.

    `reader` is there while this process reads the bot; otherwise `idle_reason` says why it does not.
    """

    def __init__(self, context: BotContext, flag: str | None, recorder: SentRecorder | None = None) -> None:
        """`flag`: the host's channel flag, if its command line has one. `recorder`: of a bot that is shared."""
        self._recorder = recorder
        settings = context.settings
        self.context = context
        self.claim = ReadClaim(context, flag)
        self.lock = ReaderLock(
            context.channel.name, context.bot_id, context.env.state_dir, shared=context.hub is not None
        )
        self.sender = Sender(
            context.adapter,
            context.services,
            context.files,
            rate_wait_s=settings.rate_wait_s,
            panel_ttl_s=settings.panel_ttl_h * 3600,
            file_above=settings.file_above,
            rich=settings.rich,
            secrets=OutgoingSecrets(
                settings.secrets,
                context.services,
                context.wakeups,
                session=context.link.session,
                project=project_dir(context.env.environ).name,
                wait_s=min(settings.hook_bound_s, SECRETS_ASKED_S),
            ),
        )
        self.tracker = TurnTracker(context)
        self.reader: ActiveReader | None = None
        self.idle_reason = "starting"
        self._handovers = HandoverRequests(context.services.key_values)
        self._reading = anyio.CancelScope()

    # ---- what tool calls do

    async def resolve_chat(self, chat_id: str) -> str:
        """Return the chat an agent means: a person's own id, or an earlier id of it, stands for their direct chat.

        Raises `PlatformError` if the direct chat cannot be opened.
        """
        services = self.context.services
        person, known = services.access.direct_chat(chat_id)
        if person is None:
            current = services.access.current_id(chat_id)
            return current if services.chats.is_direct(current) else chat_id
        if known is None:
            known = await self.context.adapter.open_direct_chat(chat_id)
            if known != chat_id:
                services.chats.record(Chat(known, "direct"), Person(chat_id, person.name, person.username))
        return known

    def shown(self, chat_id: str) -> Shown:
        """Return the entries of a chat that the agent was shown: what it is about to do there answers exactly those."""
        if self.reader is not None:
            self.reader.delivery.record_through()
        inbox = self.context.services.inbox
        shown = inbox.shown_by(chat_id, self.context.link.session)
        trace_answer(inbox, [entry_id for entry_id, _ in shown])
        return shown

    def answered(self, chat_id: str, seen: Shown) -> None:
        """Count an action of the agent's in a chat as the answer to the entries it had been shown."""
        if self.reader is not None:
            self.reader.before_answer({mode for _, mode in seen if mode})
        inbox = self.context.services.inbox
        inbox.answer(chat_id, self.context.link.session, [entry_id for entry_id, _ in seen])
        inbox.mask_answered()
        if self.reader is not None:
            self.reader.after_answer(chat_id)

    def mode(self) -> tuple[str, str]:
        """Return the delivery mode in force, and why."""
        return self.reader.mode() if self.reader else ("none", self.idle_reason)

    # ---- reading

    async def run(self, initialized_at: float = 0.0) -> None:
        """Claim the bot when this process may, and read it while it can, until cancelled.

        `initialized_at`: when the host was, by `time.monotonic`; it is given a moment from then on.
        """
        context = self.context
        await anyio.sleep(max(0.0, initialized_at + context.settings.grace_s - time.monotonic()))
        async with anyio.create_task_group() as group:
            group.start_soon(StoreWatcher(context.services.store, self._store_changed).run)
            group.start_soon(self.tracker.run)
            if self._recorder is not None:
                group.start_soon(self._recorder.run, context.services)
            else:
                context.services.health.set_hub(None)
            while True:
                while self.claim.reason() is None:
                    self.idle_reason = self.claim.refusal()
                    context.services.health.set_idle(self.idle_reason)
                    await self.claim.wait_for_sign()
                await self._take_lock()
                try:
                    await self._read()
                finally:
                    self.lock.release()
                self.idle_reason = sentence("the bot was handed over on request")
                await anyio.sleep(STAND_BACK_S)

    async def _take_lock(self) -> None:
        while not self.lock.claim():
            holder = self.lock.holder()
            self.idle_reason = (
                sentence("{holder} reads this bot", holder=holder.describe()) if holder else sentence("starting")
            )
            await wait_for_tick(TAKE_OVER_EVERY_S)
        self.idle_reason = ""

    async def _read(self) -> None:
        """Read until a hand-over is requested."""
        context = self.context
        self._handovers.take()
        hub = self._hub_tasks()
        seen_elsewhere = self._continue_from_other_projects() if hub is None else frozenset[str]()
        with anyio.CancelScope() as self._reading:
            self.reader = ActiveReader(context, self.sender, self.tracker, seen_elsewhere, hub)
            self.tracker.reads = True
            context.modes.publish()
            context.services.health.set_session(context.link.session, host_keys(context.env.environ))
            context.services.health.set_restarts(restarts())
            try:
                await self.reader.run()
            finally:
                self.reader, self.tracker.reads = None, False

    def _hub_tasks(self) -> HubTasks | None:
        """Return where events come from if the bot is shared."""
        if self.context.hub is None:
            return None
        # Imported here: few bots are shared.
        from agent_channels.core.runtime.hub.tasks import HubTasks

        return HubTasks.of(self.context, self.context.hub)

    def _continue_from_other_projects(self) -> frozenset[str]:
        """Continue where the last project to read this bot had come; return what other projects' agents were shown."""
        readers, bot_id = self.lock.readers(), self.context.bot_id
        seen: set[str] = set()
        for folder in readers:
            try:
                if folder == self.context.env.state_dir or not is_trusted(folder):
                    continue
                # Its schema is its own program's business, which may be older.
                with Store(folder / "channel.db", migrations=None) as store:
                    other = Services.of(store)
                    seen |= other.inbox.recently_offered(bot_id)
                    if folder == readers[-1]:
                        self.context.services.cursors.set(bot_id, other.cursors.get(bot_id))
            except (ConfigError, StoreError) as error:
                logger.warning("how far %s had read is unknown: %s", folder, error)
        self.lock.record_reader()
        return frozenset(seen)

    def _store_changed(self) -> None:
        self.context.modes.refresh()
        self.context.wakeups.store_changed()
        if self.context.hub is not None:
            self.context.hub.facts_changed.set()
        if self.reader is None:
            self.claim.look_again()
        elif self._handovers.take():
            logger.warning("handing the bot over, as requested")
            self._reading.cancel()


@asynccontextmanager
async def open_runtime(
    channel: Channel, env: Environment, push: Push, client: Callable[[], str]
) -> AsyncIterator[ChannelRuntime]:
    """Open the bot whose token is set; `client()` is the host's name.

    Raises `ConfigError` if no token is set or a setting is wrong, `StoreError` if the database cannot be used.
    """
    # Claude Code is not in the list.
    known = host_of_client(client())
    env = Environment(env.channel, without_outer_session(env.environ, known.name if known else "claude"))
    settings = load(channel.settings, env)
    for renamed in renamed_settings(env):
        logger.info("%s", renamed)
    set_language(settings.language, channel.commands)
    token = env.token()
    if token is None:
        raise ConfigError(
            f"no token is set for {channel.title}; run `channels setup {channel.name}` in a terminal (it asks for the "
            f"token without showing it and stores it in {env.state_dir / '.env'}); this server notices it by itself"
        )
    bot_id = channel.bot_id(token)
    tracing.set_hash_key(token)
    with closing(Store.open(env.state_dir)) as store:
        # The platform's library is heavy; the session keeps answering while it is imported.
        adapter = await anyio.to_thread.run_sync(channel.connect, env, settings, token)
        async with adapter:
            services = Services.of(store)
            hub, recorder = None, None
            if settings.hub is not None:
                # Imported here: few bots are shared.
                from agent_channels.core.runtime.hub.sent import SentRecorder
                from agent_channels.core.runtime.hub.tasks import open_hub

                hub = open_hub(settings, env, channel.name, bot_id, services.key_values)
                recorder = SentRecorder(hub) if hub else None
                adapter = recorder.watch(adapter) if recorder else adapter
            services.panels.owner = hub.project if hub else ""
            # The host's own name for its session, so that a reconnected server is known to serve the same agent.
            named = env_value("CLAUDE_CODE_SESSION_ID", env.environ)
            session = named or session_name()
            services.sessions.record(session, client())
            for problem in policy_problems(settings.policy, len(services.access.approvers())):
                logger.warning("policy: %s", problem)
            services.audit.add("session start", session, f"{client() or 'unknown host'}, process {host_pid()}")
            if not named:
                services.sessions.set_host(session, f"pid {host_pid()}")
            files = Files(
                env.state_dir,
                roots=settings.send_roots,
                quota_mb=settings.files_quota_mb,
                environ=env.environ,
                mask=settings.secrets in {"mask", "ask"},
                unsearched=settings.secrets == "off",
            )
            flag = None if known else channel_flag(channel.name)
            socket = InboxSocket.of(env.environ)
            modes = Modes(settings, session, services.inbox, services.sessions, flag, socket, known)
            link = HostLink(session, push, adapter.channel, known.bell(env) if known and known.bell else None)
            context = BotContext(channel, env, settings, bot_id, adapter, services, files, link, modes, Wakeups(), hub)
            try:
                yield ChannelRuntime(context, flag, recorder)
            finally:
                with contextlib.suppress(StoreError):
                    services.audit.add("session end", session, f"process {host_pid()}")
                if hub is not None:
                    with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_WITHIN_S):
                        await hub.db.close()
