"""A fake Discord on loopback: its REST API and gateway, and people to act as.

`async with DiscordSandbox() as dc:` starts it; give the bot `dc.api` and `dc.gateway_url` in place of Discord's own.
Act as people through `dc.person(...)` and `dc.guild(...)` in the same event loop, or over HTTP under `/control/`.
"""

from __future__ import annotations

import base64
import re
import secrets

from aiohttp import web

from agent_channels.sandbox.discord.control import DiscordControl
from agent_channels.sandbox.discord.directory import DiscordDirectory
from agent_channels.sandbox.discord.faults import DiscordFaults
from agent_channels.sandbox.discord.gateway import Gateway
from agent_channels.sandbox.discord.guilds import DiscordChannel
from agent_channels.sandbox.discord.interactions import InteractionApi
from agent_channels.sandbox.discord.people import DiscordPerson, MessageOrId, message_id_of
from agent_channels.sandbox.discord.rate_limits import RateLimits
from agent_channels.sandbox.discord.records import DiscordUser, GuildChannel, Message
from agent_channels.sandbox.discord.rest_api import RestApi, rate_limited
from agent_channels.sandbox.discord.sessions import GatewaySession, GatewaySessions, Identify, Resume
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.server import Sandbox

__all__ = ["DEFAULT_TOKEN", "DiscordSandbox", "random_token"]

# id, time and signature, each in base64
TOKEN = re.compile(r"[A-Za-z0-9_-]{24,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}")
DEFAULT_TOKEN = "MTE0NDAwMDAwMDAwMDAwMDAwMQ." + "GsandB." + "SandboxSandboxSandboxSandboxSandbox123"


