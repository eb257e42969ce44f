"""Folders and files for their owner only, and files that are replaced in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.limits import remedy

__all__ = ["OWNER_ONLY", "ensure_private_dir", "ensure_private_file", "write_atomically"]

OWNER_ONLY = 0o600


def ensure_private_dir(path: Path) -> Path:
    """Create `path` if needed, restrict it to its owner (mode 0700) and return it.

    Raises `ConfigError` if it cannot be created or is not a directory.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        msg = sentence(
            "the folder {path} cannot be used ({error}); {remedy}",
            path=path,
            error=error.strerror or error,
            remedy=remedy(error),
        )
        raise ConfigError(msg) from error
    return path


def ensure_private_file(path: Path) -> None:
    """Create `path` if needed and restrict it to its owner (mode 0600). Raises OSError if it cannot be used."""
    # An existing file is never opened: closing it would drop every lock that this process holds on it.
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, OWNER_ONLY))
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        path.chmod(OWNER_ONLY)
    if not os.access(path, os.R_OK | os.W_OK):
        number = errno.EROFS if _is_read_only(path) else errno.EACCES
        raise OSError(number, os.strerror(number), str(path))


def _is_read_only(path: Path) -> bool:
    read_only = False
    if sys.platform != "win32":
        read_only = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return read_only


def write_atomically(path: Path, text: str | bytes, mode: int | None = OWNER_ONLY) -> None:
    """Replace `path` in one step: a reader, or a crash, finds the old file or the new one, never half of one.

    With `mode` None the file keeps its permissions; a new file gets the default ones of the process.
    Raises OSError; the old file is untouched then.
    """
    draft = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        if mode is None and path.exists():
            # Imported late, as in the other modules of every hook: half a megabyte of one that waits.
            import shutil

            shutil.copymode(path, draft)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
