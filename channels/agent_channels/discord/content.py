"""What a message holds: its text with names for ids, its files, and everything else in words."""

from __future__ import annotations

import re
from pathlib import PurePath

from agent_channels.core.contract.messages import Attachment, Identity
from agent_channels.discord.chats import Json, snowflake

__all__ = ["describe", "files_of", "readable_text"]

_MENTION = re.compile(r"<(@!?|@&|#)(\d{15,20})>")
_EMOJI = re.compile(r"<a?(:\w{2,32}:)\d{15,20}>")
_KINDS = {"image": "photo", "video": "video", "audio": "audio"}


def readable_text(message: Json, me: Identity) -> str:
    """Return the text with names in place of the ids that Discord writes."""
    names = {str(user["id"]): str(user["username"]) for user in message.get("mentions") or ()}
    names.setdefault(me.id, me.username)
    roles = message.get("own_roles") or ()

    def named(match: re.Match[str]) -> str:
        if match[1] == "@&":
            name = me.username if match[2] in roles else None
        else:
            name = names.get(match[2]) if match[1].startswith("@") else None
        return f"@{name}" if name else match[0]

    return _EMOJI.sub(r"\1", _MENTION.sub(named, str(message.get("content") or "")))


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
    return (title if title.endswith(ending) else title + ending) if title else name or None


def describe(message: Json) -> str:
    """Describe the content of a message without a text, so that nothing is dropped silently."""
    if files := files_of(message, "0", "0"):
        return f"({', '.join(f'{file.kind}: {file.name}' if file.name else file.kind for file in files)})"
    stickers = message.get("sticker_items") or ()
    if stickers:
        return f"(sticker: {', '.join(str(sticker['name']) for sticker in stickers)})"
    poll = message.get("poll")
    if poll:
        answers = " | ".join(str(answer["poll_media"].get("text", "")) for answer in poll["answers"])
        return f"(poll: {poll['question'].get('text', '')} – {answers})"
    return "(a message without text)"
