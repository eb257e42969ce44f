"""The Telegram adapter: the contract's verbs, each handed on to the module that does the work."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

# Durations as timedelta: without it the library warns about every rate limit it reports.
os.environ.setdefault("PTB_TIMEDELTA", "true")

import aiohttp
from telegram import Bot

from agent_channels.core.contract.adapter import Adapter, EventSink
from agent_channels.core.contract.limits import Capabilities, Limits
from agent_channels.core.contract.messages import (
    Attachment,
    Identity,
    Ignored,
    Inbound,
    MenuEntry,
    Message,
    Place,
    RawEvent,
)
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, OpenFile, Outgoing, Sent
from agent_channels.core.files import streaming
from agent_channels.core.settings.certificates import tls_context
from agent_channels.core.text.formatted_text import RenderedPart, Span
from agent_channels.telegram import formatting, interactions, markup, outbound, threads
from agent_channels.telegram.chats import is_ephemeral, person_of
from agent_channels.telegram.errors import TOPICS, translated
from agent_channels.telegram.http import FILE_TIMEOUT, AiohttpRequest, Server, local_file
from agent_channels.telegram.inbound import ALLOWED_UPDATES, STOPPED, to_inbound
from agent_channels.telegram.polling import GRACE_S, Poller
from agent_channels.telegram.settings import TelegramSettings

__all__ = ["TelegramAdapter"]

CONNECTIONS = 16
ANSWER_S = 20.0
_DATE_TIMEOUT = aiohttp.ClientTimeout(total=4)


class TelegramAdapter:
    """One Telegram bot."""

    channel = "telegram"
    limits: Limits = markup.LIMITS
    capabilities = Capabilities(
        formats=tuple(markup.FORMATS),
        default_format="markdown",
        invite_link="https://t.me/{bot}?start={code}",
        rich=True,
        threads=TOPICS,
        receipt_emoji=("👀", "😴"),
    )

    def __init__(self, settings: TelegramSettings, token: str, *, proxy: str | None = None, ipv4: bool = False) -> None:
        """`proxy` carries every request. `ipv4`: connect over IPv4 only, where there is no proxy.

        Raises `ConfigError` if the certificates that the environment names cannot be used.
        """
        self._settings = settings
        self.capabilities = replace(type(self).capabilities, drafts=settings.drafts)
        self.limits = markup.LOCAL_LIMITS if settings.api_local else markup.LIMITS
        # Read from disk once, for both pools.
        context = tls_context()
        ipv4 = ipv4 and proxy is None
        base = f"{settings.api_root}/bot{token}"
        self._request = AiohttpRequest(
            base, context, connections=CONNECTIONS, read_timeout_s=ANSWER_S, proxy=proxy, ipv4=ipv4
        )
        # A long poll occupies its connection, so it has one of its own.
        self._updates_request = AiohttpRequest(
            base, context, connections=1, read_timeout_s=GRACE_S, proxy=proxy, ipv4=ipv4
        )
        self._bot = Bot(
            token,
            base_url=f"{settings.api_root}/bot",
            base_file_url=f"{settings.api_root}/file/bot",
            request=self._request,
            get_updates_request=self._updates_request,
            local_mode=settings.api_local,
        )
        self._server = Server(self._request)
        self._me: Identity | None = None
        self._polled = False

    async def __aenter__(self) -> Self:
        await self._updates_request.initialize()
        await self._request.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self._updates_request.shutdown()
            await self._request.shutdown()

    @property
    def bot(self) -> Bot:
        """The library's bot, for checks of the set-up."""
        return self._bot

    @property
    def request(self) -> AiohttpRequest:
        """The connections for calls, for checks of the set-up."""
        return self._request

    @property
    def wants_topics(self) -> bool:
        """Whether the settings ask for topics in private chats."""
        return self._settings.topics

    @property
    def updates_request(self) -> AiohttpRequest:
        """The connection that polls, for checks of the set-up."""
        return self._updates_request

    async def date(self) -> str | None:
        """Return the Date header of an answer of Telegram's server."""
        with translated():
            async with self._request.session.head(self._settings.api_root, timeout=_DATE_TIMEOUT) as response:
                return response.headers.get("Date")

    @property
    def display_name(self) -> str:
        """@username."""
        return f"@{self._me.username}" if self._me else ""

    # ---- reading

    async def identify(self) -> Identity:
        """GetMe; before that, switch topics in private chats on if the settings ask for it."""
        me, wanted = await threads.get_me(self._request), self._settings.topics
        if wanted and not threads.has_topics(me):
            await threads.switch_on(self._request)
            me = await threads.get_me(self._request)
        with translated():
            person = person_of(me)
        remark = threads.remark(me, wanted=wanted)
        self._me = Identity(person.id, person.username or "", person.name, remark)
        return self._me

    async def listen(self, sink: EventSink) -> None:
        """See `agent_channels.telegram.polling`."""
        # The very first poll does not wait: it shows at once whether the bot can be read.
        first_s, self._polled = (self._settings.poll_timeout_s if self._polled else 0), True
        settings = self._settings
        kinds = (*ALLOWED_UPDATES, STOPPED) if settings.drafts else ALLOWED_UPDATES
        await Poller(self._bot, self._updates_request, settings.poll_timeout_s, sink, kinds).run(first_s)

    def to_inbound(self, event: RawEvent) -> Inbound:
        """See `agent_channels.telegram.inbound`."""
        return to_inbound(event, self._me) if self._me else Ignored("the bot is not identified yet")

    async def history(self, chat_id: str, limit: int, before: str | None) -> list[Message] | None:
        """Return None: the Bot API has no method for it."""
        del chat_id, limit, before
        return None

    async def download(self, attachment: Attachment, target: Path, limit: int) -> int:
        """getFile, then the file itself as a stream; a server in local mode names a file on this machine."""
        streaming.check_size(attachment.size, limit)
        with translated():
            file = await self._bot.get_file(attachment.file_id)
        path = file.file_path or ""
        if self._settings.api_local and not path.startswith(("http://", "https://")):
            return await streaming.save(local_file(path, limit), target, limit)
        get = partial(self._request.session.get, path, allow_redirects=False, timeout=FILE_TIMEOUT)
        return await streaming.save(streaming.response_body(get, translated, "Telegram"), target, limit)

    # ---- writing

    def render(self, text: str, format_: str) -> list[RenderedPart]:
        """See `agent_channels.telegram.formatting`."""
        return formatting.render(text, format_)

    def escape(self, text: str, format_: str) -> str:
        """See `agent_channels.telegram.markup`."""
        return markup.escape(text, format_)

    def group_files(self, files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
        """See `agent_channels.telegram.outbound`."""
        return outbound.group_files(files)

    async def has_backlog(self, cursors: Mapping[str, str]) -> bool:
        """GetWebhookInfo counts the updates that are not confirmed yet."""
        del cursors
        with translated():
            return (await self._bot.get_webhook_info()).pending_update_count > 0

    async def open_direct_chat(self, user_id: str) -> str:
        """Return the same id: a private chat has its person's."""
        return user_id

    async def send(self, outgoing: Outgoing) -> Sent:
        """sendMessage, sendRichMessage, sendMediaGroup, or the method that suits the file."""
        preview = self._settings.link_preview
        return await outbound.send(self._bot, self._request, self._server, outgoing, preview=preview)

    async def edit(self, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
        """EditMessageText."""
        preview = self._settings.link_preview
        return await outbound.edit(self._bot, self._request, chat_id, message_id, part, keyboard, preview=preview)

    async def edit_keyboard(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        """EditMessageReplyMarkup."""
        await outbound.edit_keyboard(self._bot, chat_id, message_id, keyboard)

    async def delete(self, chat_id: str, message_id: str) -> None:
        """DeleteMessage."""
        with translated():
            await self._request.api(
                "deleteMessage",
                chat_id=outbound.number(chat_id, "chat_id"),
                message_id=outbound.number(message_id, "message_id"),
            )

    async def close_panel(
        self,
        chat_id: str,
        message_id: str,
        snapshot: str | None,
        outcome: str,
        *,
        chosen: KeyboardButton | None = None,
        thread_id: str | None = None,
    ) -> None:
        """editMessageText, editMessageCaption or editMessageReplyMarkup."""
        await outbound.close_panel(
            self._request, self._server, chat_id, message_id, snapshot, outcome, chosen=chosen, thread_id=thread_id
        )

    async def create_thread(self, chat_id: str, name: str) -> Place:
        """See `agent_channels.telegram.threads`."""
        return await threads.create(self._request, chat_id, name)

    async def rename_thread(self, place: Place, name: str) -> None:
        """See `agent_channels.telegram.threads`."""
        await threads.rename(self._request, place, name)

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """SetMessageReaction. A message that only one person sees takes none."""
        if is_ephemeral(message_id):
            return
        with translated():
            await self._request.api(
                "setMessageReaction",
                chat_id=outbound.number(chat_id, "chat_id"),
                message_id=outbound.number(message_id, "message_id"),
                reaction=[{"type": "emoji", "emoji": emoji}] if emoji else [],
            )

    async def send_typing(self, chat_id: str, thread_id: str | None) -> None:
        """sendChatAction; the General topic's id belongs here, unlike in sending."""
        with translated():
            await self._request.api(
                "sendChatAction",
                chat_id=outbound.number(chat_id, "chat_id"),
                action="typing",
                message_thread_id=outbound.number(thread_id, "thread_id") if thread_id else None,
            )

    async def show_draft(self, place: Place, draft_id: int, text: str) -> None:
        """SendMessageDraft, always with the button that stops it."""
        thread = outbound.number(place.thread_id, "thread_id") if place.thread_id else None
        with translated():
            await self._request.api(
                "sendMessageDraft",
                chat_id=outbound.number(place.chat_id, "chat_id"),
                message_thread_id=thread,
                draft_id=draft_id,
                text=text,
                can_stop=True,
            )

    # ---- interactions

    async def answer_tap(
        self, tap_id: str, text: str, *, alert: bool, counted: bool, spans: Sequence[Span] = ()
    ) -> None:
        """See `agent_channels.telegram.interactions`."""
        del counted, spans
        await interactions.answer_tap(self._bot, tap_id, text, alert=alert)

    async def set_commands(self, entries: Sequence[MenuEntry]) -> None:
        """See `agent_channels.telegram.interactions`."""
        await interactions.set_commands(self._request, entries)


_: type[Adapter] = TelegramAdapter
