"""Gateway sessions: the log of events each was sent, so that a resumed one gets what it missed; the IDENTIFY budget."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent_channels.sandbox.discord.api_objects import channel_object, guild_object, member_object
from agent_channels.sandbox.discord.intents import CONTENT, GUILDS, MEMBERS, PRESENCES, GatewayEvent
from agent_channels.sandbox.discord.records import Guild, iso
from agent_channels.sandbox.discord.state import DiscordState

__all__ = ["GatewaySession", "GatewaySessions", "Identify", "Resume", "guild_create"]

DAY_S = 24 * 3600


class SessionConnection(Protocol):
    """The connection that a session sends over."""

    def push(self, op: int, data: Any, seq: int | None = None, name: str | None = None) -> None:
        """Send one payload."""

    def close(self, code: int) -> None:
        """Close the connection with a code."""


@dataclass(frozen=True)
class Identify:
    """One IDENTIFY: when (monotonic), the intents it asked for, and the session, or the close code it got instead."""

    at: float
    intents: int
    session_id: str = ""
    code: int = 0


@dataclass(frozen=True)
class Resume:
    """One RESUME: when (monotonic), which session from which sequence, over which path, and whether it succeeded."""

    at: float
    session_id: str
    seq: int
    path: str
    accepted: bool


@dataclass
class GatewaySession:
    """One session; it outlives its connection for a while.

    `log` lists every dispatch as (sequence, event, payload), `held` the events that are held back. `left_at` is when
    the last connection ended.
    """

    id: str
    intents: int
    log: list[tuple[int, str, Any]] = field(default_factory=list)
    held: list[tuple[str, Any]] = field(default_factory=list)
    connection: SessionConnection | None = None
    left_at: float | None = None

    @property
    def seq(self) -> int:
        """The last sequence number."""
        return len(self.log)

    @property
    def connected(self) -> bool:
        """Whether the session has a connection."""
        return self.connection is not None

    def dispatch(self, name: str, payload: Any) -> None:
        """Log an event, and send it if the session is connected."""
        self.log.append((self.seq + 1, name, payload))
        if self.connection is not None:
            self.connection.push(0, payload, self.seq, name)

    def replay(self, seq: int) -> None:
        """Send everything after a sequence number again."""
        if self.connection is not None:
            for number, name, payload in self.log[seq:]:
                self.connection.push(0, payload, number, name)


class GatewaySessions:
    """All sessions of one token, each of which gets every event.

    `resume_window_s`: how long a session without a connection can be resumed. `total`: IDENTIFYs a day, after which
    the token is reset. `every_s`: the least time between two IDENTIFYs, None for no such rule. `held`: new events are
    held back from all sessions.
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

    @property
    def connected(self) -> bool:
        """Whether any session is connected."""
        return any(session.connected for session in self.alive.values())

    # --- events

    def _on_event(self, event: GatewayEvent) -> None:
        for session in self._resumable():
            if event.intent and not event.intent & session.intents:
                continue
            payload = event.make_payload(session.intents)
            if self.held:
                session.held.append((event.name, payload))
            else:
                session.dispatch(event.name, payload)

    def hold(self) -> None:
        """Hold new events back from all sessions until `release`."""
        self.held = True

    def release(self) -> None:
        """Send the held events, in order."""
        self.held = False
        for session in self._resumable():
            held, session.held = session.held, []
            for name, payload in held:
                session.dispatch(name, payload)
        self.state.changed()

    # --- starting and ending

    def start(self, intents: int, resume_url: str, shard: Any) -> GatewaySession:
        """Return a new session without a connection, with READY and the guilds in its log."""
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
                # Only the guilds that follow READY carry `unavailable`.
                session.dispatch("GUILD_CREATE", {**guild_create(self.state, guild, intents), "unavailable": False})
        return session

    def find(self, session_id: str) -> GatewaySession | None:
        """Return the session of an id if it can be resumed."""
        return next((session for session in self._resumable() if session.id == session_id), None)

    def disconnect(self, session: GatewaySession) -> None:
        """Take the connection from a session; it can be resumed for a while."""
        session.connection = None
        session.left_at = self.state.now()

    def end(self, session: GatewaySession) -> None:
        """End a session: it can no longer be resumed."""
        self.alive.pop(session.id, None)

    def _resumable(self) -> list[GatewaySession]:
        expired = self.state.now() - self.resume_window_s
        for session in list(self.alive.values()):
            if session.connection is None and session.left_at is not None and session.left_at < expired:
                self.end(session)
        return list(self.alive.values())

    # --- the budget

    def start_limit(self) -> dict[str, int]:
        """Return the session_start_limit of GET /gateway/bot."""
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
        """Return True if all privileged intents among these are switched on in the portal."""
        portal = self.state.portal
        switches = ((MEMBERS, portal.members), (PRESENCES, portal.presences), (CONTENT, portal.content))
        return all(on or not intents & bit for bit, on in switches)


def guild_create(state: DiscordState, guild: Guild, intents: int) -> dict[str, Any]:
    """Return the GUILD_CREATE payload of a guild: its channels and, with the intent, all its members."""
    bot = state.bot.id
    channels = [channel for channel in guild.channels.values() if channel.sees(bot)]
    threads = [one for one in state.channels.values() if one.guild is guild and one.is_thread and not one.archived]
    members = [user_id for user_id in guild.members if intents & MEMBERS or user_id == bot]
    made = {**guild_object(guild), "joined_at": iso(guild.members.get(bot, 0.0)), "large": False}
    made |= {"member_count": len(guild.members), "channels": [channel_object(channel, bot) for channel in channels]}
    made |= {"threads": [channel_object(thread, bot) for thread in threads if thread.sees(bot)]}
    made |= {"members": [member_object(guild, state.users[user_id]) for user_id in members]}
    empty = "presences voice_states stage_instances guild_scheduled_events soundboard_sounds".split()  # noqa: SIM905
    return {**made, **{name: [] for name in empty}}
