"""One journey, the same in every host and client: what a person sends and taps reaches the agent, and the way back.

Each step is one cell of the table in docs/hosts.md. It raises AssertionError, TimeoutError or `NoAnswer`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from agent_channels.core.host.call_limits import SURELY_HEARD_S
from agent_channels.sandbox.telegram.people import TelegramPerson
from agents import Agent, NoAnswer
from limits_server import PIECE, numbered

__all__ = ["Journey", "heard", "longest_call", "longest_result"]

TOOLS = (
    "reply",
    "react",
    "edit_message",
    "download_attachment",
    "ask",
    "wait_for_messages",
    "fetch_messages",
    "channel_status",
)
PERSON_S = 60.0
# How often a message is asked for before it counts as lost: what is long comes in pages.
WAITS = 40
EMPTY_WAITS = 24
BURST, LENGTH = 20, 3_500
# What our own server lets a call take is below this; so are most hosts' limits.
CALL_S = 400.0
RESULT_MAX = 200_000
RESULT_STEP = 100
BLOCK, ATTRIBUTE = re.compile(r"<channel ([^>]*)>"), re.compile(r"""(\w+)=\\?"([^"\\]*)""")
AFTER = re.compile(r"""\bafter["'`:= ]+(\d+)\b""")

Session = Callable[[], AbstractAsyncContextManager[Agent]]


class Journey:
    """The agent of one host, or of one client, and a person with a phone."""

    def __init__(
        self, session: Session, ann: TelegramPerson, hasty: Session | None = None, *, acks: bool = False
    ) -> None:
        """`session` starts the host, or the client, with our server; `hasty`: so that it gives up calls soon.

        `acks`: each wait names what the last one showed, as an agent has to whose calls go to servers of their own.
        """
        self._session, self._hasty, self._acks = session, hasty, acks
        self._seen: list[str] = []
        self._open: AbstractAsyncContextManager[Agent] | None = None
        self._agent: Agent | None = None
        self._after: int | None = None
        self.ann = ann
        # How long `ask` took that nobody answered; None if that was not tried.
        self.ask_took_s: float | None = None

    async def agent(self) -> Agent:
        """The agent; its host is started if it does not run."""
        if self._agent is None:
            self._open = self._session()
            self._agent = await self._open.__aenter__()
        return self._agent

    async def leave(self) -> None:
        """Kills the host with our server, as a crash does."""
        if self._open is not None:
            opened, self._open, self._agent = self._open, None, None
            await opened.__aexit__(None, None, None)

    # ---- the steps

    async def connects(self) -> None:
        """The host starts our server, and offers its agent all of its tools."""
        tools = await (await self.agent()).tools()
        missing = [tool for tool in TOOLS if not any(name.endswith(tool) for name in tools)]
        assert not missing, f"not offered: {', '.join(missing)}"

    async def talks(self) -> None:
        """A message is read, answered with buttons, and the tap is read; `ask` returns what was chosen."""
        agent, chat = await self.agent(), str(self.ann.id)
        self.ann.send("good morning")
        assert "good morning" in await self.read("good morning")
        await agent.call("reply", chat_id=chat, text="Shall I begin?", buttons=[["Gladly", "Later"]])
        self.ann.tap((await self.ann.next_message(PERSON_S))["message_id"], label="Gladly")
        await self.read("Gladly")
        await agent.call("reply", chat_id=chat, text="I begin.")
        await self.ann.next_message(PERSON_S)
        asking = asyncio.create_task(agent.call("ask", chat_id=chat, text="Which colour?", buttons=[["Red", "Blue"]]))
        self.ann.tap((await self.ann.next_message(PERSON_S))["message_id"], label="Blue")
        assert "Blue" in await asking

    async def waits(self) -> None:
        """After 24 waits in which nobody writes, the next message is read and answered; in a session of its own."""
        # From 30 steps of one turn on, some hosts ask their model whether it runs in circles.
        await self.leave()
        agent = await self.agent()
        for _ in range(EMPTY_WAITS):
            await self.wait(timeout_s=1)
        self.ann.send("still there?")
        await self.read("still there?")
        await agent.call("reply", chat_id=str(self.ann.id), text="Yes, I am.")
        assert (await self.ann.next_message(PERSON_S))["text"] == "Yes, I am."

    async def reads_all(self) -> None:
        """Twenty long messages, sent at once, are seen to the last word."""
        agent = await self.agent()
        said = [_words(number) for number in range(BURST)]
        for words in said:
            self.ann.send(" ".join(words))
        missing, seen = {word for words in said for word in words}, 0
        for _ in range(WAITS):
            page = await self.wait(timeout_s=5)
            seen = max(seen, len(page))
            missing -= set(re.findall(r"m\d\dw\d{4}", page))
            if not missing:
                break
        assert not missing, f"{len(missing)} words of {sum(map(len, said))} were not seen; a page had up to {seen}"
        await agent.call("reply", chat_id=str(self.ann.id), text="All read.")
        await self.ann.next_message(PERSON_S)

    async def tap_after_return(self) -> None:
        """A tap that comes once `ask` came back without an answer is in what the agent is told next."""
        await self.agent()
        began = time.monotonic()
        asking = asyncio.create_task(self._ask("Now or never?", "Now", "Never", within=CALL_S))
        grid = await self.ann.next_message(PERSON_S)
        said = await asking
        self.ask_took_s = round(time.monotonic() - began, 1)
        if "the question is closed" in said:
            # The host let the call last as long as the question: nobody can tap any more.
            return
        await self._tapped(grid, "Never")

    async def tap_after_exit(self) -> None:
        """A tap that comes once the host, killed while it asked, is gone is in what the next session is told."""
        await self.agent()
        asking = asyncio.create_task(self._ask("Left or right?", "Left", "Right"))
        grid = await self.ann.next_message(PERSON_S)
        await self.leave()
        with contextlib.suppress(NoAnswer):
            await asking
        await self._tapped(grid, "Right")

    async def tap_after_cancel(self) -> None:
        """A tap that comes once somebody interrupted the agent's call is in what it is told next."""
        agent = await self.agent()
        asking = asyncio.create_task(self._ask("In or out?", "In", "Out"))
        grid = await self.ann.next_message(PERSON_S)
        # Some say nothing to the server; until then it takes what it answers for heard.
        await asyncio.sleep(SURELY_HEARD_S + 0.5)
        goes_on = await agent.interrupt()
        with contextlib.suppress(NoAnswer):
            said = await asking
            assert "nobody has answered yet" not in said, f"the call was not interrupted: {said[:100]}"
        if not goes_on:
            await self.leave()
        await self._tapped(grid, "Out")

    async def tap_after_timeout(self) -> None:
        """A tap that comes once the host gave up the call, which went on here, is in what the agent is told next."""
        assert self._hasty is not None
        await self.leave()
        before, self._session = self._session, self._hasty
        try:
            await self.agent()
            asking = asyncio.create_task(self._ask("Up or down?", "Up", "Down", within=CALL_S))
            grid = await self.ann.next_message(PERSON_S)
            said = await asking
            assert "nobody has answered yet" not in said, f"the host did not give up: {said[:100]}"
            await self._tapped(grid, "Down")
        finally:
            self._session = before
            await self.leave()

    # ---- what the steps share

    async def _tapped(self, grid: Mapping[str, Any], label: str) -> None:
        self.ann.tap(grid["message_id"], label=label)
        await self.read(label)
        await (await self.agent()).call("reply", chat_id=str(self.ann.id), text=f"{label}, then.")
        await self.ann.next_message(PERSON_S)

    async def _ask(self, text: str, *labels: str, within: float = PERSON_S) -> str:
        agent = await self.agent()
        return await agent.call("ask", within=within, chat_id=str(self.ann.id), text=text, buttons=[list(labels)])

    async def wait(self, **arguments: Any) -> str:
        """Calls `wait_for_messages` as its results say."""
        more = {} if self._after is None else {"after": self._after}
        if self._seen:
            more["ack"] = self._seen
        text = await (await self.agent()).call("wait_for_messages", **arguments, **more)
        self._seen = _whole(text) if self._acks else []
        if found := AFTER.findall(text):
            self._after = int(found[-1])
        return text

    async def read(self, needle: str) -> str:
        """Waits for messages until one of them holds a text; returns that result."""
        text = ""
        for _ in range(WAITS):
            text = await self.wait()
            if needle in text:
                return text
        raise AssertionError(f"{needle!r} did not come; at the end: {text[-300:]!r}")

    async def play(self, *steps: Callable[[], Awaitable[None]]) -> dict[str, str]:
        """Plays the steps; returns for each why it failed, "" if it did not. A host in which one failed is left."""
        found = {}
        try:
            for step in steps:
                try:
                    await step()
                    found[step.__name__] = ""
                except (AssertionError, TimeoutError, NoAnswer, LookupError) as error:
                    found[step.__name__] = _first_line(f"{error}") or type(error).__name__
                    await self.leave()
        finally:
            await self.leave()
        return found


