"""Starts the hosts of projects on this machine as approvers ask for it in the chat, and tells them how it went."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import ChannelError, PlatformError, StoreError
from agent_channels.core.host.background import last_lines, log_size, start
from agent_channels.core.host.outer_session import without_outer_session
from agent_channels.core.hub.members import ProjectMember
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.starts import StartRequest
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.outbound.retry import Retrier, SendReport
from agent_channels.core.program import own_script
from agent_channels.core.runtime.hub.local_projects import LocalProject
from agent_channels.core.runtime.hub.words import name_of, start_failed_text, start_keyboard
from agent_channels.core.scheduling import Backoff
from agent_channels.core.services import Services
from agent_channels.core.settings.paths import expand_home
from agent_channels.core.settings.start_command import is_claude
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.secret_values import mask_secrets

__all__ = ["HostStarts"]

logger = logging.getLogger(__name__)
# How long a session may take to come up; requests expire later.
UP_WITHIN_S = 90.0
LOOK_EVERY_S = 0.5
SEND_WITHIN_S = 30.0
LINES_SHOWN = 5
LINE_MAX = 200


class _NotStartedError(ChannelError):
    """A host was not started, or no session came of it: why, in words, and the last lines that it wrote."""

    def __init__(self, reason: str, lines: list[str] | None = None) -> None:
        super().__init__(reason)
        self.lines = lines or []


class HostStarts:
    """The starts of one bot's projects on this machine."""

    def __init__(
        self,
        hub: ProjectHub,
        adapter: Adapter,
        projects: Callable[[], Mapping[str, LocalProject]],
        environ: Mapping[str, str],
        umask: int,
    ) -> None:
        """`projects`: those of now that may be started, by id. `environ`, `umask`: what their hosts get."""
        self._hub, self._adapter, self._projects = hub, adapter, projects
        # The keeper may be one of the programs that a host started.
        self._environ = without_outer_session(environ)
        self._umask = umask
        self._retrier = Retrier(SEND_WITHIN_S)
        self._hosts: list[subprocess.Popen[bytes]] = []

    async def run(self) -> None:
        """Do what is asked for until cancelled; hosts that run go on."""
        backoff = Backoff()
        async with anyio.create_task_group() as group:
            while True:
                try:
                    for request in await self._hub.starts.take(self._projects().keys()):
                        group.start_soon(self._carry_out, request)
                except StoreError as error:
                    logger.warning("whether a project is to be started is not known: %s", error)
                    await anyio.sleep(backoff.next())
                    continue
                # Those that ended are let go of.
                self._hosts = [host for host in self._hosts if host.poll() is None]
                await self._hub.wakeups.wait()

    async def _carry_out(self, request: StartRequest) -> None:
        name = await self._name(request.project)
        text, keyboard = translate("hub_started", project=name), None
        try:
            await self._start(request)
            logger.info("a session works on %s", name)
        except _NotStartedError as error:
            logger.warning("%s was not started: %s %s", name, error, " / ".join(error.lines))
            text, keyboard = start_failed_text(name, str(error), error.lines), start_keyboard(request.project)
        outgoing = Outgoing(request.chat_id, text, thread_id=request.thread_id or None, keyboard=keyboard)
        try:
            await self._retrier.call(partial(self._adapter.send, outgoing), SendReport())
        except PlatformError as error:
            logger.warning("nobody was told what became of %s: %s", name, redact(str(error)))
        try:
            await self._hub.starts.end(request.project)
        except StoreError as error:
            logger.warning("the start of %s counts as unfinished for a while: %s", name, error)

    async def _name(self, project: str) -> str:
        try:
            return name_of(await self._hub.members.read(), project)
        except StoreError:
            return name_of(self._hub.members.known, project)

    async def _start(self, request: StartRequest) -> None:
        """Start a project's host, and return once a session works on it. Raises `_NotStartedError`."""
        project = self._projects().get(request.project)
        if project is None or project.folder is None or not project.may_start:
            raise _NotStartedError(translate("hub_start_forbidden"))
        if not project.folder.is_dir():
            raise _NotStartedError(translate("hub_start_no_folder"))
        self._require_approver(project, request.user_id)
        environ = {
            **self._environ,
            f"{project.channel.name.upper()}_STATE_DIR": str(project.env.state_dir),
            "CLAUDE_PROJECT_DIR": str(project.folder),
            "TERM": "xterm-256color",
        }
        command, state_dir = _command(project, environ), project.env.state_dir
        since = log_size(state_dir)
        logger.info("starting %s in %s, as %s asked", command[0], project.folder, request.user_id)
        try:
            host = start(command, folder=project.folder, state_dir=state_dir, environ=environ, umask=self._umask)
        except OSError as error:
            raise _NotStartedError(translate("hub_start_system", error=label(error.strerror or str(error)))) from error
        self._hosts.append(host)
        await self._until_up(request.project, host, partial(_said, state_dir, since))

    def _require_approver(self, project: LocalProject, user_id: str) -> None:
        """Ask the project itself: the hub's word may be old, and is anybody's who can write to it."""
        try:
            with Store.open(project.env.state_dir) as store:
                services = Services.of(store)
                if services.access.is_approver(user_id):
                    services.audit.add("start", user_id, str(project.folder))
                    return
        except ChannelError as error:
            raise _NotStartedError(translate("hub_start_system", error=label(redact(str(error)), 300))) from error
        raise _NotStartedError(translate("hub_start_not_approver"))

    async def _until_up(self, project: str, host: subprocess.Popen[bytes], said: Callable[[], list[str]]) -> None:
        began = time.monotonic()
        while (passed_s := time.monotonic() - began) < UP_WITHIN_S:
            # A command that ends well may have left a host behind.
            if (code := host.poll()) not in {None, 0}:
                raise _NotStartedError(translate("hub_start_ended", code=code), said())
            try:
                if any(_works(member, project, passed_s) for member in await self._hub.members.read()):
                    return
            except StoreError as error:
                logger.info("whether a session came up is not known: %s", error)
            await anyio.sleep(LOOK_EVERY_S)
        if (code := host.poll()) is not None:
            raise _NotStartedError(translate("hub_start_ended", code=code), said())
        lines = said()
        # Its terminal closes with the process that holds it.
        host.terminate()
        raise _NotStartedError(translate("hub_start_silent", seconds=f"{UP_WITHIN_S:.0f}"), lines)


def _works(member: ProjectMember, project: str, within_s: float) -> bool:
    return member.project == project and not member.is_unattended and member.silent_s <= within_s


def _command(project: LocalProject, environ: Mapping[str, str]) -> list[str]:
    """Return the command that starts a project's host. Raises `_NotStartedError` if there is no such program."""
    words = project.settings.start or ()
    named = str(expand_home(words[0]))
    # A folder on the PATH that is not named whole would be one of the project's.
    path = os.pathsep.join(part for part in environ.get("PATH", "").split(os.pathsep) if Path(part).is_absolute())
    program = shutil.which(named, path=path)
    if program is None:
        raise _NotStartedError(translate("hub_start_no_program", program=label(words[0])))
    if not is_claude(named):
        return [program, *words[1:]]
    # It knows what this host needs to be reached, and says why it could not be. The mode goes before what the
    # project's own settings say.
    launched = [str(own_script()), "launch", project.channel.name, "--unattended", "--host", program, "--"]
    return [*launched, "--permission-mode", project.settings.start_mode, *words[1:]]


def _said(state_dir: Path, since: int) -> list[str]:
    return [label(mask_secrets(redact(line)), LINE_MAX) for line in last_lines(state_dir, since, LINES_SHOWN)]
