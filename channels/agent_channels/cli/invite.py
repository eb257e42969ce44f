"""Invitations at the terminal: a code for one person, and where the platform has links, one to open or to scan."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from typing import Any

from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import Setup
from agent_channels.core.contract.messages import Identity
from agent_channels.core.doctor.host import entry
from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.hub.project_hub import project_id
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.people.invites import VALID_S, Invitation
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.settings.log_file import LogFileHandler
from agent_channels.core.text.times import epoch_iso
from agent_channels.registry import channel

__all__ = ["how_to_start", "invite", "invite_to", "require_token"]


def invite(channel_name: str, services: Services, *, qr_code: bool, may_ask: bool = True) -> tuple[dict[str, Any], str]:
    """Find out who the bot is and invite somebody to it; return the invitation as data and as text.

    `may_ask`: the platform may be asked for the bot's name, if no server of this project has learned it yet. Without
    that, and without a name, it raises `Refused`. `require_token` comes first.
    """
    row, env = channel(channel_name), Environment(channel_name)
    settings, token = load(row.settings, env), env.token() or ""
    bot_id = row.bot_id(token)

    import anyio

    from agent_channels.core.log import configure

    configure("ERROR", LogFileHandler(env.state_dir, "access"))

    async def identify() -> tuple[Identity, str | None]:
        async with row.connect(env, settings, token) as adapter:
            username = services.health.get("bot_username")
            if services.health.get("bot_id") == bot_id and username:
                return Identity(bot_id, username, ""), adapter.capabilities.invite_link
            if not may_ask:
                raise Refused(
                    sentence(
                        "no server has read this bot yet, so its name is not known here; run `channels access "
                        "{channel_name} invite`, which asks the platform",
                        channel_name=channel_name,
                    )
                )
            return await adapter.identify(), adapter.capabilities.invite_link

    bot, template = anyio.run(identify)
    is_read = ReaderLock(channel_name, bot_id, env.state_dir).is_read()
    return invite_to(bot, row, services, template, qr_code=qr_code, is_read=is_read)


def invite_to(
    bot: Identity, row: Channel, services: Services, template: str | None, *, qr_code: bool, is_read: bool
) -> tuple[dict[str, Any], str]:
    """Invite somebody to this bot; return the invitation as data and as text.

    `template` is the platform's deep link with {bot} and {code}; `is_read`: a server reads the bot now.
    """
    made = services.invites.create()
    if (project := _shared_project(row, services)) is not None:
        made = replace(made, code=f"{project}-{made.code}")
    link = template.format(bot=bot.username, code=made.code) if template else None
    join = row.join_link(bot.id) if row.join_link else None
    data: dict[str, Any] = {"invite": link or made.code, "code": made.code, "link": link, "join_link": join}
    data |= {"expires_at": epoch_iso(made.expires_at), "bot": {"id": bot.id, "username": bot.username}}
    text = _with_link(bot, link) if link else _with_code(made, bot, join)
    if link and qr_code:
        text = joined([text, _qr_code(link)], "\n")
    if not is_read:
        start = how_to_start(Environment(row.name))
        text = joined([text, sentence("No server reads this bot yet: {start}; it answers then.", start=start)], "\n")
    return data, text


def _shared_project(row: Channel, services: Services) -> str | None:
    """Return the id of the project in the hub of its bot; None if it shares the bot with no other."""
    settings = load(row.settings, Environment(row.name))
    return None if settings.hub is None else project_id(services.key_values)


def how_to_start(env: Environment) -> str:
    """Return what starts a server, as an order: the host, after the server was entered into its list if it is not."""
    start = sentence("start your agent host in the project")
    if entry(Setup(env)).state == "ok":
        return start
    return sentence(
        "enter the server into your agent host's list (`channels setup {channel} --mcp-json yes` does it "
        "in .mcp.json), {start}",
        channel=env.channel,
        start=start,
    )


def require_token(channel_name: str) -> None:
    """Raise `ConfigError` if there is no bot to invite to; creates nothing."""
    if Environment(channel_name).token() is None:
        raise ConfigError(
            sentence(
                "no token is set, so there is no bot to invite to; run `channels setup {channel_name}` first",
                channel_name=channel_name,
            )
        )


def _validity() -> str:
    return sentence("valid for {minutes:.0f} minutes, for one person", minutes=VALID_S / 60)


def _with_link(bot: Identity, link: str) -> str:
    return sentence(
        "Invitation to @{username}, {validity}. Open it on the phone and tap Start:\n  {link}",
        username=bot.username,
        validity=_validity(),
        link=link,
    )


def _with_code(made: Invitation, bot: Identity, join: str | None) -> str:
    lines = [
        sentence(
            "Invitation to @{username}, {validity}. Send it to the bot as a direct message:\n  {code}",
            username=bot.username,
            validity=_validity(),
            code=made.code,
        )
    ]
    if join:
        lines.append(
            sentence("If you do not share a server with the bot yet, add it to one first:\n  {link}", link=join)
        )
    return joined(lines, "\n")


def _qr_code(link: str) -> str:
    """The link in half-block characters; "" where the terminal cannot show them."""
    if "utf" not in (sys.stdout.encoding or "").lower():
        return ""
    import segno

    drawn = io.StringIO()
    segno.make(link, error="l", micro=False).terminal(drawn, compact=True, border=2)
    return drawn.getvalue().rstrip("\n")
