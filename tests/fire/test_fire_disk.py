"""Trouble with the disk: said clearly, nothing acknowledged, nothing overwritten, and it recovers by itself."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_channels.core.errors import StoreError
from agent_channels.core.settings.state_folder import adopt, make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.core.store.migrations import MIGRATIONS
from faults_harness import Account, inbox_states, world
from harness import Host, Stage
from wire_host import eventually

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
NOBODY = 65534


async def troubled(host: Host, word: str, timeout: float = 15) -> str:
    """The server's word on a store it cannot use."""
    status = await host.status_when(lambda s: word in str(s.get("problem")) or word in str(s.get("reader")), timeout)
    return str(status.get("problem") or status["reader"]["error"])


def limit_files(host: Host, size: int | None) -> None:
    """From now on the server's writes to files fail beyond so many bytes, as on a full disk; None: no more."""
    resource.prlimit(host.worker.pid, resource.RLIMIT_FSIZE, UNLIMITED if size is None else (size, UNLIMITED[1]))


async def test_a_disk_that_is_full_while_running(stage: Stage) -> None:
    """What cannot be stored is not acknowledged and not lost: told in the status, delivered when there is room."""
    ann = stage.person()
    host = await stage.reading()
    book = Account(hosts=[host])
    book.say(ann, "before")
    await host.event()
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
    confirmed = stage.tg.confirmed

    limit_files(host, 1)
    for number in range(3):
        book.say(ann, f"while full {number}")
    problem = await troubled(host, str(stage.state / "channel.db"))
    assert "cannot be used" in problem
    assert stage.tg.confirmed == confirmed
    assert stage.tg.pending_updates == 3
    assert len(host.events) == 1
    # A reply that cannot be written down before it goes does not go.
    mark = len(ann.inbox)
    told = await host.refused("reply", chat_id=ann.id, text="from a full disk")
    assert "cannot be used" in told
    assert len(ann.inbox) == mark

    limit_files(host, None)
    await host.take(3, 15)
    assert [event.content for event in host.events] == book.sent
    await host.done("reply", chat_id=ann.id, text="room again")
    assert (await host.status_when(lambda s: s["reader"]["state"] == "reading"))["problem"] is None
    assert inbox_states(stage.state) == {"answered": 4}
    book.check()
    assert book.duplicates() == []


async def test_a_disk_that_is_full_at_the_start(stage: Stage) -> None:
    """No room for a database: the server stays up, says so, reads nothing, and goes on when there is room."""
    shutil.rmtree(stage.state)
    make_state_folder(stage.state)
    stage.config(grace_s=0)
    host = await stage.start()
    async with asyncio.timeout(30):
        while not host.workers():  # noqa: ASYNC110 - no event tells that a process forked
            await asyncio.sleep(0)
    limit_files(host, 1)
    await host.attach()
    assert "cannot be used" in await troubled(host, "cannot be used")
    assert not [call for call in stage.tg.calls if call.method == "getUpdates"]
    assert "cannot be used" in await host.refused("reply", chat_id="1", text="x")
    limit_files(host, None)
    await stage.tg.wait_for(lambda: stage.tg.polling)
    ann = stage.person()
    ann.send("hello")
    assert (await host.event()).content == "hello"


