"""The scripted agent of the chat page: it answers people through the same tools as a real agent.

Nothing is pushed to it. A message wakes its host, which begins a turn; its hooks hand it what people wrote, then and in
the middle of longer work.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.host.protocol import REQUEST, VERDICT
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.agent.host import ChannelEvent, ScriptedHost, StepFailed, ToolCall
from agent_channels.sandbox.agent.processes import run_hook
from agent_channels.sandbox.agent.tasks import Work, task_for, work_in_rounds
from agent_channels.sandbox.agent.turn import AgentSession, HostTurn, TurnStopped
from agent_channels.sandbox.telegram.images import image_size

__all__ = ["ScriptedAgent"]

SLOW_S = 6.0
# Long enough to read what happens, and to step in.
STEP_S = 2.0
# How often an idle host looks whether something has come; the hook `bell`, which does it for a real one, is slower.
WAKE_EVERY_S = 0.03
# The letters of a permission request's id, as the host chooses them: no l, which looks like 1.
REQUEST_ID_LETTERS = "abcdefghijkmnopqrstuvwxyz"

GREETINGS = {"", "hi", "hello", "help", "start", "hey"}
WELCOME = (
    "Hello! I am the *scripted agent* of this sandbox: a real MCP client, behind a real channel server. "
    "Write anything and I echo it, send a picture, or try one of these."
)
TOPIC_BUTTONS: list[list[str | dict[str, str]]] = [
    [{"label": "Run a longer task", "value": "fix the tests", "style": "primary"}],
    [{"label": "Edit a file", "value": "edit a file"}, {"label": "Permission", "value": "permission"}],
    [
        {"label": "At the terminal", "value": "at the terminal"},
        {"label": "Usage limit", "value": "usage limit"},
        {"label": "Dialog", "value": "dialog"},
    ],
    [{"label": "Deploy", "value": "deploy"}, {"label": "Rate", "value": "rate"}, {"label": "Plan", "value": "plan"}],
    [
        {"label": "Task list", "value": "task list"},
        {"label": "Long output", "value": "long output"},
        {"label": "Long answer", "value": "long answer"},
    ],
    [
        {"label": "Name", "value": "name"},
        {"label": "Menu of 30", "value": "menu of 30"},
        {"label": "Slow", "value": "slow"},
    ],
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

TASKS = ("Read the report", "Correct the rounding in `src/price.py`", "Run every test")

Handler = Callable[[ChannelEvent], Awaitable[None]]


class ScriptedAgent:
    """Acts on every message of one host session; short answers do not wait for each other, turns do."""

    def __init__(
        self, host: ScriptedHost, session: AgentSession, *, slow_s: float = SLOW_S, step_s: float = STEP_S
    ) -> None:
        """`slow_s`: how long slow work takes; `step_s`: how long a tool does. In seconds."""
        self._host, self._session = host, session
        self._slow_s, self._step_s = slow_s, step_s
        # Longer work that waits for its turn, and whether there is some in hand.
        self._tasks: list[ChannelEvent] = []
        self._working = False
        # The chat of each permission request that is not decided yet.
        self._requests: dict[str, str] = {}
        self._topics: dict[str, Handler] = {
            "deploy": self._deploy,
            "rate": self._rate,
            "plan": self._plan,
            "name": self._name,
            "long answer": self._long_answer,
            "task list": self._task_list,
            "long output": self._long_output,
            "permission": self._permission,
            "menu of 30": self._menu_of_30,
            "slow": self._slow_work,
        }

    async def run(self) -> None:
        """Act from the handshake on, until the server ends."""
        await self._host.ready.wait()
        async with asyncio.TaskGroup() as group:
            verdicts = group.create_task(self._handle_verdicts())
            group.create_task(self._begin_session())
            with contextlib.suppress(StepFailed):
                while True:
                    await self._play_turn(group)
            verdicts.cancel()

    async def _play_turn(self, group: asyncio.TaskGroup) -> None:
        """Begin a turn with the messages that wait, or with longer work that was asked for before; do it all."""

        async def take(events: Sequence[ChannelEvent]) -> None:
            for event in events:
                if task_for(event, _topic(event)):
                    self._tasks.append(event)
                else:
                    group.create_task(self._act(event, steered=self._working))

        turn = HostTurn(self._host, self._session, take)
        if self._tasks:
            await turn.begin(self._tasks[0].block(self._session.server))
        else:
            await self._wait_for_messages()
            await turn.begin("")
            # Short answers are given beside what comes next; the server only hears that the agent does something with
            # what it was handed, or it would take the waiting that follows for the fetching of it.
            await turn.hook("PreToolUse", tool_name=f"mcp__{self._session.server}__reply")
        if self._tasks:
            self._working = True
            # A turn that is stopped just ends: the server tells the chat.
            with contextlib.suppress(TurnStopped):
                await self._work(self._tasks.pop(0), turn)
            self._working = False

    async def _wait_for_messages(self) -> None:
        """Wait, as a host that is idle, until something has come. Raises `StepFailed` when the server has ended."""
        server = self._session.server
        # The server learns from this that the agent is done with what it had.
        await self._host.call_hook(server, "PreToolUse", {"tool_name": f"mcp__{server}__wait_for_messages"})
        with Store.open_read_only(self._session.state_dir / "channel.db") as store:
            inbox = Services.of(store).inbox
            while not inbox.any_ready():
                if self._host.ended:
                    raise StepFailed("the server has ended")
                await asyncio.sleep(WAKE_EVERY_S)

    async def _begin_session(self) -> None:
        """Run the hook of a session's start; the server knows by it that this host runs hooks."""
        event = {"session_id": self._session.id, "hook_event_name": "SessionStart", "source": "startup"}
        await run_hook("session", event, self._session.environ, self._session.folder)

    # --- turns

    async def _work(self, event: ChannelEvent, turn: HostTurn) -> None:
        """Work on a task to the end of its turn, and as long as that is gone on with. Raises `TurnStopped`."""
        task = task_for(event, _topic(event))
        work = Work(turn, event, self._step_s)
        said = await task(work) if task else ""
        going_on = said and await turn.end(said)
        while going_on:
            if task is work_in_rounds:
                said = await task(work)
            going_on = await turn.end(said, going_on=True)

    # --- short answers

    async def _act(self, event: ChannelEvent, *, steered: bool = False) -> None:
        handler = self._handler(event)
        try:
            await (self._take_up if steered and handler == self._echo else handler)(event)
        except StepFailed:
            # The server has ended; the next one delivers unanswered messages again.
            return

    async def _take_up(self, event: ChannelEvent) -> None:
        text = f"I read this in the middle of my work, and take it up: {event.content}"
        await self._reply(event, text, format="text")

    def _handler(self, event: ChannelEvent) -> Handler:
        if event.meta.get("button") == "true":
            return self._topics.get(_topic(event), self._button)
        if "image_path" in event.meta:
            return self._picture
        if "attachment_kind" in event.meta:
            return self._file
        if "reaction" in event.meta:
            return self._reaction
        topic = _topic(event)
        return self._welcome if topic in GREETINGS else self._topics.get(topic, self._echo)

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

    async def _task_list(self, event: ChannelEvent) -> None:
        """Tick off a list in the message that holds it."""
        result = await self._host.call(ToolCall("reply", {**_target(event), "text": _task_list(0)}))
        sent = re.search(r"\(id: ([^)]+)\)", result.text)
        if sent is None:
            return
        place = {"chat_id": event.meta["chat_id"], "message_id": sent[1]}
        for done in range(1, len(TASKS) + 1):
            await asyncio.sleep(self._step_s)
            await self._host.call(ToolCall("edit_message", {**place, "text": _task_list(done)}))

    async def _long_output(self, event: ChannelEvent) -> None:
        lines = "\n".join(f"tests/test_{name}.py {'.' * (5 + len(name))} passed" for name in SERVICE_NAMES.split())
        await self._reply(event, f"Every test passes:\n\n```text\n{lines}\n```")

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
        if project := self._session.project:
            text = f"{project}: {text}" if more.get("format") == "text" else f"**{project}**\n\n{text}"
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


def _task_list(done: int) -> str:
    """Return the list of tasks, the first of which are done."""
    return "\n".join(f"- [{'x' if at < done else ' '}] {task}" for at, task in enumerate(TASKS))


def _topic(event: ChannelEvent) -> str:
    """Return a button's value, or a message in lower case, without mentions, a command's slash and a final mark."""
    if event.meta.get("button") == "true":
        return event.meta["button_value"]
    return re.sub(r"<?@!?\w[\w-]*>?|‹@!?\d+›|^/", "", event.content).strip(" .!?:,\n").casefold()
