"""Where the figures are taken: people and one bot in each platform's sandbox, behind the same few verbs."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from proxies import localhost_certificate

__all__ = ["PATIENCE_S", "PLACES", "Place"]

PEOPLE = 50
# A busy machine starts slowly.
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Writer:
    """A person who may write, and the id of their chat with the bot."""

    send: Callable[[str], object]
    user_id: str
    chat_id: str


@dataclass(frozen=True)
class Place:
    """One bot's platform.

    `allow` and `list_people` let its people into a state folder: a store of ours, or an access.json. `keeps`: what is
    sent while nobody is connected is read from the platform later. `sent_at`: when each text of the bot's arrived, on
    the monotonic clock. `confirmed` returns once the bot has acknowledged everything.
    """

    environ: dict[str, str]
    people: Sequence[Writer]
    keeps: bool
    connected: Callable[[], Awaitable[object]]
    sent_at: Callable[[], dict[str, float]]
    hold: Callable[[], None]
    release: Callable[[], None]
    confirmed: Callable[[], Awaitable[object]]

    def allow(self, state: Path) -> None:
        """Let everybody in who writes, and let the agent write to their chats."""
        with Store.open(state) as store:
            services = Services.of(store)
            for person in self.people:
                services.access.allow(person.user_id, by="bench")
                services.chats.record(Chat(person.chat_id, "direct"), Person(person.user_id, person.user_id))

    def list_people(self, state: Path) -> None:
        """Do the same in the file of the reference plugin and of those that read it."""
        state.mkdir()
        listed = {"dmPolicy": "allowlist", "allowFrom": [person.user_id for person in self.people], "groups": {}}
        (state / "access.json").write_text(json.dumps({**listed, "pending": {}}), encoding="utf-8")


class _TelegramOverTls(TelegramSandbox):
    """As Telegram is: a client that knows no plain HTTP reads it too."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.certificate = localhost_certificate(folder)
        self.https = ""

    async def start(self) -> None:
        await super().start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        assert self._runner
        await web.TCPSite(self._runner, self.host, 0, ssl_context=context).start()
        self.https = f"https://{self.host}:{self._runner.addresses[-1][1]}"


@asynccontextmanager
async def _telegram(folder: Path) -> AsyncIterator[Place]:
    async with _TelegramOverTls(folder) as tg:
        people = [tg.person(f"ann{number}", first_name="Ann") for number in range(PEOPLE)]
        for person in people:
            person.dm.started = True
        yield Place(
            environ={
                "TELEGRAM_BOT_TOKEN": tg.token,
                "TELEGRAM_API_ROOT": tg.https,
                "NODE_EXTRA_CA_CERTS": str(tg.certificate),
            },
            people=[Writer(person.send, str(person.id), str(person.id)) for person in people],
            keeps=True,
            connected=lambda: tg.wait_for(lambda: tg.polling, timeout=PATIENCE_S),
            sent_at=lambda: {call.params["text"]: call.at for call in tg.calls if call.method == "sendMessage"},
            hold=tg.hold_updates,
            release=tg.release,
            confirmed=lambda: tg.wait_for(lambda: tg.pending_updates == 0, timeout=PATIENCE_S),
        )


@asynccontextmanager
async def _discord(_folder: Path) -> AsyncIterator[Place]:
    async with DiscordSandbox() as dc:
        people = [dc.person(f"ann{number}") for number in range(PEOPLE)]
        for person in people:
            person.dm.started = True

        async def confirmed() -> object:
            return None

        yield Place(
            environ={
                "DISCORD_BOT_TOKEN": dc.token,
                "DISCORD_API_ROOT": dc.root,
                "DISCORD_GATEWAY_URL": dc.gateway_url,
            },
            people=[Writer(person.send, str(person.id), str(person.dm.id)) for person in people],
            keeps=False,
            connected=lambda: dc.wait_for(lambda: dc.connected or None, timeout=PATIENCE_S),
            sent_at=lambda: {call.params["content"]: call.at for call in dc.calls_of("POST /channels/*/messages")},
            hold=dc.hold_events,
            release=dc.release,
            confirmed=confirmed,
        )


@asynccontextmanager
async def _slack(_folder: Path) -> AsyncIterator[Place]:
    async with SlackSandbox() as slack:
        people = [slack.person(f"ann{number}") for number in range(PEOPLE)]
        yield Place(
            environ={"SLACK_BOT_TOKEN": slack.token, "SLACK_APP_TOKEN": slack.app_token, "SLACK_API_ROOT": slack.root},
            people=[Writer(person.send, person.id, person.dm.id) for person in people],
            keeps=False,
            connected=lambda: slack.wait_for(lambda: slack.connected or None, timeout=PATIENCE_S),
            sent_at=lambda: {call.params["text"]: call.at for call in slack.calls_of("chat.postMessage")},
            hold=slack.hold_events,
            release=slack.release,
            confirmed=lambda: slack.wait_for(lambda: not slack.socket.unanswered or None, timeout=PATIENCE_S),
        )


PLACES: dict[str, Callable[[Path], AbstractAsyncContextManager[Place]]] = {
    "telegram": _telegram,
    "discord": _discord,
    "slack": _slack,
}
"""Each takes a folder of its own."""
