"""A fake Slack on loopback: its Web API and Socket Mode, and people to act as.

`async with SlackSandbox() as slack:` starts it; give the app `slack.api` in place of Slack's own address, which leads
it to the sockets. Act as people through `slack.person(...)` and `slack.channel(...)` in the same event loop, or over
HTTP under `/control/`.
"""

from __future__ import annotations

import re
import secrets

from aiohttp import web

from agent_channels.sandbox.server import Sandbox
from agent_channels.sandbox.slack.channels import SlackChannel
from agent_channels.sandbox.slack.control import SlackControl
from agent_channels.sandbox.slack.directory import SlackDirectory
from agent_channels.sandbox.slack.faults import SlackFaults
from agent_channels.sandbox.slack.interactions import AppInteractions
from agent_channels.sandbox.slack.manifest import configure
from agent_channels.sandbox.slack.people import MessageOrTs, SlackPerson, ts_of
from agent_channels.sandbox.slack.rate_limits import MethodLimits
from agent_channels.sandbox.slack.records import Conversation, Message
from agent_channels.sandbox.slack.socket_mode import SocketMode
from agent_channels.sandbox.slack.state import SlackState
from agent_channels.sandbox.slack.web_api import Tokens, WebApi, rate_limited

__all__ = ["DEFAULT_APP_TOKEN", "DEFAULT_TOKEN", "SlackSandbox", "random_app_token", "random_token"]

BOT_TOKEN = re.compile(r"xoxb-\d{10,13}-\d{10,13}-[A-Za-z0-9]{24}")
APP_TOKEN = re.compile(r"xapp-1-A[A-Z0-9]{10}-\d{10,13}-[a-f0-9]{64}")
DEFAULT_TOKEN = "xoxb-" + "1000000000001-1000000000002-" + "SandboxSandboxSandbox123"
DEFAULT_APP_TOKEN = "xapp-1-" + "A0SANDBOX01-1000000000003-" + "5a4db0c5" * 8


