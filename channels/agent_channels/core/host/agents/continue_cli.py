"""Continue CLI, as version 1.5.47 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="continue",
    title="Continue CLI",
    clients=("continue-cli-client",),
    program="cn",
    limits=HostLimits(call_s=60, result_max=1_000_000),
)
