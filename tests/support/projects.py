"""Several projects that share one bot through a hub on this machine, each with a server and a host of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import World
from wire_host import PATIENCE_S, Host

__all__ = ["Projects"]

W = TypeVar("W", bound=World)


class Projects(Generic[W]):
    """The projects by name. They are one user's, on one machine: what they share is in `folder`."""

    def __init__(self, made: dict[str, W], folder: Path, hub: str = "local") -> None:
        self.stages, self.hosts = made, dict[str, Host]()
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        for name, stage in made.items():
            stage.project = folder / name / name
            stage.project.mkdir(mode=0o700)
            stage.env |= {"CLAUDE_PROJECT_DIR": str(stage.project), "XDG_RUNTIME_DIR": str(runtime)}
            stage.config(grace_s=0, hub=hub, wait_notice_after_s=0, progress="off")

    def __getitem__(self, name: str) -> W:
        return self.stages[name]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(stage.__aexit__(kind, error, trace) for stage in self.stages.values()))

    def let_in(self, name: str, user_id: int, *, approver: bool = False) -> None:
        """Lets somebody write to a project directly."""
        with Store.open(self[name].state) as store:
            access = Services.of(store).access
            access.allow(str(user_id), by="test")
            access.set_approver(str(user_id), approver=approver)

    def enable(self, name: str, chat_id: int, senders: set[int] | None = None, **rule: Any) -> None:
        """Enables a group for a project."""
        only = None if senders is None else frozenset(map(str, senders))
        with Store.open(self[name].state) as store:
            Services.of(store).access.add_group(str(chat_id), require_mention=True, senders=only, **rule)

    async def start(self, *names: str) -> None:
        """Starts servers, one after the other, until the hub knows each of them; the first one reads."""
        for name in names or self.stages:
            self.hosts[name] = await self[name].host()
            await self.hosts[name].status_when(lambda found: bool((found.get("hub") or {}).get("name")))

    async def read(self) -> None:
        """Waits until somebody reads the bot."""
        host = next(iter(self.hosts.values()))
        await host.status_when(lambda found: found["hub"]["reader"]["state"] == "reading", PATIENCE_S)

    def heard(self) -> dict[str, list[str]]:
        """What was pushed to each project's host so far."""
        return {name: [event.content for event in host.events] for name, host in self.hosts.items()}
