"""A channel's state folder: used only if this user's program made or adopted it.

A repository, an archive or another user may bring a folder of that name, with a database, settings or a token file of
their own. So a folder counts only if a private registry in the user's data folder knows it: by the random key that the
folder holds, and by its inode together with its device or its path. Of any other folder nothing is read. Links are
never followed, neither to the folder nor to a file in it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError, UntrustedState
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.limits import remedy
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.paths import KEY_FILE, data_dir
from agent_channels.core.settings.private_files import OWNER_ONLY, ensure_private_dir, write_atomically
from agent_channels.core.settings.watchers import Watchers

__all__ = [
    "AdoptedFolder",
    "StateFolder",
    "adopt",
    "adopted_folders",
    "delete_state",
    "discard_unused",
    "forget",
    "is_empty",
    "is_ours_by_name",
    "is_trusted",
    "make_state_folder",
    "note_project",
    "read_state_file",
    "replace_file",
    "require_own_file",
    "write_new",
]

# Of the files that a person edits; a larger one was not written by a person.
TEXT_MAX = 1024 * 1024
_POSIX = os.name == "posix"
_DIRECTORY = (os.O_DIRECTORY | os.O_NOFOLLOW) if _POSIX else 0
# A pipe in place of a file would keep its reader waiting.
_FILE = (os.O_NOFOLLOW | os.O_NONBLOCK) if _POSIX else 0
# What may lie in a folder that counts as empty: it decides nothing.
_HARMLESS = {".gitignore"}
# What this program leaves in a state folder, drafts and copies included; and what a file manager does.
_OUR_NAMES = lazy_pattern(
    r"\.(env|key|gitignore|watchers)|config\.yaml|files|channel\.db(-wal|-shm|-journal)?|channel\.db\.damaged-[0-9-]+(-wal)?"
    r"|channel\.log(\.[0-9])?|host\.log(\.1)?|(\.env|config\.yaml)\.[0-9a-f]{8}|\.doctor-[0-9a-f]{8}|\.DS_Store"
)
# Created with the folder, so that nothing that comes with a repository later takes their place.
_RESERVED = (".env", "config.yaml")


class StateFolder:
    """An open folder. Files are opened relative to it, so that nothing put in its place is ever read."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path, self._descriptor = path, descriptor

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path) -> Iterator[StateFolder]:
        """Open a folder, trusted or not. Raises FileNotFoundError, and `ConfigError` if it cannot be a state folder."""
        descriptor = None
        try:
            descriptor = _open_directory(path)
            folder = cls(path, descriptor)
            info = folder.stat()
            if not stat.S_ISDIR(info.st_mode):
                raise ConfigError(
                    sentence("{path} is not a folder; remove it, or name another state folder", path=path)
                )
            if _POSIX and info.st_uid != os.geteuid():
                raise UntrustedState(
                    sentence(
                        "the state folder {path} belongs to another user, so nothing in it was read; name a folder of "
                        "your own ({variable}=FOLDER)",
                        path=path,
                        variable=_variable(path),
                    )
                )
            yield folder
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def stat(self) -> os.stat_result:
        """Return the folder's own status."""
        return os.lstat(self.path) if self._descriptor is None else os.fstat(self._descriptor)

    def names(self) -> list[str]:
        """Return the names of what lies in the folder, sorted."""
        return sorted(os.listdir(self.path if self._descriptor is None else self._descriptor))  # noqa: PTH208 - relative

    def status_of(self, name: str) -> os.stat_result:
        """Return the status of what has this name; a link's is its own. Raises FileNotFoundError."""
        if self._descriptor is None:
            return os.lstat(self.path / name)
        return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)

    def read_text(self, name: str, max_bytes: int = TEXT_MAX, *, own: bool = False) -> str:
        """Return a file's text, "" if there is no such file; `own`: it counts only if nobody else can open it.

        Raises `ConfigError` for a link, a pipe, a file that is too large, unreadable, or not UTF-8.
        """
        path = self.path / name
        try:
            descriptor = self.open_file(name, os.O_RDONLY)
        except FileNotFoundError:
            return ""
        except OSError as error:
            linked = error.errno in {errno.ELOOP, errno.EMLINK}
            reason = sentence("it is a symbolic link") if linked else error.strerror
            raise ConfigError(
                sentence("{path} cannot be read ({reason}); replace it by a file of your own", path=path, reason=reason)
            ) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ConfigError(sentence("{path} cannot be read: it is not a file; remove it", path=path))
        with os.fdopen(descriptor, "rb") as file:
            if own:
                _require_private(path, os.fstat(descriptor).st_mode, self.stat().st_mode)
            try:
                data = file.read(max_bytes + 1)
            except OSError as error:
                raise ConfigError(
                    sentence("{path} cannot be read ({error}); fix it first", path=path, error=error.strerror or error)
                ) from error
        if len(data) > max_bytes:
            raise ConfigError(
                sentence(
                    "{path} has more than {max_bytes:,} bytes, which no person writes; fix it first",
                    path=path,
                    max_bytes=max_bytes,
                )
            )
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(
                sentence(
                    "{path} cannot be read: it is not UTF-8 text ({reason}); move it away",
                    path=path,
                    reason=error.reason,
                )
            ) from error

    def open_file(self, name: str, flags: int, mode: int = OWNER_ONLY) -> int:
        """Return a descriptor of a file in the folder; links are not followed. Raises OSError."""
        if self._descriptor is None:
            path = self.path / name
            if path.is_symlink():
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            return os.open(path, flags, mode)
        return os.open(name, flags | _FILE, mode, dir_fd=self._descriptor)

    # ---- trust

    def is_known(self) -> bool:
        """Return whether the registry knows this folder. Raises `ConfigError` if its key cannot be read."""
        return self._entry() is not None

    def _entry(self) -> tuple[Path, Any] | None:
        """Return the registry's file about this folder with what it says; None if there is none."""
        key = self.read_text(KEY_FILE, 256).strip()
        if not key:
            return None
        path = _registry_file(data_dir(), key)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            known = entry["device"], entry["inode"], entry["path"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        info = self.stat()
        # Some file systems get another device number at each mount, and a folder may be moved.
        is_this = known[1] == info.st_ino and (known[0] == info.st_dev or known[2] == str(self.path))
        return (path, entry) if is_this else None

    def project(self) -> Path | None:
        """Return the project's folder that was registered with this one at a terminal. Raises `ConfigError`."""
        found = self._entry()
        named = found[1].get("project") if found else None
        return Path(named) if isinstance(named, str) else None

    def note_project(self, project: Path | None) -> None:
        """Register the project's folder, or none any more. Raises `ConfigError`, and `UntrustedState`."""
        self.require_known()
        if (found := self._entry()) is not None:
            path, entry = found
            named = {} if project is None else {"project": str(project)}
            others = {name: value for name, value in entry.items() if name != "project"}
            if others | named != entry:
                replace_file(path, json.dumps(others | named))

    def register(self, data: Path) -> None:
        """Enter this folder into the registry in a user's data folder, with a new key. Raises `ConfigError`."""
        key = os.urandom(32).hex()
        info = self.stat()
        # The mode is what `unregister` restores.
        mode = stat.S_IMODE(info.st_mode)
        entry = {"path": str(self.path), "device": info.st_dev, "inode": info.st_ino, "mode": mode}
        path = _registry_file(data, key)
        try:
            ensure_private_dir(path.parent)
            write_atomically(path, json.dumps(entry))
        except OSError as error:
            raise ConfigError(
                sentence(
                    "the state folder {path} cannot be entered into {parent} ({error}); {remedy}, or name another one "
                    "with CHANNELS_DATA_DIR",
                    path=self.path,
                    parent=path.parent,
                    error=error.strerror or error,
                    remedy=remedy(error),
                )
            ) from error
        try:
            self._write_key(key)
        except OSError as error:
            # Half a key would make a folder of somebody else's of it.
            with contextlib.suppress(OSError):
                self.remove_file(KEY_FILE)
                path.unlink()
            raise ConfigError(
                sentence(
                    "the folder {path} cannot be written to ({error}); {remedy}, or name another one "
                    "({variable}=FOLDER)",
                    path=self.path,
                    error=error.strerror or error,
                    remedy=remedy(error),
                    variable=_variable(self.path),
                )
            ) from error

    def unregister(self) -> bool:
        """Take this folder off the registry, and restore its mode; return False if it was not there.

        Raises `ConfigError`.
        """
        if (found := self._entry()) is None:
            return False
        path, entry = found
        try:
            path.unlink(missing_ok=True)
            self.remove_file(KEY_FILE)
            if _POSIX and isinstance(entry.get("mode"), int):
                self.path.chmod(stat.S_IMODE(entry["mode"]))
        except OSError as error:
            raise ConfigError(
                sentence(
                    "the state folder {path} cannot be forgotten ({error}); fix the permissions of {file}",
                    path=self.path,
                    error=error.strerror or error,
                    file=error.filename or self.path,
                )
            ) from error
        return True

    def require_known(self) -> None:
        """Raise `UntrustedState` unless the registry knows this folder, and `ConfigError` if its key cannot be read."""
        if not self.is_known():
            raise UntrustedState(
                sentence(
                    "the state folder {path} was not made by you on this machine, so nothing in it was read: it came "
                    "with a repository, was copied or restored, or is of version 0.1.0. If it is yours, run "
                    "`channels trust` in the project",
                    path=self.path,
                ),
                self.path,
            )

    def create_file(self, name: str, text: str) -> None:
        """Create a private file. Raises OSError, also if something of that name is there."""
        descriptor = self.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)

    def make_files_private(self) -> None:
        """Restrict every file in the folder to its owner."""
        for name in self.names():
            with contextlib.suppress(OSError):
                descriptor = self.open_file(name, os.O_RDONLY)
                mode = os.fstat(descriptor).st_mode
                if stat.S_ISREG(mode) and mode & 0o077:
                    os.fchmod(descriptor, stat.S_IMODE(mode) & 0o700)
                os.close(descriptor)

    def remove_file(self, name: str) -> None:
        """Remove a file from the folder, if it is there. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            if self._descriptor is None:
                (self.path / name).unlink()
            else:
                os.unlink(name, dir_fd=self._descriptor)

    def rename_file(self, name: str, new: str) -> None:
        """Rename a file in the folder, over one that has the new name. Raises OSError."""
        if self._descriptor is None:
            (self.path / name).replace(self.path / new)
        else:
            os.replace(name, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def _write_key(self, key: str) -> None:
        self.remove_file(KEY_FILE)
        self.create_file(KEY_FILE, f"{key}\n")


def is_trusted(path: Path) -> bool:
    """Return whether a state folder exists and this user's program made or adopted it. Raises `ConfigError`."""
    try:
        with StateFolder.opened(path) as folder:
            return folder.is_known()
    except FileNotFoundError:
        return False


