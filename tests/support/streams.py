"""What stdin and stdout may be, each as (its reading end, its writing end)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

__all__ = ["Kind", "file", "pipe", "sockets"]

Kind = Callable[[Path], tuple[int, int]]


def pipe(_folder: Path) -> tuple[int, int]:
    return os.pipe()


def sockets(_folder: Path) -> tuple[int, int]:
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


def file(folder: Path) -> tuple[int, int]:
    path = folder / "stream"
    path.touch()
    return os.open(path, os.O_RDONLY), os.open(path, os.O_WRONLY)
