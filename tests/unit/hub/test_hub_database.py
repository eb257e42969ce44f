"""The hub's database on both engines: transactions, migrations, what is refused, and what passes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import anyio
import psycopg
import pytest

from agent_channels.core.errors import HubRefused, HubUnavailable, StoreError
from agent_channels.core.hub import postgres_database, sqlite_database
from agent_channels.core.hub.address import HubAddress
from agent_channels.core.hub.database import HubDatabase
from agent_channels.core.hub.migrations import MIGRATIONS
from agent_channels.core.hub.project_hub import open_database
from faults_harness import Gate
from hubs import BOT, Hub
from postgres import Cluster


@pytest.fixture
async def db(made_hub: Hub) -> AsyncIterator[HubDatabase]:
    opened = open_database(made_hub.address, BOT)
    yield opened
    await opened.close()


async def put_cursor(db: HubDatabase, name: str, value: str) -> None:
    async with db.transaction() as tx:
        await tx.execute("INSERT INTO cursors (bot, name, value) VALUES (?, ?, ?)", BOT, name, value)


async def cursors(db: HubDatabase) -> dict[str, str]:
    async with db.transaction() as tx:
        return {row["name"]: row["value"] for row in await tx.rows("SELECT name, value FROM cursors")}


async def test_a_transaction_that_fails_changes_nothing(db: HubDatabase) -> None:
    """All of it or nothing, and the next one works."""

    async def fail() -> None:
        async with db.transaction() as tx:
            await tx.execute("INSERT INTO cursors (bot, name, value) VALUES (?, ?, ?)", BOT, "a", "1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await cursors(db) == {}
    await put_cursor(db, "b", "2")
    assert await cursors(db) == {"b": "2"}


async def test_a_statement_that_fails_is_an_error_of_ours(db: HubDatabase) -> None:
    """A broken constraint becomes a `StoreError`, and leaves the database usable."""
    await put_cursor(db, "a", "1")
    with pytest.raises(StoreError):
        await put_cursor(db, "a", "2")
    assert await cursors(db) == {"a": "1"}


async def test_statements_at_once_are_one_transaction(db: HubDatabase) -> None:
    """The rows of each come back in order; one that fails undoes the others, and the database stays usable."""
    put = "INSERT INTO cursors (bot, name, value) VALUES (?, ?, ?) RETURNING value"
    first, none, second = await db.at_once(
        (put, (BOT, "a", "1")), ("DELETE FROM cursors WHERE name = ?", ("z",)), (put, (BOT, "b", "2"))
    )
    assert ([row["value"] for row in first], none, [row["value"] for row in second]) == (["1"], [], ["2"])
    with pytest.raises(StoreError):
        await db.at_once((put, (BOT, "c", "3")), (put, (BOT, "a", "4")), (put, (BOT, "d", "5")))
    await db.sync()
    assert await cursors(db) == {"a": "1", "b": "2"}


async def test_what_fails_for_what_a_connection_remembers_fails_once(made_hub: Hub, db: HubDatabase) -> None:
    """A statement that was prepared before a newer program added a column works at the next try."""

    async def ask() -> int:
        async with db.reading() as tx:
            return len(await tx.rows("SELECT * FROM cursors"))

    await put_cursor(db, "a", "1")
    for _ in range(8):
        await ask()
    made_hub.execute("ALTER TABLE cursors ADD COLUMN mood TEXT")
    with contextlib.suppress(StoreError):
        await ask()
    assert await ask() == 1


async def test_tasks_of_one_process_take_turns(db: HubDatabase) -> None:
    """None sees half of another's work, though each awaits in the middle of its own."""

    async def count_up() -> None:
        async with db.transaction() as tx:
            rows = await tx.rows("SELECT value FROM cursors WHERE name = 'n'")
            await anyio.lowlevel.checkpoint()
            await tx.execute("UPDATE cursors SET value = ? WHERE name = 'n'", str(int(rows[0]["value"]) + 1))

    await put_cursor(db, "n", "0")
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(count_up)
    assert await cursors(db) == {"n": "20"}


@pytest.mark.parametrize("text", ["zero\0byte", "half \ud83d letter", "whole 🙂 létter", "%s ? {now}"])
async def test_any_text_can_be_kept(db: HubDatabase, text: str) -> None:
    """What a database cannot keep becomes a replacement character; everything else comes back as it was."""
    await put_cursor(db, "text", text)
    found = (await cursors(db))["text"]
    assert found == (text if text.isprintable() else found)
    assert (
        found.replace("\ufffd", "").replace("?", "")
        in text.replace("?", "").replace("\0", "").encode("utf-8", "ignore").decode()
        or found == text
    )


