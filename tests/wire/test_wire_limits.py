"""What the system refuses is said: limits on files, memory and descriptors, locks; a closed pipe, endless lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.server.stdin import LINE_MAX
from harness import COMMAND, Ran, Stage

MB = 1 << 20
LIMIT = (
    "import os, resource, sys; name, size = sys.argv[1:3]; "
    "resource.setrlimit(getattr(resource, name), (int(size),) * 2); os.execv(sys.argv[3], sys.argv[3:])"
)


def under(limit: str, size: int) -> list[str]:
    """What goes before a command that is to run under a limit."""
    return [sys.executable, "-c", LIMIT, limit, str(size)]


async def limited(stage: Stage, limit: str, size: int, *arguments: str) -> Ran:
    return await stage.run(*under(limit, size), *COMMAND, *arguments)


# ---- ulimit


@pytest.mark.parametrize("size", [0, 1024, 100_000])
async def test_a_limit_on_files_is_named(stage: Stage, size: int) -> None:
    """The server's log and `doctor` name it; the message is not lost, and comes once the limit is gone."""
    ann = stage.person()
    host = await stage.start(before=under("RLIMIT_FSIZE", size), cold=True)
    await host.attach()
    ann.send("x" * 4000)
    await host.until(lambda: "ulimit -f" in host.log(), what="a word about the limit")
    await host.close()
    ran = await limited(stage, "RLIMIT_FSIZE", size, "doctor", "telegram", "--json")
    checks = {check["check"]: check for check in ran.json["channels"][0]["checks"]}
    assert checks["state folder"]["state"] == "wrong"
    assert "ulimit -f" in json.dumps(checks["state folder"])
    assert "Traceback" not in ran.err + host.log()
    assert (await (await stage.host()).event()).content == "x" * 4000


