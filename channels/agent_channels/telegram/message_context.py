"""What belongs to a message besides its content: the message it replies to, its origin, reactions."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.core.contract.messages import Attachment, Identity, ReplyContext
from agent_channels.core.i18n.messages import translate
from agent_channels.telegram.chats import Json, key_of, sender_of
from agent_channels.telegram.content import describe, files_of, service_words, text_of, words_of
from agent_channels.telegram.formatting import marked

__all__ = ["added_reactions", "forward_origin", "reply_context"]


def reply_context(message: Json, me: Identity) -> ReplyContext | None:
    """Return the message that this one replies to, with the quoted part where one was chosen."""
    quote = message.get("quote")
    part = marked(quote["text"], quote.get("entities") or ()) if quote else None
    replied = message.get("reply_to_message")
    if not replied:
        return _reply_elsewhere(message, part)
    if replied.get("forum_topic_created"):
        return None
    author, own = None, False
    if replied.get("from") or replied.get("sender_chat"):
        person = sender_of(replied)
        own = person.id == me.id
        author = me.username if own else person.display_name
    text = part or _chosen(message, replied) or text_of(replied) or describe(replied) or service_words(replied) or None
    return ReplyContext(key_of(replied), author, text, _files(replied), own)


def _reply_elsewhere(message: Json, part: str | None) -> ReplyContext | None:
    """Return what a reply to a message in another chat, whose id means nothing here, or to a story is about."""
    if elsewhere := message.get("external_reply"):
        text = part or text_of(elsewhere) or describe(elsewhere) or f"({translate('kind_elsewhere')})"
        return ReplyContext("", _name(elsewhere.get("origin")), text, _files(elsewhere))
    if story := message.get("reply_to_story"):
        chat = story.get("chat") or {}
        return ReplyContext(
            "", chat.get("title") or chat.get("username") or chat.get("first_name"), f"({translate('kind_story')})"
        )
    return None


def _chosen(message: Json, replied: Json) -> str | None:
    """Return the task of a checklist, or the option of a poll, that a reply is about."""
    tasks = (replied.get("checklist") or {}).get("tasks") or ()
    options = (replied.get("poll") or {}).get("options") or ()
    chosen = [
        *(words_of(task) for task in tasks if task["id"] == message.get("reply_to_checklist_task_id")),
        *(words_of(one) for one in options if one.get("persistent_id", "") == message.get("reply_to_poll_option_id")),
    ]
    return chosen[0] if chosen else None


def _files(message: Json) -> tuple[Attachment, ...]:
    image, others = files_of(message)
    return others if image is None or image in others else (image, *others)


def forward_origin(message: Json) -> str | None:
    """Return the name of the author of a forwarded message; None if it is not one."""
    origin = message.get("forward_origin")
    return (_name(origin) or "somebody") if origin else None


def _name(origin: Json | None) -> str | None:
    match origin:
        case {"type": "user", "sender_user": user}:
            return user.get("username") or " ".join(filter(None, (user["first_name"], user.get("last_name"))))
        case {"type": "hidden_user", "sender_user_name": str(name)}:
            return name
        case {"type": "chat", "sender_chat": chat} | {"type": "channel", "chat": chat}:
            return chat.get("title") or str(chat["id"])
        case _:
            return None


def added_reactions(before: Sequence[Json], after: Sequence[Json]) -> str:
    """Return the reactions that were added; empty when some were only removed."""
    return " ".join(
        reaction["emoji"] if reaction["type"] == "emoji" else f"({reaction['type'].replace('_', ' ')})"
        for reaction in after
        if reaction not in before
    )
