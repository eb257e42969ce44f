"""What a message holds: its text with names for ids, its files, and everything else in words."""

from __future__ import annotations

import re
from pathlib import PurePath

from agent_channels.core.contract.messages import Attachment, Identity
from agent_channels.core.text.times import epoch_iso
from agent_channels.discord.chats import Json, snowflake

__all__ = ["describe", "extras_of", "files_of", "readable_text"]

_MENTION = re.compile(r"<(@!?|@&|#)(\d{15,20})>")
# "Message Formatting": a moment, which programs show in each reader's own time zone.
_MOMENT = re.compile(r"<t:(-?\d{1,12})(?::[A-Za-z])?>")
_EMOJI = re.compile(r"<a?(:\w{2,32}:)\d{15,20}>")
_KINDS = {"image": "photo", "video": "video", "audio": "audio"}


def readable_text(message: Json, me: Identity) -> str:
    """Return the text with names in place of the ids that Discord writes, and moments as ISO times."""
    names = {str(user["id"]): str(user["username"]) for user in message.get("mentions") or ()}
    names.setdefault(me.id, me.username)
    roles = message.get("own_roles") or ()

    def named(match: re.Match[str]) -> str:
        if match[1] == "@&":
            name = me.username if match[2] in roles else None
        else:
            name = names.get(match[2]) if match[1].startswith("@") else None
        return f"@{name}" if name else match[0]

    text = _MENTION.sub(named, str(message.get("content") or ""))
    return _EMOJI.sub(r"\1", _MOMENT.sub(_moment, text))


def _moment(match: re.Match[str]) -> str:
    try:
        return epoch_iso(match[1]) or ""
    except (ValueError, OverflowError):
        return match[0]


def files_of(message: Json, channel_id: str, message_id: str) -> list[Attachment]:
    """Return the files in order. A file's id names the message it is in: Discord's URLs expire after a day."""
    place = f"{snowflake(channel_id)}.{snowflake(message_id)}"
    return [_file(raw, place) for raw in message.get("attachments") or ()]


def _file(raw: Json, place: str) -> Attachment:
    mime = str(raw.get("content_type") or "").partition(";")[0] or None
    kind = "voice" if raw.get("waveform") else _KINDS.get((mime or "").partition("/")[0], "document")
    size = raw.get("size")
    file_id = f"{place}.{snowflake(raw['id'])}"
    return Attachment(kind, file_id, _file_name(raw), mime, int(size) if size is not None else None)


def _file_name(raw: Json) -> str | None:
    """Return the name that its sender gave a file: where Discord replaces it, its title is what it was.

    The title comes without the ending of the file's name.
    """
    name, title = str(raw.get("filename") or ""), str(raw.get("title") or "")
    ending = PurePath(name).suffix
    return (title if title.casefold().endswith(ending.casefold()) else title + ending) if title else name or None


def describe(message: Json) -> str:
    """Describe the content of a message without a text, so that nothing is dropped silently."""
    if files := files_of(message, "0", "0"):
        return f"({', '.join(f'{file.kind}: {file.name}' if file.name else file.kind for file in files)})"
    return extras_of(message) or "(a message without text)"


def extras_of(message: Json) -> str:
    """Return in words what a message may hold beside its text and files: stickers, a poll; empty for neither."""
    told = []
    if stickers := message.get("sticker_items"):
        told.append(f"(sticker: {', '.join(str(sticker['name']) for sticker in stickers)})")
    if poll := message.get("poll"):
        answers = " | ".join(_answer(answer["poll_media"]) for answer in poll["answers"])
        told.append(f"(poll: {poll['question'].get('text', '')} – {answers})")
    return "\n".join(told)


def _answer(media: Json) -> str:
    """Return an answer of a poll: its emoji, its text, or both."""
    return " ".join(str(part) for part in ((media.get("emoji") or {}).get("name"), media.get("text")) if part)
