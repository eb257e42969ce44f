"""A platform's sandbox as the contract tests need it: a person to act as, and faults by their meaning.

A further platform is one more class with these members, and its line in PLATFORMS.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import discord_reading
import slack_reading
from agent_channels.core.contract.messages import Place
from agent_channels.discord.outbound import TRIES
from agent_channels.sandbox.discord.guilds import DiscordChannel
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.slack.emoji import BY_CHARACTER as SLACK_EMOJI
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

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
    wrong_markup: bool
    """Whether there are formats in which a text can be wrong."""
    data_bytes: int
    """How long a button's data may be."""
    marks: dict[str, str]
    """The reader's notes of how far it has come, kept over several reads."""
    heard: dict[str, float]
    """The chats the agent hears."""

    def say(self, text: str) -> str:
        """The person writes; the message's id."""

    def send_file(self, kind: str, data: bytes, name: str) -> str:
        """The person sends a file; the message's id."""

    def tap(self, message_id: str, label: str) -> Callable[[], tuple[str, bool] | None]:
        """The person taps; what they were shown (text, alert), None as long as nothing."""

    def react(self, message_id: str, emoji: str) -> None:
        """The person puts a reaction on a message."""

    def grow_old(self) -> None:
        """Time goes by until taps cannot be answered any more."""

    def unread(self) -> int:
        """How many events the platform keeps because they were not confirmed."""

    def shown(self, message_id: str) -> dict[str, Any]:
        """A message as the person sees it: text, bold (the bold words), labels (rows), reply_to, file (its name)."""

    def texts(self) -> list[str]:
        """Every message of the chat as the person sees it, oldest first."""

    def reactions(self, message_id: str) -> list[str]:
        """The bot's reactions to a message."""

    def reads(self, message_id: str) -> str:
        """A message's text as people read it, without marks."""

    def typing(self) -> int:
        """How often the bot showed that it writes."""

    def thread_of(self, message_id: str) -> str | None:
        """The thread in which the bot shows that it writes, after this message; None where it needs none."""

    def menu(self) -> list[str] | None:
        """The commands that people are offered; None where the operator declares them, and no bot changes that."""

    def block(self) -> None:
        """The person blocks the bot."""

    def revoke(self) -> None:
        """The token stops being good."""

    def fail(self, kind: str, *, reading: bool = False, **options: Any) -> None:
        """The next request (the next read) fails: error, html, flood, drop_before, drop_after, drop_body, delay."""

    def fail_download(self, kind: str) -> None:
        """The next download fails."""

    def room_for_threads(self, *, allowed: bool = True) -> str:
        """The id of a chat that can have threads; `allowed`: the bot may open some there."""

    def thread_name(self, place: Place) -> str:
        """What people see as a thread's name."""

    def said_in(self, place: Place) -> list[str]:
        """What the bot said in a thread."""

    def delete_thread(self, place: Place) -> None:
        """Somebody deletes a thread."""

    def close_thread(self, place: Place) -> None:
        """Somebody closes a thread, and the bot has not the right to write there all the same."""

    async def stop(self) -> None:
        """Nothing listens any more."""

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        """Waits for something to be true on the platform."""

    def heal(self) -> None:
        """No fault is left."""

    def poke(self) -> None:
        """What somebody waits for may have come true elsewhere."""


