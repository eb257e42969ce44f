"""The journey, step by step: from a stranger's first message, through a crash, to longer work that is stopped.

Everything printed was observed; the first step that does not happen in time ends the journey.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rich.text import Text

from agent_channels.sandbox.agent.host import ChannelEvent, HandshakeResult, StepFailed, ToolCall
from agent_channels.sandbox.agent.turn import HostTurn, TurnStopped
from agent_channels.sandbox.demo.script import HANDLE, MESSAGES, NAME, PLAN, STEERED
from agent_channels.sandbox.demo.stage import Stage
from agent_channels.sandbox.demo.transcript import Transcript, WireLine, event_lines, hook_lines, tool_lines
from agent_channels.sandbox.server import Call
from agent_channels.sandbox.telegram.utf16 import entity_text

__all__ = ["Journey", "JourneyResult"]

T = TypeVar("T")

POLL_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class JourneyResult:
    """The messages the person sent, the server's counts, and how many messages the agent missed or got twice."""

    sent: int
    received: int
    answered: int
    open: int
    lost: int
    redelivered: int

    def summary(self) -> str:
        """Return the counts as one line."""
        return f"{self.received} received, {self.answered} answered, {self.open} open, {self.lost} lost"

    @property
    def complete(self) -> bool:
        """Whether everything that was sent was received and answered."""
        return self.sent == self.received == self.answered and not self.open and not self.lost


