"""What a message holds: its text with names for ids, and everything else in words."""

from __future__ import annotations

import html
import re

from agent_channels.core.contract.messages import Identity
from agent_channels.core.i18n.messages import translate
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.times import epoch_iso
from agent_channels.slack.attachments import lost_files
from agent_channels.slack.chats import Json
from agent_channels.slack.rich_content import rich_words

__all__ = ["NOBODYS", "describe", "mentioned_users", "readable_text", "without_mention", "words_of"]

# "Message subtypes": what Slack itself says of a chat, in which nothing is for the agent.
_NOBODYS_NAMES = """
bot_add bot_remove bot_disable bot_enable channel_archive channel_convert_to_private channel_convert_to_public
channel_join channel_leave channel_name channel_posting_permissions channel_purpose channel_topic channel_unarchive
group_archive group_join group_leave group_name group_purpose group_topic group_unarchive ekm_access_denied
message_deleted message_replied pinned_item unpinned_item reminder_add sh_room_created sh_room_shared tombstone
assistant_app_thread huddle_thread"""
NOBODYS = frozenset(_NOBODYS_NAMES.split())
# In angle brackets Slack writes what is not text: @user, #channel, !word, or an address, with a label after a bar.
_REFERENCE = lazy_pattern(r"<([^<>\n]+)>")
_USER = lazy_pattern(r"<@([UW][A-Z0-9]+)(?:\|[^<>\n]*)?>")
_DATE = lazy_pattern(r"date\^(-?\d{1,12})\^.*")


def mentioned_users(message: Json) -> list[str]:
    """Return the ids of the people whom a message mentions."""
    return _USER.findall(str(message.get("text") or ""))


def without_mention(text: str, own_user: str) -> str:
    """Return the text of a raw message without a mention of the bot at its beginning."""
    return re.sub(rf"^\s*<@{re.escape(own_user)}(?:\|[^<>\n]*)?>[\s:,]*", "", text)


def words_of(message: Json, names: Json, me: Identity, own_user: str) -> str:
    """Return everything that a message says: text, blocks, attachments. Empty for files alone."""
    text = readable_text(str(message.get("text") or ""), names, me, own_user)
    added = readable_text(rich_words(message, has_text=bool(text)), names, me, own_user)
    lost = translate("kind_unknown", kind="file") if lost_files(message) else ""
    return "\n".join(filter(None, (text, added, lost)))


def readable_text(text: str, names: Json, me: Identity, own_user: str) -> str:
    """Return a text as people see it: names for ids, addresses with their labels, moments as ISO times."""

    def shown(match: re.Match[str]) -> str:
        target, _, label = match[1].partition("|")
        if target.startswith("@"):
            user = target[1:]
            known = (names.get("users") or {}).get(user) or {}
            name = me.username if user == own_user else known.get("handle") or known.get("name") or label or user
            return f"@{str(name).removeprefix('@')}"
        if target.startswith("#"):
            return f"#{label or (names.get('channels') or {}).get(target[1:]) or target[1:]}"
        if target.startswith("!"):
            return _special(target[1:], label)
        address = target.removeprefix("mailto:").removeprefix("tel:")
        return f"{label} ({address})" if label not in {"", address, target} else label or address

    return html.unescape(_REFERENCE.sub(shown, text)).strip()


def _special(word: str, label: str) -> str:
    if moment := _DATE.fullmatch(word):
        try:
            return epoch_iso(moment[1]) or label
        except (ValueError, OverflowError):
            return label
    return label or f"@{word.partition('^')[0]}"


def describe(message: Json) -> str:
    """Describe the content of a message without a text or files, so that nothing is dropped silently."""
    if kind := message.get("subtype"):
        return translate("kind_unknown", kind=str(kind).replace("_", " "))
    return f"({translate('kind_empty')})"
