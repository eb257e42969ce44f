"""Topics: opened and renamed, and those of private chats, which the bot has with everybody or with nobody."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from agent_channels.core.contract.messages import Place
from agent_channels.core.errors import NotModified, PlatformError
from agent_channels.core.i18n.sentences import joined
from agent_channels.core.log import redact
from agent_channels.telegram.errors import translated
from agent_channels.telegram.http import BotApi
from agent_channels.telegram.outbound import number

__all__ = ["BY_HAND", "OUTSIDE", "create", "get_me", "has_topics", "remark", "rename", "switch_on"]

logger = logging.getLogger(__name__)
OUTSIDE = "private chats with the bot have topics: a message written outside a topic begins a new one each time"
BY_HAND = "switch them on in @BotFather's app, in the settings of the bot"


async def create(api: BotApi, chat_id: str, name: str) -> Place:
    """Open a topic."""
    topic = await api.call("createForumTopic", chat_id=number(chat_id, "chat_id"), name=name)
    with translated():
        return Place(chat_id, str(topic["message_thread_id"]))


async def rename(api: BotApi, place: Place, name: str) -> None:
    """Rename a topic. One that is called so already is not an error."""
    chat, thread = number(place.chat_id, "chat_id"), number(place.thread_id or "", "thread_id")
    with suppress(NotModified):
        await api.call("editForumTopic", chat_id=chat, message_thread_id=thread, name=name)


async def get_me(api: BotApi) -> dict[str, Any]:
    """Return what Telegram says of the bot."""
    found: dict[str, Any] = await api.call("getMe")
    return found


def has_topics(me: dict[str, Any]) -> bool:
    """Return whether private chats with the bot have topics."""
    return bool(me.get("has_topics_enabled"))


def remark(me: dict[str, Any], *, wanted: bool) -> str:
    """Return what the operator should know of topics, in a sentence; "" for nothing. `wanted`: `topics: on` is set."""
    if has_topics(me):
        return OUTSIDE
    return joined(["topics: on is set, but private chats with the bot have no topics", BY_HAND]) if wanted else ""


async def switch_on(api: BotApi) -> None:
    """Switch topics on. A server that cannot do it (older than Bot API 10.5) is not an error."""
    try:
        await api.call(
            "setMySettings", has_topics_enabled=True, allows_users_to_create_topics=True, has_topic_sidebar=True
        )
    except PlatformError as error:
        logger.warning("topics in private chats are not switched on: %s", redact(str(error)))
