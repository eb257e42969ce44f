"""The known agent hosts, by name and by what their clients call themselves; each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from agent_channels.core.host.agents.agent_host import AgentHost

__all__ = ["AGENT_HOSTS", "CLIENTS", "host_of_client"]

# A new host adds one file, and one line here: its client's name in `initialize`, or how that begins, and its module.
_HOSTS = {
    "codex": ("codex-mcp-client", "agent_channels.core.host.agents.codex"),
    "gemini": ("gemini-cli-mcp-client", "agent_channels.core.host.agents.gemini"),
    "qwen": ("qwen-cli-mcp-client", "agent_channels.core.host.agents.qwen"),
    "opencode": ("opencode", "agent_channels.core.host.agents.opencode"),
    "kilo": ("kilo", "agent_channels.core.host.agents.kilo"),
    "copilot": ("copilot-cli", "agent_channels.core.host.agents.copilot"),
    "cline": ("@cline/core", "agent_channels.core.host.agents.cline"),
    "continue": ("continue-cli-client", "agent_channels.core.host.agents.continue_cli"),
    "kimi": ("kimi-code", "agent_channels.core.host.agents.kimi"),
}
CLIENTS = {name: client for name, (client, _) in _HOSTS.items()}


class _AgentHosts(Mapping[str, AgentHost]):
    """Every host by its name. A server needs one of them at most, and a start waits for none."""

    def __getitem__(self, name: str) -> AgentHost:
        host: AgentHost = import_module(_HOSTS[name][1]).HOST
        return host

    def __iter__(self) -> Iterator[str]:
        return iter(_HOSTS)

    def __len__(self) -> int:
        return len(_HOSTS)


AGENT_HOSTS: Mapping[str, AgentHost] = _AgentHosts()


def host_of_client(client: str) -> AgentHost | None:
    """Return the host whose client calls itself so in `initialize`, or begins so; None if it is not known."""
    called = client.lower()
    found = [(begins, name) for name, begins in CLIENTS.items() if called.startswith(begins)]
    return AGENT_HOSTS[max(found, key=lambda pair: len(pair[0]))[1]] if found else None
