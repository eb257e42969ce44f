"""Discord's JSON objects made of the records: channels, guilds, members, roles, the application."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.discord.records import FORUM, DiscordUser, Guild, GuildChannel, Role, iso

__all__ = ["application_object", "channel_object", "emoji_object", "guild_object", "member_object"]

# Application flags: "...LIMITED" marks an unverified application that has switched the intent on.
GATEWAY_GUILD_MEMBERS_LIMITED = 1 << 15
GATEWAY_MESSAGE_CONTENT_LIMITED = 1 << 19

# Guild fields that are null here.
NULL_FIELDS = """icon splash discovery_splash banner description afk_channel_id system_channel_id rules_channel_id
public_updates_channel_id safety_alerts_channel_id vanity_url_code application_id max_presences"""


def _overwrite_objects(channel: GuildChannel) -> list[dict[str, Any]]:
    return [
        {"id": str(target), "type": kind, "allow": str(allow), "deny": str(deny)}
        for target, (kind, allow, deny) in channel.overwrites.items()
    ]


def _optional_id(value: int | None) -> str | None:
    return None if value is None else str(value)


def channel_object(channel: GuildChannel, viewer: int) -> dict[str, Any]:
    """Return the Channel object as the bot with id `viewer` sees it."""
    base: dict[str, Any] = {"id": str(channel.id), "type": channel.kind, "flags": 0}
    base["last_message_id"] = _optional_id(channel.last_message_id)
    if channel.guild is None:
        recipients = [channel.recipient.as_dict()] if channel.recipient else []
        return {**base, "recipients": recipients}
    base |= {"guild_id": str(channel.guild.id), "name": channel.name, "rate_limit_per_user": 0}
    base["parent_id"] = _optional_id(channel.parent.id if channel.parent else None)
    if channel.is_thread:
        return {**base, **_thread_fields(channel, viewer)}
    base |= {"position": channel.position, "permission_overwrites": _overwrite_objects(channel), "nsfw": False}
    base["topic"] = channel.topic
    if channel.kind == FORUM:
        base |= {"available_tags": [], "default_reaction_emoji": None, "default_sort_order": None}
        base["default_forum_layout"] = 0
    return base


def _thread_fields(channel: GuildChannel, viewer: int) -> dict[str, Any]:
    # The message a thread started from is not counted.
    count = sum(message_id != channel.id and message["type"] != 21 for message_id, message in channel.messages.items())
    fields: dict[str, Any] = {
        "owner_id": str(channel.owner_id),
        "message_count": count,
        "member_count": min(len(channel.members), 50),
        "total_message_sent": channel.total_sent,
        "thread_metadata": {
            "archived": channel.archived,
            "archive_timestamp": iso(channel.created),
            "auto_archive_duration": channel.archive_minutes,
            "locked": channel.locked,
            "create_timestamp": iso(channel.created),
        },
    }
    if viewer in channel.members:
        joined = {"id": str(channel.id), "user_id": str(viewer), "join_timestamp": iso(channel.created), "flags": 0}
        fields["member"] = joined
    return fields


def _role_object(role: Role, position: int) -> dict[str, Any]:
    made: dict[str, Any] = {"id": str(role.id), "name": role.name, "permissions": str(role.permissions)}
    made |= {"color": 0, "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None}}
    made |= {"hoist": False, "icon": None, "unicode_emoji": None, "position": position, "mentionable": True}
    made |= {"managed": role.bot_id is not None, "flags": 0}
    if role.bot_id is not None:
        made["tags"] = {"bot_id": str(role.bot_id)}
    return made


def emoji_object(guild: Guild, emoji_id: int) -> dict[str, Any]:
    """Return the Emoji object of a guild's own emoji."""
    made = {"id": str(emoji_id), "name": guild.emojis[emoji_id], "roles": [], "require_colons": True}
    return {**made, "managed": False, "animated": False, "available": True}


def member_object(guild: Guild, user: DiscordUser, *, with_user: bool = True) -> dict[str, Any]:
    """Return the Guild Member object; messages carry it without `user`."""
    roles = [str(role.id) for role in guild.roles.values() if user.id in role.members]
    member: dict[str, Any] = {"roles": roles, "nick": guild.nicks.get(user.id), "avatar": None, "banner": None}
    member |= {"joined_at": iso(guild.members.get(user.id, 0.0)), "premium_since": None, "deaf": False, "mute": False}
    member |= {"pending": False, "communication_disabled_until": None, "flags": 0}
    if with_user:
        member["user"] = user.as_dict()
    return member


def guild_object(guild: Guild) -> dict[str, Any]:
    """Return the Guild object as GET /guilds/{id} has it."""
    made: dict[str, Any] = {"id": str(guild.id), "name": guild.name, "owner_id": str(guild.owner_id)}
    made |= dict.fromkeys(NULL_FIELDS.split())
    made |= {"afk_timeout": 300, "verification_level": 0, "default_message_notifications": 0, "mfa_level": 0}
    made |= {"explicit_content_filter": 0, "features": [], "system_channel_flags": 0, "preferred_locale": "en-US"}
    made |= {"nsfw": False, "nsfw_level": 0, "premium_progress_bar_enabled": False, "premium_subscription_count": 0}
    made |= {"premium_tier": guild.premium_tier, "max_members": 500_000, "stickers": []}
    made["roles"] = [_role_object(role, position) for position, role in enumerate(guild.roles.values())]
    made["emojis"] = [emoji_object(guild, emoji_id) for emoji_id in guild.emojis]
    return made


def application_object(bot: DiscordUser, owner: DiscordUser, *, members: bool, content: bool) -> dict[str, Any]:
    """Return GET /oauth2/applications/@me; `members`, `content`: the privileged intents that are switched on."""
    flags = (GATEWAY_GUILD_MEMBERS_LIMITED if members else 0) | (GATEWAY_MESSAGE_CONTENT_LIMITED if content else 0)
    made: dict[str, Any] = {"id": str(bot.id), "name": bot.username, "icon": None, "description": "", "summary": ""}
    made |= {"type": None, "is_monetized": False, "bot_public": True, "bot_require_code_grant": False, "flags": flags}
    made |= {"verify_key": "0" * 64, "hook": True, "owner": owner.as_dict(), "team": None, "bot": bot.as_dict()}
    made |= {"redirect_uris": [], "interactions_endpoint_url": None, "role_connections_verification_url": None}
    return {**made, "approximate_guild_count": 0, "integration_types_config": {"0": {}}}
