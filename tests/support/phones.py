"""A person's phone on any platform: what the journeys need of it, so that each is told once.

A further platform is one more pair of classes here, and its line in STAGES.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent_channels.registry import channel
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.discord.taps import ComponentTap
from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.sandbox.slack.sandbox import SlackSandbox
from agent_channels.sandbox.slack.taps import SlackTap
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.slack.markup import KEPT
from harness import TOKEN, DiscordStage, Host, SlackStage, Stage, World
from slack_reading import actions, read

__all__ = ["STAGES", "Phone", "Play", "Said", "named"]


@dataclass(frozen=True)
class Said:
    """A message of the bot's as a person sees it.

    `labels` are its rows of buttons to tap, `kept` the ones that do nothing any more, `copies` what others copy.
    """

    id: str
    text: str
    labels: list[list[str]]
    kept: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


class Phone(Protocol):
    """One person in their direct chat with the bot."""

    user_id: str
    chat_id: str
    name: str

    def say(self, text: str, *, reply_to: str | None = None) -> str:
        """Writes; the message's id."""

    async def hear(self) -> Said:
        """The bot's next message."""

    def tap(self, message_id: str, label: str) -> Callable[[], Awaitable[str]]:
        """Taps, and then waits for what it is told in passing or alone."""

    def tap_again(self, message_id: str) -> Callable[[], Awaitable[str]]:
        """Taps the first button a message had when it was first seen, though it is gone by now."""

    async def copy(self, message: Said, label: str) -> str:
        """Taps a button that copies; what it copied."""

    def shown(self, message_id: str) -> Said:
        """A message as it looks now."""

    def is_there(self, message_id: str) -> bool:
        """Whether nobody has deleted a message."""


class TelegramPhone:
    """A person in Telegram."""

    def __init__(self, person: TelegramPerson) -> None:
        self.person = person
        self.user_id = self.chat_id = str(person.id)
        self.name = person.handle
        self._first: dict[str, str] = {}

    def say(self, text: str, *, reply_to: str | None = None) -> str:
        return str(self.person.send(text, reply_to=int(reply_to) if reply_to else None)["message_id"])

    async def hear(self) -> Said:
        return self._said(await self.person.next_message())

    def tap(self, message_id: str, label: str) -> Callable[[], Awaitable[str]]:
        return self._told(self.person.tap(int(message_id), label=label))

    def tap_again(self, message_id: str) -> Callable[[], Awaitable[str]]:
        return self._told(self.person.tap(int(message_id), data=self._first[message_id]))

    async def copy(self, message: Said, label: str) -> str:
        found = next(m for m in self.person.messages() if str(m["message_id"]) == message.id)
        keys = (key for row in found["reply_markup"]["inline_keyboard"] for key in row)
        return str(next(key["copy_text"]["text"] for key in keys if key["text"] == label))

    @staticmethod
    def _told(tap: Any) -> Callable[[], Awaitable[str]]:
        async def told() -> str:
            return str((await tap.answered()).text)

        return told

    def shown(self, message_id: str) -> Said:
        return self._said(next(m for m in self.person.messages() if str(m["message_id"]) == message_id))

    def is_there(self, message_id: str) -> bool:
        return any(str(message["message_id"]) == message_id for message in self.person.messages())

    def _said(self, message: dict[str, Any]) -> Said:
        keys = message.get("reply_markup", {}).get("inline_keyboard", [])
        rows = [row for keys_of_row in keys if (row := [key for key in keys_of_row if "callback_data" in key])]
        if rows:
            self._first.setdefault(str(message["message_id"]), rows[0][0]["callback_data"])
        labels = [[key["text"] for key in row] for row in rows]
        kept = tuple(key["text"] for row in keys for key in row if "disabled" in key)
        copies = tuple(key["copy_text"]["text"] for row in keys for key in row if "copy_text" in key)
        return Said(str(message["message_id"]), str(message.get("text", "")), labels, kept, copies)


class DiscordPhone:
    """A person in Discord."""

    def __init__(self, person: DiscordPerson) -> None:
        self.person = person
        self.user_id, self.chat_id = str(person.id), str(person.dm.id)
        self.name = person.handle
        self._first: dict[str, str] = {}

    def say(self, text: str, *, reply_to: str | None = None) -> str:
        return str(self.person.send(text, reply_to=reply_to)["id"])

    async def hear(self) -> Said:
        return self._said(await self.person.next_message())

    def tap(self, message_id: str, label: str) -> Callable[[], Awaitable[str]]:
        return self._told(self.person.tap(message_id, label=label))

    def tap_again(self, message_id: str) -> Callable[[], Awaitable[str]]:
        return self._told(self.person.tap(message_id, custom_id=self._first[message_id]))

    async def copy(self, message: Said, label: str) -> str:
        # Discord has no such buttons: the text comes as a code block, which only that person sees.
        told = await self.tap(message.id, label)()
        return told.removeprefix("```\n").removesuffix("\n```")

    @staticmethod
    def _told(tap: ComponentTap) -> Callable[[], Awaitable[str]]:
        async def told() -> str:
            return str((await tap.next_message())["content"])

        return told

    def shown(self, message_id: str) -> Said:
        return self._said(next(m for m in self.person.messages() if m["id"] == message_id))

    def is_there(self, message_id: str) -> bool:
        return any(message["id"] == message_id for message in self.person.messages())

    def _said(self, message: dict[str, Any]) -> Said:
        keys = [row["components"] for row in message.get("components") or []]
        rows = [row for keys_of_row in keys if (row := [key for key in keys_of_row if not key.get("disabled")])]
        kept = tuple(key["label"] for row in keys for key in row if key.get("disabled"))
        if rows and rows[0][0].get("custom_id"):
            self._first.setdefault(message["id"], rows[0][0]["custom_id"])
        labels = [[key["label"] for one in row for key in one.get("options", [one])] for row in rows]
        # Backslashes before punctuation are Discord's way to write it as it reads.
        return Said(message["id"], re.sub(r"\\(?=\W)|\*\*", "", str(message["content"])), labels, kept)


