"""A look at a database that is not trusted: what it shows is what an adoption brings, and nothing of it is changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import StateFolder, adopt, make_state_folder
from agent_channels.core.store import inspect
from agent_channels.core.store.database import Store

MALLORY = {
    "people": 1,
    "approvers": 1,
    "groups": 0,
    "open messages": 0,
    "named": {"people": [{"id": "4242", "name": "Mallory", "username": "", "approver": True}], "groups": []},
}
STATES = Path(__file__).parents[2] / "states"


def look(folder: Path) -> dict[str, Any] | str:
    with StateFolder.opened(folder) as opened:
        return inspect.summarize(opened)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The state folder of a running project, with an approver that only the write-ahead log holds."""
    folder = make_state_folder(tmp_path / "mine" / "state" / "telegram")
    with Store.open(folder) as store:
        access = Services.of(store).access
        access.allow("4242", by="operator", name="Mallory")
        access.set_approver("4242", approver=True)
        assert sqlite_sees_nothing_without_the_log(folder / "channel.db")
        yield folder


def sqlite_sees_nothing_without_the_log(path: Path) -> bool:
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        return db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'people'").fetchone()[0] == 0


@pytest.mark.parametrize("kept", [("", "-wal"), ("", "-wal", "-shm")], ids=["without -shm", "with -shm"])
def test_what_the_log_holds_is_counted(running: Path, tmp_path: Path, kept: tuple[str, ...]) -> None:
    """A copy of a running project, or a repository with a log: the look names the approver that the adoption brings."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in kept:
        shutil.copy(running / f"channel.db{suffix}", copy)
    before = contents(copy)
    shown = look(copy)
    assert shown == MALLORY
    assert contents(copy) == before
    adopt(copy)
    with Store.open(copy) as store:
        access = Services.of(store).access
        assert (len(access.members()), len(access.approvers())) == (1, 1)


def test_who_may_approve_is_named_first(tmp_path: Path) -> None:
    """However many others there are, and whatever their names hold; a name keeps to its line."""
    folder = make_state_folder(tmp_path / "state")
    with Store.open(folder) as store:
        access = Services.of(store).access
        for number in range(1, inspect.NAMED_MAX + 3):
            access.allow(str(number), by="operator", name=f"Ann\n{number} \x1b[2J" + "x" * 300)
        access.set_approver(str(number), approver=True)
        with store.transaction() as db:
            db.execute("UPDATE people SET approver = 'zzz' WHERE user_id < '12'")
    shown = look(folder)
    assert isinstance(shown, dict)
    people = shown["named"]["people"]
    assert (shown["people"], len(people)) == (inspect.NAMED_MAX + 2, inspect.NAMED_MAX)
    assert (people[0]["id"], people[0]["approver"]) == (str(number), True)
    assert sum(one["approver"] for one in people) == shown["approvers"] == 1
    assert all(one["name"].isprintable() and len(one["name"]) <= inspect.NAME_MAX for one in people)


def test_the_users_own_running_project_is_counted(running: Path) -> None:
    """A look disturbs nobody who has the database open."""
    assert look(running) == MALLORY
    with Store.open(running) as store:
        assert store.value("SELECT count(*) FROM people") == 1


def test_an_older_database_is_counted(tmp_path: Path) -> None:
    """One of the first release, as the adoption migrates it."""
    with closing(sqlite3.connect(tmp_path / "channel.db")) as db:
        db.executescript((STATES / "0.1.0.sql").read_text(encoding="utf-8"))
    before = (tmp_path / "channel.db").read_bytes()
    shown = look(tmp_path)
    assert isinstance(shown, dict)
    assert (tmp_path / "channel.db").read_bytes() == before
    adopt(tmp_path)
    with Store.open(tmp_path) as store:
        assert shown["people"] == store.value("SELECT count(*) FROM people")


@pytest.mark.parametrize(("sql", "said"), [
    ("CREATE TRIGGER t AFTER INSERT ON health BEGIN INSERT INTO people (user_id) VALUES (1); END", "trigger"),
    ("CREATE VIEW v AS SELECT 1", "view"),
    ("CREATE TABLE w (a, b AS (a) VIRTUAL)", "virtual table"),
    ("PRAGMA user_version = 9999", "a newer version"),
])  # fmt: skip
def test_what_could_act_later_is_said(tmp_path: Path, sql: str, said: str) -> None:
    """A trigger may make an approver after the adoption: no count is shown that it could prove wrong."""
    Store(tmp_path / "channel.db").close()
    with closing(sqlite3.connect(tmp_path / "channel.db", isolation_level=None)) as db:
        db.execute(sql)
    shown = look(tmp_path)
    assert isinstance(shown, str)
    assert said in shown
    assert "tell" in shown


def test_what_cannot_be_told_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No database, an unfinished change, a link, a pipe, or more than is copied for a look."""
    (tmp_path / "channel.db").write_bytes(b"no database" * 100)
    assert "cannot be read" in look(tmp_path)
    Path(tmp_path / "channel.db").unlink()
    Store(tmp_path / "channel.db").close()
    (tmp_path / "channel.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 504)
    assert "in the middle of a change" in look(tmp_path)
    (tmp_path / "channel.db-journal").unlink()
    monkeypatch.setattr(inspect, "BYTES_MAX", 1000)
    assert "nobody can tell" in look(tmp_path)
    for make in (lambda path: path.symlink_to("/etc/passwd"), os.mkfifo):
        make(tmp_path / "channel.db-wal")
        assert "a link or a pipe" in look(tmp_path)
        (tmp_path / "channel.db-wal").unlink()


def test_a_database_that_changes_under_the_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was copied half before and half after a change is copied again, and given up in the end."""
    Store(tmp_path / "channel.db").close()
    versions = iter(range(100))
    monkeypatch.setattr(inspect, "_version", lambda _info: next(versions))
    assert "a program writes to it" in look(tmp_path)
