"""Every test gets its own sandbox, state folder and runtime folder, and leaves no process behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with TelegramSandbox(TOKEN) as tg:
        async with Stage(tg, tmp_path) as made:
            yield made
        # What every test promises by the way.
        assert made.impure() == []
        assert tg.token not in made.everything_said()
