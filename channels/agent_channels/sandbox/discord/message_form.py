"""The form of a message: what a bot may send, checked into the fields that are kept."""

from __future__ import annotations

import re
from typing import Any

from agent_channels.sandbox.discord.attachments import UploadedFile
from agent_channels.sandbox.discord.components import checked_rows
from agent_channels.sandbox.discord.errors import DiscordError, FormErrors, refused, too_large
from agent_channels.sandbox.discord.records import GuildChannel, Message
from agent_channels.sandbox.discord.state import DiscordState

__all__ = [
    "EPHEMERAL",
    "HAS_THREAD",
    "LOADING",
    "SUPPRESS_EMBEDS",
    "AllowedMentions",
    "message_form",
    "parse_allowed_mentions",
]

# "Message Flags"
SUPPRESS_EMBEDS, HAS_THREAD, EPHEMERAL, LOADING, SILENT, COMPONENTS_V2 = 4, 32, 64, 128, 4096, 1 << 15
CONTENT_LIMIT = 2000
FILES_LIMIT = 10
DEFAULT_UPLOAD = 10 << 20
MENTION = re.compile(r"<@(&?)!?(\d+)>")
EMBED_TOTAL = 6000


class AllowedMentions:
    """Who a text reaches: `allowed` is the allowed_mentions of the call, None for everybody."""

    def __init__(self, allowed: dict[str, Any] | None) -> None:
        self.parse = {"everyone", "users", "roles"} if allowed is None else set(allowed.get("parse") or ())
        self.users = {int(one) for one in (allowed or {}).get("users") or ()}
        self.roles = {int(one) for one in (allowed or {}).get("roles") or ()}
        self.replied_user = allowed is None or bool(allowed.get("replied_user"))

    def fields(
        self, state: DiscordState, channel: GuildChannel, author_id: int, content: str, replied_to: int = 0
    ) -> Message:
        """`mentions`, `mention_roles` and `mention_everyone` of a text in a channel."""
        found = [(kind == "&", int(number)) for kind, number in MENTION.findall(content)]
        users = [one for is_role, one in found if not is_role and ("users" in self.parse or one in self.users)]
        if replied_to and self.replied_user:
            users.append(replied_to)
        known = channel.guild.roles if channel.guild else {}
        roles = [one for is_role, one in found if is_role and ("roles" in self.parse or one in self.roles)]
        loud = "@everyone" in content or "@here" in content
        may = channel.guild is not None and channel.can(author_id, "mention_everyone")
        return {
            "mentions": [state.users[one].as_dict() for one in dict.fromkeys(users) if one in state.users],
            "mention_roles": [str(one) for one in dict.fromkeys(roles) if one in known],
            "mention_everyone": loud and may and "everyone" in self.parse,
        }


def parse_allowed_mentions(value: Any, problems: FormErrors) -> AllowedMentions:
    """`allowed_mentions` of a call."""
    if value is None:
        return AllowedMentions(None)
    path = "allowed_mentions"
    allowed = problems.model(value, path)
    parse = problems.items(allowed.get("parse"), f"{path}.parse", 0, 3)
    for index, one in enumerate(parse):
        if one not in ("users", "roles", "everyone"):
            problems.choices(f"{path}.parse.{index}", ("roles", "users", "everyone"))
    for name in ("users", "roles"):
        ids = problems.items(allowed.get(name), f"{path}.{name}", 0, 100)
        for index, one in enumerate(ids):
            problems.snowflake(one, f"{path}.{name}.{index}")
        if ids and name in parse:
            text = f'parse:["{name}"] and {name}: [ids...] are mutually exclusive.'
            problems.add(path, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text)
    problems.check()
    return AllowedMentions(allowed)


def message_form(
    state: DiscordState,
    channel: GuildChannel,
    values: dict[str, Any],
    files: list[UploadedFile],
    *,
    old: Message | None = None,
    prefix: str = "",
) -> tuple[Message, AllowedMentions]:
    """The fields of a new message, or of an edit of `old`, and whom it may ping. Raises DiscordError.

    `prefix` comes before every path of a form error, as in `data.` for an interaction's answer.
    """
    problems = FormErrors()
    fields: Message = {}
    if old is None or "content" in values:
        fields["content"] = _content(values.get("content"), problems, f"{prefix}content")
    if "components" in values:
        fields["components"] = checked_rows(values["components"], problems, f"{prefix}components")
    if "embeds" in values:
        fields["embeds"] = _embeds(values["embeds"], problems, f"{prefix}embeds")
    flags = problems.number(values.get("flags"), f"{prefix}flags", 0, 1 << 31, 0)
    if flags & COMPONENTS_V2:
        problems.add(f"{prefix}flags", "MESSAGE_CANNOT_USE_COMPONENTS_V2", "the sandbox knows rows and menus only")
    fields |= _flags(flags, values, old)
    if old is None and values.get("tts") is True:
        fields["tts"] = True
    pings = parse_allowed_mentions(values.get("allowed_mentions"), problems)
    listed = _listed(values, files, old, problems, f"{prefix}attachments")
    problems.check()
    _check_files(channel, files, listed)
    _check_something({**(old or {}), **fields}, files, listed)
    if files or listed is not None:
        fields["attachments"] = _stored(state, channel, files, values, listed)
    return fields, pings


