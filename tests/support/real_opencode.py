"""The real OpenCode, and its fork Kilo, against a scripted model: nothing of the user's is in it.

Its folders are the test's, its key is made up, and the API it talks to is on loopback. The files are written as
`channels setup --host` writes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.host.install import add_to_file
from agent_channels.core.settings.config import Environment
from harness import Stage
from scripted_model import ScriptedModel
from tmux import Tmux

__all__ = ["KILO", "OPENCODE", "OpenCode", "Program"]

MODEL = "scripted/scripted"


@dataclass(frozen=True)
class Program:
    """A package, its command, and where it keeps its user's settings."""

    host: str
    package: str
    settings: str


OPENCODE = Program("opencode", "opencode-ai@1.18.33", "opencode/opencode.json")
KILO = Program("kilo", "@kilocode/cli@7.7.7", "kilo/kilo.json")


class OpenCode:
    """How the host is started in one test."""

    def __init__(self, stage: Stage, model: ScriptedModel, program: Program, path: Path, **settings: Any) -> None:
        """`path` is the command; `settings` are added to the user's."""
        self.stage, self.path = stage, path
        home = stage.folder / "host-home"
        folders = {name: home / name.lower() for name in ("CONFIG", "DATA", "CACHE", "STATE")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        prefixes = ("TELEGRAM_", "CHANNELS_DATA_DIR", "XDG_RUNTIME_DIR", "COVERAGE_")
        ours = [name for name in stage.env if name.startswith(prefixes)]
        upper = program.host.upper()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm-256color",
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            f"{upper}_DISABLE_AUTOUPDATE": "1",
            f"{upper}_DISABLE_MODELS_FETCH": "1",
            f"{upper}_DISABLE_LSP_DOWNLOAD": "1",
            f"{upper}_DISABLE_DEFAULT_PLUGINS": "1",
            f"{upper}_DISABLE_SHARE": "1",
            # It fetches a package of its own beside every plugin, and waits for that; here it fails at once.
            "npm_config_registry": f"{model.root}/no-registry/",
            "npm_config_fetch_retries": "0",
            **{f"XDG_{name}_HOME": str(folder) for name, folder in folders.items()},
            **{name: stage.env[name] for name in ours},
        }
        limit = {"context": 200_000, "output": 8_000}
        provider = {
            "npm": "@ai-sdk/anthropic",
            "name": "Scripted",
            "options": {"baseURL": f"{model.root}/v1", "apiKey": "made-up-for-tests"},
            "models": {"scripted": {"name": "scripted", "limit": limit, "tool_call": True}},
        }
        own = {"autoupdate": False, "share": "disabled", "model": MODEL, "small_model": MODEL}
        own_settings = folders["CONFIG"] / program.settings
        own_settings.parent.mkdir()
        own_settings.write_text(json.dumps({**own, "provider": {"scripted": provider}, **settings}))
        environ = {**stage.env, "CLAUDE_PROJECT_DIR": str(stage.project)}
        files = AGENT_HOSTS[program.host].files
        assert files is not None
        for file in files([Environment("telegram", environ)]):
            add_to_file(file, environ)

    def screen(self) -> Tmux:
        """A session in a terminal of its own."""
        return Tmux([str(self.path)], cwd=self.stage.project, env=self.env, width=160)

    @contextlib.asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[Process]:
        """The program with a command of its own; ended when the block is left."""
        process = await asyncio.create_subprocess_exec(
            str(self.path),
            *arguments,
            cwd=self.stage.project,
            env=self.env,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            # The command is a script, which starts the program itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