class SlackPhone:
    """A person in Slack."""

    def __init__(self, person: SlackPerson) -> None:
        self.person = person
        self.user_id, self.chat_id = person.id, person.dm.id
        self.name = person.handle
        self._first: dict[str, dict[str, Any]] = {}

    def say(self, text: str, *, reply_to: str | None = None) -> str:
        # A slash command that is typed goes to the app that has it; as a message it begins with something else.
        if text.startswith("/"):
            text = f"@{self.person.state.bot.name} {text}"
        return str(self.person.send(text, thread=reply_to, broadcast=bool(reply_to))["ts"])

    async def hear(self) -> Said:
        return self._said(await self.person.next_message())

    def tap(self, message_id: str, label: str) -> Callable[[], Awaitable[str]]:
        return self._told(self.person.tap(message_id, label=label))

    def tap_again(self, message_id: str) -> Callable[[], Awaitable[str]]:
        return self._told(self.person.tap_gone(message_id, self._first[message_id]))

    async def copy(self, message: Said, label: str) -> str:
        # Slack has no such buttons: the text comes as a code block, which only that person sees.
        return await self.tap(message.id, label)()

    @staticmethod
    def _told(tap: SlackTap) -> Callable[[], Awaitable[str]]:
        async def told() -> str:
            return read(await tap.next_message())

        return told

    def shown(self, message_id: str) -> Said:
        return self._said(next(m for m in self.person.messages() if m["ts"] == message_id))

    def is_there(self, message_id: str) -> bool:
        return any(message["ts"] == message_id for message in self.person.messages())

    def _said(self, message: dict[str, Any]) -> Said:
        rows = [[key for key in row if not key["action_id"].startswith(KEPT)] for row in actions(message)]
        rows = [row for row in rows if row]
        kept = [key for row in actions(message) for key in row if key["action_id"].startswith(KEPT)]
        if rows and "value" in rows[0][0]:
            self._first.setdefault(message["ts"], rows[0][0])
        labels = [[str(one["text"]["text"]) for key in row for one in key.get("options", [key])] for row in rows]
        return Said(message["ts"], read(message), labels, tuple(str(key["text"]["text"]) for key in kept))


def named(play: Play, command: str) -> str:
    """A command as people are told it: `/status` is called otherwise on some platforms."""
    return f"/{channel(play.stage.channel).commands}{command.removeprefix('/')}"


class Play(Protocol):
    """A world on one platform, and its people."""

    stage: World
    sandbox: TelegramSandbox | DiscordSandbox | SlackSandbox

    def stranger(self, name: str) -> Phone:
        """Somebody nobody knows."""

    def friend(self, name: str) -> Phone:
        """Somebody who is paired."""

    async def reading(self, **env: str | None) -> Host:
        """A host whose server reads the bot."""

    async def being_read(self) -> None:
        """Waits until a server takes what happens: Discord keeps no tap for later."""

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        """Waits for something to be true on the platform."""

    def drawn_as_diff(self, phone: Phone, message: Said, *, folded: bool = False) -> str:
        """The code in a message that is drawn as a diff, as it looks now; `folded` where the platform can."""

    def file(self, phone: Phone, message: Said) -> tuple[str, bytes]:
        """The name and the content of the file in a message."""


