"""A look at a database that is not trusted: what it would decide once it is adopted; its own files are only read."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path
from typing import Any

from agent_channels.core.errors import StoreError
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.settings.private_files import OWNER_ONLY
from agent_channels.core.settings.state_folder import StateFolder
from agent_channels.core.store.database import Row, Store
from agent_channels.core.store.migrations import MIGRATIONS
from agent_channels.core.text.sanitize import label

__all__ = ["DATABASE_FILES", "summarize", "why_unclear"]

DATABASE_FILES = ("channel.db", "channel.db-wal", "channel.db-shm", "channel.db-journal")
_COUNTS = {
    "people": "SELECT count(*) FROM people",
    "approvers": "SELECT count(*) FROM people WHERE approver",
    "groups": "SELECT count(*) FROM groups",
    # Those that wait for their sender's approval, or for a newer version, among them.
    "open messages": "SELECT count(*) FROM inbox WHERE state NOT IN ('answered', 'dropped', 'joined')",
}
# Those who may approve come first: they are named however many others there are.
_NAMED = {
    "people": (
        "SELECT user_id AS id, name, username, approver AND 1 AS approver FROM people ORDER BY 4 DESC, added_at LIMIT ?"
    ),
    "groups": "SELECT chat_id AS id, title FROM groups LEFT JOIN chats USING (chat_id) ORDER BY added_at LIMIT ?",
}
NAMED_MAX = 10
NAME_MAX = 80
# The copy lies in the system's temporary folder, which may be memory.
BYTES_MAX = 256 * 1024 * 1024
# A damaged or hostile database ends a query that would go on for long.
STEPS_MAX = 5_000_000
# How often a database is copied again because a program wrote to it meanwhile.
TRIES = 5


def summarize(folder: StateFolder) -> dict[str, Any] | str:
    """Return how many people, approvers, groups and open messages the folder's database holds, or why nobody can tell.

    `named` holds the first of the people and groups, in words that are safe to print.
    What counts is what a server finds after the adoption: the database with its write-ahead log, migrated. All of that
    happens in a private copy.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="channels-look-") as copy:
            path = Path(copy) / DATABASE_FILES[0]
            if problem := _copy(folder, path) or why_unclear(path):
                return problem
            with Store(path) as store, store.transaction() as db:
                db.set_progress_handler(lambda: 1, STEPS_MAX)
                counts = {name: int(store.value(sql)) for name, sql in _COUNTS.items()}
                named = {name: list(map(_safe, store.rows(sql, NAMED_MAX))) for name, sql in _NAMED.items()}
                return {**counts, "named": named}
    except (sqlite3.Error, StoreError, OSError, ValueError, TypeError):
        return sentence("it cannot be read, so nobody can tell what it holds")


def _safe(row: Row) -> dict[str, Any]:
    """Return a row whose texts, which somebody else wrote, keep to one line."""
    safe = {key: label(str(row[key] or ""), NAME_MAX) for key in row.keys()}  # noqa: SIM118 - a Row iterates over values
    return {**safe, "approver": bool(row["approver"])} if "approver" in safe else safe


def _copy(folder: StateFolder, target: Path) -> str:
    """Copy the database and its log as they were at one moment; return why that is impossible, or ""."""
    for _ in range(TRIES):
        before = _states(folder)
        if any(not stat.S_ISREG(info.st_mode) for info in before.values()):
            return sentence("it cannot be read: a link or a pipe is in its place")
        # Rolling back what a journal begins touches files that the journal names.
        if (journal := before.pop("channel.db-journal", None)) is not None and journal.st_size:
            return sentence(
                "it was left in the middle of a change (channel.db-journal), so nobody can tell what it holds"
            )
        if sum(info.st_size for info in before.values()) > BYTES_MAX:
            return sentence(
                "it has more than {size} MB, so it was not read; nobody can tell what it holds",
                size=BYTES_MAX // 1024**2,
            )
        for name in ("channel.db", "channel.db-wal"):
            place = target.with_name(name)
            place.unlink(missing_ok=True)
            if name in before:
                # As private as a store has to be.
                copy = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
                with os.fdopen(copy, "wb") as made, os.fdopen(folder.open_file(name, os.O_RDONLY), "rb") as source:
                    shutil.copyfileobj(source, made)
        if _unchanged(before, _states(folder)):
            return ""
    return sentence("a program writes to it just now, so nobody can tell what it holds; end that program")


def _states(folder: StateFolder) -> dict[str, os.stat_result]:
    """Return the status of those of the database's files that exist, by name; a link's is its own."""
    found = {}
    for name in DATABASE_FILES:
        with contextlib.suppress(FileNotFoundError):
            found[name] = folder.status_of(name)
    return found


def _unchanged(before: dict[str, os.stat_result], after: dict[str, os.stat_result]) -> bool:
    names = ("channel.db", "channel.db-wal")
    return all(_version(before.get(name)) == _version(after.get(name)) for name in names)


def _version(info: os.stat_result | None) -> tuple[int, int, int] | None:
    return None if info is None else (info.st_ino, info.st_size, info.st_mtime_ns)


def why_unclear(path: Path) -> str:
    """Return what keeps the counts from being the whole truth, or "": a newer schema, or one that acts by itself."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA trusted_schema = OFF")
        db.set_progress_handler(lambda: 1, STEPS_MAX)
        if db.execute("PRAGMA user_version").fetchone()[0] > len(MIGRATIONS):
            return sentence("a newer version of this program wrote it, so this one cannot tell what it holds")
        found = db.execute(
            "SELECT DISTINCT type FROM sqlite_master WHERE type NOT IN ('table', 'index') OR sql LIKE '%virtual%'"
        ).fetchall()
    kinds = sorted("virtual table" if kind == "table" else str(kind)[:20] for (kind,) in found)
    if kinds:
        return sentence(
            "it holds what this program never makes ({kinds}), so nobody can tell what it does later",
            kinds=joined(kinds, ", "),
        )
    return ""
