"""Who plays the journey: each known host with a scripted model behind it, and each client library, in its own place."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.program import own_script
from agent_channels.core.settings.config import Environment
from agent_hosts import HOSTS, CodingHost, Room, cache_folder, npm_program
from agents import HOST_S, LINE_LIMIT, Agent, ClientAgent, HostedAgent, NoAnswer, interrupted, kill_all, running
from harness import COMMAND, World
from openai_model import OpenAIModel
from scratch_installs import venv_with

__all__ = ["PLAYERS", "Player", "Seat"]

HERE = Path(__file__).parent
CLIENTS = HERE.parent / "hosts" / "matrix" / "clients"
TAP, LIMITS = HERE / "wire_tap.py", HERE / "limits_server.py"
SERVE = ("serve", "CHANNEL")
TS = "@modelcontextprotocol/client@2.4.0"
PROMPT = "Listen for messages."
HASTY_S, PATIENT_S = 12.0, 200.0
# Gives up a call without a word: our server then goes by how long it does by itself, so it is not told less.
SILENT = ("cline",)


@dataclass
class Seat:
    """Where a player plays: the project with its people, and what is kept of what was said."""

    world: World
    # After how many seconds the player gives up a call, where it can be told; None: as long as it does by itself.
    call_s: float | None = None

    def hasty(self) -> Seat:
        """The same seat for a player that gives up calls soon, while our server would go on with them."""
        self.world.config(call_s=PATIENT_S)
        return replace(self, call_s=HASTY_S)

    @property
    def folder(self) -> Path:
        """Where everything is."""
        return self.world.folder

    @property
    def tap(self) -> Path:
        """What the host said to our server."""
        return self.folder / "said.jsonl"

    @property
    def log(self) -> Path:
        """What the host printed."""
        return self.folder / "printed.log"

    def server(self) -> dict[str, Any]:
        """Our server's entry in a host's list, with a tap on what it is told.

        The token is in its own file: several hosts hand on no variable whose name looks like a secret's.
        """
        channel, env = self.world.channel, self.world.env
        prefix = channel.upper()
        secret = {name: env[name] for name in (f"{prefix}_BOT_TOKEN", f"{prefix}_API_ROOT")}
        dotenv = self.world.state / ".env"
        dotenv.write_text("".join(f"{name}={value}\n" for name, value in secret.items()))
        dotenv.chmod(0o600)
        names = {f"{prefix}_STATE_DIR", "CHANNELS_DATA_DIR", "XDG_RUNTIME_DIR", "CLAUDE_PROJECT_DIR", "PATH", "HOME"}
        given = {name: value for name, value in env.items() if name in names or name.startswith("COVERAGE_")}
        return {
            "command": sys.executable,
            "args": [str(TAP), str(self.tap), *COMMAND, *SERVE[:1], channel],
            "env": given,
        }

    def set_up(self, name: str, home: Path) -> None:
        """Writes the files of a host as `channels setup --host NAME` does, with the tap before the program."""
        program = self.folder / "channels"
        server = self.server()
        words = [server["command"], *server["args"][: -len(SERVE)]]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        program.chmod(0o755)
        files = AGENT_HOSTS[name].files
        assert files is not None
        # With nothing of ours on the PATH, so that the program is named by its path.
        environ = {**server["env"], "HOME": str(home), "PATH": os.defpath}
        for file in files([Environment(self.world.channel, environ)]):
            before = file.path.read_text() if file.path.exists() else ""
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_text(file.add(before).replace(str(own_script()), str(program)))

    @staticmethod
    def limits_server() -> dict[str, Any]:
        """The entry of the server that shows what a client bears."""
        return {"command": sys.executable, "args": [str(LIMITS)], "env": {}}


Start = Callable[[Seat, dict[str, Any]], AbstractAsyncContextManager[Agent]]


@dataclass(frozen=True)
class Player:
    """A host or a client: `start(seat, server)` starts it with that server, anew each time.

    `stateless`: each of its calls starts a server of its own.
    """

    name: str
    title: str
    version: str
    kind: str
    start: Start
    stateless: bool = False


# ---- hosts


def _hosted(host: CodingHost) -> Start:
    """Starts it with a server; an empty entry stands for the files that set-up writes."""

    @contextlib.asynccontextmanager
    async def start(seat: Seat, server: dict[str, Any]) -> AsyncIterator[Agent]:
        agent = HostedAgent()
        home = seat.folder / "host-home"
        home.mkdir(exist_ok=True)
        async with host.model(agent.script) as model:
            servers = {seat.world.channel: server} if server else {}
            call_s = None if host.name in SILENT else seat.call_s
            room = Room(host.program(), home, seat.world.project, servers, model, PROMPT, call_s)
            launch = host.started(room)
            if not server:
                seat.set_up(host.name, Path(launch.env["HOME"]))
            async with running(launch.command, launch.env, seat.world.project, seat.log) as process:
                agent.process = process
                await agent.begin(seat.world.channel)
                yield agent

    return start


# ---- clients


Command = Callable[[], list[str]]


# Drivers whose library starts with a newer Python than ours may be: the oldest that it takes.
NEWER_PYTHON = {"fast_agent_client.py": (3, 12)}


def _python(script: str, *packages: str) -> Command:
    """The command line of a driver in a virtual environment with these packages; without any, in our own."""

    def command() -> list[str]:
        if not packages:
            return [sys.executable, str(CLIENTS / script)]
        folder = cache_folder() / "venv" / script.removesuffix(".py")
        ready = folder / ".ready"
        wanted = "\n".join(packages)
        if not ready.exists() or ready.read_text() != wanted:
            folder.parent.mkdir(parents=True, exist_ok=True)
            venv_with(folder, *packages, at_least=NEWER_PYTHON.get(script, (3, 0)))
            ready.write_text(wanted)
        return [str(folder / "bin" / "python"), str(CLIENTS / script)]

    return command


def _node(script: str, package: str, *arguments: str) -> Command:
    """The command line of a driver in Node.js with a package."""

    def command() -> list[str]:
        modules = npm_program(package, "").parents[0]
        return ["node", str(CLIENTS / script), str(modules), *arguments]

    return command


def _driven(command: Command, *, cancels: bool = True) -> Start:
    """A library that a driver of ours calls tools by; `cancels`: it can cancel a call."""

    @contextlib.asynccontextmanager
    async def start(seat: Seat, server: dict[str, Any]) -> AsyncIterator[Agent]:
        words = [*command(), server["command"], *server["args"]]
        env = {**seat.world.env, **server["env"], **_told(seat)}
        async with running(words, env, seat.world.project, seat.log, driven=True) as process:
            agent = ClientAgent(process, cancels=cancels)
            try:
                yield agent
            finally:
                agent.close()

    return start


_uncancelled = partial(_driven, cancels=False)


def _told(seat: Seat) -> dict[str, str]:
    return {} if seat.call_s is None else {"CALL_S": f"{seat.call_s:.0f}"}


def _modelled(command: Command) -> Start:
    """An agent library whose model is ours."""

    @contextlib.asynccontextmanager
    async def start(seat: Seat, server: dict[str, Any]) -> AsyncIterator[Agent]:
        agent = HostedAgent()
        words = [*command(), server["command"], *server["args"]]
        async with OpenAIModel(agent.script) as model:
            own = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "made-up"}
            env = {**seat.world.env, **server["env"], **own, **_told(seat)}
            async with running(words, env, seat.world.project, seat.log) as process:
                agent.process = process
                await agent.begin(seat.world.channel)
                yield agent

    return start


class InspectorAgent:
    """MCP Inspector's command line: a process, and a server, for each call."""

    def __init__(self, program: Path, seat: Seat, server: dict[str, Any]) -> None:
        # It hands on none of its own variables.
        given = [word for name, value in server["env"].items() for word in ("-e", f"{name}={value}")]
        self._base = [str(program), "--cli", *given, server["command"], *server["args"], "--method"]
        self._seat, self._env = seat, {**seat.world.env, **server["env"]}
        self._running: set[Process] = set()

    async def tools(self) -> list[str]:
        """What `tools/list` prints."""
        return [tool["name"] for tool in (await self._run("tools/list", within=HOST_S))["tools"]]

    async def call(self, tool: str, *, within: float = HOST_S, **arguments: Any) -> str:
        """What `tools/call` prints; values that are no text are given as JSON."""
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()}
        words = [word for name, value in texts.items() for word in ("--tool-arg", f"{name}={value}")]
        found = await self._run("tools/call", "--tool-name", tool, *words, within=within)
        return "\n".join(part.get("text", "") for part in found["content"])

    async def interrupt(self) -> bool:
        """Sends what Ctrl-C sends to the process of the call; the next call is one of its own as ever."""
        for process in self._running:
            await interrupted(process)
        return True

    def close(self) -> None:
        """Kills what runs."""
        for process in self._running:
            kill_all(process)

    async def _run(self, *words: str, within: float) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *self._base,
            *words,
            env=self._env,
            cwd=self._seat.world.project,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            limit=LINE_LIMIT,
            start_new_session=True,
        )
        self._running.add(process)
        try:
            out, err = await asyncio.wait_for(process.communicate(), within)
        except TimeoutError:
            raise NoAnswer(f"the client answered nothing within {within:.0f} s") from None
        finally:
            self._running.discard(process)
            kill_all(process)
        try:
            return dict(json.loads(out))
        except ValueError:
            return {"content": [{"text": (err or out).decode(errors="replace").strip()[-300:]}]}


