"""A Telegram to run against on loopback: a Bot API server, and people to act as.

`async with TelegramSandbox() as tg:` starts it; `tg.root` is what the bot takes for api.telegram.org. People act
through `tg.person(...)` and `tg.group(...)` in the same loop, or over HTTP under `/control/` (telegram_control.py).
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from agent_channels.sandbox.faults import Faults
from agent_channels.sandbox.server import DEFAULT_TIMEOUT_S, Call, Sandbox
from agent_channels.sandbox.telegram.bot_api import TOKEN, BotApi
from agent_channels.sandbox.telegram.control import TelegramControl
from agent_channels.sandbox.telegram.errors import BotApiError
from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.records import ChatKind, Message, TelegramChat, TelegramUser
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["DEFAULT_TOKEN", "TelegramSandbox"]

T = TypeVar("T")

DEFAULT_TOKEN = "7000000001:" + "AAHsandboxSandboxSandboxSandboxSand"


class TelegramSandbox(Sandbox):
    """One bot's Telegram. All state is in memory and outlives restarts of the bot's process, not of this object.

    Raises ValueError for a host that is not loopback and for a token that does not look like one.
    """

    def __init__(
        self, token: str = DEFAULT_TOKEN, username: str = "sandbox_bot", host: str = "127.0.0.1", port: int = 0
    ) -> None:
        found = TOKEN.fullmatch(token)
        if found is None:
            raise ValueError("a token is DIGITS:30 or more of A-Z a-z 0-9 _ -")
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the sandbox is for loopback only, not {host!r}: use 127.0.0.1")
        self.bot_id = int(found[1])
        self.username = username
        self.host = host
        self.port = port
        self.faults = Faults()
        self.state = TelegramState(TelegramUser(self.bot_id, "Sandbox", username, is_bot=True))
        self._wire = BotApi(self.state, self.faults, token)
        self.people: dict[str, TelegramPerson] = {}
        self.groups: dict[int, TelegramGroup] = {}
        self.clock = self.state.now

    # --- life

    def add_routes(self, app: web.Application) -> None:
        """The control interface, and what the bot sees."""
        TelegramControl(self).add_routes(app)
        self._wire.add_routes(app)

    @property
    def token(self) -> str:
        """The token that is good now."""
        return self._wire.token

    # --- people

    def person(
        self,
        handle: str,
        first_name: str | None = None,
        *,
        last_name: str | None = None,
        language_code: str | None = "en",
        username: str | None = None,
    ) -> TelegramPerson:
        """The person of this handle, made at first mention; `username` "" for somebody without one."""
        if handle not in self.people:
            name = handle if username is None else username
            user = self.state.add_user(first_name or handle.title(), name, last_name or "", language_code or "")
            self.people[handle] = TelegramPerson(self.state, user, handle)
        return self.people[handle]

    def group(
        self,
        title: str,
        kind: ChatKind = "supergroup",
        *,
        forum: bool = False,
        members: Sequence[TelegramPerson] = (),
        bot: bool = True,
        administrator: bool = False,
    ) -> TelegramGroup:
        """A new group; its owner is the first member, or somebody called "owner". `bot`: whether the bot is added."""
        if kind not in {"group", "supergroup"} or (forum and kind != "supergroup"):
            raise ValueError("a group is kind 'group' or 'supergroup'; only a supergroup can be a forum")
        owner = members[0] if members else self.person("owner")
        group = TelegramGroup(self.state, self.state.add_group(title, kind, forum=forum), owner)
        self.groups[group.id] = group
        for person in members[1:]:
            group.add(person)
        if bot:
            group.add_bot(administrator=administrator)
        return group

    def messages(self, chat: TelegramPerson | TelegramGroup | int) -> list[Message]:
        """A chat as people see it now, oldest first. Raises LookupError for an unknown id."""
        return self._chat(chat).shown()

    def reactions(self, chat: TelegramPerson | TelegramGroup | int, message_id: int) -> list[str]:
        """The bot's reaction to a message: one emoji or none."""
        mine = self._chat(chat).reactions.get(message_id, {}).get(self.bot_id, [])
        return [str(one["emoji"]) for one in mine]

    def typing(self, chat: TelegramPerson | TelegramGroup | int) -> list[float]:
        """When the bot sent chat actions there, on the sandbox's clock."""
        return [at for at, _, _ in self._chat(chat).actions]

    def _chat(self, chat: TelegramPerson | TelegramGroup | int) -> TelegramChat:
        chat_id = chat if isinstance(chat, int) else chat.id
        if chat_id not in self.state.chats:
            raise LookupError(f"no chat {chat_id}; there are {sorted(self.state.chats)}")
        return self.state.chats[chat_id]

    # --- what the bot did

    @property
    def calls(self) -> list[Call]:
        """Every API call of the bot that ended, in that order; JSON parameters decoded, files as Upload."""
        return self.state.calls

    def calls_of(self, method: str) -> list[Call]:
        """The calls of one method, whatever its case."""
        return [call for call in self.state.calls if call.method.lower() == method.lower()]

    @property
    def pending_updates(self) -> int:
        """Updates not confirmed yet, held ones included."""
        return self.state.updates.pending

    @property
    def confirmed(self) -> int:
        """The highest confirmed update id, 0 at first."""
        return self.state.updates.confirmed

    @property
    def polling(self) -> bool:
        """Whether a long poll is waiting now."""
        return self.state.updates.polling

    async def wait_for(self, predicate: Callable[[], T | None], timeout: float = DEFAULT_TIMEOUT_S) -> T:
        """The first result of `predicate` that is neither None nor False. Raises TimeoutError with the last calls."""
        return await self.state.wait_for(predicate, timeout)

    # --- how Telegram behaves

    def hold_updates(self) -> None:
        """Keeps new updates from the bot until `release`."""
        self.state.updates.hold()

    def release(self) -> None:
        """Lets the bot see what was held."""
        self.state.updates.release()

    def set_flood(self, per_chat_per_s: float | None = 1.0, burst: int = 3) -> None:
        """429 for a bot that writes faster into one chat; None switches the rule off."""
        self.state.set_flood(per_chat_per_s, burst)

    def set_privacy(self, *, on: bool) -> None:
        """Privacy mode in groups; on at first."""
        self.state.privacy = on

    def set_local(self, folder: Path | None) -> None:
        """Local mode, with this working folder; None for a server such as Telegram's own."""
        self.state.files.local = folder

    def set_poller_slot(self, seconds: float) -> None:
        """How long the slot of a poller whose connection died stays taken; 0 at first."""
        self.state.updates.poller_slot_s = seconds

    def advance(self, seconds: float) -> None:
        """Moves the clock: taps grow old, updates expire, the flood rule forgets."""
        self.state.advance(seconds)

    def revoke_token(self) -> str:
        """Gives the bot another token, which is returned; the old one is refused from now on."""
        self._wire.token = f"{self.bot_id}:AAH{secrets.token_hex(16)}"
        self.state.updates.stop(BotApiError(401, "Unauthorized"))
        self.state.changed()
        return self.token
