"""One play a test, on each platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hook_runs import SESSION, Hooks
from phones import STAGES, Play


@pytest.fixture(params=STAGES)
async def play(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Play]:
    async with STAGES[request.param](tmp_path) as made:
        made.stage.env |= {"CHANNELS_MODE": "push"}
        yield made


@pytest.fixture
async def hooks(play: Play) -> AsyncIterator[Hooks]:
    """Hooks of the session that the play's hosts are in."""
    play.stage.env |= {"CLAUDE_CODE_SESSION_ID": SESSION}
    async with Hooks(play.stage) as made:
        yield made
