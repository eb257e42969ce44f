"""A sandbox Slack and a project beside it, per test; pushed by decree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.sandbox.slack.sandbox import SlackSandbox
from harness import SlackStage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[SlackStage]:
    async with SlackSandbox() as slack, SlackStage(slack, tmp_path) as made:
        made.env |= {"CHANNELS_MODE": "push"}
        tokens = slack.token, slack.app_token
        yield made
        assert made.impure() == []
        for token in tokens:
            assert token not in made.everything_said()
