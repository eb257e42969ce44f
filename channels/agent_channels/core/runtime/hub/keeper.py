"""The keeper: reads this user's shared bots while no session does, and starts hosts that approvers ask for.

It takes part in the lease as any server does: it waits while one reads, and reads when nobody does. It has no project
of its own, so it opens each bot with the token, settings and store of one of the projects on this machine.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ChannelError, ConfigError, Refused, StoreError
from agent_channels.core.host.background import can_start
from agent_channels.core.hub.keepers import KEEPER
from agent_channels.core.hub.lease import lock_domain
from agent_channels.core.hub.members import BEAT_EVERY_S, MemberFacts
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.i18n.messages import speak_here
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.inbound.listening import Listening
from agent_channels.core.log import redact
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.runtime.context import OpenBot
from agent_channels.core.runtime.hub.chat import HubChat
from agent_channels.core.runtime.hub.host_starts import HostStarts
from agent_channels.core.runtime.hub.local_projects import LocalProject, LocalProjects, database_stamp, of_no_project
from agent_channels.core.runtime.hub.member import differs, member_facts
from agent_channels.core.runtime.hub.reader import HubReader
from agent_channels.core.runtime.hub.router import Router
from agent_channels.core.runtime.reader_lock import LockHolder, ReaderLock
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.services import Services
from agent_channels.core.settings.paths import data_dir
from agent_channels.core.settings.private_files import ensure_private_dir
from agent_channels.core.store.database import Store

__all__ = ["Keeper", "OfChannel", "keeper_dir", "kept_elsewhere"]

logger = logging.getLogger(__name__)
NAMED = "none (channels hub keep)"
# How soon a project that joins, leaves or changes its settings is noticed.
LOOK_EVERY_S = 5.0
LEAVE_WITHIN_S = 0.5
_channel: ContextVar[str] = ContextVar("channel", default="")


def keeper_dir() -> Path:
    """Return the folder for the keeper's log; creates it. Raises `ConfigError`."""
    return ensure_private_dir(data_dir() / "keeper")


