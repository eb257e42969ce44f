"""Voice notes written down: by a command of the operator's, or by a model on this machine.

The command runs without a shell, in a session of its own, for a bounded time; what it prints is the transcript. A
transcript is what a program believes to have heard: it is marked as such, and never answers a question.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from subprocess import DEVNULL, PIPE

import anyio
from anyio.abc import ByteReceiveStream, Process

from agent_channels.core.errors import Refused, Unavailable
from agent_channels.core.text.sanitize import scrub

__all__ = ["LOCAL", "Transcriber", "command_of"]

# `transcribe: local`, or `local:MODEL`: the optional extra [voice].
LOCAL = "local"
MODEL = "base"
# Bytes of output; an hour of speech has about 60,000 characters.
OUTPUT_MAX = 256 * 1024
TEXT_MAX = 60_000
REASON_MAX = 150


def command_of(setting: str) -> list[str]:
    """The setting `transcribe` as a command, with `{path}` in it."""
    name, _, model = setting.partition(":")
    if name == LOCAL:
        return [sys.executable, "-m", "agent_channels.core.files.whisper", model or MODEL, "{path}"]
    return shlex.split(setting)


class Transcriber:
    """Turns files into text, one at a time: models take all the processor there is."""

    def __init__(self, setting: str | None, bound_s: float, environ: Mapping[str, str]) -> None:
        """`setting` None: nothing is written down; `bound_s`: longest time for one file."""
        self._command = command_of(setting) if setting else []
        self._bound_s = bound_s
        # Nothing that transcribes needs the key to the bot.
        self._environ = {name: value for name, value in environ.items() if not name.endswith("_BOT_TOKEN")}
        self._turn = anyio.Lock()

    @property
    def on(self) -> bool:
        """Whether there is a command."""
        return bool(self._command)

    async def text(self, path: str) -> str:
        """The words in a file.

        Raises `Unavailable` when the command cannot be run or takes too long, `Refused` when it fails or says nothing.
        """
        command = [part.replace("{path}", path) for part in self._command]
        async with self._turn:
            try:
                process = await anyio.open_process(
                    command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=self._environ, start_new_session=True
                )
            except OSError as error:
                why = f"the command {command[0]!r} cannot be run ({error.strerror or error})"
                raise Unavailable(f"{why}; see transcribe in config.yaml") from error
            async with process:
                try:
                    with anyio.fail_after(self._bound_s):
                        out, told = await _outputs(process)
                        code = await process.wait()
                except BaseException as error:
                    _end(process)
                    if not isinstance(error, TimeoutError):
                        raise
                    raise Unavailable(f"it was not finished within {self._bound_s:.0f} s (transcribe_s)") from error
        return _checked(code, out, told)


def _checked(code: int, out: bytes, told: bytes) -> str:
    if code != 0:
        last = (told.decode(errors="replace").strip().splitlines() or [""])[-1]
        raise Refused(f"the command ended with code {code}: {scrub(last)[:REASON_MAX]}".rstrip(": "))
    text = " ".join(scrub(out.decode(errors="replace")).split())[:TEXT_MAX]
    if not text:
        raise Refused("no words were heard in it")
    return text


async def _outputs(process: Process) -> tuple[bytes, bytes]:
    found: dict[str, bytes] = {}

    async def read(name: str, stream: ByteReceiveStream | None) -> None:
        found[name] = b""
        with suppress(anyio.EndOfStream):
            while stream is not None:
                # Read to the end, so that the command is not held up, and kept up to a limit.
                found[name] = (found[name] + await stream.receive())[:OUTPUT_MAX]

    async with anyio.create_task_group() as group:
        group.start_soon(read, "out", process.stdout)
        group.start_soon(read, "err", process.stderr)
    return found["out"], found["err"]


def _end(process: Process) -> None:
    """Ends the command with whatever it started, which may have outlived it."""
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