def _content(value: Any, problems: FormErrors, path: str) -> str:
    text = value.strip() if isinstance(value, str) else value
    return problems.text(str(text) if isinstance(text, int) else text, path, 0, CONTENT_LIMIT)


def _flags(flags: int, values: dict[str, Any], old: Message | None) -> Message:
    if old is None:
        kept = flags & (SUPPRESS_EMBEDS | SILENT)
        return {"flags": kept} if kept else {}
    if "flags" not in values:
        return {}
    return {"flags": old["flags"] & ~SUPPRESS_EMBEDS | flags & SUPPRESS_EMBEDS}


def _embeds(value: Any, problems: FormErrors, path: str) -> list[dict[str, Any]]:
    kept, total = [], 0
    for index, each in enumerate(problems.items(value, path, 0, 10)):
        embed = problems.model(each, f"{path}.{index}")
        title = problems.text(embed.get("title"), f"{path}.{index}.title", 0, 256)
        description = problems.text(embed.get("description"), f"{path}.{index}.description", 0, 4096)
        problems.items(embed.get("fields"), f"{path}.{index}.fields", 0, 25)
        total += len(title) + len(description)
        kept.append({"type": "rich", **embed})
    if total > EMBED_TOTAL:
        text = f"Embed size exceeds maximum size of {EMBED_TOTAL}"
        problems.add(path, "MAX_EMBED_SIZE_EXCEEDED", text)
    return kept


def _listed(
    values: dict[str, Any], files: list[UploadedFile], old: Message | None, problems: FormErrors, path: str
) -> list[str] | None:
    """Ids of the attachments an edit keeps, None when it does not say; what is neither kept nor sent is an error."""
    if values.get("attachments") is None:
        return None
    known = set(old["attachments"]) if old else set()
    kept = []
    for index, each in enumerate(problems.items(values["attachments"], path, 0, FILES_LIMIT)):
        number = problems.snowflake(problems.model(each, f"{path}.{index}").get("id"), f"{path}.{index}.id")
        if str(number) in known:
            kept.append(str(number))
        elif number >= len(files):
            text = f"Attachment data not found for upload {number}"
            problems.add(f"{path}.{index}", "ATTACHMENT_NOT_FOUND", text)
    return kept


def _check_files(channel: GuildChannel, files: list[UploadedFile], listed: list[str] | None) -> None:
    if len(files) + len(listed or ()) > FILES_LIMIT:
        raise refused(30015)
    limit = channel.guild.upload_limit if channel.guild else DEFAULT_UPLOAD
    if any(len(upload.data) > limit for upload in files):
        raise too_large()


def _check_something(fields: Message, files: list[UploadedFile], listed: list[str] | None) -> None:
    kept = fields.get("attachments", []) if listed is None else listed
    if not (fields.get("content") or fields.get("embeds") or fields.get("components") or files or kept):
        raise refused(50006)


def _stored(
    state: DiscordState,
    channel: GuildChannel,
    files: list[UploadedFile],
    values: dict[str, Any],
    listed: list[str] | None,
) -> list[str]:
    told = {str(one.get("id")): one for one in values.get("attachments") or () if isinstance(one, dict)}
    kept = list(listed or ())
    for index, upload in enumerate(files):
        about = told.get(str(index), {})
        name = str(about.get("filename") or upload.file_name)
        mime = "" if upload.mime == "application/octet-stream" else upload.mime
        file = state.files.store(channel.id, name, upload.data, mime, str(about.get("description") or ""))
        kept.append(str(file.id))
    return kept


def reply_error(code: str, text: str) -> DiscordError:
    """The refusal of a message_reference."""
    problems = FormErrors()
    problems.add("message_reference", code, text)
    return DiscordError(400, 50035, "Invalid Form Body", problems.tree)
