"""Only files that may leave this machine are sent, and downloads are stored under generated names."""

from __future__ import annotations

import os
import re
import tempfile
import zipfile
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.contract.outgoing import OpenFile
from agent_channels.core.errors import Refused
from agent_channels.core.files.secret_content import PART
from agent_channels.core.files.storage import Files
from agent_channels.core.log import register_secret
from unprivileged import unprivileged

LIMIT = 1000


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a project, a home, two state folders and a temporary folder in it."""
    for name in ("project", "home/.ssh", "state/files", "tmp", "elsewhere", "other-state/files"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "project/report.pdf", "project/.env", "home/.ssh/id_ed25519", "home/.ssh/config", "state/channel.db",
        "state/.env", "state/config.yaml", "state/files/photo.jpg", "tmp/made.txt", "elsewhere/letter.txt",
        "other-state/channel.db",        "other-state/files/x.jpg", "other-state/config.yaml",
    ):  # fmt: skip
        (tmp_path / name).write_text("content")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


@pytest.fixture
def files(folders: Path) -> Files:
    return Files(folders / "state", environ={"CLAUDE_PROJECT_DIR": str(folders / "project")})


def sendable(files: Files, path: str, limit: int) -> tuple[str, bytes]:
    """The name and the content of the file that is opened for sending."""
    with closing(files.open_sendable(path, limit)) as file, file.stream() as stream:
        return file.name, stream.read()


@pytest.mark.parametrize("name", ["project/report.pdf", "state/files/photo.jpg", "tmp/made.txt"])
def test_files_of_the_project_the_downloads_and_the_temporary_folder_are_sendable(
    files: Files, folders: Path, name: str
) -> None:
    """These are the default roots; a relative path starts at the project."""
    assert sendable(files, str(folders / name), LIMIT) == (Path(name).name, b"content")
    assert sendable(files, "report.pdf", LIMIT) == ("report.pdf", b"content")


def test_the_operator_adds_roots(files: Files, folders: Path) -> None:
    """Other folders need `send_roots`, where `~` is expanded."""
    with pytest.raises(Refused, match=r"outside the folders that may be sent from .*send_roots in config.yaml"):
        sendable(files, str(folders / "elsewhere/letter.txt"), LIMIT)
    opened = Files(folders / "state", roots=[Path("~/../elsewhere")], environ={})
    assert sendable(opened, str(folders / "elsewhere/letter.txt"), LIMIT)[0] == "letter.txt"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("state/channel.db", "lies in the state folder"),
        ("state/.env", "lies in the state folder"),
        ("state/config.yaml", "lies in the state folder"),
        ("state/files/../config.yaml", "lies in the state folder"),
        ("other-state/config.yaml", "lies in a state folder"),
        ("home/.ssh/id_ed25519", r"looks like a secret \(.ssh\)"),
        ("home/.ssh/config", r"looks like a secret \(.ssh\)"),
        ("project/.env", r"looks like a secret \(.env\)"),
        ("project/missing.txt", "cannot be read: No such file"),
        ("project", "is not a file"),
        ("elsewhere/letter.txt", "outside the folders"),
        ("project/../elsewhere/letter.txt", "outside the folders"),
    ],
)
def test_other_files_are_refused_with_the_reason(files: Files, folders: Path, path: str, reason: str) -> None:
    """State, keys, secrets, missing files, folders and everything outside the roots, without their content."""
    with pytest.raises(Refused, match=reason) as refused:
        sendable(files, str(folders / path), LIMIT)
    assert "content" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("state/.env", "lies in the state folder"),
        ("state", "lies in the state folder"),
        ("home/.ssh/id_ed25519", "looks like a secret"),
        ("elsewhere/letter.txt", "outside the folders"),
        ("nowhere", "cannot be read|outside the folders"),
    ],
)
def test_a_symbolic_link_gives_no_access(files: Files, folders: Path, target: str, reason: str) -> None:
    """The target is checked, whether the link is the file or a folder above it."""
    link = folders / "project/link"
    link.symlink_to(folders / target)
    with pytest.raises(Refused, match=reason):
        sendable(files, str(link / ".env" if target == "state" else link), LIMIT)


def test_a_link_into_the_downloads_is_sendable(files: Files, folders: Path) -> None:
    """A link to a sendable file is sendable."""
    (folders / "project/link.jpg").symlink_to(folders / "state/files/photo.jpg")
    assert sendable(files, "link.jpg", LIMIT)[0] == "photo.jpg"


def test_a_state_folder_that_is_a_link_is_protected(folders: Path) -> None:
    """Its real path is protected, and so is the link."""
    (folders / "project/state").symlink_to(folders / "state")
    files = Files(folders / "project/state", environ={"CLAUDE_PROJECT_DIR": str(folders / "project")})
    for path in (folders / "project/state/.env", folders / "state/.env"):
        with pytest.raises(Refused, match="lies in the state folder"):
            sendable(files, str(path), LIMIT)


def test_the_home_folders_keys_are_refused_even_inside_a_root(folders: Path) -> None:
    """Even if the operator adds the whole home folder, its keys stay private."""
    files = Files(folders / "state", roots=[Path("~")], environ={})
    with pytest.raises(Refused, match="looks like a secret"):
        sendable(files, "~/.ssh/id_ed25519", LIMIT)


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".ENV", ".env.local", "prod.env", ".netrc", ".npmrc", ".pypirc", "id_rsa", "id_ed25519.pub",
        "server.pem", "server.key", "store.p12", "vault.kdbx", "credentials", "credentials.json",
        ".git-credentials", ".pgpass",
        ".aws/x", ".gnupg/x", ".kube/x", ".docker/x", ".git/config", ".SSH/x",
    ],
)  # fmt: skip
def test_a_secret_in_the_project_is_refused(files: Files, folders: Path, name: str) -> None:
    """Well-known names of credentials are never sent, in upper or lower case."""
    path = folders / "project" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("content")
    with pytest.raises(Refused, match="looks like a secret"):
        sendable(files, str(path), LIMIT)


@pytest.mark.parametrize("name", ["environment.md", "keys.txt", "envelope.pdf", "credentials-howto.md", "key.png"])
def test_harmless_names_are_sendable(files: Files, folders: Path, name: str) -> None:
    """A word in a name does not make it a secret."""
    (folders / "project" / name).write_text("content")
    assert sendable(files, name, LIMIT)[0] == name


def test_sizes_are_limited_by_the_platform(files: Files, folders: Path) -> None:
    """An empty file and one above the limit are refused, with both figures; a file of exactly the limit is not."""
    path = folders / "project/data.bin"
    path.write_bytes(b"")
    with pytest.raises(Refused, match="is empty"):
        sendable(files, str(path), LIMIT)
    path.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(Refused, match="has 1,001 bytes; the platform takes at most 1,000"):
        sendable(files, str(path), LIMIT)
    path.write_bytes(b"x" * LIMIT)
    assert sendable(files, str(path), LIMIT) == (path.name, path.read_bytes())


def test_only_regular_files_are_sent(files: Files, folders: Path) -> None:
    """Reading a pipe would block the program indefinitely."""
    os.mkfifo(folders / "project/pipe")
    with pytest.raises(Refused, match="is not a file"):
        sendable(files, "pipe", LIMIT)


def test_a_file_that_cannot_be_read_is_refused() -> None:
    """Missing permissions are noticed before anything is sent, for the file and for the folders above it."""
    with unprivileged() as folder:
        (folder / "closed").mkdir()
        (folder / "closed/x.txt").write_text("content")
        (folder / "y.txt").write_text("content")
        (folder / "y.txt").chmod(0)
        (folder / "closed").chmod(0)
        files = Files(folder / "state", environ={"CLAUDE_PROJECT_DIR": str(folder)})
        for name in ("y.txt", "closed/x.txt"):
            with pytest.raises(Refused, match=r"cannot be read: [Pp]ermission denied"):
                sendable(files, name, LIMIT)


@pytest.mark.parametrize(
    "path", ["", "  ", "a\0b", "~nobody-of-this-name/x", "\ud800.txt", "x/" * 3000, "x" * 5000, "."]
)
def test_an_invalid_path_is_refused(files: Files, path: str) -> None:
    """Any text gets a refusal of readable length."""
    with pytest.raises(Refused) as refused:
        sendable(files, path, LIMIT)
    assert len(str(refused.value)) < 1500


# ---- downloads


@given(st.text(max_size=60), st.none() | st.text(max_size=40), st.sampled_from(["photo", "document", "voice", "?"]))
def test_senders_do_not_name_downloads(
    tmp_path_factory: pytest.TempPathFactory, name: str, mime: str | None, kind: str
) -> None:
    """A name is a time, random digits and a plain suffix, directly in the downloads folder, and never repeats."""
    files = Files(tmp_path_factory.getbasetemp() / "state-in", environ={})
    path = files.download_path(Attachment(kind, "id", name, mime))
    assert path.parent == files.folder
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{12}\.[a-z0-9]{1,8}", path.name)
    assert path != files.download_path(Attachment(kind, "id", name, mime))


@pytest.mark.parametrize(
    ("attachment", "suffix"),
    [
        (Attachment("document", "id", "Report.PDF"), ".pdf"),
        (Attachment("document", "id", "archive.tar.gz"), ".gz"),
        (Attachment("photo", "id", None, "image/png"), ".png"),
        (Attachment("voice", "id"), ".ogg"),
        (Attachment("document", "id", "../../.bashrc"), ".bin"),
        (Attachment("document", "id", "x.</channel>"), ".bin"),
        (Attachment("document", "id", "name.waytoolongending"), ".bin"),
    ],
)
def test_the_suffix_tells_the_type_of_a_download(files: Files, attachment: Attachment, suffix: str) -> None:
    """A plain suffix is kept in lower case; otherwise the MIME type or the kind of file decides."""
    assert files.download_path(attachment).suffix == suffix


def test_the_downloads_folder_is_private(folders: Path) -> None:
    """Other users of the machine cannot list it."""
    files = Files(folders / "fresh", environ={})
    files.download_path(Attachment("photo", "id"))
    assert files.folder.stat().st_mode & 0o777 == 0o700


def test_the_oldest_downloads_above_the_quota_are_deleted(folders: Path) -> None:
    """The newest stay, and below the quota nothing is deleted."""
    files = Files(folders / "quota", quota_mb=1, environ={})
    assert files.prune(()) == 0
    for number in range(4):
        path = files.download_path(Attachment("photo", "id"))
        path.write_bytes(b"x" * 400_000)
        os.utime(path, (1_800_000_000 + number, 1_800_000_000 + number))
    assert files.prune(()) == 2
    assert sorted(path.stat().st_mtime for path in files.folder.iterdir()) == [1_800_000_002, 1_800_000_003]
    assert files.prune(()) == 0


@pytest.mark.parametrize("member", [".env", "state/telegram/channel.db", "home/.ssh/id_ed25519"])
def test_an_archive_with_a_secret_in_it_is_refused(files: Files, folders: Path, member: str) -> None:
    """A backup of our own is one, whatever its name is; an archive of harmless files is sent."""
    path = folders / "project/holiday.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("./", "")
        archive.writestr("notes.txt", "notes")
    files.open_sendable("holiday.bin", LIMIT).close()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "x")
    with pytest.raises(Refused, match=rf"holds a secret \({re.escape(member)}\)"):
        files.open_sendable("holiday.bin", LIMIT)


# ---- what was checked is what is sent


def test_a_file_with_several_names_is_refused(files: Files, folders: Path) -> None:
    """A hard link to the database, to .env or to any other file is refused, with what to do instead."""
    for number, name in enumerate(("state/channel.db", "state/.env", "project/.env", "elsewhere/letter.txt")):
        (folders / f"project/{number}.txt").hardlink_to(folders / name)
        with pytest.raises(Refused, match=r"has 2 names on the disk \(hard links\).*copy its content into a new file"):
            files.open_sendable(f"{number}.txt", LIMIT)


def test_a_file_that_is_swapped_after_the_check_is_not_sent(files: Files, folders: Path) -> None:
    """The content is that of the file that was checked, as often as it is read, even if its name leads elsewhere."""
    path = folders / "project/made.txt"
    path.write_text("made")
    with closing(files.open_sendable("made.txt", LIMIT)) as file:
        path.unlink()
        path.symlink_to(folders / "state/.env")
        for _ in range(2):
            with file.stream() as stream:
                assert stream.read() == b"made"
        assert (file.name, file.size) == ("made.txt", 4)


def test_what_is_written_into_a_file_after_the_check_is_not_sent(files: Files, folders: Path) -> None:
    """The content is that which was checked, though the token's file was copied over it or a log grew since."""
    path = folders / "project/made.txt"
    path.write_text("made")
    with closing(files.open_sendable("made.txt", LIMIT)) as file:
        path.write_text("TELEGRAM_BOT_TOKEN=1\nand more")
        with file.stream() as stream:
            assert stream.read() == b"made"
        assert file.size == 4
    assert sorted(found.name for found in (folders / "state/files").iterdir()) == ["photo.jpg"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("at", [0, PART - 20, 3 * PART])
def test_the_token_is_found_anywhere_in_a_file(files: Files, folders: Path, encoding: str, at: int) -> None:
    """At the end of a long log, on the border of what is read at once, and in what Windows programs write."""
    token = "7007007007:" + "AAHsomewhereInALongFileThatNobodyReads"
    register_secret(token)
    (folders / "project/long.log").write_bytes(b"x" * at + token.encode(encoding))
    with pytest.raises(Refused, match="holds a secret"):
        files.open_sendable("long.log", 10 * PART)


def test_hidden_files_of_the_home_folder_are_not_sent(folders: Path) -> None:
    """They are programs' settings, of whatever program, unless a hidden folder itself is one to send from."""
    for name in (".unheard-of/settings.toml", ".shellrc"):
        path = folders / "home" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("content")
        with pytest.raises(Refused, match=rf"the settings of a program \({folders}/home/\.[a-z-]+\)"):
            sendable(Files(folders / "state", roots=[Path("~")], environ={}), str(path), LIMIT)
    opened = Files(folders / "state", roots=[Path("~/.unheard-of")], environ={})
    assert sendable(opened, "~/.unheard-of/settings.toml", LIMIT) == ("settings.toml", b"content")


@pytest.mark.parametrize("swap", ["link", "folder", "hard link", "pipe"])
def test_a_file_that_is_swapped_during_the_check_is_refused(
    files: Files, folders: Path, monkeypatch: pytest.MonkeyPatch, swap: str
) -> None:
    """Between the look at the path and the opening, another file, folder or pipe is put there: nothing is opened."""
    path, secret = folders / "project/sub/letter.txt", folders / "elsewhere/letter.txt"
    path.parent.mkdir()
    path.write_text("made")
    opened = os.open

    def swapped(name: Path, flags: int) -> int:
        if swap == "folder":
            path.unlink()
            path.parent.rmdir()
            path.parent.symlink_to(folders / "elsewhere")
        else:
            path.unlink()
            {"link": path.symlink_to, "hard link": path.hardlink_to, "pipe": lambda _: os.mkfifo(path)}[swap](secret)
        return opened(name, flags)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(Refused):
        files.open_sendable("sub/letter.txt", LIMIT)


def test_an_open_file_is_closed_once() -> None:
    """A second call closes no descriptor that belongs to somebody else by then."""
    reading, writing = os.pipe()
    file = OpenFile(reading, "x", 0)
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)
    os.close(writing)


