"""Starting the real `channels` program: its command, an environment without the user's own settings, one-off runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.sandbox.agent.host import StepFailed

__all__ = ["clean_environ", "program", "run_hook", "run_program"]

RUN_TIMEOUT_S = 15.0
# Variables that would connect a sandbox to the user's own bots, hosts and proxies.
USER_PREFIXES = ("TELEGRAM_", "DISCORD_", "CHANNELS_", "CLAUDE")
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}


def program() -> list[str]:
    """Return the command that runs `channels` from any folder: its script, or this interpreter if there is none."""
    own = Path(sys.argv[0])
    if own.stem == "channels" and own.is_file():
        return [os.path.abspath(own)]  # noqa: PTH100 - without `..`, and with the links that make a script's environment
    script = shutil.which("channels", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-c", "from agent_channels.cli.main import main; main()"]


def clean_environ(folder: Path) -> dict[str, str]:
    """Return the environment for a sandbox's programs: locks in `folder`, no bots, hosts or proxies of the user."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(USER_PREFIXES) and name.upper() not in PROXIES
    }
    # The scripted host takes pushed events, which the server cannot tell by itself.
    own = {"XDG_RUNTIME_DIR": str(folder / "run"), "CHANNELS_DATA_DIR": str(folder / "data")}
    return {**kept, "CHANNELS_MODE": "push", **own}


async def run_program(
    arguments: Sequence[str], environ: Mapping[str, str], folder: Path, timeout_s: float = RUN_TIMEOUT_S
) -> str:
    """Run `channels` with these arguments to its end and return its output.

    Raises `StepFailed` when it fails or does not end in time.
    """
    command = f"`channels {' '.join(arguments)}`"
    process = await asyncio.create_subprocess_exec(
        *program(),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=dict(environ),
        cwd=folder,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, errors = await process.communicate()
    except TimeoutError:
        raise StepFailed(f"{command} did not end within {timeout_s:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise StepFailed(f"{command} failed with exit code {process.returncode}: {errors.decode().strip()}")
    return out.decode().strip()


async def run_hook(name: str, event: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Run the command hook `name` as a host does, with the event's JSON; return its answer, {} for none.

    It runs as long as it likes, and ends with the task that waits for it.
    """
    process = await asyncio.create_subprocess_exec(
        *program(), "hook", name, stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=dict(environ), cwd=folder,
    )  # fmt: skip
    try:
        out, _ = await process.communicate(json.dumps(event).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        answer = json.loads(out)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
