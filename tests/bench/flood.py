"""What floods cost: `python -m tests.bench.flood [telegram|discord]`, by hand, never in the test run.

While each flood runs, a paired person writes every 0.1 s. The figures are the longest and the median time until the
host has such a message, how many calls the bot made to the platform, and how much its database grew.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, DiscordStage, Host, Stage

# Faster than any platform hands messages of one chat to a bot.
PER_SECOND = 1000
EVERY_S = 0.1

AnyStage = Stage | DiscordStage
AnyPerson = TelegramPerson | DiscordPerson
Flood = Callable[[AnyStage, AnyPerson, int], None]


def _person(stage: AnyStage, handle: str) -> AnyPerson:
    return stage.tg.person(handle) if isinstance(stage, Stage) else stage.dc.person(handle)


def _one_stranger(stage: AnyStage, known: AnyPerson, number: int) -> None:
    del known
    _person(stage, "eve").send(f"let me in {number}")


def _many_strangers(stage: AnyStage, known: AnyPerson, number: int) -> None:
    del known
    _person(stage, f"eve{number}").send("/start")


def _refused_taps(stage: AnyStage, known: AnyPerson, number: int) -> None:
    del stage
    forged = f"{'x' * 22}.{number % 100}"
    if isinstance(known, TelegramPerson):
        known.tap(known.inbox[0]["message_id"], data=forged)
    else:
        known.tap(known.inbox[0], custom_id=forged)


def _allowed_person(stage: AnyStage, known: AnyPerson, number: int) -> None:
    del stage
    known.send(f"more {number}")


FLOODS: dict[str, tuple[Flood, int]] = {
    "one stranger, 10,000 messages": (_one_stranger, 10_000),
    "3,000 strangers": (_many_strangers, 3_000),
    "10,000 refused taps": (_refused_taps, 10_000),
    "one allowed person, 10,000 messages": (_allowed_person, 10_000),
}


@asynccontextmanager
async def _stage(channel: str) -> AsyncIterator[AnyStage]:
    with tempfile.TemporaryDirectory() as folder:
        if channel == "telegram":
            async with TelegramSandbox(TOKEN) as tg, Stage(tg, Path(folder)) as stage:
                yield stage
        else:
            async with DiscordSandbox() as dc, DiscordStage(dc, Path(folder)) as discord:
                discord.env["CHANNELS_MODE"] = "push"
                yield discord


async def measure(channel: str, flood: Flood, count: int) -> list[str]:
    """Play one flood; return a row of the table."""
    async with _stage(channel) as stage:
        platform = stage.tg if isinstance(stage, Stage) else stage.dc
        ann, known = stage.person(), stage.person("known")
        host = await stage.reading()
        await host.done("reply", chat_id=str(known.id), text="Ship?", buttons=[["Yes"]])
        calls, size = len(platform.calls), _size(stage)
        done = asyncio.Event()
        waits = asyncio.create_task(_write(ann, host, done))
        began = time.monotonic()
        for number in range(count):
            flood(stage, known, number)
            if number % 20 == 19:
                await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        took = time.monotonic() - began
        done.set()
        times = await waits
        made = sum(call.method not in {"getUpdates", "getMe"} for call in platform.calls[calls:])
        grown = (_size(stage) - size) / 2**20
        figures = (took, statistics.median(times), max(times))
        return [*(f"{figure:.2f}" for figure in figures), str(made), f"{grown:.1f}"]


async def _write(ann: AnyPerson, host: Host, done: asyncio.Event) -> list[float]:
    times = []
    while not done.is_set() or not times:
        text = f"ann {len(times)}"
        began = time.monotonic()
        ann.send(text)
        while (await host.event()).content != text:
            pass
        times.append(time.monotonic() - began)
        await asyncio.sleep(EVERY_S)
    return times


def _size(stage: AnyStage) -> int:
    return sum(path.stat().st_size for path in stage.state.glob("channel.db*"))


async def main(channel: str) -> None:
    """Print the table."""
    table = Table(title=f"Floods on {channel.title()}")
    for column in ("flood", "lasts (s)", "a paired person waits (s)", "at most (s)", "calls", "database (MB)"):
        table.add_column(column, justify="left" if column == "flood" else "right")
    for name, (flood, count) in FLOODS.items():
        table.add_row(name, *await measure(channel, flood, count))
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channel", nargs="?", choices=("telegram", "discord"), default="telegram")
    asyncio.run(main(parser.parse_args().channel))
