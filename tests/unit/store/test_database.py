"""The database: migrated step by step or not at all, shared by processes, and never spoilt by what is wrong with it."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent_channels.core.errors import StoreError
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store import database
from agent_channels.core.store.database import Store
from agent_channels.core.store.health import Health
from agent_channels.core.store.migrations import MIGRATIONS
from unprivileged import unprivileged

COUNTING = (("CREATE TABLE tally (n INTEGER PRIMARY KEY)",),)


def schema(store: Store) -> list[str]:
    rows = store.rows("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
    return [row["name"] for row in rows]


# ---- opening


def test_a_database_is_made_from_nothing(tmp_path: Path) -> None:
    """Folder and file are made, for their owner only, with every table, in WAL mode."""
    with Store.open(tmp_path / "deep/state") as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS)
        assert store.value("PRAGMA journal_mode") == "wal"
        assert store.value("PRAGMA foreign_keys") == 1
        assert {"inbox", "people", "groups", "pairings", "panels", "presses", "outbox", "audit"} <= set(schema(store))
        assert store.path.parent.stat().st_mode & 0o777 == 0o700
        for file in store.path.parent.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    """An existing state folder loses the rights of others."""
    folder = tmp_path / "state"
    make_state_folder(folder).chmod(0o755)
    with Store.open(folder) as store:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert store.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", range(1, len(MIGRATIONS) + 1))
def test_every_older_schema_is_brought_up_with_its_rows(tmp_path: Path, number: int) -> None:
    """From each version that ever shipped to this one; what was in it stays."""
    path = tmp_path / "channel.db"
    with Store(path, migrations=MIGRATIONS[:number]) as old:
        assert old.value("PRAGMA user_version") == number
        with old.transaction() as db:
            db.execute("INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at) VALUES (1, 2, 3, 4, 5)")
    with Store(path) as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS)
        assert store.value("SELECT payload FROM inbox WHERE delivery_id = '3'") == "4"
        upgraded = schema(store)
    with Store(tmp_path / "fresh.db") as fresh:
        assert upgraded == schema(fresh)


def test_a_migration_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    """All of a migration or none of it: the old schema stays usable, and a repaired program goes on from there."""
    path = tmp_path / "channel.db"
    broken = (*COUNTING, ("CREATE TABLE more (x)", "INSERT INTO tally VALUES (1)", "CREATE TABLE nonsense ("))
    Store(path, migrations=COUNTING).close()
    with pytest.raises(StoreError, match="cannot be used"):
        Store(path, migrations=broken)
    with Store(path, migrations=COUNTING) as store:
        assert schema(store) == ["tally"]
        assert store.value("SELECT count(*) FROM tally") == 0
    with Store(path, migrations=(*COUNTING, ("CREATE TABLE more (x)",))) as store:
        assert schema(store) == ["more", "tally"]


def test_a_program_of_an_older_version_is_not_stopped(tmp_path: Path) -> None:
    """While it has the database open nothing is migrated: the newer one says what to do, and does it later."""
    path = tmp_path / "channel.db"
    before = MIGRATIONS[:-1]
    with Store(path, migrations=before) as old:
        with pytest.raises(StoreError, match="still open in a program of an older version"):
            Store(path)
        assert old.value("PRAGMA user_version") == len(before)
        with old.transaction() as db:
            db.execute("INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at) VALUES (1, 2, 3, 4, 5)")
    with Store(path) as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS)
        assert store.value("PRAGMA journal_mode") == "wal"


def test_several_that_migrate_at_once_do_not_block_each_other(tmp_path: Path) -> None:
    """A server, hooks and verbs of the new version may start in the same moment: each of them opens it."""
    path = tmp_path / "channel.db"
    for _ in range(3):
        path.unlink(missing_ok=True)
        Store(path, migrations=MIGRATIONS[:-1]).close()
        with ThreadPoolExecutor(4) as pool:
            versions = list(pool.map(_opened_version, [path] * 4))
        assert versions == [len(MIGRATIONS)] * 4


def _opened_version(path: Path) -> int:
    with Store(path) as store:
        return int(store.value("PRAGMA user_version"))


def test_a_database_can_be_read_as_it_is(tmp_path: Path) -> None:
    """Another project's program migrates it itself."""
    path = tmp_path / "channel.db"
    Store(path, migrations=MIGRATIONS[:-1]).close()
    with Store(path, migrations=None) as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS) - 1


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """An older program does not write into what a newer one made, and says what to do."""
    path = tmp_path / "channel.db"
    Store(path, migrations=(*MIGRATIONS, *COUNTING)).close()
    before = path.read_bytes()
    newer, known = len(MIGRATIONS) + 1, len(MIGRATIONS)
    with pytest.raises(StoreError, match=rf"newer version \(schema {newer}, this program knows {known}\); update"):
        Store(path)
    assert path.read_bytes() == before


