"""The form of a message: what a bot sends, checked and turned into message fields."""

from __future__ import annotations

import re
from typing import Any

from agent_channels.sandbox.discord.components import checked_rows
from agent_channels.sandbox.discord.errors import DiscordError, FormErrors, refused, too_large
from agent_channels.sandbox.discord.records import GuildChannel, Message
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.multipart import UploadedFile

__all__ = [
    "CONTENT_LIMIT",
    "EPHEMERAL",
    "HAS_THREAD",
    "LOADING",
    "AllowedMentions",
    "message_fields",
    "reference_error",
]

# "Message Flags"
SUPPRESS_EMBEDS, HAS_THREAD, EPHEMERAL, LOADING, SILENT, COMPONENTS_V2 = 4, 32, 64, 128, 4096, 1 << 15
CONTENT_LIMIT = 2000
FILES_LIMIT = 10
DEFAULT_UPLOAD = 10 << 20
MENTION = re.compile(r"<@(&?)!?(\d+)>")
EMBED_TOTAL = 6000


class AllowedMentions:
    """The people and roles that a text may mention; `allowed` is the call's allowed_mentions, None allows everybody."""

    def __init__(self, allowed: dict[str, Any] | None) -> None:
        self.parse = {"everyone", "users", "roles"} if allowed is None else set(allowed.get("parse") or ())
        self.users = {int(user_id) for user_id in (allowed or {}).get("users") or ()}
        self.roles = {int(role_id) for role_id in (allowed or {}).get("roles") or ()}
        self.replied_user = allowed is None or bool(allowed.get("replied_user"))

    def fields(
        self, state: DiscordState, channel: GuildChannel, author_id: int, content: str, replied_to: int = 0
    ) -> Message:
        """Return `mentions`, `mention_roles` and `mention_everyone` of a text in a channel."""
        found = [(kind == "&", int(number)) for kind, number in MENTION.findall(content)]
        users = [number for is_role, number in found if not is_role and ("users" in self.parse or number in self.users)]
        if replied_to and self.replied_user:
            users.append(replied_to)
        guild_roles = channel.guild.roles if channel.guild else {}
        roles = [number for is_role, number in found if is_role and ("roles" in self.parse or number in self.roles)]
        everyone = "@everyone" in content or "@here" in content
        may = channel.guild is not None and channel.can(author_id, "mention_everyone")
        return {
            "mentions": [state.users[number].as_dict() for number in dict.fromkeys(users) if number in state.users],
            "mention_roles": [str(number) for number in dict.fromkeys(roles) if number in guild_roles],
            "mention_everyone": everyone and may and "everyone" in self.parse,
        }


def _parse_allowed_mentions(value: Any, errors: FormErrors) -> AllowedMentions:
    if value is None:
        return AllowedMentions(None)
    path = "allowed_mentions"
    allowed = errors.model(value, path)
    parse = errors.items(allowed.get("parse"), f"{path}.parse", 0, 3)
    for index, name in enumerate(parse):
        if name not in ("users", "roles", "everyone"):
            errors.choices(f"{path}.parse.{index}", ("roles", "users", "everyone"))
    for name in ("users", "roles"):
        ids = errors.items(allowed.get(name), f"{path}.{name}", 0, 100)
        for index, number in enumerate(ids):
            errors.snowflake(number, f"{path}.{name}.{index}")
        if ids and name in parse:
            text = f'parse:["{name}"] and {name}: [ids...] are mutually exclusive.'
            errors.add(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text)
    errors.check()
    return AllowedMentions(allowed)


def message_fields(
    state: DiscordState,
    channel: GuildChannel,
    values: dict[str, Any],
    files: list[UploadedFile],
    *,
    old: Message | None = None,
    prefix: str = "",
) -> Message:
    """Return the fields of the bot's new message, or of its edit of `old`. Raises DiscordError.

    `prefix` precedes the path of every form error, as `data.` does for an interaction's answer.
    """
    errors = FormErrors()
    fields: Message = {}
    if old is None or "content" in values:
        fields["content"] = _content(values.get("content"), errors, f"{prefix}content")
    if "components" in values:
        fields["components"] = checked_rows(values["components"], errors, f"{prefix}components")
    if "embeds" in values:
        fields["embeds"] = _embeds(values["embeds"], errors, f"{prefix}embeds")
    flags = errors.number(values.get("flags"), f"{prefix}flags", 0, 1 << 31, 0)
    if flags & COMPONENTS_V2:
        errors.add(f"{prefix}flags", "MESSAGE_CANNOT_USE_COMPONENTS_V2", "the sandbox knows rows and menus only")
    fields |= _flags(flags, values, old)
    if old is None and values.get("tts") is True:
        fields["tts"] = True
    mentions = _parse_allowed_mentions(values.get("allowed_mentions"), errors)
    kept = _kept_attachments(values, files, old, errors, f"{prefix}attachments")
    errors.check()
    _check_files(channel, files, kept)
    _check_not_empty({**(old or {}), **fields}, files, kept)
    if files or kept is not None:
        fields["attachments"] = [*(kept or ()), *_store_files(state, channel, files, values)]
    if "content" in fields:
        fields |= mentions.fields(state, channel, state.bot.id, fields["content"])
    return fields


