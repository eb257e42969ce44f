"""Interactions: taps, forms and slash commands, and the answers that one person alone sees.

A tap is acknowledged once it is journalled. One on a button for a typed answer opens a form at once, since Slack gives
three seconds, and what is typed arrives as an interaction of its own.

The id that the core hands back is JSON: `c` the chat, `u` the person, `t` the thread, `url` where Slack takes answers.
"""

from __future__ import annotations

import asyncio
import html
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from agent_channels.core.contract.messages import MenuEntry
from agent_channels.core.errors import PlatformError, Rejected, TooOld
from agent_channels.core.i18n.messages import translate
from agent_channels.core.scheduling import Budget
from agent_channels.core.text.formatted_text import FormattedText
from agent_channels.slack import markup
from agent_channels.slack.errors import answered, translated
from agent_channels.slack.formatting import draw
from agent_channels.slack.http import SlackConnections, call
from agent_channels.slack.settings import command_of

__all__ = ["SlackInteractions", "answer_id", "check_menu", "chosen_data", "form_of", "typed_text"]

logger = logging.getLogger(__name__)

Json = dict[str, Any]

# How many forms are opened at once, for everybody and for each person; one more each second.
ALL_MAX, EACH_MAX = 200, 20
_OPEN_S = 3.0
# Answers are taken from these addresses, besides those of the API's root.
_HOOKS = "https://hooks.slack.com/"


def answer_id(channel: Any, user: Any, thread: str | None, url: Any) -> str:
    """Return the id under which a tap or command is answered."""
    return json.dumps({"c": str(channel), "u": str(user), "t": thread, "url": str(url) if url else None})


def chosen_data(payload: Mapping[str, Any]) -> str | None:
    """Return what the button that was tapped, or the option that was chosen, carries; None for a link's button."""
    action = payload["actions"][0]
    chosen = action.get("selected_option")
    value = chosen.get("value") if chosen else action.get("value")
    return str(value) if value is not None else None


def form_of(payload: Mapping[str, Any]) -> Json:
    """Return what a form was opened with: `data` of its button, `message`, `channel`, `name`, `thread` and `url`."""
    found: Json = json.loads(payload["view"]["private_metadata"])
    return found


def typed_text(payload: Mapping[str, Any]) -> str:
    """Return what was typed in a form."""
    return next(_typed(payload["view"]["state"]["values"]), "")


def _typed(values: Mapping[str, Any]) -> Iterator[str]:
    for block in values.values():
        for field in block.values():
            if field.get("type") == "plain_text_input":
                yield str(field.get("value") or "")


class SlackInteractions:
    """The interactions of one bot, from the socket to the answer."""

    def __init__(self, connections: SlackConnections, root: str) -> None:
        """`root`: the one of the API."""
        self._connections, self._root = connections, root
        self._budget = Budget(ALL_MAX, EACH_MAX)
        self._opening: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Cancel what is on its way."""
        for task in self._opening:
            task.cancel()

    def begin(self, payload: Json) -> bool:
        """Open the form of a tap that asks for words; return False for one that does nothing else.

        Raises LookupError, TypeError, ValueError or AttributeError for one that cannot be read.
        """
        if payload.get("type") != "block_actions" or not (chosen_data(payload) or "").endswith(markup.FORM):
            return True
        if self._budget.take(str(payload["user"]["id"])):
            task = asyncio.create_task(self._open(str(payload["trigger_id"]), _form(payload)))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        return False

    async def _open(self, trigger: str, view: Json) -> None:
        try:
            async with asyncio.timeout(_OPEN_S):
                await call(self._connections.client.views_open(trigger_id=trigger, view=view))
        except (PlatformError, TimeoutError) as error:
            logger.info("a form could not be opened: %s", error)

    async def answer(self, tap_id: str, formatted: FormattedText, *, counted: bool) -> None:
        """Answer a tap or command with a message that only that person sees.

        `counted`: a tap whose outcome the message itself will show gets no answer. One that is too old for any answer
        is not an error: nobody waits for it any more.
        """
        if counted or not formatted.text:
            return
        place = json.loads(tap_id)
        said: Json = {"text": markup.fallback(formatted.text), "blocks": draw(formatted)}
        with suppress(TooOld):
            if place["url"] is not None:
                await self._respond(str(place["url"]), said, place["t"])
            else:
                thread = {"thread_ts": place["t"]} if place["t"] else {}
                ephemeral = self._connections.client.chat_postEphemeral
                await call(ephemeral(channel=place["c"], user=place["u"], **thread, **said))

    async def _respond(self, url: str, said: Json, thread: str | None) -> None:
        """Post to the address that an interaction brought along, which needs no token. Raises `PlatformError`."""
        if not url.startswith((_HOOKS, f"{self._root}/")):
            raise Rejected("the interaction names an address that is not Slack's; it is not answered")
        body = said | {"response_type": "ephemeral", "replace_original": False}
        body |= {"thread_ts": thread} if thread else {}
        with translated():
            async with self._connections.session.post(url, json=body) as response:
                if response.status == 200:
                    return
                text = (await response.text(errors="replace"))[:200].strip()
        if response.status in {404, 410}:
            raise TooOld(f"Slack takes no answer to this any more: {text}")
        raise answered(response.status, {"error": text}, response.headers)


def _form(payload: Json) -> Json:
    message, channel = payload["message"], payload["channel"]
    thread = message.get("thread_ts")
    private = {
        "data": (chosen_data(payload) or "").removesuffix(markup.FORM),
        "message": message["ts"],
        "channel": channel["id"],
        "name": channel.get("name"),
        "thread": thread if thread != message["ts"] else None,
        "url": payload.get("response_url"),
    }
    question = html.unescape(str(message.get("text") or ""))
    return markup.modal(translate("form_title"), json.dumps(private), question)


def check_menu(entries: Iterable[MenuEntry]) -> None:
    """Raise `Rejected` for a command that could not be one here.

    Commands are declared in the app's manifest, by the operator; a bot's token cannot change them.
    """
    for entry in entries:
        if command_of(f"/{entry.name}") != entry.name:
            raise Rejected(f"{entry.name!r} cannot be the name of a command")
