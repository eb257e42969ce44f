"""Codex CLI, as version 0.171.0 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="codex",
    title="Codex CLI",
    clients=("codex-mcp-client",),
    program="codex",
    limits=HostLimits(call_s=300, result_max=10_000),
)
