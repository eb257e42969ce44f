"""Servers and commands started from a process that has imported everything: see `warm_start`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from asyncio import base_subprocess
from asyncio.subprocess import DEVNULL, PIPE, Process, SubprocessStreamProtocol
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import pytest

from agent_channels.sandbox.agent.processes import program
from translated import LOCALE

__all__ = ["Warm"]

Stream: TypeAlias = int | IO[Any]

# What an interpreter or a library reads when it is loaded, and a fork therefore would not.
_AT_START = ("PYTHON", "COVERAGE_", "LANG", "LC_", "SSL_CERT_")


class Warm:
    """One such process, from the first time that it is asked until this object is closed."""

    def __init__(self) -> None:
        self._env = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        self._process: subprocess.Popen[bytes] | None = None
        self._control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def close(self) -> None:
        """Ends the process; what it started lives on."""
        self._theirs.close()
        self._control.close()
        if self._process:
            self._process.wait()

    def _begin(self) -> None:
        script = Path(__file__).with_name("warm_start.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(self._theirs.fileno())],
            pass_fds=[self._theirs.fileno()], env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self._theirs.close()

    def takes(self, env: Mapping[str, str]) -> bool:
        """Whether a fork is the same as a start in this environment."""
        # Of a language, an interpreter itself reads only how to encode, which then is what it is here.
        read = env.items() - LOCALE.items() if LOCALE.items() <= env.items() else env.items()
        return not any(name.startswith(_AT_START) and self._env.get(name) != value for name, value in read)

    @contextlib.contextmanager
    def for_the_sandbox(self) -> Iterator[None]:
        """Meanwhile the sandbox's own servers, hooks and commands are forked; what a fork would not read is unset."""
        cold = asyncio.create_subprocess_exec

        async def begin(command: str, *words: str, **options: Any) -> Process:
            streams = [options.get(name) for name in ("stdin", "stdout", "stderr")]
            if [command] != program() or None in streams or not self.takes(options["env"]):
                return await cold(command, *words, **options)
            limit = options.get("limit", 1 << 16)
            return await self.start([command, *words], options["env"], options["cwd"], limit, streams)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "create_subprocess_exec", begin)
            for name in os.environ:
                if name.startswith(_AT_START) and name not in self._env:
                    patch.delenv(name)
            yield

    async def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        limit: int,
        streams: Sequence[Stream] = (PIPE, PIPE, PIPE),
    ) -> Process:
        """As `asyncio.create_subprocess_exec`. `argv`: the command's name and its arguments."""
        if self._process is None:
            self._begin()
        loop = asyncio.get_running_loop()
        protocol = SubprocessStreamProtocol(limit=limit, loop=loop)
        started = loop.create_future()
        asked = json.dumps({"argv": list(argv), "env": dict(env), "cwd": str(cwd)}).encode()
        transport = _Transport(
            loop, protocol, argv, False, *streams, 0, waiter=started, control=self._control, asked=asked
        )  # fmt: skip
        await started
        return Process(transport, protocol, loop)


class _Forked:
    """As much of a Popen as asyncio's transport asks for."""

    def __init__(self, control: socket.socket, asked: bytes, streams: Sequence[Stream]) -> None:
        ends = [_ends(stream, "wb" if number == 0 else "rb") for number, stream in enumerate(streams)]
        self.stdin, self.stdout, self.stderr = (ours for _, ours in ends)
        self.status, told = os.pipe()
        theirs = [*(fd for fd, _ in ends), told]
        socket.send_fds(control, [asked], theirs)
        for fd in theirs:
            os.close(fd)
        self.returncode: int | None = None
        self.pid = int(_line(self.status))

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        # As `subprocess.Popen`: a process that ended meanwhile needs no signal.
        with contextlib.suppress(ProcessLookupError):
            if self.returncode is None:
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def ended(self) -> int:
        """Takes the exit status, which is there to be read."""
        self.returncode = int(_line(self.status) or -signal.SIGKILL)
        os.close(self.status)
        return self.returncode


class _Transport(base_subprocess.BaseSubprocessTransport):
    def _start(
        self, *, stdin: Stream, stdout: Stream, stderr: Stream, control: socket.socket, asked: bytes, **_: Any
    ) -> None:
        forked = _Forked(control, asked, (stdin, stdout, stderr))
        self._proc = cast("subprocess.Popen[bytes]", forked)
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(forked.status)
            self._process_exited(forked.ended())

        loop.add_reader(forked.status, ended)


def _ends(stream: Stream, ours: str) -> tuple[int, IO[bytes] | None]:
    """The process's end of a stream, and ours where there is one."""
    if stream == PIPE:
        read, write = os.pipe()
        theirs, kept = (read, write) if ours == "wb" else (write, read)
        return theirs, open(kept, ours, 0)  # noqa: PTH123
    return (os.open(os.devnull, os.O_RDWR) if stream == DEVNULL else os.dup(cast("IO[Any]", stream).fileno())), None


def _line(fd: int) -> bytes:
    """What is written on a pipe up to the end of a line."""
    found = b""
    while not found.endswith(b"\n"):
        more = os.read(fd, 1)
        if not more:
            break
        found += more
    return found
