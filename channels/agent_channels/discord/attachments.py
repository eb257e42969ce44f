"""Files of a message, under the names that their senders gave them."""

from __future__ import annotations

from pathlib import PurePath

from agent_channels.core.contract.messages import Attachment
from agent_channels.discord.chats import Json, snowflake

__all__ = ["files_of"]

_KINDS = {"image": "photo", "video": "video", "audio": "audio"}
# "Message Flags"
_IS_VOICE = 1 << 13


def files_of(message: Json, channel_id: str, message_id: str) -> list[Attachment]:
    """Return the files in order. A file's id names the message it is in: Discord's URLs expire after a day."""
    place = f"{snowflake(channel_id)}.{snowflake(message_id)}"
    voice = bool(int(message.get("flags") or 0) & _IS_VOICE)
    return [_file(raw, place, voice=voice) for raw in message.get("attachments") or ()]


def _file(raw: Json, place: str, *, voice: bool) -> Attachment:
    mime = str(raw.get("content_type") or "").partition(";")[0] or None
    kind = "voice" if voice or raw.get("waveform") else _KINDS.get((mime or "").partition("/")[0], "document")
    size = raw.get("size")
    file_id = f"{place}.{snowflake(raw['id'])}"
    return Attachment(kind, file_id, _name(raw), mime, int(size) if size is not None else None)


def _name(raw: Json) -> str | None:
    """Return the name that its sender gave a file: where Discord replaces it, its title is what it was.

    The title comes without the ending of the file's name.
    """
    name, title = str(raw.get("filename") or ""), str(raw.get("title") or "")
    ending = PurePath(name).suffix
    return (title if title.casefold().endswith(ending.casefold()) else title + ending) if title else name or None
