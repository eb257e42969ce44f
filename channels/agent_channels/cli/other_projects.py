"""The user's other projects with a bot on a platform, as their state folders tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.people.access import Group, Member
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.settings.paths import expand_home
from agent_channels.core.settings.state_folder import adopted_folders
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label

__all__ = ["OtherProject", "named", "other_projects"]


@frozen
class OtherProject:
    """A project with a bot of its own, or a share in one. `hub` is what its setting says; `bot` is @name, or an id."""

    name: str
    folder: Path
    env: Environment
    token: str
    bot_id: str
    bot: str
    hub: str | None
    members: tuple[Member, ...]
    approvers: frozenset[str]
    groups: tuple[Group, ...]

    @contextmanager
    def services(self) -> Iterator[Services]:
        """Open its store for reading. Raises `StoreError`."""
        with _store(self.env.state_dir) as store:
            yield Services.of(store)


def other_projects(row: Channel, own: Path) -> list[OtherProject]:
    """Return them, by name; `own` is the state folder of the project at hand.

    What this program did not make is not looked at, and what cannot be read is left out.
    """
    found = []
    for state_dir in (folder.path for folder in adopted_folders()):
        if state_dir == own:
            continue
        try:
            if (project := _read(row, state_dir)) is not None:
                found.append(project)
        except (ConfigError, StoreError):
            continue
    return sorted(found, key=lambda project: (project.name, project.folder))


def named(text: str, projects: Sequence[OtherProject], channel: str) -> OtherProject:
    """Return the project with this name, or in this folder. Raises `ConfigError` if there is none, or several."""
    path = expand_home(text).absolute()
    found = [one for one in projects if text == one.name or path in {one.folder, one.env.state_dir}]
    if len(found) == 1:
        return found[0]
    if found:
        folders = ", ".join(str(one.folder) for one in found)
        raise ConfigError(
            sentence("several projects are called {name!r}; give the folder: {folders}", name=text, folders=folders)
        )
    if not projects:
        raise ConfigError(
            sentence(
                "no other project of yours has a {channel} bot, so there is none to join; run `channels setup "
                "{channel}` there first",
                channel=channel,
            )
        )
    there = ", ".join(f"{label(one.name)} ({one.folder})" for one in projects)
    raise ConfigError(
        sentence(
            "no other project with a bot is called {name!r}, or lies there; there are: {there}", name=text, there=there
        )
    )


def _read(row: Channel, state_dir: Path) -> OtherProject | None:
    # Nothing of this process's environment: its variables are for the project at hand.
    env = Environment(row.name, {f"{row.name.upper()}_STATE_DIR": str(state_dir)})
    token = env.token()
    # One whose set-up has only begun has nothing to share yet.
    if token is None or not (state_dir / "channel.db").exists():
        return None
    bot_id = row.bot_id(token)
    hub = load(row.settings, env).hub
    folder = next((one for one in (state_dir, *state_dir.parents) if one.name not in {"state", row.name}), state_dir)
    with _store(state_dir) as store:
        services = Services.of(store)
        known = services.health.get("bot_username") if services.health.get("bot_id") == bot_id else None
        return OtherProject(
            name=folder.name,
            folder=folder,
            env=env,
            token=token,
            bot_id=bot_id,
            bot=f"@{known}" if known else bot_id,
            hub=None if hub is None else hub.value,
            members=tuple(services.access.members()),
            approvers=frozenset(member.user_id for member in services.access.approvers()),
            groups=tuple(services.access.groups()),
        )


def _store(state_dir: Path) -> Store:
    # Its schema is its own program's business, which may be older.
    return Store(state_dir / "channel.db", migrations=None).read_only()
