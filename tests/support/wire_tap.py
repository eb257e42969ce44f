"""Stands between a host and its server: `python wire_tap.py FILE COMMAND...` keeps what the host says in FILE."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

CHUNK = 1 << 16


def main() -> None:
    """Starts the server on our own output, and hands on what comes in, until either side ends."""
    server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE)
    signal.signal(signal.SIGCHLD, lambda *_: os._exit(0))
    # The server's alone: its end is then what the host sees.
    os.close(1)
    assert server.stdin is not None
    with Path(sys.argv[1]).open("ab", buffering=0) as kept:
        while chunk := os.read(0, CHUNK):
            kept.write(chunk)
            server.stdin.write(chunk)
            server.stdin.flush()
    server.stdin.close()
    server.wait()


if __name__ == "__main__":
    main()
