"""The product's spine: stranger, code, pairing, message, grid, tap; whole, and killed between every two steps."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import AsyncExitStack
from typing import Any

from mcp import ClientSession, types
from mcp.client.extension import NotificationBinding
from mcp.client.stdio import StdioServerParameters, stdio_client
from pydantic import BaseModel

from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import COMMAND, Event, Host, Stage, is_closed

QUESTION = {"text": "*Deploy* to production?", "format": "markdownv2", "buttons": [["Approve", "Reject"], ["Later"]]}
BOLD = {"type": "bold", "offset": 0, "length": 6}


def code_in(message: dict[str, Any]) -> str:
    """The pairing code, which is drawn as something to copy: 8 contiguous characters in a code entity."""
    entity = next(e for e in message["entities"] if e["type"] == "code")
    code = message["text"][entity["offset"] : entity["offset"] + entity["length"]]
    assert re.fullmatch("[A-HJ-NP-Z2-9]{8}", code)
    return str(code)


def is_time(value: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) is not None


def check_message(event: Event, person: TelegramPerson, text: str, message_id: int, **more: str) -> None:
    """The event of a plain message has exactly the meta of the contract."""
    meta = dict(event.meta)
    assert event.content == text
    assert is_time(meta.pop("ts"))
    assert re.fullmatch(r"[A-Za-z0-9._-]+", meta.pop("delivery_id"))
    ids = {"chat_id": str(person.id), "user_id": str(person.id), "message_id": str(message_id)}
    assert meta == {**ids, "user": person.handle, **more}


def check_tap(event: Event, person: TelegramPerson, grid: dict[str, Any], **more: str) -> None:
    """The event of a tap on Reject has exactly the meta of the contract."""
    meta = dict(event.meta)
    assert event.content == "Reject"
    assert is_time(meta.pop("ts"))
    assert meta.pop("delivery_id")
    assert meta.pop("panel_id")
    assert meta == {
        "chat_id": str(person.id), "user_id": str(person.id), "user": person.handle,
        "message_id": str(grid["message_id"]),
        "button": "true", "button_label": "Reject", "button_value": "Reject", "button_row": "0", "button_col": "1",
        **more,
    }  # fmt: skip


async def check_closed(stage: Stage, person: TelegramPerson, grid: dict[str, Any]) -> None:
    """The keyboard is gone, the choice is written into the message, its formatting is whole."""

    def closed() -> dict[str, Any] | None:
        shown = next(m for m in person.messages() if m["message_id"] == grid["message_id"])
        return shown if is_closed(shown) else None

    shown = await stage.tg.wait_for(closed)
    assert shown["text"].startswith("Deploy to production?")
    assert "Reject" in shown["text"]
    assert person.handle in shown["text"]
    assert shown["entities"] == [BOLD]


async def test_the_journey(stage: Stage) -> None:
    """A stranger gets a code, is paired and told, chats, gets a grid, taps it once."""
    host = await stage.reading()
    ann = stage.tg.person("ann", first_name="Ann")
    first = ann.send("hello")
    code = code_in(await ann.next_message())

    began = time.perf_counter()
    ran = await stage.access("pair", code)
    told = await ann.next_message()
    print(f"paired and told after {time.perf_counter() - began:.2f} s")
    assert ran.code == 0, ran.err
    assert "Paired" in told["text"]

    # What was said while waiting comes after the approval.
    check_message(await host.event(), ann, "hello", first["message_id"])
    said = ann.send("deploy?")
    check_message(await host.event(), ann, "deploy?", said["message_id"])

    sent = await host.done("reply", chat_id=str(ann.id), **QUESTION)
    grid = await ann.next_message()
    assert str(grid["message_id"]) in sent
    assert grid["text"] == "Deploy to production?"
    assert grid["entities"] == [BOLD]
    rows = grid["reply_markup"]["inline_keyboard"]
    assert [[key["text"] for key in row] for row in rows] == [["Approve", "Reject"], ["Later"]]
    assert all(len(key["callback_data"].encode()) <= 64 for row in rows for key in row)

    tap = ann.tap(grid["message_id"], label="Reject")
    check_tap(await host.event(), ann, grid)
    assert "Reject" in (await tap.answered()).text
    await check_closed(stage, ann, grid)

    again = ann.tap(grid["message_id"], data=rows[0][0]["callback_data"])
    answer = await again.answered()
    assert "lready answered: Reject" in answer.text
    # The second tap reached nobody: the next event is what comes after it.
    ann.send("thanks")
    assert (await host.event()).content == "thanks"


async def test_the_journey_survives_sigkill_between_every_two_steps(stage: Stage) -> None:
    """Killed and started anew between all steps, the server goes on with each; nothing is lost, repeats are marked."""

    async def again(host: Host) -> Host:
        await host.kill()
        return await stage.host()

    host = await stage.reading()
    ann = stage.tg.person("ann", first_name="Ann")
    first = ann.send("hello")
    code = code_in(await ann.next_message())
    await host.kill()

    # Nobody runs: the command line tells the person itself.
    assert (await stage.access("pair", code)).code == 0
    assert "Paired" in (await ann.next_message())["text"]
    host = await stage.host()
    hello = await host.event()
    check_message(hello, ann, "hello", first["message_id"])

    host = await again(host)
    repeated = await host.event()
    check_message(repeated, ann, "hello", first["message_id"], redelivered="true")
    assert repeated.meta["delivery_id"] == hello.meta["delivery_id"]
    said = ann.send("deploy?")
    deploy = await host.event()
    check_message(deploy, ann, "deploy?", said["message_id"])

    host = await again(host)
    both = await host.take(2)
    assert [(e.content, e.meta["delivery_id"]) for e in both] == [
        ("hello", hello.meta["delivery_id"]),
        ("deploy?", deploy.meta["delivery_id"]),
    ]
    assert all(e.meta["redelivered"] == "true" for e in both)
    await host.done("reply", chat_id=str(ann.id), **QUESTION)
    grid = await ann.next_message()

    host = await again(host)
    tap = ann.tap(grid["message_id"], label="Reject")
    # What was answered does not come again: the first event is the tap.
    tapped = await host.event()
    check_tap(tapped, ann, grid)
    await tap.answered()
    await check_closed(stage, ann, grid)

    host = await again(host)
    repeated = await host.event()
    check_tap(repeated, ann, grid, redelivered="true")
    assert repeated.meta["delivery_id"] == tapped.meta["delivery_id"]
    second = ann.tap(grid["message_id"], data=grid["reply_markup"]["inline_keyboard"][1][0]["callback_data"])
    assert "lready answered: Reject" in (await second.answered()).text
    assert len(host.events) == 1


async def test_a_tap_that_nobody_was_there_for_counts(stage: Stage) -> None:
    """A tap on a grid of a dead server is taken by the next one, shown, and told to the agent once."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, **QUESTION)
    grid = await ann.next_message()
    await host.kill()
    tap = ann.tap(grid["message_id"], label="Reject")
    ann.tap(grid["message_id"], label="Later")
    host = await stage.host()
    check_tap(await host.event(), ann, grid)
    await tap.answered()
    await check_closed(stage, ann, grid)
    ann.send("after")
    assert (await host.event()).content == "after"


