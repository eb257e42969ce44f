"""State folders that are copies: with the id of another project in a hub, each of the two would get some messages."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from agent_channels.core.errors import StoreError
from agent_channels.core.hub.project_hub import known_project_id, renew_project_id
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.state_folder import adopted_folders
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["separate_copy"]


def separate_copy(folder: Path, *, replaced: Path | None = None) -> str:
    """Give a state folder that is a copy of another one here an id of its own; return what to say of it, else nothing.

    `replaced`: the folder that it takes the place of. Raises `StoreError`.
    """
    if (own := _hub_id(folder)) is None:
        return ""
    same = [path for path in (folder, replaced) if path is not None and path.exists()]
    others = (other.path for other in adopted_folders() if not any(other.path.samefile(path) for path in same))
    original = next((path for path in others if _hub_id(path) == own), None)
    if original is None:
        return ""
    with _opened(folder) as store:
        renew_project_id(KeyValue(store))
    return sentence(
        "  a copy of {folder}: where they share a bot, this is a project of its own from now on", folder=original
    )


def _hub_id(folder: Path) -> str | None:
    if not (folder / "channel.db").exists():
        return None
    # One that cannot be read is told of where it is used.
    with suppress(StoreError), _opened(folder) as store:
        return known_project_id(KeyValue(store))
    return None


def _opened(folder: Path) -> Store:
    # Its schema is its own program's business, which may be older.
    return Store(folder / "channel.db", migrations=None)
