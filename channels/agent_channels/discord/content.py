"""What a message holds: its text with names for ids, and everything else in words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent_channels.core.contract.messages import Identity
from agent_channels.core.i18n.messages import translate
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.times import epoch_iso
from agent_channels.discord.attachments import files_of
from agent_channels.discord.chats import Json
from agent_channels.discord.rich_content import rich_words

__all__ = ["SYSTEM", "describe", "readable_text", "words_of"]

_MENTION = lazy_pattern(r"<(@!?|@&|#)(\d{15,20})>")
# "Message Formatting": a moment, which programs show in each reader's own time zone.
_MOMENT = lazy_pattern(r"<t:(-?\d{1,12})(?::[A-Za-z])?>")
_EMOJI = lazy_pattern(r"<a?(:\w{2,32}:)\d{15,20}>")
# "Message Types": what Discord itself says.
SYSTEM = frozenset({*range(1, 13), *range(14, 19), 21, 22, *range(24, 33), *range(36, 40), 44, 46})
# Who sent a message, when, where and how, and parts that are read elsewhere; not a kind of content.
_ENVELOPE_NAMES = """
id channel_id guild_id channel_type channel author member content timestamp edited_timestamp tts mention_everyone
mentions mention_roles mention_channels attachments embeds reactions nonce pinned webhook_id type activity application
application_id flags message_reference message_snapshots referenced_message interaction_metadata interaction thread
components sticker_items stickers position role_subscription_data resolved poll call own_roles user_id"""
_ENVELOPE = frozenset(_ENVELOPE_NAMES.split())


def words_of(message: Json, me: Identity) -> str:
    """Return everything that a message says: text, embeds, components, stickers, a poll. Empty for files alone."""
    return "\n".join(
        filter(None, (readable_text(message, me), _readable(rich_words(message), message, me), _extras(message)))
    )


def readable_text(message: Json, me: Identity) -> str:
    """Return the text with names in place of the ids that Discord writes, and moments as ISO times."""
    return _readable(str(message.get("content") or ""), message, me)


def _readable(text: str, message: Json, me: Identity) -> str:
    names = {str(user["id"]): str(user["username"]) for user in message.get("mentions") or ()}
    names.setdefault(me.id, me.username)
    roles = message.get("own_roles") or ()

    def named(match: re.Match[str]) -> str:
        if match[1] == "@&":
            name = me.username if match[2] in roles else None
        else:
            name = names.get(match[2]) if match[1].startswith("@") else None
        return f"@{name}" if name else match[0]

    return _EMOJI.sub(r"\1", _MOMENT.sub(_moment, _MENTION.sub(named, text)))


def _moment(match: re.Match[str]) -> str:
    try:
        return epoch_iso(match[1]) or ""
    except (ValueError, OverflowError):
        return match[0]


def describe(message: Json) -> str:
    """Describe the content of a message without a text, so that nothing is dropped silently."""
    if files := files_of(message, "0", "0"):
        return f"({', '.join(f'{file.kind}: {file.name}' if file.name else file.kind for file in files)})"
    kind = message.get("type", 0)
    if kind in SYSTEM:
        return _system(kind)
    if message.get("activity"):
        return f"({translate('kind_invitation')})"
    unknown = [key for key, value in message.items() if key not in _ENVELOPE and value not in (None, [], {}, "", 0)]
    if not unknown and kind not in {0, 19, 20, 23}:
        unknown = [f"message type {kind}"]
    if unknown:
        return translate("kind_unknown", kind=", ".join(unknown).replace("_", " "))
    return f"({translate('kind_empty')})"


def _system(kind: int) -> str:
    told = {
        3: translate("kind_call"),
        6: translate("service_pinned"),
        7: translate("service_joined"),
        18: translate("kind_thread"),
    }
    return f"({told.get(kind) or translate('kind_system')})"


def _extras(message: Json) -> str:
    """Return in words what a message may hold beside its text and files: stickers, a poll; empty for neither."""
    told = []
    if stickers := message.get("sticker_items"):
        told.append(f"({translate('kind_sticker')}: {', '.join(str(sticker['name']) for sticker in stickers)})")
    if poll := message.get("poll"):
        counts = {
            count.get("id"): count.get("count") for count in (poll.get("results") or {}).get("answer_counts") or ()
        }
        answers = " | ".join(_answer(answer, counts) for answer in poll["answers"])
        told.append(f"({translate('kind_poll')}: {poll['question'].get('text', '')} – {answers})")
    return "\n".join(told)


def _answer(answer: Json, counts: Mapping[object, object]) -> str:
    """Return an answer of a poll: its emoji, its text, or both; with its votes once there are some."""
    media = answer["poll_media"]
    votes = counts.get(answer.get("answer_id"))
    parts = ((media.get("emoji") or {}).get("name"), media.get("text"), f"({votes})" if votes else None)
    return " ".join(str(part) for part in parts if part)