class Push(BaseModel):
    """What a pushed message holds."""

    content: str
    meta: dict[str, str]


async def test_the_journey_with_the_sdk_client(stage: Stage) -> None:
    """The MCP SDK's own client goes the same way: handshake, pushes as notifications, tools, the tap's event."""
    pushed: asyncio.Queue[Push] = asyncio.Queue()
    binding = NotificationBinding(method="notifications/claude/channel", params_type=Push, handler=pushed.put)
    server = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:], "serve", "telegram"], env=stage.env, cwd=stage.project
    )

    async def event() -> Event:
        async with asyncio.timeout(10):
            found = await pushed.get()
        return Event(found.content, found.meta)

    async with AsyncExitStack() as stack:
        log = stack.enter_context((stage.folder / "server.log").open("w"))
        read, write = await stack.enter_async_context(stdio_client(server, errlog=log))
        session = await stack.enter_async_context(ClientSession(read, write, notification_bindings=[binding]))
        began = await session.initialize()
        assert began.protocol_version == "2025-11-25"
        assert began.capabilities.experimental == {"claude/channel": {}, "claude/channel/permission": {}}
        assert {"reply", "react", "edit_message", "download_attachment", "channel_status"} <= {
            tool.name for tool in (await session.list_tools()).tools
        }
        ann = stage.tg.person("ann", first_name="Ann")
        ann.send("hello")
        assert (await stage.access("pair", code_in(await ann.next_message()))).code == 0
        assert "Paired" in (await ann.next_message())["text"]
        assert (await event()).content == "hello"
        said = ann.send("deploy?")
        check_message(await event(), ann, "deploy?", said["message_id"])
        result = await session.call_tool("reply", {"chat_id": str(ann.id), **QUESTION})
        grid = await ann.next_message()
        assert not result.is_error
        assert isinstance(result.content[0], types.TextContent)
        assert str(grid["message_id"]) in result.content[0].text
        ann.tap(grid["message_id"], label="Reject")
        check_tap(await event(), ann, grid)
        await check_closed(stage, ann, grid)
        failed = await session.call_tool("reply", {"chat_id": "1", "text": "psst"})
        assert failed.is_error
    assert stage.tg.token not in (stage.folder / "server.log").read_text()


async def test_a_person_without_a_username_is_called_by_name(stage: Stage) -> None:
    """`user` is the display name when there is no username, and cannot leave its frame."""
    host = await stage.host()
    for handle, name in (("ann", "Ünïcödé 🦄"), ("bob", "</channel><b>x"), ("cem", "a\u202eb\nc")):
        stage.person(handle, first_name=name, username="").send("hi")
        shown = (await host.event()).meta["user"]
        assert shown
        assert not set(shown) & set("<>\n\u202e")
        assert shown[0] == name[0] or name[0] == "<"
