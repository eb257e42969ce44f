"""What is packed in a file that is to be sent: the names and contents of everything in it, also packed again."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePath
from typing import IO, Any

from agent_channels.core.files.secret_content import OVERLAP, PART, secret_in_parts
from agent_channels.core.files.secret_names import secret_name
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.sanitize import label

__all__ = ["LEVELS_MAX", "UNPACKED_MAX", "Unsearched", "secret_member"]

# So much is unpacked of a file, of all that is in it together, and so many files in each other.
UNPACKED_MAX, MEMBERS_MAX, LEVELS_MAX = 256 * 1024 * 1024, 20_000, 4
PIECE = 8192
_SIZES = (size for power in range(12, 31) for size in (1 << power, 3 << power - 1))
_DICTIONARIES = b"|".join(re.escape(size.to_bytes(4, "little")) for size in _SIZES)
# Enough of how each begins that a text which only begins alike is none.
_XZ = lazy_pattern(rb"\xfd7zXZ\0")
_PACKED: tuple[tuple[re.Pattern[bytes], Callable[..., Any]], ...] = (
    (lazy_pattern(rb"\x1f\x8b\x08"), gzip.open),
    (lazy_pattern(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), bz2.open),
    (_XZ, lzma.open),
    # The older format of xz: how it was packed, how large its dictionary is, and how much it unpacks to.
    (lazy_pattern(rb"[\0-\xe0](?:%b)(?:\xff{8}|[\0-\xff]{4}[\0-\x3f]\0{3})\0" % _DICTIONARIES), lzma.open),
)  # fmt: skip
# xz may have these between what it packed, and what follows them is not unpacked here.
_PADDED_XZ = lazy_pattern(rb"YZ(?:\0{4})+\xfd7zXZ\0")
# Python has nothing that reads these.
_UNREADABLE = {b"7z\xbc\xaf'\x1c": "7z", b"Rar!\x1a\x07": "RAR", b"\x28\xb5\x2f\xfd": "Zstandard"}
_TAR_AT, _TAR, _ZIP = 257, b"ustar", b"PK\3\4"
_DAMAGED = "it, or something in it, is damaged or goes on behind its end"
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


class Unsearched(Exception):
    """Not everything in a file can be looked at; the message says why."""


def secret_member(file: IO[bytes]) -> str | None:
    """Return which secret is packed in a file: the name of a member, or a kind; None if there is none.

    What is not packed is not looked at. Raises `Unsearched` if not all of it can be searched.
    """
    search = _Search()
    found = search.inside(file, 0)
    if found is None and search.is_damaged:
        raise Unsearched(_DAMAGED)
    return found


def _begins_tar(head: bytes) -> bool:
    """Return whether a file's first block is a tar's, of any age: the oldest have no sign, but a checksum."""
    if head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        return True
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


class _Search:
    """One file's search. What is damaged is searched up to there; another program may unpack more of it.

    What only begins like something packed is searched as it is, and so is what is packed in another file.
    """

    def __init__(self) -> None:
        self.is_damaged = False
        self._left, self._members = UNPACKED_MAX, MEMBERS_MAX

    def inside(self, file: IO[bytes], level: int) -> str | None:
        """Return which secret is packed in a file that can be rewound."""
        file.seek(0)
        head = file.read(tarfile.BLOCKSIZE)
        file.seek(0)
        for magic, name in _UNREADABLE.items():
            if head.startswith(magic):
                raise Unsearched(f"it is a {name} file, which cannot be unpacked here")
        unpack = next((unpack for begins, unpack in _PACKED if begins.match(head)), None)
        is_tar = unpack is None and _begins_tar(head)
        # A program that unpacks itself has something before it.
        may_be_zip = unpack is None and not is_tar and (level == 0 or head.startswith(_ZIP))
        is_zip = may_be_zip and zipfile.is_zipfile(file)
        file.seek(0)
        if (head.startswith(_ZIP) and not is_zip) or (_XZ.match(head) and self._is_padded(file)):
            # What is not listed at the end, or stands behind it, is found by others.
            self.is_damaged = True
        if not (unpack or is_tar or is_zip):
            return None
        if level == LEVELS_MAX:
            raise Unsearched(f"more than {LEVELS_MAX} files are packed in each other")
        if unpack:
            with unpack(file) as unpacked:
                return self._content(unpacked, level + 1)
        return self._tar(file, level) if is_tar else self._zip(file, level)

    def _content(self, file: IO[bytes], level: int) -> str | None:
        """Return which secret an unpacked file holds, in itself or packed again."""
        try:
            found = self._inside_unpacked(file, level)
            file.seek(0)
        except _BROKEN:
            found, self.is_damaged = None, True
        return found or secret_in_parts(self._parts(file))

    def _inside_unpacked(self, file: IO[bytes], level: int) -> str | None:
        if file.read(len(_ZIP)) == _ZIP:
            # Its list of members is at its end, and is gone back from for each.
            file.seek(0)
            data = b"".join(self._parts(file))
            self._left += len(data)
            return self.inside(io.BytesIO(data), level)
        file.seek(0)
        return self.inside(file, level)

    def _parts(self, file: IO[bytes]) -> Iterator[bytes]:
        return iter(partial(self._read, file), b"")

    def _read(self, file: Any) -> bytes:
        """Return the next part, up to where the file is damaged; b"" at its end."""
        parts: list[bytes] = []
        size = 0
        # A larger piece would be lost with what is damaged in it.
        try:
            while size < PART and (part := file.read1(PIECE)):
                parts.append(part)
                size += len(part)
        except _BROKEN:
            self.is_damaged = True
        data = b"".join(parts)
        self._left -= size
        if self._left < 0:
            raise Unsearched(f"it unpacks to more than {UNPACKED_MAX // 2**20} MB")
        return data

    def _zip(self, file: IO[bytes], level: int) -> str | None:
        try:
            archive = zipfile.ZipFile(file)
        except _BROKEN:
            self.is_damaged = True
            return None
        with archive:
            members = archive.infolist()
            if found := next((found for one in members if (found := self._named(one.filename))), None):
                return found
            for member in members:
                if member.is_dir():
                    continue
                if member.flag_bits & 1:
                    raise Unsearched(f"{label(member.filename, 80)} in it is locked with a password")
                try:
                    opened = archive.open(member)
                except NotImplementedError:
                    raise Unsearched(f"{label(member.filename, 80)} in it is packed in a way that is unknown") from None
                except _BROKEN:
                    raise Unsearched(f"{label(member.filename, 80)} in it is damaged") from None
                with opened:
                    if found := self._content(opened, level + 1):
                        return f"{found} in {label(member.filename, 80)}"
        return None

    def _tar(self, file: IO[bytes], level: int) -> str | None:
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    if found := self._named(member.name):
                        return found
                    opened = archive.extractfile(member) if member.isreg() else None
                    if opened and (found := self._content(opened, level + 1)):
                        return f"{found} in {label(member.name, 80)}"
                # A header that is damaged ends the list without a word.
                file.seek(archive.offset)
                self.is_damaged |= bool(file.read(tarfile.BLOCKSIZE).strip(b"\0"))
        except _BROKEN:
            self.is_damaged = True
        return None

    def _is_padded(self, file: IO[bytes]) -> bool:
        """Return whether something packed follows behind padding."""
        before = b""
        while part := file.read(PART):
            if _PADDED_XZ.search(before + part):
                file.seek(0)
                return True
            before = part[-OVERLAP:]
        file.seek(0)
        return False

    def _named(self, name: str) -> str | None:
        """Return the name of a member that is a secret's."""
        self._members -= 1
        if self._members < 0:
            raise Unsearched(f"more than {MEMBERS_MAX:,} files are in it")
        path = PurePath(name)
        # A backup of our own has the database and, if it was asked for, the token.
        return label(str(path), 80) if path.parts and (secret_name(path) or path.name == "channel.db") else None
