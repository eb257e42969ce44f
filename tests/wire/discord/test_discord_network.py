"""The route to Discord: an HTTP proxy carries REST, the gateway and downloads; SOCKS is refused in clear words."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import DiscordStage
from proxies import http_proxy, tls_front

pytestmark = pytest.mark.long

DATA = bytes(range(256)) * 300


def saved(text: str) -> bytes:
    """The file that download_attachment names."""
    return Path(text.partition(" (")[0]).read_bytes()


@pytest.mark.parametrize("named", ["DISCORD_PROXY", "HTTPS_PROXY"])
async def test_a_proxy_carries_everything(stage: DiscordStage, named: str) -> None:
    """REST and the gateway go by CONNECT; with the proxy gone nothing is reached."""
    ann = stage.person()
    async with http_proxy() as passed, tls_front(stage.dc.port, stage.folder) as front:
        stage.env |= {
            "DISCORD_API_ROOT": f"https://{front.place}", "DISCORD_GATEWAY_URL": f"wss://{front.place}/gateway",
            "SSL_CERT_FILE": str(front.certificate), named: passed.url,
        }  # fmt: skip
        host = await stage.reading()
        ann.send("hello")
        assert (await host.event()).content == "hello"
        await host.done("reply", chat_id=str(ann.dm.id), text="got it")
        assert (await ann.next_message())["content"] == "got it"
        assert len(passed.tunnels) >= 2
        assert set(passed.tunnels) == {front.place}
        ran = await stage.cli("doctor", "discord", "--json")
        checks = {one["check"]: one["state"] for one in ran.json["channels"][0]["checks"]}
        assert {checks[name] for name in ("proxy", "bot", "intents", "clock")} == {"ok"}
        await host.close()
        assert front.connections == len(passed.tunnels)
    calls = len(stage.dc.calls)
    assert (await stage.cli("setup", "discord", "--token-stdin", stdin=stage.dc.token)).code == 1
    assert len(stage.dc.calls) == calls


async def test_a_download_goes_through_the_proxy_too(stage: DiscordStage) -> None:
    """The file's own address is asked for by way of the proxy."""
    ann = stage.person()
    async with http_proxy() as passed:
        stage.env["DISCORD_PROXY"] = passed.url
        host = await stage.reading()
        ann.send(attachments=[("data.bin", DATA)])
        event = await host.event()
        text = await host.done("download_attachment", chat_id=str(ann.dm.id), message_id=event.meta["message_id"])
        assert saved(text) == DATA
        await host.close()
    assert any("data.bin" in url for url in passed.requests)
    assert any("/gateway" in url for url in passed.requests)


async def test_socks_is_refused_in_clear_words(stage: DiscordStage) -> None:
    """As a setting it is an error that says what works; in the environment it is not used, and doctor says so."""
    ran = await stage.cli("status", "discord", DISCORD_PROXY="socks5://127.0.0.1:1080")
    assert ran.code == 1
    assert "http proxies only" in ran.out.lower()
    ran = await stage.cli("doctor", "discord", "--json", ALL_PROXY="socks5://127.0.0.1:1080")
    checks = {one["check"]: one for one in ran.json["channels"][0]["checks"]}
    assert checks["bot"]["state"] == "ok"
    assert checks["proxy"]["state"] == "note"
    assert "HTTP proxies only" in checks["proxy"]["evidence"]


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"SSL_CERT_FILE": "/nonexistent"}, "SSL_CERT_FILE is '/nonexistent'"),
        ({"CURL_CA_BUNDLE": "/etc/passwd"}, "CURL_CA_BUNDLE is '/etc/passwd'"),
    ],
)
async def test_certificates_that_cannot_be_used_are_named_everywhere(
    stage: DiscordStage, env: dict[str, str | None], says: str
) -> None:
    """The server's status, doctor and setup end in the same sentence, without a traceback."""
    host = await stage.host(**env)
    assert says in (await host.status())["problem"]
    ran = await stage.cli("doctor", "discord", "--json", **env)
    bot = next(check for check in ran.json["channels"][0]["checks"] if check["check"] == "bot")
    assert (bot["state"], ran.code) == ("wrong", 1)
    assert says in bot["evidence"]
    setup = await stage.cli("setup", "discord", "--token-stdin", stdin=stage.dc.token, **env)
    assert says in setup.err
    assert "Traceback" not in ran.err + setup.err + host.log()


async def test_what_no_proxy_names_is_asked_directly(stage: DiscordStage) -> None:
    """IPv6 addresses and networks in it do no harm; REST and the gateway go past a proxy that is not there."""
    ann = stage.person()
    env = {"all_proxy": "http://127.0.0.1:1", "NO_PROXY": "fd00::/8,[::1],127.0.0.0/8"}
    host = await stage.reading(**env)
    ann.send("hello")
    assert (await host.event()).content == "hello"
