"""`channels backup` and `restore`: the state in one private file, and back; an archive is trusted in nothing."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent_channels.core.store.backup import write_backup
from agent_channels.core.store.database import Store
from agent_channels.core.store.migrations import MIGRATIONS
from harness import Stage

STATES = sorted((Path(__file__).parents[1] / "states").glob("*.sql"))


def entries(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def kept(stage: Stage) -> list[Path]:
    return sorted(path for path in stage.state.parent.iterdir() if path.name.startswith(f"{stage.state.name}."))


async def test_a_running_project_is_saved_and_brought_back(stage: Stage) -> None:
    """While the server runs; what was open is offered once more, with its mark; what was there before is kept."""
    ann = stage.person("ann")
    (stage.state / ".env").write_text(f"TELEGRAM_BOT_TOKEN={stage.tg.token}\n")
    (stage.state / "files").mkdir(mode=0o700)
    (stage.state / "files" / "20260101-aa.txt").write_text("a picture")
    (stage.state / "files" / "link").symlink_to("/etc/passwd")
    host = await stage.reading()
    ann.send("answered")
    answered = await host.event()
    await host.done("reply", chat_id=str(ann.id), text="yes")
    ann.send("open")
    event = await host.event()

    plain, whole = stage.folder / "plain.zip", stage.folder / "whole.zip"
    saved = await stage.cli("backup", str(plain), "--json")
    assert (saved.code, saved.json["with_secrets"]) == (0, False)
    assert entries(plain) == {"telegram/channel.db", "telegram/config.yaml", "manifest.json"}
    assert stat.S_IMODE(plain.stat().st_mode) == 0o600
    said = await stage.cli("backup", str(whole), "--with-files", "--with-secrets")
    assert "1 file (9 bytes)" in said.out
    assert "the bots' tokens are in it" in said.out
    assert entries(whole) == entries(plain) | {"telegram/.env", "telegram/files/20260101-aa.txt"}
    # The message that is answered after the backup was made is open in it.
    await host.done("reply", chat_id=str(ann.id), text="done")
    again = await stage.cli("backup", str(plain))
    assert again.code == 1
    assert "overwrites nothing" in again.err

    running = await stage.cli("restore", str(whole), "--yes")
    assert running.code == 1
    assert "a server or a hook has the state of telegram open" in running.err
    assert kept(stage) == []
    await host.close()
    asked = await stage.cli("restore", str(whole))
    assert asked.code == 1
    assert "nobody to ask; repeat the command with --yes" in asked.err
    assert kept(stage) == []

    restored = await stage.cli("restore", str(plain), "--yes")
    assert restored.code == 0, restored.err
    assert f"telegram: what {stage.state} will hold\n" in restored.out
    assert ".env         not in the backup: this project's own stays" in restored.out
    assert f"paired       {ann.id} ann" in restored.out
    assert "1 open message will be offered again" in restored.out
    (before,) = kept(stage)
    assert str(before) in restored.out
    # Without the token in the backup, this project's own stays.
    assert stage.tg.token in (stage.state / ".env").read_text()
    assert (before / "files" / "20260101-aa.txt").exists()
    back = await stage.reading()
    offered = await back.event()
    assert (offered.meta["delivery_id"], offered.meta["redelivered"]) == (event.meta["delivery_id"], "true")
    ann.send("next")
    assert (await back.event()).content == "next"
    assert all(e.meta["delivery_id"] != answered.meta["delivery_id"] for e in back.events)
    await back.close()

    shutil.rmtree(stage.state)
    fresh = await stage.cli("restore", str(whole), "--yes", "--json", TELEGRAM_BOT_TOKEN=None)
    assert fresh.json["restored"][0]["kept"] is None
    assert (stage.state / "files" / "20260101-aa.txt").read_text() == "a picture"
    assert (await stage.cli("status", "telegram", TELEGRAM_BOT_TOKEN=None)).code == 0


def older(folder: Path, fill: Callable[[sqlite3.Connection], object]) -> None:
    for path in folder.glob("channel.db*"):
        path.unlink()
    with closing(sqlite3.connect(folder / "channel.db")) as db:
        fill(db)
    (folder / "channel.db").chmod(0o600)


@pytest.mark.parametrize("schema", [*(path.stem for path in STATES), *range(1, len(MIGRATIONS) + 1)])
async def test_every_schema_comes_back(stage: Stage, schema: int | str) -> None:
    """A backup of whatever version's state is restored, and then of this version's schema; its rows are there."""
    if isinstance(schema, int):
        (stage.state / "channel.db").unlink(missing_ok=True)
        with Store(stage.state / "channel.db", migrations=MIGRATIONS[:schema]) as old, old.transaction() as db:
            db.execute(
                "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at) VALUES (1, 2, '1.2', '', 5)"
            )
    else:
        older(stage.state, lambda db: db.executescript((STATES[0].parent / f"{schema}.sql").read_text()))
    with Store(stage.state / "channel.db", migrations=None) as store:
        rows = store.value("SELECT count(*) FROM inbox")
        version = store.value("PRAGMA user_version")
    target = stage.folder / "backup.zip"
    assert (await stage.cli("backup", str(target))).code == 0
    with Store(stage.state / "channel.db", migrations=None) as store:
        assert store.value("PRAGMA user_version") == version
    restored = await stage.cli("restore", str(target), "--yes")
    assert restored.code == 0, restored.err
    with Store.open(stage.state) as store:
        assert store.value("PRAGMA user_version") == len(MIGRATIONS)
        assert store.value("SELECT count(*) FROM inbox") == rows
        assert store.value("SELECT count(*) FROM inbox WHERE offers = 0 AND state = 'raw'") == 0


def entry(name: str, mode: int = 0o600 | stat.S_IFREG) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    return made


def bad_database(fill: Callable[[sqlite3.Connection], object]) -> Callable[[Path, Path], None]:
    def change(archive: Path, folder: Path) -> None:
        path = folder / "bad.db"
        with zipfile.ZipFile(archive) as good:
            parts = {name: good.read(name) for name in good.namelist()}
        path.write_bytes(parts["telegram/channel.db"])
        with closing(sqlite3.connect(path)) as db:
            fill(db)
            db.commit()
        with zipfile.ZipFile(archive, "w") as bad:
            for name, data in (parts | {"telegram/channel.db": path.read_bytes()}).items():
                bad.writestr(name, data)

    return change


def more(name: str, data: str = "x", mode: int = 0o600 | stat.S_IFREG) -> Callable[[Path, Path], None]:
    def change(archive: Path, _folder: Path) -> None:
        with zipfile.ZipFile(archive, "a") as bad:
            bad.writestr(entry(name, mode), data)

    return change


def flipped(archive: Path, _folder: Path) -> None:
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as good:
        at = good.getinfo("telegram/channel.db").header_offset + 200
    data[at] ^= 0xFF
    archive.write_bytes(bytes(data))


def garbage(archive: Path, _folder: Path) -> None:
    archive.write_bytes(b"PK\x03\x04 and no more")


WRONG = {
    "a path out of the folder": (more("telegram/../../evil"), "no backup holds"),
    "an absolute path": (more("/etc/evil"), "no backup holds"),
    "another platform": (more("pager/config.yaml"), "no backup holds"),
    "a key": (more("telegram/.key"), "no backup holds"),
    "a hidden file": (more("telegram/files/.ssh"), "no backup holds"),
    "a link": (more("telegram/files/link", "/etc/passwd", 0o777 | stat.S_IFLNK), "is not a file"),
    "a folder": (more("telegram/files/x/", "", 0o700 | stat.S_IFDIR), "is not a file"),
    "settings without end": (more("telegram/.env", "x" * (2 << 20)), "no person writes so much"),
    "a changed byte": (flipped, "is damaged"),
    "garbage": (garbage, "is not a backup"),
    "a trigger": (
        bad_database(
            lambda db: db.execute("CREATE TRIGGER t AFTER INSERT ON inbox BEGIN DELETE FROM people; END")
        ),
        "what this program never makes",
    ),
    "a table more": (bad_database(lambda db: db.execute("CREATE TABLE more (x)")), "other tables"),
    "a newer schema": (bad_database(lambda db: db.execute("PRAGMA user_version = 999")), "a newer version"),
    "no schema": (bad_database(lambda db: db.execute("PRAGMA user_version = 0")), "not a database of this program"),
}  # fmt: skip


async def test_an_archive_is_trusted_in_nothing(stage: Stage) -> None:
    """Whatever is wrong with it is named, nothing is changed or left behind, and the next, right one is restored."""
    stage.person("ann")
    good = stage.folder / "good.zip"
    assert (await stage.cli("backup", str(good))).code == 0
    before = {path.name: path.lstat().st_size for path in stage.state.iterdir() if "channel.db" not in path.name}
    for name, (change, reason) in WRONG.items():
        bad = stage.folder / "bad.zip"
        shutil.copy(good, bad)
        change(bad, stage.folder)
        ran = await stage.cli("restore", str(bad), "--yes")
        assert ran.code == 1, name
        assert reason in ran.err, name
        after = {path.name: path.lstat().st_size for path in stage.state.iterdir() if "channel.db" not in path.name}
        assert after == before, name
        assert kept(stage) == [], name
    # A damaged database is what backups are for; it is kept like any other.
    (stage.state / "channel.db").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    assert (await stage.cli("status", "telegram")).code == 1
    assert (await stage.cli("restore", str(good), "--yes")).code == 0
    assert len(kept(stage)) == 1
    assert (await stage.access("status", "--json")).code == 0


async def test_what_is_no_file_is_not_read(stage: Stage) -> None:
    """A pipe or a device would never end."""
    os.mkfifo(pipe := stage.folder / "pipe")
    for path in (str(pipe), "/dev/zero"):
        ran = await stage.cli("restore", path)
        assert ran.code == 1
        assert "it is not a file; nothing was changed" in " ".join(ran.err.split())


async def test_a_folder_that_is_not_trusted_is_neither_saved_nor_replaced(stage: Stage) -> None:
    """What came with a repository is not read, and a backup does not take its place by itself."""
    good = stage.folder / "good.zip"
    stage.person("ann")
    assert (await stage.cli("backup", str(good))).code == 0
    (stage.state / ".key").write_text("0" * 64)
    for command in (("backup", str(stage.folder / "more.zip")), ("restore", str(good), "--yes")):
        ran = await stage.cli(*command)
        assert ran.code == 1
        assert "was not made by you on this machine" in ran.err
    assert kept(stage) == []
    assert not (stage.folder / "more.zip").exists()


async def test_a_backup_that_fails_leaves_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file would look like a backup."""
    stage.person("ann")
    target = stage.folder / "half.zip"

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent_channels.core.store.backup._store_texts", full)
    with pytest.raises(OSError, match="No space left"):
        write_backup(target, {"telegram": stage.state}, "1", "now", files=True, secrets=True, tell=lambda *_: None)
    assert [path.name for path in stage.folder.iterdir() if "zip" in path.name or "backup" in path.name] == []


async def test_no_state_is_nothing_to_save(stage: Stage) -> None:
    """And nothing is created."""
    ran = await stage.cli("backup", str(stage.folder / "b.zip"), "--json", TELEGRAM_STATE_DIR=None)
    assert ran.code == 1
    assert "this project has no state yet" in ran.err
    assert not (stage.folder / "b.zip").exists()
    assert json.dumps(sorted(path.name for path in stage.project.rglob("*"))) == "[]"
