"""Files out: only what may leave. Files in: under names of our own."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import Attachment
from agent_channels.core.errors import Refused
from agent_channels.core.files.storage import Files
from unprivileged import unprivileged

LIMIT = 1000


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, a home, a state folder and a temporary folder, side by side."""
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
def files(world: Path) -> Files:
    return Files(world / "state", environ={"CLAUDE_PROJECT_DIR": str(world / "project")})


@pytest.mark.parametrize("name", ["project/report.pdf", "state/files/photo.jpg", "tmp/made.txt"])
def test_files_of_the_project_the_downloads_and_the_temporary_folder_may_go(
    files: Files, world: Path, name: str
) -> None:
    """The three roots that always hold; a relative path is the project's."""
    assert files.sendable(str(world / name), LIMIT) == (world / name).resolve()
    assert files.sendable("report.pdf", LIMIT) == (world / "project/report.pdf").resolve()


def test_further_roots_are_the_operators(files: Files, world: Path) -> None:
    """A folder is opened by `send_roots` only, `~` included."""
    with pytest.raises(Refused, match=r"outside the folders that may be sent from .*send_roots in config.yaml"):
        files.sendable(str(world / "elsewhere/letter.txt"), LIMIT)
    opened = Files(world / "state", roots=[Path("~/../elsewhere")], environ={})
    assert opened.sendable(str(world / "elsewhere/letter.txt"), LIMIT).name == "letter.txt"


@pytest.mark.parametrize(
    ("path", "says"),
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
def test_what_may_not_leave_is_refused_with_the_reason(files: Files, world: Path, path: str, says: str) -> None:
    """State, keys, secrets, what is missing or no file, and everything outside: named, with why."""
    with pytest.raises(Refused, match=says) as refused:
        files.sendable(str(world / path), LIMIT)
    assert "content" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("state/.env", "lies in the state folder"),
        ("state", "lies in the state folder"),
        ("home/.ssh/id_ed25519", "looks like a secret"),
        ("elsewhere/letter.txt", "outside the folders"),
        ("nowhere", "cannot be read|outside the folders"),
    ],
)
def test_a_symbolic_link_leads_nowhere_else(files: Files, world: Path, target: str, says: str) -> None:
    """The real file counts, through a link to the file or to a folder above it."""
    link = world / "project/link"
    link.symlink_to(world / target)
    with pytest.raises(Refused, match=says):
        files.sendable(str(link / ".env" if target == "state" else link), LIMIT)


def test_a_link_into_the_downloads_may_go(files: Files, world: Path) -> None:
    """What may be sent may be sent through a link too."""
    (world / "project/link.jpg").symlink_to(world / "state/files/photo.jpg")
    assert files.sendable("link.jpg", LIMIT).name == "photo.jpg"


def test_a_state_folder_that_is_a_link_is_protected(world: Path) -> None:
    """However the state folder is named, its real place counts."""
    (world / "project/state").symlink_to(world / "state")
    files = Files(world / "project/state", environ={"CLAUDE_PROJECT_DIR": str(world / "project")})
    for path in (world / "project/state/.env", world / "state/.env"):
        with pytest.raises(Refused, match="lies in the state folder"):
            files.sendable(str(path), LIMIT)


def test_the_home_folders_keys_are_refused_even_inside_a_root(world: Path) -> None:
    """An operator who opens the whole home folder still keeps the keys in."""
    files = Files(world / "state", roots=[Path("~")], environ={})
    with pytest.raises(Refused, match="looks like a secret"):
        files.sendable("~/.ssh/id_ed25519", LIMIT)


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".ENV", ".env.local", "prod.env", ".netrc", ".npmrc", ".pypirc", "id_rsa", "id_ed25519.pub",
        "server.pem", "server.key", "store.p12", "vault.kdbx", "credentials", "credentials.json",
        ".git-credentials", ".pgpass",
        ".aws/x", ".gnupg/x", ".kube/x", ".docker/x", ".git/config", ".SSH/x",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_refused_in_the_project_too(files: Files, world: Path, name: str) -> None:
    """Known names of credentials are never sent, in any case."""
    path = world / "project" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("content")
    with pytest.raises(Refused, match="looks like a secret"):
        files.sendable(str(path), LIMIT)


