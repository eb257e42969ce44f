"""A Discord to run against on loopback: its REST API and gateway, and people to act as.

`async with DiscordSandbox() as dc:` starts it; `dc.api` and `dc.gateway_url` are what the bot takes for Discord's own.
People act through `dc.person(...)` and `dc.guild(...)` in the same loop, or over HTTP under `/control/`
(discord_control.py).
"""

from __future__ import annotations

import base64
import fnmatch
import ipaddress
import re
import secrets
from collections.abc import Callable, Sequence
from typing import TypeVar

from aiohttp import web

from agent_channels.sandbox.discord.control import DiscordControl
from agent_channels.sandbox.discord.faults import DiscordFaults
from agent_channels.sandbox.discord.gateway import Gateway
from agent_channels.sandbox.discord.guilds import DiscordChannel, DiscordGuild
from agent_channels.sandbox.discord.interactions import InteractionApi
from agent_channels.sandbox.discord.people import DiscordPerson, Ident, number_of
from agent_channels.sandbox.discord.rate_limits import RateLimits
from agent_channels.sandbox.discord.records import DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.render import render
from agent_channels.sandbox.discord.rest_api import TOKEN, DiscordApi
from agent_channels.sandbox.discord.sessions import GatewaySession, GatewaySessions, Identify, Resume
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S, Call, Sandbox

__all__ = ["DEFAULT_TOKEN", "DiscordSandbox"]

T = TypeVar("T")

DEFAULT_TOKEN = "MTE0NDAwMDAwMDAwMDAwMDAwMQ." + "GsandB." + "SandboxSandboxSandboxSandboxSandbox123"


