"""`channels access CHANNEL invite`: a code for one person, where the platform has links as one to scan."""

from __future__ import annotations

import io
import sys
from typing import Any

from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.messages import Identity
from agent_channels.core.errors import ConfigError
from agent_channels.core.people.invites import VALID_S, Invitation
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health
from agent_channels.core.text.times import epoch_iso
from agent_channels.registry import channel

__all__ = ["invite", "offer"]


def invite(name: str, store: Store, *, picture: bool) -> tuple[dict[str, Any], str]:
    """Makes an invitation; what was done as data, and as words with the picture."""
    row, env = channel(name), Environment(name)
    settings, token = load(row.settings, env), env.token()
    if token is None:
        raise ConfigError(f"no token is set, so there is no bot to invite to; run `channels setup {name}` first")
    bot_id = row.bot_id(token)

    import anyio

    from agent_channels.core.log import configure

    configure("ERROR")

    async def ask() -> tuple[Identity, str | None]:
        async with row.connect(env, settings, token) as adapter:
            known = Health(store).read()
            username = known.get("bot_username")
            if known.get("bot_id") == bot_id and username:
                return Identity(bot_id, username, ""), adapter.capabilities.invite_link
            return await adapter.identify(), adapter.capabilities.invite_link

    me, template = anyio.run(ask)
    read = ReaderLock(name, bot_id, env.state_dir).holder() is not None
    return offer(row, store, me, template, picture=picture, read=read)


def offer(
    row: Channel, store: Store, me: Identity, template: str | None, *, picture: bool, read: bool
) -> tuple[dict[str, Any], str]:
    """An invitation to a bot that is known. `template` is the platform's deep link, `read`: a server reads the bot."""
    made = Services.of(store).invites.create()
    link = template.format(bot=me.username, code=made.code) if template else None
    join = row.join_link(me.id) if row.join_link else None
    done: dict[str, Any] = {"invite": link or made.code, "code": made.code, "link": link, "join_link": join}
    done |= {"expires_at": epoch_iso(made.expires_at), "bot": {"id": me.id, "username": me.username}}
    words = _with_link(me, link) if link else _without(made, me, join)
    if link and picture:
        words = f"{words}\n{_picture(link)}"
    late = "" if read else "\nNo server reads this bot yet: start your agent host in the project; it answers then."
    return done, f"{words}{late}"


def _minutes() -> str:
    return f"valid for {VALID_S / 60:.0f} minutes, for one person"


def _with_link(me: Identity, link: str) -> str:
    return f"Invitation to @{me.username}, {_minutes()}. Open it on the phone and tap Start:\n  {link}"


def _without(made: Invitation, me: Identity, join: str | None) -> str:
    lines = [f"Invitation to @{me.username}, {_minutes()}. Send it to the bot as a direct message:", f"  {made.code}"]
    if join:
        lines += ["Whoever shares no server with the bot yet lets it into one first:", f"  {join}"]
    return "\n".join(lines)


def _picture(link: str) -> str:
    """The link as a QR code in half-block characters; nothing where the terminal cannot show them."""
    if "utf" not in (sys.stdout.encoding or "").lower():
        return ""
    import segno

    drawn = io.StringIO()
    segno.make(link, error="l", micro=False).terminal(drawn, compact=True, border=2)
    return drawn.getvalue().rstrip("\n")
