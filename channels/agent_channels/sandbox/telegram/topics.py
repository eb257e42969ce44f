"""Topics of forums and of private chats, as people and the bot open, rename, close and delete them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent_channels.sandbox.telegram.errors import bad
from agent_channels.sandbox.telegram.method_table import MethodTable
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.records import GENERAL_TOPIC, ICON_COLORS, TelegramChat, TelegramUser
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.targets import writable_chat

__all__ = ["Topic", "method"]

method = MethodTable()

# createForumTopic; a longer name is cut.
NAME_MAX = 128


@dataclass(frozen=True)
class Topic:
    """A topic that a person opened; messages in it carry its `thread_id` as `message_thread_id`."""

    state: TelegramState
    chat: TelegramChat
    person: TelegramUser
    thread_id: int

    @property
    def name(self) -> str:
        """The name that people see now."""
        return self.chat.topics[self.thread_id]

    def rename(self, name: str) -> None:
        """Give the topic another name."""
        self.state.rename_topic(self.chat, self.person, self.thread_id, name)

    def delete(self) -> None:
        """Delete the topic with its messages; bots get no update about that."""
        self.state.delete_topic(self.chat, self.thread_id)

    def close(self) -> None:
        """Close a forum's topic: only who may manage topics writes there from now on."""
        if not self.chat.is_forum:
            raise ValueError("topics of private chats cannot be closed")
        self.chat.closed_topics.add(self.thread_id)
        self.state.changed()

    def reopen(self) -> None:
        """Open the topic again."""
        self.chat.closed_topics.discard(self.thread_id)
        self.state.changed()


def _chat_with_topics(state: TelegramState, params: Params, verb: str) -> TelegramChat:
    chat = writable_chat(state, params)
    if not state.has_topics_in(chat):
        raise bad("the chat is not a forum")
    if chat.is_forum and chat.members[state.bot.id] != "administrator":
        raise bad(f"not enough rights to {verb} the topic")
    if not chat.is_forum and not state.settings["allows_users_to_create_topics"]:
        raise bad("BOT_FORUM_CREATE_FORBIDDEN")
    return chat


def _topic_of(chat: TelegramChat, params: Params) -> int:
    thread = params.integer("message_thread_id")
    if thread == GENERAL_TOPIC or thread not in chat.topics:
        raise bad("message thread not found")
    return thread


@method("createForumTopic")
def create_forum_topic(state: TelegramState, params: Params) -> dict[str, Any]:
    """Open a topic and return the ForumTopic."""
    chat = _chat_with_topics(state, params, "create")
    name = " ".join(params.text("name").split())[:NAME_MAX]
    if not name:
        raise bad("title must be non-empty")
    color = params.integer("icon_color", ICON_COLORS[0])
    if color not in ICON_COLORS:
        raise bad("TOPIC_ICON_COLOR_INVALID")
    return {"message_thread_id": state.open_topic(chat, state.bot, name), "name": name, "icon_color": color}


@method("editForumTopic")
def edit_forum_topic(state: TelegramState, params: Params) -> bool:
    """Rename a topic."""
    chat = _chat_with_topics(state, params, "edit")
    thread, name = _topic_of(chat, params), " ".join(params.text("name").split())[:NAME_MAX]
    if name == chat.topics[thread]:
        raise bad("TOPIC_NOT_MODIFIED")
    if name:
        state.rename_topic(chat, state.bot, thread, name)
    return True


@method("deleteForumTopic")
def delete_forum_topic(state: TelegramState, params: Params) -> bool:
    """Delete a topic with its messages."""
    chat = _chat_with_topics(state, params, "delete")
    state.delete_topic(chat, _topic_of(chat, params))
    return True
