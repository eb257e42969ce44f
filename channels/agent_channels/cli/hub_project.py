"""A project with its bot's hub, for the verbs that make it join, leave or tell of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from agent_channels.core.errors import ConfigError, Refused, StoreError
from agent_channels.core.hub.address import HubAddress
from agent_channels.core.hub.lease import lock_domain
from agent_channels.core.hub.project_hub import ProjectHub, bot_key, project_id
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.runtime.hub.member import differs, hub_facts, member_facts
from agent_channels.core.runtime.hub.tasks import hub_address
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label
from agent_channels.registry import channel

__all__ = ["LEAVING", "VARIABLE", "HubProject", "enter_hub", "joined_words", "leave_for_good", "tell_hub"]

VARIABLE = "CHANNELS_HUB"
LEAVING = "CHANNELS_HUB_LEAVING"
"""The same in the .env of a project that has begun to leave its hub, until it has left."""


class HubProject:
    """A project with a bot: its settings, the bot and its state folder."""

    def __init__(self, name: str, env: Environment | None = None) -> None:
        """`env`: of another project than the one at hand. Raises `ConfigError` if it has no token."""
        self.row, self.env, self._is_other = channel(name), env or Environment(name), env is not None
        self.settings: Settings = load(self.row.settings, self.env)
        token = self.env.token()
        if token is None:
            raise ConfigError(
                sentence("no token is set, so there is no bot to share; run `channels setup {channel}`", channel=name)
            )
        self.bot_id = self.row.bot_id(token)

    def named(self) -> str | None:
        """Return how the hub is named that the project is in, or has begun to leave; None without one."""
        if self.settings.hub is not None:
            return self.settings.hub.value
        return self.env.dotenv.get(LEAVING)

    def address_of(self, text: str) -> HubAddress:
        """Return the address that a text names for this project. Raises `ConfigError`."""
        return HubAddress.of(text, {**self.env.dotenv, **self.env.environ})

    def address(self) -> HubAddress:
        """Return where the hub is. Raises `Refused` if the bot is not shared."""
        found = hub_address(self.settings, self.env)
        if found is None:
            raise Refused(
                sentence(
                    "this project shares its bot with no other; `channels hub join {channel}` does that",
                    channel=self.row.name,
                )
            )
        return found

    @property
    def lock(self) -> ReaderLock:
        """The lock of the process that works for this project of a shared bot."""
        return ReaderLock(self.row.name, self.bot_id, self.env.state_dir, shared=True)

    def has_session(self) -> bool:
        """Return whether a server here works for this project of a shared bot."""
        return self.lock.was_made and self.lock.holder() is not None

    def use(
        self, address: HubAddress, work: Callable[[ProjectHub, Services], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        """Return what `work` returns, with the hub and this project's store open."""

        async def worked() -> dict[str, Any]:
            # The schema of another project is its own program's business, which may be older.
            path = self.env.state_dir / "channel.db"
            with Store(path, migrations=None) if self._is_other else Store.open(self.env.state_dir) as store:
                services = Services.of(store)
                hub = ProjectHub.of(address, bot_key(self.row.name, self.bot_id), project_id(services.key_values))
                try:
                    return await work(hub, services)
                finally:
                    await hub.db.close()

        return anyio.run(worked)


def enter_hub(
    project: HubProject, address: HubAddress, name: str | None = None, *, folder: Path | None = None
) -> dict[str, Any]:
    """Make a project a member of its bot's hub, under a name that it may choose; return the hub's facts.

    Raises `Refused` for a name that cannot be had, and `StoreError`; nothing has changed then.
    `folder`: the project's, if it is not the one at hand; what its own servers said of it stays then.
    """

    async def enter(hub: ProjectHub, services: Services) -> dict[str, Any]:
        known = {member.project: member.name for member in await hub.members.read()}
        if folder is not None and hub.project in known:
            return await hub_facts(hub, known[hub.project])
        facts = member_facts(services, project.settings, hub.project, "none", folder)
        return await hub_facts(hub, await hub.members.beat(facts, name=name))

    return project.use(address, enter)


def tell_hub(name: str) -> str:
    """Have the hub know whom this project lets in by now; return what to say if it could not be told, else nothing.

    A session that works here tells it by itself.
    """
    try:
        settings = load(channel(name).settings, Environment(name))
        if settings.hub is None or Environment(name).token() is None:
            return ""
        project = HubProject(name)

        async def tell(hub: ProjectHub, services: Services) -> dict[str, Any]:
            members = {member.project: member for member in await hub.members.read()}
            member = members.get(hub.project)
            if member is None or member.works_elsewhere(lock_domain()):
                return {}
            if member.is_unattended or not project.has_session():
                facts = member_facts(services, project.settings, hub.project, "none")
                if differs(member, facts):
                    await hub.members.refresh(facts, member.silent_s)
            return {}

        project.use(project.address(), tell)
    except (ConfigError, StoreError) as error:
        return sentence(
            "The hub does not know it yet ({error}); it hears of it once a session or a keeper runs here.",
            error=words_of(error),
        )
    return ""


def leave_for_good(name: str) -> str:
    """Take this project, whose state is about to go, out of the hub it is in; return what to say if that failed."""
    try:
        if Environment(name).token() is None or (named := (project := HubProject(name)).named()) is None:
            return ""

        async def leave(hub: ProjectHub, _: Services) -> dict[str, Any]:
            await hub.members.leave(hub.project)
            return {}

        project.use(project.address_of(named), leave)
    except (ConfigError, StoreError) as error:
        return sentence(
            "The hub still counts this project as one of its own ({error}); `channels hub rm {channel} NAME` in "
            "another of its projects takes it out.",
            error=words_of(error),
            channel=name,
        )
    return ""


def joined_words(data: dict[str, Any]) -> str:
    """Return the sentence that says which project joined a hub, from what `enter_hub` returned."""
    others = [str(one["name"]) for one in data["projects"] if one["project"] != data["project"]]
    return sentence(
        "This project is now {name} in the hub {address}, beside {others}."
        if others
        else "This project is now {name} in the hub {address}.",
        name=label(data["name"]),
        address=data["address"],
        others=joined(map(label, others), ", "),
    )
