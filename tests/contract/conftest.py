"""One bench a test, for each platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.core.settings.config import Environment, load
from agent_channels.registry import channel
from contract_bench import Bench
from contract_platforms import PLATFORMS
from harness import TOKEN


@pytest.fixture(params=PLATFORMS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with PLATFORMS[request.param](TOKEN) as platform:
        row = channel(request.param)
        state = {f"{request.param.upper()}_STATE_DIR": str(tmp_path / "state")}
        env = Environment(request.param, {**platform.environ, **state})
        adapter = row.connect(env, load(row.settings, env), platform.token)
        async with adapter:
            await adapter.identify()
            yield Bench(platform, row, adapter)
