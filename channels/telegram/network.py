"""The way to Telegram's servers: which addresses a client takes, and files that lie on this machine already."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import httpx

from channels.core.errors import Refused, Rejected

__all__ = ["copy_local", "route"]


def route(*, ipv4: bool, connections: int) -> dict[str, Any]:
    """What an httpx client is made with for direct connections over IPv4 only; {} for httpx's own way."""
    if not ipv4:
        return {}
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    # A local IPv4 address leaves only IPv4 addresses to connect to.
    return {"transport": httpx.AsyncHTTPTransport(local_address="0.0.0.0", limits=limits)}  # noqa: S104


def copy_local(path: str, target: Path, limit: int) -> int:
    """Copies a file that a Bot API server in local mode keeps on this machine; returns its size in bytes.

    Raises `Rejected` when it is not there to be read, `Refused` above `limit`.
    """
    try:
        with Path(path).open("rb") as source:
            about = os.fstat(source.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size == 0:
                raise Rejected("the Bot API server handed out an empty file; ask the sender to send it again")
            if about.st_size > limit:
                raise Refused(f"the file has {about.st_size:,} bytes; at most {limit:,} are downloaded")
            _copy(source.fileno(), target)
            return about.st_size
    except OSError as error:
        raise Rejected(
            f"the Bot API server in local mode names the file {path!r}, which cannot be read here "
            f"({error.strerror or error}): it has to run on this machine, or share its folder under the same path"
        ) from error


def _copy(source: int, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, os.fdopen(os.dup(source), "rb") as data:
            shutil.copyfileobj(data, file)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
