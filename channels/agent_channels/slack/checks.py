"""Checks of a set-up that only Slack has: scopes, Socket Mode, membership in every enabled channel, its clock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import anyio

from agent_channels.core.contract.checks import Check, EnabledGroup, Finding, Setup, fine, note, wrong
from agent_channels.core.contract.clock import skew
from agent_channels.core.errors import Forbidden, PlatformError, Rejected, Unauthorized
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.slack.adapter import SlackAdapter
from agent_channels.slack.settings import SCOPES

__all__ = ["checks"]

_WHERE = "https://api.slack.com/apps"


def checks(adapter: SlackAdapter, setup: Setup) -> Mapping[str, Check]:
    """Return the checks by name."""
    named = {"scopes": scopes, "socket": socket, "connections": connections, "membership": membership, "clock": clock}
    return {name: partial(check, adapter, setup) for name, check in named.items()}


async def scopes(adapter: SlackAdapter, _setup: Setup) -> Finding:
    """What the bot token is allowed, against what is needed."""
    granted = await adapter.scopes()
    if granted is None:
        return note("Slack does not say what the bot token is allowed", "no x-oauth-scopes in the answer of auth.test")
    missing = [scope for scope in SCOPES if scope not in granted]
    evidence = sentence("{count} of {total} scopes", count=len(SCOPES) - len(missing), total=len(SCOPES))
    if not missing:
        return fine("the bot token has every scope it needs", evidence)
    return wrong(
        sentence("the bot token lacks {scopes}", scopes=", ".join(missing)),
        evidence,
        sentence("add them under OAuth & Permissions at {where} and install the app again", where=_WHERE),
    )


async def socket(adapter: SlackAdapter, _setup: Setup) -> Finding:
    """Whether the app-level token opens a connection, which nothing can be read without."""
    try:
        await adapter.socket_address()
    except (Unauthorized, Forbidden, Rejected) as error:
        return wrong(
            sentence("the app-level token opens no connection: {error}", error=words_of(error)),
            "apps.connections.open",
            sentence(
                "see at {where} that Socket Mode is on, and make a token with connections:write under Basic "
                "Information, App-Level Tokens; then `channels setup slack`",
                where=_WHERE,
            ),
        )
    return fine("the app-level token opens connections", "apps.connections.open")


async def connections(_adapter: SlackAdapter, setup: Setup) -> Finding:
    """Whether other programs are connected to the app, as the reader was told at its last greeting."""
    told = str((setup.facts.get("reader") or {}).get("note") or "")
    if "connections of this Slack app" not in told:
        return fine("no other program is known to be connected to this app")
    return wrong(
        "other programs are connected to this Slack app and take messages away",
        told,
        "end the other programs, or give this project an app of its own",
    )


async def membership(adapter: SlackAdapter, setup: Setup) -> Finding:
    """Whether the bot is in every enabled channel."""
    if not setup.groups:
        return note(
            "no channel is enabled; direct messages only",
            next_="write /invite @ and the bot's name in a channel, then `channels access slack group add CHANNEL_ID`",
        )
    found: list[str] = []
    async with anyio.create_task_group() as tasks:
        for channel in setup.groups:
            tasks.start_soon(_check_channel, adapter, channel, found)
    if not found:
        return fine(sentence("the bot is in {groups} enabled channels", groups=len(setup.groups)))
    return wrong(joined(sorted(found)), "conversations.info", "write /invite @ and the bot's name in each of them")


async def _check_channel(adapter: SlackAdapter, enabled: EnabledGroup, found: list[str]) -> None:
    """Add a sentence to `found` when the bot is not in the channel."""
    try:
        channel = await adapter.chat(enabled.id)
    except PlatformError as error:
        found.append(sentence("the bot does not see {place}: {error}", place=enabled.label, error=words_of(error)))
        return
    if channel.get("is_archived"):
        found.append(sentence("{place} is archived", place=enabled.label))
    elif not channel.get("is_member") and not channel.get("is_mpim"):
        found.append(sentence("the bot is not in {place}", place=enabled.label))


async def clock(adapter: SlackAdapter, _setup: Setup) -> Finding:
    """The date on an answer, against this machine's clock."""
    return skew(await adapter.date())
