"""Gemini CLI, as version 0.61.0 was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_channels.core.host.agents.agent_host import Ability, AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import command_hook, hooks_part, json_file, server_entry, servers_part
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir

__all__ = ["HOST"]

# In milliseconds, as this host counts; each as long as the same hook has elsewhere (hooks.json).
_QUICK, _WAITING = 10_000, 3_660_000


def _entry(env: Environment) -> dict[str, Any]:
    # Without it, it asks each time whether a tool of the server may be used, and nobody is there.
    return {**server_entry(env), "trust": True}


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    environ = environments[0].environ
    own = {
        "SessionStart": [command_hook("session", _QUICK, "gemini")],
        "BeforeAgent": [command_hook("prompt", _QUICK, "gemini")],
        "BeforeTool": [command_hook("step", _QUICK, "gemini")],
        "AfterTool": [command_hook("step", _QUICK, "gemini")],
        "AfterAgent": [command_hook("stop", _WAITING, "gemini")],
        "Notification": [command_hook("dialog", _QUICK, "gemini")],
        "SessionEnd": [command_hook("end", _QUICK, "gemini")],
    }
    groups = {event: [{"hooks": hooks}] for event, hooks in own.items()}
    return [
        json_file(
            project_dir(environ) / ".gemini" / "settings.json",
            sentence("the server and the hooks"),
            servers_part(environments, entry=_entry),
            hooks_part(groups, environ),
        )
    ]


HOST = AgentHost(
    name="gemini",
    title="Gemini CLI",
    clients=("gemini-cli-mcp-client",),
    program="gemini",
    limits=HostLimits(call_s=130, result_max=13_800),
    files=_files,
    hand_over=Ability("hooks: at a turn's end, and after each tool"),
    stop=Ability("a hook, at the next tool"),
)
