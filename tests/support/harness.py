"""The real program from outside: a sandbox platform, folders of its own, server processes and the command line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import sysconfig
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import yaml

from agent_channels.core.contract import messages as types
from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.slack.markup import KEPT
from warm import Warm
from wire_host import PATIENCE_S, Event, Host, Result

__all__ = [
    "COMMAND",
    "TOKEN",
    "DiscordStage",
    "Event",
    "Host",
    "Ran",
    "Result",
    "SlackStage",
    "Stage",
    "World",
    "is_closed",
]

COMMAND = [sys.executable, str(Path(sysconfig.get_path("scripts")) / "channels")]
TOKEN = "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiA"
# A line may carry a whole 100,000-character message.
LINE_LIMIT = 1 << 24
# Which state folders are this user's own: noted for these processes alone, never in the home of who runs them.
_DATA = tempfile.TemporaryDirectory(prefix="channels-tests-")
os.environ["CHANNELS_DATA_DIR"] = _DATA.name
# `channels` is on the PATH, as where it was installed as a tool.
os.environ["PATH"] = os.pathsep.join([str(Path(COMMAND[1]).parent), os.environ["PATH"]])


@dataclass(frozen=True)
class Ran:
    """What a command did. `project`: what its first line names, which is then in neither `out` nor `err`."""

    code: int
    out: str
    err: str
    project: str | None = None

    @classmethod
    def of(cls, code: int, out: str, err: str) -> Self:
        """Takes the first line that names the project off."""
        for said in (out, err):
            first, _, rest = said.partition("\n")
            if first.startswith("Project "):
                project = first.removeprefix("Project ")
                return cls(code, rest, err, project) if said is out else cls(code, out, rest, project)
        return cls(code, out, err)

    @property
    def json(self) -> Any:
        """Its standard output as JSON."""
        return json.loads(self.out)


class World:
    """One test's world: a project folder with its state, and the processes started in it, on one channel."""

    channel: str
    warm: ClassVar[Warm | None] = None
    """Where processes are forked from, unless a test is about their start."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        """`environ`: what the channel's server needs to find its platform."""
        self.folder = folder
        self.project, self.home, self.state = folder / "project", folder / "home", folder / "state"
        runtime = folder / "run"
        for path in (self.project, self.home, runtime):
            path.mkdir(mode=0o700)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(runtime),
            "CLAUDE_PROJECT_DIR": str(self.project),
            f"{self.channel.upper()}_STATE_DIR": str(self.state),
            "CHANNELS_DATA_DIR": os.environ["CHANNELS_DATA_DIR"],
            "CHANNELS_CLAIM": "always",
            # Sentences stay in one piece, so that they can be looked for.
            "COLUMNS": "10000",
            **environ,
        }
        # Coverage follows into the processes; a tree that is not the installed one is the one which is tested.
        self.env |= {name: value for name, value in os.environ.items() if name.startswith(("COVERAGE_", "PYTHONPATH"))}
        self.hosts: list[Host] = []
        self.ran: list[Ran] = []
        make_state_folder(self.state)
        self.config(grace_s=0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(host.close() for host in self.hosts))

    # ---- setting up

    def config(self, **settings: Any) -> None:
        """Writes config.yaml."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        (self.state / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def allow(self, user_id: int | str, name: str) -> None:
        """Lets somebody in."""
        with Store.open(self.state) as store:
            Services.of(store).access.allow(str(user_id), by="test", name=name)

    # ---- processes

    async def start(self, *, before: Sequence[str] = (), cold: bool = False, **env: str | None) -> Host:
        """Starts the server and says nothing to it.

        An env value None unsets; `before` goes before the command; `cold`: it has yet to import what it needs.
        """
        process = await self.spawn([*before, *COMMAND, "serve", self.channel], self._env(env), cold=cold)
        self.hosts.append(Host(process))
        return self.hosts[-1]

    async def host(self, **env: str | None) -> Host:
        """A host that started the server and finished the handshake."""
        return await (await self.start(**env)).attach()

    async def cli(self, *arguments: str, stdin: str = "", **env: str | None) -> Ran:
        """Runs the command line to its end."""
        return await self.run(*COMMAND, *arguments, stdin=stdin, **env)

    async def run(self, *command: str, stdin: str = "", **env: str | None) -> Ran:
        """Runs any command to its end, in the project and this world's environment."""
        process = await self.spawn(command, self._env(env))
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate(stdin.encode())
        ran = Ran.of(process.returncode or 0, out.decode(), err.decode())
        self.ran.append(ran)
        return ran

    async def access(self, *arguments: str, **env: str | None) -> Ran:
        """Runs `channels access CHANNEL ...`."""
        return await self.cli("access", self.channel, *arguments, **env)

    async def spawn(self, command: Sequence[str], env: dict[str, str], *, cold: bool = False) -> Process:
        """A process in the project, in just this environment, with three pipes."""
        if self.warm and not cold and list(command[: len(COMMAND)]) == COMMAND and self.warm.takes(env):
            return await self.warm.start(command[len(COMMAND) - 1 :], env, self.project, LINE_LIMIT)
        return await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=LINE_LIMIT, cwd=self.project, env=env
        )

    def _env(self, changes: dict[str, str | None]) -> dict[str, str]:
        merged = {**self.env, **changes}
        return {name: value for name, value in merged.items() if value is not None}

    # ---- judging

    def impure(self) -> list[bytes]:
        """Every line any server wrote to stdout that is not a JSON-RPC message."""
        return [line for host in self.hosts for line in host.lines if not _is_message(line)]

    def everything_said(self) -> str:
        """All that processes wrote anywhere."""
        hosts = "".join(host.log() + b"".join(host.lines).decode(errors="replace") for host in self.hosts)
        return hosts + "".join(ran.out + ran.err for ran in self.ran)


