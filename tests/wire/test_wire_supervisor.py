"""A server that dies comes back by itself: the same connection goes on, nothing is lost, and the agent is told so."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
import tty
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from agent_channels.core.host.protocol import REQUEST, VERDICT
from agent_channels.core.server.supervisor import PAUSES_S
from agent_channels.core.store.database import Store
from faults_harness import Account
from harness import COMMAND, Host, Stage, is_closed
from hook_runs import bound, kept
from hooked_turns import HookedTurn
from wire_host import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there a process cannot fork")
# More than a pipe and everything between host and server hold, and less than a line may have.
LONG = "x" * 15_000_000
ROUNDS = 3


class Killer:
    """Kills the process that serves a host, again and again."""

    def __init__(self, host: Host) -> None:
        self.host, self.deaths = host, 0

    async def kill(self, number: int = signal.SIGKILL) -> None:
        """One time; returns once the next process has begun."""
        worker = self.host.worker
        worker.send_signal(number)
        self.deaths += 1
        await self.host.until(lambda: f"was started again, {self.deaths} times" in self.host.log(), what="a restart")
        assert self.host.worker.pid != worker.pid


async def begun(stage: Stage, host: Host) -> None:
    """A send that the platform does not answer is on its way."""
    async with asyncio.timeout(30):
        while not any(one.match_info["method"] == "sendMessage" for one in stage.tg.faults._open.values()):
            await host.ask("ping")


async def idle(stage: Stage, host: Host, killer: Killer) -> None:
    """Nothing is under way, two deaths one after the other."""
    await killer.kill()
    await killer.kill()
    assert (await host.status())["problem"] is None


async def reply(stage: Stage, host: Host, killer: Killer) -> None:
    """A message is on its way."""
    ann, key = stage.person(), f"round {killer.deaths}"
    # None is answered, so that whatever else is sent meanwhile cannot be the one that is held in its place.
    stage.tg.faults.add("silence", method="sendMessage")
    call = host.calling("reply", chat_id=ann.id, text=key, idempotency_key=key)
    await begun(stage, host)
    await killer.kill()
    told = await host.answered(call)
    assert told.failed
    for words in ("killed by SIGKILL", "started again", "fetch_messages", "channel_status", "idempotency_key"):
        assert words in told.text
    stage.tg.faults.clear()
    again = await host.call("reply", chat_id=ann.id, text=key, idempotency_key=key)
    # The platform never said whether it took the first one, which the agent is told instead of sending it twice.
    assert "unknown" in again.text
    assert not [message for message in ann.messages() if message["text"] == key]


async def hook(stage: Stage, host: Host, killer: Killer) -> None:
    """The host calls hooks all the time: none fails, and the one that the server had begun has no effect."""
    turn = HookedTurn(host)
    assert await turn.tool() == {}
    os.kill(host.worker.pid, signal.SIGSTOP)
    held = [asyncio.create_task(turn.batch()) for _ in range(3)]
    await asyncio.sleep(0)
    await killer.kill()
    assert [await one for one in held] == [{}] * 3
    assert await turn.step() == ""


async def ask(stage: Stage, host: Host, killer: Killer) -> None:
    """The agent waits for a tap, which comes as a message then."""
    ann = stage.person()
    call = host.calling("ask", chat_id=ann.id, timeout_s=60, text=f"Which {killer.deaths}?", buttons=[["Red", "Blue"]])
    # The button that was chosen before stays under its question.
    shown = await stage.tg.wait_for(lambda: next((one for one in ann.messages() if not is_closed(one)), None))
    await bound(stage, shown)
    await killer.kill()
    assert (await host.answered(call)).failed
    with Store.open(stage.state) as store, store.transaction() as db:
        # As much later as the dead asker's answer is nobody's.
        db.execute("UPDATE prompts SET lease_until = created_at WHERE kind = 'ask'")
    before = len(host.events)
    ann.tap(shown["message_id"], label="Blue")

    def taps() -> int:
        return [event.content for event in host.events[before:]].count("Blue")

    await host.until(lambda: taps() > 0, what="the tap")
    assert taps() == 1
    await host.done("reply", chat_id=ann.id, text="blue it is")


async def card(stage: Stage, host: Host, killer: Killer) -> None:
    """A permission card is open: the verdict goes to the host, once."""
    boss, request_id = stage.person("boss"), "abcde"[killer.deaths % 5] * 5
    host.notify(
        REQUEST,
        {"request_id": request_id, "tool_name": "Bash", "description": "", "input_preview": '{"command": "make"}'},
    )
    shown = await boss.next_message()
    await bound(stage, shown)
    await killer.kill()
    # The tap is taken once the process knows of the card.
    await host.status()
    boss.tap(shown["message_id"], label="Allow")
    verdict = {"request_id": request_id, "behavior": "allow"}

    def verdicts() -> int:
        found = [json.loads(line) for line in host.lines if VERDICT.encode() in line]
        return [one["params"] for one in found if one.get("method") == VERDICT].count(verdict)

    await host.until(lambda: verdicts() > 0, what="the verdict")
    assert verdicts() == 1


async def long_line(stage: Stage, host: Host, killer: Killer) -> None:
    """Half of a line of 15 MB was written: the rest of it is no line of its own, and its request is answered."""
    assert host.process.stdin is not None
    text = f'"chat_id":"1","text":"{LONG}"'
    line = f'{{"method":"tools/call","params":{{"name":"reply","arguments":{{{text}}}}},"jsonrpc":"2.0","id":"long"}}\n'
    host.send_bytes(line[: len(line) // 2].encode())
    await host.process.stdin.drain()
    await killer.kill()
    host.send_bytes(line[len(line) // 2 :].encode())
    answer = await host.answer("long")
    assert answer["result"]["isError"] is True
    assert len(json.dumps(answer)) < 2000


DOINGS: tuple[Callable[[Stage, Host, Killer], Awaitable[None]], ...] = (idle, reply, hook, ask, card, long_line)


async def test_a_session_outlives_its_server(stage: Stage) -> None:
    """Killed again and again, whatever it does: all that people wrote comes, repeats are marked, the host goes on."""
    ann = stage.person()
    assert (await stage.access("approver", "add", str(stage.person("boss").id))).code == 0
    host = await stage.reading(CHANNELS_MODE="push")
    account, killer = Account(hosts=[host]), Killer(host)
    for number in range(ROUNDS):
        for doing in DOINGS:
            account.say(ann, f"{number} {doing.__name__}")
            await doing(stage, host, killer)
    await host.done("reply", chat_id=ann.id, text="all of it done")
    assert (account.lost(), account.unmarked()) == ([], [])
    assert killer.deaths == ROUNDS * (len(DOINGS) + 1)
    restarts = (await host.status())["restarts"]
    assert (restarts["count"], restarts["why"]) == (killer.deaths, "killed by SIGKILL")
    shown = await stage.cli("status", "telegram")
    assert f"{killer.deaths} times" in shown.out
    assert "killed by SIGKILL" in shown.out
    owner = (await stage.cli("status", "telegram", "--json")).json["owner"]
    assert owner["pid"] == host.process.pid
    assert psutil.Process(host.process.pid).memory_info().rss < 400_000_000


async def test_a_turn_goes_on_after_a_death(stage: Stage) -> None:
    """What the agent works on is handed to it again, marked; nobody is told of a message that they did not write."""
    ann = stage.person()
    host = await stage.reading(CHANNELS_MODE="hook")
    turn = HookedTurn(host)
    ann.send("build it")
    await kept(stage)
    assert "build it" in await turn.prompt()
    await Killer(host).kill()
    await host.status()
    async with asyncio.timeout(PATIENCE_S):
        while not (text := await turn.step()):
            continue
    assert 'redelivered="true"' in text
    await host.done("reply", chat_id=ann.id, text="built")
    assert (await ann.next_message())["text"] == "built"


async def test_the_sdk_client_notices_nothing(stage: Stage) -> None:
    """The MCP SDK's own client, its server killed in the middle of calls: each has a result, on the one connection."""
    server = StdioServerParameters(
        command=COMMAND[0], args=[*COMMAND[1:], "serve", "telegram"], env=stage.env, cwd=stage.project
    )
    us, before = psutil.Process(), {process.pid for process in psutil.Process().children()}
    async with AsyncExitStack() as stack:
        log = stack.enter_context((stage.folder / "server.log").open("w"))
        read, write = await stack.enter_async_context(stdio_client(server, errlog=log))
        session = await stack.enter_async_context(ClientSession(read, write))
        await session.initialize()
        tools = (await session.list_tools()).tools
        (parent,) = [process for process in us.children() if process.pid not in before and process.children()]
        for _ in range(3):
            waiting = asyncio.create_task(session.call_tool("wait_for_messages", {"timeout_s": 30}))
            await session.call_tool("channel_status", {})
            (worker,) = parent.children()
            worker.kill()
            assert (await waiting).is_error
            # Asked while there is no server: the next one answers.
            assert (await session.list_tools()).tools == tools
            assert not (await session.call_tool("channel_status", {})).is_error


