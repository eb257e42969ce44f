"""Bot API methods about messages that exist already: edit, delete, react, answer a tap."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.telegram.errors import NOT_MODIFIED, TOO_OLD, bad
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.method_table import MethodTable
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.records import SERVICE_FIELDS, Message, TelegramChat
from agent_channels.sandbox.telegram.reply_markup import parse_reply_markup
from agent_channels.sandbox.telegram.rich_messages import rich_fields
from agent_channels.sandbox.telegram.send_methods import caption_fields, text_fields
from agent_channels.sandbox.telegram.state import TelegramState
from agent_channels.sandbox.telegram.targets import message_of, writable_chat

__all__ = ["REACTIONS", "method"]

method = MethodTable()

CALLBACK_TTL_S = 60.0
DELETE_TTL_S = 48 * 3600
MAX_CALLBACK_TEXT = 200
# ReactionTypeEmoji: the list of the Bot API. A heart with a variation selector is not in it.
EMOJI = """
👍 👎 ❤ 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤️‍🔥
🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨
🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂️ 🤷 🤷‍♀️ 😡
"""
REACTIONS = frozenset(EMOJI.split())


def _editable_message(state: TelegramState, params: Params) -> tuple[TelegramChat, Message]:
    if params.text("inline_message_id"):
        raise bad("MESSAGE_ID_INVALID")
    chat = writable_chat(state, params)
    message = message_of(chat, params, "message to edit not found")
    if message["from"]["id"] != state.bot.id or "forward_origin" in message:
        raise bad("message can't be edited")
    return chat, message


def _replace_fields(
    state: TelegramState, chat: TelegramChat, message: Message, fields: Message, replaced: tuple[str, ...]
) -> Message:
    """Replace those fields of a message. Raises BotApiError when nothing changes."""
    old = {name: message[name] for name in replaced if name in message}
    _keep_forced_reply(old, fields)
    if old == fields:
        raise bad(NOT_MODIFIED)
    state.spend(chat.id)
    for name in replaced:
        message.pop(name, None)
    message.update(fields)
    state.edited(chat, message)
    return message


def _keep_forced_reply(old: Message, fields: Message) -> None:
    """Whether a keyboard opens the reply field stays as it was when it was sent."""
    if "reply_markup" in fields:
        fields["reply_markup"].pop("force_reply", None)
        if old.get("reply_markup", {}).get("force_reply"):
            fields["reply_markup"]["force_reply"] = True


def _markup_fields(state: TelegramState, params: Params) -> Message:
    given = params.decoded("reply_markup", "reply keyboard markup")
    markup = parse_reply_markup(given, state.known, inline_only=True)
    return {"reply_markup": markup} if markup else {}


@method("editMessageText")
def edit_message_text(state: TelegramState, params: Params) -> Message:
    """Replace a text or a rich message by either; the keyboard is removed unless it is given again."""
    # An older server does not look at a parameter that it does not know.
    rich = state.known("10.1") and params.values.get("rich_message") is not None
    if rich and params.text("text"):
        raise bad("exactly one of text and rich_message must be used")
    fields = (rich_fields(params) if rich else text_fields(state, params)) | _markup_fields(state, params)
    chat, message = _editable_message(state, params)
    if "text" not in message and "rich_message" not in message:
        raise bad("there is no text in the message to edit")
    return _replace_fields(state, chat, message, fields, ("text", "entities", "rich_message", "reply_markup"))


@method("editMessageCaption")
def edit_message_caption(state: TelegramState, params: Params) -> Message:
    """Replace the caption; the keyboard is removed unless it is given again."""
    entities = params.decoded("caption_entities", "caption entities")
    caption = caption_fields(state, params.text("caption"), params.text("parse_mode"), entities)
    fields = caption | _markup_fields(state, params)
    chat, message = _editable_message(state, params)
    if not any(kind in message for kind in MEDIA if kind not in {"video_note", "sticker"}):
        raise bad("there is no caption in the message to edit")
    return _replace_fields(state, chat, message, fields, ("caption", "caption_entities", "reply_markup"))


@method("editMessageReplyMarkup")
def edit_message_reply_markup(state: TelegramState, params: Params) -> Message:
    """Replace or remove the keyboard."""
    fields = _markup_fields(state, params)
    chat, message = _editable_message(state, params)
    return _replace_fields(state, chat, message, fields, ("reply_markup",))


@method("deleteMessage")
def delete_message(state: TelegramState, params: Params) -> bool:
    """Delete a message within 48 hours: the bot's own, any in a private chat, any where the bot is administrator."""
    chat = writable_chat(state, params)
    message = message_of(chat, params, "message to delete not found")
    if not _may_delete(state, chat, message):
        raise bad("message can't be deleted")
    if state.now() - message["date"] > DELETE_TTL_S:
        raise bad("message can't be deleted for everyone")
    del chat.messages[message["message_id"]]
    state.changed()
    return True


def _may_delete(state: TelegramState, chat: TelegramChat, message: Message) -> bool:
    if chat.is_group and chat.members[state.bot.id] == "administrator":
        return True
    own = message["from"]["id"] == state.bot.id
    if any(name in message for name in SERVICE_FIELDS):
        return False
    return own or not chat.is_group


@method("setMessageReaction")
def set_message_reaction(state: TelegramState, params: Params) -> bool:
    """Set the bot's one reaction to a message; an empty list removes it."""
    chat = writable_chat(state, params)
    value = params.decoded("reaction", "reaction types") or []
    if not isinstance(value, list):
        raise bad("expected an Array of ReactionType")
    reactions = [_parse_reaction(item) for item in value]
    message = message_of(chat, params, "message to react not found")
    if len(reactions) > 1:
        # "Bots can set up to one reaction per message", says the documentation of setMessageReaction.
        raise bad("REACTIONS_TOO_MANY")
    if any(reaction["emoji"] not in REACTIONS for reaction in reactions):
        raise bad("REACTION_INVALID")
    by_user = chat.reactions.setdefault(message["message_id"], {})
    by_user.pop(state.bot.id, None)
    if reactions:
        by_user[state.bot.id] = reactions
    state.changed()
    return True


def _parse_reaction(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or "type" not in item:
        raise bad("can't parse reaction type: Can't find field \"type\"")
    if item["type"] != "emoji":
        # custom emoji only "if it is already present on the message or explicitly allowed by chat administrators"
        raise bad("REACTION_INVALID")
    if not isinstance(item.get("emoji"), str):
        raise bad("can't parse reaction type: Can't find field \"emoji\"")
    return {"type": "emoji", "emoji": item["emoji"]}


@method("answerCallbackQuery")
def answer_callback_query(state: TelegramState, params: Params) -> bool:
    """End the spinner on a button; once, within about a minute."""
    text = params.text("text")
    query = state.queries.get(params.text("callback_query_id"))
    if query is None or query.answer is not None or state.now() - query.at > CALLBACK_TTL_S:
        raise bad(TOO_OLD)
    if len(text) > MAX_CALLBACK_TEXT:
        raise bad("MESSAGE_TOO_LONG")
    query.answer = {"text": text, "show_alert": params.flag("show_alert"), "url": params.text("url")}
    state.changed()
    return True
