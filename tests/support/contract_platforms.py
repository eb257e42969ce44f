"""What the adapter contract test needs of a platform's sandbox: a person to act as, and faults by their promise.

A further platform is one more class with these members, and its line in PLATFORMS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from channels.sandbox.telegram import Person, TelegramSandbox

__all__ = ["PLATFORMS", "Platform"]


class Platform(Protocol):
    """One platform's sandbox, with one person who can be written to in one direct chat."""

    token: str
    environ: dict[str, str]
    bot_id: str
    bot_name: str
    chat_id: str
    user_id: str
    unknown_chat: str
    formatted: tuple[str, str, str]
    """A format, a text in it with bold words and some after them, and how it reads."""

    def say(self, text: str) -> str:
        """The person writes; the message's id."""

    def send_file(self, kind: str, data: bytes, name: str) -> str:
        """The person sends a file; the message's id."""

    def tap(self, message_id: str, label: str) -> Callable[[], tuple[str, bool] | None]:
        """The person taps; what they were shown (text, alert), None as long as nothing."""

    def grow_old(self) -> None:
        """Time goes by until taps cannot be answered any more."""

    def unread(self) -> int:
        """How many events the platform keeps because they were not confirmed."""

    def shown(self, message_id: str) -> dict[str, Any]:
        """A message as the person sees it: text, bold (the bold words), labels (rows), reply_to, file (its name)."""

    def reactions(self, message_id: str) -> list[str]:
        """The bot's reactions to a message."""

    def typing(self) -> int:
        """How often the bot showed that it writes."""

    def block(self) -> None:
        """The person blocks the bot."""

    def revoke(self) -> None:
        """The token stops being good."""

    def fail(self, kind: str, *, reading: bool = False, **options: Any) -> None:
        """The next request (the next read) fails: error, html, flood, drop_before, drop_after, drop_body, delay."""

    def fail_download(self, kind: str) -> None:
        """The next download fails."""

    async def stop(self) -> None:
        """Nothing listens any more."""

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        """Waits for something to be true on the platform."""


class TelegramPlatform:
    """Telegram, with Ann."""

    unknown_chat = "42"
    formatted = ("html", "a <b>bold 🦄 word</b> and\nmore &lt;3", "a bold 🦄 word and\nmore <3")

    def __init__(self, tg: TelegramSandbox) -> None:
        self.tg = tg
        self.ann: Person = tg.person("ann", first_name="Ann")
        self.ann.dm.started = True
        self.token = tg.token
        self.environ = {"TELEGRAM_BOT_TOKEN": tg.token, "TELEGRAM_API_ROOT": tg.root, "TELEGRAM_POLL_TIMEOUT_S": "1"}
        self.bot_id, self.bot_name = str(tg.bot_id), tg.username
        self.chat_id = self.user_id = str(self.ann.id)

    def say(self, text: str) -> str:
        return str(self.ann.send(text)["message_id"])

    def send_file(self, kind: str, data: bytes, name: str) -> str:
        return str(getattr(self.ann, f"send_{kind}")(data, file_name=name)["message_id"])

    def tap(self, message_id: str, label: str) -> Callable[[], tuple[str, bool] | None]:
        tap = self.ann.tap(int(message_id), label=label)
        return lambda: (tap.answer.text, tap.answer.show_alert) if tap.answer else None

    def grow_old(self) -> None:
        self.tg.advance(3600)

    def unread(self) -> int:
        return self.tg.pending_updates

    def shown(self, message_id: str) -> dict[str, Any]:
        message = next(m for m in self.ann.messages() if str(m["message_id"]) == message_id)
        text = str(message.get("text") or message.get("caption") or "")
        units = text.encode("utf-16-le")
        entities = message.get("entities") or message.get("caption_entities") or []
        bold = [
            units[2 * e["offset"] : 2 * (e["offset"] + e["length"])].decode("utf-16-le")
            for e in entities
            if e["type"] == "bold"
        ]
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        return {
            "text": text,
            "bold": bold,
            "labels": [[key["text"] for key in row] for row in rows],
            "reply_to": str(message.get("reply_to_message", {}).get("message_id", "")),
            "file": message.get("document", {}).get("file_name"),
        }

    def reactions(self, message_id: str) -> list[str]:
        return self.tg.reactions(self.ann, int(message_id))

    def typing(self) -> int:
        return len(self.tg.typing(self.ann))

    def block(self) -> None:
        self.ann.block()

    def revoke(self) -> None:
        self.tg.revoke_token()

    def fail(self, kind: str, *, reading: bool = False, **options: Any) -> None:
        self.tg.faults.add(kind, method="getUpdates" if reading else "send*", times=1, **options)  # type: ignore[arg-type]

    def fail_download(self, kind: str) -> None:
        self.tg.faults.add(kind, method="download", times=1)  # type: ignore[arg-type]

    async def stop(self) -> None:
        await self.tg.aclose()

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        return await self.tg.wait_for(predicate)


@asynccontextmanager
async def telegram(token: str) -> AsyncIterator[Platform]:
    async with TelegramSandbox(token) as tg:
        yield TelegramPlatform(tg)


PLATFORMS: dict[str, Callable[[str], AbstractAsyncContextManager[Platform]]] = {"telegram": telegram}
