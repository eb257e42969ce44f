"""The methods about reactions."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.slack.emoji import is_emoji_name
from agent_channels.sandbox.slack.errors import SlackError
from agent_channels.sandbox.slack.records import Conversation, Message
from agent_channels.sandbox.slack.request import MethodCall, Methods

__all__ = ["method"]

method = Methods()

# The reactions that one message takes, of different emoji.
MOST_EMOJI = 50


def _message(request: MethodCall) -> tuple[Conversation, Message]:
    state = request.state
    if not request.text("channel") or not request.text("timestamp"):
        raise SlackError("no_item_specified")
    conversation = state.conversation(request.text("channel"))
    if not state.is_in(conversation):
        raise SlackError("not_in_channel")
    request.ts("timestamp", "bad_timestamp")
    message = conversation.find(request.text("timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    return conversation, message


def _name(request: MethodCall) -> str:
    name = request.required("name")
    if not is_emoji_name(name, request.state.emoji):
        raise SlackError("invalid_name")
    return name


@method("reactions.add", "reactions:write")
def add(request: MethodCall) -> dict[str, Any]:
    """Add a reaction of the bot."""
    name = _name(request)
    conversation, message = _message(request)
    if conversation.archived:
        raise SlackError("is_archived")
    known = [one["name"] for one in message.get("reactions", ())]
    if name not in known and len(known) >= MOST_EMOJI:
        raise SlackError("too_many_emoji")
    if not request.state.react(conversation, message, request.state.bot, name):
        raise SlackError("already_reacted")
    return {}


@method("reactions.remove", "reactions:write")
def remove(request: MethodCall) -> dict[str, Any]:
    """Remove a reaction of the bot."""
    name = _name(request)
    conversation, message = _message(request)
    if not request.state.unreact(conversation, message, request.state.bot, name):
        raise SlackError("no_reaction")
    return {}


@method("reactions.get", "reactions:read", takes_json=False)
def get(request: MethodCall) -> dict[str, Any]:
    """Return a message with its reactions."""
    conversation, message = _message(request)
    return {"type": "message", "channel": conversation.id, "message": request.state.render(message)}