class TelegramPlay:
    """A play in Telegram."""

    def __init__(self, stage: Stage) -> None:
        self.stage: World = stage
        self._stage = stage
        self.sandbox: TelegramSandbox | DiscordSandbox | SlackSandbox = stage.tg
        self.reading = stage.reading
        self.wait_for = stage.tg.wait_for

    async def being_read(self) -> None:
        await self.wait_for(lambda: self._stage.tg.polling)

    def stranger(self, name: str) -> Phone:
        return TelegramPhone(self._stage.tg.person(name))

    def friend(self, name: str) -> Phone:
        return TelegramPhone(self._stage.person(name))

    def drawn_as_diff(self, phone: Phone, message: Said, *, folded: bool = False) -> str:
        found = self._message(phone, message)
        drawn = {entity["type"]: entity for entity in found["entities"] if entity["type"] != "code"}
        assert set(drawn) == ({"pre", "expandable_blockquote"} if folded else {"pre"}), found
        block = drawn["pre"]
        fold = drawn["expandable_blockquote"] if folded else block
        assert (block["offset"], block["length"], block["language"]) == (fold["offset"], fold["length"], "diff")
        units = found["text"].encode("utf-16-le")
        return units[2 * block["offset"] : 2 * (block["offset"] + block["length"])].decode("utf-16-le")

    def file(self, phone: Phone, message: Said) -> tuple[str, bytes]:
        assert "document" in self._message(phone, message)
        sent = self._stage.tg.calls_of("sendDocument")[-1].params["document"]
        return self._message(phone, message)["document"]["file_name"], sent.data

    @staticmethod
    def _message(phone: Phone, message: Said) -> dict[str, Any]:
        assert isinstance(phone, TelegramPhone)
        return next(m for m in phone.person.messages() if str(m["message_id"]) == message.id)


class DiscordPlay:
    """A play in Discord."""

    def __init__(self, stage: DiscordStage) -> None:
        self.stage: World = stage
        self._stage = stage
        self.sandbox: TelegramSandbox | DiscordSandbox | SlackSandbox = stage.dc
        self.reading = stage.reading
        self.wait_for = stage.dc.wait_for

    async def being_read(self) -> None:
        await self.wait_for(lambda: self._stage.dc.connected)

    def stranger(self, name: str) -> Phone:
        return DiscordPhone(self._stage.dc.person(name))

    def friend(self, name: str) -> Phone:
        return DiscordPhone(self._stage.person(name, met=False))

    def drawn_as_diff(self, phone: Phone, message: Said, **_: bool) -> str:
        content = str(self._message(phone, message)["content"])
        match = re.search(r"^```diff\n(.*?)\n```$", content, re.DOTALL | re.MULTILINE)
        assert match is not None, content
        # What keeps ticks from ending the block.
        return match[1].replace("\u200b", "")

    def file(self, phone: Phone, message: Said) -> tuple[str, bytes]:
        (file,) = self._message(phone, message)["attachments"]
        stored = [one for one in self._stage.dc.state.files.by_id.values() if one.name == file["filename"]]
        return str(file["filename"]), stored[-1].data

    @staticmethod
    def _message(phone: Phone, message: Said) -> dict[str, Any]:
        assert isinstance(phone, DiscordPhone)
        return next(m for m in phone.person.messages() if m["id"] == message.id)


class SlackPlay:
    """A play in Slack."""

    def __init__(self, stage: SlackStage) -> None:
        self.stage: World = stage
        self._stage = stage
        self.sandbox: TelegramSandbox | DiscordSandbox | SlackSandbox = stage.slack
        self.reading = stage.reading
        self.wait_for = stage.slack.wait_for

    async def being_read(self) -> None:
        await self.wait_for(lambda: self._stage.slack.connected)

    def stranger(self, name: str) -> Phone:
        return SlackPhone(self._stage.slack.person(name))

    def friend(self, name: str) -> Phone:
        return SlackPhone(self._stage.person(name, met=False))

    def drawn_as_diff(self, phone: Phone, message: Said, **_: bool) -> str:
        blocks = self._message(phone, message)["blocks"]
        parts = [part for block in blocks if block["type"] == "rich_text" for part in block["elements"]]
        (code,) = [part["elements"] for part in parts if part["type"] == "rich_text_preformatted"]
        return "".join(piece["text"] for piece in code)

    def file(self, phone: Phone, message: Said) -> tuple[str, bytes]:
        (file,) = self._message(phone, message)["files"]
        return str(file["name"]), self._stage.slack.state.files.by_id[file["id"]].data

    @staticmethod
    def _message(phone: Phone, message: Said) -> dict[str, Any]:
        assert isinstance(phone, SlackPhone)
        return next(m for m in phone.person.messages() if m["ts"] == message.id)


@asynccontextmanager
async def _telegram(folder: Path) -> AsyncIterator[Play]:
    async with TelegramSandbox(TOKEN) as tg, Stage(tg, folder) as stage:
        yield TelegramPlay(stage)
        assert stage.impure() == []
        assert tg.token not in stage.everything_said()


@asynccontextmanager
async def _discord(folder: Path) -> AsyncIterator[Play]:
    async with DiscordSandbox() as dc, DiscordStage(dc, folder) as stage:
        yield DiscordPlay(stage)
        assert stage.impure() == []
        assert dc.token not in stage.everything_said()


@asynccontextmanager
async def _slack(folder: Path) -> AsyncIterator[Play]:
    async with SlackSandbox() as slack, SlackStage(slack, folder) as stage:
        yield SlackPlay(stage)
        assert stage.impure() == []
        for token in (slack.token, slack.app_token):
            assert token not in stage.everything_said()


STAGES: dict[str, Callable[[Path], AbstractAsyncContextManager[Play]]] = {
    "telegram": _telegram,
    "discord": _discord,
    "slack": _slack,
}
