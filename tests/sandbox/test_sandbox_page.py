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

from agent_channels.page.server import FILES, HEADERS
from agent_channels.registry import CHANNELS
from agent_channels.sandbox.agent.host import ChannelEvent, ScriptedHost, ToolCall
from agent_channels.sandbox.agent.processes import program
from agent_channels.sandbox.page.run import Page, open_page
from agent_channels.sandbox.page.run import _run as keep_up

pytestmark = pytest.mark.cold

PATIENCE_S = 60
REPOSITORY = Path(__file__).parents[2]
FORGED = b'{"as": "ann", "text": "by a script"}'
WEBSOCKET = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with open_page(0, scripted=False) as up:
        yield up


async def asked(
    page: Page, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any
) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, page.url + path.removeprefix("/"), headers=headers, **options) as answer,
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
    assert (await asked(page, "POST", "/server", headers=headers, json={"server": "telegram", "do": "kill"}))[0] == 403
    assert (await asked(page, "GET", "/events", headers=headers))[0] == 403
    assert page.scene.tg.messages(page.scene.tg.people["ann"]) == []


CONTROL = [
    ("POST", "/control/send"),
    ("GET", "/control/messages?chat=ann"),
    ("GET", "/control/"),
    ("PUT", "/control/x"),
]
BOT_SIDE = {
    "telegram": "/bot{token}/getMe",
    "discord": "/gateway?v=10&encoding=json",
    "slack": "/api/auth.test?token={token}",
}
OTHER_SITES = [headers for headers in FOREIGN if headers != {"Host": "127.0.0.1:1"}]


@pytest.mark.parametrize("headers", OTHER_SITES, ids=[f"{k} {v}" for one in OTHER_SITES for k, v in one.items()])
async def test_the_platforms_refuse_other_sites_too(page: Page, headers: dict[str, str]) -> None:
    """A page of another site cannot act, read, call the API as the bot or open the gateway, even with the secrets."""
    platforms = {"telegram": page.scene.tg, "discord": page.scene.dc, "slack": page.scene.slack}
    for channel, platform in platforms.items():
        bot_side = ("GET", BOT_SIDE[channel].format(token=platform.token))
        for method, path in (*CONTROL, bot_side):
            asked_by = {**platform.authorization, **headers}
            upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", **WEBSOCKET} if "gateway" in path else {}
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, platform.root + path, headers={**asked_by, **upgrade}, data=FORGED) as answer,
            ):
                assert answer.status == 403, path
                assert "another site" in await answer.text()
    assert page.scene.tg.people["ann"].messages() == page.scene.dc.people["ann"].messages() == []
    assert page.scene.dc.gateway.connections == set()
    assert page.scene.slack.calls == []


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", "Basic {secret}", "Bearer {secret}x", "Bearer é"]
)
async def test_control_calls_need_the_secret(page: Page, given: str | None) -> None:
    """Without the secret of the page's address a script neither acts nor reads, and is told how to; with it, it can."""
    headers = {} if given is None else {"Authorization": given.format(secret=page.scene.secret)}
    for platform in (page.scene.tg, page.scene.dc):
        async with aiohttp.ClientSession() as session:
            for method, path in CONTROL:
                async with session.request(method, platform.root + path, headers=headers, data=FORGED) as answer:
                    assert answer.status == 401, path
                    assert "Authorization: Bearer" in (await answer.json())["next"]
            assert platform.people["ann"].messages() == []
            right = {"Authorization": f"bearer {page.url.split('/')[3]}"}
            async with session.post(f"{platform.root}/control/send", headers=right, data=FORGED) as answer:
                assert answer.status == 200
    said = [page.scene.tg.people["ann"].messages(), page.scene.dc.people["ann"].messages()]
    assert [[one.get("text") or one["content"] for one in chat] for chat in said] == [["by a script"]] * 2


@pytest.mark.parametrize("prefix", ["", "/wrong", "/{cut}", "/{secret}x", "//{secret}", "/%00", "/é"])
async def test_the_page_answers_only_at_the_address_with_the_secret(page: Page, prefix: str) -> None:
    """With a secret that is wrong, cut off or missing, a person gets a page and a script JSON that say what to do."""
    secret = page.scene.secret
    root = f"http://127.0.0.1:{page.server.port}{prefix.format(cut=secret[:-1], secret=secret)}"
    send = {"place": "telegram/ann", "as": "ann", "text": "forged"}
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/events", "/sandbox.js", "/file/telegram/1", "/elsewhere"):
            async with session.get(root + path) as answer:
                assert answer.status == 403
                assert answer.headers.items() >= HEADERS.items()
                text = await answer.text()
                assert "Open the whole address" in text
                assert secret not in text
                assert not FORBIDDEN.search(text)
        for path in ("/act/telegram/send", "/server", "/approve"):
            async with session.post(root + path, json=send) as answer:
                assert answer.status == 403
                assert "printed" in (await answer.json())["next"]
    assert page.scene.tg.people["ann"].messages() == []


