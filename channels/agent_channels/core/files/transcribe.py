"""Transcription of voice notes, by a command of the operator's choice or by a model on this machine.

The command runs without a shell, in a session of its own, for a limited time; its output is the transcript. A program
may mishear, so a transcript is marked as one and never answers a question.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio
from anyio.abc import ByteReceiveStream, Process

from agent_channels.core.errors import Refused, Unavailable
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.sanitize import scrub

__all__ = ["Transcriber"]

# The setting `local`, or `local:MODEL`, stands for the optional extra [voice].
LOCAL = "local"
DEFAULT_MODEL = "base"
# An hour of speech has about 60,000 characters, each of at most four bytes.
TRANSCRIPT_MAX = 60_000
BYTES_EACH, OUTPUT_MORE = 4, 16 * 1024
# What makes the local model say when each of its sentences begins.
TIMES = "times"
REASON_MAX = 150
_WITHHELD = lazy_pattern(
    r".*_(?:BOT|APP)_TOKEN$|(CLAUDE|ANTHROPIC|CHANNELS|CODEX|GEMINI)_|PYTHON(PATH|HOME|STARTUP|USERBASE)$"
)


class Transcriber:
    """Transcribes audio files, one at a time, because a model uses every processor core."""

    def __init__(
        self,
        setting: str | None,
        timeout_s: float,
        environ: Mapping[str, str],
        *,
        characters_max: int = TRANSCRIPT_MAX,
        times: bool = False,
    ) -> None:
        """`setting` is the command with `{path}`, or `local[:MODEL]`; None switches transcription off.

        `timeout_s` limits the time for one file; `environ` is passed to the command, without the bots' and the host's
        secrets, and without what would make a Python load modules of the project. Of a transcript, `characters_max`
        are kept. `times`: the local model puts a mark such as `[01:02:03]` before each sentence; any other command
        prints what it prints.
        """
        self._command = _command(setting, times=times) if setting else []
        self._characters_max = characters_max
        self._timeout_s = timeout_s
        self._environ = {name: value for name, value in environ.items() if not _WITHHELD.match(name)}
        self._lock = anyio.Lock()

    @property
    def enabled(self) -> bool:
        """True if there is a command."""
        return bool(self._command)

    async def transcribe(self, path: str) -> str:
        """Return the words spoken in an audio file.

        Raises `Unavailable` if the command does not start or takes too long, `Refused` if it fails or prints nothing.
        """
        command = [argument.replace("{path}", path) for argument in self._command]
        async with self._lock:
            try:
                # In the project, `python -m` would run a module of its name from there.
                process = await anyio.open_process(
                    command,
                    stdin=DEVNULL,
                    stdout=PIPE,
                    stderr=PIPE,
                    cwd=Path(path).parent,
                    env=self._environ,
                    start_new_session=True,
                )
            except OSError as error:
                raise Unavailable(
                    sentence(
                        "the command {command!r} cannot be run ({error}); see transcribe in config.yaml",
                        command=command[0],
                        error=error.strerror or error,
                    )
                ) from error
            async with process:
                try:
                    with anyio.fail_after(self._timeout_s):
                        stdout, stderr = await _read_output(process, BYTES_EACH * self._characters_max + OUTPUT_MORE)
                        exit_code = await process.wait()
                except BaseException as error:
                    _kill(process)
                    if not isinstance(error, TimeoutError):
                        raise
                    raise Unavailable(
                        sentence("it was not finished within {seconds:.0f} s (transcribe_s)", seconds=self._timeout_s)
                    ) from error
        return _transcript(exit_code, stdout, stderr, self._characters_max)


def _command(setting: str, *, times: bool) -> list[str]:
    name, _, model = setting.partition(":")
    if name == LOCAL:
        module = "agent_channels.core.files.local_transcriber"
        return [sys.executable, "-I", "-m", module, model or DEFAULT_MODEL, "{path}", *([TIMES] if times else [])]
    return shlex.split(setting)


def _transcript(exit_code: int, stdout: bytes, stderr: bytes, characters_max: int) -> str:
    if exit_code != 0:
        last_line = (stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
        ended, said = sentence("the command ended with code {code}", code=exit_code), scrub(last_line)[:REASON_MAX]
        raise Refused(joined([ended, said], ": ") if said else ended)
    transcript = " ".join(scrub(stdout.decode(errors="replace")).split())[:characters_max]
    if not transcript:
        raise Refused(sentence("no words were recognised in it"))
    return transcript


async def _read_output(process: Process, most: int) -> tuple[bytes, bytes]:
    """Return stdout and stderr, at most `most` bytes of each."""
    output: dict[str, bytes] = {}

    async def read(name: str, stream: ByteReceiveStream | None) -> None:
        output[name] = b""
        with suppress(anyio.EndOfStream):
            while stream is not None:
                # Read to the end even beyond the limit, because a full pipe would block the command.
                output[name] = (output[name] + await stream.receive())[:most]

    async with anyio.create_task_group() as group:
        group.start_soon(read, "stdout", process.stdout)
        group.start_soon(read, "stderr", process.stderr)
    return output["stdout"], output["stderr"]


def _kill(process: Process) -> None:
    """Kill the command together with its children, which may have outlived it."""
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
