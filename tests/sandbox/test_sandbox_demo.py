"""`channels sandbox --transcript`: it prints what happened, ends what it started, and names the step that fails."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from agent_channels.cli.main import main
from agent_channels.core.program import own_script
from agent_channels.sandbox.agent.host import ChannelEvent, ScriptedHost, StepFailed, ToolCall
from agent_channels.sandbox.agent.processes import program
from agent_channels.sandbox.demo.phone import DemoPhone
from agent_channels.sandbox.demo.run import play, run
from agent_channels.sandbox.demo.script import HANDLE, NAME
from agent_channels.sandbox.demo.stage import Stage
from agent_channels.sandbox.demo.transcript import Transcript, event_lines
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox, random_token

pytestmark = [pytest.mark.long, pytest.mark.cold]

PATIENCE_S = 60
BOT, ANN = {"id": 7, "first_name": "Bot"}, {"id": 1, "first_name": "Ann"}


class Demo:
    """A running transcript and its output."""

    def __init__(self, process: Process, temp: Path, home: Path) -> None:
        self.process, self.temp, self.home = process, temp, home
        self.printed = ""

    async def until(self, mark: str) -> None:
        """Read until a line contains the mark."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while mark not in self.printed:
                line = await self.process.stdout.readline()
                assert line, f"it ended before it printed {mark!r}: {self.printed[-500:]}"
                self.printed += line.decode()

    async def end(self) -> int:
        """Read to the end, errors last; return the exit code."""
        async with asyncio.timeout(PATIENCE_S):
            out, errors = await self.process.communicate()
        self.printed += out.decode() + errors.decode()
        return self.process.returncode or 0


