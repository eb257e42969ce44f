"""The scripted agent of the chat page: it answers people through the same tools as a real agent."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent_channels.core.host.protocol import REQUEST, VERDICT
from agent_channels.sandbox.agent.host import ChannelEvent, ScriptedHost, StepFailed, ToolCall
from agent_channels.sandbox.telegram.images import image_size

__all__ = ["ScriptedAgent"]

SLOW_S = 6.0
# The letters of a permission request's id, as the host chooses them: no l, which looks like 1.
REQUEST_ID_LETTERS = "abcdefghijkmnopqrstuvwxyz"

GREETINGS = {"", "hi", "hello", "help", "start", "hey"}
WELCOME = (
    "Hello! I am the *scripted agent* of this sandbox: a real MCP client, behind a real channel server. "
    "Write anything and I echo it, send a picture, or try one of these."
)
TOPIC_BUTTONS: list[list[str | dict[str, str]]] = [
    [{"label": "Deploy", "value": "deploy", "style": "primary"}, {"label": "Rate 1 to 5", "value": "rate"}],
    [{"label": "Choose a plan", "value": "plan"}, {"label": "Give a name", "value": "name"}],
    [{"label": "Long answer", "value": "long answer"}, {"label": "Permission", "value": "permission"}],
    [{"label": "Menu of 30", "value": "menu of 30"}, {"label": "Slow work", "value": "slow"}],
]
LONG_ANSWER = """\
## What changed in 4.2

The inbox is **on disk before the platform is told** that a message arrived, and a message stays *open* until the \
agent has acted on it.

1. A crash loses nothing: `kill -9` included.
2. A message that is delivered twice says so.
3. A second tap is answered, not counted:
   - the first one stands
   - the others are told which it was

> Nothing is lost. If nobody is listening, the person is told.

```python
async def answer(event: Event) -> None:
    seen = inbox.offered(event.chat_id)
    await chat.reply(event.chat_id, "Done.")
    inbox.answered(event.chat_id, seen)
```

| Promise | Where it is kept | Tested by |
|---|---|---|
| Nothing is lost | inbox | killing the server |
| Every host | delivery | four modes |
| Buttons are objects | panels | two thumbs at once |