class SlackSandbox(Sandbox):
    """One app in one workspace. All state is in memory: it outlives restarts of the app's process, not of this object.

    Raises ValueError for a host that is not loopback and for malformed tokens.
    """

    state: SlackState
    faults: SlackFaults

    def __init__(
        self,
        token: str = DEFAULT_TOKEN,
        app_token: str = DEFAULT_APP_TOKEN,
        username: str = "sandbox-bot",
        host: str = "127.0.0.1",
        port: int = 0,
        secret: str = "",
    ) -> None:
        if BOT_TOKEN.fullmatch(token) is None:
            raise ValueError("a bot token is xoxb-NUMBER-NUMBER-SECRET")
        if APP_TOKEN.fullmatch(app_token) is None:
            raise ValueError("an app-level token is xapp-1-APP-NUMBER-SECRET")
        self.username = username
        state = SlackState(username)
        self.socket = SocketMode(state)
        self.tokens = Tokens(token, app_token)
        super().__init__(state, SlackFaults(self.socket, rate_limited), host, port, secret)
        self.interactions = AppInteractions(state, self.socket)
        self.interactions.views.on_open = self.interactions.opened
        self.limits = MethodLimits(state.now)
        self._web_api = WebApi(state, self.faults, self.socket, self.interactions, self.limits, self.tokens)
        self.directory = SlackDirectory(self.interactions)
        self.person, self.people = self.directory.person, self.directory.people
        self.channel, self.channels = self.directory.channel, self.directory.channels
        self.control = SlackControl(self.directory, self.faults, self.limits, self.socket, self.secret)

    # --- the server

    def add_routes(self, app: web.Application) -> None:
        """Add the control interface, the Web API and the sockets."""
        self.control.add_routes(app)
        self._web_api.add_routes(app)

    async def start(self) -> None:
        """Start listening, and pass on the server's own addresses. Raises OSError when the port is taken."""
        await super().start()
        self.state.files.root = self.root
        self.state.files.team_id = self.state.team_id
        self.interactions.root = self.root
        self.socket.url = f"ws://{self.host}:{self.port}"

    async def aclose(self) -> None:
        """Cut every connection and stop listening; `start` listens on the same port again."""
        self.socket.close()
        await super().aclose()

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.tokens.bot

    @property
    def app_token(self) -> str:
        """The app-level token, for Socket Mode."""
        return self.tokens.app

    @property
    def bot_id(self) -> str:
        """The id of the bot's user."""
        return self.state.bot.id

    @property
    def api(self) -> str:
        """The URL in place of `https://slack.com/api/`."""
        return f"{self.root}/api/"

    # --- what people see

    def messages(self, channel: SlackPerson | SlackChannel | str) -> list[Message]:
        """Return a conversation as people see it now, oldest first. Raises LookupError for an unknown id."""
        return self.state.current_messages(self._record(channel))

    def reactions(self, message: MessageOrTs) -> list[str]:
        """Return the names of the bot's reactions to a message."""
        _, found = self.state.find(ts_of(message))
        return [one["name"] for one in found.get("reactions", ()) if self.bot_id in one["users"]]

    def typing(self, channel: SlackPerson | SlackChannel | str) -> list[float]:
        """Return the times at which the app showed there that it works, on the sandbox's clock."""
        return [at for at, _, text in self._record(channel).statuses if text]

    def _record(self, channel: SlackPerson | SlackChannel | str) -> Conversation:
        if isinstance(channel, SlackPerson):
            return channel.dm
        channel_id = channel if isinstance(channel, str) else channel.id
        if channel_id not in self.state.conversations:
            raise LookupError(f"no conversation {channel_id}; there are {sorted(self.state.conversations)}")
        return self.state.conversations[channel_id]

    # --- sockets

    @property
    def connected(self) -> bool:
        """Whether a socket is open now, past its hello."""
        return self.socket.connected

    def hold_events(self) -> None:
        """Hold new envelopes back until `release`."""
        self.socket.hold()

    def release(self) -> None:
        """Send the held envelopes, in order."""
        self.socket.release()

    # --- how Slack behaves

    def lock_thread(self, message: MessageOrTs) -> None:
        """Let nobody write any more in the thread that this message begins."""
        record, found = self.state.find(ts_of(message))
        record.locked.add(str(found["ts"]))

    def set_scopes(self, *scopes: str) -> None:
        """Reinstall the app with these bot scopes."""
        self.state.app.bot_scopes = list(scopes)
        self.state.changed()

    def without_scope(self, *scopes: str) -> None:
        """Reinstall the app without these bot scopes."""
        self.set_scopes(*(one for one in self.state.app.bot_scopes if one not in scopes))

    def set_events(self, *names: str) -> None:
        """Subscribe the app to these events alone."""
        self.state.app.events = set(names)

    def set_commands(self, *names: str) -> None:
        """Give the app these slash commands, with or without their slash."""
        self.state.app.commands = {f"/{name.removeprefix('/')}": False for name in names}

    def install(self, manifest: str) -> None:
        """Configure the app as its manifest says. Raises ValueError for one that Slack would refuse."""
        configure(self.state.app, manifest)
        self.state.changed()

    def set_flood(self, per_channel_per_s: float | None = 1.0, burst: int = 1) -> None:
        """Answer 429 to an app that writes faster than this into one conversation; None switches the rule off."""
        self.limits.flood.set_rate(per_channel_per_s, burst)

    def set_limit(self, method: str, limit: int, per_s: float = 60.0) -> None:
        """Allow `limit` calls in `per_s` seconds of each method that matches a glob."""
        self.limits.set_rule(method, limit, per_s)

    def revoke_token(self) -> str:
        """Give the bot a new token and return it; the old one is refused as revoked."""
        self.tokens.revoked.add(self.tokens.bot)
        self.tokens.bot = random_token()
        self.state.changed()
        return self.tokens.bot

    def revoke_app_token(self) -> str:
        """Give the app a new app-level token and return it; the old one's sockets end, and it is refused."""
        self.tokens.revoked.add(self.tokens.app)
        self.tokens.app = random_app_token()
        self.faults.drop_sockets()
        self.state.changed()
        return self.tokens.app


def random_token() -> str:
    """Return a well-formed bot token."""
    return f"xoxb-{_number()}-{_number()}-{secrets.token_hex(12)}"


def random_app_token() -> str:
    """Return a well-formed app-level token."""
    return f"xapp-1-A0{secrets.token_hex(5)[:9].upper()}-{_number()}-{secrets.token_hex(32)}"


def _number() -> int:
    return 1_000_000_000_000 + secrets.randbelow(9 * 10**12)
