"""`channels open` without a browser: who gets in, what it leaves alone, and how it ends."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent_channels.page.server import HEADERS
from agent_channels.registry import CHANNELS
from harness import Stage
from real_page import RealPage, pairing_code, real_page

ACTS = ("pair", "redeliver", "drop", "invite")
FOREIGN = [
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


async def asked(url: str, method: str = "GET", **options: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **options) as answer:
        assert answer.headers.items() >= HEADERS.items()
        return answer.status, await answer.text()


async def parts(page: RealPage) -> dict[str, Any]:
    """Everything that the page is sent when it is opened."""
    async with aiohttp.ClientSession() as session, session.get(f"{page.url}events") as answer:
        line = await answer.content.readuntil(b"\n\n")
    found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return found


async def waiting(stage: Stage) -> tuple[str, str]:
    """Has somebody wait to be let in, and another one's message be open; the code, and the message's delivery id."""
    host = await stage.reading()
    stage.person("ann").send("hello")
    delivery_id = (await host.event()).meta["delivery_id"]
    eve = stage.tg.person("eve")
    eve.send("let me in")
    return pairing_code(await eve.next_message()), delivery_id


@pytest.mark.parametrize("headers", FOREIGN, ids=[f"{k} {v}" for one in FOREIGN for k, v in one.items()])
async def test_other_sites_are_refused(stage: Stage, headers: dict[str, str]) -> None:
    """A page of another origin, or a domain name that resolves to loopback, can neither read nor act here."""
    code, delivery_id = await waiting(stage)
    async with real_page(stage) as page:
        body = {"channel": "telegram", "code": code, "delivery_id": delivery_id}
        for act in ACTS:
            assert (await asked(f"{page.url}act/{act}", "POST", json=body, headers=headers))[0] == 403
        assert (await asked(f"{page.url}events", headers=headers))[0] == 403
    await nothing_happened(stage, delivery_id)


@pytest.mark.parametrize("secret", ["", "wrong", "{secret}x", "{cut}"])
async def test_without_the_secret_nobody_reads_or_acts(stage: Stage, secret: str) -> None:
    """A wrong, cut off or missing secret gets a page that says what to do, and JSON for a program."""
    code, delivery_id = await waiting(stage)
    async with real_page(stage) as page:
        given = secret.format(secret=page.secret, cut=page.secret[:-1])
        root = page.url.replace(page.secret, given)
        for act in ACTS:
            body = {"channel": "telegram", "code": code, "delivery_id": delivery_id}
            status, text = await asked(f"{root}act/{act}", "POST", json=body)
            assert status == 403
            assert "printed" in json.loads(text)["next"]
        for path in ("", "events", "open.js"):
            status, text = await asked(root + path)
            assert status == 403
            assert "channels open" in text
            assert page.secret not in text
    await nothing_happened(stage, delivery_id)


async def test_an_act_is_a_post_and_says_what_is_wrong(stage: Stage) -> None:
    """By GET nothing is done; what cannot be done is refused with the reason, and nothing else happens."""
    code, delivery_id = await waiting(stage)
    async with real_page(stage) as page:
        for act in ACTS:
            query = {"channel": "telegram", "code": code, "delivery_id": delivery_id}
            assert (await asked(f"{page.url}act/{act}", params=query))[0] == 405
        tries: list[tuple[str, dict[str, Any], str]] = [
            ("pair", {"channel": "telegram"}, "is not a pairing code"),
            ("pair", {"channel": "telegram", "code": "<b>"}, "is not a pairing code"),
            ("pair", {"channel": "nowhere", "code": code}, "is not a channel of this page"),
            ("pair", {"channel": ["telegram"], "code": code}, "is not a channel of this page"),
            ("redeliver", {"channel": "telegram", "delivery_id": "x' OR 1"}, "there is no message"),
            ("drop", {"channel": "telegram", "delivery_id": "x"}, "there is no message"),
            ("drop", {"channel": "telegram", "delivery_id": "\ud800"}, "there is no message"),
            ("invite", {"channel": "discord"}, "no token is set"),
        ]
        for act, body, words in tries:
            status, text = await asked(f"{page.url}act/{act}", "POST", json=body)
            assert status == 400, text
            assert words in json.loads(text)["error"]
        assert (await asked(f"{page.url}act/pair", "POST", data=b"[" * 10_000))[0] == 400
    await nothing_happened(stage, delivery_id)


async def nothing_happened(stage: Stage, delivery_id: str) -> None:
    """The one who waits still waits, and the message is as open as it was."""
    status = (await stage.access("--json")).json
    assert [person["name"] for person in status["pending"]] == ["Eve"]
    assert len(status["paired"]) == 1
    (entry,) = (await stage.cli("inbox", "telegram", "--json", "--open")).json["messages"]
    assert (entry["delivery_id"], entry["offers"]) == (delivery_id, 1)


async def test_it_reads_and_leaves_everything_as_it_was(stage: Stage) -> None:
    """While it is up, nothing is asked of the platform; after Ctrl-C the state folder holds what it held before."""
    host = await stage.reading()
    ann = stage.person("ann")
    ann.send("hello")
    await host.event()
    await host.done("reply", chat_id=str(ann.id), text="Hi.")
    await host.close()
    # A server leaves its log of changes behind; whoever closes the database next takes that in.
    await stage.cli("status", "telegram")
    before = listing(stage.state)
    calls = len(stage.tg.calls)
    async with real_page(stage) as page:
        assert page.printed.startswith(f"Project {stage.project}\n")
        found = await parts(page)
        said = [message["text"] for message in found[f"chat:telegram/{ann.id}"]["messages"]]
        assert said == ["hello", "Hi."]
        assert found["channels"]["telegram"]["reading"] is False
        assert len(stage.tg.calls) == calls
        code, printed = await page.interrupt()
    assert (code, "Stopped" in printed) == (0, True)
    assert listing(stage.state) == before


def listing(folder: Path) -> dict[str, bytes]:
    """The files of a folder with their content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_without_a_state_it_creates_none(stage: Stage, tmp_path: Path) -> None:
    """A project that has no state gets a page all the same, and still has none afterwards."""
    empty = tmp_path / "empty"
    async with real_page(stage, TELEGRAM_STATE_DIR=str(empty), TELEGRAM_BOT_TOKEN=None) as page:
        found = await parts(page)
        assert found["setting"]["chats"] == []
        assert "no token is set" in found["channels"]["telegram"]["problem"]["en"]
        assert set(found["channels"]) == set(CHANNELS)
    assert not empty.exists()
    assert not (stage.project / "state").exists()


