"""Who is there on the chat page: two platforms, their people, their groups, and who of them is let in."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent_channels.core.contract import messages as types
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.demo.stage import made_up_token
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

__all__ = ["Scene", "SceneChat"]

STRANGER = "sam"
_PEOPLE = {"ann": "Ann", "ben": "Ben"}
_STRANGERS = {STRANGER: "Sam"}


@dataclass(frozen=True, slots=True)
class SceneChat:
    """One chat of the page. `chat` is what the platform's control interface calls it, `actors` who can speak there."""

    platform: str
    chat: str
    chat_id: str
    title: str
    about: str
    actors: tuple[str, ...]
    group: bool = False
    stranger: bool = False

    @property
    def key(self) -> str:
        """Its name on the page."""
        return f"{self.platform}/{self.chat}"


class Scene:
    """Both sandboxes with everybody in them. Leaving the block ends them; the folder is the caller's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tg = TelegramSandbox(made_up_token(), username="sandbox_bot")
        self.dc = DiscordSandbox(_discord_token(), username="sandbox-bot")
        self.tg.state.bot.first_name = "Your agent"
        self.places: list[SceneChat] = []

    @property
    def channels(self) -> tuple[str, ...]:
        """The platforms, by the names of their channels."""
        return ("telegram", "discord")

    async def start(self) -> None:
        """Both platforms listen, everybody is there."""
        await self.tg.start()
        await self.dc.start()
        (self.folder / "run").mkdir(mode=0o700, exist_ok=True)
        self.places = [*self._telegram(), *self._discord()]

    async def aclose(self) -> None:
        """Both platforms stop."""
        await self.tg.aclose()
        await self.dc.aclose()

    def state_dir(self, channel: str) -> Path:
        """A channel's STATE_DIR."""
        return self.folder / "state" / channel

    def settings(self, channel: str) -> dict[str, str]:
        """What makes a channel server use this sandbox: the `env` of an `.mcp.json` entry."""
        ours = {f"{channel.upper()}_STATE_DIR": str(self.state_dir(channel)), "CHANNELS_CLAIM": "always"}
        if channel == "telegram":
            return {"TELEGRAM_API_ROOT": self.tg.root, "TELEGRAM_BOT_TOKEN": self.tg.token, **ours}
        return {
            "DISCORD_API_ROOT": self.dc.root,
            "DISCORD_GATEWAY_URL": self.dc.gateway_url,
            "DISCORD_BOT_TOKEN": self.dc.token,
            **ours,
        }

    def place(self, key: str) -> SceneChat:
        """The chat of this name. Raises LookupError."""
        for place in self.places:
            if place.key == key:
                return place
        raise LookupError(f"no chat {key!r}; there are {', '.join(place.key for place in self.places)}")

    # --- people

    def _telegram(self) -> Iterator[SceneChat]:
        people = {handle: self.tg.person(handle, name) for handle, name in (_PEOPLE | _STRANGERS).items()}
        paired = [people[handle] for handle in _PEOPLE]
        group = self.tg.group("Release team", members=paired)
        with Store.open(self.state_dir("telegram")) as store:
            services = Services.of(store)
            for person in paired:
                person.dm.started = True
                self._let_in(services, str(person.id), str(person.id), person)
            services.access.set_approver(str(people["ann"].id), approver=True)
            services.access.add_group(str(group.id), require_mention=True, senders=None)
        for handle, person in people.items():
            name, new = person.user.first_name, handle in _STRANGERS
            yield SceneChat("telegram", handle, str(person.id), name, _about(handle), (handle,), stranger=new)
        about = "a group; the bot hears only what mentions it"
        yield SceneChat("telegram", str(group.id), str(group.id), group.chat.title, about, tuple(_PEOPLE), group=True)

    def _discord(self) -> Iterator[SceneChat]:
        people = {handle: self.dc.person(handle, name) for handle, name in _PEOPLE.items()}
        guild = self.dc.guild("Workshop", members=list(people.values()))
        room = guild.channel("general")
        with Store.open(self.state_dir("discord")) as store:
            services = Services.of(store)
            for person in people.values():
                person.dm.started = True
                self._let_in(services, str(person.id), str(person.dm.id), person)
            services.access.set_approver(str(people["ann"].id), approver=True)
            services.access.add_group(str(room.id), require_mention=False, senders=None)
        for handle, person in people.items():
            title = person.user.global_name or handle
            yield SceneChat("discord", handle, str(person.dm.id), title, _about(handle), (handle,))
        about = "a channel; the bot hears everything"
        yield SceneChat("discord", str(room.id), str(room.id), f"#{room.name}", about, tuple(_PEOPLE), group=True)

    def _let_in(self, services: Services, user_id: str, chat_id: str, who: TelegramPerson | DiscordPerson) -> None:
        name = _PEOPLE[who.handle]
        services.access.allow(user_id, by="sandbox", name=name, username=who.handle)
        services.chats.record(types.Chat(chat_id, "direct"), types.Person(user_id, name, who.handle))


def _about(handle: str) -> str:
    if handle in _STRANGERS:
        return "a stranger, not paired"
    return "paired, approver" if handle == "ann" else "paired"


def _discord_token() -> str:
    """A bot's token as Discord writes one; another bot each time, as for Telegram."""
    bot_id = str(1_140_000_000_000_000_000 + secrets.randbelow(10**17))
    first = base64.b64encode(bot_id.encode()).decode().rstrip("=")
    return f"{first}.{secrets.token_hex(3)}.{secrets.token_hex(19)}"
