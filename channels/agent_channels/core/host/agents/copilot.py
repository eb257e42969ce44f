"""Copilot CLI, as version 1.0.102 was measured. It reads the project's `.mcp.json`, as Claude Code does."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.core.host.agents.agent_host import AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import json_file, servers_part
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir

__all__ = ["HOST"]


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    path = project_dir(environments[0].environ) / ".mcp.json"
    return [json_file(path, sentence("the server"), servers_part(environments))]


HOST = AgentHost(
    name="copilot",
    title="Copilot CLI",
    clients=("copilot-cli",),
    program="copilot",
    limits=HostLimits(call_s=180, result_max=17_000),
    files=_files,
)