class DiscordSandbox(Sandbox):
    """One bot's Discord. All state is in memory: it outlives restarts of the bot's process, not of this object.

    `beside` adds another bot at the same address. Raises ValueError for a host that is not loopback and for a malformed
    token.
    """

    state: DiscordState
    faults: DiscordFaults

    def __init__(
        self,
        token: str = DEFAULT_TOKEN,
        username: str = "sandbox-bot",
        host: str = "127.0.0.1",
        port: int = 0,
        secret: str = "",
        people_of: DiscordSandbox | None = None,
    ) -> None:
        """`people_of`: see `beside`."""
        self.bot_id = _bot_id(token)
        self.username = username
        ids = people_of.state.ids if people_of else None
        state = DiscordState(DiscordUser(self.bot_id, username, is_bot=True), ids)
        self._sessions = GatewaySessions(state)
        self.gateway = Gateway(self._sessions, token)
        super().__init__(state, DiscordFaults(self.gateway, rate_limited), host, port, secret)
        self.interactions = InteractionApi(state)
        self.limits = RateLimits(state.now)
        self._rest_api = RestApi(state, self.faults, self.gateway, self.interactions, self.limits)
        self._beside: list[DiscordSandbox] = []
        beside = people_of.directory if people_of else None
        self.directory: DiscordDirectory = DiscordDirectory(self.interactions, beside)
        self.person, self.people = self.directory.person, self.directory.people
        self.guild, self.guilds = self.directory.guild, self.directory.guilds
        self.control = DiscordControl(self.directory, self.faults, self.limits, self._sessions, self.secret)

    # --- the server

    def add_routes(self, app: web.Application) -> None:
        """Add the control interface, the REST API and the gateway."""
        self.control.add_routes(app)
        self._rest_api.add_routes(app)

    async def start(self) -> None:
        """Start listening, and pass on the server's own addresses. Raises OSError when the port is taken."""
        await super().start()
        for one in (self, *self._beside):
            one._listen_at(self.port)  # noqa: SLF001 - of this class

    def _listen_at(self, port: int) -> None:
        self.port = port
        self.state.files.root = self.root
        self.gateway.resume_url = f"ws://{self.host}:{self.port}/resume"
        self._rest_api.gateway_url = self.gateway_url

    def beside(self, token: str, username: str) -> DiscordSandbox:
        """Return another bot at the same address: people have the same ids there, and chats of their own with it.

        It is not started, and ends with this one.
        """
        other = DiscordSandbox(token, username, self.host, people_of=self)
        self._rest_api.beside.append(other._rest_api)
        self.gateway.beside.append(other.gateway)
        self._beside.append(other)
        other._listen_at(self.port)
        return other

    @property
    def token(self) -> str:
        """The valid token; "" after it was reset for too many IDENTIFYs."""
        return self.gateway.token

    @property
    def api(self) -> str:
        """The URL in place of `https://discord.com/api/v10`."""
        return f"{self.root}/api/v10"

    @property
    def gateway_url(self) -> str:
        """The URL in place of `wss://gateway.discord.gg/`; READY tells sessions to resume at `.../resume` instead."""
        return f"ws://{self.host}:{self.port}/gateway"

    # --- what people see

    def messages(self, channel: DiscordPerson | DiscordChannel | int) -> list[Message]:
        """Return a channel as people see it now, oldest first. Raises LookupError for an unknown id."""
        return self.state.current_messages(self._record(channel))

    def reactions(self, message: MessageOrId) -> list[str]:
        """Return the bot's reactions to a message."""
        channel, found = self.state.find(message_id_of(message))
        by_emoji = channel.reactions.get(int(found["id"]), {})
        return [emoji for emoji, users in by_emoji.items() if self.bot_id in users]

    def typing(self, channel: DiscordPerson | DiscordChannel | int) -> list[float]:
        """Return the times at which the bot showed there that it is typing, on the sandbox's clock."""
        return [at for at, user_id in self._record(channel).typing if user_id == self.bot_id]

    def _record(self, channel: DiscordPerson | DiscordChannel | int) -> GuildChannel:
        if isinstance(channel, DiscordPerson):
            return channel.dm
        channel_id = channel if isinstance(channel, int) else channel.id
        if channel_id not in self.state.channels:
            raise LookupError(f"no channel {channel_id}; there are {sorted(self.state.channels)}")
        return self.state.channels[channel_id]

    # --- gateway sessions

    @property
    def sessions(self) -> list[GatewaySession]:
        """The gateway sessions that are connected or can still be resumed."""
        return list(self._sessions.alive.values())

    @property
    def connected(self) -> bool:
        """Whether a session is connected now."""
        return self._sessions.connected

    @property
    def identifies(self) -> list[Identify]:
        """Every IDENTIFY, refused ones included."""
        return self._sessions.identifies

    @property
    def resumes(self) -> list[Resume]:
        """Every RESUME, refused ones included."""
        return self._sessions.resumes

    def hold_events(self) -> None:
        """Hold new events back from all sessions until `release`."""
        self._sessions.hold()

    def release(self) -> None:
        """Send the held events, in order."""
        self._sessions.release()

    # --- how Discord behaves

    def set_portal(
        self, *, message_content: bool | None = None, members: bool | None = None, presences: bool | None = None
    ) -> None:
        """Switch privileged intents in the developer portal; by default only Message Content is on."""
        portal = self.state.portal
        portal.content = portal.content if message_content is None else message_content
        portal.members = portal.members if members is None else members
        portal.presences = portal.presences if presences is None else presences

    def set_identify_limit(self, total: int = 1000, every_s: float | None = None) -> None:
        """Set the IDENTIFYs a day, after which the token is reset, and the seconds between two (Discord: 5)."""
        self._sessions.total, self._sessions.every_s = total, every_s

    def set_heartbeat(self, seconds: float) -> None:
        """Set the interval that new connections are told; 41.25 by default."""
        self.gateway.heartbeat_s = seconds

    def set_flood(self, per_channel_per_s: float | None = 1.0, burst: int = 5) -> None:
        """Answer 429 to a bot that writes faster than this into one channel, without announcing it in headers.

        None switches the rule off.
        """
        self.limits.flood.set_rate(per_channel_per_s, burst)

    def set_limit(self, route: str, limit: int, per_s: float) -> None:
        """Set a rate limit that headers announce: `limit` calls in `per_s` seconds a channel, for a glob of routes."""
        self.limits.set_rule(route, limit, per_s)

    def set_global_limit(self, limit: int | None, per_s: float = 1.0) -> None:
        """Set a limit for all routes together (Discord: 50 a second); None switches it off."""
        self.limits.set_global(limit, per_s)

    def reset_token(self) -> str:
        """Give the bot a new token and return it; the old one is refused and its sessions are over."""
        self.gateway.reset_token(random_token(self.bot_id))
        self.state.changed()
        return self.token


def random_token(bot_id: int | None = None) -> str:
    """Return a well-formed token of this bot, or of a random bot."""
    bot_id = bot_id or 1_140_000_000_000_000_000 + secrets.randbelow(10**17)
    first = base64.b64encode(str(bot_id).encode()).decode().rstrip("=")
    return f"{first}.{secrets.token_hex(3)}.{secrets.token_hex(19)}"


def _bot_id(token: str) -> int:
    """Return the id in a token's first part. Raises ValueError for a malformed token."""
    first, _, _ = token.partition(".")
    try:
        decoded = base64.b64decode(first + "=" * (-len(first) % 4), validate=True).decode()
    except ValueError:
        decoded = ""
    if TOKEN.fullmatch(token) is None or not re.fullmatch(r"\d{17,20}", decoded):
        raise ValueError("a token is ID.TIME.SIGNATURE in base64, its first part the bot's id")
    return int(decoded)
