"""Leaving: quickly and cleanly, whatever the platform or the host is doing."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Awaitable, Callable

import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Host, Stage


def vanish(host: Host) -> None:
    """The host dies: both pipes end."""
    host.drop_output()
    host.close_stdin()


WAYS: dict[str, Callable[[Host], None]] = {
    "host gone": vanish,
    "stdin EOF": Host.close_stdin,
    "SIGINT": lambda host: host.signal(signal.SIGINT),
    "SIGTERM": lambda host: host.signal(signal.SIGTERM),
    "SIGHUP": lambda host: host.signal(signal.SIGHUP),
}
BOUND_S = 5.0
# The SDK waits a second until whoever called has read that nobody will answer.
IN_A_CALL_S = 0.9
TRIES = 3


async def idle(stage: Stage) -> Host:
    """Nothing but the handshake's first half: the libraries are being imported."""
    host = await stage.start(cold=True)
    await host.initialize()
    return host


async def polling(stage: Stage) -> Host:
    """In the middle of a long poll."""
    return await stage.reading()


async def silent_platform(stage: Stage) -> Host:
    """The platform accepts requests and never answers, neither reads nor sends."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("silence")
    ann.send("wakes the poll")
    host.calling("reply", chat_id=ann.id, text="never arrives")
    await host.event()
    # Both the next read and the reply are under way.
    await stage.tg.wait_for(lambda: len(stage.tg.faults._open) > 1)
    return host


async def silent_from_the_start(stage: Stage) -> Host:
    """Not even getMe is answered."""
    stage.tg.faults.add("silence")
    host = await stage.host()
    await host.status_when(lambda s: s["owner"] is not None)
    return host


async def fill(stage: Stage, host: Host, ann: TelegramPerson) -> None:
    """Has more pushed than the pipe takes, while the host does not read."""
    host.narrow()
    host.stop_reading()
    for number in range(40):
        ann.send(f"{number} " + "x" * 4000)
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)


async def full_stdout(stage: Stage) -> Host:
    """The host does not read, and the pipe is full."""
    ann = stage.person()
    host = await stage.reading()
    await fill(stage, host, ann)
    return host


async def full_stdout_in_a_call(stage: Stage) -> Host:
    """The same, while a tool is at work whose answer would wait behind it."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("silence", method="sendMessage")
    host.calling("reply", chat_id=ann.id, text="never arrives")
    # It is under way by the time this is answered.
    await host.status()
    await fill(stage, host, ann)
    return host


async def faulty_platform(stage: Stage) -> Host:
    """Every request fails, so the reader waits for its next try."""
    stage.tg.faults.add("error", status=500)
    host = await stage.host()
    await host.status_when(lambda s: s["reader"]["error"])
    return host


async def no_token(stage: Stage) -> Host:
    """Waiting for a token."""
    host = await stage.host(TELEGRAM_BOT_TOKEN=None)
    await host.status()
    return host


DOINGS = [
    idle, polling, silent_platform, silent_from_the_start, full_stdout, full_stdout_in_a_call, faulty_platform, no_token
]  # fmt: skip
# One thread waits for all signals, and knows not which came: each in the hardest place, and one in every other.
USUAL = {(doing, way) for doing in DOINGS for way in ("host gone", "stdin EOF", "SIGTERM")}
USUAL |= {(full_stdout_in_a_call, way) for way in WAYS}


@pytest.mark.parametrize(
    ("doing", "way"),
    [
        pytest.param(doing, way, marks=() if (doing, way) in USUAL else pytest.mark.long)
        for doing in DOINGS
        for way in WAYS
    ],
)
async def test_it_leaves_at_once(
    stage: Stage, doing: Callable[[Stage], Awaitable[Host]], way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its host's end, that of stdin alone, and every signal end it at once, with exit code 0, whatever it was doing."""

    async def left() -> float:
        """Seconds until it was gone."""
        host = await doing(stage)
        began = time.perf_counter()
        WAYS[way](host)
        assert await host.wait(BOUND_S) == 0
        took = time.perf_counter() - began
        with capsys.disabled() if took > 0.1 else contextlib.nullcontext():
            print(f"{doing.__name__}, {way}: left after {took * 1000:.0f} ms")
        return took

    took = await left()
    if doing is full_stdout_in_a_call:
        # A busy machine may take as long once; a wait that is built in takes as long every time.
        for _ in range(TRIES - 1):
            if took < IN_A_CALL_S:
                break
            took = min(took, await left())
        assert took < IN_A_CALL_S


async def test_the_lock_and_the_journal_are_free_after_an_exit(stage: Stage) -> None:
    """After each way of leaving the next server reads at once and has what was open."""
    ann = stage.person()
    ann.send("kept")
    for leave in (*WAYS.values(), lambda host: host.signal(signal.SIGKILL)):
        host = await stage.host()
        assert (await host.event()).content == "kept"
        leave(host)
        await host.wait()
