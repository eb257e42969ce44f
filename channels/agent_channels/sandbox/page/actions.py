"""What people do on the chat page: the platforms' own control interfaces, and a record of each action with its time."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from agent_channels.page.json_api import Action, Body
from agent_channels.sandbox.agent.host import StepFailed
from agent_channels.sandbox.agent.processes import clean_environ, run_program
from agent_channels.sandbox.control import ControlError, required
from agent_channels.sandbox.page.lifecycle import MessageLifecycles, PageAction
from agent_channels.sandbox.page.scene import Scene, SceneChat
from agent_channels.sandbox.page.slack_view import form
from agent_channels.slack.chats import event_id

__all__ = ["PageActions"]

PAIRING_CODE = re.compile(r"[A-Z0-9]{8}")
# What a phone can do; the rest of the control interface is for scripts.
ALLOWED = {
    "telegram": ("send", "tap", "react", "topic", "stop_draft"),
    "discord": ("send", "tap", "select", "submit", "react", "thread"),
    "slack": ("send", "tap", "select", "submit", "react"),
}
# Of these the bot's server gets no message whose life could be shown.
WITHOUT_LIFE = ("topic", "stop_draft", "thread")
# How long an app on Slack may take to open a form after it has answered a tap.
SETTLE_S = 0.5


class PageActions:
    """The actions by name, such as `telegram/send`; each takes the body of the control interface.

    `place` is the key of a chat on the page, and replaces `chat`. The actions raise ControlError, LookupError or
    ValueError with the reason when the platform would not allow them.
    """

    def __init__(self, scene: Scene, lifecycles: MessageLifecycles) -> None:
        self._scene, self._lifecycles = scene, lifecycles
        controls = {"telegram": scene.tg.control, "discord": scene.dc.control, "slack": scene.slack.control}
        self._actions: dict[str, Action] = {
            f"{platform}/{name}": controls[platform].actions[name][0]
            for platform, names in ALLOWED.items()
            for name in names
        }
        self._actions["telegram/send"] = self._send
        for name in ("tap", "select", "submit"):
            self._actions[f"slack/{name}"] = self._with_form(self._actions[f"slack/{name}"])

    def names(self) -> list[str]:
        """Return every action's name."""
        return list(self._actions)

    async def act(self, name: str, body: Body) -> Body:
        """Do one action as a person; return the control interface's answer."""
        chat = self._scene.chat(str(required(body, "place")))
        platform, _, verb = name.partition("/")
        if chat.platform != platform:
            raise ControlError(f"{chat.key} is not on {platform}", "reload the page")
        who = str(required(body, "as"))
        if who not in chat.actors:
            raise ControlError(f"{who} is not in {chat.title}", f"act as {', '.join(chat.actors)}")
        before = self._scene.tg.state.updates.latest
        at = time.time()
        action = asyncio.ensure_future(self._actions[name]({**body, **self._where(chat, body)}))
        # The action itself happens in the first step of the coroutine; the rest only waits for the bot's answer.
        await asyncio.sleep(0)
        answer = action.result() if action.done() else {}
        message_id = _message_id(answer, body)
        known_as = self._event_id(chat, verb, message_id, before)
        # Only Telegram gives reactions an id; the others appear once they are in the journal.
        if not (platform != "telegram" and verb == "react") and verb not in WITHOUT_LIFE:
            self._lifecycles.record(PageAction(known_as, chat, who, _describe(verb, body), message_id, at))
        answer = await action
        if (answer.get("answer") or {}).get("modal"):
            self._lifecycles.record_answer(known_as)
        return answer

    async def _send(self, body: Body) -> Body:
        """Send to Telegram; a command that the bot's menu marks so is seen by its sender and the bot alone."""
        words = str(body.get("text") or "").split(maxsplit=1)
        word = words[0].partition("@")[0] if words else ""
        menu = [one for commands in self._scene.tg.state.commands.values() for one in commands]
        marked = {f"/{one['command']}" for one in menu if one.get("is_ephemeral")}
        group = self._scene.tg.directory.find_group(str(body["chat"]))
        if group is None or word not in marked:
            return await self._scene.tg.control.send(body)
        return {"message": self._scene.tg.people[str(body["as"])].send_ephemeral(str(body["text"]), chat=group)}

    def _event_id(self, chat: SceneChat, verb: str, message_id: str, before: int) -> str | None:
        """Return the id by which the journal has what has just been done; None if the bot is not told.

        `before` is the newest Telegram update of before.
        """
        match chat.platform:
            case "telegram":
                latest = self._scene.tg.state.updates.latest
                return str(latest) if latest > before else None
            case "slack":
                if verb == "send" and message_id:
                    return event_id("m", chat.chat_id, message_id)
                latest_of = self._scene.slack.interactions.all[self._scene.slack.interactions.latest]
                return f"{'c' if verb == 'send' else 'i'}{latest_of.trigger_id}"
        return f"m{message_id}" if verb == "send" else f"i{self._scene.dc.interactions.latest}"

    def _with_form(self, act: Action) -> Action:
        """Return an action on Slack whose answer holds its modal as the page draws forms."""

        async def acts(body: Body) -> Body:
            answer = await act({**body, "settle": SETTLE_S})
            if (told := answer["answer"]) and told["modal"]:
                told["modal"] = form(told["modal"], told["errors"])
            return answer

        return acts

    def _where(self, chat: SceneChat, body: Body) -> Body:
        """Return where to act: a thread of Discord is a channel of its own, one of Slack a message that others answer.

        Raises LookupError for a thread of elsewhere.
        """
        thread_id = str(body.get("thread_id") or "")
        if chat.platform == "slack":
            # A reply to a message begins its thread.
            return {"chat": chat.chat, "thread_ts": thread_id or body.get("reply_to")}
        return {"chat": self._place(chat, thread_id)}

    def _place(self, chat: SceneChat, thread_id: str) -> str:
        if chat.platform != "discord" or not thread_id:
            return chat.chat
        thread = self._scene.dc.state.channels.get(int(thread_id)) if thread_id.isdecimal() else None
        if thread is None or thread.parent is None or str(thread.parent.id) != chat.chat_id:
            raise LookupError(f"no thread {thread_id[:30]!r} in {chat.title}")
        return thread_id

    async def approve(self, body: Body) -> Body:
        """Pair the person with this pairing code as the operator does it, over the command line."""
        channel, code = str(required(body, "channel")), str(required(body, "code")).upper()
        if not PAIRING_CODE.fullmatch(code):
            raise ControlError(f"{code[:20]!r} is not a pairing code of {channel[:20]}", "take the 8 characters shown")
        settings = self._scene.settings(self._scene.server(channel))
        environ = {**clean_environ(self._scene.folder), **settings}
        try:
            output = await run_program(("access", channel, "pair", code), environ, self._scene.folder)
        except StepFailed as error:
            raise ControlError(str(error), "ask for a new code: write to the bot again") from None
        return {"said": output.splitlines()[0]}


def _message_id(answer: Body, body: Body) -> str:
    message: dict[str, Any] = answer.get("message") or {}
    found = message.get("message_id") or message.get("id") or message.get("ts") or body.get("message_id")
    return str(found or "")


def _describe(verb: str, body: Body) -> str:
    match verb:
        case "send":
            return str(body.get("text") or body.get("caption") or body.get("file_name") or "a picture")
        case "tap":
            return f"tap: {body.get('what') or body.get('label', '')}"
        case "select":
            return f"choice: {body.get('what') or ', '.join(map(str, body.get('values', ())))}"
        case "submit":
            return f"form: {', '.join(map(str, body.get('values', {}).values()))}"
        case _:
            return f"reaction: {body.get('emoji')}"
