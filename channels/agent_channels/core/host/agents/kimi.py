"""Kimi Code, as version 2.1.0 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="kimi",
    title="Kimi Code",
    clients=("kimi",),
    program="kimi",
    limits=HostLimits(call_s=60, result_max=48_000),
)
