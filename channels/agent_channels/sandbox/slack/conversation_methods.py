"""The methods about conversations: what there is, who is in them, what was said."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, TypeVar

from agent_channels.sandbox.slack.errors import SlackError
from agent_channels.sandbox.slack.records import CHANNEL, IM, MPIM, PRIVATE, Conversation, Message, ts_key
from agent_channels.sandbox.slack.request import MethodCall, Methods

__all__ = ["conversation_object", "method"]

method = Methods()

T = TypeVar("T")
KINDS = (CHANNEL, PRIVATE, MPIM, IM)


def conversation_object(request: MethodCall, conversation: Conversation) -> dict[str, Any]:
    """Return a conversation as the bot sees it."""
    state, one = request.state, conversation
    made: dict[str, Any] = {"id": one.id, "created": int(one.created), "is_archived": one.archived}
    made |= {"is_im": one.kind == IM, "is_org_shared": False, "context_team_id": state.team_id}
    made["updated"] = int(one.created * 1000)
    if one.kind == IM:
        return {**made, "user": one.partner, "is_user_deleted": state.users[one.partner].deleted, "priority": 0}
    made |= {"name": one.name, "name_normalized": one.name, "is_channel": one.kind == CHANNEL, "creator": one.creator}
    made |= {"is_group": one.kind == PRIVATE, "is_mpim": one.kind == MPIM, "is_private": one.kind != CHANNEL}
    made |= {"is_general": False, "is_shared": False, "is_ext_shared": False, "is_member": state.is_in(one)}
    topic = {"value": one.topic, "creator": "", "last_set": 0}
    return {**made, "topic": topic, "purpose": {"value": "", "creator": "", "last_set": 0}}


def _page(request: MethodCall, items: Sequence[T], limit: int) -> tuple[list[T], str]:
    """Return the items of a page and the cursor of the next one, "" after the last. Raises SlackError."""
    start = 0
    if cursor := request.text("cursor"):
        try:
            word, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
            start = int(number)
        except ValueError:
            raise SlackError("invalid_cursor") from None
        if word != "next":
            raise SlackError("invalid_cursor")
    end = start + limit
    return list(items[start:end]), base64.b64encode(f"next:{end}".encode()).decode() if end < len(items) else ""


def _of_types(request: MethodCall) -> list[Conversation]:
    """Return the conversations of the kinds asked for that the bot may know of, each of which needs its scope."""
    state = request.state
    kinds = [one.strip() for one in request.text("types", CHANNEL).split(",")]
    if any(kind not in KINDS for kind in kinds):
        raise SlackError("invalid_types")
    prefix = {CHANNEL: "channels", PRIVATE: "groups", IM: "im", MPIM: "mpim"}
    for kind in kinds:
        state.require(f"{prefix[kind]}:read")
    found = [one for one in state.conversations.values() if one.kind in kinds]
    if request.flag("exclude_archived"):
        found = [one for one in found if not one.archived]
    return [one for one in found if one.kind == CHANNEL or state.is_in(one)]


@method("conversations.list", takes_json=False)
def conversations_list(request: MethodCall) -> dict[str, Any]:
    """List conversations."""
    return _listed(request, _of_types(request))


@method("users.conversations", takes_json=False)
def users_conversations(request: MethodCall) -> dict[str, Any]:
    """List the conversations that a user is in, the bot if none is named."""
    user_id = request.text("user") or request.state.bot.id
    if user_id not in request.state.users:
        raise SlackError("user_not_found")
    return _listed(request, [one for one in _of_types(request) if user_id in one.members])


def _listed(request: MethodCall, found: list[Conversation]) -> dict[str, Any]:
    page, cursor = _page(request, found, request.limit(100, 999))
    channels = [conversation_object(request, one) for one in page]
    return {"channels": channels, "response_metadata": {"next_cursor": cursor}}


@method("conversations.info", takes_json=False)
def conversations_info(request: MethodCall) -> dict[str, Any]:
    """Return one conversation."""
    conversation = request.conversation("read")
    made = conversation_object(request, conversation)
    if request.flag("include_num_members"):
        made["num_members"] = len(conversation.members)
    return {"channel": made}


@method("conversations.members", takes_json=False)
def conversations_members(request: MethodCall) -> dict[str, Any]:
    """List the ids of a conversation's members."""
    conversation = request.conversation("read")
    page, cursor = _page(request, conversation.members, request.limit(100, 1000))
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