@asynccontextmanager
async def demo(tmp_path: Path, *options: str, **environ: str) -> AsyncIterator[Demo]:
    temp, home = tmp_path / "temp", tmp_path / "home"
    temp.mkdir()
    home.mkdir()
    mine = {"TMPDIR": str(temp), "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "CLAUDE_PROJECT_DIR": str(home)}
    # Commands to copy begin with `channels` alone.
    mine["PATH"] = os.pathsep.join([str(own_script().parent), os.environ["PATH"]])
    process = await asyncio.create_subprocess_exec(
        *program(),
        "sandbox",
        "--transcript",
        *options,
        stdout=PIPE,
        stderr=PIPE,
        cwd=home,
        env={**os.environ, **mine, **environ},
    )
    try:
        yield Demo(process, temp, home)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def assert_nothing_left(one: Demo, started: list[psutil.Process]) -> None:
    assert psutil.wait_procs(started, timeout=5)[1] == []
    assert list(one.temp.iterdir()) == []
    assert list(one.home.iterdir()) == []


def masked(line: str) -> str:
    """A line of the transcript without the numbers that differ from run to run."""
    return re.sub(r"\d+", "#", line)


def undocumented(lines: list[str]) -> list[str]:
    """The lines of the transcript in docs/sandbox.md that this one does not have, or has in another order."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    printed = map(masked, lines)
    return [
        line
        for line in page.partition("```text\n")[2].partition("\n```")[0].splitlines()
        # A line with the number of a process may be wrapped elsewhere.
        if "process " not in line and masked(line) not in printed
    ]


def started_by(printed: str) -> list[psutil.Process]:
    pids = [int(pid) for pid in re.findall(r"\(process (\d+)\)", printed)]
    return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]


def stripped(text: str) -> str:
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("width", [80, 100, 120])
async def test_the_journey_is_played_at_every_width(tmp_path: Path, width: int) -> None:
    """The whole journey runs without an account, fits its width in plain text, and leaves nothing behind.

    The docs show it as it is. Tokens, modes and proxies of the user's shell have no effect on it.
    """
    foreign = {"TELEGRAM_BOT_TOKEN": "123:broken", "CHANNELS_MODE": "hook", "http_proxy": "http://127.0.0.1:9"}
    async with demo(tmp_path, COLUMNS=str(width), **foreign) as one:
        assert await one.end() == 0, one.printed
        assert "\x1b" not in one.printed
        lines = one.printed.splitlines()
        assert max(cell_len(line) for line in lines) <= width
        assert not any(line.endswith(" ") for line in lines)
        assert any("taps [Approve] │" in line for line in lines) == (width >= 100)
        assert len(set(re.findall(r"\(process (\d+)\)", one.printed))) == 3
        assert_nothing_left(one, started_by(one.printed))
    if width == 100:
        assert undocumented(lines) == [], "docs/sandbox.md shows an older transcript"
    told_twice = re.findall(r"delivery_id=(\S+)", one.printed)
    assert len(told_twice) == 10
    assert len(set(told_twice)) == 9
    text = stripped(one.printed)
    for happened in (
        "Your pairing code: ",
        "Paired. Hi Ann",
        "✅ Approve · ann",
        'toast "Already answered: Approve"',
        "killed (SIGKILL, exit code -9)",
        'redelivered="true"',
        "✅ Publish · ann",
        "image_path=…/files/",
        "⏳ Working: 0:0",
        "▸ Edit: src/price.py",
        "Your message has reached the agent",
        "PostToolBatch -> adds:",
        '"Leave the changelog alone" chat_id=',
        "Stopping: the agent ends at its next",
        "PostToolBatch -> continue: false",
        "Stopped by ann after",
        "10 received, 10 answered, 0 open, 0 lost",
    ):
        assert happened in text
    assert {"  channels setup telegram", "  channels sandbox"} <= set(lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminate"])
async def test_an_interruption_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    """Interrupted midway, it ends its processes, removes its folder, says so, and exits with code 130."""
    async with demo(tmp_path) as one:
        await one.until("tools/list")
        started = started_by(one.printed)
        assert started
        one.process.send_signal(number)
        assert await one.end() == 130
        assert "Stopped: everything it started has ended" in one.printed
        assert "answered, 0 open" not in one.printed
        assert_nothing_left(one, started)


def reply_with_buttons(event: ChannelEvent) -> ToolCall:
    """An attached agent that answers every event with buttons."""
    return ToolCall("reply", {"chat_id": event.meta["chat_id"], "text": "Deploy?", "buttons": [["Approve", "Reject"]]})


def read_curl(line: str) -> tuple[str, bytes | None, dict[str, str]]:
    """Return the URL, the body and the headers of a printed curl command, which must not hold the secret itself."""
    words = shlex.split(line)
    assert words[:3] == ["curl", "-s", "-K"]
    header = re.fullmatch(r'header = "(Authorization): (Bearer [\w-]{32})"\n', Path(words[3]).read_text())
    assert header
    assert header[2].split()[1] not in line
    data = words[words.index("-d") + 1].encode() if "-d" in words else None
    form = {"Content-Type": "application/x-www-form-urlencoded"} if data else {}
    return words[4], data, {header[1]: header[2], **form}


async def curl(line: str) -> dict[str, Any]:
    """Make the request of a printed curl command."""
    url, data, headers = read_curl(line)
    async with (
        aiohttp.ClientSession() as session,
        session.request("POST" if data else "GET", url, data=data, headers=headers) as answer,
    ):
        found: dict[str, Any] = json.loads(await answer.read())
        return found


async def test_keep_leaves_a_telegram_for_a_real_host_and_the_shell(tmp_path: Path) -> None:
    """The .mcp.json entry printed by --keep attaches a host that reads the bot; the printed commands act as Ann."""
    async with demo(tmp_path, "--keep") as one:
        await one.until("Ctrl-C ends")
        assert started_by(one.printed) == []
        block = re.search(r"^\{\n.*?^\}$", one.printed, re.MULTILINE | re.DOTALL)
        assert block
        entry = json.loads(block[0])["mcpServers"]["telegram"]
        assert set(entry["env"]) == {
            "TELEGRAM_API_ROOT", "TELEGRAM_BOT_TOKEN", "TELEGRAM_STATE_DIR", "CHANNELS_CLAIM", "CHANNELS_DATA_DIR",
        }  # fmt: skip
        say, look, tap, rest = re.findall(r"^curl .*$", one.printed, re.MULTILINE)
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("CLAUDE", "CHANNELS"))}
        environ = {**mine, **entry["env"], "XDG_RUNTIME_DIR": str(tmp_path)}
        command = [entry["command"], *entry["args"]]
        host = await ScriptedHost.start(command, environ, tmp_path, tmp_path / "host.log", reply_with_buttons)
        try:
            async with asyncio.timeout(PATIENCE_S):
                assert (await host.shake_hands()).is_channel
                assert (await curl(say))["ok"]
                heard, done = await host.events.get(), await host.results.get()
                assert heard is not None
                assert heard.content == "Hello from the shell"
                assert "redelivered" not in heard.meta
                assert done is not None
                assert not done.failed
                last = (await curl(look))["messages"][-1]
                assert [key["text"] for key in last["reply_markup"]["inline_keyboard"][0]] == ["Approve", "Reject"]
                assert (await curl(tap))["answer"]["text"] == "Approve"
                tapped = await host.events.get()
                assert tapped is not None
                assert tapped.meta["button_label"] == "Approve"
                assert any("/control/faults" in path for path in (await curl(rest))["paths"])
        finally:
            await host.close()
        shell = await asyncio.create_subprocess_shell(
            next(line for line in one.printed.splitlines() if line.endswith(" access telegram")), stdout=PIPE
        )
        assert f"{NAME} @{HANDLE}" in (await shell.communicate())[0].decode()
        one.process.send_signal(signal.SIGINT)
        assert await one.end() == 0
        assert_nothing_left(one, [])


async def test_a_failed_step_ends_the_journey_and_is_named(tg: TelegramSandbox) -> None:
    """When the bot cannot write to the stranger, the error names the missing message, and no later step is printed."""
    tg.faults.add("error", method="sendMessage", status=403, times=100)
    printed = StringIO()
    transcript = Transcript(Console(file=printed, width=100), tg.person(HANDLE, NAME).id)
    with pytest.raises(StepFailed, match=r"^Ann's phone showing the pairing code did not happen within 10 s"):
        async with Stage(tg, step_timeout_s=10) as stage:
            await play(stage, transcript)
    assert "Hello, is anybody there?" in printed.getvalue()
    assert "sendMessage" not in printed.getvalue()
    assert "$ channels access" not in printed.getvalue()
    assert not stage.folder.exists()


async def test_a_dead_server_is_reported_at_once(tg: TelegramSandbox) -> None:
    """Waiting for a dead server fails before the timeout, with the end of the server's log."""
    async with Stage(tg) as stage:
        await stage.attach()
        stage.host.process.terminate()
        async with asyncio.timeout(stage.step_timeout_s / 2):
            with pytest.raises(StepFailed, match="the answer did not happen: the server ended by itself"):
                await stage.take("the answer", stage.host.results)
            with pytest.raises(StepFailed, match="the server ended"):
                await stage.take("the event", stage.host.events)


async def test_a_server_that_cannot_start_is_reported_with_its_log(
    tg: TelegramSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a server ends before the handshake, the error names the handshake and contains the server's output."""
    broken = [sys.executable, "-c", "import sys; sys.exit('a library is missing')"]
    monkeypatch.setattr("agent_channels.sandbox.demo.stage.program", lambda: broken)
    async with Stage(tg) as stage:
        with pytest.raises(
            StepFailed, match=r"(?s)^the server's handshake did not happen: .*ended.*a library is missing"
        ):
            await stage.attach()


async def test_a_failing_command_is_reported_with_its_reason(tg: TelegramSandbox) -> None:
    """A wrong pairing code gives an error with the command, its exit code and its output."""
    async with Stage(tg) as stage:
        with pytest.raises(
            StepFailed, match=r"(?s)`channels access telegram pair WRONGXYZ` failed with exit code 1: .*code"
        ):
            await stage.run("access", "telegram", "pair", "WRONGXYZ")


@pytest.mark.parametrize("how", [["--transcript"], ["--no-open"]], ids=["transcript", "page"])
def test_a_taken_port_exits_with_1(how: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """On a port that is taken, it prints a clear sentence, exits with code 1, and plays nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        main(["sandbox", *how, "--port", str(taken.getsockname()[1])])
    assert ended.value.code == 1
    out, errors = capsys.readouterr()
    assert "cannot listen on port" in errors
    assert "--port" in errors
    assert out == ""


@pytest.mark.parametrize("port", ["-1", "65536", "http", "٣"])
def test_an_invalid_port_is_wrong_usage(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid --port is refused with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", f"--port={port}"])
    assert ended.value.code == 2
    assert "is not a port" in capsys.readouterr().err


def test_the_named_port_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    """`--port N` puts the platform's server on that port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert run(port=port) == 0
    assert f"http://127.0.0.1:{port}" in capsys.readouterr().out


def test_two_sandboxes_never_share_a_bot() -> None:
    """Each run has a bot of its own with a realistic token, so that runs do not wait for each other's lock."""
    tokens = [random_token() for _ in range(20)]
    assert all(re.fullmatch(r"\d{10}:[A-Za-z0-9_-]{35}", token) for token in tokens)
    assert len({token.partition(":")[0] for token in tokens}) == 20


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(text=WORDS, labels=st.lists(st.sampled_from(["Yes", "部署", "🚀 Ship", "Not yet"]), min_size=1, max_size=3))
def test_bubbles_and_buttons_are_straight(text: str, labels: list[str]) -> None:
    """Whatever script a text is in, every line of a bubble and of its buttons has the same width."""
    keyboard = {"inline_keyboard": [[{"text": label} for label in labels], [{"text": "Later"}]]}
    drawn = DemoPhone(Console(file=StringIO(), width=100), 48, owner_id=1).message(
        {"from": BOT, "text": text, "reply_markup": keyboard}
    )
    assert len({line.cell_len for line in drawn}) == 1
    assert sum(label in line.plain for label in set(labels) for line in drawn) >= len(set(labels))


def test_a_message_looks_as_on_a_phone() -> None:
    """The person's own messages stand on the right, formatting follows UTF-16 offsets, and edits are marked."""
    phone = DemoPhone(Console(file=StringIO(), width=100), 40, owner_id=1)
    mine = phone.message({"from": ANN, "text": "hi"})
    assert all(line.cell_len == 40 for line in mine)
    bold = {"type": "bold", "offset": 3, "length": 4}
    drawn = phone.message({"from": BOT, "text": "🚀 bold now", "entities": [bold], "edit_date": 1})
    body = next(line for line in drawn if "bold" in line.plain)
    assert [body.plain[s.start : s.end] for s in body.spans if s.style == "bold"] == ["bold"]
    assert drawn[-1].plain.endswith(" edited ─╯")


def test_a_plain_terminal_gets_plain_characters() -> None:
    """In a terminal without box characters, the drawing uses ASCII."""
    plain = Console(file=open(os.devnull, "w", encoding="ascii"), width=100)  # noqa: SIM115, PTH123 - lives in the console
    with plain.file:
        drawn = DemoPhone(plain, 48, owner_id=1).message(
            {"from": BOT, "text": "Deploy?", "photo": [{"width": 1, "height": 2}]}
        )
    assert all(line.plain.isascii() for line in drawn)


def test_abbreviations_of_an_event_are_marked() -> None:
    """Cut values and left-out keys of an event's meta are marked with an ellipsis."""
    meta = {"chat_id": "1", "panel_id": "abcdefghijklmnop", "image_path": "/a/state/files/x.jpg", "ts": "now"}
    ((tag, body),) = event_lines(ChannelEvent("hi", meta))
    assert (tag, str(body)) == ("event", '"hi" chat_id=1 panel_id=abcdef… image_path=…/files/x.jpg …')