# ---- what is wrong with a file


def garbage(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(b"This is somebody's diary, and no database at all.\n" * 100)


def cut_off(path: Path) -> None:
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("spoil", [garbage, cut_off])
def test_what_is_no_database_is_said_and_not_touched(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A file that is something else or damaged gives a clear sentence, and keeps every byte."""
    path = tmp_path / "channel.db"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=f"the database {path} cannot be used: .*move it away to start afresh"):
        Store(path)
    assert path.read_bytes() == before


def test_odd_bytes_in_a_name_are_damage(tmp_path: Path) -> None:
    """SQLite's own words about them cannot be decoded; the sentence is the one for any damage."""
    path = tmp_path / "channel.db"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET name = CAST(x'fffe' AS TEXT), sql = 'oops' WHERE name = 'inbox'")
    db.close()
    with pytest.raises(StoreError, match=r"it is damaged, .*move it away to start afresh"), Store(path) as store:
        store.rows("SELECT * FROM inbox")


def test_an_odd_value_is_damage_too(tmp_path: Path) -> None:
    """Text that is no text ends in a sentence at once, and a value of another kind where somebody works with it."""
    path = tmp_path / "channel.db"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO key_values VALUES ('odd', CAST(x'fffe' AS TEXT)), ('number', 'three')")
    db.close()
    with pytest.raises(StoreError, match=r"it is damaged, .*move it away"), Store(path) as store:
        store.value("SELECT value FROM key_values WHERE key = 'odd'")
    with (
        pytest.raises(StoreError, match=r"holds a value that cannot be read .*three.*move it away"),
        Store(path) as store,
    ):
        float(store.value("SELECT value FROM key_values WHERE key = 'number'"))


def test_a_folder_in_the_databases_place_is_said(tmp_path: Path) -> None:
    """Whatever stands there instead of a file."""
    (tmp_path / "channel.db").mkdir()
    with pytest.raises(StoreError, match=r"cannot be used: Is a directory"):
        Store(tmp_path / "channel.db")


def test_a_file_that_may_not_be_written_is_said_and_not_touched() -> None:
    """A read-only database is not used half: the sentence says so, and the file keeps every byte."""
    with unprivileged() as folder:
        path = folder / "state/channel.db"
        Store(path).close()
        before = path.read_bytes()
        path.chmod(0o400)
        path.parent.chmod(0o500)
        with pytest.raises(StoreError, match=r"cannot be used: Permission denied"):
            Store(path)
        assert path.read_bytes() == before


def test_a_store_that_somebody_holds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another process keeps the write lock for too long, the writer learns which file and why."""
    monkeypatch.setattr("agent_channels.core.store.database.BUSY_TIMEOUT_MS", 50)
    with Store(tmp_path / "channel.db") as store, Store(tmp_path / "channel.db") as other, other.transaction():
        with pytest.raises(StoreError, match="another process has held it"), store.transaction():
            pytest.fail("two writers at once")
        assert store.rows("SELECT * FROM people") == []


# ---- transactions


@pytest.fixture
def tally(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "channel.db", migrations=COUNTING) as store:
        yield store


def add(store: Store, n: int) -> None:
    with store.transaction() as db:
        db.execute("INSERT INTO tally VALUES (?)", (n,))


def add_two(store: Store, n: int) -> None:
    add(store, n)
    add(store, n + 1)


def failing(store: Store, n: int) -> None:
    add(store, n)
    raise RuntimeError("on purpose")


def numbers(store: Store) -> list[int]:
    return [row["n"] for row in store.rows("SELECT n FROM tally ORDER BY n")]


def test_an_error_undoes_the_whole_transaction(tally: Store) -> None:
    """Nothing of a transaction that failed is kept, and the next one works."""
    with pytest.raises(RuntimeError, match="on purpose"), tally.transaction():
        failing(tally, 1)
    assert numbers(tally) == []
    add(tally, 2)
    assert numbers(tally) == [2]


def test_a_nested_write_joins_the_outer_one(tally: Store) -> None:
    """What services write inside a transaction is committed with it, not before."""
    with Store(tally.path, migrations=COUNTING) as other:
        with tally.transaction():
            add(tally, 1)
            with tally.transaction():
                add(tally, 2)
            assert numbers(other) == []
        assert numbers(other) == [1, 2]


def test_a_part_is_undone_alone(tally: Store) -> None:
    """One event of a batch that fails takes nothing else with it."""
    with tally.transaction():
        add(tally, 1)
        with pytest.raises(RuntimeError, match="on purpose"), tally.savepoint():
            failing(tally, 2)
        with tally.savepoint():
            add(tally, 3)
            with pytest.raises(RuntimeError, match="on purpose"), tally.savepoint():
                failing(tally, 4)
    assert numbers(tally) == [1, 3]


def test_a_statement_the_database_refuses_is_a_store_error(tally: Store) -> None:
    """What SQLite says arrives as ours, naming the file, and the transaction is undone."""
    add(tally, 2)
    with pytest.raises(StoreError, match="UNIQUE"), tally.transaction():
        add_two(tally, 1)
    assert numbers(tally) == [2]


def test_another_connections_commit_is_noticed(tally: Store) -> None:
    """The revision changes when somebody else commits, and only then."""
    with Store(tally.path, migrations=COUNTING) as other:
        before = tally.revision()
        add(tally, 1)
        assert tally.revision() == before
        add(other, 2)
        assert tally.revision() != before


WRITER = """
import sys
from pathlib import Path
from agent_channels.core.store.database import Store
start = int(sys.argv[2])
with Store(Path(sys.argv[1]), migrations=(("CREATE TABLE tally (n INTEGER PRIMARY KEY)",),)) as store:
    for n in range(start, start + 150):
        with store.transaction() as db:
            count = store.value("SELECT count(*) FROM tally")
            db.execute("INSERT INTO tally VALUES (?)", (n,))
            assert store.value("SELECT count(*) FROM tally") == count + 1
"""


async def test_two_processes_create_and_write_together(tmp_path: Path) -> None:
    """Both make the database at the same moment and queue for the write lock: every row is there, none is refused."""
    path = tmp_path / "state/channel.db"
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(path), str(start), stderr=asyncio.subprocess.PIPE
        )
        for start in (0, 1000)
    ]
    async with asyncio.timeout(60):
        said = [(await writer.communicate())[1].decode() for writer in writers]
    assert ([writer.returncode for writer in writers], said) == ([0, 0], ["", ""])
    with Store(path, migrations=COUNTING) as store:
        assert len(numbers(store)) == 300


async def test_a_long_log_is_moved_while_nobody_commits(tally: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By `sync`, beside everything else: no commit has to wait for it, and the next one begins the log anew."""
    monkeypatch.setattr(database, "MOVE_AFTER", 100)
    log = tally.path.with_name(tally.path.name + "-wal")

    for number in range(200):
        add(tally, number)
    before = tally.path.stat().st_mtime_ns
    await tally.sync()
    assert tally.path.stat().st_mtime_ns > before
    length = log.stat().st_size
    for number in range(200, 300):
        add(tally, number)
    assert log.stat().st_size == length
    assert len(numbers(tally)) == 300


async def test_durable_means_on_disk(tally: Store) -> None:
    """It returns after a commit, and says so when the disk is gone."""
    add(tally, 1)
    await tally.sync()
    for file in tally.path.parent.iterdir():
        file.unlink()
    with pytest.raises(StoreError, match=r"cannot be used: No such file"):
        await tally.sync()


def test_what_a_full_disk_did_not_take_of_the_status_is_known_and_written_later(tmp_path: Path) -> None:
    """The process itself knows it at once; every other one once there is room."""
    with Store.open(tmp_path) as store, Store.open(tmp_path) as other:
        health = Health(store)
        health.set_state("reading", "")
        with other.transaction(), store.waiting_at_most(0):
            health.set_state("store", "the disk is full")
            assert health.read()["reader"] == "store"
            assert health.get("error") == "the disk is full"
            assert Health(other).get("reader") == "reading"
        health.add_note("")
        assert Health(other).get("reader") == "store"
        assert Health(other).get("error") == "the disk is full"
