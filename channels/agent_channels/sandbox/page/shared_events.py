"""What the hub of the scene's projects says of each event: whose it is, and whether it waits."""

from __future__ import annotations

from dataclasses import dataclass

from agent_channels.core.hub.project_hub import bot_key
from agent_channels.core.hub.routes import HUB
from agent_channels.core.hub.sqlite_database import local_path
from agent_channels.core.store.database import Store
from agent_channels.sandbox.page.scene import Scene

__all__ = ["RoutedTo", "SharedEvents"]

NEWEST = 300


@dataclass(frozen=True, slots=True)
class RoutedTo:
    """Where an event went, and when it came (epoch seconds); `project` is "" for one that no project gets yet."""

    project: str
    state: str
    at: float


class SharedEvents:
    """The hub's database, over a connection that cannot write; it may not be there yet."""

    def __init__(self, scene: Scene) -> None:
        self._bot = bot_key("telegram", str(scene.tg.bot_id))
        self._path = local_path(self._bot, scene.folder / "data")
        self._store: Store | None = None

    def close(self) -> None:
        """Close it."""
        if self._store is not None:
            self._store.close()

    def revision(self) -> int:
        """Return a value that changes whenever a server writes; 0 before the first one has made the tables."""
        if not self._path.exists():
            return 0
        made = self._opened().value("SELECT 1 FROM sqlite_master WHERE name = 'members'")
        return self._opened().revision() if made else 0

    def projects(self) -> int:
        """Return how many projects have joined."""
        found = self._opened().value("SELECT count(*) FROM members WHERE bot = ?", self._bot) if self.revision() else 0
        return int(found or 0)

    def routed(self) -> dict[str, RoutedTo]:
        """Return the newest events by id."""
        if not self.revision():
            return {}
        rows = self._opened().rows(
            "SELECT e.event_id, e.project, e.state, e.received_at, m.name FROM events e LEFT JOIN members m "
            "ON m.bot = e.bot AND m.project = e.project WHERE e.bot = ? ORDER BY e.id DESC LIMIT ?",
            self._bot,
            NEWEST,
        )
        return {
            row["event_id"]: RoutedTo(row["name"] or "", _state(row["project"], row["state"]), row["received_at"])
            for row in rows
        }

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store(self._path, migrations=None).read_only()
        return self._store


def _state(project: str, state: str) -> str:
    if project == HUB:
        return "handled"
    if state == "nobody":
        return "dropped"
    return "hub" if project else "undecided"
