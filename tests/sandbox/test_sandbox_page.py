"""The chat page's server and its command line, without a browser: security, attaching a host, cleaning up."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import aiohttp
import psutil
import pytest
from hatchling.builders.wheel import WheelBuilder

from agent_channels.sandbox.agent.host import ChannelEvent, ScriptedHost, ToolCall
from agent_channels.sandbox.agent.processes import program
from agent_channels.sandbox.page.run import Page, open_page
from agent_channels.sandbox.page.server import FILES, HEADERS

pytestmark = pytest.mark.cold

PATIENCE_S = 60
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with open_page(0, scripted=False) as up:
        yield up


async def asked(
    page: Page, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, page.url + path, headers=headers, **options) as answer,
    ):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        return answer.status, await answer.text()


# Markup made from strings, inline scripts or styles, and anything from other sites.
FORBIDDEN = re.compile(
    r"(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function|<[^>]+\s(style|on\w+)=|"
    r"(src|href)=.https?:|url\(.?https?:|@import|from .https?:"
)
FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "evil.example:8765"},
    {"Host": "127.0.0.1:1"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=[f"{k} {v}" for one in FOREIGN for k, v in one.items()])
async def test_other_sites_are_refused(page: Page, headers: dict[str, str]) -> None:
    """A page of another origin, or a domain name that resolves to loopback, can neither read nor act here."""
    send = {"place": "telegram/ann", "as": "ann", "text": "forged"}
    assert (await asked(page, "POST", "/act/telegram/send", headers=headers, json=send))[0] == 403
    assert (await asked(page, "POST", "/server", headers=headers, json={"channel": "telegram", "do": "kill"}))[0] == 403
    assert (await asked(page, "GET", "/events", headers=headers))[0] == 403
    assert page.scene.tg.messages(page.scene.tg.people["ann"]) == []


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}])
async def test_the_platforms_control_interfaces_refuse_other_sites_too(page: Page, headers: dict[str, str]) -> None:
    """A page of another origin cannot act as a person in the sandbox; a script, which has no origin, can."""
    for root in (page.scene.tg.root, page.scene.dc.root):
        async with aiohttp.ClientSession() as session:
            url, body = f"{root}/control/send", b'{"as": "ann", "text": "by a page"}'
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status == 403
                assert "another site" in await answer.text()
            async with session.post(url, data=body.replace(b"page", b"script")) as answer:
                assert answer.status == 200
    said = [page.scene.tg.people["ann"].messages(), page.scene.dc.people["ann"].messages()]
    assert [[one.get("text") or one["content"] for one in chat] for chat in said] == [["by a script"]] * 2


async def test_the_page_runs_nothing_but_its_own_files(page: Page) -> None:
    """The policy allows no foreign or inline script or style; the page has none; other sites may only link to it."""
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for path in FILES:
        status, text = await asked(page, "GET", path)
        assert status == 200
        assert not FORBIDDEN.search(text), path
    assert (await asked(page, "GET", "/", headers={"Sec-Fetch-Site": "cross-site"}))[0] == 200
    assert (await asked(page, "GET", "/../run.py"))[0] == 404
    assert (await asked(page, "GET", "/file/telegram/none"))[0] == 404


async def test_errors_name_the_next_step(page: Page) -> None:
    """An action in another chat, a wrong code, and a server that is not the page's get a sentence and a next step."""
    tries = [
        ("/act/telegram/send", {"place": "telegram/ann", "as": "ben", "text": "x"}, "ben is not in Ann"),
        ("/act/discord/send", {"place": "telegram/ann", "as": "ann", "text": "x"}, "is not on discord"),
        ("/act/telegram/send", {"place": "telegram/zoe", "as": "zoe", "text": "x"}, "no chat 'telegram/zoe'"),
        ("/act/telegram/tap", {"place": "telegram/ann", "as": "ann"}, "no message there has buttons"),
        ("/approve", {"channel": "telegram", "code": "nope"}, "is not a pairing code"),
        ("/approve", {"channel": "telegram", "code": "ABCDEFGH"}, "failed with exit code 1"),
        ("/server", {"channel": "telegram", "do": "kill"}, "did not start such a channel server"),
    ]
    for path, body, words in tries:
        status, text = await asked(page, "POST", path, json=body)
        assert status == 400, path
        answer = json.loads(text)
        assert words in answer["error"]
        assert answer["next"]


async def test_a_file_that_is_not_a_picture_is_only_downloaded(page: Page) -> None:
    """A web page that claims to be a picture is never displayed."""
    sent = page.scene.tg.people["ann"].send_document(b"<script>alert(1)</script>", "page.html", "text/html")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{page.url}/file/telegram/{sent['document']['file_id']}") as answer,
    ):
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment"


def echo(event: ChannelEvent) -> ToolCall:
    """An attached agent that answers everything."""
    return ToolCall("reply", {"chat_id": event.meta["chat_id"], "text": f"heard {event.content}"})


async def test_agent_none_attaches_a_host_to_both_platforms(tmp_path: Path) -> None:
    """The printed .mcp.json attaches a host to both platforms; both get the page's messages; Ctrl-C leaves nothing."""
    temp = tmp_path / "temp"
    temp.mkdir()
    environ = {**os.environ, "TMPDIR": str(temp), "TELEGRAM_BOT_TOKEN": "123:broken", "CHANNELS_MODE": "hook"}
    process = await asyncio.create_subprocess_exec(
        *program(), "sandbox", "--agent", "none", "--port", "0", "--no-open", stdout=PIPE, env=environ, cwd=tmp_path
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            printed = (await process.stdout.readuntil(b"Ctrl-C ends all of it.")).decode()
            block = re.search(r"^\{\n.*?^\}$", printed, re.MULTILINE | re.DOTALL)
            assert block
            entries = json.loads(block[0])["mcpServers"]
            assert set(entries) == {"telegram", "discord"}
            assert psutil.Process(process.pid).children() == []
            url = re.search(r"http://127\.0\.0\.1:\d+", printed)
            assert url
            for channel, entry in entries.items():
                await attached_and_heard(channel, entry, url[0], tmp_path)
            process.send_signal(signal.SIGINT)
            rest = await process.stdout.read()
            assert b"Stopped: everything it started has ended" in rest
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert list(temp.iterdir()) == []


async def attached_and_heard(channel: str, entry: dict[str, Any], url: str, folder: Path) -> None:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE", "CHANNELS"))}
    environ = {**mine, **entry["env"], "XDG_RUNTIME_DIR": str(folder), "CHANNELS_MODE": "push"}
    command = [entry["command"], *entry["args"]]
    host = await ScriptedHost.start(command, environ, folder, folder / f"{channel}.log", echo)
    try:
        assert (await host.shake_hands()).is_channel
        body = {"place": f"{channel}/ben", "as": "ben", "text": "from the page"}
        async with aiohttp.ClientSession() as session, session.post(f"{url}/act/{channel}/send", json=body) as answer:
            assert (await answer.json())["ok"]
        heard, done = await host.events.get(), await host.results.get()
        assert heard is not None
        assert heard.content == "from the page"
        assert done is not None
        assert not done.failed, done.result
    finally:
        await host.close()


async def test_the_wheel_has_the_page_and_not_its_pictures(tmp_path: Path) -> None:
    """The wheel contains every file of the page, but not the documentation's pictures."""
    built = ZipFile(next(iter(WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path)))))
    names = set(built.namelist())
    assert {f"agent_channels/sandbox/page/static/{name}" for name, _ in FILES.values()} <= names
    assert not [name for name in names if "pictures" in name]
