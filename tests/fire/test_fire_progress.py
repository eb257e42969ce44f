"""A busy turn under the platforms' flood rules: few edits, none in the way of an answer, the right end."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.core.outbound.progress import EVERY_S
from agent_channels.sandbox.server import Call
from faults_harness import Note
from hook_runs import SESSION, Hooks, kept
from hooked_turns import HookedTurn
from phones import STAGES, Play

# 200 steps in a minute; CHANNELS_PROGRESS_S=60 plays all of it.
LASTS_S = float(os.environ.get("CHANNELS_PROGRESS_S", "15"))
STEP_S = 60 / 200
REPLY_EVERY = 30


@pytest.fixture(params=STAGES)
async def play(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Play]:
    async with STAGES[request.param](tmp_path) as made:
        made.stage.config(grace_s=0, progress_after_s=0)
        made.stage.env |= {"CHANNELS_MODE": "hook", "CLAUDE_CODE_SESSION_ID": SESSION}
        yield made


EDITING = {"telegram": "editMessageText", "discord": "PATCH */messages/*", "slack": "chat.update"}


def edits(play: Play) -> list[Call]:
    """Every edit of a message, a frame or the last line."""
    return list(play.sandbox.calls_of(EDITING[play.stage.channel]))


async def test_two_hundred_steps_in_a_minute(play: Play, note: Note) -> None:
    """At most one edit in 3 s, nothing is refused for the rate, answers go out at once, one line at the end."""
    # One message a second in a chat, a few at once; of a channel's messages 5 may be edited in 5 s.
    play.sandbox.set_flood()
    if play.stage.channel == "discord":
        play.sandbox.set_limit("PATCH /channels/*/messages/*", 5, 5.0)  # type: ignore[union-attr]
    ann = play.friend("ann")
    host = await play.reading()
    ann.say("all of it")
    await kept(play.stage)  # type: ignore[arg-type]
    turn = HookedTurn(host)
    assert "all of it" in await turn.prompt()
    count = int(LASTS_S / STEP_S)
    message = None
    for number in range(1, count + 1):
        await turn.step("Bash", f"make step-{number}")
        if number % REPLY_EVERY == 0:
            assert "waited" not in await host.done("reply", chat_id=ann.chat_id, text=f"at step {number}")
            heard = [await ann.hear()] + ([] if message else [await ann.hear()])
            message = message or next(said for said in heard if said.labels)
        await asyncio.sleep(STEP_S)
    assert message is not None
    await play.wait_for(lambda: f"{count} steps" in ann.shown(message.id).text)
    assert f"step-{count}" in ann.shown(message.id).text
    async with Hooks(play.stage) as hooks:  # type: ignore[arg-type]
        assert (await hooks.run("stop")).silent
    await play.wait_for(lambda: ann.shown(message.id).text.startswith("✅ Done in"))
    assert "\n" not in ann.shown(message.id).text
    assert ann.shown(message.id).labels == []
    assert [call.method for call in play.sandbox.calls if call.response_code == 429] == []
    at = sorted(call.at for call in edits(play))
    assert min(later - earlier for earlier, later in itertools.pairwise(at)) >= EVERY_S
    note("progress", f"{play.stage.channel}: {count} steps in {LASTS_S:.0f} s, {len(at)} edits")


async def test_a_rate_limit_drops_frames_and_the_last_line_still_comes(play: Play) -> None:
    """Edits that are refused wait as long as the platform says, an answer does not, and the end is right."""
    ann = play.friend("ann")
    host = await play.reading()
    ann.say("go")
    await kept(play.stage)  # type: ignore[arg-type]
    turn = HookedTurn(host)
    await turn.prompt()
    message = await ann.hear()
    method = EDITING[play.stage.channel]
    play.sandbox.faults.add("flood", method=method, retry_after=4, times=1)
    play.sandbox.faults.add("error", method=method, status=502, times=1)
    await turn.step()
    await play.wait_for(lambda: [call for call in edits(play) if call.response_code == 429])
    assert "waited" not in await host.done("reply", chat_id=ann.chat_id, text="done")
    async with Hooks(play.stage) as hooks:  # type: ignore[arg-type]
        assert (await hooks.run("stop")).silent
    await play.wait_for(lambda: ann.shown(message.id).text.startswith("✅ Done in"))
    limited, failed, last = edits(play)
    assert (limited.response_code, failed.response_code, last.response_code) == (429, 502, 200)
    assert failed.at - limited.at >= 4
