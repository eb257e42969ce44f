"""`channels logs`: what servers and hooks logged, as text or JSON, filtered, and followed over rotations."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime

from agent_channels.core.settings import log_file
from agent_channels.core.settings.log_file import LogFile
from harness import COMMAND, Stage
from wire_host import PATIENCE_S


async def test_server_and_hooks_write_one_log(stage: Stage) -> None:
    """With levels, times of this machine for people and UTC for programs; `doctor` names the file."""
    stage.tg.faults.add("error", method="getUpdates", status=500)
    host = await stage.host()
    await host.status_when(lambda found: found["reader"]["state"] == "unreachable")
    hook = await stage.cli("hook", "stop", stdin="this is not JSON")
    assert (hook.code, hook.out) == (0, "")

    found = [json.loads(line) for line in (await stage.cli("logs", "telegram", "--json")).out.splitlines()]
    assert {record["process"] for record in found} == {"serve", "hook stop"}
    assert all(record["channel"] == "telegram" and record["at"].endswith("Z") for record in found)
    assert [record["level"] for record in found if record["process"] == "hook stop"] == ["ERROR"]
    assert any("unreachable" in record["text"] for record in found)

    text = (await stage.cli("logs", "telegram", "--level", "error", TZ="Asia/Taipei")).out
    local = datetime.fromisoformat(found[-1]["at"]).timestamp() + 8 * 3600
    assert text.startswith(f"{datetime.fromtimestamp(local, UTC):%Y-%m-%d %H:%M:%S} ERROR   hook stop[")
    assert "unreachable" not in text

    assert (await stage.cli("logs", "telegram", "--since", "2999-01-01")).out == ""
    assert (await stage.cli("logs", "--since", "1d")).out.count("\n") >= len(found)
    wrong = await stage.cli("logs", "telegram", "--since", "yesterday")
    assert wrong.code == 2
    assert "30m, 12h" in wrong.err
    doctor = await stage.cli("doctor", "telegram")
    assert doctor.out.splitlines()[0].endswith(f"log: {stage.state / 'channel.log'}")


async def test_the_log_is_followed(stage: Stage) -> None:
    """`-f` shows what comes, however often the file is renamed meanwhile, in the channels that are named."""
    file = LogFile(stage.state, "serve")
    file.write("INFO", "test", "before")
    process = await stage.spawn([*COMMAND, "logs", "telegram", "-f"], stage.env)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert (await process.stdout.readline()).rstrip().endswith(b": before")
            for number in range(3):
                file.write("WARNING", "test", f"number {number}\x1b[2J")
                line = (await process.stdout.readline()).decode().rstrip()
                # What a terminal would obey is shown instead.
                assert line.endswith(f": number {number}\\x1b[2J")
                os.rename(stage.state / log_file.LOG_NAME, stage.state / f"{log_file.LOG_NAME}.1")  # noqa: PTH104
    finally:
        process.kill()
        await process.wait()


async def test_looking_at_no_log_makes_none(stage: Stage) -> None:
    """Nothing to show is no error, and nothing is created."""
    before = sorted(path.name for path in stage.project.rglob("*"))
    ran = await stage.cli("logs", TELEGRAM_STATE_DIR=None, DISCORD_STATE_DIR=None)
    assert (ran.code, ran.out) == (0, "")
    assert sorted(path.name for path in stage.project.rglob("*")) == before
