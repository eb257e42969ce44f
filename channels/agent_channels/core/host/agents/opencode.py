"""OpenCode, as version 1.18.33 was measured: an entry in `mcp`, and a plugin of ours for all the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import Ability, AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import json_file, server_command, server_variables, servers_part
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.program import own_script
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir

__all__ = ["HAND_OVER", "HOST", "PERMISSION", "STOP", "WAKE", "plugin_files"]

_PLUGIN = Path(__file__).with_name("opencode_plugin.js")
PLUGIN_NAME = "agent-channels.js"
# For both: the list of tools at the start, and each call.
TIMEOUT_MS = 60_000
_FIRST_LINE = "// Agent Channels: "
_PROGRAM = 'const PROGRAM = ["channels"]'

WAKE = Ability("our plugin begins a prompt in the session")
HAND_OVER = Ability("our plugin runs the Stop hook when the session is idle")
PERMISSION = Ability("our plugin answers permissions and questions as the approvers do")
STOP = Ability("our plugin aborts the session")


def plugin_files(config: str, folder: str, environments: Sequence[Environment]) -> list[HostFile]:
    """Return the host's list of servers, `config`, and our plugin in the project's `folder` for plugins."""
    project = project_dir(environments[0].environ)
    path = project / folder / PLUGIN_NAME
    servers = servers_part(environments, "mcp", _server_entry)
    return [
        json_file(project / config, sentence("the servers"), servers, comments=True),
        HostFile(path, sentence("the plugin"), partial(_with_plugin, path), _without_plugin),
    ]


def _server_entry(env: Environment) -> dict[str, Any]:
    variables = server_variables(env)
    return {"type": "local", "command": server_command(env), "environment": variables, "timeout": TIMEOUT_MS}


def _with_plugin(path: Path, text: str) -> str:
    if _without_plugin(text):
        raise ConfigError(sentence("{path} is another program's file; move it away first", path=path))
    return _PLUGIN.read_text(encoding="utf-8").replace(_PROGRAM, f"const PROGRAM = {json.dumps([str(own_script())])}")


def _without_plugin(text: str) -> str:
    return "" if text.startswith(_FIRST_LINE) else text


HOST = AgentHost(
    name="opencode",
    title="OpenCode",
    program="opencode",
    limits=HostLimits(call_s=60, result_max=48_000, in_bytes=True, cancels_answered=True),
    files=partial(plugin_files, "opencode.json", ".opencode/plugins"),
    wake=WAKE,
    hand_over=HAND_OVER,
    permission=PERMISSION,
    stop=STOP,
)
