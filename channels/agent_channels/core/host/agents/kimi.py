"""Kimi Code, as version 2.1.0 was measured. It starts a project's servers once the folder is trusted there.

It knows no hooks of a project, only the user's; ours do nothing where no channel is set up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent_channels.core.contract.checks import Finding, note
from agent_channels.core.host.agents.agent_host import Ability, AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import command_hook, json_file, servers_part
from agent_channels.core.host.agents.toml_files import toml_hooks
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, expand_home, project_dir

__all__ = ["HOST"]

NAME = "kimi"
# Our commands by event, each with its bound in seconds, of which there may be 600.
COMMANDS = {
    "SessionStart": ("session", 10),
    "UserPromptSubmit": ("prompt", 10),
    "PermissionRequest": ("dialog", 10),
    "Stop": ("stop", 600),
    "SessionEnd": ("end", 10),
}


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    environ = environments[0].environ
    home = Path(env_value("HOME", environ) or expand_home("~"))
    own = Path(env_value("KIMI_CODE_HOME", environ) or home / ".kimi-code")
    hooks = [
        {"event": event, "command": command_hook(name, bound_s, NAME)["command"], "timeout": bound_s}
        for event, (name, bound_s) in COMMANDS.items()
    ]
    return [
        json_file(project_dir(environ) / ".kimi-code" / "mcp.json", sentence("the server"), servers_part(environments)),
        toml_hooks(own / "config.toml", hooks, environ),
    ]


def _trust(env: Environment) -> Finding:
    """Say where Kimi asks whether it may read the project's file; what it was told is kept in a form of its own."""
    return note(
        "Kimi Code starts the servers of a project only once it trusts the folder",
        str(project_dir(env.environ)),
        'start kimi in the project, and choose "Trust this folder"',
    )


HOST = AgentHost(
    name=NAME,
    title="Kimi Code",
    program="kimi",
    limits=HostLimits(call_s=60, result_max=48_000),
    files=_files,
    checks={"folder trust": _trust},
    hand_over=Ability("hooks: with what you type, and once at each turn's end"),
)
