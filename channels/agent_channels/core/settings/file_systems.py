"""File systems that refuse locks, such as some network mounts: found out, and named."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import sys
from pathlib import Path

from agent_channels.core.i18n.sentences import sentence

__all__ = ["describe_file_system", "lock_refusal", "refuses_locks"]

_REFUSALS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


def lock_refusal(path: Path, reason: str) -> str:
    """Return the sentence that a lock on `path` is refused by its file system, and why that matters."""
    return sentence(
        "{path} cannot be locked ({reason}), and without locks two programs would write at once; it is on {place}",
        path=path,
        reason=reason,
        place=describe_file_system(path),
    )


def refuses_locks(folder: Path) -> str:
    """Return why the file system of a folder refuses locks as SQLite takes them; empty if it takes them."""
    if sys.platform != "win32":
        import fcntl

        # A file of its own: closing one that SQLite has open would drop its locks.
        probe = folder / f".lock-{secrets.token_hex(4)}"
        try:
            with probe.open("xb") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return (error.strerror or str(error)) if error.errno in _REFUSALS else ""
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)
    return ""


def describe_file_system(path: Path) -> str:
    """Return the kind of file system that `path` is on and where it is mounted, in words."""
    lines: list[str] = []
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    # proc(5): id, parent, device, root, mount point, options, optional fields, "-", type, source, options.
    mounts = [(fields[4], fields[fields.index("-") + 1 :]) for line in lines if "-" in (fields := line.split(" "))]
    place = os.path.realpath(path)
    found = [(_unescape(point), rest) for point, rest in mounts if _contains(_unescape(point), place)]
    if not found:
        return sentence("the file system of {folder}", folder=path.parent)
    # Of several mounts on one point the last one is on top.
    point, (kind, source, *_) = max(reversed(found), key=lambda mount: len(mount[0]))
    return sentence(
        "the file system {kind} ({source}), mounted at {point}", kind=kind, source=_unescape(source), point=point
    )


def _contains(folder: str, place: str) -> bool:
    return place == folder or place.startswith(folder.rstrip("/") + "/")


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
