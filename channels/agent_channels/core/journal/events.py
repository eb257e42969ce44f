"""From a neutral inbound message to what the agent is shown: the contract's content and meta, all of it sanitised."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from agent_channels.core.contract.messages import Attachment, Chat, Message, Person, ReplyContext
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.text.sanitize import CAPS, attribute, content, file_name
from agent_channels.core.text.times import utc_iso

__all__ = ["PICTURE", "VOICE", "add_files", "add_thread", "describe_files", "message_event", "sender_meta"]

# What every platform's adapter calls a picture and a voice note.
PICTURE = "photo"
VOICE = "voice"


def message_event(message: Message, *, transcribe: bool = False) -> AgentEvent:
    """Return the event of something a person said; `transcribe`: download voice notes too, also one replied to."""
    meta = sender_meta(message.chat, message.message_id, message.sender, message.ts)
    add_thread(meta, message.chat, message.thread_id, message.thread_name)
    files = message.files
    add_files(meta, files, message.image)
    if message.reply:
        _add_reply(meta, message.reply)
    if message.forward_from:
        meta["forward_from"] = attribute(message.forward_from)
    if message.edited:
        meta["edited"] = "true"
    if message.ephemeral:
        meta["private"] = "true"
    if message.reaction:
        meta["reaction"] = attribute(message.reaction)
    text = content(message.text)
    if not text.strip() and files:
        text = describe_files(files)
    return AgentEvent(
        chat_id=message.chat.id,
        message_id=message.message_id,
        user_id=message.sender.id,
        content=text,
        meta=meta,
        thread_id=message.thread_id,
        image=message.image,
        attachments=files,
        downloads=(
            *(
                file
                for file in files
                if file != message.image and (file in message.pictures or (transcribe and file.kind == VOICE))
            ),
            *(
                file
                for file in (message.reply.files if message.reply else ())
                if file.kind == PICTURE or (transcribe and file.kind == VOICE)
            ),
        ),
        said_at=message.ts.timestamp(),
    )


def sender_meta(chat: Chat, message_id: str, sender: Person, ts: datetime) -> dict[str, str]:
    """Return the meta that every event has."""
    return {
        "chat_id": chat.id,
        "message_id": message_id,
        "user": attribute(sender.display_name) or sender.id,
        "user_id": sender.id,
        "ts": utc_iso(ts),
    }


def add_thread(meta: dict[str, str], chat: Chat, thread_id: str | None, thread_name: str | None) -> None:
    """Add the thread to an event's meta, and the chat that a thread-like chat belongs to."""
    if thread_id:
        meta["thread_id"] = thread_id
    if thread_name:
        meta["thread_name"] = attribute(thread_name)
    if chat.parent_id:
        meta["parent_chat_id"] = chat.parent_id


def describe_files(files: Sequence[Attachment]) -> str:
    """Return files that came without a text in words: `(photo × 3, video)`."""
    counts = Counter(file.kind.replace("_", " ") for file in files)
    return content(f"({', '.join(kind if n == 1 else f'{kind} × {n}' for kind, n in counts.items())})")


def add_files(meta: dict[str, str], files: Sequence[Attachment], image: Attachment | None) -> None:
    """Add the files of a message to its meta; a picture that is the only one is told by `image_path` alone."""
    if not files or (len(files) == 1 and image is not None):
        return
    described = [_file(file) for file in files]
    meta |= {f"attachment_{key}": str(value) for key, value in described[0].items() if value is not None}
    meta |= {"attachment_count": str(len(files)), "attachments": json.dumps(described, ensure_ascii=False)}


def _add_reply(meta: dict[str, str], reply: ReplyContext) -> None:
    if reply.message_id:
        meta["reply_to_message_id"] = attribute(reply.message_id)
    if reply.user:
        meta["reply_to_user"] = attribute(reply.user)
    if reply.text:
        meta["reply_to_text"] = attribute(reply.text, CAPS["quote"], lines=True)
    if reply.files:
        meta["reply_to_attachments"] = json.dumps([_file(file) for file in reply.files], ensure_ascii=False)


def _file(attachment: Attachment) -> dict[str, object]:
    return {
        "kind": attribute(attachment.kind),
        "file_id": attribute(attachment.file_id, 512),
        "name": file_name(attachment.name) if attachment.name else None,
        "mime": attribute(attachment.mime) if attachment.mime else None,
        "size": attachment.size,
    }