def stored(files: Files, size: int, needed: Collection[str] = ()) -> str:
    with files.reserve(Attachment("photo", "id", size=size), 2**24, needed) as (path, limit):
        assert limit >= size
        path.write_bytes(b"x" * size)
    return str(path)


def test_what_is_needed_is_never_deleted_and_bounds_what_comes(folders: Path) -> None:
    """Files of unanswered messages stay and fill the quota; the next download is refused with what to do."""
    files = Files(folders / "quota", quota_mb=1, environ={})
    needed = {stored(files, 400_000)}
    needed.add(stored(files, 400_000, needed))
    with pytest.raises(Refused, match=r"not answered yet fill the 1 MB .*files_quota_mb"):
        stored(files, 400_000, needed)
    assert {str(path) for path in files.folder.iterdir()} == needed
    # A small one fits; and once they are answered, the oldest go.
    needed.add(stored(files, 100_000, needed))
    last = stored(files, 900_000)
    assert Path(last).exists()
    assert sum(path.stat().st_size for path in files.folder.iterdir()) <= files.quota


def test_a_download_is_not_deleted_before_it_is_recorded(folders: Path) -> None:
    """Two at once: neither makes room by deleting the other, and together they stay inside the quota."""
    files = Files(folders / "quota", quota_mb=1, environ={})
    photo = Attachment("photo", "id", size=600_000)
    with files.reserve(photo, 2**24, ()) as (path, _):
        path.write_bytes(b"x" * 600_000)
        with pytest.raises(Refused, match="files_quota_mb"), files.reserve(photo, 2**24, ()):
            pass
        with files.reserve(Attachment("photo", "id", size=300_000), 2**24, ()) as (_, limit):
            assert 300_000 <= limit <= 2**20 - 600_000
        # Without a size, what is left is the most that comes.
        with files.reserve(Attachment("photo", "id"), 2**24, ()) as (_, limit):
            assert limit == 2**20 - 600_000
            files.prune((), keep_days=0)
        assert path.exists()
    assert files.prune((), keep_days=0) == 1


def test_nothing_is_deleted_for_a_file_that_is_too_large(folders: Path) -> None:
    """It will be refused, so what lies there stays."""
    files = Files(folders / "quota", quota_mb=1, environ={})
    kept = stored(files, 900_000)
    with files.reserve(Attachment("photo", "id", size=5_000_000), 2_000_000, ()):
        pass
    assert Path(kept).exists()