class Journey:
    """One run of the journey."""

    def __init__(self, stage: Stage, transcript: Transcript) -> None:
        self.stage, self.transcript, self.tg = stage, transcript, stage.tg
        self.ann = self.tg.person(HANDLE, NAME)
        self._sent = 0
        # Of these, the commands: they are not for the agent.
        self._commands = 0
        self._calls_before_step = 0
        self._handshake: HandshakeResult | None = None
        self._delivery_ids: list[str] = []

    async def play(self) -> JourneyResult:
        """Play all steps. Raises `StepFailed` for the first thing that does not happen."""
        await self._start()
        code = await self._stranger()
        await self._pairing(code)
        question = await self._question()
        await self._tap(question)
        await self._second_tap(question)
        unanswered = await self._crash()
        await self._restart(unanswered)
        await self._typed_answer()
        await self._picture()
        turn = await self._longer_work()
        await self._steering(turn)
        await self._stop(turn)
        return await self._count()

    # --- the steps

    async def _start(self) -> None:
        self._step("An agent host starts the server, as .mcp.json tells it to")
        self.transcript.row(wire=await self._attach())

    async def _stranger(self) -> str:
        self._step("A stranger writes, and gets a pairing code")
        sent, update = await self._send("hello", lambda counts: counts["held"] == 1)
        self.transcript.row(sent, [*update, ("", f"held until {NAME} is paired")])
        message = await self._next_message("the pairing code")
        codes = [entity for entity in message.get("entities", ()) if entity["type"] == "code"]
        if not codes:
            raise StepFailed("the bot answered the stranger without a code")
        self.transcript.row(self.transcript.phone.message(message), await self._api_call("sendMessage"))
        return entity_text(message["text"], codes[0])

    async def _pairing(self, code: str) -> None:
        self._step("The operator lets her in, from the terminal")
        out = await self.stage.run("access", "telegram", "pair", code)
        shell: WireLine = ("shell", f"$ channels access telegram pair {code}")
        self.transcript.row(wire=[shell, ("", out.splitlines()[0])])
        paired = await self._next_message("the message that she is paired")
        event = await self._event("her first message", lambda event: event.content == MESSAGES["hello"])
        self.transcript.row(self.transcript.phone.message(paired), event_lines(event))
        await self._reply("to her first message")

    async def _question(self) -> dict[str, Any]:
        self._step("She asks; the agent answers with buttons")
        sent, update = await self._send("ship", lambda counts: counts["received"] == self._sent)
        event = await self._event("the question", lambda event: event.content == MESSAGES["ship"])
        self.transcript.row(sent, [*update, *event_lines(event)])
        await self._reply("to the question")
        return self.ann.inbox[-1]

    async def _tap(self, question: dict[str, Any]) -> None:
        self._step("She taps: the agent is told, the choice stands in the message")
        tap, self._sent = self.ann.tap(question["message_id"], label="Approve"), self._sent + 1
        toast = await self.stage.within("the answer to the tap", tap.answered(self.stage.step_timeout_s))
        event = await self._event("the tap", lambda event: event.meta.get("button_label") == "Approve")
        phone = self.transcript.phone
        self.transcript.row([*phone.tap("Approve"), *phone.toast(toast.text)], event_lines(event))
        await self._outcome(question, "Approve")
        await self._reply("to the tap")

    async def _second_tap(self, question: dict[str, Any]) -> None:
        self._step("A second tap, on a phone that still shows the buttons")
        before = self.stage.journal_counts()
        reject = question["reply_markup"]["inline_keyboard"][0][1]
        tap = self.ann.tap(question["message_id"], data=reject["callback_data"])
        toast = await self.stage.within("the answer to the second tap", tap.answered(self.stage.step_timeout_s))
        if "Approve" not in toast.text:
            raise StepFailed(f"the second tap was answered {toast.text!r}, not with the choice made before")
        await self._journalled("the second tap's journal entry", lambda counts: counts == before)
        phone = self.transcript.phone
        calls = await self._api_call("answerCallbackQuery")
        self.transcript.row(
            [*phone.tap("Reject"), *phone.toast(toast.text)], [*calls, ("", "no event: the first choice stands")]
        )

    async def _crash(self) -> ChannelEvent:
        self._step("The server is killed while the agent works; she keeps writing")
        sent, update = await self._send("progress", lambda counts: counts["open"] == 1)
        event = await self._event("the message", lambda event: event.content == MESSAGES["progress"])
        self.transcript.row(
            sent, [*update, *event_lines(event), ("", "the agent works on it and has not answered yet")]
        )
        pid = self.stage.host.pid
        code = await self.stage.kill_server()
        self.transcript.row(wire=[("server", f"process {pid} killed (SIGKILL, exit code {code})")])
        drawn = self.transcript.phone.message(self.ann.send(MESSAGES["changelog"]))
        self._sent += 1
        self.transcript.row(drawn, [("", f"nobody reads the bot; Telegram holds {self.tg.pending_updates} update")])
        return event

    async def _restart(self, unanswered: ChannelEvent) -> None:
        self._step("The server restarts: nothing is lost, and redelivered messages say so")
        before = self.tg.confirmed
        self.transcript.row(wire=await self._attach())
        again = await self._event(
            "the unanswered message, again", lambda event: event.meta.get("redelivered") == "true"
        )
        if again.meta["delivery_id"] != unanswered.meta["delivery_id"]:
            raise StepFailed("the message was redelivered under another delivery_id")
        self.transcript.row(wire=event_lines(again))
        await self._reply("to the redelivered message")
        update = await self._confirmed(before)
        event = await self._event(
            "the message she wrote meanwhile", lambda event: event.content == MESSAGES["changelog"]
        )
        self.transcript.row(wire=[*update, *event_lines(event)])
        await self._reply("to the message she wrote meanwhile")

    async def _typed_answer(self) -> None:
        self._step("She types the answer instead of tapping; it counts as the tap")
        question = self.ann.inbox[-1]
        sent, update = await self._send("typed", lambda counts: counts["received"] == self._sent)
        event = await self._event("the typed answer", lambda event: event.meta.get("button_label") == "Publish")
        self.transcript.row(sent, [*update, *event_lines(event)])
        await self._outcome(question, "Publish")
        await self._reply("to the typed answer")

    async def _picture(self) -> None:
        self._step("She sends a picture; the agent gets a path it can read")
        before, self._sent = self.tg.confirmed, self._sent + 1
        photo = self.ann.send_photo(caption=MESSAGES["photo"])
        update = await self._confirmed(before)
        event = await self._event("the picture", lambda event: "image_path" in event.meta)
        self.transcript.row(self.transcript.phone.message(photo), [*update, *event_lines(event)])
        await self._reply("to the picture")

    async def _longer_work(self) -> HostTurn:
        self._step("She asks for longer work; the host's hooks tell the server each step")
        await self.stage.stop_server()
        attached = await self._attach(hooks=True)
        turn = HostTurn(self.stage.host, self.stage.begun_session, self._steered)
        sent, update = await self._send("work", lambda counts: counts["received"] == self._sent)
        self.transcript.row(sent, [*attached, *update])
        await turn.begin("")
        for number, subject in enumerate(PLAN, 1):
            await turn.hook("TaskCreated", task_id=str(number), task_subject=subject)
        await turn.use("Bash", {"command": "npm test"}, _at_once)
        await turn.hook("TaskCompleted", task_id="1", task_subject=PLAN[0])

        def shown() -> dict[str, Any] | None:
            return next((message for message in self.ann.inbox if "▸ Edit" in message.get("text", "")), None)

        async def watch() -> None:
            await self._next_message("that the agent works")
            message = await self.stage.within("the step in the status message", self._wait_for(shown))
            self._hooks(turn, self.transcript.phone.message(message))

        await turn.use("Edit", {"file_path": "src/price.py"}, watch)
        self._hooks(turn)
        return turn

    async def _steering(self, turn: HostTurn) -> None:
        self._step("She writes in the middle of it, and the agent reads it at that step")

        async def write() -> None:
            self._hooks(turn)
            sent, update = await self._send("steer", lambda counts: counts["received"] == self._sent)
            self.transcript.row(sent, update)

        await turn.use("Bash", {"command": "npm test"}, write)
        told = await self._next_message("that her message has reached the agent")
        self._hooks(turn, self.transcript.phone.message(told))
        call = ToolCall("reply", {"chat_id": str(self.ann.id), "text": STEERED})
        await turn.reply(call.arguments)
        answer = await self._next_message("the agent's answer to what she wrote")
        self._hooks(turn, self.transcript.phone.message(answer))

    async def _stop(self, turn: HostTurn) -> None:
        self._step("She stops it: what runs comes to its end, nothing further begins")

        async def stop() -> None:
            self._hooks(turn)
            sent, update = await self._send("stop", lambda counts: counts["received"] == self._sent)
            self._commands += 1
            asked = await self._next_message("that the agent is being stopped")
            self.transcript.row([*sent, *self.transcript.phone.message(asked)], update)

        try:
            await turn.use("Bash", {"command": "npm run deploy"}, stop)
        except TurnStopped:
            stopped = await self._next_message("that the agent has stopped")
            self._hooks(turn, self.transcript.phone.message(stopped))
        else:
            raise StepFailed("the turn went on although she had stopped it")

    async def _count(self) -> JourneyResult:
        self._step("The server's own count")
        inbox = json.loads(await self.stage.run("status", "telegram", "--json"))["inbox"]
        shell: WireLine = ("shell", "$ channels status telegram --json")
        self.transcript.row(wire=[shell, ("", f'{{… "inbox": {json.dumps(inbox)} …}}')])
        distinct = len(set(self._delivery_ids))
        return JourneyResult(
            self._sent,
            inbox["received"],
            inbox["answered"],
            inbox["open"],
            lost=self._sent - self._commands - distinct,
            redelivered=len(self._delivery_ids) - distinct,
        )

    # --- parts of the steps

    def _step(self, heading: str) -> None:
        self._calls_before_step = len(self.tg.calls)
        self.transcript.step(heading)

    async def _steered(self, events: Sequence[ChannelEvent]) -> None:
        self._delivery_ids += [event.meta["delivery_id"] for event in events]

    def _hooks(self, turn: HostTurn, drawn: Sequence[Text] = ()) -> None:
        """Print the hooks that were called since the last time, beside what the phone shows."""
        self.transcript.row(drawn, [line for call in turn.log for line in hook_lines(*call)])
        turn.log.clear()

    async def _attach(self, *, hooks: bool = False) -> list[WireLine]:
        handshake = await self.stage.attach(hooks=hooks)
        if not handshake.is_channel:
            raise StepFailed("the server did not declare that it is a channel")
        shell: WireLine = ("shell", f"$ channels serve telegram   (process {self.stage.host.pid})")
        if handshake == self._handshake:
            return [shell, ("host", "server/discover, initialize, tools/list as before")]
        self._handshake = handshake
        return [
            shell,
            ("host", f"server/discover -> {handshake.probe_code}, so the session can be a channel"),
            ("host", f"initialize {handshake.protocol} -> {handshake.server}, claude/channel"),
            ("host", f"tools/list -> {', '.join(handshake.tools)}"),
        ]

    async def _send(self, name: str, journalled: Callable[[dict[str, int]], bool]) -> tuple[list[Text], list[WireLine]]:
        """Send a message as Ann; return it as drawn, and its update line, once it is on disk and confirmed."""
        before, self._sent = self.tg.confirmed, self._sent + 1
        message = self.ann.send(MESSAGES[name])
        update = await self._confirmed(before)
        await self._journalled(f"the journal entry of {MESSAGES[name]!r}", journalled)
        return self.transcript.phone.message(message), update

    async def _confirmed(self, before: int) -> list[WireLine]:
        """Wait until the server confirms the last update, which it does only for updates on disk."""

        def confirmed() -> bool:
            # An earlier update may be confirmed only now; ours is the last, so none may be left.
            return self.tg.confirmed > before and not self.tg.pending_updates

        await self.stage.within("the update's confirmation", self._wait_for(confirmed))
        return [("update", f"{self.tg.confirmed} journalled, then confirmed")]

    async def _journalled(self, what: str, expected: Callable[[dict[str, int]], bool]) -> None:
        async def poll() -> None:
            while not expected(self.stage.journal_counts()):  # noqa: ASYNC110 - another process's commits send no signal
                await asyncio.sleep(POLL_EVERY_S)

        await self.stage.within(what, poll())

    async def _event(self, what: str, expected: Callable[[ChannelEvent], bool]) -> ChannelEvent:
        event = await self.stage.take(f"the agent's event for {what}", self.stage.host.events)
        if not expected(event):
            raise StepFailed(f"instead of {what} the agent was told {event.content!r} ({dict(event.meta)})")
        self._delivery_ids.append(event.meta["delivery_id"])
        return event

    async def _reply(self, what: str) -> None:
        result = await self.stage.take(f"the agent's answer {what}", self.stage.host.results)
        if result.failed:
            raise StepFailed(f"the agent's answer {what} failed: {result.text}")
        message = await self._next_message(f"the agent's answer {what}")
        self.transcript.row(self.transcript.phone.message(message), tool_lines(result))

    async def _next_message(self, what: str) -> dict[str, Any]:
        message: dict[str, Any] = await self.stage.within(
            f"{NAME}'s phone showing {what}", self.ann.next_message(self.stage.step_timeout_s)
        )
        return message

    async def _outcome(self, question: dict[str, Any], label: str) -> None:
        def outcome() -> dict[str, Any] | None:
            now = next(message for message in self.ann.inbox if message["message_id"] == question["message_id"])
            keys = (key for row in now.get("reply_markup", {}).get("inline_keyboard", ()) for key in row)
            closed = not any("callback_data" in key for key in keys)
            return now if closed and label in now["text"] else None

        message = await self.stage.within("the outcome in the message", self._wait_for(outcome))
        self.transcript.row(self.transcript.phone.message(message), await self._api_call("editMessageText"))

    async def _api_call(self, method: str) -> list[WireLine]:
        def ended() -> Call | None:
            return next((call for call in self.tg.calls[self._calls_before_step :] if call.method == method), None)

        call = await self.stage.within(f"the end of {method}", self._wait_for(ended))
        return [("bot api", f"{call.method} {call.response_code}")]

    async def _wait_for(self, predicate: Callable[[], T | None]) -> T:
        return await self.tg.wait_for(predicate, self.stage.step_timeout_s)


async def _at_once() -> None:
    """A tool that is done at once."""
