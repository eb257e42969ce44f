"""The table of Bot API methods, and the methods about the bot itself, chats and updates."""

from __future__ import annotations

import re
from typing import Any

from agent_channels.sandbox.telegram import drafts, edit_methods, send_methods, topics
from agent_channels.sandbox.telegram.errors import bad, conflict, unknown_method
from agent_channels.sandbox.telegram.method_table import Handler, MethodTable
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.state import TelegramState
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
        **state.settings,
    }


@method("setMySettings")
def set_my_settings(state: TelegramState, params: Params) -> bool:
    """Switch what the bot does in all its chats; here only topics in private chats."""
    if not state.known("10.5"):
        raise unknown_method()
    state.settings |= {name: params.flag(name) for name in state.settings if name in params.values}
    state.changed()
    return True


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
        one: dict[str, Any] = {"command": name, "description": description}
        if command.get("is_ephemeral") and state.known("10.3"):
            one["is_ephemeral"] = True
        kept.append(one)
    state.commands[_scope(params)] = kept
    state.changed()
    return True


@method("getMyCommands")
def get_my_commands(state: TelegramState, params: Params) -> list[dict[str, Any]]:
    """Return the commands of a scope and language."""
    return state.commands.get(_scope(params), [])


METHODS: dict[str, Handler] = {
    **method.table,
    **send_methods.method.table,
    **edit_methods.method.table,
    **topics.method.table,
    **drafts.method.table,
}
