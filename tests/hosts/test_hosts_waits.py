"""Waits survive: a changed setting, a store that is opened again, a clock that is set; on every platform."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.store.database import Store
from hook_runs import SESSION, Hooks
from inbox_socket import blocks_in
from phones import STAGES, Play, Said
from wire_host import Host

REQUEST = "notifications/claude/channel/permission_request"
VERDICT = "notifications/claude/channel/permission"
AHEAD, BACK = 7200.0, -7200.0
# Found by every interpreter that starts with its folder on PYTHONPATH: the clock says what a file adds to it.
CLOCK = """
import os, time
_real = time.time
def _set_by_hand():
    try:
        with open(os.environ["CLOCK_FILE"]) as file:
            return _real() + float(file.read() or 0)
    except OSError:
        return _real()
time.time = _set_by_hand
"""


@pytest.fixture(params=sorted(STAGES))
async def play(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Play]:
    (tmp_path / "world").mkdir()
    async with STAGES[request.param](tmp_path / "world") as made:
        made.stage.env |= {"CLAUDE_CODE_SESSION_ID": SESSION}
        yield made


class HandSetClock:
    """The system's clock as every process of a world sees it from now on."""

    def __init__(self, play: Play, folder: Path) -> None:
        self._file = folder / "clock"
        (folder / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
        play.stage.env |= {"PYTHONPATH": str(folder), "CLOCK_FILE": str(self._file)}

    def set(self, ahead_s: float) -> None:
        """Set it so many seconds ahead of the truth, or back."""
        self._file.write_text(str(ahead_s), encoding="utf-8")


@pytest.fixture
def clock(play: Play, tmp_path: Path) -> HandSetClock:
    (tmp_path / "clock").mkdir()
    return HandSetClock(play, tmp_path / "clock")


async def asked(play: Play, host: Host, name: str = "ann", **more: Any) -> tuple[Any, Any, Said]:
    """Somebody sees the agent's question: the phone, the call, the message."""
    ann = play.friend(name)
    call = host.calling("ask", chat_id=ann.user_id, text="Which colour?", buttons=[["Red", "Blue"]], **more)
    return ann, call, await ann.hear()


async def result(host: Host, call: Any) -> dict[str, Any]:
    answered = await host.answered(call)
    assert not answered.failed, answered.text
    return dict(json.loads(answered.text))


async def reopened(play: Play, host: Host) -> None:
    """A setting was changed, and the bot is open again with it."""
    before = host.log()
    play.stage.config(grace_s=0, keep_days=29)
    assert "reads this bot" not in before
    await host.status_when(lambda status: generation(play) > 1)


def generation(play: Play) -> int:
    """How often the bot was opened: each time its reader identifies itself."""
    return len(play.calls("identify"))
