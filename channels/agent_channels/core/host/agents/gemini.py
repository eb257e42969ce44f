"""Gemini CLI, as version 0.61.0 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="gemini",
    title="Gemini CLI",
    clients=("gemini-cli-mcp-client",),
    program="gemini",
    limits=HostLimits(call_s=130, result_max=13_800),
)
