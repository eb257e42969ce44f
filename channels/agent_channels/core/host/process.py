"""What this process can know about the agent host that started it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent_channels.core.host.inbox_address import inbox_address
from agent_channels.core.process import host_pid

__all__ = [
    "ancestors",
    "channel_flag",
    "command_line",
    "evidence",
    "first_program",
    "host_keys",
    "host_program",
    "opted_in",
]

_FLAGS = ("--channels", "--dangerously-load-development-channels")
_DEPTH = 8
_SHELLS = {"sh", "ash", "bash", "dash", "fish", "ksh", "zsh", "cmd.exe", "powershell.exe", "pwsh", "pwsh.exe"}


def channel_flag(channel: str, pid: int | None = None) -> str | None:
    """Return the flag and value with which the host's command line opts this channel in, or None.

    `pid`: the server whose host is meant; by default this process.
    """
    return next((flag for argv in ancestors(pid) if (flag := opted_in(argv, channel))), None)


def evidence(environ: Mapping[str, str] | None = None) -> str | None:
    """Return why this host can be expected to show messages without a flag, or None.

    Being initialised proves nothing: a host that only lists its servers starts and initialises them too.
    """
    if inbox_address(environ):
        return "the host gave its session's inbox socket"
    return None


def host_keys(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return what its hooks know this host by as well, whatever session id it goes on under: its socket, its pid."""
    inbox = inbox_address(environ)
    return [*([inbox.path] if inbox else []), f"pid {host_pid()}"]


def opted_in(argv: Sequence[str], channel: str) -> str | None:
    """Return the channel flag in a host's command line that names this channel, with its value, or None."""
    for index, word in enumerate(argv):
        flag, equals, value = word.partition("=")
        if flag not in _FLAGS:
            continue
        values = [value] if equals else []
        for following in argv[index + 1 :]:
            if following.startswith("-"):
                break
            values.append(following)
        named = [v for v in re.split(r"[,\s]+", " ".join(values)) if _names(v, channel)]
        if named:
            return f"{flag} {named[0]}"
    return None


def _names(value: str, channel: str) -> bool:
    kind, _, name = value.partition(":")
    return (kind == "server" and name == channel) or (kind == "plugin" and bool(name))


def ancestors(of: int | None = None) -> Iterator[list[str]]:
    """Yield the command lines of a process's ancestors, nearest first, as far as the system shows them."""
    known = _process(of) if of else (host_pid(), [])
    if known is None:
        return
    pid = known[0]
    for _ in range(_DEPTH):
        if pid <= 1:
            return
        found = _process(pid)
        if found is None:
            return
        pid, argv = found
        yield argv


def first_program(pid: int) -> int | None:
    """Return the id of the nearest process, from `pid` upwards, that is not a shell; None if none is shown."""
    for _ in range(_DEPTH):
        found = _process(pid) if pid > 1 else None
        if found is None:
            return None
        if Path((found[1] or [""])[0].lstrip("-")).name not in _SHELLS:
            return pid
        pid = found[0]
    return None


def command_line(pid: int) -> list[str]:
    """Return the words of a process's command line; none if the system does not show them."""
    found = _process(pid)
    return found[1] if found else []


def host_program(name: str) -> str | None:
    """Return the program of the host that started this server, if it is called so; None if it is not, or not shown."""
    argv = command_line(host_pid())
    program = shutil.which(argv[0]) if argv and Path(argv[0]).stem == name else None
    return program if program and Path(program).is_absolute() else None


def _process(pid: int) -> tuple[int, list[str]] | None:
    """Return a process's parent and command line, or None if the system does not show them."""
    try:
        if Path("/proc/self/stat").exists():
            proc = Path("/proc") / str(pid)
            argv = (proc / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
            # The command name may hold spaces and parentheses; the fields start after the last one.
            parent = (proc / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            return int(parent), argv
        shown = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "ppid=,command=", "-p", str(pid)], capture_output=True, text=True, timeout=2, check=False
        ).stdout.split()
        return int(shown[0]), shown[1:]
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
