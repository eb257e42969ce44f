"""The route to Telegram: through a proxy or over IPv4 only, every call and every download of every command."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from agent_channels.core.settings.network import env_proxy
from broken import one_name_two_addresses
from harness import Host, Stage
from proxies import Passed, http_proxy, socks_proxy, tls_front

pytestmark = pytest.mark.long

Proxy = Callable[[], AbstractAsyncContextManager[Passed]]
DATA = b"%PDF " + bytes(range(256)) * 400


def saved(text: str) -> bytes:
    """The file that download_attachment names."""
    return Path(text.partition(" (")[0]).read_bytes()


async def everything(stage: Stage, host: Host) -> None:
    """A message, its file, an answer, an answer with a file."""
    ann = stage.tg.person("ann")
    ann.send_document(DATA, file_name="notes.pdf")
    event = await host.event()
    text = await host.done("download_attachment", chat_id=str(ann.id), message_id=event.meta["message_id"])
    assert saved(text) == DATA
    out = stage.project / "out.txt"
    out.write_text("a file")
    await host.done("reply", chat_id=str(ann.id), text="got it", files=[str(out)])
    sent = await ann.next_message()
    assert (sent["document"]["file_name"], sent["caption"]) == ("out.txt", "got it")


@pytest.mark.parametrize("proxy", [http_proxy, socks_proxy])
@pytest.mark.parametrize("named", ["TELEGRAM_PROXY", "HTTPS_PROXY"])
async def test_a_proxy_carries_everything(stage: Stage, proxy: Proxy, named: str) -> None:
    """Nothing reaches the platform but through the proxy, by CONNECT or SOCKS5: every call, file and command."""
    stage.person()
    async with proxy() as passed, tls_front(stage.tg.port, stage.folder) as front:
        root = {"TELEGRAM_API_ROOT": f"https://{front.place}", "SSL_CERT_FILE": str(front.certificate)}
        stage.env |= {**root, named: passed.url}
        host = await stage.reading()
        await everything(stage, host)
        # One for the poll, one for calls and files at least; every connection to the platform came through it.
        assert len(passed.tunnels) >= 2
        assert set(passed.tunnels) == {front.place}
        seen = len(passed.tunnels)
        ran = await stage.cli("doctor", "telegram", "--json")
        assert len(passed.tunnels) > seen
        checks = {one["check"]: one for one in ran.json["channels"][0]["checks"]}
        assert checks["proxy"]["state"] == checks["bot"]["state"] == "ok"
        seen = len(passed.tunnels)
        assert (await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token)).code == 0
        assert len(passed.tunnels) > seen
        await host.close()
        assert front.connections == len(passed.tunnels)
    # With the proxy gone, nothing gets through any more: there was no other way.
    asked = len(stage.tg.calls_of("getMe"))
    ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token)
    assert ran.code == 1
    assert len(stage.tg.calls_of("getMe")) == asked


async def test_plain_requests_go_through_an_http_proxy_too(stage: Stage) -> None:
    """To a server on loopback there is no TLS: every request and download shows in the proxy's record."""
    stage.person()
    async with http_proxy() as passed:
        stage.env["TELEGRAM_PROXY"] = passed.url
        host = await stage.reading()
        await everything(stage, host)
        await host.close()
    methods = {url.rsplit("/", 1)[1].lower() for url in passed.requests if "/file/" not in url}
    assert {"getme", "getupdates", "senddocument", "getfile"} <= methods
    assert any("/file/bot" in url for url in passed.requests)
    assert all(stage.tg.token in url for url in passed.requests if "bot" in url)
    # As many as the platform answered: none went another way.
    answered = [call for call in stage.tg.calls if call.response_code]
    assert len([url for url in passed.requests if "/file/" not in url]) >= len(answered)


async def test_ipv6_that_leads_nowhere_holds_nothing_up(stage: Stage) -> None:
    """The first start gets through over IPv4, doctor notes it, and nothing is remembered; `ipv4: true` decrees it."""
    stage.person()
    with one_name_two_addresses(stage) as env:
        host = await stage.reading(**env)
        await everything(stage, host)
        await host.close()
        for settings, state, says in (({}, "note", "until IPv4 is tried"), ({"ipv4": True}, "ok", "only IPv4 is used")):
            stage.config(grace_s=0, **settings)
            ran = await stage.cli("doctor", "telegram", "--json", **env)
            checks = {one["check"]: one for one in ran.json["channels"][0]["checks"]}
            assert checks["ipv6"]["state"] == state
            assert says in checks["ipv6"]["found"]
            assert checks["bot"]["state"] == "ok"
        assert not list(stage.state.glob("ipv4*"))
        # Whatever an earlier version left there does no harm.
        (stage.state / "ipv4-only").write_text("localhost 1\n")
        stage.config(grace_s=0, ipv4=False)
        assert (await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, **env)).code == 0


async def test_a_server_in_local_mode_lifts_the_limits(stage: Stage) -> None:
    """A file above Telegram's own 20 MB is copied from where the Bot API server put it; one to send is uploaded."""
    stage.tg.set_local(stage.folder / "bot-api")
    stage.person()
    big = b"x" * (21 * 1024 * 1024)
    ann = stage.tg.person("ann")
    host = await stage.reading(TELEGRAM_API_LOCAL="true")
    ann.send_document(big, file_name="big.bin")
    event = await host.event()
    text = await host.done("download_attachment", chat_id=str(ann.id), message_id=event.meta["message_id"])
    assert saved(text) == big
    out = stage.project / "out.txt"
    out.write_text("a file")
    await host.done("reply", chat_id=str(ann.id), text="", files=[str(out)])
    assert (await ann.next_message())["document"]["file_name"] == "out.txt"
    assert stage.tg.calls_of("sendDocument")[-1].params["document"].data == b"a file"


