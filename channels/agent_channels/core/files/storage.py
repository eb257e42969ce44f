"""Files on disk: which of them may be sent, and where downloads and our own files are kept."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.contract.outgoing import OpenFile
from agent_channels.core.errors import Refused
from agent_channels.core.files.secret_content import PART, masked_text, secret_in_parts
from agent_channels.core.files.secret_names import secret_name
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.paths import expand_home, project_dir
from agent_channels.core.settings.private_files import ensure_private_dir
from agent_channels.core.settings.state_folder import require_own_file
from agent_channels.core.text.sanitize import label

__all__ = ["Files", "NotSearched", "open_file"]

_SUFFIX = lazy_pattern(r"\.[A-Za-z0-9]{1,8}")
_SUFFIX_BY_MIME = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "audio/ogg": ".ogg", "video/mp4": ".mp4",
}  # fmt: skip
_SUFFIX_BY_KIND = {
    "photo": ".jpg", "voice": ".ogg", "audio": ".mp3", "video": ".mp4", "video_note": ".mp4", "animation": ".mp4",
    "sticker": ".webp",
}  # fmt: skip


class NotSearched(Refused):
    """A file is packed so that not all of it can be searched for secrets."""


class Files:
    """The folder STATE_DIR/files, and the rules for sending."""

    def __init__(
        self,
        state_dir: Path,
        *,
        roots: Iterable[Path] = (),
        quota_mb: int = 1024,
        environ: Mapping[str, str] | None = None,
        mask: bool = True,
        unsearched: bool = False,
    ) -> None:
        """`roots` are the folders that files may be sent from, besides the project, the temporary folder and ours.

        `mask`: of a short text file with a credential in it, a copy without that is sent; otherwise it is refused.
        `unsearched`: what is packed so that not all of it can be searched is sent too.
        """
        self._mask, self._unsearched = mask, unsearched
        self.state_dir = Path(os.path.realpath(state_dir))
        self.folder = self.state_dir / "files"
        self.quota = quota_mb * 1024 * 1024
        # Files that are being downloaded, or not recorded yet, with the bytes that each may come to.
        self._reserved: dict[str, int] = {}
        defaults = [project_dir(environ), Path(tempfile.gettempdir()), self.folder]
        self.roots = [Path(os.path.realpath(root)) for root in (*defaults, *(expand_home(root) for root in roots))]

    # ---- out

    def open_sendable(self, path: str, limit: int, *, unsearched: bool = False) -> OpenFile:
        """Open a file that may be sent; relative paths start at the project. The caller closes it.

        What is checked is a copy, which is what is sent, so that whatever is put in the file's place or written into it
        afterwards is not. Raises `Refused` with the reason: missing, not a file, empty, more than `limit` bytes,
        outside the allowed folders, inside a state folder, probably a secret; `NotSearched` if it is
        packed so that one cannot tell, and that is not let through (`unsearched`).
        """
        quoted = repr(path if len(path) <= 300 else path[:299] + "…")
        if "\x00" in path or not path.strip():
            raise Refused(f"the file path {quoted} is not a path")
        try:
            expanded = Path(path).expanduser()
            if not expanded.is_absolute():
                expanded = self.roots[0] / expanded
            real = Path(os.path.realpath(expanded))
            self._check_location(real, quoted)
            if not stat.S_ISREG(real.lstat().st_mode):
                raise Refused(f"{quoted} is not a file; only regular files can be sent")
            file = open_file(real)
        except (RuntimeError, ValueError) as error:
            # `~name` of a user who does not exist, or characters that a path cannot have.
            raise Refused(f"the file path {quoted} is not a path: {error}") from error
        except OSError as error:
            raise Refused(f"the file {quoted} cannot be read: {error.strerror or error}") from error
        with closing(file):
            try:
                return self._checked_copy(file, quoted, limit, unsearched=unsearched or self._unsearched)
            except OSError as error:
                raise Refused(f"the file {quoted} cannot be copied: {error.strerror or error}") from error

    def open_own(self, path: Path) -> OpenFile:
        """Open a file that this program has just written into its folder. The caller closes it."""
        return open_file(path)

    def read_text(self, path: str, limit: int) -> str | None:
        """Return the text of a file of the project that may be sent; None if it may not.

        None, too, for one that is empty, larger than `limit` bytes, or not UTF-8.
        """
        try:
            if not Path(os.path.realpath(self.roots[0] / path)).is_relative_to(self.roots[0]):
                return None
            with closing(self.open_sendable(path, limit)) as file, file.stream() as stream:
                data = stream.read(limit)
            return None if b"\0" in data else data.decode()
        except (Refused, OSError, ValueError):
            return None

    def _checked_copy(self, file: OpenFile, quoted: str, limit: int, *, unsearched: bool) -> OpenFile:
        """Return a copy, without a name, of an open file. Raises `Refused` if it may not be sent, and OSError."""
        with file.stream() as stream:
            info = os.fstat(stream.fileno())
            if info.st_nlink > 1:
                # Any of the other names may be that of the token's file, and none of them can be found from here.
                raise Refused(
                    f"the file {quoted} has {info.st_nlink} names on the disk (hard links), of which another may be a "
                    "secret's; it is never sent. If it holds none, copy its content into a new file and send that"
                )
            if info.st_size > limit:
                raise Refused(f"the file {quoted} has {info.st_size:,} bytes; the platform takes at most {limit:,}")
            with tempfile.TemporaryFile(dir=self.path_of("")) as copy:
                parts, masked = _parts_of(stream, info.st_size), tuple[str, ...]()
                if self._mask and info.st_size <= PART:
                    text, masked = masked_text(b"".join(parts))
                    parts = iter([text])
                found = secret_in_parts(_copied(parts, copy))
                copy.flush()
                size = copy.tell()
                found = found or self._secret_inside(copy, quoted, unsearched=unsearched)
                checked = OpenFile(os.dup(copy.fileno()), file.name, size)
                checked.masked = masked
        if size and not found:
            return checked
        checked.close()
        if found:
            raise Refused(
                f"the file {quoted} holds a secret ({found}); it is never sent. Send a copy from which that was removed"
            )
        raise Refused(f"the file {quoted} is empty; the platform takes no empty files")

    def _secret_inside(self, file: IO[bytes], quoted: str, *, unsearched: bool) -> str | None:
        # Imported here: few files are sent, and none while a server starts.
        from agent_channels.core.files.packed_files import Unsearched, secret_member

        try:
            return secret_member(file)
        except Unsearched as error:
            if unsearched:
                return None
            raise NotSearched(
                f"the file {quoted} cannot be searched for secrets, because {error}; send what is in it as it is, or "
                "in smaller parts"
            ) from None

    def _check_location(self, real: Path, quoted: str) -> None:
        """Raise `Refused` for a file that must not leave this machine, and for one outside the allowed folders."""
        if real.is_relative_to(self.state_dir) and not real.is_relative_to(self.folder):
            raise Refused(f"the file {quoted} lies in the state folder, which holds credentials; it is never sent")
        for parent in real.parents:
            if (parent / "channel.db").exists() and not real.is_relative_to(parent / "files"):
                raise Refused(f"the file {quoted} lies in a state folder, which holds credentials; it is never sent")
        if secret := secret_name(real):
            raise Refused(
                f"the file {quoted} looks like a secret ({secret}); it is never sent. Write what people need to know "
                "of it into the text, without keys, tokens and passwords"
            )
        hidden = _hidden_in_home(real)
        if hidden and not any(root.is_relative_to(hidden) for root in self.roots):
            raise Refused(
                f"the file {quoted} belongs to the settings of a program ({hidden}), which may hold credentials; it is "
                "never sent. Copy what people need to know of it into a new file"
            )
        if not any(real.is_relative_to(root) for root in self.roots):
            roots = ", ".join(map(str, self.roots))
            raise Refused(
                f"the file {quoted} lies outside the folders that may be sent from ({roots}); "
                "copy it into one of them, or have the operator add its folder to send_roots in config.yaml"
            )

    # ---- in

    def download_path(self, attachment: Attachment) -> Path:
        """Return a new path for a download: the time, random digits, and a suffix that is plain or derived."""
        suffix = Path(label(attachment.name or "", 512)).suffix
        if not _SUFFIX.fullmatch(suffix):
            suffix = _SUFFIX_BY_MIME.get(attachment.mime or "") or _SUFFIX_BY_KIND.get(attachment.kind, ".bin")
        timestamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        return self.path_of(f"{timestamp}-{secrets.token_hex(6)}{suffix.lower()}")

    @contextmanager
    def reserve(self, attachment: Attachment, limit: int, needed: Collection[str]) -> Iterator[tuple[Path, int]]:
        """Make room for a download; yield a new path for it and the most bytes that it may have.

        Nothing deletes the file before the block ends. `needed` are the files of unanswered messages, which stay.
        Raises `Refused` if these leave no room in the quota.
        """
        path = self.download_path(attachment)
        room = self.quota - self._bytes_of({*needed, *self._reserved})
        announced = attachment.size
        # One that is announced as too large will not be downloaded, so nothing is deleted for it.
        size = limit if announced is None else announced if announced <= limit else 0
        if room <= 0 or (announced is not None and size > room):
            raise Refused(
                f"the files of messages that are not answered yet fill the {self.quota // 2**20:,} MB that are kept; "
                "answer some of them, or have the operator raise files_quota_mb in config.yaml"
            )
        self._reserved[str(path)] = min(size, room)
        try:
            self.prune(needed)
            yield path, min(limit, room)
        finally:
            del self._reserved[str(path)]

    def _bytes_of(self, paths: Collection[str]) -> int:
        """Return how much files take, or may come to."""
        return sum(max(_size(path), self._reserved.get(path, 0)) for path in paths)

    def path_of(self, name: str) -> Path:
        """Return the path of a file called `name` in our folder, which is created if it does not exist."""
        require_own_file(self.folder)
        ensure_private_dir(self.folder)
        return self.folder / name

    def write_text(self, stem: str, suffix: str, text: str) -> Path:
        """Write a text to a file that can be sent, and return its path, which is the same for the same text."""
        data = text.encode("utf-8", "replace")
        path = self.path_of(f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}{suffix}")
        path.write_bytes(data)
        path.chmod(0o600)
        return path

    def prune(self, needed: Collection[str], keep_days: float | None = None) -> int:
        """Delete files older than `keep_days`, and the oldest above the quota, except those in `needed`.

        What is being downloaded counts in full, and stays. Returns the number of deleted files.
        """
        if self.folder.is_symlink() or not self.folder.is_dir():
            return 0
        oldest_kept = 0.0 if keep_days is None else time.time() - keep_days * 86_400
        files = sorted((e.stat().st_mtime, e.stat().st_size, e.path) for e in os.scandir(self.folder) if e.is_file())
        others = sum(size for _, size, path in files if path not in self._reserved)
        total, deleted = others + self._bytes_of(self._reserved), 0
        for modified, size, path in files:
            if total <= self.quota and modified >= oldest_kept:
                break
            if path in needed or path in self._reserved:
                continue
            Path(path).unlink(missing_ok=True)
            total, deleted = total - size, deleted + 1
        return deleted


def open_file(path: Path) -> OpenFile:
    """Open the file with this real path. Raises `OSError`, also when a link or folder was changed meanwhile."""
    # Never waits for the other end of a pipe, nor follows a link that was put there since.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    info = os.fstat(descriptor)
    file = OpenFile(descriptor, path.name, info.st_size)
    # Whether the path still leads there without any link on the way.
    if stat.S_ISREG(info.st_mode) and os.path.realpath(path) == str(path) and os.path.samestat(info, path.lstat()):
        return file
    file.close()
    raise OSError(errno.ESTALE, "it was replaced while it was opened; try again")


def _parts_of(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield what a file holds, up to `size` bytes: a log may be written meanwhile."""
    while part := stream.read(min(PART, size)):
        size -= len(part)
        yield part


def _copied(parts: Iterable[bytes], copy: IO[bytes]) -> Iterator[bytes]:
    """Yield parts of a file, and write each into a copy."""
    for part in parts:
        copy.write(part)
        yield part


def _hidden_in_home(real: Path) -> Path | None:
    """Return the hidden entry of the home folder that a file is, or lies in; None for any other file."""
    home = Path(os.path.realpath(expand_home("~")))
    if not real.is_relative_to(home) or real == home:
        return None
    first = home / real.relative_to(home).parts[0]
    return first if first.name.startswith(".") else None


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
