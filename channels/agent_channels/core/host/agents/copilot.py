"""Copilot CLI, as version 1.0.102 was measured. It reads the project's `.mcp.json`, as Claude Code does.

It fills in `${NAME:-default}` there too, and starts servers in the project: one entry, without a path of this machine,
is both hosts'.

Its hooks lie in a file of the project that is one user's own. It also runs those of `.claude/settings.local.json`,
where ours are for Claude Code alone (`hooks/run.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from agent_channels.core.contract.checks import Finding, fine, note
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import Ability, AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import (
    hook_groups,
    hooks_part,
    json_file,
    servers_part,
    shared_server_entry,
)
from agent_channels.core.host.config_files import foreign_server, read_text
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, expand_home, project_dir

__all__ = ["HOST"]

NAME = "copilot"
# Our commands by event, each with its bound in seconds. What a hook adds to a prompt is dropped, so there is none.
COMMANDS = {
    "SessionStart": ("session", 10),
    "PreToolUse": ("step", 10),
    "PostToolUse": ("step", 10),
    "PermissionRequest": ("permission", 310),
    "Notification": ("dialog", 10),
    "Stop": ("stop", 3660),
    "SessionEnd": ("end", 10),
}


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    environ = environments[0].environ
    project = project_dir(environ)
    hooks = hooks_part(hook_groups(COMMANDS, NAME), environ)
    return [
        json_file(
            project / ".mcp.json",
            sentence("the server"),
            servers_part(environments, entry=shared_server_entry, stays=_is_ours),
        ),
        json_file(project / ".github" / "copilot" / "settings.local.json", sentence("the hooks"), hooks),
    ]


def _is_ours(entry: object, env: Environment) -> bool:
    return foreign_server(env.channel, entry, env.channel, env.environ) == ""


def _trust(env: Environment) -> Finding:
    """Check that Copilot runs this project's hooks."""
    path = Path(env_value("COPILOT_HOME", env.environ) or expand_home("~/.copilot")) / "config.json"
    project = project_dir(env.environ).resolve()
    try:
        # It heads the file with comments, and called the list by another name in earlier versions.
        text = re.sub(r"^\s*//.*", "", read_text(path), flags=re.MULTILINE)
        known = json.loads(text) if text.strip() else {}
        folders = known.get("trustedFolders") or known.get("trusted_folders") or []
        trusted = any(project.is_relative_to(folder) for folder in folders)
    except (ConfigError, ValueError, AttributeError, TypeError):
        return note(sentence("{path} cannot be read", path=path), "", "fix that file")
    if trusted:
        return fine("Copilot trusts this project, and runs its hooks", str(path))
    return note(
        "Copilot runs the hooks of a project only once it trusts the folder",
        sentence("{path} does not say so for {project}", path=path, project=project),
        "start copilot in the project, and answer its question with yes",
    )


HOST = AgentHost(
    name=NAME,
    title="Copilot CLI",
    program="copilot",
    limits=HostLimits(call_s=180, result_max=17_000, context_max=3_000),
    files=_files,
    checks={"folder trust": _trust},
    hand_over=Ability("hooks: at a turn's end, and after each tool"),
    permission=Ability("the hook PermissionRequest, in a turn that a message began"),
    stop=Ability("the hook PreToolUse refuses every further tool"),
)
