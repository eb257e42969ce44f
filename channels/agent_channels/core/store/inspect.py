"""A look at a database that is not trusted: what it would decide, read without running or changing anything of it."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path

__all__ = ["summarize"]

_COUNTS = {
    "people": "SELECT count(*) FROM people",
    "approvers": "SELECT count(*) FROM people WHERE approver",
    "groups": "SELECT count(*) FROM groups",
    "open messages": "SELECT count(*) FROM inbox WHERE state NOT IN ('answered', 'dropped', 'joined')",
}
# A damaged or hostile database ends a query that would go on for long.
STEPS_MAX = 5_000_000


def summarize(path: Path) -> dict[str, int] | None:
    """Return how many people, approvers, groups and open messages a database holds; None if it cannot be read.

    What only its write-ahead log holds is not counted.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            db.set_progress_handler(lambda: 1, STEPS_MAX)
            return {name: int(db.execute(sql).fetchone()[0]) for name, sql in _COUNTS.items()}
    except (sqlite3.Error, OSError, ValueError, TypeError):
        return None
