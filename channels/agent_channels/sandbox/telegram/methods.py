"""The table of Bot API methods, and the methods about the bot itself, chats and updates."""

from __future__ import annotations

import re
from typing import Any

from agent_channels.sandbox.telegram import edit_methods, send_methods
from agent_channels.sandbox.telegram.errors import bad, conflict
from agent_channels.sandbox.telegram.method_table import Handler, MethodTable
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.records import TelegramChat, member_object
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.targets import known_chat, message_of, writable_chat
from agent_channels.sandbox.telegram.update_queue import parse_allowed_updates

__all__ = ["METHODS"]

MAX_COMMANDS = 100
COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}")

method = MethodTable()


@method("getMe")
def get_me(state: TelegramState, _params: Params) -> dict[str, Any]:
    """Return the bot's User with what it may do."""
    return {
        **state.bot.as_dict(),
        "can_join_groups": True,
        "can_read_all_group_messages": not state.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
        "has_topics_enabled": False,
        "allows_users_to_create_topics": False,
    }


@method("getUpdates")
async def get_updates(state: TelegramState, params: Params) -> list[dict[str, Any]]:
    """Return updates from `offset` on, waiting up to `timeout` seconds for the first."""
    allowed = parse_allowed_updates(params.decoded("allowed_updates", "allowed updates"))
    return await state.updates.get(
        params.integer("offset"), params.integer("limit", 100), params.integer("timeout"), allowed
    )


@method("setWebhook")
def set_webhook(state: TelegramState, params: Params) -> bool:
    """Store the webhook, which makes getUpdates fail; nothing is posted to it."""
    url = params.text("url")
    if url and not url.startswith("https://"):
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    allowed = parse_allowed_updates(params.decoded("allowed_updates", "allowed updates"))
    state.updates.webhook = {"url": url} if url else {}
    if allowed is not None and url:
        state.updates.webhook["allowed_updates"] = allowed
    if params.flag("drop_pending_updates"):
        state.updates.drop_pending()
    if url:
        state.updates.end_poll(conflict("terminated by setWebhook request"))
    return True


@method("deleteWebhook")
def delete_webhook(state: TelegramState, params: Params) -> bool:
    """Remove the webhook."""
    state.updates.webhook = {}
    if params.flag("drop_pending_updates"):
        state.updates.drop_pending()
    return True


@method("getWebhookInfo")
def get_webhook_info(state: TelegramState, _params: Params) -> dict[str, Any]:
    """Return the WebhookInfo."""
    info = {"url": "", "has_custom_certificate": False, "pending_update_count": state.updates.pending}
    return {**info, **state.updates.webhook}


@method("getFile")
def get_file(state: TelegramState, params: Params) -> dict[str, Any]:
    """Return the File with its download path."""
    return state.files.info(params.text("file_id"))


@method("getChat")
def get_chat(state: TelegramState, params: Params) -> dict[str, Any]:
    """Return the ChatFullInfo."""
    chat = _readable_chat(state, params)
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    info: dict[str, Any] = {
        **chat.as_dict(),
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, True),
    }
    if chat.is_group:
        rights = ("can_send_messages", "can_send_photos", "can_send_documents", "can_invite_users")
        info["permissions"] = dict.fromkeys(rights, True)
    elif chat.user is not None and chat.user.username:
        info["active_usernames"] = [chat.user.username]
    if chat.pinned and chat.pinned[-1] in chat.messages:
        info["pinned_message"] = chat.messages[chat.pinned[-1]]
    return info


def _readable_chat(state: TelegramState, params: Params) -> TelegramChat:
    chat = known_chat(state, params)
    if chat.user is not None and not chat.started:
        raise bad("chat not found")
    if chat.is_group and chat.members[state.bot.id] in {"kicked", "left"}:
        return writable_chat(state, params)
    return chat


