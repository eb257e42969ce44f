"""SQLite's errors as `StoreError`s that say what to do."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.settings.private_files import ensure_private_file

__all__ = ["CALLERS_FAULT", "as_store_error", "explain", "explained"]

# Errors of a statement or a value, not of the disk, the lock or the folder: the caller may expect them.
CALLERS_FAULT = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)

# What SQLite's message contains -> what the operator should know and do.
_REASONS = (
    ("disk is full", "the disk is full; free some space"),
    ("readonly", "it cannot be written to; fix the permissions of the folder"),
    ("unable to open", "it cannot be opened; fix the permissions of the folder"),
    ("malformed", "it is damaged, and is left as it is; move it away to start afresh (people have to pair again)."),
    ("not a database", "it is not a database; move it away to start afresh (people have to pair again)."),
    ("i/o error", "reading or writing the disk failed (is it full, or failing?); free some space"),
    ("closed database", "it was reopened after a setting changed; call again"),
    ("locked", "another process has held it for over five seconds; end that process"),
)


def explain(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """Return SQLite's error as ours; a copy of a damaged database is kept beside it."""
    text = str(error).lower()
    reason = next((words for sign, words in _REASONS if sign in text), str(error))
    if "malformed" in text or "not a database" in text:
        reason += _keep_copy(path)
    return StoreError(f"the database {path} cannot be used: {reason}")


def as_store_error(path: Path, error: BaseException) -> StoreError | None:
    """Return a fault of the disk, the lock or the folder as a `StoreError`; None for any other error."""
    match error:
        case sqlite3.DatabaseError():
            return explain(path, error)
        case ConfigError():
            return StoreError(f"the database {path} cannot be used: {error}")
        case PermissionError():
            return StoreError(
                f"the database {path} cannot be used: {error.strerror}; fix the permissions of the folder"
            )
        case OSError():
            return StoreError(f"the database {path} cannot be used: {error.strerror or error}")
        case _:
            return None


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise faults of the block as `StoreError`s."""
    try:
        yield
    except (sqlite3.DatabaseError, ConfigError, OSError) as error:
        raise as_store_error(path, error) or error from error


def _keep_copy(path: Path) -> str:
    """Copy a damaged database once, named for when it last changed; return a sentence, or "" if it cannot be copied."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(path.stat().st_mtime))
    copy = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        for ending in ("", "-wal"):
            source, target = path.with_name(path.name + ending), copy.with_name(copy.name + ending)
            if source.exists() and not target.exists():
                ensure_private_file(target)
                shutil.copyfile(source, target)
    except OSError:
        return ""
    return f" A copy is kept as {copy}."
