"""SQLite's errors as `StoreError`s that say what to do."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.settings.paths import private_file

__all__ = []


def _keep_aside(path: Path) -> str:
    """A copy of a damaged database, made once, named for when it was last changed; "" when it cannot be made."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(path.stat().st_mtime))
    copy = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        for ending in ("", "-wal"):
            source, target = path.with_name(path.name + ending), copy.with_name(copy.name + ending)
            if source.exists() and not target.exists():
                private_file(target)
                shutil.copyfile(source, target)
    except OSError:
        return ""
    return f" A copy is kept as {copy}."


_REASONS = (
    ("disk is full", "the disk is full; free some space"),
    ("readonly", "it cannot be written to; mend the permissions of the folder"),
    ("unable to open", "it cannot be opened; mend the permissions of the folder"),
    ("malformed", "it is damaged, and is not touched any more; move it away to start anew (people pair again)."),
    ("not a database", "it is no database, and is not touched; move it away to start anew (people pair again)."),
    ("i/o error", "the disk does not take or give it (is it full, or failing?); free some space"),
    ("closed database", "a setting was changed meanwhile and it was opened again; call again"),
    ("locked", "another process has held it for over five seconds; end that process"),
)


_CALLERS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


def _fault(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    text = str(error).lower()
    reason = next((words for sign, words in _REASONS if sign in text), str(error))
    if "malformed" in text or "not a database" in text:
        reason += _keep_aside(path)
    return StoreError(f"the database {path} cannot be used: {reason}")


def _told(path: Path, error: BaseException) -> StoreError | None:
    """A fault of the disk, the lock or the folder as the store's; None for any other error."""
    match error:
        case sqlite3.DatabaseError():
            return _fault(path, error)
        case ConfigError():
            return StoreError(f"the database {path} cannot be used: {error}")
        case PermissionError():
            return StoreError(
                f"the database {path} cannot be used: {error.strerror}; mend the permissions of the folder"
            )
        case OSError():
            return StoreError(f"the database {path} cannot be used: {error.strerror or error}")
        case _:
            return None


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, ConfigError, OSError) as error:
        raise _told(path, error) or error from error