@method("getChatMember")
def get_chat_member(state: TelegramState, params: Params) -> dict[str, Any]:
    """Return the ChatMember; its status is "left" for a person who is not in the chat."""
    chat = _readable_chat(state, params)
    user_id = params.integer("user_id")
    if user_id not in state.users:
        raise bad("invalid user_id specified" if user_id <= 0 else "user not found")
    if chat.user is not None:
        return member_object(state.users[user_id], "member")
    return member_object(state.users[user_id], chat.members.get(user_id, "left"))


@method("getChatAdministrators")
def get_chat_administrators(state: TelegramState, params: Params) -> list[dict[str, Any]]:
    """Return the creator and the administrators, without the bot."""
    chat = _readable_chat(state, params)
    if not chat.is_group:
        raise bad("there are no administrators in the private chat")
    admins = {user: status for user, status in chat.members.items() if status in {"creator", "administrator"}}
    return [member_object(state.users[user], status) for user, status in admins.items() if user != state.bot.id]


@method("getChatMemberCount")
def get_chat_member_count(state: TelegramState, params: Params) -> int:
    """Return the number of members."""
    chat = _readable_chat(state, params)
    return sum(status not in {"left", "kicked"} for status in chat.members.values()) if chat.is_group else 2


@method("leaveChat")
def leave_chat(state: TelegramState, params: Params) -> bool:
    """Take the bot out of a group."""
    chat = writable_chat(state, params)
    if not chat.is_group:
        raise bad("chat not found")
    chat.members[state.bot.id] = "left"
    state.changed()
    return True


def _scope(params: Params) -> tuple[str, str]:
    scope = params.decoded("scope", "BotCommandScope") or {"type": "default"}
    if not isinstance(scope, dict) or "type" not in scope:
        raise bad("can't parse BotCommandScope: Can't find field \"type\"")
    key = ":".join(str(scope[name]) for name in ("type", "chat_id", "user_id") if name in scope)
    return key, params.text("language_code")


@method("setMyCommands")
def set_my_commands(state: TelegramState, params: Params) -> bool:
    """Replace the commands of a scope and language."""
    commands = params.decoded("commands", "commands")
    if not isinstance(commands, list):
        raise bad("expected an Array of BotCommand")
    if len(commands) > MAX_COMMANDS:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    kept = []
    for command in commands:
        name = str(command.get("command", "")).strip().removeprefix("/") if isinstance(command, dict) else ""
        if not COMMAND_NAME.fullmatch(name):
            raise bad("BOT_COMMAND_INVALID")
        description = str(command.get("description", "")).strip()
        if not 1 <= len(description) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
        kept.append({"command": name, "description": description})
    state.commands[_scope(params)] = kept
    state.changed()
    return True


@method("getMyCommands")
def get_my_commands(state: TelegramState, params: Params) -> list[dict[str, str]]:
    """Return the commands of a scope and language."""
    return state.commands.get(_scope(params), [])


@method("deleteMyCommands")
def delete_my_commands(state: TelegramState, params: Params) -> bool:
    """Remove the commands of a scope and language."""
    state.commands.pop(_scope(params), None)
    state.changed()
    return True


@method("pinChatMessage")
def pin_chat_message(state: TelegramState, params: Params) -> bool:
    """Pin a message; in groups only an administrator may."""
    chat = writable_chat(state, params)
    message = message_of(chat, params, "message to pin not found")
    if chat.is_group and chat.members[state.bot.id] != "administrator":
        raise bad("not enough rights to manage pinned messages in the chat")
    chat.pinned.append(message["message_id"])
    state.changed()
    return True


@method("unpinChatMessage")
def unpin_chat_message(state: TelegramState, params: Params) -> bool:
    """Unpin the message, or the last pinned one."""
    chat = writable_chat(state, params)
    if chat.pinned:
        unpinned = params.integer("message_id", chat.pinned[-1])
        chat.pinned = [pinned for pinned in chat.pinned if pinned != unpinned]
    state.changed()
    return True


METHODS: dict[str, Handler] = {**method.table, **send_methods.method.table, **edit_methods.method.table}
