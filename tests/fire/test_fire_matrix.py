"""Every fault at every moment of a message's way: nothing is lost, and what comes twice says so.

The moments, in order: before it is fetched; fetched, not yet committed; committed, not yet confirmed to the platform;
pushed to the host, not yet answered; while it is being answered.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_channels.sandbox.faults import Fault, FaultKind
from faults_harness import Account, Note, inbox_states, locked, together, world
from harness import Event, Host, Stage

pytestmark = pytest.mark.long

# Name -> how the sandbox is told; SIGKILL takes the server's process instead.
FAULTS: dict[str, FaultKind | None] = {
    "SIGKILL": None,
    "500": "error",
    "502 HTML": "html",
    "drop before": "drop_before",
    "drop after": "drop_after",
    "cut mid-body": "drop_body",
    "silence": "silence",
    "429": "flood",
}
MOMENTS = ("before fetch", "after fetch", "after commit", "after push", "during answer")
# A silent connection is given up after the long poll's second and ten more; a silent send after twenty.
PATIENCE_S = 30.0
# What becomes of an answer whose sending met the fault once: how often it was posted, and what the agent is told.
ANSWERS = {
    "500": (1, "sent"),
    "502 HTML": (1, "sent"),
    "429": (1, "sent"),
    "drop before": (0, "unknown"),
    "drop after": (1, "unknown"),
    "cut mid-body": (1, "unknown"),
    "silence": (0, "unknown"),
    "SIGKILL": (0, "unknown"),
}


class Cell:
    """One fault at one moment."""

    def __init__(self, stage: Stage, fault: str) -> None:
        self.stage, self.tg, self.fault, self.kind = stage, stage.tg, fault, FAULTS[fault]
        self.ann = stage.person()
        self.book = Account()
        self.host: Host

    async def play(self, moment: str) -> str:
        """Plays it; returns the cell of the table."""
        await self.attach()
        if moment == "during answer":
            await self.during_answer()
        else:
            await getattr(self, moment.replace(" ", "_"))()
            await self.goes_on()
        self.book.check()
        assert inbox_states(self.stage.state) == {"answered": len(self.book.sent)}
        again = len(self.book.duplicates())
        return f"{len(self.book.lost())} lost" + (f", {again} again" if again else "")

    # ---- the five moments

    async def before_fetch(self) -> None:
        """The message is written when reading has just failed."""
        if self.kind is None:
            await self.host.kill()
            self.book.say(self.ann, "one")
            await self.attach()
        else:
            mark = len(self.tg.calls)
            rule = self.arm(self.kind, "getUpdates")
            await self.taken(rule)
            if self.kind in {"drop_after", "drop_body"}:
                await self.tg.wait_for(lambda: any(call.response_code == 0 for call in self.tg.calls[mark:]))
            self.book.say(self.ann, "one")
        await self.shown("one")

    async def after_fetch(self) -> None:
        """The answer that carries the message is lost on the way, or its reader dies before it could commit."""
        if self.kind is None:
            mark = len(self.tg.calls)
            with locked(self.stage.state):
                self.book.say(self.ann, "one")
                await self.tg.wait_for(lambda: any(c.method == "getUpdates" for c in self.tg.calls[mark:]))
                await self.host.kill()
            assert inbox_states(self.stage.state) == {}
            assert self.tg.confirmed == 0
            await self.attach()
        else:
            cut = self.kind in {"drop_after", "drop_body"}
            if not cut:
                # Refused instead of answered: the message must be there when it is asked for.
                self.tg.hold_updates()
                self.book.say(self.ann, "one")
            await self.taken(self.arm(self.kind, "getUpdates"))
            if cut:
                self.book.say(self.ann, "one")
            self.tg.release()
        await self.shown("one")

    async def after_commit(self) -> None:
        """The next request, which would confirm the message, meets the fault."""
        await self.tg.wait_for(lambda: self.tg.polling)
        rule = self.arm(self.kind or "silence", "getUpdates")
        self.book.say(self.ann, "one")
        await self.taken(rule)
        assert sum(inbox_states(self.stage.state).values()) == 1
        if self.kind is None:
            assert self.tg.confirmed == 0
            await self.host.kill()
            self.tg.faults.clear()
            await self.attach()
        await self.shown("one")

    async def after_push(self) -> None:
        """The host has seen the message; whatever is asked of the platform next meets the fault."""
        self.book.say(self.ann, "one")
        await self.shown("one")
        if self.kind is None:
            await self.host.kill()
            await self.attach()
            assert (await self.shown("one")).meta["redelivered"] == "true"
        else:
            await self.taken(self.arm(self.kind, "*", times=2))

    async def during_answer(self) -> None:
        """Sending the answer meets the fault: posted at most once, and the agent is told what is known."""
        self.book.say(self.ann, "one")
        await self.shown("one")
        posts, words = ANSWERS[self.fault]
        rule = self.arm(self.kind or "silence", "sendMessage")
        request = self.host.calling("reply", chat_id=self.ann.id, text="the answer", idempotency_key="k")
        if self.kind is None:
            await self.taken(rule, ask=False)
            await self.host.kill()
            self.tg.faults.clear()
            await self.attach()
            assert (await self.shown("one")).meta["redelivered"] == "true"
        else:
            first = await self.host.answered(request, PATIENCE_S)
            assert words in first.text
            assert first.failed == (words == "unknown")
        # Asked again under the same key, it says the same and posts nothing.
        again = await self.host.call("reply", chat_id=self.ann.id, text="the answer", idempotency_key="k")
        assert words in again.text
        assert self.posted("the answer") == posts
        await self.goes_on()
        assert self.posted("the answer") == posts

    # ---- steps

    async def attach(self) -> None:
        self.host = await self.stage.host()
        self.book.hosts.append(self.host)
        await self.tg.wait_for(lambda: self.tg.polling or self.tg.confirmed > 0)

    def arm(self, kind: FaultKind, method: str, times: int = 1) -> Fault:
        return self.tg.faults.add(kind, method=method, times=times, status=502 if kind == "html" else 500)

    async def taken(self, rule: Fault, *, ask: bool = True) -> None:
        """Somebody met the fault. A silent request rings no bell: the server's own answers are the clock."""
        if ask:
            await self.host.status_when(lambda _: rule.times == 0, PATIENCE_S)
        else:
            async with asyncio.timeout(PATIENCE_S):
                while rule.times:
                    await self.host.ask("ping")

    async def shown(self, text: str) -> Event:
        host = self.host
        await host.until(lambda: any(event.content == text for event in host.events), PATIENCE_S, text)
        return next(event for event in host.events if event.content == text)

    def posted(self, text: str) -> int:
        return sum(message["text"] == text for message in self.ann.inbox)

    async def goes_on(self) -> None:
        """Afterwards everything is as ever: the next message is shown, and an answer answers both."""
        self.book.say(self.ann, "two")
        await self.shown("two")
        await self.host.done("reply", chat_id=self.ann.id, text="both answered", within=PATIENCE_S)
        assert self.posted("both answered") == 1


@pytest.mark.timeout(240)
async def test_every_fault_at_every_moment(tmp_path: Path, note: Note) -> None:
    """Nothing is lost, every duplicate is marked with its first delivery id, and afterwards all is as ever."""

    async def cell(fault: str, moment: str) -> str:
        async with world(tmp_path / f"{fault} {moment}") as stage:
            return await Cell(stage, fault).play(moment)

    # Those that wait longest come first.
    faults = sorted(FAULTS, key=lambda fault: fault != "silence")
    cells = {f"{fault} {moment}": cell(fault, moment) for fault in faults for moment in reversed(MOMENTS)}
    found = await together(cells, at_once=10)
    note("fault matrix", " " * 14 + "".join(f"{fault:<17}" for fault in FAULTS))
    for moment in MOMENTS:
        note("fault matrix", f"{moment:<14}" + "".join(f"{found[f'{fault} {moment}']:<17}" for fault in FAULTS))
