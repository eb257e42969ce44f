"""A backup of state folders: one zip file with the database, the settings and, if wanted, files and token of each.

An archive that is read is not trusted: only entries of known names are taken, each once, none of them a link, and the
database has to be whole, of a schema that this program knows, and to hold nothing but what this program makes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.private_files import OWNER_ONLY
from agent_channels.core.settings.state_folder import TEXT_MAX, StateFolder
from agent_channels.core.store.database import Store
from agent_channels.core.store.inspect import why_unclear

__all__ = ["DATABASE", "BackupReader", "Progress", "Stored", "check_database", "write_backup"]

DATABASE = "channel.db"
MANIFEST = "manifest.json"
FORMAT = 1
# The longest name of a file that this program makes is far shorter.
_NAME = lazy_pattern(r"channel\.db|config\.yaml|\.env|files/[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_TEXTS = {"config.yaml", ".env", MANIFEST}
# A directory of more entries takes memory before any of them can be refused.
ENTRIES_MAX = 200_000
# Room for the migration of the database, beside what the archive says.
SPARE_BYTES = 64 * 1024 * 1024

Progress = Callable[[int, int], None]
"""`progress(done, total)`, in bytes."""


@frozen
class Stored:
    """One file in a backup; `size` in bytes, unpacked."""

    channel: str
    name: str
    size: int


def write_backup(
    target: Path, folders: Mapping[str, Path], version: str, made_at: str, *, files: bool, secrets: bool, tell: Progress
) -> list[Stored]:
    """Write a backup of trusted state folders, by channel, while servers run; return what is in it.

    Raises `Refused` if `target` is there, `ConfigError` or `StoreError` if something cannot be read, and OSError.
    Nothing is left at `target` then.
    """
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        raise Refused(
            sentence("{target} exists, and a backup overwrites nothing; name another file", target=target)
        ) from None
    try:
        with os.fdopen(descriptor, "w+b") as out:
            stored: list[Stored] = []
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                schemas = {}
                for channel, path in folders.items():
                    with StateFolder.opened(path) as folder:
                        folder.require_known()
                        schemas[channel] = _store_folder(archive, channel, folder, target.parent, stored, tell)
                        stored += _store_texts(archive, channel, folder, secrets=secrets)
                        stored += _store_files(archive, channel, folder, tell) if files else []
                manifest = {"format": FORMAT, "version": version, "made_at": made_at, "schemas": schemas}
                archive.writestr(MANIFEST, json.dumps(manifest))
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise
    return stored


def _store_folder(
    archive: zipfile.ZipFile, channel: str, folder: StateFolder, beside: Path, stored: list[Stored], tell: Progress
) -> int:
    """Add the database, if there is one; return its schema."""
    if DATABASE not in folder.names():
        return 0
    with tempfile.TemporaryDirectory(prefix=".channels-backup-", dir=beside) as temporary:
        copy = Path(temporary) / DATABASE
        # Its schema is left as it is: a server of another version may have it open.
        with Store(folder.path / DATABASE, migrations=None) as store:
            store.copy_to(copy, tell)
            schema = int(store.value("PRAGMA user_version"))
        with copy.open("rb") as source:
            stored.append(_add(archive, channel, DATABASE, source, tell))
    return schema


def _store_texts(archive: zipfile.ZipFile, channel: str, folder: StateFolder, *, secrets: bool) -> list[Stored]:
    found = []
    for name in ("config.yaml", *([".env"] if secrets else [])):
        if text := folder.read_text(name, own=True):
            archive.writestr(f"{channel}/{name}", text)
            found.append(Stored(channel, name, len(text.encode())))
    return found


def _store_files(archive: zipfile.ZipFile, channel: str, folder: StateFolder, tell: Progress) -> list[Stored]:
    """Add the downloads; what this program did not make there, and links, are left out."""
    found = []
    with contextlib.suppress(FileNotFoundError), StateFolder.opened(folder.path / "files") as downloads:
        for name in downloads.names():
            if not _NAME.fullmatch(f"files/{name}") or not stat.S_ISREG(downloads.status_of(name).st_mode):
                continue
            # Retention may delete it just now.
            with contextlib.suppress(FileNotFoundError), _opened(downloads, name) as source:
                found.append(_add(archive, channel, f"files/{name}", source, tell))
    return found


def _opened(folder: StateFolder, name: str) -> IO[bytes]:
    return os.fdopen(folder.open_file(name, os.O_RDONLY), "rb")


def _add(archive: zipfile.ZipFile, channel: str, name: str, source: IO[bytes], tell: Progress) -> Stored:
    total = os.fstat(source.fileno()).st_size
    with archive.open(f"{channel}/{name}", "w", force_zip64=True) as into:
        _copy(source, into, total, tell)
        return Stored(channel, name, total)


def _copy(source: IO[bytes], into: IO[bytes], total: int, tell: Progress) -> None:
    done = 0
    # A file that grows meanwhile is taken as far as it was announced.
    while block := source.read(min(1 << 20, total - done)):
        into.write(block)
        done += len(block)
        tell(done, total)


class BackupReader:
    """A backup that is open for reading, its list checked; `stored` is what it holds, by channel and name."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, stored: list[Stored], manifest: dict[str, Any]) -> None:
        self._archive, self._path = archive, path
        self.stored = stored
        self.made_at, self.version = str(manifest.get("made_at")), str(manifest.get("version"))

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path, channels: Collection[str]) -> Iterator[BackupReader]:
        """Open a backup of these channels. Raises `ConfigError` for what is not one, with the reason, and OSError."""
        with contextlib.ExitStack() as opened:
            try:
                archive = opened.enter_context(_archive(path))
                stored = _checked(archive, channels)
                manifest = _manifest(archive)
            except (_Wrong, zipfile.BadZipFile, ValueError, RecursionError, NotImplementedError, EOFError) as error:
                raise ConfigError(
                    sentence(
                        "{path} is not a backup that can be restored: {error}; nothing was changed",
                        path=path,
                        error=words_of(error),
                    )
                ) from None
            yield cls(archive, path, stored, manifest)

    def extract(self, channel: str, folder: Path, tell: Progress) -> None:
        """Write a channel's files into an own, new folder. Raises `ConfigError` if the archive is damaged, OSError."""
        free = shutil.disk_usage(folder).free
        mine = [stored for stored in self.stored if stored.channel == channel]
        if (needed := sum(stored.size for stored in mine) + SPARE_BYTES) > free:
            raise ConfigError(
                sentence(
                    "the backup of {channel} needs {needed:,} bytes, and {folder} has {free:,}",
                    channel=channel,
                    needed=needed,
                    folder=folder.parent,
                    free=free,
                )
            )
        for stored in mine:
            target = folder / stored.name
            target.parent.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                # What every new state folder begins with.
                target.unlink()
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
            with os.fdopen(descriptor, "wb") as into:
                self._extract(f"{channel}/{stored.name}", stored.size, into, tell)

    def _extract(self, name: str, size: int, into: IO[bytes], tell: Progress) -> None:
        try:
            with self._archive.open(name) as source:
                _copy(source, into, size, tell)
                # Reading to the end compares the checksum.
                is_whole = not source.read(1) and into.tell() == size
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
            raise ConfigError(
                sentence("{path}: {name} is damaged ({error})", path=self._path, name=name, error=error)
            ) from None
        if not is_whole:
            raise ConfigError(
                sentence("{path}: {name} is damaged (its size is not the one in the list)", path=self._path, name=name)
            )


