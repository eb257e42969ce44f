"""Checks of a set-up that only Discord has: intents, permissions in every enabled channel, connections, its clock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio

from agent_channels.core.contract.checks import Check, EnabledGroup, Finding, Setup, fine, note, wrong
from agent_channels.core.contract.clock import skew
from agent_channels.core.errors import Forbidden, Rejected
from agent_channels.core.i18n.sentences import counted, joined, sentence, words_of
from agent_channels.discord.adapter import DiscordAdapter
from agent_channels.discord.http import CONTENT_FLAGS
from agent_channels.discord.settings import PERMISSIONS, invite_link

__all__ = ["checks"]

_ADMINISTRATOR = 1 << 3
# "Bitwise Permission Flags": the names of those in PERMISSIONS.
_NAMES = {
    1 << 6: "Add Reactions",
    1 << 10: "View Channel",
    1 << 11: "Send Messages",
    1 << 14: "Embed Links",
    1 << 15: "Attach Files",
    1 << 16: "Read Message History",
    1 << 38: "Send Messages in Threads",
}
# With fewer left, a few reconnects use up the day's ration, and then the token is reset.
_SPARE = 20


def checks(adapter: DiscordAdapter, setup: Setup) -> Mapping[str, Check]:
    """Return the checks by name."""
    named = {
        "intents": intents,
        "servers": servers,
        "permissions": permissions,
        "connections": connections,
        "clock": clock,
    }
    return {name: partial(check, adapter, setup) for name, check in named.items()}


async def intents(adapter: DiscordAdapter, setup: Setup) -> Finding:
    """The application's flags: without Message Content the gateway refuses the connection (4014)."""
    application = await adapter.get("/applications/@me")
    flags = int(application.get("flags") or 0)
    if flags & CONTENT_FLAGS:
        return fine("Message Content Intent is on", sentence("application flags {flags}", flags=flags))
    return wrong(
        "Message Content Intent is off, so Discord refuses the connection (close code 4014)",
        sentence("application flags {flags}", flags=flags),
        sentence(
            "switch it on at https://discord.com/developers/applications/{bot_id}/bot, under Privileged "
            "Gateway Intents",
            bot_id=setup.bot_id,
        ),
    )


async def servers(adapter: DiscordAdapter, setup: Setup) -> Finding:
    """Whether anybody shares a server with the bot: nobody else can write to it."""
    found = await adapter.get("/users/@me/guilds")
    if found:
        return fine(sentence("the bot is in {servers}", servers=counted(len(found), "server")))
    return note(
        "the bot is in no server yet, so nobody can write to it, not even directly",
        "GET /users/@me/guilds: none",
        sentence("let it into one of yours: {link}", link=invite_link(setup.bot_id or "")),
    )


async def connections(adapter: DiscordAdapter, _setup: Setup) -> Finding:
    """How many connections can still be opened today."""
    limit = (await adapter.get("/gateway/bot")).get("session_start_limit") or {}
    left, total = int(limit.get("remaining", _SPARE)), int(limit.get("total", 1000))
    minutes = -(-int(limit.get("reset_after", 0)) // 60_000)
    evidence = sentence("{left:,} of {total:,} are left", left=left, total=total)
    if left < total:
        evidence = joined([evidence, sentence("all again in {minutes}", minutes=counted(minutes, "minute"))])
    if left >= _SPARE:
        return fine("there are connections left for today", evidence)
    return wrong(
        "Discord's ration of new connections is nearly used up, and beyond it the token is reset",
        evidence,
        "end other programs that connect this bot again and again; ours waits for the next ration on its own",
    )


async def permissions(adapter: DiscordAdapter, setup: Setup) -> Finding:
    """The bot's permissions in every enabled channel."""
    if not setup.groups:
        return note(
            "no channel of a server is enabled; direct messages only",
            next_=sentence(
                "let the bot into a server ({link}), then `channels access discord group add CHANNEL_ID`",
                link=invite_link(setup.bot_id or ""),
            ),
        )
    found: list[str] = []
    async with anyio.create_task_group() as tasks:
        for channel in setup.groups:
            tasks.start_soon(_check_channel, adapter, setup.bot_id or "", channel, found)
    if not found:
        return fine(sentence("the bot has its permissions in {groups} enabled channels", groups=len(setup.groups)))
    return wrong(
        joined(sorted(found)),
        "computed from its roles and the channel's overwrites",
        sentence(
            "give the bot's role these permissions, in the server's settings or in the channel's, or invite "
            "it again with {link}",
            link=invite_link(setup.bot_id or ""),
        ),
    )


async def _check_channel(adapter: DiscordAdapter, me: str, enabled: EnabledGroup, found: list[str]) -> None:
    """Add a sentence to `found` when the bot lacks a permission in the channel."""
    try:
        channel = await adapter.get(f"/channels/{enabled.id}")
        if "guild_id" not in channel:
            return
        rules = channel
        if channel.get("type") in {10, 11, 12}:
            rules = await adapter.get(f"/channels/{channel['parent_id']}")
        guild = await adapter.get(f"/guilds/{channel['guild_id']}")
        member = await adapter.get(f"/guilds/{channel['guild_id']}/members/{me}")
    except (Forbidden, Rejected) as error:
        found.append(sentence("the bot does not see {place}: {error}", place=enabled.label, error=words_of(error)))
        return
    missing = PERMISSIONS & ~allowed(guild, rules, member, me)
    if missing:
        names = ", ".join(name for bit, name in _NAMES.items() if missing & bit)
        found.append(sentence("the bot lacks {names} in {place}", names=names, place=enabled.label))


def allowed(guild: dict[str, Any], channel: dict[str, Any], member: dict[str, Any], me: str) -> int:
    """Return a member's permission bits in a channel: for everyone, then its roles, then itself ("Permissions")."""
    everyone, roles = str(guild["id"]), {str(role) for role in member.get("roles") or ()}
    granted = {str(role["id"]): int(role["permissions"]) for role in guild["roles"]}
    base = granted.get(everyone, 0)
    for role in roles:
        base |= granted.get(role, 0)
    if base & _ADMINISTRATOR or str(guild.get("owner_id")) == me:
        return -1
    overwrites = channel.get("permission_overwrites") or ()
    for ids in ({everyone}, roles, {me}):
        chosen = [overwrite for overwrite in overwrites if str(overwrite["id"]) in ids]
        deny, allow = _union(chosen, "deny"), _union(chosen, "allow")
        base = base & ~deny | allow
    return base


def _union(overwrites: list[dict[str, Any]], kind: str) -> int:
    bits = 0
    for overwrite in overwrites:
        bits |= int(overwrite[kind])
    return bits


async def clock(adapter: DiscordAdapter, _setup: Setup) -> Finding:
    """The date on an answer, against this machine's clock."""
    return skew(await adapter.date())
