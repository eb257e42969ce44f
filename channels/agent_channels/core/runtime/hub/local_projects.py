"""The projects of this user on this machine that share a bot: found by the state folders that the user adopted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.address import HubAddress
from agent_channels.core.hub.project_hub import bot_key, known_project_id
from agent_channels.core.i18n.sentences import words_of
from agent_channels.core.runtime.hub.tasks import hub_address
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.state_folder import adopted_folders
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["LocalProject", "LocalProjects", "database_stamp", "of_no_project"]


@frozen
class LocalProject:
    """A project on this machine. `folder`: where it is, if it was registered at a terminal (`channels hub join`)."""

    channel: Channel
    env: Environment = field(compare=False)
    settings: Settings
    token: str = field(repr=False)
    address: HubAddress
    project: str
    """Its id in the hub."""
    folder: Path | None

    @property
    def bot_id(self) -> str:
        """The id of its bot."""
        return self.channel.bot_id(self.token)

    @property
    def bot(self) -> str:
        """The name of its bot in the hub."""
        return bot_key(self.channel.name, self.bot_id)

    @property
    def may_start(self) -> bool:
        """Whether its operator allows that an approver has its host started from the chat."""
        return self.settings.start is not None and self.folder is not None


def of_no_project(environ: Mapping[str, str], channels: Sequence[Channel]) -> dict[str, str]:
    """Return an environment without the variables that decide for one project, whichever that was."""
    steering = {"CLAUDE_PROJECT_DIR", "CHANNELS_HUB", "CHANNELS_MODE", "CHANNELS_CLAIM"}
    for channel in channels:
        names = ("STATE_DIR", "BOT_TOKEN", *(secret.name for secret in channel.secrets))
        steering |= {f"{channel.name.upper()}_{name}" for name in names}
    return {name: value for name, value in environ.items() if name not in steering}


class LocalProjects:
    """Finds them again and again, and remembers their ids until something is written there."""

    def __init__(self, channels: Sequence[Channel], environ: Mapping[str, str]) -> None:
        self._channels, self._environ = channels, of_no_project(environ, channels)
        self._ids: dict[Path, tuple[object, str | None]] = {}

    def find(self) -> tuple[list[LocalProject], list[str]]:
        """Return the projects, and what is wrong with those that cannot be used. Raises `ConfigError`."""
        projects: list[LocalProject] = []
        problems: list[str] = []
        for adopted in adopted_folders():
            for channel in self._channels:
                name = channel.name.upper()
                env = Environment(channel.name, {**self._environ, f"{name}_STATE_DIR": str(adopted.path)})
                try:
                    if f"{name}_BOT_TOKEN" in env.dotenv and (found := self._project(channel, env, adopted.project)):
                        projects.append(found)
                except (ConfigError, StoreError) as error:
                    problems.append(words_of(error))
        return projects, problems

    def _project(self, channel: Channel, env: Environment, folder: Path | None) -> LocalProject | None:
        """Return the project; None if it shares its bot with no other, or has not joined the hub yet."""
        settings, token = load(channel.settings, env), env.token()
        if token is None or (address := hub_address(settings, env)) is None:
            return None
        # Raises for a token that is none.
        channel.bot_id(token)
        project = self._id(env.state_dir)
        return LocalProject(channel, env, settings, token, address, project, folder) if project else None

    def _id(self, state_dir: Path) -> str | None:
        # A copy gets another id, and what was restored may have one.
        stamp = database_stamp(state_dir)
        if state_dir not in self._ids or self._ids[state_dir][0] != stamp:
            found = None
            if stamp:
                # Its schema is its own program's business, which may be older.
                with Store(state_dir / "channel.db", migrations=None) as store:
                    found = known_project_id(KeyValue(store))
            self._ids[state_dir] = (stamp, found)
        return self._ids[state_dir][1]


def database_stamp(state_dir: Path) -> list[tuple[int, int]]:
    """Return what changes with everything that is written into a project's database; empty if there is none."""
    stamp: list[tuple[int, int]] = []
    for name in ("channel.db", "channel.db-wal"):
        with suppress(OSError):
            info = (state_dir / name).stat()
            stamp.append((info.st_mtime_ns, info.st_size))
    return stamp
