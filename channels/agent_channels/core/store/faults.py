"""SQLite's errors as `StoreError`s that say what to do."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.limits import limits_in_force, remedy
from agent_channels.core.settings.file_systems import lock_refusal, refuses_locks
from agent_channels.core.settings.private_files import ensure_private_file

__all__ = ["CALLERS_FAULT", "VALUE_FAULTS", "as_store_error", "explain", "explained", "unreadable_value"]

# Errors of a statement or a value, not of the disk, the lock or the folder: the caller may expect them.
CALLERS_FAULT = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)

# What SQLite's message contains -> what the operator should know and do.
_REASONS = (
    ("disk is full", "the disk is full; free some space"),
    ("readonly", "it cannot be written to; fix the owner and permissions of the folder, or mount its disk for writing"),
    ("unable to open", "it cannot be opened; fix the owner and permissions of the folder"),
    # The names or texts in it are not text any more.
    ("decode", "it is damaged, and is left as it is; move it away to start afresh (people have to pair again)."),
    ("no such", "it is damaged, and is left as it is; move it away to start afresh (people have to pair again)."),
    ("malformed", "it is damaged, and is left as it is; move it away to start afresh (people have to pair again)."),
    ("not a database", "it is not a database; move it away to start afresh (people have to pair again)."),
    ("i/o error", "reading or writing the disk failed (is it full, or failing?); free some space"),
    ("closed database", "it was reopened after a setting changed; call again"),
    ("locked", "another process has held it for over five seconds; end that process"),
)


# What code meets in a value that it did not write.
VALUE_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def unreadable_value(path: Path, error: BaseException) -> StoreError:
    """Return an error of `VALUE_FAULTS`, met while the database was read, as one of ours."""
    return StoreError(
        sentence(
            "the database {path} holds a value that cannot be read ({kind}: {error}): it is damaged, or another "
            "program wrote it; move it away to start afresh (people have to pair again)",
            path=path,
            kind=type(error).__name__,
            error=str(error)[:200],
        )
    )


def explain(path: Path, error: sqlite3.DatabaseError | UnicodeDecodeError) -> StoreError:
    """Return SQLite's error as ours; a copy of a damaged database is kept beside it."""
    text = str(error).lower()
    reason = next((words for sign, words in _REASONS if sign in text), str(error))
    if any(sign in text for sign in ("i/o error", "disk is full", "unable to open")) and (limits := limits_in_force()):
        reason = limits
    elif any(sign in text for sign in ("locked", "i/o error", "protocol")) and (refusal := refuses_locks(path.parent)):
        # SQLite takes the refusal for another process's lock.
        reason = sentence(
            "{refusal}; keep the state folder on a disk of this machine (<CHANNEL>_STATE_DIR)",
            refusal=lock_refusal(path, refusal),
        )
    if any(sign in text for sign in ("malformed", "not a database", "decode", "no such")):
        reason = joined([reason, *_keep_copy(path)], " ")
    return StoreError(sentence("the database {path} cannot be used: {reason}", path=path, reason=reason))


def as_store_error(path: Path, error: BaseException) -> StoreError | None:
    """Return a fault of the disk, the lock or the folder as a `StoreError`; None for any other error."""
    match error:
        case sqlite3.DatabaseError() | UnicodeDecodeError():
            return explain(path, error)
        case ConfigError():
            return StoreError(
                sentence("the database {path} cannot be used: {reason}", path=path, reason=words_of(error))
            )
        case OSError():
            return StoreError(
                sentence(
                    "the database {path} cannot be used: {error}; {remedy}",
                    path=path,
                    error=error.strerror or error,
                    remedy=remedy(error),
                )
            )
        case _:
            return None


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise faults of the block as `StoreError`s."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError, ConfigError, OSError) as error:
        raise as_store_error(path, error) or error from error


def _keep_copy(path: Path) -> list[str]:
    """Copy a damaged database once, named for when it last changed; return a sentence, or none if it cannot be."""
    import shutil

    try:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(path.stat().st_mtime))
        copy = path.with_name(f"{path.name}.damaged-{stamp}")
        for ending in ("", "-wal"):
            source, target = path.with_name(path.name + ending), copy.with_name(copy.name + ending)
            if source.exists() and not target.exists():
                ensure_private_file(target)
                shutil.copyfile(source, target)
    except (OSError, OverflowError, ValueError):
        return []
    return [sentence("A copy is kept as {copy}.", copy=copy)]
