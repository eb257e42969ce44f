"""The record of decisions is whole, or one sees where it is not."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_channels.cli import audit as audit_command
from agent_channels.core.secret_shapes import SECRET
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Store
from agent_channels.core.store.migrations import MIGRATIONS
from planted_secrets import core_of, planted

ROWS = 10_000


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with ten thousand records, which each test copies."""
    path = tmp_path_factory.mktemp("audit") / "channel.db"
    with Store(path) as store:
        audit = Audit(store)
        with store.transaction():
            for number in range(ROWS):
                audit.add("tap", str(number % 7), f"Yes; panel {number}")
        store.empty_journal()
    return path


def change(sql: str) -> Callable[[sqlite3.Connection], None]:
    def made(db: sqlite3.Connection) -> None:
        db.executescript(sql)

    return made


SWAP = """
UPDATE audit SET id = -1 WHERE id = 5000; UPDATE audit SET id = 5000 WHERE id = 5001;
UPDATE audit SET id = 5001 WHERE id = -1;
"""
SWAP_VALUES = """
UPDATE audit SET detail = (SELECT 'Yes; panel ' || CASE id WHEN 5000 THEN 5000 ELSE 4999 END) WHERE id IN (5000, 5001);
"""


@pytest.mark.parametrize(
    ("changed", "row_id", "why"),
    [
        (change("UPDATE audit SET detail = replace(detail, 'Yes', 'yes') WHERE id = 4321"), 4321, "was changed"),
        (change("UPDATE audit SET at = at + 0.001 WHERE id = 4321"), 4321, "was changed"),
        (change("DELETE FROM audit WHERE id = 4321"), 4322, "removed, added or moved"),
        (change("DELETE FROM audit WHERE id = 1"), 2, "removed, added or moved"),
        (change("DELETE FROM audit WHERE id > 9990"), 9990, "after this one were removed"),
        (change(SWAP), 5000, "removed, added or moved"),
        (change(SWAP_VALUES), 5000, "was changed"),
        (change("INSERT INTO audit (at, what) VALUES (1, 'allow')"), ROWS + 1, "put in by something else"),
        (change("INSERT INTO audit (id, at, what) VALUES (0, 1, 'allow')"), 0, "put in by something else"),
        (change("INSERT INTO audit (id, at, what) VALUES (-7, 1, 'allow')"), -7, "put in by something else"),
        (change(f"INSERT INTO audit (id, at, what) VALUES ({-(2**63)}, -9, 'allow')"), -(2**63), "put in by"),
        (change(f"INSERT INTO audit (id, at, what) VALUES ({2**63 - 1}, -9, 'allow')"), 2**63 - 1, "put in by"),
        (change("UPDATE audit SET subject = NULL WHERE id = 77"), 77, "was changed"),
        (change("UPDATE audit SET at = 'noon' WHERE id = 77"), 77, "was changed"),
        (change("UPDATE audit SET at = 9e999 WHERE id = 77"), 77, "was changed"),
        (change("UPDATE audit SET detail = CAST(detail AS BLOB) WHERE id = 77"), 77, "was changed"),
        (change("UPDATE audit SET what = x'ff' WHERE id = 77"), 77, "was changed"),
        (change("UPDATE audit SET detail = CAST(x'59ff' AS TEXT) WHERE id = 77"), 77, "was changed"),
        (change("DELETE FROM key_values WHERE key = 'audit_head'"), ROWS, "the hash of the newest row was removed"),
    ],
    ids=[
        "a byte",
        "a time",
        "removed",
        "first removed",
        "last removed",
        "reordered",
        "values swapped",
        "added",
        "added as number 0",
        "added below 0",
        "added as the lowest",
        "added as the highest",
        "null",
        "a time that is text",
        "an infinite time",
        "words that are bytes",
        "an action that is bytes",
        "text that is not UTF-8",
        "newest hash removed",
    ],
)
def test_a_change_is_found_where_it_is(
    whole: Path, tmp_path: Path, changed: Callable[[sqlite3.Connection], None], row_id: int, why: str
) -> None:
    """One flipped byte, one row removed, added or moved, among ten thousand."""
    path = tmp_path / "channel.db"
    shutil.copy(whole, path)
    with sqlite3.connect(path) as db:
        changed(db)
    with Store(path) as store:
        found = Audit(store).verify()
    assert found.broken[0].row_id == row_id
    assert why in found.broken[0].why


