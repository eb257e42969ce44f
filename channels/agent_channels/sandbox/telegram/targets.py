"""Where a call acts: the chat, the topic and the message it names, or the refusal Telegram gives."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.telegram.errors import TOO_OLD, bad, forbidden
from agent_channels.sandbox.telegram.params import Params, field_number, field_text
from agent_channels.sandbox.telegram.records import GENERAL_TOPIC, Message, TelegramChat, as_replied, quote_of
from agent_channels.sandbox.telegram.reply_markup import parse_reply_markup
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["deliver", "message_of", "placement", "writable_chat"]

# "EphemeralMessage messages and commands": how long after a tap or a command any bot may answer it so.
EPHEMERAL_WITHIN_S = 15.0


def _known_chat(state: TelegramState, params: Params) -> TelegramChat:
    """Return the chat of a call if the bot has ever met it. Raises BotApiError."""
    raw = params.text("chat_id").strip()
    if not raw:
        raise bad("chat_id is empty")
    try:
        chat = state.chats.get(int(raw))
    except ValueError:
        chat = None
    if chat is None or (chat.is_group and state.bot.id not in chat.members):
        raise bad("chat not found")
    if chat.migrated_to is not None:
        raise bad("group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to)
    return chat


def writable_chat(state: TelegramState, params: Params) -> TelegramChat:
    """Return the chat of a call that writes there. Raises BotApiError, 403 where the bot may not write."""
    chat = _known_chat(state, params)
    if chat.user is not None:
        if chat.user.is_deactivated:
            raise forbidden("user is deactivated")
        if chat.blocked:
            raise forbidden("bot was blocked by the user")
        if not chat.started:
            raise forbidden("bot can't initiate conversation with a user")
    elif chat.members[state.bot.id] == "kicked":
        raise forbidden(f"bot was kicked from the {chat.kind} chat")
    return chat


def message_of(chat: TelegramChat, params: Params, missing: str) -> Message:
    """Return the message a call names. Raises BotApiError `missing`, such as "message to edit not found"."""
    if not params.text("message_id"):
        raise bad("message identifier is not specified")
    message = chat.messages.get(params.integer("message_id"))
    if message is None:
        raise bad(missing)
    return message


def placement(state: TelegramState, chat: TelegramChat, params: Params) -> dict[str, Any]:
    """Return the message fields for topic and reply. Raises BotApiError for an unknown topic or replied message."""
    reply = params.decoded("reply_parameters", "reply parameters")
    if reply is not None and not isinstance(reply, dict):
        raise bad("object expected as reply parameters")
    if reply is not None and "message_id" not in reply:
        raise bad('can\'t find field "message_id"')
    if reply is None and params.text("reply_to_message_id"):
        flag = params.flag("allow_sending_without_reply")
        reply = {"message_id": params.integer("reply_to_message_id"), "allow_sending_without_reply": flag}
    replied = _replied_message(chat, reply) if reply else None
    fields = _thread_fields(state, chat, params, replied)
    if replied is not None:
        fields["reply_to_message"] = as_replied(replied)
        if reply and reply.get("quote"):
            fields["quote"] = quote_of(replied, str(reply["quote"]))
            if fields["quote"] is None:
                raise bad("QUOTE_TEXT_INVALID")
    return fields


def _replied_message(chat: TelegramChat, reply: dict[str, Any]) -> Message | None:
    if reply.get("chat_id") not in (None, chat.id, str(chat.id)):
        raise bad("message to be replied not found")
    message = chat.messages.get(field_number(reply, "message_id"))
    if message is None and not reply.get("allow_sending_without_reply"):
        raise bad("message to be replied not found")
    return message


def _thread_fields(state: TelegramState, chat: TelegramChat, params: Params, replied: Message | None) -> dict[str, Any]:
    thread = params.integer("message_thread_id")
    if not state.has_topics_in(chat):
        if thread and thread not in chat.messages:
            raise bad("message thread not found")
        return {"message_thread_id": thread} if thread else {}
    if thread == GENERAL_TOPIC or (thread and thread not in chat.topics):
        raise bad("message thread not found")
    if chat.is_forum:
        # In a private chat a reply alone does not lead into the topic of what it replies to.
        thread = thread or (replied or {}).get("message_thread_id", 0)
    if not thread:
        return {}
    if thread in chat.closed_topics and chat.members[state.bot.id] != "administrator":
        raise bad("TOPIC_CLOSED")
    fields: dict[str, Any] = {"message_thread_id": thread, "is_topic_message": True}
    if chat.is_forum and (root := chat.topic_root(thread)):
        fields["reply_to_message"] = root
    return fields


def deliver(state: TelegramState, params: Params, fields: Message, *, private: bool = True) -> Message:
    """Post the bot's message into the chat of the call; `private`: it can be one that only one person sees.

    Raises BotApiError for wrong markup, chat, topic or reply, and 429 by the flood rule.
    """
    markup = parse_reply_markup(params.decoded("reply_markup", "reply keyboard markup"), state.known)
    if private and state.known("10.3") and "ephemeral_message_parameters" in params.values:
        return _deliver_ephemeral(state, params, {**fields, **({"reply_markup": markup} if markup else {})})
    chat = writable_chat(state, params)
    extra = placement(state, chat, params)
    if params.flag("protect_content"):
        extra["has_protected_content"] = True
    state.spend(chat.id)
    return state.post(chat, state.bot, fields, reply_markup=markup, **extra)


# ---- messages that only one person sees. What the server says when it refuses one is not known.


def _deliver_ephemeral(state: TelegramState, params: Params, fields: Message) -> Message:
    """Post a message for one person, in answer to what they did in the last seconds; an administrator needs no cause.

    Raises BotApiError.
    """
    given = params.decoded("ephemeral_message_parameters", "ephemeral message parameters")
    if not isinstance(given, dict):
        raise bad("object expected as ephemeral message parameters")
    query = state.queries.get(field_text(given, "callback_query_id")) if given.get("callback_query_id") else None
    if query is not None and state.known("10.4"):
        # The tap says where and to whom.
        params.values.setdefault("chat_id", query.chat_id)
        given = {"receiver_user_id": query.user_id, **given}
    chat, receiver = writable_chat(state, params), state.users.get(field_number(given, "receiver_user_id"))
    if chat.kind == "channel" or (chat.kind == "private" and not (query and state.known("10.4"))):
        raise bad("ephemeral messages can't be sent to the chat")
    if receiver is None or receiver.is_bot or not _is_in(chat, receiver.id):
        raise bad("USER_NOT_PARTICIPANT")
    _check_cause(state, params, given, chat, receiver.id)
    state.spend(chat.id)
    return state.post_ephemeral(chat, state.bot, receiver, fields, **_thread_fields(state, chat, params, None))


def _is_in(chat: TelegramChat, user_id: int) -> bool:
    if chat.user is not None:
        return chat.user.id == user_id
    return chat.members.get(user_id) in {"creator", "administrator", "member"}


def _check_cause(
    state: TelegramState, params: Params, given: dict[str, Any], chat: TelegramChat, receiver_id: int
) -> None:
    reply = params.decoded("reply_parameters", "reply parameters") or {}
    since = state.now() - EPHEMERAL_WITHIN_S
    if given.get("callback_query_id"):
        query = state.queries.get(str(given["callback_query_id"]))
        if query is None or (query.chat_id, query.user_id) != (chat.id, receiver_id) or query.at < since:
            raise bad(TOO_OLD)
        if not isinstance(given.get("replace_callback_query_message", False), bool):
            raise bad('field "replace_callback_query_message" must be of type Boolean')
    elif isinstance(reply, dict) and reply.get("ephemeral_message_id"):
        cause = state.ephemerals.get(field_number(reply, "ephemeral_message_id"))
        if cause is None or (cause.chat_id, cause.user_id) != (chat.id, receiver_id) or cause.at < since:
            raise bad("message to be replied not found")
    elif chat.members.get(state.bot.id) != "administrator":
        raise bad("not enough rights to send ephemeral messages to the chat")
