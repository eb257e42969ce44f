"""Copilot CLI, as version 1.0.102 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="copilot",
    title="Copilot CLI",
    clients=("github-copilot-developer",),
    program="copilot",
    limits=HostLimits(call_s=180, result_max=17_000),
)