class TelegramPlatform:
    """Telegram, with Ann."""

    unknown_chat = "42"
    wrong_markup = True
    data_bytes = 64
    formatted = ("html", "a <b>bold 🦄 word</b> and\nmore &lt;3", "a bold 🦄 word and\nmore <3")

    def __init__(self, tg: TelegramSandbox) -> None:
        self.tg = tg
        self.ann: TelegramPerson = tg.person("ann", first_name="Ann")
        self.ann.dm.started = True
        self.token = tg.token
        self.environ = {"TELEGRAM_BOT_TOKEN": tg.token, "TELEGRAM_API_ROOT": tg.root, "TELEGRAM_POLL_TIMEOUT_S": "1"}
        self.bot_id, self.bot_name = str(tg.bot_id), tg.username
        self.chat_id = self.user_id = str(self.ann.id)
        self.marks: dict[str, str] = {}
        self.heard = {self.chat_id: 0.0}

    def say(self, text: str) -> str:
        return str(self.ann.send(text)["message_id"])

    def send_file(self, kind: str, data: bytes, name: str) -> str:
        return str(getattr(self.ann, f"send_{kind}")(data, file_name=name)["message_id"])

    def tap(self, message_id: str, label: str) -> Callable[[], tuple[str, bool] | None]:
        tap = self.ann.tap(int(message_id), label=label)
        return lambda: (tap.answer.text, tap.answer.show_alert) if tap.answer else None

    def react(self, message_id: str, emoji: str) -> None:
        self.ann.react(int(message_id), emoji)

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

    def texts(self) -> list[str]:
        return [str(message.get("text")) for message in self.ann.messages()]

    def reactions(self, message_id: str) -> list[str]:
        return self.tg.reactions(self.ann, int(message_id))

    def reads(self, message_id: str) -> str:
        return str(self.shown(message_id)["text"])

    def typing(self) -> int:
        return len(self.tg.typing(self.ann))

    def thread_of(self, message_id: str) -> str | None:
        del message_id
        return None

    def menu(self) -> list[str] | None:
        return [one["command"] for one in self.tg.state.commands["default", ""]]

    def block(self) -> None:
        self.ann.block()

    def revoke(self) -> None:
        self.tg.revoke_token()

    def fail(self, kind: str, *, reading: bool = False, **options: Any) -> None:
        self.tg.faults.add(kind, method="getUpdates" if reading else "send*", times=1, **options)  # type: ignore[arg-type]

    def fail_download(self, kind: str) -> None:
        # A GET that was cut on a kept connection is asked again by the HTTP library itself, once.
        self.tg.faults.add(kind, method="download", times=2)  # type: ignore[arg-type]

    def room_for_threads(self, *, allowed: bool = True) -> str:
        self.forum = self.tg.group("Forum", members=[self.ann], forum=True, administrator=allowed)
        return str(self.forum.id)

    def thread_name(self, place: Place) -> str:
        return self.forum.chat.topics[int(place.thread_id or 0)]

    def said_in(self, place: Place) -> list[str]:
        inside = [m for m in self.forum.messages() if m.get("message_thread_id") == int(place.thread_id or 0)]
        return [m["text"] for m in inside if m["from"]["id"] == self.tg.bot_id and "text" in m]

    def delete_thread(self, place: Place) -> None:
        self.tg.state.delete_topic(self.forum.chat, int(place.thread_id or 0))

    def close_thread(self, place: Place) -> None:
        self.forum.add_bot(administrator=False)
        self.forum.chat.closed_topics.add(int(place.thread_id or 0))

    async def stop(self) -> None:
        await self.tg.aclose()

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        return await self.tg.wait_for(predicate)

    def heal(self) -> None:
        self.tg.faults.clear()

    def poke(self) -> None:
        self.tg.state.changed()


@asynccontextmanager
async def telegram(token: str) -> AsyncIterator[Platform]:
    async with TelegramSandbox(token) as tg:
        yield TelegramPlatform(tg)