async def test_a_question_is_asked_again(stage: Stage) -> None:
    """What changes nothing and was not answered is answered by the next process: a host asks for tools only once."""
    host = await stage.host()
    await host.status()
    killer = Killer(host)
    os.kill(host.worker.pid, signal.SIGSTOP)
    questions = [host.begin("tools/list"), host.begin("prompts/list"), host.begin("ping")]
    cancelled = host.calling("channel_status")
    host.notify("notifications/cancelled", {"requestId": cancelled})
    # An answer to what the dead process may have asked: nobody asked this one.
    host.send({"id": 1, "result": {}})
    await killer.kill()
    answers = [await host.answer(question) for question in questions]
    assert len(answers[0]["result"]["tools"]) >= 8
    assert all("error" not in answer for answer in answers)
    assert cancelled not in host._answers
    assert (await host.status())["restarts"]["count"] == 1


async def test_it_gives_up_in_a_crash_loop(stage: Stage) -> None:
    """One that dies each time before it is of use is started a few times; then all is answered and the server ends."""
    host = await stage.host()
    await host.status()
    doomed = len(PAUSES_S) + 1
    call = 0
    for death in range(1, doomed + 1):
        os.kill(host.worker.pid, signal.SIGSTOP)
        call = host.calling("channel_status")
        worker = host.worker
        worker.kill()
        if death < doomed:
            await host.until(lambda death=death: f"again, {death} times" in host.log(), what=f"restart {death}")
    told = await host.answered(call)
    assert told.failed
    assert f"{doomed} times in a row" in told.text
    assert await host.wait() == 128 + signal.SIGKILL
    assert f"ended {doomed} times in a row, the last time killed by SIGKILL" in host.log()


