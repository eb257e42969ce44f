"""A project with its bot's hub, for the verbs that make it join, leave or tell of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.hub.address import HubAddress
from agent_channels.core.hub.project_hub import ProjectHub, bot_key, project_id
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.runtime.hub.member import hub_facts, member_facts
from agent_channels.core.runtime.hub.tasks import hub_address
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label
from agent_channels.registry import channel

__all__ = ["VARIABLE", "HubProject", "enter_hub", "joined_words"]

VARIABLE = "CHANNELS_HUB"


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

    `folder`: the project's, if it is not the one at hand; what its own servers said of it stays then.
    """

    async def enter(hub: ProjectHub, services: Services) -> dict[str, Any]:
        known = {member.project: member.name for member in await hub.members.read()}
        if folder is not None and hub.project in known:
            return await hub_facts(hub, known[hub.project])
        found = await hub.members.beat(member_facts(services, project.settings, hub.project, "none", folder))
        if name is not None and name != found:
            await hub.members.rename(hub.project, name)
            found = name
        return await hub_facts(hub, found)

    return project.use(address, enter)


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
