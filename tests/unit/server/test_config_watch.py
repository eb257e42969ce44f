"""When a change of the token or a setting counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_channels.core.scheduling import Wakeup
from agent_channels.core.server import config_watch
from agent_channels.core.server.config_watch import ConfigWatch
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.settings.state_folder import make_state_folder, replace_file
from agent_channels.registry import channel


async def until_changed(state_dir: Path, *, is_told: bool) -> None:
    """Return once a change is noticed that is told of only if `is_told`."""
    row, env = channel("telegram"), Environment("telegram", {"TELEGRAM_STATE_DIR": str(make_state_folder(state_dir))})
    watch, replaced = ConfigWatch(row, env), Wakeup()
    task = asyncio.create_task(
        watch.until_changed(env.token(), load(row.settings, env), lambda _: None, replaced, lambda: is_told)
    )
    # It has read the files once it waits.
    await asyncio.sleep(0)
    replace_file(env.state_dir / "config.yaml", "mode: pull\n")
    if is_told:
        replaced.set()
    async with asyncio.timeout(10):
        await task


async def test_a_change_counts_at_once_where_it_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However rarely one looks."""
    monkeypatch.setattr(config_watch, "RARELY_S", 3600.0)
    await until_changed(tmp_path / "state", is_told=True)


async def test_where_nobody_can_tell_one_looks_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, and on file systems without named pipes."""
    monkeypatch.setattr(config_watch, "RARELY_S", 3600.0)
    await until_changed(tmp_path / "state", is_told=False)
