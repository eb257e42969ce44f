"""Files with credentials in them: a short text goes out masked, everything else does not go out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest

from agent_channels.core.errors import Refused
from agent_channels.core.files.packed_files import LEVELS_MAX, UNPACKED_MAX
from agent_channels.core.files.secret_content import PART
from agent_channels.core.files.storage import Files
from agent_channels.core.secret_shapes import SECRET
from agent_channels.core.store.database import Store
from planted_secrets import KINDS, Planted, core_of, planted

TOKEN = KINDS["github"](Planted(3))
KEY = "-----BEGIN PRIVATE KEY-----"
LIMIT = 50_000_000


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "state", environ={"CLAUDE_PROJECT_DIR": str(tmp_path)})


def sent(files: Files, path: Path, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    path.write_bytes(data)
    with closing(files.open_sendable(str(path), LIMIT)) as file, file.stream() as stream:
        return stream.read(), file.masked


def zipped(data: bytes, name: str = "a/notes.txt") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return packed.getvalue()


def tarred(data: bytes, name: str = "a/notes.txt", mode: Literal["w", "w:gz", "w:bz2", "w:xz"] = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for path, content in (("a/readme.md", b"x"), (name, data)):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def tgz(data: bytes) -> bytes:
    return tarred(data, mode="w:gz")


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"private key", "age"}))
def test_a_text_file_goes_out_masked(files: Files, tmp_path: Path, kind: str) -> None:
    """The rest of it stays to the byte, and the kinds are told; the file on the disk is not touched."""
    secret = KINDS[kind](Planted(1))
    data = f"before\r\n{secret}\nafter 密碼".encode()
    masked, kinds = sent(files, tmp_path / "notes.txt", data)
    assert core_of(secret).encode() not in masked
    assert masked.startswith(b"before\r\n")
    assert masked.endswith("\nafter 密碼".encode())
    assert len(kinds) == 1
    assert (tmp_path / "notes.txt").read_bytes() == data


def test_a_utf_16_text_stays_one(files: Files, tmp_path: Path) -> None:
    """What Windows programs write is masked in its own coding."""
    masked, kinds = sent(files, tmp_path / "notes.txt", f"key {TOKEN}\n".encode("utf-16"))
    assert masked.decode("utf-16") == f"key ghp_{SECRET}\n".replace("ghp_", TOKEN[:4])
    assert kinds == ("a GitHub token",)


@pytest.mark.parametrize(
    "data",
    [
        KEY.encode(),
        b"PuTTY-User-Key-File-3: ssh-ed25519",
        b"# created: today\nAGE-SECRET-KEY-1QQQ",
        b"x" * PART + b"\n" + KEY.encode(),
        b"\0" * PART * 2 + KEY.encode(),
        b"y\n" * PART + TOKEN.encode(),
        b"\0\1" + TOKEN.encode(),
        TOKEN.encode("utf-16-be"),
        TOKEN.encode("utf-16-le"),
        TOKEN.encode("utf-32-be"),
        gzip.compress(f"x {TOKEN}".encode()),
        bz2.compress(f"x {TOKEN}".encode()),
        lzma.compress(f"x {TOKEN}".encode()),
        zipped(f"x {TOKEN}".encode()),
        b"7001234567:" + b"A" * 35,
    ],
    ids=[
        "key", "putty", "age", "key after 1 MB", "key in binary after 2 MB", "token after 2 MB", "binary", "utf-16-be",
        "utf-16-le", "utf-32-be", "gzip", "bzip2", "xz", "zip", "token of a bot",
    ],
)  # fmt: skip
def test_what_cannot_be_masked_is_refused(files: Files, tmp_path: Path, data: bytes) -> None:
    """Keys, what lies far into a file, coded otherwise or packed; the reason says what to do and not the value."""
    with pytest.raises(Refused, match=r"holds a secret .* Send a copy from which that was removed") as refused:
        sent(files, tmp_path / "notes.bin", data)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("inner", [zipped, tgz, tarred, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("outer", [zipped, tgz, tarred, gzip.compress, bz2.compress, lzma.compress])
def test_what_is_packed_inside_something_packed_is_refused(
    files: Files, tmp_path: Path, outer: Callable[[bytes], bytes], inner: Callable[[bytes], bytes]
) -> None:
    """Whatever is in what; without a secret it is sent as it is."""
    for data in (f"x {TOKEN}".encode(), KEY.encode()):
        with pytest.raises(Refused, match="holds a secret") as refused:
            sent(files, tmp_path / "notes.bin", outer(inner(data)))
        assert TOKEN not in str(refused.value)
    harmless = outer(inner(b"nothing to see " * 100))
    assert sent(files, tmp_path / "a.bin", harmless)[0] == harmless


@pytest.mark.parametrize("pack", [zipped, tgz, gzip.compress])
def test_what_lies_far_into_something_packed_is_refused(
    files: Files, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """As far into a member as into a file."""
    with pytest.raises(Refused, match="holds a secret"):
        sent(files, tmp_path / "notes.bin", pack(b"y\n" * PART + TOKEN.encode()))


@pytest.mark.parametrize(
    "data",
    [
        tarred(b"x", ".env"),
        tarred(b"x", "home/.ssh/id_rsa", "w:gz"),
        tarred(b"x", "state/telegram/channel.db", "w:xz"),
        zipped(tarred(b"x", ".env", "w:bz2"), "all.tbz"),
        zipped(zipped(b"x", "project/.env"), "a.zip"),
    ],
    ids=["tar", "tgz", "txz", "tar in zip", "zip in zip"],
)
def test_members_are_refused_by_their_names(files: Files, tmp_path: Path, data: bytes) -> None:
    """As such files are where they lie alone."""
    with pytest.raises(Refused, match="holds a secret"):
        sent(files, tmp_path / "all.bin", data)


def old_tar(data: bytes) -> bytes:
    """As the first tar wrote it: without a sign, so that only the checksum tells."""
    packed = bytearray(tarred(data))
    at = 0
    while packed[at]:
        header = packed[at : at + 512]
        header[257:265] = bytes(8)
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        size = int(header[124:135], 8)
        packed[at : at + 512] = header
        at += 512 + -(-size // 512) * 512
    return bytes(packed)


def wrong_sum(data: bytes) -> bytes:
    """A ZIP with one bit of a member's checksum changed, in both places."""
    packed = bytearray(zipped(data))
    packed[14] ^= 1
    packed[packed.index(b"PK\1\2") + 16] ^= 1
    return bytes(packed)


