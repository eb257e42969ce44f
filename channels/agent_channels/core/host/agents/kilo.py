"""Kilo, as version 7.7.7 was measured: a fork of OpenCode, which takes the same plugin in a folder of its own."""

from __future__ import annotations

from functools import partial

from agent_channels.core.host.agents.agent_host import AgentHost, HostLimits
from agent_channels.core.host.agents.opencode import HAND_OVER, PERMISSION, STOP, WAKE, plugin_files

__all__ = ["HOST"]

HOST = AgentHost(
    name="kilo",
    title="Kilo",
    program="kilo",
    limits=HostLimits(call_s=60, result_max=48_000, in_bytes=True, cancels_answered=True),
    files=partial(plugin_files, "kilo.json", ".kilo/plugins"),
    wake=WAKE,
    hand_over=HAND_OVER,
    permission=PERMISSION,
    stop=STOP,
)
