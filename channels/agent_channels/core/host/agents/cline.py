"""Cline CLI, as version 3.0.65 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="cline",
    title="Cline CLI",
    clients=("cline",),
    program="cline",
    limits=HostLimits(call_s=60, result_max=6_900),
)