~~Type long answers on a phone.~~ Tap a button. The rest is in [the protocol](https://modelcontextprotocol.io).
"""
SERVICE_NAMES = """api billing cache cron docs edge feeds files flags geo hooks images inbox jobs keys limits logs mail
maps media metrics notes orders pages push queue search sync tags web"""

Handler = Callable[[ChannelEvent], Awaitable[None]]


class ScriptedAgent:
    """Acts on every event of one host; chats do not wait for each other. `slow_s`: how long slow work takes."""

    def __init__(self, host: ScriptedHost, slow_s: float = SLOW_S) -> None:
        self._host, self._slow_s = host, slow_s
        # The chat of each permission request that is not decided yet.
        self._requests: dict[str, str] = {}
        self._topics: dict[str, Handler] = {
            "deploy": self._deploy,
            "rate": self._rate,
            "plan": self._plan,
            "name": self._name,
            "long answer": self._long_answer,
            "permission": self._permission,
            "menu of 30": self._menu_of_30,
            "slow": self._slow_work,
        }

    async def run(self) -> None:
        """Act until the server ends."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._handle_verdicts())
            while event := await self._host.events.get():
                group.create_task(self._act(event))

    async def _act(self, event: ChannelEvent) -> None:
        try:
            await self._handler(event)(event)
        except StepFailed:
            # The server has ended; the next one delivers unanswered messages again.
            return

    def _handler(self, event: ChannelEvent) -> Handler:
        if event.meta.get("button") == "true":
            return self._topics.get(event.meta["button_value"], self._button)
        if "image_path" in event.meta:
            return self._picture
        if "attachment_kind" in event.meta:
            return self._file
        if "reaction" in event.meta:
            return self._reaction
        words = _topic_words(event.content)
        return self._welcome if words in GREETINGS else self._topics.get(words, self._echo)

    # --- answers

    async def _welcome(self, event: ChannelEvent) -> None:
        await self._reply(event, WELCOME, buttons=TOPIC_BUTTONS)

    async def _echo(self, event: ChannelEvent) -> None:
        await self._reply(event, f"You said: {event.content}", format="text")

    async def _button(self, event: ChannelEvent) -> None:
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
        choice = await self._ask(event, "How was this release, from 1 to 5?", [["1", "2", "3", "4", "5"]])
        if choice:
            await self._reply(event, f"{'★' * int(choice['label'])} Thank you.", format="text")

    async def _plan(self, event: ChannelEvent) -> None:
        plans: list[list[Any]] = [["Nightly", "Weekly"], ["Only when I ask"], [{"label": "Skip", "style": "secondary"}]]
        choice = await self._ask(event, "When shall I run the long tests?", plans)
        if choice:
            label = choice["label"]
            text = "Skipped: nothing changes." if label == "Skip" else f"Long tests: {label.lower()}."
            await self._reply(event, text, format="text")

    async def _name(self, event: ChannelEvent) -> None:
        choice = await self._ask(event, "What is the release called?", [["Aurora", "Borealis"]], other=True)
        if choice:
            await self._reply(event, f"It is called {choice.get('text') or choice['label']}.", format="text")

    async def _long_answer(self, event: ChannelEvent) -> None:
        await self._reply(event, LONG_ANSWER)

    async def _menu_of_30(self, event: ChannelEvent) -> None:
        labels = [f"{number} · {name}" for number, name in enumerate(SERVICE_NAMES.split(), 1)]
        rows = [labels[at : at + 3] for at in range(0, len(labels), 3)]
        await self._reply(event, "Which of the thirty services shall I restart?", buttons=rows)

    async def _slow_work(self, event: ChannelEvent) -> None:
        if "redelivered" in event.meta:
            await self._reply(event, "I was cut off in the middle, and here I am again: done.", format="text")
            return
        # Long enough to kill the server in the meantime and see the message delivered again.
        await asyncio.sleep(self._slow_s)
        await self._reply(event, f"Done, after {self._slow_s:.0f} seconds of work.", format="text")

    async def _picture(self, event: ChannelEvent) -> None:
        path = Path(event.meta["image_path"])
        data = await asyncio.to_thread(path.read_bytes)
        size = image_size(data)
        pixels = f"{size[0]} x {size[1]} pixels, " if size else ""
        text = f"I see it ({pixels}{len(data):,} bytes), and send it back."
        await self._reply(event, text, format="text", files=[str(path)])

    async def _file(self, event: ChannelEvent) -> None:
        await self._reply(event, f"Got {event.meta.get('attachment_name') or 'a file'}.", format="text")

    async def _reaction(self, event: ChannelEvent) -> None:
        await self._reply(event, f"I saw your {event.meta['reaction']}.", format="text")

    async def _permission(self, event: ChannelEvent) -> None:
        request_id = "".join(secrets.choice(REQUEST_ID_LETTERS) for _ in range(5))
        self._requests[request_id] = event.meta["chat_id"]
        text = "That needs a permission. The card goes to the approver, who is Ann."
        await self._reply(event, text, format="text")
        preview = json.dumps({"command": "git push origin v4.2"})
        about = {"tool_name": "Bash", "description": "Publishes the tag of the release", "input_preview": preview}
        self._host.notify(REQUEST, {"request_id": request_id, **about})

    async def _handle_verdicts(self) -> None:
        while notification := await self._host.notifications.get():
            method, params = notification
            chat_id = self._requests.pop(str(params.get("request_id")), None)
            if method == VERDICT and chat_id:
                text = "Allowed: the tag is pushed." if params["behavior"] == "allow" else "Denied: nothing was pushed."
                try:
                    await self._host.call(ToolCall("reply", {"chat_id": chat_id, "text": text, "format": "text"}))
                except StepFailed:
                    return

    # --- tools

    async def _reply(self, event: ChannelEvent, text: str, **more: Any) -> None:
        await self._host.call(ToolCall("reply", {**_target(event), "text": text, **more}))

    async def _ask(
        self, event: ChannelEvent, text: str, buttons: list[list[Any]], **more: Any
    ) -> dict[str, Any] | None:
        """Ask a question; return the choice, or None when nobody chose in time or the question failed."""
        arguments = {**_target(event), "text": text, "buttons": buttons, "timeout_s": 600, **more}
        result = await self._host.call(ToolCall("ask", arguments))
        try:
            choice = None if result.failed else json.loads(result.text)
        except ValueError:
            return None
        return choice if isinstance(choice, dict) and ("label" in choice or "text" in choice) else None


def _target(event: ChannelEvent) -> dict[str, str]:
    thread = {"thread_id": event.meta["thread_id"]} if "thread_id" in event.meta else {}
    return {"chat_id": event.meta["chat_id"], **thread}


def _topic_words(text: str) -> str:
    """Return a message in lower case, without mentions, a command's slash and a final mark."""
    return re.sub(r"<?@!?\w[\w-]*>?|‹@!?\d+›|^/", "", text).strip(" .!?:,\n").casefold()
