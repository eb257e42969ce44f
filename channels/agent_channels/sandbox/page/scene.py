"""The scene of the chat page: the platforms, their people and groups, and who of them is paired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import adopt
from agent_channels.core.store.database import Store
from agent_channels.page.guard import new_secret
from agent_channels.registry import CHANNELS as PLATFORMS
from agent_channels.registry import channel as channel_of
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.discord.sandbox import random_token as random_discord_token
from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.sandbox import SlackSandbox, random_app_token
from agent_channels.sandbox.slack.sandbox import random_token as random_slack_token
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.sandbox.telegram.sandbox import random_token as random_telegram_token

__all__ = ["CHANNELS", "PROJECTS", "Scene", "SceneChat", "SceneServer"]

# Those that have a channel.
CHANNELS = tuple(PLATFORMS)
# Handles and first names.
PAIRED = {"ann": "Ann", "ben": "Ben"}
STRANGERS = {"sam": "Sam"}
APPROVER = "ann"
# The names of projects that share one bot. Ann is in each of them, the others in the first one alone.
PROJECTS = ("api", "web", "docs", "shop", "infra")


@dataclass(frozen=True, slots=True)
class SceneChat:
    """One chat of the page.

    `chat` is its name in the platform's control interface, `actors` are the handles of the people who can write there.
    `stranger`: the private chat of a person who is not paired at first.
    """

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
        """The chat's name on the page, such as "telegram/ann"."""
        return f"{self.platform}/{self.chat}"


@dataclass(frozen=True, slots=True)
class SceneServer:
    """A channel server of the scene. `key` is its name on the page, `folder` that of the project in which it runs.

    `project` is the project's name where several share one bot, else "".
    """

    key: str
    channel: str
    folder: Path
    project: str = ""

    @property
    def state_dir(self) -> Path:
        """Its STATE_DIR."""
        return self.folder / "state" / self.channel


