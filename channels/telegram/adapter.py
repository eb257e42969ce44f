"""The Telegram adapter: a thin shell of verbs around `inbound`, `outbound` and `markup`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import anyio

# Durations as timedelta: without it the library warns about every rate limit it reports.
os.environ.setdefault("PTB_TIMEDELTA", "true")

import httpx
from telegram import Bot, ReactionTypeEmoji
from telegram.constants import ChatAction
from telegram.request import HTTPXRequest

from channels.core.adapter import Adapter, Sink
from channels.core.errors import Ambiguous, Conflict, Refused, TooOld, Unavailable
from channels.core.types import Attachment, Capabilities, Identity, Ignored, Inbound, Keyboard, Outgoing, RawEvent, Sent
from channels.telegram import markup, outbound
from channels.telegram.config import TelegramSettings
from channels.telegram.errors import translated
from channels.telegram.inbound import ALLOWED_UPDATES, to_inbound

__all__ = ["TelegramAdapter"]

# A long poll is answered by its time-out; whatever takes this much longer has lost its connection.
GRACE_S = 10.0
# After a day without an update Telegram may begin anew with random ids; an offset from before would skip them.
FORGET_OFFSET_S = 86_400.0


class _RawUpdates(HTTPXRequest):
    """Keeps what getUpdates answered as it came, for the journal, and spares the library parsing it."""

    latest = b""

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        code, payload = await super().do_request(*args, **kwargs)
        if not httpx.codes.is_success(code):
            return code, payload
        self.latest = payload
        return code, b'{"ok":true,"result":[]}'


class TelegramAdapter:
    """One Telegram bot."""

    channel = "telegram"
    limits = markup.LIMITS
    capabilities = Capabilities(
        formats=tuple(markup.FORMATS), invite_link="https://t.me/{bot}?start={code}", marks=("👀", "😴")
    )

    def __init__(self, settings: TelegramSettings, token: str) -> None:
        self._settings = settings
        self._updates = _RawUpdates(connection_pool_size=1, read_timeout=GRACE_S, proxy=settings.proxy)
        self._requests = HTTPXRequest(
            connection_pool_size=16, read_timeout=20, write_timeout=20, pool_timeout=10, proxy=settings.proxy
        )
        self._bot = Bot(
            token,
            base_url=f"{settings.api_root}/bot",
            base_file_url=f"{settings.api_root}/file/bot",
            request=self._requests,
            get_updates_request=self._updates,
        )
        self._files = httpx.AsyncClient(
            proxy=settings.proxy, timeout=httpx.Timeout(10, read=30), follow_redirects=False
        )
        self._me: Identity | None = None
        self._asked = False

    async def __aenter__(self) -> Self:
        await self._updates.initialize()
        await self._requests.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await self._updates.shutdown()
            await self._requests.shutdown()
            await self._files.aclose()

    @property
    def shown_name(self) -> str:
        """@username."""
        return f"@{self._me.username}" if self._me else ""

    async def identify(self) -> Identity:
        """GetMe."""
        with translated():
            user = await self._bot.get_me()
        self._me = Identity(str(user.id), user.username or "", user.full_name)
        return self._me

    async def listen(self, sink: Sink) -> None:
        """Our own loop over getUpdates: the offset moves, and so confirms, only after the sink has stored a batch."""
        offset: int | None = None
        # The very first one asks without waiting: it shows at once whether the bot can be read.
        timeout_s, self._asked = (self._settings.poll_timeout_s if self._asked else 0), True
        quiet_since = anyio.current_time()
        while True:
            batch = await self._poll(offset, timeout_s, sink)
            timeout_s = self._settings.poll_timeout_s
            sink.round_trip()
            now = anyio.current_time()
            if batch:
                await sink.put([RawEvent(str(update["update_id"]), json.dumps(update)) for update in batch])
                offset, quiet_since = max(int(update["update_id"]) for update in batch) + 1, now
            elif now - quiet_since > FORGET_OFFSET_S:
                offset = None

    async def _poll(self, offset: int | None, timeout_s: int, sink: Sink) -> Sequence[dict[str, Any]]:
        try:
            with translated():
                await self._bot.get_updates(
                    offset=offset, limit=100, timeout=timeout_s, allowed_updates=ALLOWED_UPDATES
                )
        except Conflict as error:
            if "webhook" in str(error):
                with translated():
                    await self._bot.delete_webhook(drop_pending_updates=False)
                sink.note("a webhook was set for this bot and was removed, since it is read by polling")
            raise
        except Ambiguous as error:
            # Reading twice is harmless: whatever was handed out and not stored is handed out again.
            raise Unavailable(str(error)) from error
        try:
            found = cast("list[dict[str, Any]]", json.loads(self._updates.latest)["result"])
            for update in found or ():
                int(update["update_id"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"Telegram's answer was no list of updates ({type(error).__name__})") from error
        return found

    def to_inbound(self, event: RawEvent) -> Inbound:
        """See `channels.telegram.inbound`."""
        return to_inbound(event, self._me) if self._me else Ignored("the bot is not identified yet")

    def check(self, text: str, format_: str) -> None:
        """Refuses unknown formats."""
        del text
        markup.parse_mode(format_)

    def split(self, text: str, format_: str) -> list[str]:
        """See `channels.telegram.markup`."""
        return markup.split(text, format_)

    async def send(self, outgoing: Outgoing) -> Sent:
        """sendMessage, or the method that suits the file."""
        return await outbound.send(self._bot, outgoing)

    async def edit(self, chat_id: str, message_id: str, text: str, format_: str, keyboard: Keyboard | None) -> Sent:
        """EditMessageText."""
        return await outbound.edit(self._bot, chat_id, message_id, text, format_, keyboard)

    async def redraw(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        """EditMessageReplyMarkup."""
        await outbound.redraw(self._bot, chat_id, message_id, keyboard)

    async def close_panel(self, chat_id: str, message_id: str, snapshot: str | None, outcome: str) -> None:
        """editMessageText, editMessageCaption or editMessageReplyMarkup."""
        await outbound.close_panel(self._bot, chat_id, message_id, snapshot, outcome)

    async def answer_tap(self, tap_id: str, text: str, *, alert: bool) -> None:
        """answerCallbackQuery; that it is too late is no error, since nobody looks any more."""
        try:
            with translated():
                await self._bot.answer_callback_query(tap_id, text or None, show_alert=alert or None)
        except TooOld:
            return

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """SetMessageReaction."""
        with translated():
            await self._bot.set_message_reaction(
                outbound.chat_of(chat_id),
                outbound.message_of(message_id),
                [ReactionTypeEmoji(emoji)] if emoji else [],
            )

    async def typing(self, chat_id: str, thread_id: str | None) -> None:
        """sendChatAction; the General topic's id belongs here, unlike in sending."""
        with translated():
            await self._bot.send_chat_action(
                outbound.chat_of(chat_id),
                ChatAction.TYPING,
                message_thread_id=outbound.message_of(thread_id) if thread_id else None,
            )

    async def download(self, attachment: Attachment, target: Path, limit: int) -> int:
        """getFile, then the file itself as a stream."""
        if attachment.size is not None and attachment.size > limit:
            raise Refused(
                f"the file has {attachment.size:,} bytes; a bot may download at most {limit:,}. Ask for a smaller file"
            )
        with translated():
            file = await self._bot.get_file(attachment.file_id)
        return await outbound.download(self._files, file.file_path or "", target, limit)


_: type[Adapter] = TelegramAdapter