def _archive(path: Path) -> zipfile.ZipFile:
    # Reading a pipe or a device may never end.
    if path.exists() and not path.is_file():
        raise _Wrong(sentence("it is not a file"))
    return zipfile.ZipFile(path)


class _Wrong(ValueError):
    """What is wrong with an archive."""


def _checked(archive: zipfile.ZipFile, channels: Collection[str]) -> list[Stored]:
    """Return what an archive lists. Raises `_Wrong` for an entry that no backup has."""
    entries = archive.infolist()
    if len(entries) > ENTRIES_MAX:
        raise _Wrong(sentence("it has {count:,} entries", count=len(entries)))
    stored, seen = [], set()
    for entry in entries:
        if entry.filename in seen:
            raise _Wrong(sentence("it holds {name!r} twice", name=entry.filename[:100]))
        seen.add(entry.filename)
        _require_file(entry)
        if entry.filename != MANIFEST:
            channel, _, name = entry.filename.partition("/")
            if channel not in channels or not _NAME.fullmatch(name):
                raise _Wrong(sentence("no backup holds {name!r}", name=entry.filename[:100]))
            stored.append(Stored(channel, name, entry.file_size))
    if MANIFEST not in seen:
        raise _Wrong(sentence("it has no {file}", file=MANIFEST))
    if not stored:
        raise _Wrong(sentence("it holds the state of no channel"))
    return stored


def _require_file(entry: zipfile.ZipInfo) -> None:
    """Raise `_Wrong` for an entry that is not a plain file, or a text longer than anybody writes."""
    name, mode = repr(entry.filename[:100]), entry.external_attr >> 16
    if entry.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        raise _Wrong(sentence("{name} is not a file", name=name))
    if entry.flag_bits & 0x1 or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise _Wrong(sentence("{name} is encrypted, or packed in a way that backups are not", name=name))
    if entry.filename.rpartition("/")[2] in _TEXTS and entry.file_size > TEXT_MAX:
        raise _Wrong(
            sentence("{name} has {size:,} bytes, and no person writes so much", name=name, size=entry.file_size)
        )


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest = json.loads(archive.read(MANIFEST))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise _Wrong(
            sentence("it is not of format {format}; a newer version of this program may have written it", format=FORMAT)
        )
    return manifest


def check_database(path: Path) -> None:
    """Raise `ConfigError` unless a database is whole, of a schema that is known, and holds what this program makes.

    It is migrated by that.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            schema = db.execute("PRAGMA user_version").fetchone()[0]
            found = [str(row[0]) for row in db.execute("PRAGMA integrity_check(1)")]
        if schema < 1:
            raise ConfigError(sentence("{database} in the backup is not a database of this program", database=DATABASE))
        if found != ["ok"]:
            raise ConfigError(
                sentence("{database} in the backup is damaged: {reason}", database=DATABASE, reason=found[0][:200])
            )
        if problem := why_unclear(path):
            raise ConfigError(sentence("{database} in the backup: {problem}", database=DATABASE, problem=problem))
        with Store(path) as store, Store(Path(":memory:")) as ours:
            if _columns(store) != _columns(ours):
                raise ConfigError(
                    sentence("{database} in the backup has other tables than this program makes", database=DATABASE)
                )
    except sqlite3.Error as error:
        raise ConfigError(
            sentence("{database} in the backup cannot be read: {error}", database=DATABASE, error=error)
        ) from None


def _columns(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    names = store.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    columns = 'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid'
    return {row[0]: [tuple(column) for column in store.rows(columns, row[0])] for row in names}