@pytest.mark.parametrize("way", ["before the handshake", "by itself"])
async def test_one_that_ends_for_good_is_not_started_again(stage: Stage, way: str) -> None:
    """Before it has answered, and with exit code 0, the end of the process is the server's end, under its code."""
    host = await stage.start()
    if way == "before the handshake":
        host.notify("notifications/too/early")
        await stage.cli("--version")
        host.worker.kill()
        assert await host.wait() == 128 + signal.SIGKILL
    else:
        await host.attach()
        await host.status()
        host.worker.send_signal(signal.SIGTERM)
        assert await host.wait() == 0
    assert "started again" not in host.log()


def vanish(host: Host) -> None:
    host.drop_output()
    host.close_stdin()


ENDS: dict[str, Callable[[Host], None]] = {
    "SIGKILL": lambda host: host.signal(signal.SIGKILL),
    "SIGTERM": lambda host: host.signal(signal.SIGTERM),
    "host gone": vanish,
    "stdin closed": Host.close_stdin,
    "stdout closed": Host.drop_output,
}


@pytest.mark.parametrize("state", ["serving", "starting again", "stopped"])
@pytest.mark.parametrize("way", ENDS)
async def test_nobody_is_left(stage: Stage, way: str, state: str) -> None:
    """The first process killed or ended, the host gone or half gone: its server is gone too, whatever it was doing."""
    if (way, state) in {("SIGKILL", "stopped"), ("stdin closed", "stopped")}:
        pytest.skip("a stopped process cannot see it before it is continued, as one without a supervisor")
    host = await stage.reading()
    workers = host.workers()
    if state == "starting again":
        workers[0].kill()
        await host.until(lambda: "was started again" in host.log(), what="a restart")
        workers = host.workers()
    elif state == "stopped":
        workers[0].send_signal(signal.SIGSTOP)
    ENDS[way](host)
    assert await host.wait() == (-signal.SIGKILL if way == "SIGKILL" else 0)
    _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 30)
    assert alive == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_no_pipe_of_the_host_reaches_the_server(stage: Stage) -> None:
    """Neither the first process that serves nor a later one has the host's pipes open, nor one of its supervisor's."""
    host = await stage.reading()
    killer = Killer(host)

    def pipes(pid: int, named: str = "") -> set[str]:
        found = [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.name != "2"]
        return {str(fd.readlink()) for fd in found if not named or fd.name in named}

    for _ in range(2):
        await host.status()
        ours, theirs = pipes(host.process.pid), pipes(host.worker.pid)
        shared = {link for link in ours & theirs if link.startswith(("pipe:", "socket:"))}
        # Its own two.
        assert len(shared) == 2
        assert not pipes(host.process.pid, "01") & theirs
        await killer.kill()
    assert len(pipes(host.process.pid)) == len(ours)


