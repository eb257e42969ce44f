"""Codex's queue: a prompt for a session, which an idle one takes at once, and a busy one after its turn."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping

import anyio

from agent_channels.core.errors import Unavailable
from agent_channels.core.host.process import host_program
from agent_channels.core.log import redact

__all__ = ["CodexQueue"]

# The command answers in a fraction of a second; a machine that is busy takes longer.
WITHIN_S = 30.0


class CodexQueue:
    """`codex queue`, by the program that started this server. What it is given is shown to all users of the machine.

    So no message may be in it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    async def ring(self, host_id: str, text: str) -> None:
        """Queue a prompt in a session. Raises `Unavailable`."""
        program = host_program("codex") or shutil.which("codex", path=self._environ.get("PATH"))
        if program is None:
            raise Unavailable("the program `codex` is not on the PATH that it started this server with")
        command = [program, "queue", "--thread", host_id, "--message", text]
        try:
            with anyio.fail_after(WITHIN_S):
                ran = await anyio.run_process(
                    command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
                )
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"`codex queue` failed ({error!r})") from error
        if ran.returncode:
            said = ran.stderr.decode(errors="replace").strip()[-300:]
            raise Unavailable(f"`codex queue` ended with code {ran.returncode}: {redact(said)}")