class DiscordSandbox(Sandbox):
    """One bot's Discord. All state is in memory and outlives restarts of the bot's process, not of this object.

    Raises ValueError for a host that is not loopback and for a token that does not look like one.
    """

    faults: DiscordFaults

    def __init__(
        self, token: str = DEFAULT_TOKEN, username: str = "sandbox-bot", host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.bot_id = bot_id(token)
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox is for loopback only, not {host!r}: use 127.0.0.1")
        self.username = username
        self.host = host
        self.port = port
        self.state = DiscordState(DiscordUser(self.bot_id, username, is_bot=True))
        self._sessions = GatewaySessions(self.state)
        self.gateway = Gateway(self._sessions)
        self.gateway.token = token
        self.faults = DiscordFaults(self.gateway)
        self.interactions = InteractionApi(self.state)
        self.limits = RateLimits(self.state.now)
        self._wire = DiscordApi(self.state, self.faults, self.gateway, self.interactions, self.limits)
        self.people: dict[str, DiscordPerson] = {}
        self.guilds: dict[int, DiscordGuild] = {}
        self.clock = self.state.now

    # --- life

    def add_routes(self, app: web.Application) -> None:
        """The control interface, and what the bot sees."""
        DiscordControl(self).add_routes(app)
        self._wire.add_routes(app)

    async def start(self) -> None:
        """Listens, and knows its own addresses. Raises OSError when the port is taken."""
        await super().start()
        self.state.files.root = self.root
        self.gateway.resume_url = f"ws://{self.host}:{self.port}/resume"
        self._wire.gateway_url = self.gateway_url

    @property
    def token(self) -> str:
        """The token that is good now; "" after it was reset for too many IDENTIFYs."""
        return self.gateway.token

    @property
    def api(self) -> str:
        """In place of `https://discord.com/api/v10`."""
        return f"{self.root}/api/v10"

    @property
    def gateway_url(self) -> str:
        """In place of `wss://gateway.discord.gg/`; after READY the sessions are told `.../resume` instead."""
        return f"ws://{self.host}:{self.port}/gateway"

    # --- people

    def person(self, handle: str, global_name: str | None = None) -> DiscordPerson:
        """The person of this username, made at first mention."""
        if handle not in self.people:
            user = self.state.add_user(handle, global_name or handle.title())
            self.people[handle] = DiscordPerson(self.interactions, user, handle)
        return self.people[handle]

    def guild(
        self,
        name: str,
        *,
        members: Sequence[DiscordPerson] = (),
        bot: bool = True,
        administrator: bool = False,
        premium_tier: int = 0,
    ) -> DiscordGuild:
        """The guild of this name, made at first mention; its owner is the first member, or somebody called "owner"."""
        for known in self.guilds.values():
            if known.name == name:
                return known
        server = DiscordGuild(self.state, name, members[0] if members else self.person("owner"), premium_tier)
        self.guilds[server.id] = server
        for person in members[1:]:
            server.add(person)
        if bot:
            server.add_bot(administrator=administrator)
        return server

    def messages(self, place: DiscordPerson | DiscordChannel | int) -> list[Message]:
        """A channel as people see it now, oldest first. Raises LookupError for an unknown id."""
        channel = self._channel(place)
        return [render(self.state, channel, one) for _, one in sorted(channel.messages.items())]

    def reactions(self, message: Ident) -> list[str]:
        """The bot's reactions to a message."""
        channel, found = self.state.find(number_of(message))
        by_emoji = channel.reactions.get(int(found["id"]), {})
        return [emoji for emoji, users in by_emoji.items() if self.bot_id in users]

    def typing(self, place: DiscordPerson | DiscordChannel | int) -> list[float]:
        """When the bot showed there that it writes, on the sandbox's clock."""
        return [at for at, user_id in self._channel(place).typing if user_id == self.bot_id]

    def _channel(self, place: DiscordPerson | DiscordChannel | int) -> GuildChannel:
        if isinstance(place, DiscordPerson):
            return place.dm
        channel_id = place if isinstance(place, int) else place.id
        if channel_id not in self.state.channels:
            raise LookupError(f"no channel {channel_id}; there are {sorted(self.state.channels)}")
        return self.state.channels[channel_id]

    # --- what the bot did

    @property
    def calls(self) -> list[Call]:
        """Every REST call of the bot that ended, in that order."""
        return self.state.calls

    def calls_of(self, route: str) -> list[Call]:
        """The calls matching a glob such as "POST /channels/*/messages"."""
        return [call for call in self.state.calls if fnmatch.fnmatchcase(call.method, route)]

    @property
    def sessions(self) -> list[GatewaySession]:
        """Gateway sessions that are connected or can still be resumed."""
        return list(self._sessions.alive.values())

    @property
    def connected(self) -> bool:
        """Whether a session is connected now."""
        return any(session.connected for session in self.sessions)

    @property
    def identifies(self) -> list[Identify]:
        """Every IDENTIFY, refused ones included."""
        return self._sessions.identifies

    @property
    def resumes(self) -> list[Resume]:
        """Every RESUME, refused ones included."""
        return self._sessions.resumes

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = DEFAULT_TIMEOUT_S) -> T:
        """The first result of `predicate` that is neither None nor False. Raises TimeoutError with the last calls."""
        return await self.state.wait_for(predicate, timeout)

    # --- how Discord behaves

    def hold_events(self) -> None:
        """Keeps new events from all sessions until `release`."""
        self._sessions.held = True

    def release(self) -> None:
        """Sends what was held, in order."""
        self._sessions.release()

    def set_portal(
        self, *, message_content: bool | None = None, members: bool | None = None, presences: bool | None = None
    ) -> None:
        """The privileged intents in the developer portal; at first only Message Content is on."""
        portal = self.state.portal
        portal.content = portal.content if message_content is None else message_content
        portal.members = portal.members if members is None else members
        portal.presences = portal.presences if presences is None else presences

    def set_identify_limit(self, total: int = 1000, every_s: float | None = None) -> None:
        """IDENTIFYs a day, after which the token is reset; seconds between two (Discord: 5), None for no such rule."""
        self._sessions.total, self._sessions.every_s = total, every_s

    def set_resume_window(self, seconds: float) -> None:
        """How long a session without connection can be resumed; 180 at first."""
        self._sessions.resume_window_s = seconds

    def set_heartbeat(self, seconds: float) -> None:
        """The interval new connections are told; 41.25 at first."""
        self.gateway.heartbeat_s = seconds

    def set_flood(self, per_channel_per_s: float | None = 1.0, burst: int = 5) -> None:
        """429 for a bot that writes faster into one channel, which no header announces; None switches it off."""
        self.limits.set_flood(per_channel_per_s, burst)

    def set_limit(self, route: str, limit: int, per_s: float) -> None:
        """A rate limit the headers tell of, for routes matching a glob: `limit` calls in `per_s` seconds a channel."""
        self.limits.set_rule(route, limit, per_s)

    def set_global_limit(self, limit: int | None, per_s: float = 1.0) -> None:
        """A limit for all routes together (Discord: 50 a second); None switches it off."""
        self.limits.set_global(limit, per_s)

    def advance(self, seconds: float) -> None:
        """Moves the clock: interactions grow old, sessions and signed addresses expire, rate limits are over."""
        self.state.advance(seconds)

    def reset_token(self) -> str:
        """Gives the bot another token, which is returned; the old one is refused and its sessions are over."""
        first = base64.b64encode(str(self.bot_id).encode()).decode().rstrip("=")
        token = f"{first}.{secrets.token_hex(3)}.{secrets.token_hex(19)}"
        self.gateway.reset_token(token)
        self.state.changed()
        return token


def bot_id(token: str) -> int:
    """The id in a token's first part. Raises ValueError when it does not look like a token."""
    first, _, _ = token.partition(".")
    try:
        found = base64.b64decode(first + "=" * (-len(first) % 4), validate=True).decode()
    except ValueError:
        found = ""
    if TOKEN.fullmatch(token) is None or not re.fullmatch(r"\d{17,20}", found):
        raise ValueError("a token is ID.TIME.SIGNATURE in base64, its first part the bot's id")
    return int(found)
