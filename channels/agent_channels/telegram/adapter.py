"""The Telegram adapter: the contract's verbs, each handed on to the module that does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

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
from agent_channels.telegram.http import BotApi, Server, local_file
from agent_channels.telegram.inbound import ALLOWED_UPDATES, STOPPED, to_inbound
from agent_channels.telegram.polling import Poller
from agent_channels.telegram.settings import TelegramSettings

__all__ = ["TelegramAdapter"]

CONNECTIONS = 16
ANSWER_S = 20.0
DATE_S = 4.0


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
        self._files = f"{settings.api_root}/file/bot{token}"
        self._api = BotApi(base, context, connections=CONNECTIONS, read_timeout_s=ANSWER_S, proxy=proxy, ipv4=ipv4)
        # A long poll occupies its connection, so it has one of its own.
        self._polls = BotApi(base, context, connections=1, read_timeout_s=ANSWER_S, proxy=proxy, ipv4=ipv4)
        self._server = Server(self._api)
        self._me: Identity | None = None
        self._polled = False

    async def __aenter__(self) -> Self:
        self._polls.open()
        self._api.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self._polls.close()
            await self._api.close()

    @property
    def api(self) -> BotApi:
        """The connections for calls, for checks of the set-up."""
        return self._api

    @property
    def wants_topics(self) -> bool:
        """Whether the settings ask for topics in private chats."""
        return self._settings.topics

    @property
    def polls(self) -> BotApi:
        """The connection that polls, for checks of the set-up."""
        return self._polls

    async def date(self) -> str | None:
        """Return the Date header of an answer of Telegram's server."""
        session = self._api.session
        from aiohttp import ClientTimeout

        with translated():
            async with session.head(self._settings.api_root, timeout=ClientTimeout(DATE_S)) as response:
                return response.headers.get("Date")

    @property
    def display_name(self) -> str:
        """@username."""
        return f"@{self._me.username}" if self._me else ""

    # ---- reading

    async def identify(self) -> Identity:
        """GetMe; before that, switch topics in private chats on if the settings ask for it."""
        # Asked over the connection that polls next: the first poll then waits for no other one to be made.
        me, wanted = await threads.get_me(self._polls), self._settings.topics
        if wanted and not threads.has_topics(me):
            await threads.switch_on(self._api)
            me = await threads.get_me(self._polls)
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
        await Poller(self._api, self._polls, settings.poll_timeout_s, sink, kinds).run(first_s)

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
        file = await self._api.call("getFile", file_id=attachment.file_id)
        with translated():
            path = str(file["file_path"])
        if self._settings.api_local and path.startswith("/"):
            return await streaming.save(local_file(path, limit), target, limit)
        get = partial(self._api.get, f"{self._files}/{path}")
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
        info = await self._api.call("getWebhookInfo")
        with translated():
            return int(info["pending_update_count"]) > 0

    async def open_direct_chat(self, user_id: str) -> str:
        """Return the same id: a private chat has its person's."""
        return user_id

    async def send(self, outgoing: Outgoing) -> Sent:
        """sendMessage, sendRichMessage, sendMediaGroup, or the method that suits the file."""
        return await outbound.send(self._api, self._server, outgoing, preview=self._settings.link_preview)

    async def edit(self, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
        """EditMessageText."""
        preview = self._settings.link_preview
        return await outbound.edit(self._api, chat_id, message_id, part, keyboard, preview=preview)

    async def edit_keyboard(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        """EditMessageReplyMarkup."""
        await outbound.edit_keyboard(self._api, chat_id, message_id, keyboard)

    async def delete(self, chat_id: str, message_id: str) -> None:
        """DeleteMessage."""
        await self._api.call(
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
            self._api, self._server, chat_id, message_id, snapshot, outcome, chosen=chosen, thread_id=thread_id
        )

    async def create_thread(self, chat_id: str, name: str) -> Place:
        """See `agent_channels.telegram.threads`."""
        return await threads.create(self._api, chat_id, name)

    async def rename_thread(self, place: Place, name: str) -> None:
        """See `agent_channels.telegram.threads`."""
        await threads.rename(self._api, place, name)

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """SetMessageReaction. A message that only one person sees takes none."""
        if is_ephemeral(message_id):
            return
        await self._api.call(
            "setMessageReaction",
            chat_id=outbound.number(chat_id, "chat_id"),
            message_id=outbound.number(message_id, "message_id"),
            reaction=[{"type": "emoji", "emoji": emoji}] if emoji else [],
        )

    async def send_typing(self, chat_id: str, thread_id: str | None) -> None:
        """sendChatAction; the General topic's id belongs here, unlike in sending."""
        await self._api.call(
            "sendChatAction",
            chat_id=outbound.number(chat_id, "chat_id"),
            action="typing",
            message_thread_id=outbound.number(thread_id, "thread_id") if thread_id else None,
        )

    async def show_draft(self, place: Place, draft_id: int, text: str) -> None:
        """SendMessageDraft, always with the button that stops it."""
        await self._api.call(
            "sendMessageDraft",
            chat_id=outbound.number(place.chat_id, "chat_id"),
            message_thread_id=outbound.number(place.thread_id, "thread_id") if place.thread_id else None,
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
        await interactions.answer_tap(self._api, tap_id, text, alert=alert)

    async def set_commands(self, entries: Sequence[MenuEntry]) -> None:
        """See `agent_channels.telegram.interactions`."""
        await interactions.set_commands(self._api, entries)


_: type[Adapter] = TelegramAdapter
