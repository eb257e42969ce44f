"""A fake Telegram on loopback: a Bot API server, and people to act as.

`async with TelegramSandbox() as tg:` starts it; give the bot `tg.root` in place of https://api.telegram.org. Act as
people through `tg.person(...)` and `tg.group(...)` in the same event loop, or over HTTP under `/control/`.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from aiohttp import web

from agent_channels.sandbox.server import Sandbox
from agent_channels.sandbox.telegram.bot_api import TOKEN, BotApiServer, bot_api_faults
from agent_channels.sandbox.telegram.control import TelegramControl
from agent_channels.sandbox.telegram.directory import TelegramDirectory
from agent_channels.sandbox.telegram.drafts import shown_drafts
from agent_channels.sandbox.telegram.errors import unauthorized
from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.records import Draft, Message, TelegramChat, TelegramUser
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["DEFAULT_TOKEN", "TelegramSandbox", "random_token"]

DEFAULT_TOKEN = "7000000001:" + "AAHsandboxSandboxSandboxSandboxSand"


class TelegramSandbox(Sandbox):
    """One bot's Telegram. All state is in memory: it outlives restarts of the bot's process, not of this object.

    `beside` adds another bot at the same address. Raises ValueError for a host that is not loopback and for a malformed
    token.
    """

    state: TelegramState

    def __init__(
        self,
        token: str = DEFAULT_TOKEN,
        username: str = "sandbox_bot",
        host: str = "127.0.0.1",
        port: int = 0,
        secret: str = "",
        version: str = "10.5",
        people_of: TelegramSandbox | None = None,
    ) -> None:
        """`version`: of the Bot API server, which knows nothing that came later. `people_of`: see `beside`."""
        match = TOKEN.fullmatch(token)
        if match is None:
            raise ValueError("a token is DIGITS:30 or more of A-Z a-z 0-9 _ -")
        self.bot_id = int(match[1])
        self.username = username
        state = TelegramState(TelegramUser(self.bot_id, "Sandbox", username, is_bot=True), version)
        super().__init__(state, bot_api_faults(), host, port, secret)
        self._bot_api = BotApiServer(state, self.faults, token)
        self.directory: TelegramDirectory = TelegramDirectory(state, people_of.directory if people_of else None)
        self.person, self.people = self.directory.person, self.directory.people
        self.group, self.groups = self.directory.group, self.directory.groups
        self.control = TelegramControl(self.directory, self.faults, self.secret)

    def beside(self, token: str, username: str) -> TelegramSandbox:
        """Return another bot at the same address: people have the same ids there, and chats of their own with it.

        It is not started, and ends with this one.
        """
        other = TelegramSandbox(token, username, self.host, self.port, people_of=self)
        self._bot_api.beside.append(other._bot_api)
        return other

    def add_routes(self, app: web.Application) -> None:
        """Add the control interface and the Bot API."""
        self.control.add_routes(app)
        self._bot_api.add_routes(app)

    @property
    def token(self) -> str:
        """The valid token."""
        return self._bot_api.token

    # --- what people see

    def messages(self, chat: TelegramPerson | TelegramGroup | int) -> list[Message]:
        """Return a chat as people see it now, oldest first. Raises LookupError for an unknown id."""
        return self._chat(chat).current_messages()

    def reactions(self, chat: TelegramPerson | TelegramGroup | int, message_id: int) -> list[str]:
        """Return the bot's reaction to a message: one emoji or none."""
        reactions = self._chat(chat).reactions.get(message_id, {}).get(self.bot_id, [])
        return [str(reaction["emoji"]) for reaction in reactions]

    def typing(self, chat: TelegramPerson | TelegramGroup | int) -> list[float]:
        """Return the times of the bot's chat actions there, on the sandbox's clock."""
        return [at for at, _, _ in self._chat(chat).actions]

    def _chat(self, chat: TelegramPerson | TelegramGroup | int) -> TelegramChat:
        chat_id = chat if isinstance(chat, int) else chat.id
        if chat_id not in self.state.chats:
            raise LookupError(f"no chat {chat_id}; there are {sorted(self.state.chats)}")
        return self.state.chats[chat_id]

    # --- the update queue

    @property
    def pending_updates(self) -> int:
        """The number of updates that are not confirmed yet, held ones included."""
        return self.state.updates.pending

    @property
    def confirmed(self) -> int:
        """The highest confirmed update id, 0 before the first."""
        return self.state.updates.confirmed

    @property
    def polling(self) -> bool:
        """Whether a long poll is waiting now."""
        return self.state.updates.polling

    def hold_updates(self) -> None:
        """Hide new updates from the bot until `release`."""
        self.state.updates.hold()

    def release(self) -> None:
        """Let the bot see the held updates."""
        self.state.updates.release()

    # --- how Telegram behaves

    def set_version(self, version: str) -> None:
        """Be a server of another version of the Bot API, such as 10.0, which knows no rich messages; 10.5 by default.

        Raises ValueError for what is not a version.
        """
        self.state.set_version(version)

    def set_flood(self, per_chat_per_s: float | None = 1.0, burst: int = 3) -> None:
        """Answer 429 to a bot that sends faster than this into one chat; None switches the rule off."""
        self.state.flood.set_rate(per_chat_per_s, burst)

    def set_privacy(self, *, on: bool) -> None:
        """Switch privacy mode in groups; it is on by default."""
        self.state.privacy = on

    def set_topics(self, *, on: bool, people_create: bool = True) -> None:
        """Switch topics in private chats on or off; `people_create`: people may open topics there themselves."""
        self.state.set_topics(on=on, people_create=people_create)

    def drafts(self, person: TelegramPerson) -> list[Draft]:
        """Return the drafts that a person sees now."""
        return shown_drafts(self.state, person.dm)

    def set_local(self, folder: Path | None) -> None:
        """Switch to local mode with this working folder; None ends local mode."""
        self.state.files.local = folder

    def set_poller_slot(self, seconds: float) -> None:
        """Set how long the slot of a poller stays taken after its connection died; 0 by default."""
        self.state.updates.poller_slot_s = seconds

    def revoke_token(self) -> str:
        """Give the bot a new token and return it; the old one is refused from now on."""
        self._bot_api.token = random_token(self.bot_id)
        self.state.updates.end_poll(unauthorized())
        self.state.changed()
        return self.token


def random_token(bot_id: int | None = None) -> str:
    """Return a well-formed token of this bot, or of a random bot."""
    return f"{bot_id or 7_000_000_000 + secrets.randbelow(10**9)}:AAH{secrets.token_hex(16)}"
