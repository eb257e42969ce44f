"""At the door: whatever keeps somebody out is told in a sentence with a next step, by each command that meets it.

`pytest -s` prints what a person reads; the same sentences are the headings of docs/troubleshooting.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from doors import DOORS, Door, Played, in_order
from harness import COMMAND, TOKEN, DiscordStage, Stage
from wire_host import PATIENCE_S

pytestmark = pytest.mark.long

# What a person should never have to read: names of exceptions, traces, objects of the program.
NOISE = re.compile(r"Traceback|\b[A-Z][A-Za-z]+(?:Error|Exception)\b|<[a-z_.]+ object|\[Errno|ssl:|_[a-z]+_[a-z]+\.py")
LATE = "the platform's library was not loaded in time"
WORLD = Stage | DiscordStage


@pytest.fixture
async def door(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Door, WORLD]]:
    """A way to fail, and a world of its platform."""
    found: Door = request.param
    if found.needs and (await asyncio.to_thread(subprocess.run, found.needs, capture_output=True)).returncode:
        pytest.skip(f"{found.needs[0]} is not allowed here")
    async with contextlib.AsyncExitStack() as stack:
        # Not below pytest's own folder, which it closes to other users again and again.
        made = tempfile.TemporaryDirectory(prefix="channels-door-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made)) / "world"
        folder.mkdir(mode=0o700)
        if found.channel == "telegram":
            tg = await stack.enter_async_context(TelegramSandbox(TOKEN))
            stage: WORLD = await stack.enter_async_context(Stage(tg, folder))
        else:
            stage = await stack.enter_async_context(
                DiscordStage(await stack.enter_async_context(DiscordSandbox()), folder)
            )
        yield found, stage


async def read(place: str, stage: WORLD, played: Played, door: Door) -> str:
    """What a person reads of it at one place, in one text."""
    if place == "setup":
        platform_token = stage.tg.token if isinstance(stage, Stage) else stage.dc.token
        token = platform_token if played.token is None else played.token
        ran = await stage.run(
            *played.before, *COMMAND, "setup", door.channel, "--token-stdin", stdin=f"{token}\n", **played.env
        )
        lines = [line for line in ran.err.splitlines() if not line.startswith("Note: ")]
        if door.keeps:
            assert (ran.code, lines) == (0, [])
            return ran.out
        assert (ran.code, len(lines)) == (1, 1), ran
        return lines[0]
    if place == "doctor":
        found = {"found": LATE}
        # A machine that is busy loads the platform's library later than a person is made to wait.
        while found["found"] == LATE:
            ran = await stage.run(*played.before, *COMMAND, "doctor", door.channel, "--json", **played.env)
            assert ran.err == ""
            found = next(one for one in ran.json["channels"][0]["checks"] if one["check"] == door.check)
        assert found["state"] in {"wrong", "note"}, found
        return " ".join([found["found"], f"({found['evidence']})", "->", found["next"]])
    if place == "reply":
        return await (await stage.reading(**played.env)).refused("reply", chat_id=played.chat, text="hello")
    host = await stage.start(before=played.before, cold=bool(played.before), **played.env)
    await host.attach()
    # Behind other words it starts from nothing.
    status = await host.status_when(lambda now: now.get("problem") not in {None, "", "starting"}, 3 * PATIENCE_S)
    problem = str(status["problem"])
    await host.close()
    return problem


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name, indirect=True)
async def test_it_is_told_with_a_next_step(door: tuple[Door, WORLD]) -> None:
    """By every command that meets it: what is wrong, then what to do, in words and without the program's insides."""
    way, stage = door
    async with way.play(stage) as played:
        for place in way.at:
            said = await read(place, stage, played, way)
            print(f"\n{way.name}, {place}:\n  {said}")
            assert in_order(said, way.says), said
            assert in_order(said, way.advice), said
            assert not NOISE.search(said), said
            assert "secret" not in said
    if isinstance(stage, Stage):
        assert stage.tg.token not in stage.everything_said()
