"""What people do on the chat page: the platforms' own control interfaces, with a note of when it was done."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from agent_channels.sandbox.agent.host import StepFailed
from agent_channels.sandbox.control import Action, Body, ControlError, required
from agent_channels.sandbox.demo.stage import clean_environ, run_program
from agent_channels.sandbox.discord.control import DiscordControl
from agent_channels.sandbox.page.lifecycle import MessageLifecycles, ShownMessage
from agent_channels.sandbox.page.scene import Scene, SceneChat
from agent_channels.sandbox.telegram.control import TelegramControl

__all__ = ["PageActions"]

_CODE = re.compile(r"[A-Z0-9]{8}")
# What a phone can do; the rest of the control interface is for scripts.
_ALLOWED = {"telegram": ("send", "tap", "react"), "discord": ("send", "tap", "select", "submit", "react")}


class PageActions:
    """The acts of every platform by name, `telegram/send`; each takes the body of the control interface.

    Wherever a chat is meant, `place` is its key on the page. Raise ControlError, LookupError or ValueError with the
    reason when the platform would not allow it.
    """

    def __init__(self, scene: Scene, life: MessageLifecycles) -> None:
        self._scene, self._life = scene, life
        controls: dict[str, dict[str, tuple[Action, str]]] = {
            "telegram": TelegramControl(scene.tg).acts,
            "discord": DiscordControl(scene.dc).acts,
        }
        self._acts = {
            f"{platform}/{name}": controls[platform][name][0] for platform, names in _ALLOWED.items() for name in names
        }

    def names(self) -> list[str]:
        """Every act's name."""
        return list(self._acts)

    async def do(self, name: str, body: Body) -> Body:
        """Does one act as a person; the control interface's answer."""
        place = self._scene.place(str(required(body, "place")))
        if place.platform != name.partition("/")[0]:
            raise ControlError(f"{place.key} is not on {name.partition('/')[0]}", "reload the page")
        who = str(required(body, "as"))
        if who not in place.actors:
            raise ControlError(f"{who} is not in {place.title}", f"act as {', '.join(place.actors)}")
        before = self._scene.tg.state.updates.latest
        at = time.time()
        act = asyncio.ensure_future(self._acts[name]({**body, "chat": place.chat}))
        # It is done at its first step; what it may wait for then is the bot's answer.
        await asyncio.sleep(0)
        done = act.result() if act.done() else {}
        self._note(name, place, who, body, done, before, at)
        return await act

    async def approve(self, body: Body) -> Body:
        """Lets the person with this pairing code in, as the operator does it: by the command line."""
        channel, code = str(required(body, "channel")), str(required(body, "code")).upper()
        if channel not in self._scene.channels or not _CODE.fullmatch(code):
            raise ControlError(f"{code[:20]!r} is no pairing code of {channel[:20]}", "take the 8 characters shown")
        environ = {**clean_environ(self._scene.folder), **self._scene.settings(channel)}
        try:
            said = await run_program(("access", channel, "pair", code), environ, self._scene.folder)
        except StepFailed as error:
            raise ControlError(str(error), "ask for a new code: write to the bot again") from None
        return {"said": said.splitlines()[0]}

    # --- inside

    def _note(self, name: str, place: SceneChat, who: str, body: Body, answer: Body, before: int, at: float) -> None:
        verb = name.partition("/")[2]
        message: dict[str, Any] = answer.get("message") or {}
        message_id = str(message.get("message_id") or message.get("id") or body.get("message_id") or "")
        if place.platform == "telegram":
            latest = self._scene.tg.state.updates.latest
            event_id = str(latest) if latest > before else None
        else:
            event_id = f"m{message_id}" if verb == "send" else f"i{self._scene.dc.interactions.latest}"
        if verb == "react" and place.platform == "discord":
            # A reaction has no id there; it shows up by itself when it is journalled.
            return
        self._life.note(ShownMessage(event_id, place, who, _what(verb, body), message_id, at))


def _what(verb: str, body: Body) -> str:
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
