"""A sandbox Discord and a project beside it, per test; pushed by decree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from harness import DiscordStage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[DiscordStage]:
    async with DiscordSandbox() as dc, DiscordStage(dc, tmp_path) as made:
        made.env |= {"CHANNELS_MODE": "push"}
        yield made
        assert made.impure() == []
        assert dc.token not in made.everything_said()
