"""The hub as one project of a bot sees it: the database, and the service of each of its tables."""

from __future__ import annotations

import random
import string
from dataclasses import field
from typing import Self

from agent_channels.core.frozen import frozen
from agent_channels.core.hub.address import HubAddress
from agent_channels.core.hub.database import HubDatabase, Migrations
from agent_channels.core.hub.events import Events
from agent_channels.core.hub.keepers import Keepers
from agent_channels.core.hub.members import Members
from agent_channels.core.hub.migrations import MIGRATIONS
from agent_channels.core.hub.postgres_database import PostgresDatabase
from agent_channels.core.hub.questions import Questions
from agent_channels.core.hub.route_table import RouteTable
from agent_channels.core.hub.sent import SentLog
from agent_channels.core.hub.sqlite_database import SqliteDatabase, local_path
from agent_channels.core.hub.starts import Starts
from agent_channels.core.hub.wakeups import HubWakeups
from agent_channels.core.scheduling import Wakeup
from agent_channels.core.settings.paths import data_dir
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["ProjectHub", "bot_key", "known_project_id", "open_database", "project_id", "renew_project_id"]

_KEY = "hub_project"
ID_LENGTH = 8


def bot_key(channel: str, bot_id: str) -> str:
    """Return the name of a bot in the hub."""
    return f"{channel}:{bot_id}"


def project_id(key_values: KeyValue) -> str:
    """Return the eight letters by which the hub always knows the project with this store. Raises `StoreError`."""
    key_values.add(_KEY, _new_id())
    return key_values.get(_KEY) or ""


def renew_project_id(key_values: KeyValue, letters: str = "") -> None:
    """Give the project with this store, a copy of another one's, letters of its own, or these. Raises `StoreError`."""
    key_values.set(_KEY, letters or _new_id())


def _new_id() -> str:
    return "".join(random.SystemRandom().choices(string.ascii_lowercase, k=ID_LENGTH))


def known_project_id(key_values: KeyValue) -> str | None:
    """Return the letters of a project that has some. Raises `StoreError`."""
    return key_values.get(_KEY)


def open_database(address: HubAddress, bot: str, *, migrations: Migrations = MIGRATIONS) -> HubDatabase:
    """Return the hub's database for a bot (`channel:bot_id`); it is connected to and migrated when it is first used."""
    if address.is_local:
        return SqliteDatabase(address, local_path(bot, data_dir()), migrations)
    return PostgresDatabase(address, migrations)


@frozen
class ProjectHub:
    """One bot's hub, for one of its projects."""

    address: HubAddress
    bot: str
    project: str
    db: HubDatabase
    wakeups: HubWakeups
    events: Events
    members: Members
    sent: SentLog
    routes: RouteTable
    questions: Questions
    keepers: Keepers
    starts: Starts
    facts_changed: Wakeup = field(default_factory=Wakeup)
    """Set when what the project says of itself may have changed."""
    status_changed: Wakeup = field(default_factory=Wakeup)
    """Set when this process reads the bot now, or no longer, or a project has joined."""

    @classmethod
    def of(cls, address: HubAddress, bot: str, project: str) -> Self:
        """Return the hub; nothing is connected before it is used."""
        db = open_database(address, bot)
        wakeups = HubWakeups(address, bot, project)
        members = Members(db, bot, wakeups)
        return cls(
            address=address,
            bot=bot,
            project=project,
            db=db,
            wakeups=wakeups,
            events=Events(db, bot, wakeups),
            members=members,
            sent=SentLog(db, bot),
            routes=RouteTable(db, bot, members),
            questions=Questions(db, bot),
            keepers=Keepers(db, bot),
            starts=Starts(db, bot, wakeups),
        )