def broken_tar(data: bytes) -> bytes:
    """A tar whose second member has a damaged header, behind which others go on."""
    packed = bytearray(tarred(data))
    packed[1024 + 150] ^= 1
    return bytes(packed)


def lzma_alone(data: bytes) -> bytes:
    return lzma.compress(data, format=lzma.FORMAT_ALONE)


PADDED = lzma.compress(b"nothing") + bytes(8) + lzma.compress(b"something else")


@pytest.mark.parametrize("pack", [old_tar, lzma_alone, lambda data: gzip.compress(old_tar(data))])
def test_old_formats_are_searched_too(files: Files, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """A tar without a sign in its header, and what came before xz."""
    with pytest.raises(Refused, match="holds a secret"):
        sent(files, tmp_path / "a.bin", pack(gzip.compress(f"x {TOKEN}".encode())))
    harmless = pack(b"nothing to see " * 100)
    assert sent(files, tmp_path / "b.bin", harmless)[0] == harmless


def deep(levels: int) -> bytes:
    data = b"x"
    for _ in range(levels):
        data = zipped(data)
    return data


def locked() -> bytes:
    data = bytearray(zipped(b"x"))
    # The flag stands in the member's own header and in the list at the end.
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (deep(LEVELS_MAX + 1), "packed in each other"),
        (locked(), "locked with a password"),
        (zipped(locked(), "inner.zip"), "locked with a password"),
        (gzip.compress(b"\0" * (UNPACKED_MAX + 1), 1), "unpacks to more than 256 MB"),
        (b"7z\xbc\xaf'\x1c" + b"x" * 100, "7z file, which cannot be unpacked here"),
        (tgz(b"Rar!\x1a\x07\1\0" + b"x" * 100), "RAR file"),
        (wrong_sum(f"x {TOKEN}".encode()), "damaged"),
        (zipped(wrong_sum(f"x {TOKEN}".encode()), "a.zip"), "damaged"),
        (gzip.compress(broken_tar(gzip.compress(f"x {TOKEN}".encode()))), "damaged"),
        (PADDED, "goes on behind its end"),
        *((pack(b"nothing to see " * 100)[:20], "damaged") for pack in (gzip.compress, bz2.compress, lzma.compress)),
        (zipped(b"nothing to see " * 100)[:60], "damaged"),
        (tarred(b"x" * 900)[:1700], "damaged"),
    ],
    ids=[
        "deep",
        "locked",
        "locked inside",
        "a bomb",
        "7z",
        "rar in tgz",
        "wrong sum",
        "wrong sum inside",
        "tar header",
        "padded xz",
        "cut gzip",
        "cut bz2",
        "cut xz",
        "cut zip",
        "cut tar",
    ],
)
def test_what_cannot_be_searched_whole_is_not_sent(files: Files, tmp_path: Path, data: bytes, why: str) -> None:
    """The reason says so and what to do; where the operator does not mask secrets, it is sent."""
    with pytest.raises(Refused, match=rf"cannot be searched for secrets, because .*{why}.*; send what is in it"):
        sent(files, tmp_path / "all.bin", data)
    environ = {"CLAUDE_PROJECT_DIR": str(tmp_path)}
    anything = Files(tmp_path / "state", environ=environ, mask=False, unsearched=True)
    assert sent(anything, tmp_path / "all.bin", data)[0] == data