class OfChannel(logging.Filter):
    """Note in each record which channel it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.channel = _channel.get()
        return True


class Keeper:
    """Keeps every bot that the projects of this user on this machine share."""

    def __init__(self, channels: Sequence[Channel], environ: Mapping[str, str], umask: int) -> None:
        """`environ`, `umask`: what hosts that are started get; of the first, nothing that is of one project."""
        self._found = LocalProjects(channels, environ)
        self._environ, self._umask = of_no_project(environ, channels), umask
        self._folder = keeper_dir()
        self._bots: dict[str, _KeptBot] = {}
        self._problems: set[str] = set()

    def require_unkept(self) -> None:
        """Raise `Refused` if another keeper keeps one of the bots already, and `ConfigError`."""
        for projects in self._look().values():
            project = projects[0]
            if (holder := kept_elsewhere(project.channel.name, project.bot_id)) is not None:
                raise Refused(
                    sentence(
                        "another keeper keeps the bot {bot} already: process {pid} on {host}; there is need for one "
                        "only (`channels hub log` shows what it does)",
                        bot=project.bot,
                        pid=holder.pid,
                        host=holder.host,
                    )
                )

    async def run(self, tell: Callable[[list[dict[str, Any]]], None]) -> None:
        """Keep them until cancelled; `tell` is given what is kept, at the beginning and whenever that changes."""
        told: list[dict[str, Any]] | None = None
        async with anyio.create_task_group() as group:
            while True:
                await self._follow(self._look(), group)
                if (facts := [bot.facts() for bot in self._bots.values()]) != told:
                    tell(facts)
                    told = facts
                await anyio.sleep(LOOK_EVERY_S)

    def _look(self) -> dict[str, list[LocalProject]]:
        """Return the projects of each bot and hub, the one first through which the bot is opened."""
        projects, problems = self._found.find()
        for problem in problems:
            if problem not in self._problems:
                logger.warning("a project is left out: %s", redact(problem))
        self._problems = set(problems)
        bots: dict[str, list[LocalProject]] = defaultdict(list)
        for project in projects:
            bots[f"{project.bot} {project.address}"].append(project)
        return bots

    async def _follow(self, bots: Mapping[str, list[LocalProject]], group: TaskGroup) -> None:
        for name in [name for name in self._bots if name not in bots]:
            await self._bots.pop(name).stop()
        for name, projects in bots.items():
            kept = self._bots.get(name)
            if kept is not None and not kept.update(projects):
                await self._bots.pop(name).stop()
                kept = None
            if kept is None:
                self._bots[name] = kept = _KeptBot(projects, self._folder, self._environ, self._umask)
                group.start_soon(kept.run)


class _KeptBot:
    """One bot and its hub, opened through the first of its projects."""

    def __init__(self, projects: list[LocalProject], folder: Path, environ: Mapping[str, str], umask: int) -> None:
        self._projects, self._folder = projects, folder
        self._environ, self._umask = environ, umask
        self._home = projects[0]
        self._scope, self._ended = anyio.CancelScope(), anyio.Event()
        self._changed = Wakeup()

    def update(self, projects: list[LocalProject]) -> bool:
        """Take what the projects say now; return False if the bot has to be opened anew."""
        if projects != self._projects:
            self._projects = projects
            self._changed.set()
        return any(_opened_with(project) == _opened_with(self._home) for project in projects)

    async def stop(self) -> None:
        """Return once it is closed."""
        self._scope.cancel()
        await self._ended.wait()

    def startable(self) -> dict[str, LocalProject]:
        """Return the projects that may be started, by id."""
        return {project.project: project for project in self._projects if project.may_start and can_start()}

    def facts(self) -> dict[str, Any]:
        """Return what is kept, as data."""
        return {
            "channel": self._home.channel.name,
            "bot": self._home.bot,
            "hub": str(self._home.address),
            "projects": [
                {
                    "project": project.project,
                    "folder": str(project.folder) if project.folder else None,
                    "state_dir": str(project.env.state_dir),
                    "start": project.project in self.startable(),
                }
                for project in self._projects
            ],
        }

    async def run(self) -> None:
        """Keep it until stopped; whatever fails is tried again."""
        _channel.set(self._home.channel.name)
        speak_here(self._home.settings.language, self._home.channel.commands)
        backoff = Backoff(first_s=1.0, cap_s=30.0)
        try:
            with self._scope:
                while True:
                    try:
                        await self._keep()
                    except* ChannelError as errors:
                        for error in _leaves(errors):
                            logger.warning("the bot %s is not kept: %s", self._home.bot, redact(str(error)))
                    await anyio.sleep(backoff.next())
        finally:
            self._ended.set()

    async def _keep(self) -> None:
        home = self._home
        lock = _keeper_lock(home.channel.name, home.bot_id)
        if not lock.claim():
            logger.warning("another keeper keeps the bot %s; waiting until it ends", home.bot)
            while not lock.claim():  # noqa: ASYNC110 - another process holds it
                await anyio.sleep(LOOK_EVERY_S)
        try:
            with closing(Store.open(home.env.state_dir)) as store:
                adapter = await anyio.to_thread.run_sync(home.channel.connect, home.env, home.settings, home.token)
                async with adapter:
                    bot = OpenBot(home.channel, home.env, home.settings, home.bot_id, adapter, Services.of(store))
                    await self._work(bot, ProjectHub.of(home.address, home.bot, KEEPER))
        finally:
            lock.release()

    async def _work(self, bot: OpenBot, hub: ProjectHub) -> None:
        domain, name = lock_domain(), bot.channel.name
        threads = Threads(bot.adapter, bot.services.chats, bot.services.access)
        chat = HubChat(bot.adapter, hub, threads, name, f"{domain}:{os.getpid()}")
        # Of no project: what the hooks of one ask is whether its own server reads.
        lock = ReaderLock(name, bot.bot_id, self._folder, named=NAMED)
        reader = HubReader(bot, hub, Router(bot.adapter, hub, chat), domain, lock, NAMED)
        starts = HostStarts(hub, bot.adapter, self.startable, self._environ, self._umask)
        try:
            await self._identify(bot.adapter, bot.channel.silence_s(bot.settings))
            logger.info("keeping the bot %s in the hub %s", hub.bot, hub.address)
            async with anyio.create_task_group() as group:
                group.start_soon(hub.wakeups.run)
                group.start_soon(self._beat, hub, domain)
                group.start_soon(self._speak_for_projects, hub, domain)
                group.start_soon(starts.run)
                group.start_soon(reader.run)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(LEAVE_WITHIN_S):
                await hub.db.close()

    async def _identify(self, adapter: Adapter, silence_s: float) -> None:
        def record(state: str, text: str) -> None:
            logger.warning("the bot %s cannot be used yet (%s): %s", self._home.bot, state, text)

        # Without, mentions and replies cannot be recognised.
        await Listening(silence_s, record, lambda _: None).retry(lambda: _identified(adapter))

    async def _beat(self, hub: ProjectHub, domain: str) -> None:
        """Tell the hub regularly, and on changes, that this keeper is there, and which projects it may start."""
        try:
            while True:
                try:
                    await hub.keepers.beat(domain, socket.gethostname(), os.getpid(), self.startable().keys())
                except StoreError as error:
                    logger.warning("the hub does not hear of this keeper: %s", error)
                with anyio.move_on_after(BEAT_EVERY_S):
                    await self._changed.wait()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(LEAVE_WITHIN_S):
                try:
                    await hub.keepers.leave(domain)
                except StoreError as error:
                    logger.info("the hub does not hear that this keeper ends: %s", error)

    async def _speak_for_projects(self, hub: ProjectHub, domain: str) -> None:
        """Tell the hub whom the projects here let in, while no session of theirs does."""
        known = _LetIn()
        while True:
            try:
                members = {member.project: member for member in await hub.members.read()}
                for project in self._projects:
                    member = members.get(project.project)
                    if member is None or member.works_elsewhere(domain):
                        continue
                    if member.is_unattended or not _has_session(project):
                        facts = known.of(project)
                        if facts is not None and differs(member, facts):
                            await hub.members.refresh(facts, member.silent_s)
            except (ConfigError, StoreError) as error:
                logger.warning("the hub is not told whom the projects here let in: %s", redact(str(error)))
            await anyio.sleep(LOOK_EVERY_S)


class _LetIn:
    """Whom projects let in, read again only when something was written there."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[object, MemberFacts | None]] = {}

    def of(self, project: LocalProject) -> MemberFacts | None:
        """Return what a project says of itself; None if it cannot be read, which is logged once."""
        stamp = (project.settings, database_stamp(project.env.state_dir))
        if self._read.get(project.project, (None, None))[0] != stamp:
            facts = None
            try:
                with Store.open(project.env.state_dir) as store:
                    facts = member_facts(Services.of(store), project.settings, project.project, "none")
            except (ConfigError, StoreError) as error:
                logger.warning("whom %s lets in cannot be read: %s", project.env.state_dir, redact(str(error)))
            self._read[project.project] = (stamp, facts)
        return self._read[project.project][1]


def _has_session(project: LocalProject) -> bool:
    """Return whether a server here works on a project's events: one that ended says so to nobody."""
    lock = ReaderLock(project.channel.name, project.bot_id, project.env.state_dir, shared=True)
    return lock.was_made and lock.holder() is not None


def kept_elsewhere(channel: str, bot_id: str) -> LockHolder | None:
    """Return the keeper on this machine that keeps a bot; None if there is none. Raises `ConfigError`."""
    lock = _keeper_lock(channel, bot_id)
    return lock.holder() if lock.was_made else None


def _keeper_lock(channel: str, bot_id: str) -> ReaderLock:
    return ReaderLock(f"keeper-{channel}", bot_id, keeper_dir(), named=NAMED)


def _opened_with(project: LocalProject) -> tuple[object, ...]:
    return project.env.state_dir, project.token, project.address, project.settings


async def _identified(adapter: Adapter) -> None:
    await adapter.identify()


def _leaves(errors: BaseExceptionGroup[Any]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in errors.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
