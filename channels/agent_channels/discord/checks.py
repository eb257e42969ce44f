"""What only Discord can be asked about a set-up: intents, permissions in every enabled channel, its clock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio

from agent_channels.core.contract.checks import Check, Finding, Place, Setup, fine, note, wrong
from agent_channels.core.contract.clock import skew
from agent_channels.core.errors import Forbidden, Rejected
from agent_channels.discord.adapter import DiscordAdapter
from agent_channels.discord.settings import PERMISSIONS, invite_link

__all__ = ["checks"]

# Application flags ("Application Flags"): Message Content is switched on, for bots in many servers, and in few.
_CONTENT = 1 << 18 | 1 << 19
_ADMINISTRATOR = 1 << 3
# "Bitwise Permission Flags", those that PERMISSIONS asks for.
_NAMES = {
    1 << 6: "Add Reactions",
    1 << 10: "View Channel",
    1 << 11: "Send Messages",
    1 << 14: "Embed Links",
    1 << 15: "Attach Files",
    1 << 16: "Read Message History",
    1 << 38: "Send Messages in Threads",
}
# Below this many, a few reconnects use up the day's ration and the token is reset.
_SPARE = 20


def checks(adapter: DiscordAdapter, case: Setup) -> Mapping[str, Check]:
    """Each check by its name."""
    found = {"intents": intents, "permissions": permissions, "connections": connections, "clock": clock}
    return {name: partial(check, adapter, case) for name, check in found.items()}


async def intents(adapter: DiscordAdapter, case: Setup) -> Finding:
    """The application's flags: without Message Content the gateway refuses the connection (4014)."""
    application = await adapter.get("/applications/@me")
    flags = int(application.get("flags") or 0)
    if flags & _CONTENT:
        return fine("Message Content Intent is on", f"application flags {flags}")
    return wrong(
        "Message Content Intent is off, so Discord refuses the connection (close code 4014)",
        f"application flags {flags}",
        f"switch it on at https://discord.com/developers/applications/{case.bot_id}/bot, under Privileged Gateway "
        "Intents",
    )


async def connections(adapter: DiscordAdapter, _case: Setup) -> Finding:
    """How many connections may still be opened today."""
    limit = (await adapter.get("/gateway/bot")).get("session_start_limit") or {}
    left, total = int(limit.get("remaining", _SPARE)), int(limit.get("total", 1000))
    evidence = f"{left} of {total} are left; more in {int(limit.get('reset_after', 0)) // 60_000} minutes"
    if left >= _SPARE:
        return fine("there are connections left for today", evidence)
    return wrong(
        "Discord's ration of new connections is nearly used up, and beyond it the token is reset",
        evidence,
        "end other programs that connect this bot again and again; ours waits for the next ration by itself",
    )


async def permissions(adapter: DiscordAdapter, case: Setup) -> Finding:
    """What the bot may do in every enabled channel."""
    if not case.places:
        return note(
            "no channel of a server is enabled; direct messages only",
            next_=f"let the bot into a server ({invite_link(case.bot_id or '')}), then `group add CHANNEL_ID`",
        )
    found: list[str] = []
    async with anyio.create_task_group() as group:
        for place in case.places:
            group.start_soon(_one, adapter, case.bot_id or "", place, found)
    if not found:
        return fine(f"the bot may do what it has to in {len(case.places)} enabled channels")
    return wrong(
        "; ".join(sorted(found)),
        "computed from its roles and the channel's overwrites",
        "give the bot's role these permissions, in the server's settings or in the channel's, or invite it again with "
        f"{invite_link(case.bot_id or '')}",
    )


async def _one(adapter: DiscordAdapter, me: str, place: Place, found: list[str]) -> None:
    try:
        channel = await adapter.get(f"/channels/{place.id}")
        if "guild_id" not in channel:
            return
        rules = channel
        if channel.get("type") in {10, 11, 12}:
            rules = await adapter.get(f"/channels/{channel['parent_id']}")
        guild = await adapter.get(f"/guilds/{channel['guild_id']}")
        member = await adapter.get(f"/guilds/{channel['guild_id']}/members/{me}")
    except (Forbidden, Rejected) as error:
        found.append(f"the bot does not see {place.shown}: {error}")
        return
    missing = PERMISSIONS & ~allowed(guild, rules, member, me)
    if missing:
        names = ", ".join(name for bit, name in _NAMES.items() if missing & bit)
        found.append(f"the bot lacks {names} in {place.shown}")


def allowed(guild: dict[str, Any], channel: dict[str, Any], member: dict[str, Any], me: str) -> int:
    """The permission bits of a member in a channel ("Permission Overwrites": everyone, then roles, then the member)."""
    everyone, roles = str(guild["id"]), {str(role) for role in member.get("roles") or ()}
    granted = {str(role["id"]): int(role["permissions"]) for role in guild["roles"]}
    base = granted.get(everyone, 0)
    for role in roles:
        base |= granted.get(role, 0)
    if base & _ADMINISTRATOR or str(guild.get("owner_id")) == me:
        return -1
    overwrites = {str(one["id"]): one for one in channel.get("permission_overwrites") or ()}
    for group in ({everyone}, roles, {me}):
        chosen = [one for key, one in overwrites.items() if key in group]
        deny, allow = _union(chosen, "deny"), _union(chosen, "allow")
        base = base & ~deny | allow
    return base


def _union(overwrites: list[dict[str, Any]], kind: str) -> int:
    bits = 0
    for one in overwrites:
        bits |= int(one[kind])
    return bits


async def clock(adapter: DiscordAdapter, _case: Setup) -> Finding:
    """The Date of an answer, against this machine's clock."""
    return skew(await adapter.date())
