"""Codex CLI as a person has it: set up by `channels setup --host codex`, in a terminal, against a scripted model.

Its folders are the test's, its key is made up, and the API it talks to is on loopback.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness import Stage
from responses_model import ResponsesModel
from tmux import Tmux

__all__ = ["PACKAGE", "REPLY", "CodexHost"]

PACKAGE = "@openai/codex@0.171.0"
REPLY = "mcp__telegram__reply"
KEY = "sk-made-up-for-tests-0000000000000000000000"
CONFIG = """
model = "scripted"
model_provider = "scripted"
check_for_update_on_startup = false
approval_policy = "on-request"
sandbox_mode = "workspace-write"

[model_providers.scripted]
name = "scripted"
base_url = "{root}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
requires_openai_auth = false
supports_websockets = false

[projects."{project}"]
trust_level = "trusted"

[analytics]
enabled = false

[tui]
show_tooltips = false

[notice]
hide_full_access_warning = true
"""


class CodexHost:
    """How the host is started in one test."""

    def __init__(self, stage: Stage, model: ResponsesModel, program: Path) -> None:
        self.stage, self.program = stage, program
        self.home = stage.folder / "codex-home"
        (self.home / ".codex").mkdir(parents=True)
        config = CONFIG.format(root=model.root, project=stage.project.resolve())
        (self.home / ".codex" / "config.toml").write_text(config)
        named = (
            "TELEGRAM_STATE_DIR",
            "CHANNELS_DATA_DIR",
            "XDG_RUNTIME_DIR",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_API_ROOT",
        )
        ours = (*named, *(n for n in stage.env if n.startswith("COVERAGE_")))
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "TERM": "xterm-256color",
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            "SCRIPTED_KEY": KEY,
            **{name: stage.env[name] for name in ours},
        }

    async def set_up(self) -> None:
        """Runs `channels setup --host codex` in the project."""
        ran = await self.stage.cli(
            "setup", "telegram", "--host", "codex", "--yes", "--invite", "no", HOME=str(self.home)
        )
        assert ran.code == 0, ran

    def screen(self, *more: str) -> Tmux:
        """A session in a terminal of its own, started when the block is entered."""
        # A person reviews the hooks that set-up has written; here they were written a moment ago.
        command = [str(self.program), "--dangerously-bypass-hook-trust", *more]
        return Tmux(command, cwd=self.stage.project, env=self.env, width=180)
