"""Gemini CLI and its fork Qwen Code against a scripted model: in a terminal (tmux), or with `-p`.

Their folders are the test's, their keys are made up, and the API they talk to is on loopback. Wired as
`channels setup --host` does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.env_file import set_dotenv_values
from agent_hosts import handed_on, npm_program
from harness import Ran, Stage
from inbox_socket import Block, blocks_in
from scripted_model import Asked, ScriptedModel, say, use
from tmux import Tmux

__all__ = ["TOOL", "ForkedHost", "news", "program", "replying", "shell"]

PACKAGES = {"gemini": "@google/gemini-cli@0.61.0", "qwen": "@qwen-code/qwen-code@0.24.4"}
KEY = "made-up-for-tests-000000000000000000000"
MODEL = {"gemini": "gemini-2.5-flash", "qwen": "scripted"}
# How each calls a tool of an MCP server.
TOOL = {"gemini": "mcp_telegram_{}", "qwen": "mcp__telegram__{}"}

# What the box for its user's words shows while it is empty.
EMPTY_BOX = "Type your message"


def news(asked: Asked) -> list[Block]:
    """The messages from chats that came since the model last spoke; these hosts escape what a hook adds."""
    return blocks_in(html.unescape(asked.latest))


def program(name: str) -> Path:
    """The host's program, installed once for this user; skips the test where it cannot be."""
    return npm_program(PACKAGES[name], name)


def shell(command: str) -> dict[str, Any]:
    """The model runs a command."""
    return use("run_shell_command", command=command, is_background=False)


async def replying(host: str, asked: Asked) -> list[dict[str, Any]]:
    """What a model says that answers every message by its text, and else is silent."""
    found = news(asked)
    reply = TOOL[host].format("reply")
    return [use(reply, chat_id=b.meta["chat_id"], text=f"got {b.content}") for b in found] or [say("done")]


class ForkedHost:
    """How one of the two is started in one test; `name` is the host's."""

    def __init__(self, name: str, stage: Stage, model: ScriptedModel, program: Path, **settings: Any) -> None:
        """`settings`: what the user's own settings hold besides."""
        self.name, self.stage, self.program = name, stage, program
        home = stage.folder / "host-home"
        own = home / f".{name}"
        own.mkdir(parents=True, exist_ok=True)
        auth = {"gemini": "gemini-api-key", "qwen": "openai"}[name]
        base = {
            "security": {"auth": {"selectedType": auth}, "folderTrust": {"enabled": False}},
            "general": {"disableAutoUpdate": True, "enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "ide": {"hasSeenNudge": True},
        }
        (own / "settings.json").write_text(json.dumps({**base, **settings}))
        # The host hands no variable on whose name looks like a secret's.
        set_dotenv_values(stage.state, {"TELEGRAM_BOT_TOKEN": stage.tg.token, "TELEGRAM_API_ROOT": stage.tg.root})
        files = AGENT_HOSTS[name].files
        assert files is not None
        for file in files([Environment("telegram", stage.env)]):
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_text(file.add(""))
        vendor = {
            "gemini": {
                "GEMINI_API_KEY": KEY,
                "GOOGLE_GEMINI_BASE_URL": model.root,
                "GEMINI_CLI_SYSTEM_SETTINGS_PATH": str(stage.folder / "no-settings.json"),
                "GEMINI_CLI_NO_RELAUNCH": "true",
            },
            "qwen": {
                "OPENAI_API_KEY": KEY,
                "OPENAI_BASE_URL": f"{model.root}/v1",
                "OPENAI_MODEL": MODEL["qwen"],
                "QWEN_CODE_SYSTEM_SETTINGS_PATH": str(stage.folder / "no-settings.json"),
            },
        }[name]
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(stage.folder),
            "TERM": "xterm-256color",
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            **handed_on(stage.env),
            **vendor,
        }

    @staticmethod
    async def enter(screen: Tmux, text: str) -> None:
        """Types a line as a person does: what comes at once is taken for a paste, in which Enter is a line break."""
        await screen._tmux("send-keys", "-t", "host", "-l", text)
        await screen.shows(f"> {text}")
        await screen.press("Enter")

    def command(self, *more: str) -> list[str]:
        """The host's command line."""
        return [str(self.program), "--model", MODEL[self.name], *more]

    async def approve(self) -> Ran:
        """Says that a server in the project's settings may be started, which Qwen Code's screen asks about."""
        return await self.stage.run(str(self.program), "mcp", "approve", "telegram", **self.env)

    @contextlib.asynccontextmanager
    async def printing(self, prompt: str, *more: str) -> AsyncIterator[Process]:
        """A session without a screen; ended when the block is left."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*more, "-p", prompt),
            cwd=self.stage.project, env=self.env, stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    @contextlib.asynccontextmanager
    async def screen(self, *more: str) -> AsyncIterator[Tmux]:
        """A session in a terminal of its own, once its user may type."""
        async with Tmux(self.command(*more), cwd=self.stage.project, env=self.env, width=150) as screen:
            if self.name == "qwen":
                # A server in the project's settings is started once its user has said so.
                await screen.shows("Approve this server", 60)
                await screen.press("Enter")
            await screen.shows(EMPTY_BOX, 60)
            yield screen
