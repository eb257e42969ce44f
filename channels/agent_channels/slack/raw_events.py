"""What the journal gets of Slack: one raw event for each message, edit and reaction, whether it came over a socket or
was found in the history. The same one has the same id, so that it counts once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

from slack_sdk.web.async_client import AsyncWebClient

from agent_channels.core.contract.messages import RawEvent
from agent_channels.slack.chats import Json, NameCache, event_id, is_direct, is_ts
from agent_channels.slack.content import mentioned_users

__all__ = [
    "MALFORMED",
    "edit_event",
    "edited_at",
    "message_event",
    "names_of",
    "reaction_event",
    "reactions_to",
    "told_edit",
]

# What comes of reading an event that is not what Slack promises.
MALFORMED = (ValueError, LookupError, TypeError, AttributeError)


async def names_of(message: Json, known: NameCache, client: AsyncWebClient, within_s: float) -> Json:
    """Return the names of who sent a message or reaction, of its chat, and of whom it mentions.

    Those that are not known within so many seconds are left out.
    """
    users = [str(user) for user in (message.get("user"), *mentioned_users(message)) if user]
    channels = [] if is_direct(message) else [str(message["channel"])]
    try:
        async with asyncio.timeout(max(0.0, within_s)):
            return await known.names_for(client, users, channels)
    except TimeoutError:
        return known.known_names(users, channels)


def message_event(message: Json, names: Json) -> RawEvent:
    """Return the event of a message, which names its `channel`."""
    key = event_id("m", message["channel"], message["ts"])
    return RawEvent(key, json.dumps({"t": "message", "d": message, "names": names}))


def edited_at(message: Json) -> str | None:
    """Return when a person last edited a message; None for never. Previews that unfold are no edits."""
    edited = message.get("edited")
    at = edited.get("ts") if isinstance(edited, dict) else None
    return at if is_ts(at) else None


def edit_event(message: Json, names: Json) -> RawEvent:
    """Return the event of the last edit of a message."""
    return RawEvent(_edit_id(message), json.dumps({"t": "edited", "d": message, "names": names}))


def told_edit(message: Json) -> RawEvent:
    """Return an event that reaches nobody, with the id of an edit: the message was handed over as it has been since."""
    return RawEvent(_edit_id(message), json.dumps({"t": "told"}))


def _edit_id(message: Json) -> str:
    return event_id("e", message["channel"], message["ts"], edited_at(message))


def reaction_event(event: Json, names: Json) -> RawEvent:
    """Return the event of a reaction."""
    item = event["item"]
    key = event_id("r", item["channel"], item["ts"], event["user"], event["reaction"])
    return RawEvent(key, json.dumps({"t": "reaction", "d": event, "names": names}))


def reactions_to(message: Json, own_user: str) -> Iterator[Json]:
    """Yield other people's reactions to a message of the history, each as the event that it was.

    Only its time is unknown: it gets the present.
    """
    item = {"type": "message", "channel": message["channel"], "ts": message["ts"]}
    for one in message.get("reactions") or ():
        for user in one.get("users") or ():
            if user != own_user:
                event = {"type": "reaction_added", "user": user, "reaction": one["name"], "item": item}
                yield event | {"item_user": message.get("user"), "event_ts": f"{time.time():.6f}"}