def test_a_value_of_the_wrong_kind_hides_no_record(tmp_path: Path) -> None:
    """Listed, exported and checked are all of them; where something else wrote, the record's number is told."""
    path = tmp_path / "channel.db"
    with Store(path) as store:
        audit = Audit(store)
        for number in range(6):
            audit.add("tap", str(number), "said")
        with store.transaction() as db:
            db.execute("UPDATE audit SET at = 9e999 WHERE id = 1")
            db.execute("UPDATE audit SET at = 'noon' WHERE id = 2")
            db.execute("UPDATE audit SET at = 1e300 WHERE id = 3")
            db.execute("UPDATE audit SET detail = x'ff', subject = x'09' WHERE id = 4")
            db.execute("UPDATE audit SET detail = CAST(x'ff' AS TEXT), what = 'forget' WHERE id = 5")
        assert [one.row_id for one in audit.verify().broken] == [1, 2, 3, 4, 5]
        lines = [audit_command.line(row) for row in audit.all()]
        assert [f"record {number}:" in line for number, line in enumerate(lines, 1)] == [True] * 4 + [False] * 2
        exported = [json.loads(json.dumps(audit_command.exported(row), allow_nan=False)) for row in audit.all()]
        assert [one.get("unreadable") for one in exported] == [["at"]] * 3 + [["subject", "detail"], None, None]
        assert audit.matching({"0", "4", "5"}, lambda words: "said" in words) == [1, 6]
        assert audit.prune(0.0, 2, 200) == 4


def test_no_new_chain_is_written_over_a_broken_one(store: Store) -> None:
    """Whoever changes a record and removes the newest hash is still found once the next record is made."""
    audit = Audit(store)
    for number in range(9):
        audit.add("tap", str(number))
    with store.transaction() as db:
        db.execute("DELETE FROM key_values WHERE key = 'audit_head'")
        db.execute("UPDATE audit SET subject = 'changed' WHERE id = 4")
    audit.add("tap", "next")
    assert [one.row_id for one in audit.verify().broken] == [4, 10]
    audit.forget(range(1, 11), "1")
    assert [one.row_id for one in audit.verify().broken] == [4, 10]


def test_ten_thousand_records_are_whole(whole: Path) -> None:
    """And the newest one's hash is told, to be kept elsewhere."""
    with Store(whole) as store:
        found = Audit(store).verify()
        assert (found.rows, found.broken) == (ROWS, ())
        assert found.head == Audit(store).latest(1)[0]["hash"]


def test_what_is_deleted_because_it_is_old_breaks_nothing(store: Store) -> None:
    """The chain goes on behind it, and what is removed by hand there is found all the same."""
    audit = Audit(store)
    for number in range(50):
        audit.add("tap", str(number))
    assert audit.prune(0.0, 30, 200) == 20
    audit.add("tap", "last")
    assert (audit.verify().rows, audit.verify().broken) == (31, ())
    with store.transaction() as db:
        db.execute("DELETE FROM audit WHERE id = 21")
    assert [one.row_id for one in audit.verify().broken] == [22]


def test_records_of_an_earlier_version_survive(tmp_path: Path) -> None:
    """They are kept as they were, and stand in the chain from the next record on."""
    path = tmp_path / "channel.db"
    before = next(n for n, step in enumerate(MIGRATIONS) if any("audit ADD COLUMN before" in sql for sql in step))
    with Store(path, migrations=MIGRATIONS[:before]) as store, store.transaction() as db:
        db.executemany("INSERT INTO audit (at, what, subject) VALUES (?, 'allow', ?)", [(n, str(n)) for n in range(9)])
    with Store(path) as store:
        audit = Audit(store)
        assert (audit.verify().rows, audit.verify().broken) == (9, ())
        audit.add("remove", "3")
        assert [row["subject"] for row in audit.all()] == [*map(str, range(9)), "3"]
        assert audit.verify().broken == ()
        with store.transaction() as db:
            db.execute("UPDATE audit SET subject = '4' WHERE id = 2")
        assert [one.row_id for one in audit.verify().broken] == [2]


def test_no_record_holds_a_secret(store: Store) -> None:
    """Whatever is recorded, kind and place stay, and the value does not."""
    audit = Audit(store)
    for secret in planted(60):
        audit.add("command", secret, f"/loop use {secret}")
        (row,) = audit.latest(1)
        assert core_of(secret) not in row["detail"] + row["subject"]
        assert SECRET in row["detail"]
