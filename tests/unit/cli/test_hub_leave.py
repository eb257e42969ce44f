"""`channels hub leave` where the hub cannot be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.settings.state_folder import adopt

SECRET = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"


def test_a_hub_that_is_gone_is_not_left_and_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels
) -> None:
    """The line to remove and its file; nothing is removed by itself, since messages may wait there."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    adopt(state)
    monkeypatch.setenv("TELEGRAM_STATE_DIR", str(state))
    env = state / ".env"
    env.write_text(f"TELEGRAM_BOT_TOKEN={SECRET}\nCHANNELS_HUB=postgresql://me@127.0.0.1:1/hub\n")
    env.chmod(0o600)
    ran = channels("hub", "leave", "telegram")
    assert ran.code != 0
    assert "cannot be reached" in ran.err
    assert f"if it is gone for good, remove the line CHANNELS_HUB= from {env}" in ran.err
    assert "CHANNELS_HUB=" in env.read_text()
