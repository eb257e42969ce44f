"""When a mode is given up."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from agent_channels.core.errors import StoreError
from agent_channels.core.host import delivery
from agent_channels.core.host.delivery import Delivery


class FailingModes:
    """A store that fails twice, in each of the looks at it."""

    look_within_s = 0.01

    def __init__(self) -> None:
        self.looks, self.came_back = 0, asyncio.Event()

    def escalate(self) -> bool:
        self.looks += 1
        if self.looks == 1:
            raise StoreError("disk I/O error")
        if self.looks > 2:
            self.came_back.set()
        return False

    def may_escalate(self) -> bool:
        if self.looks == 2:
            raise StoreError("disk I/O error")
        return True


async def test_the_mode_is_checked_later_if_the_store_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its questions fails: the bot is not opened again for it."""
    monkeypatch.setattr(delivery, "LOOK_EVERY_S", 0.01)
    modes = FailingModes()
    task = asyncio.create_task(Delivery(*cast("Any", (None, None, modes, None, None, None))).escalate())
    async with asyncio.timeout(10):
        await modes.came_back.wait()
    task.cancel()
