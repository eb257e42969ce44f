"""A process that has imported everything, and becomes a server or a command by forking.

Nine tenths of a server's start are the import of its libraries, the same each time. What runs afterwards is the real
command, from its first line, in a process of its own with real pipes.

Run as `python warm_start.py FD`, where FD is a socket on which each packet is {argv, env, cwd} as JSON, with four file
descriptors: stdin, stdout, stderr, and a pipe on which the process's pid and, at its end, its exit status are written.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import time
import warnings
from typing import Any

import agent_channels
from agent_channels.cli import main as cli

PACKET = 1 << 17
SKIPPED = "agent_channels.sandbox"
# What is imported only once it is needed, by us and by libraries.
LATE = ("anyio._backends._asyncio", "certifi", "encodings.idna", "platformdirs", "yaml")


def main(control: socket.socket) -> None:
    """Serves until the other end of `control` is closed."""
    load()
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    watch = selectors.DefaultSelector()
    watch.register(control, selectors.EVENT_READ)
    watch.register(ours, selectors.EVENT_READ)
    running: dict[int, int] = {}
    while True:
        ready = [key.fileobj for key, _ in watch.select()]
        if ours in ready:
            ours.recv(PACKET)
            reap(running)
        if control not in ready:
            continue
        data, fds, _, _ = socket.recv_fds(control, PACKET, 4)
        if not data:
            return
        status = fds.pop()
        pid = os.fork()
        if pid == 0:
            watch.close()
            for end in (control, ours, theirs):
                end.close()
            for fd in (status, *running.values()):
                os.close(fd)
            become(json.loads(data), fds)
        for fd in fds:
            os.close(fd)
        running[pid] = status
        os.write(status, f"{pid}\n".encode())


def load() -> None:
    """Imports everything that a server or a command may ask for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for found in pkgutil.walk_packages(agent_channels.__path__, "agent_channels.", onerror=lambda _: None):
            if not found.name.startswith(SKIPPED) and not found.name.endswith("__main__"):
                importlib.import_module(found.name)
        for name in LATE:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def reap(running: dict[int, int]) -> None:
    """Tells of every process that ended."""
    while running:
        pid, code = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        status = running.pop(pid)
        os.write(status, f"{os.waitstatus_to_exitcode(code)}\n".encode())
        os.close(status)


def become(asked: dict[str, Any], fds: list[int]) -> None:
    """Is the command from here on."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    # As an interpreter opens them at its start, by what they are now.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    time.tzset()
    sys.argv = asked["argv"]
    try:
        cli.main()
    except SystemExit as ended:
        leave(ended)


def leave(ended: SystemExit) -> None:
    """Ends as an interpreter does, without taking apart what was imported: that costs ten times what a command does."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        # The interpreter says so, and has a code of its own for it.
        raise ended from None
    if isinstance(ended.code, str):
        raise ended
    os._exit(ended.code or 0)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