def _whole(text: str) -> list[str]:
    """The delivery ids of the messages that a result shows to their end."""
    blocks = [dict(ATTRIBUTE.findall(block)) for block in BLOCK.findall(text)]
    return [block["delivery_id"] for block in blocks if block.get("part") == block.get("parts")]


def _words(number: int) -> list[str]:
    return [f"m{number:02d}w{place:04d}" for place in range(LENGTH // 9)]


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]


async def longest_call(agent: Agent, at_most: float) -> float | None:
    """How many seconds a call may take before the agent is told something else; None: at_most, or more."""
    began = time.monotonic()
    said = await agent.call("hold", within=at_most + 60, seconds=at_most)
    return None if "held" in said else round(time.monotonic() - began, 1)


async def longest_result(agent: Agent) -> int:
    """How many characters of a result reach the agent whole; `RESULT_MAX` stands for as many as one likes."""

    async def whole(characters: int) -> bool:
        return numbered(characters) in await agent.call("text", characters=characters)

    if await whole(RESULT_MAX):
        return RESULT_MAX
    low, high = 0, RESULT_MAX
    while high - low > RESULT_STEP:
        middle = (low + high) // 2 // PIECE * PIECE
        low, high = (middle, high) if await whole(middle) else (low, middle)
    return low


def heard(tap: Path) -> dict[str, Any]:
    """What a host said of itself in its handshakes, and which methods it called, from what the wire tap kept."""
    found: dict[str, Any] = {"methods": []}
    for line in tap.read_text(encoding="utf-8").splitlines() if tap.exists() else ():
        with contextlib.suppress(ValueError):
            message: Mapping[str, Any] = json.loads(line)
            method = str(message.get("method", ""))
            if method and method not in found["methods"]:
                found["methods"].append(method)
            if method == "initialize":
                info = message["params"]["clientInfo"]
                found |= {"client": info["name"], "client_version": info.get("version", "")}
                found["protocol"] = message["params"]["protocolVersion"]
    return found
