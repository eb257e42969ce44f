"""The journey, step by step: from a stranger's first message to a picture, through a crash. Nothing is printed that
was not seen to happen; what does not happen in time ends the play.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.text import Text

from agent_channels.sandbox.agent.host import HandshakeResult, StepFailed
from agent_channels.sandbox.demo.script import HANDLE, NAME, SAYS, ChannelEvent
from agent_channels.sandbox.demo.stage import Stage
from agent_channels.sandbox.demo.transcript import Transcript, WireLine, called, told
from agent_channels.sandbox.server import Call

__all__ = ["Journey", "JourneyResult"]

T = TypeVar("T")

LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class JourneyResult:
    """How it ended: what the person said to the agent, what the server counts, what the agent heard."""

    sent: int
    received: int
    answered: int
    open: int
    lost: int
    again: int

    def shown(self) -> str:
        """The line the journey is about."""
        return f"{self.received} received, {self.answered} answered, {self.open} open, {self.lost} lost"

    @property
    def good(self) -> bool:
        """Whether everything that was sent was received and answered."""
        return self.sent == self.received == self.answered and not self.open and not self.lost


class Journey:
    """One performance."""

    def __init__(self, stage: Stage, view: Transcript) -> None:
        self.stage, self.view, self.tg = stage, view, stage.tg
        self.ann = self.tg.person(HANDLE, NAME)
        self._sent = 0
        self._mark = 0
        self._welcome: HandshakeResult | None = None
        self._heard: list[str] = []

    async def perform(self) -> JourneyResult:
        """Plays it. Raises `StepFailed` for the first thing that does not happen."""
        await self._curtain()
        code = await self._stranger()
        await self._pairing(code)
        grid = await self._question()
        await self._tap(grid)
        await self._second_tap(grid)
        unanswered = await self._crash()
        await self._return(unanswered)
        await self._typed()
        await self._picture()
        return await self._count()

    # --- the steps

    async def _curtain(self) -> None:
        self._step("An agent host starts the server, as .mcp.json tells it to")
        self.view.row(wire=await self._attach())

    async def _stranger(self) -> str:
        self._step("A stranger writes, and gets a pairing code")
        said, update = await self._say("hello", lambda counts: counts["held"] == 1)
        self.view.row(said, [*update, ("", f"kept back until {NAME} is paired")])
        message = await self._hears("the pairing code")
        code = next((_part(message, e) for e in message.get("entities", ()) if e["type"] == "code"), None)
        if code is None:
            raise StepFailed("the bot answered the stranger without a code")
        self.view.row(self.view.phone.message(message), await self._api("sendMessage"))
        return code

    async def _pairing(self, code: str) -> None:
        self._step("The operator lets her in, from the terminal")
        out = await self.stage.run("access", "telegram", "pair", code)
        self.view.row(wire=[("shell", f"$ channels access telegram pair {code}"), ("", out.splitlines()[0])])
        paired = await self._hears("the word that she is paired")
        event = await self._event("what she said before", lambda e: e.content == SAYS["hello"])
        self.view.row(self.view.phone.message(paired), told(event))
        await self._reply("to what she said before")

    async def _question(self) -> dict[str, Any]:
        self._step("She asks; the agent answers with buttons")
        said, update = await self._say("ship", lambda counts: counts["received"] == self._sent)
        event = await self._event("the question", lambda e: e.content == SAYS["ship"])
        self.view.row(said, [*update, *told(event)])
        await self._reply("to the question")
        return self.ann.inbox[-1]

    async def _tap(self, grid: dict[str, Any]) -> None:
        self._step("She taps: the agent is told, the choice stands in the message")
        tap, self._sent = self.ann.tap(grid["message_id"], label="Approve"), self._sent + 1
        toast = await self.stage.within("the answer to the tap", tap.answered(self.stage.step_s))
        event = await self._event("the tap", lambda e: e.meta.get("button_label") == "Approve")
        self.view.row([*self.view.phone.tap("Approve"), *self.view.phone.toast(toast.text)], told(event))
        await self._closed(grid, "Approve")
        await self._reply("to the tap")

    async def _second_tap(self, grid: dict[str, Any]) -> None:
        self._step("A second tap, on a phone that still shows the buttons")
        before = self.stage.journal()
        tap = self.ann.tap(grid["message_id"], data=grid["reply_markup"]["inline_keyboard"][0][1]["callback_data"])
        toast = await self.stage.within("the answer to the second tap", tap.answered(self.stage.step_s))
        if "Approve" not in toast.text:
            raise StepFailed(f"the second tap was answered {toast.text!r}, not with the choice made before")
        await self._settled("the second tap's journal entry", lambda counts: counts == before)
        shown = [*self.view.phone.tap("Reject"), *self.view.phone.toast(toast.text)]
        self.view.row(shown, [*await self._api("answerCallbackQuery"), ("", "no event: the first choice stands")])

    async def _crash(self) -> ChannelEvent:
        self._step("The server is killed while the agent works; she writes on")
        said, update = await self._say("progress", lambda counts: counts["open"] == 1)
        event = await self._event("the message", lambda e: e.content == SAYS["progress"])
        self.view.row(said, [*update, *told(event), ("", "the agent works on it and has not answered yet")])
        pid = self.stage.host.pid
        code = await self.stage.kill()
        self.view.row(wire=[("server", f"process {pid} killed (SIGKILL, exit code {code})")])
        said = self.view.phone.message(self.ann.send(SAYS["changelog"]))
        self._sent += 1
        self.view.row(said, [("", f"nobody reads the bot; Telegram holds {self.tg.pending_updates} update")])
        return event

    async def _return(self, unanswered: ChannelEvent) -> None:
        self._step("It is started again: nothing is lost, and what comes twice says so")
        before = self.tg.confirmed
        self.view.row(wire=await self._attach())
        again = await self._event("the unanswered message, again", lambda e: e.meta.get("redelivered") == "true")
        if again.meta["delivery_id"] != unanswered.meta["delivery_id"]:
            raise StepFailed("the message came again under another delivery_id")
        self.view.row(wire=told(again))
        await self._reply("to the message that came twice")
        update = await self._confirmed(before)
        event = await self._event("what she wrote meanwhile", lambda e: e.content == SAYS["changelog"])
        self.view.row(wire=[*update, *told(event)])
        await self._reply("to what she wrote meanwhile")

    async def _typed(self) -> None:
        self._step("She types the answer instead of tapping; it counts as the tap")
        grid = self.ann.inbox[-1]
        said, update = await self._say("typed", lambda counts: counts["received"] == self._sent)
        event = await self._event("the typed answer", lambda e: e.meta.get("button_label") == "Publish")
        self.view.row(said, [*update, *told(event)])
        await self._closed(grid, "Publish")
        await self._reply("to the typed answer")

    async def _picture(self) -> None:
        self._step("She sends a picture; the agent gets a path it can read")
        before, self._sent = self.tg.confirmed, self._sent + 1
        photo = self.ann.send_photo(caption=SAYS["photo"])
        update = await self._confirmed(before)
        event = await self._event("the picture", lambda e: "image_path" in e.meta)
        self.view.row(self.view.phone.message(photo), [*update, *told(event)])
        await self._reply("to the picture")

    async def _count(self) -> JourneyResult:
        self._step("What the server says about all this")
        out = json.loads(await self.stage.run("status", "telegram", "--json"))
        inbox = out["inbox"]
        shown: WireLine = ("", f'{{… "inbox": {json.dumps(inbox)} …}}')
        self.view.row(wire=[("shell", "$ channels status telegram --json"), shown])
        ids = set(self._heard)
        return JourneyResult(
            self._sent, inbox["received"], inbox["answered"], inbox["open"], self._sent - len(ids),
            len(self._heard) - len(ids),
        )  # fmt: skip

    # --- what steps are made of

    def _step(self, words: str) -> None:
        self._mark = len(self.tg.calls)
        self.view.step(words)

    async def _attach(self) -> list[WireLine]:
        welcome = await self.stage.attach()
        if not welcome.is_channel:
            raise StepFailed("the server did not declare that it is a channel")
        shell: WireLine = ("shell", f"$ channels serve telegram   (process {self.stage.host.pid})")
        if welcome == self._welcome:
            return [shell, ("host", "server/discover, initialize, tools/list as before")]
        self._welcome = welcome
        return [
            shell,
            ("host", f"server/discover -> {welcome.probe_code}, so the session can be a channel"),
            ("host", f"initialize {welcome.protocol} -> {welcome.server}, claude/channel"),
            ("host", f"tools/list -> {', '.join(welcome.tools)}"),
        ]

    async def _say(self, line: str, journalled: Callable[[dict[str, int]], bool]) -> tuple[list[Text], list[WireLine]]:
        """She writes; the message as drawn, and its update, once it is on disk and confirmed."""
        before, self._sent = self.tg.confirmed, self._sent + 1
        message = self.ann.send(SAYS[line])
        update = await self._confirmed(before)
        await self._settled(f"the journal entry of {SAYS[line]!r}", journalled)
        return self.view.phone.message(message), update

    async def _confirmed(self, before: int) -> list[WireLine]:
        """The next update, once Telegram may forget it, which the server allows only for what is on disk."""

        def gone() -> bool:
            # An earlier update may be confirmed only now; ours is the last, so none may be left.
            return self.tg.confirmed > before and not self.tg.pending_updates

        await self.stage.within("the update's confirmation", self._seen(gone))
        return [("update", f"{self.tg.confirmed} journalled, then confirmed")]

    async def _settled(self, what: str, right: Callable[[dict[str, int]], bool]) -> None:
        async def look() -> None:
            while not right(self.stage.journal()):  # noqa: ASYNC110 - another process's database rings no bell
                await asyncio.sleep(LOOK_EVERY_S)

        await self.stage.within(what, look())

    async def _event(self, what: str, right: Callable[[ChannelEvent], bool]) -> ChannelEvent:
        event = await self.stage.take(f"the agent's hearing of {what}", self.stage.host.events)
        if not right(event):
            raise StepFailed(f"instead of {what} the agent was told {event.content!r} ({dict(event.meta)})")
        self._heard.append(event.meta["delivery_id"])
        return event

    async def _reply(self, what: str) -> None:
        done = await self.stage.take(f"the agent's answer {what}", self.stage.host.done)
        if done.failed:
            raise StepFailed(f"the agent's answer {what} failed: {done.result}")
        self.view.row(self.view.phone.message(await self._hears(f"the agent's answer {what}")), called(done))

    async def _hears(self, what: str) -> dict[str, Any]:
        message: dict[str, Any] = await self.stage.within(
            f"{NAME}'s phone showing {what}", self.ann.next_message(self.stage.step_s)
        )
        return message

    async def _closed(self, grid: dict[str, Any], label: str) -> None:
        def closed() -> dict[str, Any] | None:
            now = next(m for m in self.ann.inbox if m["message_id"] == grid["message_id"])
            return now if "reply_markup" not in now and label in now["text"] else None

        message = await self.stage.within("the outcome in the message", self._seen(closed))
        self.view.row(self.view.phone.message(message), await self._api("editMessageText"))

    async def _api(self, method: str) -> list[WireLine]:
        def ended() -> Call | None:
            return next((call for call in self.tg.calls[self._mark :] if call.method == method), None)

        call = await self.stage.within(f"the end of {method}", self._seen(ended))
        return [("bot api", f"{call.method} {call.response_code}")]

    async def _seen(self, look: Callable[[], T | None]) -> T:
        return await self.tg.wait_for(look, self.stage.step_s)


def _part(message: dict[str, Any], entity: dict[str, Any]) -> str:
    units = message["text"].encode("utf-16-le")
    return str(units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le"))