async def test_an_address_without_its_last_slash_works(page: Page) -> None:
    """The page is found at an address that was copied without the slash at its end."""
    async with aiohttp.ClientSession() as session, session.get(page.url[:-1]) as answer:
        assert (answer.status, str(answer.url)) == (200, page.url)


async def test_the_secret_is_new_each_time_and_on_no_command_line(
    page: Page, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each sandbox has its own secret; the browser is started with a private file that leads to the address."""
    async with open_page(0, scripted=False) as other:
        assert other.scene.secret != page.scene.secret
    opened: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def opens(address: str) -> bool:
        loop.call_soon_threadsafe(opened.put_nowait, (address, Path(address.removeprefix("file://")).read_text()))
        return True

    monkeypatch.setattr("webbrowser.open", opens)
    monkeypatch.setenv("DISPLAY", ":0")
    running = asyncio.create_task(keep_up(open_page(0, scripted=False), browser=True, as_json=False))
    async with asyncio.timeout(PATIENCE_S):
        address, content = await opened.get()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    url = re.search(r"The chat page: (http://\S+/)", capsys.readouterr().out)
    assert url
    assert address.startswith("file://")
    assert url[1].split("/")[3] not in address
    assert f"url={url[1]}" in content


async def test_without_a_screen_no_browser_is_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And that is said."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("a browser was opened"))
    running = asyncio.create_task(keep_up(open_page(0, scripted=False), browser=True, as_json=False))
    said = ""
    async with asyncio.timeout(PATIENCE_S):
        while "No browser was opened: there is no screen here." not in said:
            await asyncio.sleep(0)
            said += capsys.readouterr().out
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_page_runs_nothing_but_its_own_files(page: Page) -> None:
    """The policy allows no foreign or inline script or style; the page has none; other sites may only link to it."""
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for path in ("/", *FILES):
        status, text = await asked(page, "GET", path)
        assert status == 200
        assert not FORBIDDEN.search(text), path
    assert (await asked(page, "GET", "/", headers={"Sec-Fetch-Site": "cross-site"}))[0] == 200
    assert (await asked(page, "GET", "/run.py"))[0] == 404
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
        ("/server", {"server": "telegram", "do": "kill"}, "did not start such a channel server"),
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
        session.get(f"{page.url}file/telegram/{sent['document']['file_id']}") as answer,
    ):
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment"


def echo(event: ChannelEvent) -> ToolCall:
    """An attached agent that answers everything."""
    return ToolCall("reply", {"chat_id": event.meta["chat_id"], "text": f"heard {event.content}"})


def roundabout(command: list[str]) -> list[str]:
    """The same command by a path that goes up and down again, as people type it from another folder."""
    path = Path(command[0])
    return [str(path.parent / ".." / path.parent.name / path.name), *command[1:]]


async def test_agent_none_attaches_a_host_to_both_platforms(tmp_path: Path) -> None:
    """The printed .mcp.json attaches a host to both platforms; both get the page's messages; Ctrl-C leaves nothing."""
    temp = tmp_path / "temp"
    temp.mkdir()
    environ = {**os.environ, "TMPDIR": str(temp), "TELEGRAM_BOT_TOKEN": "123:broken", "CHANNELS_MODE": "hook"}
    process = await asyncio.create_subprocess_exec(
        *roundabout(program()),
        "sandbox",
        "--agent",
        "none",
        "--port",
        "0",
        "--no-open",
        stdout=PIPE,
        env=environ,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            printed = (await process.stdout.readuntil(b"Ctrl-C ends all of it.")).decode()
            block = re.search(r"^\{\n.*?^\}$", printed, re.MULTILINE | re.DOTALL)
            assert block
            entries = json.loads(block[0])["mcpServers"]
            assert set(entries) == set(CHANNELS)
            assert all("/../" not in entry["command"] for entry in entries.values())
            assert psutil.Process(process.pid).children() == []
            url = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", printed)
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
        async with aiohttp.ClientSession() as session, session.post(f"{url}act/{channel}/send", json=body) as answer:
            assert (await answer.json())["ok"]
        heard, done = await host.events.get(), await host.results.get()
        assert heard is not None
        assert heard.content == "from the page"
        assert done is not None
        assert not done.failed, done.result
    finally:
        await host.close()


async def test_the_wheel_has_the_page_and_not_its_pictures(tmp_path: Path) -> None:
    """The wheel contains every file of the pages, each of which is served, but not the documentation's pictures."""
    built = ZipFile(next(iter(WheelBuilder(str(REPOSITORY)).build(directory=str(tmp_path)))))
    names = set(built.namelist())
    shown = {name for name, _ in FILES.values()} | {
        "sandbox.html",
        "open.html",
        "no_secret.html",
        "no_secret.zh-TW.html",
    }
    assert {f"agent_channels/page/static/{name}" for name in shown} <= names
    assert shown == {path.name for path in (REPOSITORY / "channels/agent_channels/page/static").iterdir()}
    assert not [name for name in names if "pictures" in name]