async def test_many_that_open_an_empty_database_at_once_make_it_once(made_hub: Hub) -> None:
    """Each finds the whole schema, whoever made it."""
    opened = [open_database(made_hub.address, BOT) for _ in range(6)]
    async with anyio.create_task_group() as group:
        for number, one in enumerate(opened):
            group.start_soon(put_cursor, one, str(number), "x")
    assert sorted(await cursors(opened[0])) == list("012345")
    for one in opened:
        await one.close()


async def test_a_newer_schema_is_refused(made_hub: Hub) -> None:
    """An older program says which schema it met, changes nothing, and says what to do."""
    newer = open_database(made_hub.address, BOT, migrations=[*MIGRATIONS, ["ALTER TABLE bots ADD COLUMN mood TEXT"]])
    await put_cursor(newer, "a", "1")
    await newer.close()
    older = open_database(made_hub.address, BOT)
    with pytest.raises(
        HubRefused, match=rf"schema {len(MIGRATIONS) + 1}, this program knows {len(MIGRATIONS)}"
    ) as told:
        await put_cursor(older, "b", "2")
    assert "channels update" in str(told.value)
    await older.close()
    assert made_hub.execute("SELECT name FROM cursors") == [("a",)]


async def test_an_older_schema_is_migrated_under_those_that_have_it_open(made_hub: Hub) -> None:
    """A program of the older version goes on with what it has open."""
    older = open_database(made_hub.address, BOT)
    await put_cursor(older, "a", "1")
    newer = open_database(made_hub.address, BOT, migrations=[*MIGRATIONS, ["ALTER TABLE bots ADD COLUMN mood TEXT"]])
    await put_cursor(newer, "b", "2")
    await put_cursor(older, "c", "3")
    assert await cursors(newer) == {"a": "1", "b": "2", "c": "3"}
    await older.close()
    await newer.close()


async def test_a_migration_that_fails_leaves_the_old_schema(made_hub: Hub) -> None:
    """Half a migration would be no schema at all."""
    broken = open_database(made_hub.address, BOT, migrations=[*MIGRATIONS, ["CREATE TABLE mood (a TEXT)", "nonsense"]])
    with pytest.raises(StoreError):
        await put_cursor(broken, "a", "1")
    await broken.close()
    whole = open_database(made_hub.address, BOT)
    await put_cursor(whole, "a", "1")
    async with whole.transaction() as tx:
        assert [row["version"] for row in await tx.rows("SELECT version FROM hub_schema")] == [len(MIGRATIONS)]
    await whole.close()


async def test_nothing_goes_into_a_file_that_was_replaced(made_hub: Hub, db: HubDatabase) -> None:
    """What would be acknowledged is refused, and the next one goes into the file that everybody else opens."""
    if made_hub.path is None:
        pytest.skip("only SQLite is a file")
    await put_cursor(db, "a", "1")
    for file in made_hub.path.parent.glob(f"{made_hub.path.name}*"):
        file.unlink()
    made_hub.path.touch(0o600)
    with pytest.raises(HubUnavailable, match="moved or replaced"):
        await db.sync()
    with pytest.raises(HubUnavailable, match="moved or replaced"):
        await put_cursor(db, "b", "1")
    await put_cursor(db, "b", "2")
    await db.sync()
    other = open_database(made_hub.address, BOT)
    assert await cursors(other) == {"b": "2"}
    await other.close()


