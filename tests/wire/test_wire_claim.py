"""Who reads the bot: nobody is polled for whom nothing shows that they will hear; one at a time; hand-over."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from harness import Stage
from wire_host import PATIENCE_S

# A host whose command line opted in: it starts what stands behind "--" and lives as long.
PARENT = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[sys.argv.index('--') + 1:]))"


def untouched(stage: Stage) -> bool:
    """Nothing was read from, confirmed to, or changed on the platform."""
    methods = {call.method.lower() for call in stage.tg.calls}
    return not methods & {"getupdates", "deletewebhook"} and stage.tg.confirmed == 0 and not stage.tg.polling


async def hears_all(stage: Stage, texts: list[str]) -> None:
    """The control: a host that may read gets everything which was sent meanwhile."""
    host = await stage.host(CHANNELS_CLAIM="always")
    assert [event.content for event in await host.take(len(texts))] == texts


async def test_a_client_that_never_says_initialized_consumes_nothing(stage: Stage) -> None:
    """Before `initialized` nothing external happens, whatever else the client asks and however long it stays."""
    stage.person().send("waiting")
    host = await stage.start()
    await host.initialize()
    await host.ask("tools/list")
    await host.ask("ping")
    host.close_stdin()
    await host.drained()
    assert stage.tg.calls == []
    await hears_all(stage, ["waiting"])


@pytest.mark.parametrize("claim", ["auto", "always"])
async def test_a_listing_of_servers_consumes_nothing(stage: Stage, claim: str) -> None:
    """`mcp list` starts a server, does the whole handshake, and interrupts it 10 ms later: nothing is read, ever."""
    stage.config()
    stage.person().send("waiting")
    loop = asyncio.get_running_loop()
    for _ in range(10):
        host = await stage.start(CHANNELS_CLAIM=claim)
        await host.initialize()
        host.notify("notifications/initialized")
        await host.ask("tools/list")
        loop.call_later(0.01, host.signal, signal.SIGINT)
        await host.drained()
    assert untouched(stage)
    await hears_all(stage, ["waiting"])


async def test_without_evidence_the_bot_is_sent_for_but_never_read_for(stage: Stage) -> None:
    """Claim auto, and a host that shows nothing: sends work, the status says why nothing is read, nothing is."""
    ann = stage.person()
    ann.send("waiting")
    host = await stage.host(CHANNELS_CLAIM="auto")
    await host.done("reply", chat_id=ann.id, text="from the agent", buttons=[["Ok"]])
    assert (await ann.next_message())["text"] == "from the agent"
    status = await host.status()
    assert status["mode"]["name"] == "none"
    assert "CHANNELS_CLAIM=always" in status["mode"]["why"]
    assert status["owner"] is None
    assert untouched(stage)
    assert host.events == []
    await hears_all(stage, ["waiting"])


async def test_claim_never_is_obeyed(stage: Stage) -> None:
    """Claim never reads nothing even for a host that opted in."""
    stage.person().send("waiting")
    host = await stage.host(CHANNELS_CLAIM="never", CLAUDE_CODE_MESSAGING_SOCKET="/run/nowhere.sock")
    await host.status_when(lambda s: "never" in s["mode"]["why"])
    await host.done("reply", chat_id=stage.tg.person("ann").id, text="sent")
    assert untouched(stage)


async def test_a_host_with_an_inbox_socket_is_read_for(stage: Stage) -> None:
    """Claim auto: the session's inbox socket in the environment shows that the host will hear."""
    stage.person().send("hi")
    host = await stage.host(CHANNELS_CLAIM="auto", CLAUDE_CODE_MESSAGING_SOCKET=str(stage.folder / "inbox.sock"))
    await stage.tg.wait_for(lambda: stage.tg.confirmed > 0, PATIENCE_S)
    assert (await host.status())["owner"]["pid"] == host.process.pid


async def test_an_unexpanded_socket_name_is_no_evidence(stage: Stage) -> None:
    """`${VAR}` passed on literally by a host counts as unset."""
    host = await stage.host(CHANNELS_CLAIM="${CHANNELS_CLAIM}", CLAUDE_CODE_MESSAGING_SOCKET="${SOCKET}")
    assert (await host.status())["mode"]["name"] == "none"
    await host.refused("reply", chat_id="1", text="x")
    assert untouched(stage)


@pytest.mark.parametrize(
    ("flag", "reads"),
    [
        (["--channels", "server:telegram"], True),
        (["--dangerously-load-development-channels=server:telegram"], True),
        (["--channels", "server:discord"], False),
        (["--model", "x", "server:telegram"], False),
    ],
)
async def test_a_host_that_opted_in_is_read_for(stage: Stage, flag: list[str], reads: bool) -> None:
    """Claim auto: a parent whose command line names this channel will hear; one that names another will not."""
    stage.person().send("hi")
    host = await stage.start(before=[sys.executable, "-c", PARENT, *flag, "--"], CHANNELS_CLAIM="auto")
    await host.attach()
    if reads:
        assert (await host.event()).content == "hi"
        status = await host.status()
        assert status["mode"]["name"] == "push"
    else:
        await host.done("reply", chat_id=stage.tg.person("ann").id, text="sent")
        assert (await host.status())["mode"]["name"] == "none"
        assert untouched(stage)


async def test_one_reader_and_the_next_takes_over(stage: Stage) -> None:
    """A second project with the same token is send-only, says who reads, and takes over when the reader dies."""
    ann = stage.person()
    first = await stage.reading()
    second = await stage.host()
    status = await second.status_when(lambda s: s["mode"]["why"].startswith("process "))
    assert status["mode"]["name"] == "none"
    assert status["owner"]["pid"] == first.process.pid
    assert status["owner"]["project"] == str(stage.project)
    assert str(first.process.pid) in status["mode"]["why"]
    await second.done("reply", chat_id=ann.id, text="from the second")
    assert (await ann.next_message())["text"] == "from the second"
    ann.send("one")
    assert (await first.event()).content == "one"
    assert all(call.response_code != 409 for call in stage.tg.calls)

    await first.kill()
    ann.send("two")
    events = await second.take(2)
    assert [(e.content, e.meta.get("redelivered")) for e in events] == [("one", "true"), ("two", None)]
    assert (await second.status())["owner"]["pid"] == second.process.pid


async def test_nobody_kills_anybody(stage: Stage) -> None:
    """A second server, its end, and a listing leave the first one alive and reading."""
    ann = stage.person()
    first = await stage.reading()
    second = await stage.host()
    await second.status()
    second.close_stdin()
    assert await second.wait() == 0
    ann.send("still there?")
    assert (await first.event()).content == "still there?"
