"""Where the figures are taken: one person and one bot in each platform's sandbox, behind the same few verbs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

__all__ = ["PLACES", "Place"]


@dataclass(frozen=True)
class Place:
    """One bot's platform. `sends`: when each message of the bot's arrived, on the monotonic clock."""

    channel: str
    environ: dict[str, str]
    allow: Callable[[Path], None]
    say: Callable[[str], object]
    reading: Callable[[], Awaitable[object]]
    sends: Callable[[], list[float]]
    hold: Callable[[], None]
    release: Callable[[], None]
    settled: Callable[[], Awaitable[object]]
    begun: Callable[[], Awaitable[object]]


@asynccontextmanager
async def _telegram() -> AsyncIterator[Place]:
    async with TelegramSandbox() as tg:
        ann = tg.person("ann", first_name="Ann")
        ann.start()

        def allow(state: Path) -> None:
            with Store.open(state) as store:
                Services.of(store).access.allow(str(ann.id), by="bench")

        async def confirmed() -> object:
            return await tg.wait_for(lambda: tg.pending_updates == 0 or None, timeout=30)

        yield Place(
            "telegram",
            {"TELEGRAM_BOT_TOKEN": tg.token, "TELEGRAM_API_ROOT": tg.root},
            allow,
            ann.send,
            confirmed,
            lambda: [call.at for call in tg.calls_of("sendMessage")],
            tg.hold_updates,
            tg.release,
            confirmed,
            lambda: tg.wait_for(lambda: tg.calls_of("getMe") or None, timeout=30),
        )


@asynccontextmanager
async def _discord() -> AsyncIterator[Place]:
    async with DiscordSandbox() as dc:
        ann = dc.person("ann")
        ann.dm.started = True

        def allow(state: Path) -> None:
            with Store.open(state) as store:
                Services.of(store).access.allow(str(ann.id), by="bench")
                Services.of(store).chats.record(Chat(str(ann.dm.id), "direct"), Person(str(ann.id), "ann"))

        async def connected() -> object:
            return await dc.wait_for(lambda: dc.connected or None, timeout=30)

        async def settled() -> object:
            return None

        yield Place(
            "discord",
            {"DISCORD_BOT_TOKEN": dc.token, "DISCORD_API_ROOT": dc.root, "DISCORD_GATEWAY_URL": dc.gateway_url},
            allow,
            ann.send,
            connected,
            lambda: [call.at for call in dc.calls_of("POST /channels/*/messages")],
            dc.hold_events,
            dc.release,
            settled,
            connected,
        )


@asynccontextmanager
async def _slack() -> AsyncIterator[Place]:
    async with SlackSandbox() as slack:
        ann = slack.person("ann")

        def allow(state: Path) -> None:
            with Store.open(state) as store:
                Services.of(store).access.allow(ann.id, by="bench")
                Services.of(store).chats.record(Chat(ann.dm.id, "direct"), Person(ann.id, "ann"))

        async def connected() -> object:
            return await slack.wait_for(lambda: slack.connected or None, timeout=30)

        async def settled() -> object:
            return await slack.wait_for(lambda: not slack.socket.unanswered or None, timeout=30)

        yield Place(
            "slack",
            {"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token, "SLACK_API_ROOT": slack.root},
            allow,
            ann.send,
            connected,
            lambda: [call.at for call in slack.calls_of("chat.postMessage")],
            slack.hold_events,
            slack.release,
            settled,
            connected,
        )


PLACES: dict[str, Callable[[], AbstractAsyncContextManager[Place]]] = {
    "telegram": _telegram,
    "discord": _discord,
    "slack": _slack,
}