async def test_a_hub_of_this_machine_that_is_held_passes(
    made_hub: Hub, db: HubDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process's long transaction is waited for within a bound, without stopping this process's other tasks."""
    if made_hub.path is None:
        pytest.skip("only SQLite has one writer")
    await put_cursor(db, "a", "1")
    monkeypatch.setattr(sqlite_database, "ANSWER_WITHIN_S", 1.0)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await anyio.sleep(0.01)
            ticks += 1

    with made_hub.held():
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            with pytest.raises(HubUnavailable, match="held by another process"):
                await put_cursor(db, "b", "2")
            group.cancel_scope.cancel()
    assert ticks > 1
    await put_cursor(db, "b", "2")
    assert await cursors(db) == {"a": "1", "b": "2"}


# ---- PostgreSQL alone


async def test_a_connection_that_breaks_is_made_again(cluster: Cluster) -> None:
    """Cut in the middle of a transaction: nothing is committed, it is told as what passes, and the next one works."""
    name = cluster.create()
    async with Gate(cluster.port) as gate:
        db = open_database(Hub(cluster.url(name, gate.port), None, cluster, name).address, BOT)
        await put_cursor(db, "a", "1")

        async def cut() -> None:
            async with db.transaction() as tx:
                await tx.execute("INSERT INTO cursors (bot, name, value) VALUES (?, ?, ?)", BOT, "b", "2")
                await gate.refuse()

        with pytest.raises(HubUnavailable, match="cannot be reached"):
            await cut()
        with pytest.raises(HubUnavailable, match="is the database running"):
            await put_cursor(db, "c", "3")
        await gate.open()
        await put_cursor(db, "d", "4")
        assert await cursors(db) == {"a": "1", "d": "4"}
        await db.close()


def test_a_password_that_is_missing_is_asked_for() -> None:
    """It says where it goes, instead of asking whether the database runs, which has just answered."""
    address = HubAddress.of("postgresql://me@127.0.0.1/hub", {})
    with pytest.raises(HubRefused, match="PGPASSWORD="), postgres_database.explained(address):
        raise psycopg.OperationalError("connection failed: fe_sendauth: no password supplied")


async def test_a_database_that_hangs_is_given_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never comes ends in a bounded time, and the next try takes a new connection."""
    name = cluster.create()
    async with Gate(cluster.port) as gate:
        db = open_database(Hub(cluster.url(name, gate.port), None, cluster, name).address, BOT)
        await put_cursor(db, "a", "1")
        gate.forget()
        with monkeypatch.context() as patch:
            patch.setattr(postgres_database, "ANSWER_WITHIN_S", 0.2)
            with pytest.raises(HubUnavailable, match="did not answer within"):
                await put_cursor(db, "b", "2")
        await put_cursor(db, "c", "3")
        assert "c" in await cursors(db)
        await db.close()


async def test_a_database_of_another_program_is_left_alone(cluster: Cluster) -> None:
    """Its tables may have the same names: the hub wants a database of its own, and says so."""
    name = cluster.create_database()
    cluster.execute(name, "CREATE TABLE events (id int)")
    db = open_database(Hub(cluster.url(name), None, cluster, name).address, BOT)
    with pytest.raises(HubRefused, match="a database of its own"):
        await put_cursor(db, "a", "1")
    await db.close()
    tables = cluster.execute(name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert tables == [("events",)]


async def test_a_database_that_cannot_keep_every_letter_is_refused(cluster: Cluster) -> None:
    """The refusal says how to make one that can."""
    name = cluster.create_database(encoding="LATIN1")
    db = open_database(Hub(cluster.url(name), None, cluster, name).address, BOT)
    with pytest.raises(HubRefused, match=r"keeps text as LATIN1.*ENCODING 'UTF8'"):
        await put_cursor(db, "a", "1")
    await db.close()


async def test_an_old_server_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which version is needed."""
    monkeypatch.setattr(postgres_database, "POSTGRESQL_MIN", 990_000)
    name = cluster.create()
    db = open_database(Hub(cluster.url(name), None, cluster, name).address, BOT)
    with pytest.raises(HubRefused, match="needs 99 or newer"):
        await put_cursor(db, "a", "1")
    await db.close()


async def test_an_old_sqlite_is_refused(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which version is needed, and what else there is."""
    monkeypatch.setattr(sqlite_database, "SQLITE_MIN", (9, 9))
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path))
    db = open_database(Hub("local", None, None).address, BOT)
    with pytest.raises(HubRefused, match=r"needs SQLite 9\.9"):
        await put_cursor(db, "a", "1")
    await db.close()


async def test_a_user_without_rights_is_told_what_is_missing(cluster: Cluster) -> None:
    """Who may connect and not make tables learns what the owner of the database has to do."""
    name = cluster.create_database()
    cluster.execute(name, "DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    text = cluster.url(name).replace("tests@", "guest@")
    db = open_database(Hub(text, None, cluster, name).address, BOT)
    with pytest.raises(HubRefused, match="ALTER DATABASE"):
        await put_cursor(db, "a", "1")
    await db.close()


async def test_a_database_that_can_only_be_read_is_refused(cluster: Cluster) -> None:
    """Before anything was made in it, and later; it says how it can be written to."""
    for made in (False, True):
        name = cluster.create_database()
        address = Hub(cluster.url(name), None, cluster, name).address
        if made:
            db = open_database(address, BOT)
            await put_cursor(db, "a", "1")
            await db.close()
        cluster.execute(name, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        db = open_database(address, BOT)
        with pytest.raises(HubRefused, match="give the address of the primary server, or allow writing"):
            await put_cursor(db, "b", "2")
        await db.close()


async def test_a_database_that_is_not_there_is_for_the_operator(cluster: Cluster) -> None:
    """Trying again does not help, so it is refused and not called unreachable."""
    db = open_database(Hub(cluster.url("no_such_database"), None, cluster).address, BOT)
    with pytest.raises(HubRefused, match="no_such_database"):
        await put_cursor(db, "a", "1")
    await db.close()
