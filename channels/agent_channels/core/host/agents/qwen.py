"""Qwen Code, as version 0.24.4 was measured."""

from __future__ import annotations

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits

__all__ = ["HOST"]

HOST = AgentHost(
    name="qwen",
    title="Qwen Code",
    clients=("qwen-code-mcp-client",),
    program="qwen",
    limits=HostLimits(call_s=130, result_max=24_000),
)
