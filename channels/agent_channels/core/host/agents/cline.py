"""Cline CLI, as version 3.0.65 was measured. It knows no servers of a project's, only this user's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent_channels.core.host.agents.agent_host import AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import json_file, servers_part
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import env_value, expand_home

__all__ = ["HOST"]


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    environ = environments[0].environ
    home = Path(env_value("HOME", environ) or expand_home("~"))
    data = Path(env_value("CLINE_DATA_DIR", environ) or home / ".cline" / "data")
    path = data / "settings" / "cline_mcp_settings.json"
    return [json_file(path, sentence("the server"), servers_part(environments))]


HOST = AgentHost(
    name="cline",
    title="Cline CLI",
    program="cline",
    limits=HostLimits(call_s=60, result_max=6_900),
    files=_files,
)