@frozen
class AdoptedFolder:
    """A state folder that is this user's own, and the project's folder that was registered with it, if any was."""

    path: Path
    project: Path | None


def adopted_folders() -> list[AdoptedFolder]:
    """Return every state folder of this user's that is there and known, by path. Raises `ConfigError`."""
    paths: set[Path] = set()
    for entry in (data_dir() / "state-folders").glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            paths.add(Path(json.loads(entry.read_text(encoding="utf-8"))["path"]))
    found: list[AdoptedFolder] = []
    for path in sorted(paths):
        with contextlib.suppress(FileNotFoundError, ConfigError), StateFolder.opened(path) as folder:
            if folder.is_known():
                found.append(AdoptedFolder(path, folder.project()))
    return found


def note_project(path: Path, project: Path | None) -> None:
    """Register, at a terminal, the project's folder that a state folder is for; None: it is registered no longer.

    Raises `ConfigError`.
    """
    with StateFolder.opened(make_state_folder(path)) as folder:
        folder.note_project(project)


def is_ours_by_name(name: str) -> bool:
    """Return whether this program makes files of that name in its state folders."""
    return _OUR_NAMES.fullmatch(name) is not None


def is_empty(path: Path) -> bool:
    """Return whether there is nothing in a folder that could decide anything, or no such folder."""
    try:
        with StateFolder.opened(path) as folder:
            return set(folder.names()) <= _HARMLESS
    except FileNotFoundError:
        return True


