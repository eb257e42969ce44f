"""The known agent hosts, by name and by what their clients call themselves. Imported late: a server needs it once."""

from __future__ import annotations

from agent_channels.core.host.agents import cline, codex, continue_cli, copilot, gemini, kilo, kimi, opencode, qwen
from agent_channels.core.host.agents.agent_host import AgentHost

__all__ = ["AGENT_HOSTS", "host_of_client"]

# A new host adds one file, and one name here.
_MODULES = (codex, gemini, qwen, opencode, kilo, copilot, cline, continue_cli, kimi)
AGENT_HOSTS: dict[str, AgentHost] = {module.HOST.name: module.HOST for module in _MODULES}


def host_of_client(client: str) -> AgentHost | None:
    """Return the host whose client calls itself so in `initialize`, or begins so; None if it is not known."""
    called = client.lower()
    found = [(name, host) for host in AGENT_HOSTS.values() for name in host.clients if called.startswith(name)]
    return max(found, key=lambda pair: len(pair[0]), default=("", None))[1]