async def test_a_folder_that_came_from_elsewhere_is_refused(stage: Stage, tmp_path: Path) -> None:
    """Nothing of a state folder that this user neither made nor adopted is shown, as with every verb."""
    (await stage.reading()).close_stdin()
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o700)
    (foreign / "channel.db").write_bytes((stage.state / "channel.db").read_bytes())
    ran = await stage.cli("open", "--no-browser", "--port", "0", TELEGRAM_STATE_DIR=str(foreign))
    assert ran.code == 1
    assert "channels trust" in ran.err
    assert "http://" not in ran.out
    assert sorted(path.name for path in foreign.iterdir()) == ["channel.db"]


async def test_a_port_that_is_taken_is_named(stage: Stage) -> None:
    """With what to do about it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        ran = await stage.cli("open", "--no-browser", "--port", str(number))
    assert ran.code == 1
    assert f"cannot listen on port {number}" in ran.err
    assert "--port" in ran.err


async def test_it_works_with_no_network(stage: Stage) -> None:
    """Reading, letting in and inviting need no platform: who is let in is told when a server next reads the bot."""
    code, _ = await waiting(stage)
    await stage.hosts[0].close()
    calls = len(stage.tg.calls)
    async with real_page(stage, TELEGRAM_API_ROOT="http://127.0.0.1:1") as page:
        status, text = await asked(f"{page.url}act/pair", "POST", json={"channel": "telegram", "code": code})
        assert status == 200, text
        assert "when a server next reads this bot" in json.loads(text)["said"]
        status, text = await asked(f"{page.url}act/invite", "POST", json={"channel": "telegram"})
        assert status == 200, text
        answer = json.loads(text)
        assert answer["link"] == f"https://t.me/sandbox_bot?start={answer['code']}"
        assert answer["qr"]["path"].startswith("M4 4h1v1h-1z")
        people = (await parts(page))["channels"]["telegram"]["paired"]
        assert [person["name"] for person in people] == ["ann", "Eve"]
    assert len(stage.tg.calls) == calls


async def test_tokens_are_masked(stage: Stage) -> None:
    """A token that somebody wrote, or that an error repeats, is not on the page."""
    host = await stage.reading()
    ann = stage.person("ann")
    ann.send(f"the token is {stage.tg.token}")
    await host.event()
    async with real_page(stage) as page:
        found = json.dumps(await parts(page))
    assert "the token is [token]" in found
    assert stage.tg.token not in found


async def test_a_damaged_value_is_shown_as_a_problem(stage: Stage) -> None:
    """A database that another program wrote into costs its channel's part of the page, not the page."""
    host = await stage.reading()
    ann = stage.person("ann")
    ann.send("hello")
    await host.event()
    await host.close()
    from agent_channels.core.store.database import Store

    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE inbox SET meta = '[1]'")
    async with real_page(stage) as page:
        found = await parts(page)
        assert "cannot be read" in found["channels"]["telegram"]["problem"]["en"]
        assert found["setting"]["chats"] == []