def read_state_file(path: Path) -> str:
    """Return the text of a file in a state folder, "" if there is none. Raises `UntrustedState` or `ConfigError`."""
    if not os.path.lexists(path):
        return ""
    try:
        with StateFolder.opened(path.parent) as folder:
            folder.require_known()
            return folder.read_text(path.name, own=True)
    except FileNotFoundError:
        return ""


def replace_file(path: Path, text: str) -> None:
    """Replace a file with a text, for its owner only. Raises `ConfigError`; nothing changed then."""
    try:
        write_atomically(path, text)
        Watchers(path.parent).wake()
    except OSError as error:
        raise ConfigError(
            sentence(
                "{path} cannot be written ({error}), so nothing was changed; {remedy}",
                path=path,
                error=error.strerror or error,
                remedy=remedy(error),
            )
        ) from error


def make_state_folder(path: Path) -> Path:
    """Create the folder for its owner only, or check that the one there is trusted; return it.

    An empty folder is adopted. Raises `UntrustedState` or `ConfigError`.
    """
    created = _create(path)
    with StateFolder.opened(path) as folder:
        if created or set(folder.names()) <= _HARMLESS:
            _adopt(folder)
        else:
            folder.require_known()
            if _POSIX and stat.S_IMODE(folder.stat().st_mode) & 0o077:
                path.chmod(0o700)
    return path


