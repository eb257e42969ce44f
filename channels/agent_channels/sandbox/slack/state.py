"""The state of the fake Slack: the app, people, conversations, messages, files, and the events about them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent_channels.sandbox.server import SandboxState
from agent_channels.sandbox.slack.errors import SlackError, missing_scope
from agent_channels.sandbox.slack.files import FileStore
from agent_channels.sandbox.slack.mrkdwn import mentions
from agent_channels.sandbox.slack.records import (
    EVENTS,
    IM,
    Conversation,
    Message,
    SlackApp,
    SlackUser,
    TsGenerator,
    new_id,
    ts_key,
)

__all__ = ["SlackEphemeral", "SlackState"]

# The subscription that brings each kind of conversation's messages.
MESSAGES_OF = {"channels": "message.channels", "groups": "message.groups", "im": "message.im", "mpim": "message.mpim"}


@dataclass
class SlackEphemeral:
    """A message that only one person sees, until their client is closed."""

    message: Message
    conversation: Conversation
    user_id: str


class SlackState(SandboxState):
    """Everything Slack knows about one workspace with one app in it.

    `ephemerals` are by `ts_key`, `emoji` are the workspace's own, by name. `listeners` are called with the payload of
    every event that the app gets.
    """

    def __init__(self, bot_name: str) -> None:
        super().__init__()
        self.team_id, self.team_name, self.domain = new_id("T"), "Workshop", "workshop"
        self.app = SlackApp(new_id("A"))
        self.bot = SlackUser(new_id("U"), bot_name, bot_name, self.team_id, new_id("B"), self.app.id)
        self.users: dict[str, SlackUser] = {self.bot.id: self.bot}
        self.conversations: dict[str, Conversation] = {}
        self.ephemerals: dict[int, SlackEphemeral] = {}
        self.emoji: dict[str, str] = {}
        self.listeners: list[Callable[[dict[str, Any]], None]] = []
        self.ts = TsGenerator(self.now)
        self.files = FileStore(self.now)

    # --- people and conversations

    def add_user(self, name: str, real_name: str) -> SlackUser:
        """Add a person."""
        user = SlackUser(new_id("U"), name, real_name, self.team_id)
        self.users[user.id] = user
        return user

    def direct(self, user: SlackUser) -> Conversation:
        """Return the direct chat of the bot with a person, creating it on first use."""
        for one in self.conversations.values():
            if one.kind == IM and one.partner == user.id:
                return one
        made = Conversation(new_id("D"), IM, "", self.now(), user.id, [user.id, self.bot.id], user.id)
        return self.add_conversation(made)

    def add_conversation(self, conversation: Conversation) -> Conversation:
        """Add a conversation and return it."""
        self.conversations[conversation.id] = conversation
        self.changed()
        return conversation

    def is_in(self, conversation: Conversation) -> bool:
        """Return True if the bot is a member of a conversation."""
        return self.bot.id in conversation.members

    def conversation(self, name: str) -> Conversation:
        """Return a conversation that the bot may know of, by id. Raises SlackError channel_not_found."""
        found = self.conversations.get(name)
        if found is None or (found.kind != "public_channel" and not self.is_in(found)):
            raise SlackError("channel_not_found")
        return found

    def require(self, scope: str) -> None:
        """Raise SlackError missing_scope unless the bot has a scope."""
        if scope not in self.app.bot_scopes:
            raise missing_scope(scope, self.app.bot_scopes)

    def find(self, ts: str) -> tuple[Conversation, Message]:
        """Return a message in any conversation, ephemeral ones included. Raises LookupError."""
        for conversation in self.conversations.values():
            if (message := conversation.find(ts)) is not None:
                return conversation, message
        ephemeral = self.ephemerals.get(ts_key(ts))
        if ephemeral is None:
            raise LookupError(f"no message {ts}")
        return ephemeral.conversation, ephemeral.message

    # --- messages

    def draft(self, author: SlackUser, fields: Message) -> Message:
        """Return a complete message that is in no conversation yet."""
        message: Message = {"type": "message", "user": author.id, "ts": self.ts(), "text": "", "team": self.team_id}
        if author.bot_id:
            message |= {"bot_id": author.bot_id, "app_id": author.app_id}
            message["bot_profile"] = self.bot_profile(author)
        return {**message, **fields}

    def bot_profile(self, bot: SlackUser) -> dict[str, Any]:
        """Return the bot_profile of a bot's messages."""
        about = {"id": bot.bot_id, "app_id": bot.app_id, "user_id": bot.id, "name": bot.real_name, "deleted": False}
        return {**about, "updated": 1_700_000_000, "team_id": self.team_id, "icons": {}}

    def post(self, conversation: Conversation, author: SlackUser, fields: Message) -> Message:
        """Put a message into a conversation and dispatch it; return the record itself."""
        message = self.draft(author, fields)
        conversation.messages[ts_key(message["ts"])] = message
        if author is self.bot:
            conversation.bot_message_ids.append(ts_key(message["ts"]))
        if (thread_ts := message.get("thread_ts")) and thread_ts != message["ts"]:
            self._count_replies(conversation, thread_ts)
        self.announce(conversation, message)
        if self.bot.id in mentions(message["text"]) and author is not self.bot and not conversation.is_direct:
            kept = ("user", "ts", "client_msg_id", "text", "team", "thread_ts", "blocks", "files", "parent_user_id")
            mention = {name: message[name] for name in kept if name in message}
            place = {"channel": conversation.id, "event_ts": message["ts"]}
            self.dispatch("app_mention", conversation, {"type": "app_mention", **mention, **place})
        self.changed()
        return message

    def edit(self, conversation: Conversation, message: Message, fields: Message, by: SlackUser) -> None:
        """Change a message's fields; a value of None removes one."""
        before = self.render(message)
        for name, value in fields.items():
            if value is None:
                message.pop(name, None)
            else:
                message[name] = value
        ts = self.ts()
        message["edited"] = {"user": by.id, "ts": f"{ts.partition('.')[0]}.000000"}
        event = {"subtype": "message_changed", "message": self.render(message), "previous_message": before}
        self._dispatch_hidden(conversation, ts, event)

    def delete(self, conversation: Conversation, message: Message) -> None:
        """Delete a message; one that began a thread becomes a tombstone, under which the replies stay."""
        before, key = self.render(message), ts_key(message["ts"])
        if message.get("reply_count"):
            kept = {name: message[name] for name in message if name.startswith(("repl", "latest_reply", "thread_ts"))}
            tombstone = {"type": "message", "subtype": "tombstone", "text": "This message was deleted.", "hidden": True}
            conversation.messages[key] = {**tombstone, "user": "USLACKBOT", "ts": message["ts"], **kept}
            changed = {"message": self.render(conversation.messages[key]), "previous_message": before}
            self._dispatch_hidden(conversation, self.ts(), {"subtype": "message_changed", **changed})
            return
        del conversation.messages[key]
        if (thread_ts := message.get("thread_ts")) and thread_ts != message["ts"]:
            self._count_replies(conversation, thread_ts)
        event = {"subtype": "message_deleted", "deleted_ts": message["ts"], "previous_message": before}
        self._dispatch_hidden(conversation, self.ts(), event)

    def react(self, conversation: Conversation, message: Message, user: SlackUser, name: str) -> bool:
        """Add a user's reaction; return False if it was there already."""
        reactions = message.setdefault("reactions", [])
        found = next((one for one in reactions if one["name"] == name), None)
        if found is None:
            reactions.append(found := {"name": name, "users": [], "count": 0})
        if user.id in found["users"]:
            return False
        found["users"].append(user.id)
        found["count"] += 1
        self._dispatch_reaction("reaction_added", conversation, message, user, name)
        return True

    def unreact(self, conversation: Conversation, message: Message, user: SlackUser, name: str) -> bool:
        """Remove a user's reaction; return False if there was none."""
        found = next((one for one in message.get("reactions", ()) if one["name"] == name), None)
        if found is None or user.id not in found["users"]:
            return False
        found["users"].remove(user.id)
        found["count"] -= 1
        message["reactions"] = [one for one in message["reactions"] if one["users"]]
        if not message["reactions"]:
            del message["reactions"]
        self._dispatch_reaction("reaction_removed", conversation, message, user, name)
        return True

    def _count_replies(self, conversation: Conversation, thread_ts: str) -> None:
        """Keep the figures of a thread on the message that began it."""
        parent = conversation.find(thread_ts)
        if parent is None:
            return
        replies = conversation.replies(thread_ts)
        if not replies:
            for name in ("reply_count", "reply_users", "reply_users_count", "latest_reply", "is_locked", "subscribed"):
                parent.pop(name, None)
            parent.pop("thread_ts", None)
            return
        users = list(dict.fromkeys(one["user"] for one in replies if "user" in one))
        parent |= {"thread_ts": thread_ts, "reply_count": len(replies), "reply_users_count": len(users)}
        parent |= {"latest_reply": replies[-1]["ts"], "reply_users": users, "is_locked": False, "subscribed": False}

    # --- messages as somebody sees them

    def render(self, message: Message) -> Message:
        """Return a copy of a message with its files as objects."""
        rendered = copy.deepcopy(message)
        if "files" in message:
            rendered["files"] = [self.files.file_object(file_id) for file_id in message["files"]]
        return rendered

    def current_messages(self, conversation: Conversation) -> list[Message]:
        """Return all messages of a conversation, thread replies too, as people see them now, oldest first."""
        return [self.render(message) for _, message in sorted(conversation.messages.items())]

    # --- events

    def dispatch(self, name: str, conversation: Conversation | None, event: dict[str, Any]) -> None:
        """Send an event to the app, if it subscribed to it, has the scope and is in the conversation."""
        scope = EVENTS[name]
        subscribed = name in self.app.events and (not scope or scope in self.app.bot_scopes)
        if subscribed and (conversation is None or self.is_in(conversation)):
            payload = self._callback(event)
            for listener in self.listeners:
                listener(payload)
        self.changed()

    def _callback(self, event: dict[str, Any]) -> dict[str, Any]:
        about = {"enterprise_id": None, "team_id": self.team_id, "user_id": self.bot.id, "is_bot": True}
        return {
            "token": self.app.verification_token,
            "team_id": self.team_id,
            "context_team_id": self.team_id,
            "context_enterprise_id": None,
            "api_app_id": self.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": new_id("Ev"),
            "event_time": int(self.now()),
            "authorizations": [{**about, "is_enterprise_install": False}],
            "is_ext_shared_channel": False,
            "event_context": new_id("4-"),
        }

    def announce(self, conversation: Conversation, message: Message) -> None:
        """Dispatch a message that was put into a conversation."""
        place = {"channel": conversation.id, "event_ts": message["ts"], "channel_type": conversation.event_type}
        self.dispatch(MESSAGES_OF[conversation.scope], conversation, {**self.render(message), **place})

    def _dispatch_hidden(self, conversation: Conversation, ts: str, event: dict[str, Any]) -> None:
        place = {"channel": conversation.id, "ts": ts, "event_ts": ts, "channel_type": conversation.event_type}
        made = {"type": "message", **event, "hidden": True, **place}
        self.dispatch(MESSAGES_OF[conversation.scope], conversation, made)

    def _dispatch_reaction(
        self, name: str, conversation: Conversation, message: Message, user: SlackUser, reaction: str
    ) -> None:
        item = {"type": "message", "channel": conversation.id, "ts": message["ts"]}
        event = {"type": name, "user": user.id, "reaction": reaction, "item": item, "event_ts": self.ts()}
        if "user" in message:
            event["item_user"] = message["user"]
        self.dispatch(name, conversation, event)
