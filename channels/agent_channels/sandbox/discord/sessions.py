"""Gateway sessions: what each was sent, by sequence, so that a resumed one gets what it missed; the IDENTIFY budget."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent_channels.sandbox.discord.api_objects import channel_dict, guild_dict, member_dict
from agent_channels.sandbox.discord.intents import CONTENT, GUILDS, MEMBERS, PRESENCES, GatewayEvent
from agent_channels.sandbox.discord.records import Guild, iso
from agent_channels.sandbox.discord.state import DiscordState

if TYPE_CHECKING:
    from agent_channels.sandbox.discord.gateway import GatewayConnection

__all__ = ["GatewaySession", "GatewaySessions", "Identify", "Resume"]

DAY_S = 24 * 3600


@dataclass(frozen=True)
class Identify:
    """One IDENTIFY: when (monotonic), what it asked for, and the session, or the close code it got instead."""

    at: float
    intents: int
    session_id: str = ""
    code: int = 0


@dataclass(frozen=True)
class Resume:
    """One RESUME: when, which session from which sequence, over which path, and whether it was taken."""

    at: float
    session_id: str
    seq: int
    path: str
    accepted: bool


@dataclass
class GatewaySession:
    """One session: it outlives its connection for a while. `log`: every dispatch as (sequence, event, payload)."""

    id: str
    intents: int
    log: list[tuple[int, str, Any]] = field(default_factory=list)
    held: list[tuple[str, Any]] = field(default_factory=list)
    connection: GatewayConnection | None = None
    left_at: float | None = None

    @property
    def seq(self) -> int:
        """The last sequence number."""
        return len(self.log)

    @property
    def connected(self) -> bool:
        """Whether somebody listens."""
        return self.connection is not None

    def dispatch(self, name: str, payload: Any) -> None:
        """Enters an event and sends it, if somebody listens."""
        self.log.append((self.seq + 1, name, payload))
        if self.connection is not None:
            self.connection.push(0, payload, self.seq, name)

    def replay(self, seq: int) -> None:
        """Sends everything after a sequence number again."""
        if self.connection is not None:
            for number, name, payload in self.log[seq:]:
                self.connection.push(0, payload, number, name)


class GatewaySessions:
    """All sessions of one token, each of which gets every event.

    `resume_window_s`: how long a session without connection can be resumed. `total` IDENTIFYs a day (then the token is
    reset); `every_s` is the least time between two, None for no such rule.
    """

    def __init__(self, state: DiscordState) -> None:
        self.state = state
        self.alive: dict[str, GatewaySession] = {}
        self.identifies: list[Identify] = []
        self.resumes: list[Resume] = []
        self.resume_window_s = 180.0
        self.total = 1000
        self.every_s: float | None = None
        self.held = False
        self._used: list[float] = []
        state.listeners.append(self._on_event)

    # --- events

    def _on_event(self, event: GatewayEvent) -> None:
        for session in self._live():
            if event.intent and not event.intent & session.intents:
                continue
            payload = event.make(session.intents)
            if self.held:
                session.held.append((event.name, payload))
            else:
                session.dispatch(event.name, payload)

    def release(self) -> None:
        """Sends what was held."""
        self.held = False
        for session in self._live():
            kept, session.held = session.held, []
            for name, payload in kept:
                session.dispatch(name, payload)
        self.state.changed()

    # --- life

    def start(self, intents: int, resume_url: str, shard: Any) -> GatewaySession:
        """A new session: READY and the guilds are in its log; its connection is not set yet."""
        session = GatewaySession(secrets.token_hex(16), intents)
        self.alive[session.id] = session
        self._used.append(self.state.now())
        bot = self.state.bot
        guilds = [guild for guild in self.state.guilds.values() if bot.id in guild.members]
        ready: dict[str, Any] = {"v": 10, "user": {**bot.as_dict(), "verified": True, "mfa_enabled": True, "flags": 0}}
        ready |= {"guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds]}
        ready |= {"session_id": session.id, "resume_gateway_url": resume_url, "session_type": "normal"}
        ready |= {"application": {"id": str(bot.id), "flags": 0}, "relationships": [], "private_channels": []}
        ready |= {"presences": [], "user_settings": {}, "guild_join_requests": [], "_trace": ["sandbox"]}
        if shard is not None:
            ready["shard"] = shard
        session.dispatch("READY", ready)
        if intents & GUILDS:
            for guild in guilds:
                lazy = {**guild_create(self.state, guild, intents), "unavailable": False}
                session.dispatch("GUILD_CREATE", lazy)
        return session

    def find(self, session_id: str) -> GatewaySession | None:
        """The session of an id if it can be resumed."""
        return next((one for one in self._live() if one.id == session_id), None)

    def leave(self, session: GatewaySession) -> None:
        """Its connection has gone; it can be resumed for a while."""
        session.connection = None
        session.left_at = self.state.now()

    def end(self, session: GatewaySession) -> None:
        """It cannot be resumed any more."""
        self.alive.pop(session.id, None)

    def _live(self) -> list[GatewaySession]:
        over = self.state.now() - self.resume_window_s
        for session in list(self.alive.values()):
            if session.connection is None and session.left_at is not None and session.left_at < over:
                self.end(session)
        return list(self.alive.values())

    # --- the budget

    def start_limit(self) -> dict[str, int]:
        """The session_start_limit of GET /gateway/bot."""
        now = self.state.now()
        self._used = [at for at in self._used if at > now - DAY_S]
        reset = int((self._used[0] + DAY_S - now) * 1000) if self._used else 0
        left = max(self.total - len(self._used), 0)
        return {"total": self.total, "remaining": left, "reset_after": reset, "max_concurrency": 1}

    @property
    def too_soon(self) -> bool:
        """Whether the last IDENTIFY was less than `every_s` ago."""
        return self.every_s is not None and bool(self._used) and self.state.now() - self._used[-1] < self.every_s

    def allowed(self, intents: int) -> bool:
        """Whether the privileged intents among these are switched on in the portal."""
        portal = self.state.portal
        switches = ((MEMBERS, portal.members), (PRESENCES, portal.presences), (CONTENT, portal.content))
        return all(on or not intents & bit for bit, on in switches)


def guild_create(state: DiscordState, guild: Guild, intents: int) -> dict[str, Any]:
    """The GUILD_CREATE event of a guild the bot joins: its channels and, by intent, its members.

    `unavailable` is there, and false, only for the guilds that follow READY.
    """
    bot = state.bot.id
    seen = [channel for channel in guild.channels.values() if channel.sees(bot)]
    threads = [one for one in state.channels.values() if one.guild is guild and one.is_thread and not one.archived]
    shown = [user_id for user_id in guild.members if intents & MEMBERS or user_id == bot]
    made = {**guild_dict(guild), "joined_at": iso(guild.members.get(bot, 0.0)), "large": False}
    made |= {"member_count": len(guild.members), "channels": [channel_dict(channel, bot) for channel in seen]}
    made |= {"threads": [channel_dict(thread, bot) for thread in threads if thread.sees(bot)]}
    made |= {"members": [member_dict(guild, state.users[user_id]) for user_id in shown]}
    empty = "presences voice_states stage_instances guild_scheduled_events soundboard_sounds".split()  # noqa: SIM905
    return {**made, **{name: [] for name in empty}}
