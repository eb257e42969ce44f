"""What one plain message costs: `python -m tests.bench.trip [PYTHON PACKAGE MODULE:FUNCTION]`.

Prints how many modules a message enters on its way from the platform to the agent, the same with the agent's reply,
and the SQL statements of both. What a server does anyway, as a longer window without a message shows, is left out.
The three arguments trace another installation of the program, such as an older version in a virtual environment of its
own. With `-v` the modules and statements are listed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

TRACER = Path(__file__).with_name("tracer.py")
OURS = (sys.executable, "agent_channels", "agent_channels.cli.main:main")
# Receipts and what is booked after the fact follow within this time.
AFTER_S = 1.2
# Long enough for everything periodic.
IDLE_S = 4.0


async def trace(program: tuple[str, str, str], do: str) -> dict[str, Any]:
    """One fresh server: the trace of a window in which nothing is done, a message comes, or one is answered."""
    python, package, entry = program
    async with TelegramSandbox() as tg:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ann = tg.person("ann")
            ann.dm.started = True
            env = {
                "PATH": os.environ["PATH"],
                "HOME": name,
                "XDG_RUNTIME_DIR": name,
                "TELEGRAM_STATE_DIR": str(folder / "state"),
                "CHANNELS_CLAIM": "always",
                "TELEGRAM_BOT_TOKEN": tg.token,
                "TELEGRAM_API_ROOT": tg.root,
            }
            channels = [str(Path(python).with_name("channels"))]
            allowed = await asyncio.create_subprocess_exec(
                *channels, "access", "telegram", "allow", str(ann.id), env=env, stdout=-3, stderr=-3
            )
            assert await allowed.wait() == 0
            server = await asyncio.create_subprocess_exec(
                python, str(TRACER), name, package, entry, "serve", "telegram", env=env, stdin=-1, stdout=-1, stderr=-3
            )
            try:
                lines = _Lines(server)
                await lines.attach()
                await tg.wait_for(lambda: tg.polling, 30)
                # The first messages settle what happens once: names, modes, health, what is remembered of the chat.
                for number in (6, 7):
                    ann.send("first")
                    await lines.until(lambda message: message.get("method", "").endswith("claude/channel"))
                    lines.reply(str(ann.id), number)
                    await lines.until(lambda message, number=number: message.get("id") == number)
                await asyncio.sleep(AFTER_S * 2)
                (folder / "start").touch()
                await asyncio.sleep(0.05)
                await _DO[do](ann, lines)
                await asyncio.sleep(AFTER_S)
                (folder / "stop").touch()
                async with asyncio.timeout(10):
                    while not (folder / "trace.json").exists():  # noqa: ASYNC110 - another process writes it
                        await asyncio.sleep(0.01)
                found: dict[str, Any] = json.loads((folder / "trace.json").read_text())
                return found
            finally:
                server.kill()
                await server.wait()


class _Lines:
    """The host's end of the pipe."""

    def __init__(self, server: asyncio.subprocess.Process) -> None:
        assert server.stdin
        assert server.stdout
        self._stdin, self._stdout = server.stdin, server.stdout

    def send(self, **message: Any) -> None:
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def attach(self) -> None:
        client = {"name": "trip", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self.send(id=1, method="initialize", params=params)
        await self.until(lambda message: message.get("id") == 1)
        self.send(method="notifications/initialized")

    def reply(self, chat_id: str, number: int) -> None:
        arguments = {"chat_id": chat_id, "text": "noted"}
        self.send(id=number, method="tools/call", params={"name": "reply", "arguments": arguments})

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(60):
            while not wanted(json.loads(await self._stdout.readline())):
                pass


async def _nothing(_person: Any, _lines: _Lines) -> None:
    await asyncio.sleep(IDLE_S)


async def _message(person: Any, lines: _Lines) -> None:
    person.send("a plain message")
    await lines.until(lambda message: message.get("method", "").endswith("claude/channel"))


async def _answered(person: Any, lines: _Lines) -> None:
    await _message(person, lines)
    lines.reply(str(person.id), 8)
    await lines.until(lambda message: message.get("id") == 8)


_DO: dict[str, Callable[[Any, _Lines], Awaitable[None]]] = {
    "nothing": _nothing,
    "a message": _message,
    "a message and its reply": _answered,
}


def shape(sql: str) -> str:
    """A statement without its values."""
    return re.sub(r"'[^']*'|\b[0-9.]+\b", "?", " ".join(sql.split()))


@dataclass(frozen=True)
class Cost:
    """The modules that something enters and the statements that it runs, beyond what a server does anyway."""

    modules: list[str]
    statements: list[str]

    @property
    def transactions(self) -> int:
        """How many of the statements begin one."""
        return sum(sql.startswith("BEGIN") for sql in self.statements)


async def cost(program: tuple[str, str, str], *does: str) -> list[Cost]:
    """What each of them costs: "a message", "a message and its reply"."""
    idle = await trace(program, "nothing")
    idle_shapes = {shape(sql) for sql in idle["statements"] if sql not in {"BEGIN IMMEDIATE", "COMMIT"}}
    costs = []
    for do in does:
        found = await trace(program, do)
        modules = [name for name in found["modules"] if name not in idle["modules"]]
        costs.append(Cost(modules, [sql for sql in found["statements"] if shape(sql) not in idle_shapes]))
    return costs


async def main(program: tuple[str, str, str], *, verbose: bool) -> None:
    does = ("a message", "a message and its reply")
    for do, found in zip(does, await cost(program, *does), strict=True):
        statements = found.statements
        print(f"{do}: {len(found.modules)} modules, {len(statements)} statements in {found.transactions} transactions")
        if verbose:
            print("".join(f"    {name}\n" for name in found.modules), end="")
            print("".join(f"    | {shape(sql)[:160]}\n" for sql in statements), end="")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.trip", description="Print what one message costs.")
    parser.add_argument("-v", dest="verbose", action="store_true", help="list the modules and statements")
    parser.add_argument(
        "other", metavar="ARGUMENT", nargs="*", help="PYTHON PACKAGE MODULE:FUNCTION of another install"
    )
    given = parser.parse_args()
    if len(given.other) not in {0, 3}:
        parser.error("another install needs all three: PYTHON PACKAGE MODULE:FUNCTION")
    asyncio.run(main((given.other[0], given.other[1], given.other[2]) if given.other else OURS, verbose=given.verbose))