def _content(value: Any, errors: FormErrors, path: str) -> str:
    text = value.strip() if isinstance(value, str) else value
    return errors.text(str(text) if isinstance(text, int) else text, path, 0, CONTENT_LIMIT)


def _flags(flags: int, values: dict[str, Any], old: Message | None) -> Message:
    if old is None:
        kept = flags & (SUPPRESS_EMBEDS | SILENT)
        return {"flags": kept} if kept else {}
    if "flags" not in values:
        return {}
    return {"flags": old["flags"] & ~SUPPRESS_EMBEDS | flags & SUPPRESS_EMBEDS}


def _embeds(value: Any, errors: FormErrors, path: str) -> list[dict[str, Any]]:
    kept, total = [], 0
    for index, item in enumerate(errors.items(value, path, 0, 10)):
        embed = errors.model(item, f"{path}.{index}")
        title = errors.text(embed.get("title"), f"{path}.{index}.title", 0, 256)
        description = errors.text(embed.get("description"), f"{path}.{index}.description", 0, 4096)
        errors.items(embed.get("fields"), f"{path}.{index}.fields", 0, 25)
        total += len(title) + len(description)
        kept.append({"type": "rich", **embed})
    if total > EMBED_TOTAL:
        errors.add(path, "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {EMBED_TOTAL}")
    return kept


def _kept_attachments(
    values: dict[str, Any], files: list[UploadedFile], old: Message | None, errors: FormErrors, path: str
) -> list[str] | None:
    """Return the ids of the attachments an edit keeps, None when it does not list any."""
    if values.get("attachments") is None:
        return None
    known = set(old["attachments"]) if old else set()
    kept = []
    for index, item in enumerate(errors.items(values["attachments"], path, 0, FILES_LIMIT)):
        number = errors.snowflake(errors.model(item, f"{path}.{index}").get("id"), f"{path}.{index}.id")
        if str(number) in known:
            kept.append(str(number))
        elif number >= len(files):
            text = f"Attachment data not found for upload {number}"
            errors.add(f"{path}.{index}", "ATTACHMENT_NOT_FOUND", text)
    return kept


def _check_files(channel: GuildChannel, files: list[UploadedFile], kept: list[str] | None) -> None:
    if len(files) + len(kept or ()) > FILES_LIMIT:
        raise refused(30015)
    limit = channel.guild.upload_limit if channel.guild else DEFAULT_UPLOAD
    if any(len(upload.data) > limit for upload in files):
        raise too_large()


def _check_not_empty(fields: Message, files: list[UploadedFile], kept: list[str] | None) -> None:
    attachments = fields.get("attachments", []) if kept is None else kept
    if not (fields.get("content") or fields.get("embeds") or fields.get("components") or files or attachments):
        raise refused(50006)


def _store_files(
    state: DiscordState, channel: GuildChannel, files: list[UploadedFile], values: dict[str, Any]
) -> list[str]:
    described = {str(item.get("id")): item for item in values.get("attachments") or () if isinstance(item, dict)}
    stored = []
    for index, upload in enumerate(files):
        about = described.get(str(index), {})
        name = str(about.get("filename") or upload.file_name)
        mime = "" if upload.mime == "application/octet-stream" else upload.mime
        attachment = state.files.add(channel.id, name, upload.data, mime, str(about.get("description") or ""))
        stored.append(str(attachment.id))
    return stored


def reference_error(code: str, text: str) -> DiscordError:
    """Return the refusal of a message_reference."""
    errors = FormErrors()
    errors.add("message_reference", code, text)
    return DiscordError(400, 50035, "Invalid Form Body", errors.tree)
