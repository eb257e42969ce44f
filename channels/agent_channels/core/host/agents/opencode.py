"""OpenCode, as version 1.18.33 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="opencode",
    title="OpenCode",
    clients=("opencode",),
    program="opencode",
    limits=HostLimits(call_s=60, result_max=48_000),
)