def adopt(path: Path, data: Path | None = None) -> None:
    """Make an existing folder this user's own, whatever it holds; `data` names a data folder other than the user's.

    Raises `ConfigError`, and FileNotFoundError if there is no such folder.
    """
    with StateFolder.opened(path) as folder:
        _adopt(folder, data)


def forget(path: Path) -> bool:
    """Undo an adoption: nothing in the folder is used any more; return False if it was not this user's own.

    The files stay. Raises `ConfigError`, and FileNotFoundError if there is no such folder.
    """
    with StateFolder.opened(path) as folder:
        return folder.unregister()


def discard_unused(path: Path) -> None:
    """Remove a state folder in which nothing was kept yet, and `state` above it if nothing else is there.

    Whatever stands in the way of that stays, without a word: nothing is lost by it.
    """
    with contextlib.suppress(OSError, ConfigError):
        with StateFolder.opened(path) as folder:
            names = set(folder.names())
            left = names - {KEY_FILE, ".gitignore", *_RESERVED}
            if left or any(folder.read_text(name) for name in _RESERVED):
                return
            # An empty one may not have come as far as the registry.
            if not folder.unregister() and names:
                return
            for name in (".gitignore", *_RESERVED):
                folder.remove_file(name)
        path.rmdir()
        if path.parent.name == "state":
            path.parent.rmdir()


def delete_state(path: Path) -> None:
    """Delete a state folder that is this user's own, with all that this program made in it. Raises `ConfigError`.

    Files of other names stay, and with them the folder.
    """
    # Imported late, as where a damaged database is copied: it is half a megabyte of every hook that waits.
    import shutil

    with StateFolder.opened(path) as folder:
        folder.require_known()
        names = [name for name in folder.names() if is_ours_by_name(name)]
        folder.unregister()
    try:
        for name in names:
            found = path / name
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found)
            else:
                found.unlink(missing_ok=True)
        if not any(path.iterdir()):
            path.rmdir()
            if path.parent.name == "state" and not any(path.parent.iterdir()):
                path.parent.rmdir()
    except OSError as error:
        raise ConfigError(
            sentence(
                "{path} cannot be deleted whole ({error}); delete it yourself", path=path, error=error.strerror or error
            )
        ) from error


def require_own_file(path: Path) -> None:
    """Raise `ConfigError` if what is at `path` is neither a private file nor a folder; nothing there is fine."""
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            kind = sentence("a symbolic link") if stat.S_ISLNK(mode) else sentence("not a file")
            raise ConfigError(
                sentence(
                    "{path} is {kind}; nothing in a state folder is followed out of it: remove it", path=path, kind=kind
                )
            )
        if stat.S_ISREG(mode):
            _require_private(path, mode, path.parent.stat().st_mode)


