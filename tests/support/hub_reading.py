"""The reader of a shared bot in this process, in front of a sandbox; the projects are rows in the hub."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Inbound, Message, Tap
from agent_channels.core.hub import wakeups
from agent_channels.core.hub.lease import Lease
from agent_channels.core.hub.members import MemberGroup
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.routes import RouteTarget
from agent_channels.core.hub.sent import SentMessage
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.runtime.hub import chat, host_starts
from agent_channels.core.runtime.hub.chat import HubChat
from agent_channels.core.runtime.hub.reader import HubSink
from agent_channels.core.runtime.hub.router import Router
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.store.database import Store
from agent_channels.registry import channel
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from hubs import BOT, Hub, facts_of
from wire_host import PATIENCE_S

__all__ = ["HubReading", "group", "reading"]

Sandbox = TelegramSandbox | DiscordSandbox | SlackSandbox
DOMAIN, READER = "desk", "rrrrrrrr"
LOOK_EVERY_S = 0.02
# What the reader and a keeper look for themselves in case nothing wakes them; here most changes are rows that nobody
# tells of, and would wait for seconds.
LOOKS = (chat, host_starts, wakeups)


def group(*senders: int, hears_all: bool = False) -> MemberGroup:
    """A group in which these people may speak; everybody if none is named."""
    return MemberGroup(frozenset(map(str, senders)) or None, hears_all)


class HubReading:
    """What the reader does, and what each project got of it so far."""

    def __init__(self, hub: ProjectHub, adapter: Adapter, chat: HubChat, router: Router) -> None:
        self.hub, self.adapter, self.chat, self.router = hub, adapter, chat, router
        self.got: dict[str, list[Inbound]] = {}
        self._turn = asyncio.Lock()

    async def member(
        self, name: str, *people: int | str, approvers: Sequence[int] = (),
        groups: dict[int, MemberGroup] | None = None, **facts: Any,
    ) -> str:  # fmt: skip
        """Adds a project, or changes it; its id is its name twice and a bit."""
        project = (name * 8)[:8]
        found = facts_of(
            project,
            name,
            people=frozenset(map(str, people)),
            approvers=frozenset(map(str, approvers)),
            groups={str(chat): rule for chat, rule in (groups or {}).items()},
            **facts,
        )
        await self.hub.members.beat(found)
        return project

    async def sent(self, project: str, message: dict[str, Any], chat: int) -> None:
        """Has a message of the bot's be a project's."""
        found = SentMessage(str(chat), str(message.get("message_id", message.get("id"))))
        await self.hub.sent.record(project, [found])

    async def recorded(self, message: dict[str, Any], chat: int) -> None:
        """Waits until the hub knows whose a person's message is."""
        target = RouteTarget(
            "message", str(chat), answered_message_id=str(message.get("message_id", message.get("id")))
        )
        async with asyncio.timeout(PATIENCE_S):
            while not (await self.hub.routes.facts([target])).sent:  # noqa: ASYNC110 - as in `settled`
                await asyncio.sleep(LOOK_EVERY_S)

    async def take(self, project: str) -> list[Inbound]:
        """What a project got until now, which its worker has journalled then."""
        # A test may look twice at once, and one process has one worker.
        async with self._turn:
            claimed = await self.hub.events.claim(project, f"{DOMAIN}:1", DOMAIN, 100)
            await self.hub.events.done(project, [one.event for one in claimed])
        found = self.got.setdefault(project, [])
        found += [self.adapter.to_inbound(one.event) for one in claimed]
        return found

    async def texts(self, project: str) -> list[str]:
        """The texts of the messages that a project got, and the data of its taps."""
        return [
            one.text if isinstance(one, Message) else one.data
            for one in await self.take(project)
            if isinstance(one, Message | Tap)
        ]

    async def until(self, project: str, texts: list[str]) -> None:
        """Waits until a project got just these."""
        found: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (found := await self.texts(project)) != texts:  # noqa: ASYNC110 - as in `settled`
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"{project} got {found}, not {texts}") from None

    async def settled(self) -> None:
        """Waits until the hub has nothing to do for itself."""
        async with asyncio.timeout(PATIENCE_S):
            while "hub" in await self.hub.events.waiting():  # noqa: ASYNC110 - nothing tells of another's commit
                await asyncio.sleep(LOOK_EVERY_S)

    async def when(self, predicate: Callable[[], Any]) -> None:
        """Waits until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not predicate():  # noqa: ASYNC110 - nothing tells of every change
                await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def reading(sandbox: Sandbox, made_hub: Hub, folder: Path) -> AsyncIterator[HubReading]:
    """Reads until the block's end."""
    match sandbox:
        case TelegramSandbox():
            name, more = "telegram", {"POLL_TIMEOUT_S": "1"}
        case DiscordSandbox():
            name, more = "discord", {"GATEWAY_URL": sandbox.gateway_url}
        case SlackSandbox():
            name, more = "slack", {"APP_TOKEN": sandbox.app_token}
    given = {"STATE_DIR": str(folder / "state"), "BOT_TOKEN": sandbox.token, "API_ROOT": sandbox.root} | more
    environ = {f"{name.upper()}_{key}": value for key, value in given.items()}
    row, env = channel(name), Environment(name, environ)
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for module in LOOKS:
            patch.setattr(module, "LOOK_EVERY_S", LOOK_EVERY_S)
        store = stack.enter_context(closing(Store.open(env.state_dir)))
        services = Services.of(store)
        hub = await stack.enter_async_context(made_hub.open(READER))
        adapter = await stack.enter_async_context(row.connect(env, load(row.settings, env), sandbox.token))
        await adapter.identify()
        threads = Threads(adapter, services.chats, services.access)
        hub_chat = HubChat(adapter, hub, threads, name, f"{DOMAIN}:2")
        router = Router(adapter, hub, hub_chat)
        lease = Lease(hub.db, BOT, DOMAIN, 3600.0)
        assert await lease.take({})
        sink = HubSink(hub, lease, router, lambda: None, lambda _: None)
        await sink.load(dict)

        async def work() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(adapter.listen, sink)
                group.start_soon(router.run)

        # A fixture ends in another task than it began in.
        task = asyncio.create_task(work())
        stack.push_async_callback(_ended, task)
        if isinstance(sandbox, DiscordSandbox | SlackSandbox):
            await sandbox.wait_for(lambda: sandbox.connected, PATIENCE_S)
        yield HubReading(hub, adapter, hub_chat, router)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
