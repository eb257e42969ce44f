"""Kilo, as version 7.7.9 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="kilo",
    title="Kilo",
    clients=("kilo",),
    program="kilo",
    limits=HostLimits(call_s=60, result_max=48_000),
)