def test_a_limit_on_files_leaves_no_half_of_a_program(tmp_path: Path) -> None:
    """Python stores its compiled files under the limit too; the program runs afterwards as before."""
    copy = tmp_path / "agent_channels"
    source = Path(__file__).resolve().parents[2] / "channels" / "agent_channels"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "sandbox"))
    program = "from agent_channels.cli.main import main; main(['status', 'telegram'])"
    env = {"PYTHONPATH": str(tmp_path), "TELEGRAM_STATE_DIR": str(tmp_path / "state"), "PATH": "/usr/bin:/bin"}
    env["XDG_RUNTIME_DIR"] = str(tmp_path)
    for before in (under("RLIMIT_FSIZE", 4096), []):
        ran = subprocess.run(
            [*before, sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False, timeout=60
        )
        assert "Traceback" not in ran.stderr
    assert "no token is set" in ran.stdout


@pytest.mark.parametrize("megabytes", [30, 100, 200])
async def test_too_little_memory_is_named(stage: Stage, megabytes: int) -> None:
    """`serve`, `doctor` and `setup` say in one sentence what they have and need; nothing ends without a word."""
    stage.person()
    for words in (["serve", "telegram"], ["doctor", "telegram"], ["setup", "telegram", "--token-stdin"]):
        ran = await limited(stage, "RLIMIT_AS", megabytes * MB, *words)
        assert ran.code == 1
        assert f"{megabytes} MB of address space (ulimit -v)" in ran.err
        assert ran.err.count("\n") == 1


async def test_too_few_open_files_are_named(stage: Stage) -> None:
    """However far the server gets, it says which limit ended it."""
    stage.person()
    for number in (8, 12, 16):
        host = await stage.start(before=under("RLIMIT_NOFILE", number), cold=True)
        with contextlib.suppress(AssertionError):
            await host.attach()
        await host.until(lambda host=host: "ulimit -n" in host.log(), what="a word about the limit")
        await host.close()


# ---- the working folder

GONE = ["sh", "-c", 'd=$(mktemp -d) && cd "$d" && rmdir "$d" && exec "$@"', "sh"]


async def test_a_working_folder_that_was_removed_is_named(stage: Stage) -> None:
    """As of a worktree that is done with: with the project's folder named all works, else one sentence says it."""
    ann = stage.person()
    host = await stage.start(before=GONE, cold=True)
    await host.attach()
    ann.send("hello")
    assert (await host.event()).content == "hello"
    assert (await stage.run(*GONE, *COMMAND, "status", "telegram")).code == 0
    ran = await stage.run(*GONE, *COMMAND, "status", "telegram", CLAUDE_PROJECT_DIR=None)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "does not exist any more: change to another one" in ran.err


# ---- locks

NO_LOCKS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int flock(int fd, int what) { errno = ENOLCK; return -1; }
#define REFUSING(name) \\
int name(int fd, int what, ...) { \\
    va_list list; va_start(list, what); void *more = va_arg(list, void *); va_end(list); \\
    if (what == F_SETLK || what == F_SETLKW || what == F_OFD_SETLK) { errno = ENOLCK; return -1; } \\
    return ((int (*)(int, int, void *)) dlsym(RTLD_NEXT, #name))(fd, what, more); \\
}
REFUSING(fcntl)
REFUSING(fcntl64)
"""


@pytest.mark.skipif(not shutil.which("cc") or sys.platform != "linux", reason="needs a C compiler to refuse locks")
@pytest.mark.parametrize("only_flock", [True, False])
async def test_a_file_system_without_locks_is_named(stage: Stage, tmp_path: Path, only_flock: bool) -> None:
    """The server's status, `status`, `inbox` and `doctor` name the file system, and blame no other process."""
    stage.person()
    source, library = tmp_path / "locks.c", tmp_path / "locks.so"
    source.write_text(NO_LOCKS.partition("#define REFUSING")[0] if only_flock else NO_LOCKS)
    compiled = await stage.run("cc", "-shared", "-fPIC", "-w", "-o", str(library), str(source), "-ldl")
    assert compiled.code == 0, compiled.err
    env = {"LD_PRELOAD": str(library)}
    host = await stage.start(**env, cold=True)
    await host.attach()
    found = await host.status_when(lambda status: "cannot be locked" in (status["problem"] or ""))
    verbs = [["status", "telegram"], ["doctor", "telegram", "--json"]]
    if not only_flock:
        verbs.append(["inbox", "telegram"])
    # Each waits for a lock as long as it may.
    for ran in await asyncio.gather(*(stage.run("env", *COMMAND, *words, **env) for words in verbs)):
        assert ran.code == 1
        assert "Traceback" not in ran.err
        assert "another process" not in ran.out + ran.err
        assert "No locks available" in ran.out + ran.err
        assert re.search(r"the file system \w+ \(\S+\), mounted at /", ran.out + ran.err)
    assert re.search(r"the file system \w+ \(\S+\), mounted at /", found["problem"])


# ---- the host's pipes


READS, PRINTS, TELLS = ["setup", "telegram", "--token-stdin"], ["inbox", "telegram"], ["doctor", "telegram"]


@pytest.mark.parametrize(("closed", "verbs"), [
    ("<&-", [READS]), (">&-", [PRINTS]), ("2>&-", [TELLS]), ("<&- >&- 2>&-", [READS, PRINTS, TELLS])
])  # fmt: skip
async def test_closed_streams_break_no_command(stage: Stage, closed: str, verbs: list[list[str]]) -> None:
    """Whichever of the three is closed: commands do their work, and `serve` says that it cannot."""
    before = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    for words in verbs:
        ran = await stage.run(*before, *COMMAND, *words, stdin=stage.tg.token)
        assert ran.code in {0, 1}
        assert "Traceback" not in ran.out + ran.err
    if closed != "2>&-":
        ran = await stage.run(*before, *COMMAND, "serve", "telegram")
        assert ran.code == 1
        assert "2>" in closed or ran.err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", [["status", "telegram"], ["access", "telegram", "--json"], ["doctor", "telegram"]])
async def test_an_output_that_is_full_is_told_in_a_sentence(stage: Stage, words: list[str]) -> None:
    """What was asked for could not be printed: exit code 1 and why; a full log beside it changes nothing."""
    ran = await stage.run("sh", "-c", 'exec "$@" >/dev/full', "sh", *COMMAND, *words)
    assert ran.code == 1
    assert ran.err.endswith("channels: No space left on device; free some space on that disk\n")
    assert "Exception" not in ran.err
    ran = await stage.run("sh", "-c", 'exec "$@" 2>/dev/full', "sh", *COMMAND, "access", "telegram", "--json")
    assert ran.json["ok"] is True


async def test_a_host_that_closes_only_what_we_write_to_is_gone(stage: Stage) -> None:
    """The server leaves, though its stdin stays open; what it could not say stays open for the next one."""
    ann = stage.person()
    host = await stage.reading()
    host.drop_output()
    assert await host.wait(30) == 0
    ann.send("kept")
    assert (await (await stage.host()).event()).content == "kept"


async def test_a_message_that_met_a_closed_pipe_is_open(stage: Stage) -> None:
    """However the two meet, the next server hands it over."""
    ann = stage.person()
    for number in range(5):
        host = await stage.reading()
        ann.send(f"message {number}")
        host.drop_output()
        assert await host.wait(30) == 0
        following = await stage.host()
        contents: list[str] = []
        while f"message {number}" not in contents:
            contents.append((await following.event()).content)
        await following.done("reply", chat_id=str(ann.id), text="seen")
        await following.close()


def memory_kb(pid: int) -> int:
    """The most memory that a process ever had."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("greeted", [True, False])
async def test_a_line_without_an_end_costs_little(stage: Stage, greeted: bool) -> None:
    """300 MB of it: one clear error, a bounded amount of memory, and the conversation goes on."""
    host = await (stage.host() if greeted else stage.start())
    assert host.process.stdin is not None
    for _ in range(300):
        host.send_bytes(b"x" * MB)
        await host.process.stdin.drain()
    host.send_bytes(b"\n")
    if not greeted:
        await host.attach()
    assert (await host.status())["problem"] is None
    errors: list[Any] = [json.loads(line) for line in host.lines if b'"error"' in line and b"longer" in line]
    errors += [json.loads(line) for line in host.lines if f"{LINE_MAX:,}".encode() in line]
    assert len(errors) == 1, errors
    assert errors[0]["id"] is None
    assert memory_kb(host.process.pid) + memory_kb(host.worker.pid) < 250_000