class Scene:
    """All sandboxes with everybody in them. `folder` holds the channels' state; it is the caller's to remove.

    `secret` is asked for by the page and by every control interface.
    """

    def __init__(self, folder: Path, bot_api: str, projects: int = 1, channels: Sequence[str] = CHANNELS) -> None:
        """`bot_api`: the version of the Bot API that the Telegram server speaks. `channels`: those that are played.

        `projects`: if there are several, they share one Telegram bot, and nothing else is there.
        """
        self.folder = folder
        self.is_shared = projects > 1
        self.servers = tuple(SceneServer(channel, channel, folder) for channel in channels)
        if self.is_shared:
            names = PROJECTS[:projects]
            self.servers = tuple(SceneServer(name, "telegram", folder / name, name) for name in names)
        self.secret = new_secret()
        # Random bots, so that two sandboxes never wait for each other's lock.
        self.tg = TelegramSandbox(random_telegram_token(), username="sandbox_bot", secret=self.secret, version=bot_api)
        self.dc = DiscordSandbox(random_discord_token(), username="sandbox-bot", secret=self.secret)
        self.slack = SlackSandbox(random_slack_token(), random_app_token(), secret=self.secret)
        self.tg.state.bot.first_name = "Your agent"
        self.chats: list[SceneChat] = []

    async def start(self) -> None:
        """Start the platforms and create people and groups."""
        await self.tg.start()
        await self.dc.start()
        await self.slack.start()
        (self.folder / "run").mkdir(mode=0o700, exist_ok=True)
        if self.is_shared:
            self.chats = [*self._create_shared()]
            return
        create = {"telegram": self._create_telegram, "discord": self._create_discord, "slack": self._create_slack}
        self.chats = [chat for server in self.servers for chat in create[server.channel]()]

    async def aclose(self) -> None:
        """Stop the platforms."""
        await self.tg.aclose()
        await self.dc.aclose()
        await self.slack.aclose()

    def server(self, channel: str) -> SceneServer:
        """Return the only server of a channel, or the first one of several. Raises LookupError."""
        found = next((server for server in self.servers if server.channel == channel), None)
        if found is None:
            raise LookupError(f"no channel {channel[:20]!r} is played here")
        return found

    def settings(self, server: SceneServer) -> dict[str, str]:
        """Return the `env` of an `.mcp.json` entry that makes a channel server use this sandbox."""
        shared = {
            f"{server.channel.upper()}_STATE_DIR": str(server.state_dir),
            "CHANNELS_CLAIM": "always",
            "CHANNELS_DATA_DIR": str(self.folder / "data"),
            **({"CHANNELS_HUB": "local"} if server.project else {}),
        }
        if server.channel == "telegram":
            return {"TELEGRAM_API_ROOT": self.tg.root, "TELEGRAM_BOT_TOKEN": self.tg.token, **shared}
        if server.channel == "slack":
            tokens = {"SLACK_BOT_TOKEN": self.slack.token, "SLACK_APP_TOKEN": self.slack.app_token}
            return {"SLACK_API_ROOT": self.slack.root, **tokens, **shared}
        return {
            "DISCORD_API_ROOT": self.dc.root,
            "DISCORD_GATEWAY_URL": self.dc.gateway_url,
            "DISCORD_BOT_TOKEN": self.dc.token,
            **shared,
        }

    def chat(self, key: str) -> SceneChat:
        """Return the chat with this key. Raises LookupError."""
        for chat in self.chats:
            if chat.key == key:
                return chat
        raise LookupError(f"no chat {key!r}; there are {', '.join(chat.key for chat in self.chats)}")

    # --- people and groups

    def _store(self, server: SceneServer) -> Store:
        folder = server.state_dir
        folder.mkdir(parents=True, mode=0o700)
        adopt(folder, self.folder / "data")
        # The scripted agent waits for an answer as long as people take.
        (folder / "config.yaml").write_text("call_s: 3600\n", encoding="utf-8")
        return Store(folder / "channel.db")

    def _create_telegram(self) -> Iterator[SceneChat]:
        people = {handle: self.tg.person(handle, name) for handle, name in (PAIRED | STRANGERS).items()}
        paired = [people[handle] for handle in PAIRED]
        group = self.tg.group("Release team", members=paired)
        forum = self.tg.group("Projects", forum=True, members=paired, administrator=True)
        forum.topic("Website")
        with self._store(self.server("telegram")) as store:
            services = Services.of(store)
            for person in paired:
                person.dm.started = True
                _pair(services, person, str(person.id))
            services.access.set_approver(str(people[APPROVER].id), approver=True)
            services.access.add_group(str(group.id), require_mention=True, senders=None)
            services.access.add_group(str(forum.id), require_mention=False, senders=None)
        for handle, person in people.items():
            name, stranger = person.user.first_name, handle in STRANGERS
            yield SceneChat("telegram", handle, str(person.id), name, _about(handle), (handle,), stranger=stranger)
        about = f"a group; write @{self.tg.state.bot.username} for the bot to hear you"
        yield SceneChat("telegram", str(group.id), str(group.id), group.chat.title, about, tuple(PAIRED), group=True)
        about = "a group with topics; the bot hears all of it"
        yield SceneChat("telegram", str(forum.id), str(forum.id), forum.chat.title, about, tuple(PAIRED), group=True)

    def _create_shared(self) -> Iterator[SceneChat]:
        """Create the people of several projects on one bot, with topics in their private chats."""
        self.tg.set_topics(on=True)
        people = [self.tg.person(handle, name) for handle, name in PAIRED.items()]
        for number, server in enumerate(self.servers):
            with self._store(server) as store:
                services = Services.of(store)
                for person in people if number == 0 else people[:1]:
                    person.dm.started = True
                    _pair(services, person, str(person.id))
                services.access.set_approver(str(people[0].id), approver=True)
        people[0].topic("Start")
        for person in people:
            about = "in every project, approver" if person.handle == APPROVER else f"in {self.servers[0].project} only"
            yield SceneChat("telegram", person.handle, str(person.id), person.user.first_name, about, (person.handle,))

    def _create_discord(self) -> Iterator[SceneChat]:
        people = {handle: self.dc.person(handle, name) for handle, name in PAIRED.items()}
        channel = self.dc.guild("Workshop", members=list(people.values())).channel("general")
        with self._store(self.server("discord")) as store:
            services = Services.of(store)
            for person in people.values():
                person.dm.started = True
                _pair(services, person, str(person.dm.id))
            services.access.set_approver(str(people[APPROVER].id), approver=True)
            services.access.add_group(str(channel.id), require_mention=False, senders=None)
        for handle, person in people.items():
            title = person.user.global_name or handle
            yield SceneChat("discord", handle, str(person.dm.id), title, _about(handle), (handle,))
        about, actors = "a channel; in this sandbox the bot hears all of it", tuple(PAIRED)
        yield SceneChat("discord", str(channel.id), str(channel.id), f"#{channel.name}", about, actors, group=True)

    def _create_slack(self) -> Iterator[SceneChat]:
        # The manifest from which people make their app.
        if (manifest := channel_of("slack").preparation) is not None:
            self.slack.install(manifest())
        people = {handle: self.slack.person(handle, name) for handle, name in PAIRED.items()}
        channel = self.slack.channel("general", members=list(people.values()))
        with self._store(self.server("slack")) as store:
            services = Services.of(store)
            for person in people.values():
                _pair(services, person, person.dm.id)
            services.access.set_approver(people[APPROVER].id, approver=True)
            services.access.add_group(channel.id, require_mention=False, senders=None)
        for handle, person in people.items():
            yield SceneChat("slack", handle, person.dm.id, person.user.real_name, _about(handle), (handle,))
        about, actors = "a channel; in this sandbox the bot hears all of it", tuple(PAIRED)
        yield SceneChat("slack", channel.id, channel.id, f"#{channel.name}", about, actors, group=True)


def _pair(services: Services, person: TelegramPerson | DiscordPerson | SlackPerson, chat_id: str) -> None:
    name, user_id = PAIRED[person.handle], str(person.id)
    services.access.allow(user_id, by="sandbox", name=name, username=person.handle)
    services.chats.record(Chat(chat_id, "direct"), Person(user_id, name, person.handle))


def _about(handle: str) -> str:
    if handle in STRANGERS:
        return "a stranger, not paired"
    return "paired, approver" if handle == APPROVER else "paired"
