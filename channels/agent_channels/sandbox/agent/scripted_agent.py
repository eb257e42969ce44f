"""The scripted agent of the chat page: what it says to whom, through the same tools a real agent has."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent_channels.core.host.protocol import REQUEST, VERDICT
from agent_channels.sandbox.agent.host import ScriptedHost, StepFailed
from agent_channels.sandbox.agent.phrases import HELLO, LONG, MANY, TOPICS
from agent_channels.sandbox.demo.script import ChannelEvent, ToolCall
from agent_channels.sandbox.telegram.images import image_size

__all__ = ["Agent"]

SLOW_S = 6.0
# The letters a permission's id is made of, as the host makes it: no l, which looks like 1.
LETTERS = "abcdefghijkmnopqrstuvwxyz"
_GREETINGS = {"", "hi", "hello", "help", "start", "hey"}

_Answer = Callable[[ChannelEvent], Awaitable[None]]


class Agent:
    """Acts on every event of one host; the events of different chats do not wait for each other."""

    def __init__(self, host: ScriptedHost, slow_s: float = SLOW_S) -> None:
        """`slow_s`: how long the topic "slow" takes."""
        self._host, self._slow_s = host, slow_s
        self._asked: dict[str, str] = {}
        self._topics: dict[str, _Answer] = {
            "deploy": self._deploy,
            "rate": self._rate,
            "plan": self._plan,
            "name": self._name,
            "long answer": self._long,
            "permission": self._permission,
            "menu of 30": self._many,
            "slow": self._slow,
        }

    async def run(self) -> None:
        """Acts until the server is gone."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear_verdicts())
            while event := await self._host.events.get():
                group.create_task(self._act(event))

    async def _act(self, event: ChannelEvent) -> None:
        try:
            await self._topic(event)(event)
        except StepFailed:
            # The server is gone; what was not answered is offered again by the next one.
            return

    def _topic(self, event: ChannelEvent) -> _Answer:
        if event.meta.get("button") == "true":
            return self._topics.get(event.meta["button_value"], self._chosen)
        if "image_path" in event.meta:
            return self._picture
        if "attachment_kind" in event.meta:
            return self._file
        if "reaction" in event.meta:
            return self._reaction
        said = _plain(event.content)
        return self._hello if said in _GREETINGS else self._topics.get(said, self._echo)

    # --- answers

    async def _hello(self, event: ChannelEvent) -> None:
        await self._reply(event, HELLO, buttons=TOPICS)

    async def _echo(self, event: ChannelEvent) -> None:
        await self._reply(event, f"You said: {event.content}", format="text")

    async def _chosen(self, event: ChannelEvent) -> None:
        label = event.meta["button_label"]
        answer = {"Approve": "Deploying 4.2 now.", "Reject": "Then 4.1 stays."}.get(label, f"Noted: {label}.")
        await self._reply(event, answer, format="text")

    async def _deploy(self, event: ChannelEvent) -> None:
        buttons = [
            [{"label": "Approve", "style": "success"}, {"label": "Reject", "style": "danger"}],
            ["Ask me in an hour"],
        ]
        await self._reply(event, "**Every test passes.** Deploy `4.2` to production?", buttons=buttons)

    async def _rate(self, event: ChannelEvent) -> None:
        found = await self._ask(event, "How was this release, from 1 to 5?", [["1", "2", "3", "4", "5"]])
        if found:
            await self._reply(event, f"{'★' * int(found['label'])} Thank you.", format="text")

    async def _plan(self, event: ChannelEvent) -> None:
        plans: list[list[Any]] = [["Nightly", "Weekly"], ["Only when I ask"], [{"label": "Skip", "style": "secondary"}]]
        found = await self._ask(event, "When shall I run the long tests?", plans)
        if found:
            text = "Skipped: nothing changes." if found["label"] == "Skip" else f"Long tests: {found['label'].lower()}."
            await self._reply(event, text, format="text")

    async def _name(self, event: ChannelEvent) -> None:
        found = await self._ask(event, "What is the release called?", [["Aurora", "Borealis"]], other=True)
        if found:
            await self._reply(event, f"It is called {found.get('text') or found['label']}.", format="text")

    async def _long(self, event: ChannelEvent) -> None:
        await self._reply(event, LONG)

    async def _many(self, event: ChannelEvent) -> None:
        rows = [[f"{number} · {name}" for number, name in MANY[at : at + 3]] for at in range(0, len(MANY), 3)]
        await self._reply(event, "Which of the thirty services shall I restart?", buttons=rows)

    async def _slow(self, event: ChannelEvent) -> None:
        if "redelivered" in event.meta:
            await self._reply(event, "I was cut off in the middle, and here I am again: done.", format="text")
            return
        # The work takes long; whoever kills the server now sees the message come again.
        await asyncio.sleep(self._slow_s)
        await self._reply(event, f"Done, after {self._slow_s:.0f} seconds of work.", format="text")

    async def _picture(self, event: ChannelEvent) -> None:
        path = Path(event.meta["image_path"])
        data = await asyncio.to_thread(path.read_bytes)
        size = image_size(data)
        shown = f"{size[0]} x {size[1]} pixels, " if size else ""
        text = f"I see it ({shown}{len(data):,} bytes), and send it back."
        await self._reply(event, text, format="text", files=[str(path)])

    async def _file(self, event: ChannelEvent) -> None:
        await self._reply(event, f"Got {event.meta.get('attachment_name') or 'a file'}.", format="text")

    async def _reaction(self, event: ChannelEvent) -> None:
        await self._reply(event, f"I saw your {event.meta['reaction']}.", format="text")

    async def _permission(self, event: ChannelEvent) -> None:
        request = "".join(secrets.choice(LETTERS) for _ in range(5))
        self._asked[request] = event.meta["chat_id"]
        text = "That needs a permission. The card goes to the approver, who is Ann."
        await self._reply(event, text, format="text")
        preview = json.dumps({"command": "git push origin v4.2"})
        asked = {"request_id": request, "tool_name": "Bash", "description": "Publishes the tag of the release"}
        self._host.notify(REQUEST, {**asked, "input_preview": preview})

    async def _hear_verdicts(self) -> None:
        while notice := await self._host.notices.get():
            method, params = notice
            chat_id = self._asked.pop(str(params.get("request_id")), None)
            if method == VERDICT and chat_id:
                text = "Allowed: the tag is pushed." if params["behavior"] == "allow" else "Denied: nothing was pushed."
                try:
                    await self._host.call(ToolCall("reply", {"chat_id": chat_id, "text": text, "format": "text"}))
                except StepFailed:
                    return

    # --- tools

    async def _reply(self, event: ChannelEvent, text: str, **more: Any) -> None:
        await self._host.call(ToolCall("reply", {**_place(event), "text": text, **more}))

    async def _ask(
        self, event: ChannelEvent, text: str, buttons: list[list[Any]], **more: Any
    ) -> dict[str, Any] | None:
        """What was chosen; None when nobody chose in time, or the question could not be asked."""
        arguments = {**_place(event), "text": text, "buttons": buttons, "timeout_s": 600, **more}
        done = await self._host.call(ToolCall("ask", arguments))
        try:
            found = None if done.failed else json.loads(done.result)
        except ValueError:
            return None
        return found if isinstance(found, dict) and ("label" in found or "text" in found) else None


def _place(event: ChannelEvent) -> dict[str, str]:
    thread = {"thread_id": event.meta["thread_id"]} if "thread_id" in event.meta else {}
    return {"chat_id": event.meta["chat_id"], **thread}


def _plain(text: str) -> str:
    """What was said, without mentions, a command's slash and a final stop."""
    return re.sub(r"<?@!?\w[\w-]*>?|‹@!?\d+›|^/", "", text).strip(" .!?:,\n").casefold()
