"""One bot's line while it is open: the store and its services, the adapter, and the tasks of the one who reads."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream

from channels.core.access import Access
from channels.core.adapter import Adapter
from channels.core.arrivals import Arrivals, Errand, run_errand
from channels.core.channel import Channel
from channels.core.chores import Chores, Watch
from channels.core.config import Environment, Settings, load
from channels.core.delivery import Delivery, Pictures
from channels.core.errors import ConfigError
from channels.core.files import Files
from channels.core.health import Health
from channels.core.host import evidence
from channels.core.inbox import Inbox
from channels.core.outbound import Outbound
from channels.core.outbox import Outbox
from channels.core.ownership import Ownership
from channels.core.pairing import Pairing
from channels.core.panels import Panels
from channels.core.presence import Presence
from channels.core.reader import Reader
from channels.core.store import Store
from channels.core.tasks import Bell

__all__ = ["Line", "open_line"]

logger = logging.getLogger(__name__)
TAKE_OVER_EVERY_S = 1.0
ERRANDS = 256
WORKERS = 4


@dataclass(slots=True)
class Line:
    """Everything that one bot needs; made by `open_line`."""

    channel: Channel
    env: Environment
    settings: Settings
    bot_id: str
    store: Store
    adapter: Adapter
    push: Callable[[str, dict[str, object]], Awaitable[None]]
    inbox: Inbox = field(init=False)
    access: Access = field(init=False)
    panels: Panels = field(init=False)
    files: Files = field(init=False)
    health: Health = field(init=False)
    outbound: Outbound = field(init=False)
    ownership: Ownership = field(init=False)
    delivery: Delivery | None = field(init=False, default=None)
    waiting_why: str = field(init=False, default="")

    def __post_init__(self) -> None:
        settings, store = self.settings, self.store
        self.inbox, self.access, self.panels = Inbox(store), Access(store), Panels(store)
        self.health = Health(store)
        self.files = Files(
            self.env.state_dir,
            roots=settings.send_roots,
            quota_mb=settings.files_quota_mb,
            environ=self.env.environ,
        )
        self.outbound = Outbound(
            self.adapter,
            self.access,
            self.panels,
            Outbox(store),
            self.files,
            rate_wait_s=settings.rate_wait_s,
            ttl_s=settings.panel_ttl_h * 3600,
        )
        self.ownership = Ownership(self.channel.name, self.bot_id, self.env.state_dir)

    def acted(self, chat_id: str) -> None:
        """The agent acted on a chat. Only the session that shows messages can have answered them."""
        if self.delivery is not None:
            self.delivery.acted(chat_id)

    async def run(self) -> None:
        """Claims the bot when it may and reads it while it can, until cancelled."""
        why = self.claim_reason()
        if why is None:
            await anyio.sleep_forever()
        await anyio.sleep(self.settings.grace_s)
        while not self.ownership.claim():
            holder = self.ownership.holder()
            self.waiting_why = f"{holder.shown()} reads this bot" if holder else ""
            await anyio.sleep(TAKE_OVER_EVERY_S)
        self.waiting_why = ""
        try:
            await self._own()
        finally:
            self.ownership.release()

    def claim_reason(self) -> str | None:
        """Why this process may read the bot; None, with `waiting_why` saying what is missing, when it may not."""
        if self.settings.claim == "never":
            self.waiting_why = "claim is set to never"
            return None
        if self.settings.claim == "always":
            return "claim is set to always"
        if self.settings.mode == "push":
            return "mode is fixed to push"
        shown = evidence(self.channel.name, self.env.environ)
        if shown is None:
            self.waiting_why = (
                "this host gave no sign that it shows channel messages, so the bot is not read for it; start the host "
                f"with its channel flag for server:{self.channel.name}, or set claim: always in config.yaml "
                "(CHANNELS_CLAIM=always)"
            )
        return shown

    def mode(self) -> tuple[str, str]:
        """The delivery mode in force, and why."""
        if self.settings.mode in {"auto", "push"}:
            fixed = "fixed by the operator" if self.settings.mode == "push" else "the mode this version finds by itself"
            if self.delivery is not None:
                return "push", fixed
            return "none", self.waiting_why or "starting"
        return "none", f"mode {self.settings.mode} is set, which this version does not carry; messages are kept"

    async def _own(self) -> None:
        """Everything only the one reader does."""
        arrived, opened, due = Bell(), Bell(), Bell()
        errands_in, errands_out = anyio.create_memory_object_stream[Errand](ERRANDS)
        async with anyio.create_task_group() as group, errands_in, errands_out:
            presence = Presence(self.adapter, group, self.settings.typing_cap_s)
            pictures = Pictures(self.adapter, self.inbox, self.files, opened, group)
            reader = Reader(
                self.adapter, self.bot_id, self.inbox, self.health, arrived, self.channel.silence_s(self.settings)
            )
            self.delivery = Delivery(
                self.inbox, self.push, opened, presence, pushing=self.settings.mode in {"auto", "push"}
            )
            self.health.mode(*self.mode())
            arrivals = Arrivals(
                self.adapter,
                self.inbox,
                self.access,
                Pairing(self.store),
                self.panels,
                (arrived, opened, due),
                pictures.start,
                errands_in,
            )

            def foreign_commit() -> None:
                opened.ring()
                due.ring()
                pictures.start()

            try:
                group.start_soon(Watch(self.store, foreign_commit).run)
                group.start_soon(self.delivery.run)
                group.start_soon(Chores(self.adapter, self.store, due).run)
                for _ in range(WORKERS):
                    group.start_soon(_work, errands_out.clone())
                pictures.start()
                await reader.identify()
                group.start_soon(arrivals.run)
                await reader.run()
            finally:
                self.delivery = None


async def _work(errands: MemoryObjectReceiveStream[Errand]) -> None:
    async with errands:
        async for errand in errands:
            await run_errand(errand)


@asynccontextmanager
async def open_line(
    channel: Channel, env: Environment, push: Callable[[str, dict[str, object]], Awaitable[None]]
) -> AsyncIterator[Line]:
    """Opens the line of the bot whose token is set.

    Raises `ConfigError` when no token is set or a setting is wrong, `StoreError` when the database cannot be used.
    """
    settings = load(channel.settings, env)
    token = env.token()
    if token is None:
        raise ConfigError(
            f"no token is set for {channel.title}; run `channels setup {channel.name}` in a terminal (it asks for the "
            f"token without showing it and stores it in {env.state_dir / '.env'}); this server notices it by itself"
        )
    bot_id = channel.bot_id(token)
    with Store.of(env.state_dir) as store:
        # The platform's library is heavy; the session keeps answering while it is imported.
        adapter = await anyio.to_thread.run_sync(channel.connect, env, settings, token)
        async with adapter:
            yield Line(channel, env, settings, bot_id, store, adapter, push)