async def test_a_database_that_is_a_folder(stage: Stage) -> None:
    """channel.db cannot be opened: every way in says so and nothing is acknowledged; moved away, it starts anew."""
    (stage.state / "channel.db").mkdir()
    ann = stage.tg.person("ann")
    ann.send("hello")
    host = await stage.host()
    problem = await troubled(host, "channel.db")
    assert "cannot be used" in problem
    for verb in (["status", "telegram"], ["inbox", "telegram"], ["access", "telegram", "status"]):
        ran = await stage.cli(*verb)
        assert ran.code == 1
        assert "channel.db" in ran.err
        assert "Traceback" not in ran.err
    assert stage.tg.confirmed == 0
    (stage.state / "channel.db").rmdir()
    code = (await ann.next_message())["text"]
    assert "pairing code" in code


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that any user can enter: pytest's own are closed to all but their owner."""
    with tempfile.TemporaryDirectory(prefix="fire-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("how", ["read-only", "closed", "cannot be made"])
async def test_a_state_folder_that_cannot_be_used(open_to_all: Path, how: str) -> None:
    """The server stays up and names the folder, nothing is acknowledged or changed; repaired, it reads."""
    root = os.geteuid() == 0
    if root and shutil.which("setpriv") is None:
        pytest.skip("permissions do not bind root, and there is no setpriv to become somebody else")
    # Root is not bound by permissions: the server runs as nobody then.
    before = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if root else []
    async with world(open_to_all / "world") as stage:
        ann = stage.person()
        ann.send("hello")
        # The list of the user's own folders is that user's too.
        stage.env["CHANNELS_DATA_DIR"] = str(stage.folder / "data")
        adopt(stage.state, stage.folder / "data")
        kept = {path.name: path.read_bytes() for path in stage.state.iterdir()}
        if root:
            for path in [stage.folder, *stage.folder.rglob("*")]:
                os.chown(path, NOBODY, NOBODY)
        aside = open_to_all / "aside"
        if how == "cannot be made":
            stage.state.rename(aside)
            stage.folder.chmod(0o500)
        else:
            for path in stage.state.iterdir():
                path.chmod(0o400)
            stage.state.chmod(0o500 if how == "read-only" else 0)
        host = await stage.start(before=before)
        await host.attach()
        problem = await troubled(host, "cannot be used")
        assert str(stage.state) in problem
        assert "permissions" in problem
        assert "Traceback" not in host.log()
        assert stage.tg.confirmed == 0
        assert str(stage.state) in await host.refused("reply", chat_id=ann.id, text="x")

        stage.folder.chmod(0o700)
        if how == "cannot be made":
            aside.rename(stage.state)
        else:
            stage.state.chmod(0o700)
            assert {path.name: path.read_bytes() for path in stage.state.iterdir()} == kept
            for path in stage.state.iterdir():
                path.chmod(0o600)
        assert (await host.event()).content == "hello"


def damage_middle(path: Path) -> bytes:
    """Overwrites the middle of every page but the first, header and schema stay readable; returns the file."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("damage", ["garbage", "in the middle", "truncated"])
async def test_a_damaged_database_is_kept_aside_and_named(stage: Stage, damage: str) -> None:
    """A damaged file is not touched, a copy is kept and named in the error; without it, everything starts anew."""
    ann = stage.person()
    first = await stage.reading()
    ann.send("before")
    await first.event()
    await first.kill()
    path = stage.state / "channel.db"
    if damage == "garbage":
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        data = b"this is no database" * 1000
        path.write_bytes(data)
    else:
        data = damage_middle(path)
        if damage == "truncated":
            data = data[: len(data) // 2]
            path.write_bytes(data)
    confirmed = stage.tg.confirmed
    ann.send("after the damage")
    host = await stage.host()
    problem = await troubled(host, "channel.db.damaged-")
    copy = Path(problem.partition("kept as ")[2].split()[0].rstrip("."))
    assert copy.read_bytes() == data  # noqa: ASYNC240 - one small file
    assert copy.stat().st_mode & 0o077 == 0  # noqa: ASYNC240 - as above
    assert path.read_bytes() == data
    assert stage.tg.confirmed == confirmed
    ran = await stage.cli("status", "telegram")
    assert ran.code == 1
    assert "damaged" in ran.err or "not a database" in ran.err
    # One copy, however often it was tried.
    assert len([name for name in stage.state.glob("channel.db.damaged-*") if not name.name.endswith("-wal")]) == 1
    assert path.read_bytes() == data

    # The way out that the error names: move it away. The running server goes on with a new one.
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    assert "pairing code" in (await ann.next_message())["text"]


async def test_a_database_damaged_while_running(stage: Stage) -> None:
    """Damage that shows while reading: told, nothing acknowledged that is not stored, the file not written over."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("before")
    await host.event()
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
    confirmed = stage.tg.confirmed
    path = stage.state / "channel.db"
    data = damage_middle(path)
    for number in range(3):
        ann.send(f"after {number}")
    problem = await troubled(host, "damaged", 30)
    assert "channel.db.damaged-" in problem
    assert stage.tg.confirmed == confirmed
    assert path.read_bytes() == data


async def test_a_newer_schema_is_left_alone(stage: Stage) -> None:
    """A database of a newer version: refused with both numbers, not changed, nothing acknowledged."""
    stage.person().send("hello")
    path = stage.state / "channel.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    data = path.read_bytes()
    host = await stage.host()
    problem = await troubled(host, "newer version")
    assert "schema 99" in problem
    assert f"knows {len(MIGRATIONS)}" in problem
    ran = await stage.cli("inbox", "telegram")
    assert ran.code == 1
    assert "newer version" in ran.err
    assert path.read_bytes() == data
    assert stage.tg.confirmed == 0
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.close()
    assert (await host.event()).content == "hello"


# A migration that fills a table for a long time: it is killed in the middle of that.
MIGRATING = """
import sys
from pathlib import Path
from agent_channels.core.store.migrations import MIGRATIONS
from agent_channels.core.settings.state_folder import adopt, make_state_folder
from agent_channels.core.store.database import Store

SLOW = (
    "CREATE TABLE filled (n INTEGER, text TEXT)",
    "INSERT INTO filled WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000000) "
    "SELECT n, hex(randomblob(50)) FROM c",
)
print("migrating", flush=True)
Store(Path(sys.argv[1]), migrations=(*MIGRATIONS, SLOW))
"""


async def test_a_kill_in_the_middle_of_a_migration(stage: Stage) -> None:
    """SIGKILL while the schema is changed: nothing of the change stays, the data is whole, the next start works."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("kept")
    await host.event()
    await host.kill()
    path = stage.state / "channel.db"
    wal = path.with_name("channel.db-wal")
    env = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MIGRATING, str(path), stdout=asyncio.subprocess.PIPE, env=env
    )
    try:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"migrating\n"
        # In the middle of it: the write-ahead log is growing by megabytes.
        await eventually(lambda: wal.exists() and wal.stat().st_size >= 4_000_000, "a long log")
    finally:
        child.send_signal(signal.SIGKILL)
        await child.communicate()
    with Store(path) as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS)
        assert store.value("PRAGMA integrity_check") == "ok"
        assert store.value("SELECT count(*) FROM sqlite_master WHERE name = 'filled'") == 0
    again = await stage.host()
    event = await again.event()
    assert (event.content, event.meta["redelivered"]) == ("kept", "true")


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """An error in the second of two statements undoes the first, and the next version can still migrate."""
    path = tmp_path / "channel.db"
    broken = ("CREATE TABLE one (n)", "CREATE TABLE two (this is no SQL at all")
    Store(path).close()
    with pytest.raises(StoreError):
        Store(path, migrations=(*MIGRATIONS, broken))
    with Store(path, migrations=(*MIGRATIONS, ("CREATE TABLE one (n)",))) as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS) + 1


async def test_many_processes_migrate_one_old_database(stage: Stage) -> None:
    """Six processes that meet a database of the first version: it is migrated once, and all of them can use it."""
    path = stage.state / "channel.db"
    Store(path, migrations=MIGRATIONS[:1]).close()
    ran = await asyncio.gather(*(stage.cli("inbox", "telegram", "--json") for _ in range(6)))
    assert [one.err for one in ran if one.code] == []
    with Store(path) as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS)