@pytest.mark.parametrize("name", ["environment.md", "keys.txt", "envelope.pdf", "credentials-howto.md", "key.png"])
def test_harmless_names_are_no_secrets(files: Files, world: Path, name: str) -> None:
    """A word in a name is not enough."""
    (world / "project" / name).write_text("content")
    assert files.sendable(name, LIMIT).name == name


def test_sizes_are_those_the_platform_takes(files: Files, world: Path) -> None:
    """Nothing empty, nothing above the limit, with both figures; the limit itself fits."""
    path = world / "project/data.bin"
    path.write_bytes(b"")
    with pytest.raises(Refused, match="is empty"):
        files.sendable(str(path), LIMIT)
    path.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(Refused, match="has 1,001 bytes; the platform takes at most 1,000"):
        files.sendable(str(path), LIMIT)
    path.write_bytes(b"x" * LIMIT)
    assert files.sendable(str(path), LIMIT) == path.resolve()


def test_only_plain_files_are_sent(files: Files, world: Path) -> None:
    """A pipe would hold the program up for ever."""
    os.mkfifo(world / "project/pipe")
    with pytest.raises(Refused, match="is not a file"):
        files.sendable("pipe", LIMIT)


def test_a_file_that_cannot_be_read_is_refused() -> None:
    """Permissions are asked before anything is sent, of the file and of the folders above it."""
    with unprivileged() as folder:
        (folder / "closed").mkdir()
        (folder / "closed/x.txt").write_text("content")
        (folder / "y.txt").write_text("content")
        (folder / "y.txt").chmod(0)
        (folder / "closed").chmod(0)
        files = Files(folder / "state", environ={"CLAUDE_PROJECT_DIR": str(folder)})
        for name in ("y.txt", "closed/x.txt"):
            with pytest.raises(Refused, match=r"cannot be read: [Pp]ermission denied"):
                files.sendable(name, LIMIT)


@pytest.mark.parametrize(
    "path", ["", "  ", "a\0b", "~nobody-of-this-name/x", "\ud800.txt", "x/" * 3000, "x" * 5000, "."]
)
def test_what_is_no_path_is_refused(files: Files, path: str) -> None:
    """Whatever is given as a path, the answer is a refusal of readable length."""
    with pytest.raises(Refused) as refused:
        files.sendable(path, LIMIT)
    assert len(str(refused.value)) < 1500


# ---- in


@given(st.text(max_size=60), st.none() | st.text(max_size=40), st.sampled_from(["photo", "document", "voice", "?"]))
def test_a_download_is_never_named_by_others(
    tmp_path_factory: pytest.TempPathFactory, name: str, mime: str | None, kind: str
) -> None:
    """Time, random digits and at most a plain ending, straight in the downloads folder; never the same twice."""
    files = Files(tmp_path_factory.getbasetemp() / "state-in", environ={})
    target = files.target(Attachment(kind, "id", name, mime))
    assert target.parent == files.folder
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{12}\.[a-z0-9]{1,8}", target.name)
    assert target != files.target(Attachment(kind, "id", name, mime))


@pytest.mark.parametrize(
    ("attachment", "ending"),
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
def test_the_ending_tells_what_a_download_is(files: Files, attachment: Attachment, ending: str) -> None:
    """A plain ending is kept, in small letters; else the type or the kind gives one."""
    assert files.target(attachment).suffix == ending


def test_the_downloads_folder_is_private(world: Path) -> None:
    """Others on the machine cannot look into it."""
    files = Files(world / "fresh", environ={})
    files.target(Attachment("photo", "id"))
    assert files.folder.stat().st_mode & 0o777 == 0o700


def test_the_oldest_downloads_go_above_the_quota(world: Path) -> None:
    """The youngest stay; nothing goes while there is room; old ones go by age."""
    files = Files(world / "quota", quota_mb=1, environ={})
    assert files.prune(()) == 0
    for number in range(4):
        path = files.target(Attachment("photo", "id"))
        path.write_bytes(b"x" * 400_000)
        os.utime(path, (1_800_000_000 + number, 1_800_000_000 + number))
    assert files.prune(()) == 2
    assert sorted(path.stat().st_mtime for path in files.folder.iterdir()) == [1_800_000_002, 1_800_000_003]
    assert files.prune(()) == 0
