"""The adapter contract on a network that drops IPv6: on every platform, the first call gets through at once."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.contract.messages import Message
from agent_channels.core.settings.config import Environment, load
from agent_channels.registry import channel
from broken import black_hole
from contract_bench import Bench
from contract_platforms import PLATFORMS
from harness import TOKEN


@contextmanager
def two_addresses(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The same settings with `localhost`, which leads to nothing over IPv6 and to the sandbox over IPv4."""
    asked = socket.getaddrinfo
    kinds = {socket.AF_INET6: "::1", socket.AF_INET: "127.0.0.1"}

    def getaddrinfo(host: Any, port: Any, family: int = 0, *rest: Any, **more: Any) -> list[Any]:
        if host != "localhost":
            return asked(host, port, family, *rest, **more)
        wanted = [kind for kind in kinds if family in {0, kind}]
        return [found for kind in wanted for found in asked(kinds[kind], port, kind, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    ports = {int(url.rpartition(":")[2].partition("/")[0]) for url in environ.values() if "://127.0.0.1:" in url}
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(black_hole(port))
        yield {name: url.replace("://127.0.0.1:", "://localhost:") for name, url in environ.items()}


@pytest.mark.parametrize("name", PLATFORMS)
async def test_ipv6_that_leads_nowhere_costs_a_moment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both kinds of address are raced at every connection: 0.25 s later IPv4 has won, and nothing is remembered."""
    async with PLATFORMS[name](TOKEN) as platform:
        row = channel(name)
        with two_addresses(platform.environ, monkeypatch) as environ:
            state = tmp_path / "state"
            env = Environment(name, {**environ, f"{name.upper()}_STATE_DIR": str(state)})
            settings = load(row.settings, env)
            began = time.monotonic()
            adapter = row.connect(env, settings, platform.token)
            async with adapter:
                await adapter.identify()
                took = time.monotonic() - began
                # Far from the time that one address alone would be tried.
                assert 0.2 < took < 10
                # Reading, which on some platforms goes another way than calls.
                bench = Bench(platform, row, adapter)
                platform.say("hello")
                async with asyncio.timeout(5):
                    heard = await bench.heard()
                assert isinstance(heard, Message)
                assert heard.text == "hello"
            async with row.connect(env, settings.replace(ipv4=True), platform.token) as only:
                await only.identify()
        assert not state.exists() or list(state.iterdir()) == []
