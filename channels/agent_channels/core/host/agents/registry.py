"""The known agent hosts, by name and by what their clients call themselves; each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from agent_channels.core.host.agents.agent_host import AgentHost

__all__ = ["AGENT_HOSTS", "CLIENTS", "host_of_client"]

# A new host adds one file, and one line here: its client's name in `initialize`, or how that begins.
CLIENTS = {
    "codex": "codex-mcp-client",
    "gemini": "gemini-cli-mcp-client",
    "qwen": "qwen-cli-mcp-client",
    "opencode": "opencode",
    "kilo": "kilo",
    "copilot": "copilot-cli",
    "cline": "@cline/core",
    "continue": "continue-cli-client",
    "kimi": "kimi-code",
}


class _AgentHosts(Mapping[str, AgentHost]):
    """Every host by its name. A server needs one of them at most, and a start waits for none."""

    def __getitem__(self, name: str) -> AgentHost:
        if name not in CLIENTS:
            raise KeyError(name)
        # `continue` is a word of the language.
        module = import_module(f"agent_channels.core.host.agents.{'continue_cli' if name == 'continue' else name}")
        host: AgentHost = module.HOST
        return host

    def __iter__(self) -> Iterator[str]:
        return iter(CLIENTS)

    def __len__(self) -> int:
        return len(CLIENTS)


AGENT_HOSTS: Mapping[str, AgentHost] = _AgentHosts()


def host_of_client(client: str) -> AgentHost | None:
    """Return the host whose client calls itself so in `initialize`, or begins so; None if it is not known."""
    called = client.lower()
    found = [(begins, name) for name, begins in CLIENTS.items() if called.startswith(begins)]
    return AGENT_HOSTS[max(found, key=lambda pair: len(pair[0]))[1]] if found else None