@method("conversations.open")
def conversations_open(request: MethodCall) -> dict[str, Any]:
    """Open the direct chat with one person, or with several."""
    state = request.state
    if name := request.text("channel"):
        found = state.conversation(name)
        already = True
    else:
        state.require("im:write")
        ids = [one.strip() for one in request.text("users").split(",") if one.strip()]
        if not ids:
            raise SlackError("users_list_not_supplied")
        if len(ids) > 8:
            raise SlackError("too_many_users")
        users = [state.users[one] for one in ids if one in state.users]
        if len(users) < len(ids):
            raise SlackError("user_not_found")
        if any(user.bot_id for user in users):
            raise SlackError("cannot_dm_bot")
        if any(user.deleted for user in users):
            raise SlackError("user_disabled")
        already = True
        if len(users) == 1:
            known = any(one.kind == IM and one.partner == users[0].id for one in state.conversations.values())
            found, already = state.direct(users[0]), known
        else:
            found, already = _group(request, [user.id for user in users])
    made = conversation_object(request, found) if request.flag("return_im") else {"id": found.id}
    return {"channel": made, "no_op": already, "already_open": already}


def _group(request: MethodCall, ids: list[str]) -> tuple[Conversation, bool]:
    state = request.state
    state.require("mpim:write")
    members = sorted([*ids, state.bot.id])
    for one in state.conversations.values():
        if one.kind == MPIM and sorted(one.members) == members:
            return one, True
    name = "mpdm-" + "--".join(state.users[one].name for one in ids) + "-1"
    made = Conversation("G" + state.bot.id[1:] + str(len(state.conversations)), MPIM, name, state.now())
    made.members = members
    return state.add_conversation(made), False


@method("conversations.join", "channels:join")
def conversations_join(request: MethodCall) -> dict[str, Any]:
    """Join a public channel."""
    state, conversation = request.state, request.conversation()
    if conversation.kind != CHANNEL:
        raise SlackError("method_not_supported_for_channel_type")
    if conversation.archived:
        raise SlackError("is_archived")
    if not state.is_in(conversation):
        conversation.members.append(state.bot.id)
        fields = {"subtype": "channel_join", "text": f"<@{state.bot.id}> has joined the channel"}
        state.post(conversation, state.bot, fields)
    return {"channel": conversation_object(request, conversation)}


# --- what was said


def _readable(request: MethodCall) -> Conversation:
    conversation = request.conversation("history")
    if not request.state.is_in(conversation):
        raise SlackError("not_in_channel")
    return conversation


def _between(request: MethodCall, messages: list[Message]) -> list[Message]:
    """Return the messages between `oldest` and `latest`, which themselves count only if `inclusive`."""
    oldest, latest = request.ts("oldest", "invalid_ts_oldest"), request.ts("latest", "invalid_ts_latest")
    inclusive = request.flag("inclusive")
    found = []
    for message in messages:
        key = ts_key(message["ts"])
        after = oldest is None or key > oldest or (inclusive and key == oldest)
        before = latest is None or key < latest or (inclusive and key == latest)
        if after and before:
            found.append(message)
    return found


def _is_in_channel(message: Message) -> bool:
    """Return False for a thread's replies, which the channel itself does not show."""
    inside = message.get("thread_ts", message["ts"]) == message["ts"]
    return inside or message.get("subtype") == "thread_broadcast"


@method("conversations.history")
def conversations_history(request: MethodCall) -> dict[str, Any]:
    """Return messages, newest first, without replies in threads."""
    conversation = _readable(request)
    limit = request.limit(100, 999)
    found = _between(request, [one for _, one in sorted(conversation.messages.items()) if _is_in_channel(one)])
    # With `oldest` but no `latest`, Slack returns the messages closest to `oldest`, so that one can page forward.
    forward = bool(request.text("oldest")) and not request.text("latest")
    page, cursor = _page(request, found if forward else found[::-1], limit)
    page = page[::-1] if forward else page
    answer: dict[str, Any] = {"messages": [request.state.render(one) for one in page], "has_more": bool(cursor)}
    answer |= {"pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
    return {**answer, "response_metadata": {"next_cursor": cursor}} if cursor else answer


@method("conversations.replies", takes_json=False)
def conversations_replies(request: MethodCall) -> dict[str, Any]:
    """Return a thread: its first message, and replies, oldest first."""
    conversation = _readable(request)
    ts = request.required("ts")
    root = conversation.find(ts)
    if root is None:
        raise SlackError("thread_not_found")
    limit = request.limit(1000, 1000)
    if root.get("thread_ts", ts) != ts:
        # The timestamp of a reply: that message alone.
        return {"messages": [request.state.render(root)], "has_more": False}
    page, cursor = _page(request, _between(request, conversation.replies(ts)), limit)
    messages = [request.state.render(one) for one in (root, *page)]
    for one in messages[1:]:
        one.setdefault("parent_user_id", root.get("user"))
    answer: dict[str, Any] = {"messages": messages, "has_more": bool(cursor)}
    return {**answer, "response_metadata": {"next_cursor": cursor}} if cursor else answer