async def test_without_local_mode_the_limit_is_named(stage: Stage) -> None:
    """The same file from Telegram's own servers is refused before anything is asked for."""
    stage.person()
    host = await stage.reading()
    ann = stage.tg.person("ann")
    ann.send_document(b"x" * (21 * 1024 * 1024), file_name="big.bin")
    event = await host.event()
    reason = await host.refused("download_attachment", chat_id=str(ann.id), message_id=event.meta["message_id"])
    assert "20,971,520" in reason
    ran = await stage.cli("status", "telegram", TELEGRAM_API_LOCAL="true", TELEGRAM_API_ROOT=None)
    assert ran.code == 1
    assert "needs api_root" in ran.out


async def test_a_proxy_of_the_environment_that_cannot_be_used_is_left_aside(stage: Stage) -> None:
    """Calls go directly, and doctor says why; as a setting it is an error."""
    stage.person()
    ran = await stage.cli("doctor", "telegram", "--json", ALL_PROXY="ftp://127.0.0.1:21")
    checks = {one["check"]: one for one in ran.json["channels"][0]["checks"]}
    assert (checks["bot"]["state"], checks["proxy"]["state"]) == ("ok", "note")
    assert "socks5://" in checks["proxy"]["evidence"]
    ran = await stage.cli("status", "telegram", TELEGRAM_PROXY="ftp://127.0.0.1:21")
    assert ran.code == 1
    assert "it must begin with http://, https:// or socks5://" in ran.out


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"ALL_PROXY": "socks5://p:1"}, "socks5://p:1"),
        ({"ALL_PROXY": "socks5://p:1", "HTTPS_PROXY": "http://q:2"}, "http://q:2"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "telegram.org"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com"}, "http://p:1"),
        ({"HTTPS_PROXY": " "}, None),
    ],
)
def test_the_environments_proxy_is_read_as_others_read_it(environ: dict[str, str], expected: str | None) -> None:
    """HTTPS_PROXY before ALL_PROXY, either case, not for what NO_PROXY names."""
    assert env_proxy("https://api.telegram.org", environ) == expected


# ---- what the environment may hold


@pytest.mark.parametrize(
    ("variable", "value", "proxied"),
    [
        ("ALL_PROXY", "socks://{}/", True),
        ("all_proxy", "SOCKS5H://{}", True),
        ("HTTP_PROXY", "socks5://{}", True),
        ("NO_PROXY", "localhost,fd00::/8,[::1],127.0.0.0/8", False),
    ],
)
async def test_every_spelling_of_a_proxy_works(stage: Stage, variable: str, value: str, proxied: bool) -> None:
    """The server reads through it, or past it where NO_PROXY says so, and the commands do too."""
    ann = stage.person()
    async with socks_proxy() as passed:
        place = passed.url.removeprefix("socks5://")
        env = {"ALL_PROXY": f"socks://{place}"} | {variable: value.format(place)}
        host = await stage.reading(**env)
        ann.send("hello")
        assert (await host.event()).content == "hello"
        assert (await stage.cli("doctor", "telegram", **env)).code in {0, 1}
        ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, **env)
        assert ran.code == 0, ran.err
        assert bool(passed.tunnels) is proxied
        await host.close()


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"SSL_CERT_FILE": "/nonexistent"}, "SSL_CERT_FILE is '/nonexistent'"),
        ({"SSL_CERT_DIR": "/nonexistent"}, "SSL_CERT_DIR is '/nonexistent'"),
        ({"REQUESTS_CA_BUNDLE": "/etc/passwd"}, "REQUESTS_CA_BUNDLE is '/etc/passwd'"),
        ({"SSLKEYLOGFILE": "/nonexistent/keys"}, "SSLKEYLOGFILE is '/nonexistent/keys'"),
    ],
)
@pytest.mark.cold
async def test_certificates_that_cannot_be_used_are_named_everywhere(
    stage: Stage, env: dict[str, str | None], says: str
) -> None:
    """The server's status, doctor and setup end in the same sentence, without a traceback."""
    host = await stage.start(**env, cold=True)
    assert says in (await (await host.attach()).status())["problem"]
    ran = await stage.cli("doctor", "telegram", "--json", **env)
    bot = next(check for check in ran.json["channels"][0]["checks"] if check["check"] == "bot")
    assert (bot["state"], ran.code) == ("wrong", 1)
    assert says in bot["evidence"]
    setup = await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, **env)
    assert says in setup.err
    assert setup.code == 1
    assert "Traceback" not in ran.err + setup.err + host.log()


async def test_a_proxy_that_fails_is_named_by_its_variable(stage: Stage) -> None:
    """The server and setup say which variable names it, with its address but no password, and what to do."""
    env = {"http_proxy": "http://user:secret@127.0.0.1:1"}
    host = await stage.host(**env)
    found = await host.status_when(lambda status: bool(status["reader"]["error"]))
    setup = await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, **env)
    for text in (found["reader"]["error"], setup.err):
        assert (
            "the proxy http://127.0.0.1:1, named by http_proxy, takes no connection (Connection refused): start it"
            in text
        )
        assert "secret" not in text