def _inspector(package: str) -> Start:
    @contextlib.asynccontextmanager
    async def start(seat: Seat, server: dict[str, Any]) -> AsyncIterator[Agent]:
        agent = InspectorAgent(npm_program(package, "mcp-inspector"), seat, server)
        try:
            yield agent
        finally:
            agent.close()

    return start


def _titles() -> dict[str, str]:
    return {"claude": "Claude Code", **{name: host.title for name, host in AGENT_HOSTS.items()}}


def _players() -> Sequence[Player]:
    titles = _titles()
    hosts = [
        Player(host.name, titles.get(host.name, host.name), host.version, "host", _hosted(host))
        for host in HOSTS.values()
    ]
    inspector = "@modelcontextprotocol/inspector@2.12.0"
    clients = [
        Player("sdk", "MCP SDK for Python", "2.3.0", "client", _driven(_python("sdk.py"))),
        Player("ts-sdk", "MCP SDK for TypeScript", TS.rpartition("@")[2], "client", _driven(_node("ts_sdk.mjs", TS))),
        Player(
            "ts-sdk-stateless",
            "MCP SDK for TypeScript, a process for each call",
            TS.rpartition("@")[2],
            "client",
            _driven(_node("ts_sdk.mjs", TS, "stateless")),
            stateless=True,
        ),
        Player("inspector", "MCP Inspector CLI", "2.12.0", "client", _inspector(inspector), stateless=True),
    ]
    for name, title, way, script, package, *more in (
        ("fastmcp", "FastMCP", _driven, "fastmcp_client.py", "fastmcp==4.2.3"),
        (
            "langchain",
            "LangChain, a process for each call",
            _driven,
            "langchain_tools.py",
            "langchain-mcp-adapters==0.3.2",
        ),
        ("mcp-agent", "mcp-agent", _driven, "mcp_agent_client.py", "mcp-agent==0.2.6", "mcp<2"),
        ("fast-agent", "fast-agent", _driven, "fast_agent_client.py", "fast-agent-mcp==0.10.48"),
        ("smolagents", "smolagents", _uncancelled, "smolagents_tools.py", "smolagents[mcp]==1.26.0", "mcp<2"),
        ("openai-agents", "OpenAI Agents SDK", _modelled, "openai_agents.py", "openai-agents==0.24.0"),
        ("pydantic-ai", "Pydantic AI", _modelled, "pydantic_ai_agent.py", "pydantic-ai-slim[mcp,openai]==2.68.0"),
    ):
        start = way(_python(script, package, *more))
        clients.append(Player(name, title, package.partition("==")[2], "client", start, stateless=name == "langchain"))
    return [*hosts, *clients]


PLAYERS = {player.name: player for player in _players()}
