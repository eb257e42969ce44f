"""What the scripted agent works on for longer: turns with tools, a plan, permissions and different ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent_channels.sandbox.agent.host import ChannelEvent
from agent_channels.sandbox.agent.turn import HostTurn

__all__ = ["TASKS", "Task", "Work", "task_for", "work_in_rounds"]

# A token of the right form and length, which is nobody's: what people see of it is "[secret]".
FAKE_TOKEN = "ghp_" + "sandbox0" * 4 + "demo"
# How a message asks for rounds: it says what the agent writes when it is done.
PROMISE = re.compile(r"<promise>[^<]+</promise>")
ROUNDS = 3
PLAN = ("Find out which tests fail", "Correct the rounding", "Run every test again")
PRICE = "src/price.py"
BEFORE = "def total(items):\n    return sum(round(item.price, 2) for item in items)\n"
AFTER = "def total(items):\n    return round(sum(item.price for item in items), 2)\n"
PUSH = {"command": "git push origin main", "description": "Publishes the correction"}


class Work:
    """A turn at work for one message. `step_s`: how long a tool takes, in seconds."""

    def __init__(self, turn: HostTurn, event: ChannelEvent, step_s: float) -> None:
        self.turn, self.event = turn, event
        # How often the work was gone on with at the end of a turn.
        self.rounds = 0
        self._step_s = step_s

    async def use(self, tool: str, tool_input: dict[str, str], *, steps: float = 1, ask: bool = False) -> bool:
        """Use a tool that takes as long as so many steps; return False if it was denied. `ask`: it needs permission."""
        return await self.turn.use(tool, tool_input, lambda: asyncio.sleep(self._step_s * steps), ask=ask)

    def path(self, name: str) -> str:
        """Return the path of a file of the project, as a host names it."""
        return str(self.turn.session.folder / name)

    async def edit(self) -> dict[str, str]:
        """Return the change to a file, which is there to be changed."""
        file = Path(self.path(PRICE))
        await asyncio.to_thread(_write, file, BEFORE)
        return {"file_path": str(file), "old_string": BEFORE, "new_string": AFTER}

    async def say(self, text: str) -> None:
        """Write a line at the terminal."""
        await self.turn.hook("MessageDisplay", delta=text, index=0, final=True)

    async def plan(self, number: int, *, done: bool = False) -> None:
        """Write down an item of the plan, or that it is done."""
        named = {"task_id": str(number), "task_subject": PLAN[number - 1]}
        await self.turn.hook("TaskCompleted" if done else "TaskCreated", **named)

    async def reply(self, text: str, **more: Any) -> None:
        """Answer in the chat."""
        meta = self.event.meta
        thread = {"thread_id": meta["thread_id"]} if "thread_id" in meta else {}
        await self.turn.reply({"chat_id": meta["chat_id"], **thread, "text": text, **more})


Task = Callable[[Work], Awaitable[str]]
"""Work on a message; return the agent's last words at the terminal."""


async def fix_the_tests(work: Work) -> str:
    """Some ten steps with a plan, changed files and a secret in a command."""
    for number in range(1, len(PLAN) + 1):
        await work.plan(number)
    await work.use("Bash", {"command": "npm test", "description": "Runs the tests"}, steps=2)
    await work.use("Read", {"file_path": work.path(PRICE)})
    await work.use("Grep", {"pattern": "round(", "path": "src"})
    await work.plan(1, done=True)
    await work.say("The rounding happens twice.")
    await work.use("Edit", await work.edit())
    await work.use("Edit", {"file_path": work.path("src/invoice.py"), "old_string": "round(", "new_string": "("})
    await work.plan(2, done=True)
    await work.turn.hook("PreCompact", trigger="auto")
    await work.use("Read", {"file_path": work.path("tests/test_price.py")})
    await work.turn.hook("PostCompact")
    await work.use("Bash", {"command": f"export NPM_TOKEN={FAKE_TOKEN} && npm test -- --all"}, steps=2)
    await work.use("Bash", {"command": "npm run lint"}, steps=2)
    await work.plan(3, done=True)
    await work.reply(
        "**Every test passes.** The rounding happened twice; I changed `src/price.py` and `src/invoice.py`."
    )
    return "Every test passes."


async def edit_with_permission(work: Work) -> str:
    """A permission for an edit, then one for a command; what is denied is not done."""
    await work.reply("I need two permissions for that. The cards go to the approver, who is Ann.", format="text")
    edit = await work.edit()
    await work.use("Read", {"file_path": work.path(PRICE)})
    if not await work.use("Edit", edit, ask=True):
        await work.reply("Then `src/price.py` stays as it is.")
        return "Nothing was changed."
    if await work.use("Bash", PUSH, ask=True):
        await work.reply("The correction is published.", format="text")
    else:
        await work.reply("The correction stays here: it is not published.", format="text")
    return "Done."


async def answer_at_the_terminal(work: Work) -> str:
    """An agent that forgets the chat: its last words are all that there is of an answer."""
    await work.use("Bash", {"command": "npm run build"})
    return "The build takes **41 seconds**, most of them in `src/images`."


async def hit_the_limit(work: Work) -> str:
    """The host cannot go on; its message stays open, and comes again later."""
    if "redelivered" in work.event.meta:
        await work.reply("I can work again: done.", format="text")
        return "Done."
    await work.use("Bash", {"command": "npm test"})
    words = "You have reached your usage limit. It resets at 3pm."
    await work.turn.hook("StopFailure", error="rate_limit", error_details="429", last_assistant_message=words)
    return ""


async def wait_for_a_dialog(work: Work) -> str:
    """A question at the terminal that no card covers: somebody there answers it after a while."""
    await work.use("Bash", {"command": "npm run login"})
    words = "npm wants to know under which name to publish"
    await work.turn.hook("Notification", notification_type="elicitation_dialog", message=words)
    await work.use("Bash", {"command": "npm publish"}, steps=3)
    await work.reply("Somebody answered at the terminal; it is published.", format="text")
    return "Published."


async def work_in_rounds(work: Work) -> str:
    """One round of a loop; the promise is made in the third."""
    work.rounds += 1
    await work.use("Edit", await work.edit())
    await work.use("Bash", {"command": "npm test"})
    promise = PROMISE.search(work.event.content)
    if promise is None or work.rounds < ROUNDS:
        return f"{ROUNDS - work.rounds} of the tests still fail."
    return f"Every test passes. {promise[0]}"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")


TASKS: dict[str, Task] = {
    "fix the tests": fix_the_tests,
    "edit a file": edit_with_permission,
    "at the terminal": answer_at_the_terminal,
    "usage limit": hit_the_limit,
    "dialog": wait_for_a_dialog,
}


def task_for(event: ChannelEvent, topic: str) -> Task | None:
    """Return what a message asks for, if that takes a turn; `topic`: its words, or its button's value."""
    return work_in_rounds if PROMISE.search(event.content) else TASKS.get(topic)
