"""Files with credentials in them: a short text goes out masked, everything else does not go out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent_channels.core.errors import Refused
from agent_channels.core.files.storage import HEAD, Files
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


def zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/notes.txt", data)
    return packed.getvalue()


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
        b"x" * HEAD + b"\n" + KEY.encode(),
        b"\0" * HEAD * 2 + KEY.encode(),
        b"y\n" * HEAD + TOKEN.encode(),
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
    assert sent(files, tmp_path / "b.bin", data[:20])[0] == data[:20]


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
