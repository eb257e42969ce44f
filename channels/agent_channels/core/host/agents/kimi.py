"""Kimi Code, as version 2.1.0 was measured. It starts a project's servers once the folder is trusted there."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.core.contract.checks import Finding, note
from agent_channels.core.host.agents.agent_host import AgentHost, HostFile, HostLimits
from agent_channels.core.host.agents.json_files import json_file, servers_part
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import project_dir

__all__ = ["HOST"]


def _files(environments: Sequence[Environment]) -> list[HostFile]:
    path = project_dir(environments[0].environ) / ".kimi-code" / "mcp.json"
    return [json_file(path, sentence("the server"), servers_part(environments))]


def _trust(env: Environment) -> Finding:
    """Say where Kimi asks whether it may read the project's file; what it was told is kept in a form of its own."""
    return note(
        "Kimi Code starts the servers of a project only once it trusts the folder",
        str(project_dir(env.environ)),
        'start kimi in the project, and choose "Trust this folder"',
    )


HOST = AgentHost(
    name="kimi",
    title="Kimi Code",
    clients=("kimi-code",),
    program="kimi",
    limits=HostLimits(call_s=60, result_max=48_000),
    files=_files,
    checks={"folder trust": _trust},
)