class DiscordPlatform:
    """Discord, with Ann."""

    unknown_chat = "424242424242424242"
    formatted = ("markdown", "a **bold 🦄 word** and\nmore <3", "a bold 🦄 word and\nmore <3")
    wrong_markup = False
    data_bytes = 100

    def __init__(self, dc: DiscordSandbox) -> None:
        self.dc = dc
        self.ann = dc.person("ann", "Ann")
        self.ann.dm.started = True
        self.token = dc.token
        self.environ = {
            "DISCORD_BOT_TOKEN": dc.token,
            "DISCORD_API_ROOT": dc.root,
            "DISCORD_GATEWAY_URL": dc.gateway_url,
        }
        self.bot_id, self.bot_name = str(dc.bot_id), dc.username
        self.chat_id, self.user_id = str(self.ann.dm.id), str(self.ann.id)
        self.marks: dict[str, str] = {}
        self.heard = {self.chat_id: 0.0}
        self.said: list[str] = []

    def say(self, text: str) -> str:
        return self._said(self.ann.send(text))

    def send_file(self, kind: str, data: bytes, name: str) -> str:
        del kind
        return self._said(self.ann.send(attachments=[(name, data)]))

    def _said(self, message: dict[str, Any]) -> str:
        self.said.append(str(message["id"]))
        return self.said[-1]

    def tap(self, message_id: str, label: str) -> Callable[[], tuple[str, bool] | None]:
        before = {one["id"] for one in self.ann.ephemerals}

        async def tap() -> None:
            # Nobody can tap for a bot that is away: the app says so at once.
            await self.dc.wait_for(lambda: self.dc.connected)
            self.ann.tap(message_id, label=label)

        self.tapping = asyncio.create_task(tap())

        def shown() -> tuple[str, bool] | None:
            new = [one for one in self.ann.ephemerals if one["id"] not in before]
            # Discord knows no alerts: what one person alone sees is as loud as it gets.
            return (str(new[0]["content"]), True) if new else None

        return shown

    def react(self, message_id: str, emoji: str) -> None:
        self.ann.react(message_id, emoji)

    def grow_old(self) -> None:
        self.dc.advance(3600)

    def unread(self) -> int:
        """Discord keeps nothing; what counts is how far the reader's own mark has come."""
        last = int(self.marks.get(f"last:{self.chat_id}", "0"))
        return sum(int(message_id) > last for message_id in self.said)

    def shown(self, message_id: str) -> dict[str, Any]:
        message = next(m for m in self.ann.messages() if m["id"] == message_id)
        content = str(message["content"])
        rows = message.get("components") or []
        labels = [[key["label"] for one in row["components"] for key in one.get("options", [one])] for row in rows]
        return {
            "text": re.sub(r"\\(?=\W)|\*\*", "", content),
            "bold": re.findall(r"\*\*(.+?)\*\*", content),
            "labels": labels,
            "reply_to": (message.get("message_reference") or {}).get("message_id", ""),
            "file": next((file["filename"] for file in message.get("attachments") or ()), None),
        }

    def texts(self) -> list[str]:
        return [str(message["content"]) for message in self.ann.messages()]

    def reactions(self, message_id: str) -> list[str]:
        return self.dc.reactions(message_id)

    def reads(self, message_id: str) -> str:
        return discord_reading.read(next(str(m["content"]) for m in self.ann.messages() if m["id"] == message_id))

    def typing(self) -> int:
        return len(self.dc.typing(self.ann))

    def thread_of(self, message_id: str) -> str | None:
        del message_id
        return None

    def menu(self) -> list[str] | None:
        return [one["name"] for one in self.dc.interactions.commands.commands]

    def block(self) -> None:
        self.ann.block()

    def revoke(self) -> None:
        self.dc.reset_token()

    def fail(self, kind: str, *, reading: bool = False, **options: Any) -> None:
        # A send that was cut is asked again with the same nonce, a read by the HTTP library itself; only as many cuts
        # as that show.
        times = TRIES if kind.startswith("drop") else 1
        method = "GET /gateway/bot" if reading else "POST /channels/*/messages"
        self.dc.faults.add(kind, method=method, times=times, **options)  # type: ignore[arg-type]

    def fail_download(self, kind: str) -> None:
        self.dc.faults.add(kind, method="download", times=TRIES)  # type: ignore[arg-type]

    def room_for_threads(self, *, allowed: bool = True) -> str:
        self.guild = self.dc.guild("Team", members=[self.ann])
        room = self.guild.channel("work")
        if not allowed:
            room.deny("create_public_threads")
        return str(room.id)

    def _thread(self, place: Place) -> DiscordChannel:
        return DiscordChannel(self.guild, self.dc.state.channels[int(place.chat_id)])

    def thread_name(self, place: Place) -> str:
        return self._thread(place).name

    def said_in(self, place: Place) -> list[str]:
        said = [m for m in self._thread(place).messages() if m["author"]["id"] == str(self.dc.bot_id)]
        return [m["content"] for m in said if m["content"]]

    def delete_thread(self, place: Place) -> None:
        self._thread(place).delete()

    def close_thread(self, place: Place) -> None:
        self._thread(place).archive(locked=True)

    async def stop(self) -> None:
        await self.dc.aclose()

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        return await self.dc.wait_for(predicate)

    def heal(self) -> None:
        self.dc.faults.clear()

    def poke(self) -> None:
        self.dc.state.changed()


@asynccontextmanager
async def discord(token: str) -> AsyncIterator[Platform]:
    del token
    async with DiscordSandbox() as dc:
        yield DiscordPlatform(dc)