class Stage(World):
    """A world with a sandbox Telegram."""

    channel = "telegram"

    def __init__(self, tg: TelegramSandbox, folder: Path) -> None:
        self.tg = tg
        super().__init__(folder, {"TELEGRAM_BOT_TOKEN": tg.token, "TELEGRAM_API_ROOT": tg.root})

    def person(self, handle: str = "ann", **options: Any) -> TelegramPerson:
        """Somebody who may write to the bot."""
        person = self.tg.person(handle, **options)
        self.allow(person.id, handle)
        person.dm.started = True
        return person

    async def run(self, *command: str, stdin: str = "", **env: str | None) -> Ran:
        """Runs any command to its end; the doctor's look for another poller takes a second."""
        if "doctor" in command:
            env = {"TELEGRAM_POLL_TIMEOUT_S": "1", **env}
        return await super().run(*command, stdin=stdin, **env)

    async def reading(self, **env: str | None) -> Host:
        """As `host`, once the server waits in a long poll."""
        host = await self.host(**env)
        await self.tg.wait_for(lambda: self.tg.polling, PATIENCE_S)
        return host


class DiscordStage(World):
    """A world with a sandbox Discord."""

    channel = "discord"

    def __init__(self, dc: DiscordSandbox, folder: Path) -> None:
        self.dc = dc
        places = {"DISCORD_API_ROOT": dc.root, "DISCORD_GATEWAY_URL": dc.gateway_url}
        super().__init__(folder, {"DISCORD_BOT_TOKEN": dc.token, **places})

    def person(self, handle: str = "ann", *, met: bool = True) -> DiscordPerson:
        """Somebody who may write to the bot; `met`: they did so before."""
        person = self.dc.person(handle)
        self.allow(person.id, handle)
        person.dm.started = True
        if met:
            with Store.open(self.state) as store:
                Services.of(store).chats.record(
                    types.Chat(str(person.dm.id), "direct"), types.Person(str(person.id), handle)
                )
        return person

    async def reading(self, **env: str | None) -> Host:
        """As `host`, once the server is connected to the gateway."""
        host = await self.host(**env)
        await self.dc.wait_for(lambda: self.dc.connected, PATIENCE_S)
        return host


class SlackStage(World):
    """A world with a sandbox Slack."""

    channel = "slack"

    def __init__(self, slack: SlackSandbox, folder: Path) -> None:
        self.slack = slack
        tokens = {"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token}
        super().__init__(folder, {"SLACK_API_ROOT": slack.root, **tokens})

    def person(self, handle: str = "ann", *, met: bool = True) -> SlackPerson:
        """Somebody who may write to the bot; `met`: they did so before."""
        person = self.slack.person(handle)
        self.allow(person.id, handle)
        if met:
            with Store.open(self.state) as store:
                Services.of(store).chats.record(types.Chat(person.dm.id, "direct"), types.Person(person.id, handle))
        return person

    async def reading(self, **env: str | None) -> Host:
        """As `host`, once the server is connected to a socket."""
        host = await self.host(**env)
        await self.slack.wait_for(lambda: self.slack.connected, PATIENCE_S)
        return host


def is_closed(message: dict[str, Any]) -> bool:
    """Whether a message has no button that one could tap; the one that was chosen may be left, disabled."""
    telegram = message.get("reply_markup", {}).get("inline_keyboard", [])
    discord = [row["components"] for row in message.get("components") or ()]
    slack = [block["elements"] for block in message.get("blocks") or () if block["type"] == "actions"]
    return not any(
        "callback_data" in key
        or (key.get("custom_id") and not key.get("disabled"))
        or not key.get("action_id", KEPT).startswith(KEPT)
        for row in (*telegram, *discord, *slack)
        for key in row
    )


def _is_message(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        # The last line of a process that ended while the pipe was full breaks off; what there is of it is a message's.
        start = b'{"jsonrpc":"2.0",'
        return line[: len(start)] == start[: len(line)]
    try:
        message = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("jsonrpc") == "2.0"