async def test_a_host_that_does_not_read_costs_little(stage: Stage) -> None:
    """Its pipe full and its server killed again and again: the supervisor holds a bounded amount, and loses nothing."""
    ann = stage.person()
    host = await stage.reading(CHANNELS_MODE="push")
    account, killer = Account(hosts=[host]), Killer(host)
    before = psutil.Process(host.process.pid).memory_info().rss
    host.stop_reading()
    for number in range(1000):
        account.say(ann, f"{number} " + "y" * 400)
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
    for _ in range(3):
        await killer.kill()
    assert psutil.Process(host.process.pid).memory_info().rss - before < 10_000_000
    host.go_on_reading()
    await host.until(lambda: not account.lost(), what="all of them")
    assert (account.lost(), account.unmarked()) == ([], [])
    # What was half written when a process died is not there.
    assert all(re.fullmatch(rb"\{.*\}\n", line, re.DOTALL) for line in host.lines)


async def test_a_terminal_that_takes_little_at_once_gets_all(stage: Stage) -> None:
    """Non-blocking because of somebody else who has it: more than it holds comes whole, once it is read."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    os.set_blocking(theirs, False)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", "telegram", stdin=PIPE, stdout=theirs, stderr=PIPE, cwd=stage.project, env=stage.env
    )
    os.close(theirs)
    assert process.stdin is not None
    start = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "1"}}
    asked: list[dict[str, Any]] = [{"id": 0, "method": "initialize", "params": start}]
    asked += [{"id": number, "method": "tools/list"} for number in range(1, 9)]
    process.stdin.write(b"".join(json.dumps({"jsonrpc": "2.0", **one}).encode() + b"\n" for one in asked))

    def read() -> bytes:
        got = b""
        while got.count(b"\n") < len(asked):
            got += os.read(ours, 65536)
        return got

    async with asyncio.timeout(PATIENCE_S):
        lines = (await asyncio.to_thread(read)).splitlines()
        process.stdin.close()
        assert await process.wait() == 0
    os.close(ours)
    assert {json.loads(line)["id"] for line in lines} == {one["id"] for one in asked}