class SlackPlatform:
    """Slack, with Ann."""

    unknown_chat = "C0UNKNOWN01"
    formatted = ("markdown", "a **bold 🦄 word** and\nmore <3", "a bold 🦄 word and\nmore <3")
    wrong_markup = False
    # An option of a menu holds less than a button.
    data_bytes = 75

    def __init__(self, slack: SlackSandbox) -> None:
        self.slack = slack
        self.ann = slack.person("ann", "Ann")
        self.token = slack.token
        self.environ = {
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_ROOT": slack.root,
        }
        self.bot_id, self.bot_name = "-".join(slack.token.split("-")[1:3]), slack.username
        self.chat_id, self.user_id = self.ann.dm.id, self.ann.id
        self.marks: dict[str, str] = {}
        self.heard = {self.chat_id: 0.0}
        self.said: list[str] = []

    def say(self, text: str) -> str:
        return self._said(self.ann.send(text))

    def send_file(self, kind: str, data: bytes, name: str) -> str:
        del kind
        return self._said(self.ann.send(attachments=[(name, data)]))

    def _said(self, message: dict[str, Any]) -> str:
        self.said.append(str(message["ts"]))
        return self.said[-1]

    def tap(self, message_id: str, label: str) -> Callable[[], tuple[str, bool] | None]:
        before = {one["ts"] for one in self.ann.ephemerals}

        async def tap() -> None:
            # Nobody can tap for an app that is away: Slack says so at once.
            await self.slack.wait_for(lambda: self.slack.connected)
            self.ann.tap(message_id, label=label)

        self.tapping = asyncio.create_task(tap())

        def shown() -> tuple[str, bool] | None:
            new = [one for one in self.ann.ephemerals if one["ts"] not in before]
            # Slack knows no alerts: what one person alone sees is as loud as it gets.
            return (slack_reading.read(new[0]), True) if new else None

        return shown

    def react(self, message_id: str, emoji: str) -> None:
        self.ann.react(message_id, emoji)

    def grow_old(self) -> None:
        self.slack.advance(3600)

    def unread(self) -> int:
        """Slack keeps nothing; what counts is how far the reader's own mark has come."""
        last = float(self.marks.get(f"last:{self.chat_id}", "0"))
        return sum(float(ts) > last for ts in self.said)

    def _message(self, message_id: str) -> dict[str, Any]:
        return next(m for m in self.ann.messages() if m["ts"] == message_id)

    def shown(self, message_id: str) -> dict[str, Any]:
        message = self._message(message_id)
        rows = [
            [str(one["text"]["text"]) for element in row for one in element.get("options", [element])]
            for row in slack_reading.actions(message)
        ]
        thread = message.get("thread_ts", "")
        return {
            "text": slack_reading.read(message),
            "bold": slack_reading.bold_words(message),
            "labels": rows,
            "reply_to": thread if thread != message["ts"] else "",
            "file": next((file["name"] for file in message.get("files") or ()), None),
        }

    def texts(self) -> list[str]:
        return [slack_reading.read(message) for message in self.ann.messages()]

    def reads(self, message_id: str) -> str:
        return slack_reading.read(self._message(message_id))

    def reactions(self, message_id: str) -> list[str]:
        characters = {name: character for character, name in SLACK_EMOJI.items()}
        return [characters[name] for name in self.slack.reactions(message_id)]

    def typing(self) -> int:
        return len(self.slack.typing(self.ann))

    def thread_of(self, message_id: str) -> str | None:
        """Slack shows in threads alone that somebody writes."""
        return message_id

    def menu(self) -> list[str] | None:
        """The operator declares the commands, where a bot has no say."""
        return None

    def block(self) -> None:
        self.ann.block()

    def revoke(self) -> None:
        self.slack.revoke_token()
        self.slack.revoke_app_token()

    def fail(self, kind: str, *, reading: bool = False, **options: Any) -> None:
        self.slack.faults.add(
            kind, method="apps.connections.open" if reading else "chat.postMessage", times=1, **options
        )  # type: ignore[arg-type]

    def fail_download(self, kind: str) -> None:
        # A GET that was cut on a kept connection is asked again by the HTTP library itself, once.
        self.slack.faults.add(kind, method="download", times=2)  # type: ignore[arg-type]

    def room_for_threads(self, *, allowed: bool = True) -> str:
        self.room = self.slack.channel("work", members=[self.ann], bot=allowed)
        return self.room.id

    def _thread(self, place: Place) -> list[dict[str, Any]]:
        found = [m for m in self.room.messages() if place.thread_id in {m["ts"], m.get("thread_ts")}]
        return sorted(found, key=lambda message: float(message["ts"]))

    def thread_name(self, place: Place) -> str:
        return slack_reading.read(self._thread(place)[0])

    def said_in(self, place: Place) -> list[str]:
        said = [m for m in self._thread(place)[1:] if m.get("user") == self.slack.bot_id]
        return [slack_reading.read(message) for message in said]

    def delete_thread(self, place: Place) -> None:
        record, found = self.slack.state.find(str(place.thread_id))
        self.slack.state.delete(record, found)

    def close_thread(self, place: Place) -> None:
        self.slack.lock_thread(str(place.thread_id))

    async def stop(self) -> None:
        await self.slack.aclose()

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        return await self.slack.wait_for(predicate)

    def heal(self) -> None:
        self.slack.faults.clear()

    def poke(self) -> None:
        self.slack.state.changed()


@asynccontextmanager
async def slack(token: str) -> AsyncIterator[Platform]:
    del token
    async with SlackSandbox() as sandbox:
        yield SlackPlatform(sandbox)


PLATFORMS: dict[str, Callable[[str], AbstractAsyncContextManager[Platform]]] = {
    "telegram": telegram,
    "discord": discord,
    "slack": slack,
}