def test_what_only_begins_like_something_packed_is_searched_as_it_is(files: Files, tmp_path: Path) -> None:
    """Alone and in an archive; of what is damaged, what comes out of it."""
    for data in (zipped(b"BZhello " + TOKEN.encode()), gzip.compress(b"\x1f\x8b" + TOKEN.encode())):
        with pytest.raises(Refused, match="holds a secret"):
            sent(files, tmp_path / "a.bin", data)
    cut = gzip.compress(TOKEN.encode() + random.Random(1).randbytes(50_000))[:-20_000]  # noqa: S311
    with pytest.raises(Refused, match="holds a secret"):
        sent(files, tmp_path / "a.gz", cut)


def test_a_copy_of_a_channels_database_is_refused(files: Files, tmp_path: Path) -> None:
    """Whatever it is called; another program's database is not ours to refuse."""
    with closing(Store(tmp_path / "copy.txt")):
        pass
    with pytest.raises(Refused, match="the database of a channel"):
        files.open_sendable("copy.txt", LIMIT)
    other = Store(tmp_path / "other.db", migrations=[["CREATE TABLE inbox (id INTEGER)"]])
    other.close()
    files.open_sendable("other.db", LIMIT).close()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zipped])
def test_what_is_packed_without_a_secret_is_sent(files: Files, tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """And so is what only begins like something packed."""
    data = pack(b"nothing to see " * 100)
    assert sent(files, tmp_path / "a.bin", data)[0] == data
    for text in (b"BZhello", b"\x1f\x8bhello", b"PK", b"x" * 300, b"]" * 40, bytes(range(256)) * 4, bytes(600)):
        assert sent(files, tmp_path / "b.bin", text)[0] == text


def test_without_masking_a_text_is_refused(tmp_path: Path) -> None:
    """Where the operator blocks secrets, or does not mask them, a file with one is not sent."""
    files = Files(tmp_path / "state", environ={"CLAUDE_PROJECT_DIR": str(tmp_path)}, mask=False)
    with pytest.raises(Refused, match=r"holds a secret \(a GitHub token\)"):
        sent(files, tmp_path / "notes.txt", f"x {TOKEN}".encode())


def test_a_thousand_secrets_in_a_file(files: Files, tmp_path: Path) -> None:
    """None of them leaves, and each is counted."""
    secrets = [one for one in planted(1100) if not one.startswith(("-----", "AGE-"))][:1000]
    masked, kinds = sent(files, tmp_path / "dump.log", "\n".join(secrets).encode())
    assert [one for one in secrets if core_of(one).encode() in masked] == []
    assert len(kinds) == 1000