def _require_private(path: Path, mode: int, folder_mode: int) -> None:
    """Raise `ConfigError` for a file that others may open: this program makes none, and git makes no other.

    A pull replaces files that are ignored, as these are, without a word. Where not even the folder is private, the file
    system has no such modes.
    """
    if _POSIX and mode & 0o077 and not folder_mode & 0o077:
        raise ConfigError(
            sentence(
                "{path} is open to other users (mode {mode:03o}), as a file is that came with a repository, "
                "so it was not read; look at it, and if it is yours, run `chmod 600 {file}`",
                path=path,
                mode=stat.S_IMODE(mode),
                file=shlex.quote(str(path)),
            )
        )


def write_new(path: Path, text: str) -> bool:
    """Write a private file into a state folder unless it has content; return whether it was written.

    Raises `ConfigError`.
    """
    make_state_folder(path.parent)
    if read_state_file(path):
        return False
    replace_file(path, text)
    return True


def _create(path: Path) -> bool:
    """Create the folder, and those above it, for their owner only; return False if it exists."""
    if path.parent.name == "state" and path.parent.is_symlink():
        raise _leads_through_link(path)
    try:
        for folder in reversed([path, *path.parents]):
            # The mode of `mkdir` is for the last folder alone, and a lax umask would open the others to everybody.
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                if folder == path:
                    return True
    except OSError as error:
        raise ConfigError(
            sentence(
                "the folder {path} cannot be used ({error}); {remedy}, or name another one ({variable}=FOLDER)",
                path=path,
                error=error.strerror or error,
                remedy=remedy(error),
                variable=_variable(path),
            )
        ) from error
    return False


def _adopt(folder: StateFolder, data: Path | None = None) -> None:
    ignored = set(folder.read_text(".gitignore").split("\n")) - {""}
    folder.register(data or data_dir())
    if _POSIX:
        folder.path.chmod(0o700)
        folder.make_files_private()
    # It holds a token, which must stay out of the project's version control, whatever .gitignore came with that.
    if ignored not in ({"*"}, {"*", "!.gitignore"}):
        folder.remove_file(".gitignore")
    for name, text in ((".gitignore", "*\n"), *((name, "") for name in _RESERVED)):
        with contextlib.suppress(OSError):
            folder.create_file(name, text)


def _open_directory(path: Path) -> int | None:
    """Return a descriptor of a directory; None where the system has none. Raises FileNotFoundError, `ConfigError`.

    In `.../state/<channel>`, `state` may not be a link either: a repository can bring both.
    """
    if not _POSIX:
        os.lstat(path)
        if path.is_symlink() or (path.parent.name == "state" and path.parent.is_symlink()):
            raise ConfigError(
                sentence("the state folder {path} leads through a symbolic link; nothing in it was read", path=path)
            )
        return None
    above = path.parent
    try:
        if above.name != "state":
            return os.open(path, _DIRECTORY)
        parent = os.open(above, _DIRECTORY)
        try:
            return os.open(path.name, _DIRECTORY, dir_fd=parent)
        finally:
            os.close(parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR} and (path.is_symlink() or above.is_symlink()):
            raise _leads_through_link(path) from error
        raise ConfigError(
            sentence(
                "the folder {path} cannot be used ({error}); {remedy}, or name another one ({variable}=FOLDER)",
                path=path,
                error=error.strerror or error,
                remedy=remedy(error),
                variable=_variable(path),
            )
        ) from error


def _leads_through_link(path: Path) -> UntrustedState:
    return UntrustedState(
        sentence(
            "the state folder {path} leads through a symbolic link, so nothing in it was read; name the folder itself",
            path=path,
        )
    )


def _variable(path: Path) -> str:
    """Return the name of the variable that names another state folder: the last part of a path is the channel."""
    end = "_STATE_DIR"
    for name, value in os.environ.items():
        if name.endswith(end) and Path(value).absolute() == path:
            return name
    return f"{path.name.upper() if path.parent.name == 'state' else '<CHANNEL>'}{end}"


def _registry_file(data: Path, key: str) -> Path:
    name = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]
    return data / "state-folders" / f"{name}.json"
