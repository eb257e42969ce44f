"""The real agent host against a scripted model: in a terminal (tmux) or with `-p`, with nothing of the user's in it.

Its folders are the test's, its key is made up, and the API it talks to is on loopback. Wired as the README says: the
server by `--mcp-config`, the hooks of hooks/hooks.json by `--settings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import psutil

from agent_channels.core.host.install import turn_hooks
from harness import COMMAND, Stage
from inbox_socket import blocks_in
from scripted_model import Asked, ScriptedModel, say, use
from tmux import Tmux
from wire_host import LOOK_EVERY_S

__all__ = ["PACKAGE", "RealHost", "Screen", "answering"]

PACKAGE = "@anthropic-ai/claude-code@2.1.328"
KEY = "sk-ant-made-up-for-tests-0000000000000000000000"
HOOKS = Path(__file__).parents[2] / "hooks" / "hooks.json"
WRITTEN_AS = '\\"${CLAUDE_PLUGIN_OPTION_PYTHON:-python3}\\" \\"${CLAUDE_PLUGIN_ROOT}/.claude-plugin/run.py\\"'
TOOLS = "mcp__telegram__reply,mcp__telegram__wait_for_messages,mcp__telegram__ask,mcp__telegram__channel_status"


async def answering(asked: Asked) -> list[dict[str, Any]]:
    """A model that answers every message from a chat by its text, fetches when it is rung for, else is silent."""
    found = blocks_in(asked.latest)
    if found:
        return [
            use("mcp__telegram__reply", chat_id=block.meta["chat_id"], text=f"got {block.content}") for block in found
        ]
    if "call wait_for_messages" in asked.latest:
        return [use("mcp__telegram__wait_for_messages", timeout_s=0)]
    return [say("done")]


class RealHost:
    """How the host is started in one test."""

    def __init__(
        self,
        stage: Stage,
        model: ScriptedModel,
        program: Path,
        *,
        hooks: bool = True,
        turns: Sequence[str] = (),
        allowed: str = TOOLS,
        more: Mapping[str, dict[str, str]] = MappingProxyType({}),
        **settings: Any,
    ) -> None:
        """`turns`: the servers that the hooks of turns call; `allowed`: the tools that need no permission.

        `more`: the environment of further channels' servers, by channel.
        """
        self.stage, self.program, self.allowed = stage, program, allowed
        home = stage.folder / "host-home"
        home.mkdir(exist_ok=True)
        project = str(stage.project.resolve())
        trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        answered = {"hasCompletedOnboarding": True, "theme": "dark", "projects": {project: trusted}}
        answered["customApiKeyResponses"] = {"approved": [KEY[-20:]], "rejected": []}
        (home / ".claude.json").write_text(json.dumps(answered))
        named = ("TELEGRAM_STATE_DIR", "CHANNELS_DATA_DIR", "XDG_RUNTIME_DIR")
        ours = (*named, *(n for n in stage.env if n.startswith("COVERAGE_")))
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CLAUDE_CODE_TMPDIR": str(stage.folder),
            "TERM": "xterm-256color",
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": model.root,
            "ANTHROPIC_API_KEY": KEY,
            "DISABLE_AUTOUPDATER": "1",
            **{name: stage.env[name] for name in ours},
        }
        server = {name: stage.env[name] for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ROOT")}
        servers = {
            name: {"command": COMMAND[0], "args": [*COMMAND[1:], "serve", name], "env": env, "alwaysLoad": True}
            for name, env in {"telegram": server, **more}.items()
        }
        self.config = stage.folder / "mcp.json"
        self.config.write_text(json.dumps({"mcpServers": servers}))
        if hooks:
            ran = json.dumps(" ".join(f"'{part}'" for part in COMMAND))[1:-1]
            settings["hooks"] = json.loads(HOOKS.read_text().replace(WRITTEN_AS, ran))["hooks"]
        if turns:
            installed = settings.setdefault("hooks", {})
            installed.pop("UserPromptSubmit", None)
            for event, groups in turn_hooks(turns).items():
                installed[event] = [*installed.get(event, ()), *groups]
        self.settings = stage.folder / "settings.json"
        self.settings.write_text(json.dumps(settings))

    def command(self, *more: str) -> list[str]:
        """The host's command line."""
        wired = ["--mcp-config", str(self.config), "--strict-mcp-config", "--settings", str(self.settings)]
        return [str(self.program), *wired, "--allowedTools", self.allowed, "--permission-mode", "default", *more]

    @contextlib.asynccontextmanager
    async def printing(self, prompt: str) -> AsyncIterator[Process]:
        """A session without a screen; ended when the block is left."""
        process = await asyncio.create_subprocess_exec(
            *self.command("-p", prompt), cwd=self.stage.project, env=self.env, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def screen(self) -> Screen:
        """A session in a terminal of its own, started when the block is entered."""
        return Screen(self)


class Screen(Tmux):
    """An interactive session in a terminal of its own."""

    def __init__(self, host: RealHost) -> None:
        super().__init__(host.command(), cwd=host.stage.project, env=host.env, width=180)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self.shows("? for shortcuts")
        return self

    async def host_pid(self) -> int:
        """The host's process."""
        return await self.pid()

    async def idle(self) -> None:
        """Waits until the session waits for its user, with its bell hung up."""
        host = psutil.Process(await self.host_pid())
        async with asyncio.timeout(30):
            while "esc to interrupt" in await self.text() or not _bells(host):  # noqa: ASYNC110 - as in Tmux.shows
                await asyncio.sleep(LOOK_EVERY_S)


def _bells(host: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process for process in host.children(recursive=True) if process.cmdline()[-2:] == ["hook", "bell"]]
    return []
