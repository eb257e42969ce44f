"""State folders: used only if this user's program made or adopted them, and never through a link."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError, StoreError, UntrustedState
from agent_channels.core.settings import private_files
from agent_channels.core.settings.env_file import set_dotenv_value, set_dotenv_values
from agent_channels.core.settings.paths import KEY_FILE, data_dir, find_project
from agent_channels.core.settings.state_folder import (
    TEXT_MAX,
    adopt,
    adopted_folders,
    is_empty,
    is_trusted,
    make_state_folder,
    read_state_file,
    write_new,
)
from agent_channels.core.store.database import Store


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that this user's program made."""
    return make_state_folder(tmp_path / "project" / "state" / "telegram")


def foreign(path: Path) -> Path:
    """One that came with a repository."""
    path.mkdir(parents=True)
    (path / ".env").write_text("TELEGRAM_API_ROOT=https://api.example.net\n")
    (path / "config.yaml").write_text("send_roots: [/]\n")
    return path


# ---- what is made


def test_what_is_made_is_its_owners_and_known(folder: Path) -> None:
    """Private, out of version control, with the files that decide something taken; the folders above it are private."""
    assert [mode(one) for one in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3
    assert sorted(path.name for path in folder.iterdir()) == [".env", ".gitignore", KEY_FILE, "config.yaml"]
    assert (folder / ".gitignore").read_text() == "*\n"
    assert mode(folder / KEY_FILE) == mode(folder / ".env") == 0o600
    assert is_trusted(folder)
    assert make_state_folder(folder) == folder


def test_an_empty_folder_is_made_ones_own(tmp_path: Path) -> None:
    """There is nothing in it that could decide anything; a .gitignore, which keeps it in a repository, is as good."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / ".gitignore").write_text("*\n")
    assert is_empty(tmp_path / "state")
    assert not is_trusted(tmp_path / "state")
    assert is_trusted(make_state_folder(tmp_path / "state"))


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
@pytest.mark.parametrize("ignored", [None, "", "!*\n", "*\n!.env\n", "* !.gitignore", "*\n!.gitignore\n"])
def test_git_ignores_the_token_whatever_gitignore_came_with_the_project(tmp_path: Path, ignored: str | None) -> None:
    """An empty folder with a .gitignore of its own is adopted, and what is put into it is no part of the project."""
    folder = tmp_path / "state" / "telegram"
    folder.mkdir(parents=True)
    if ignored is not None:
        (folder / ".gitignore").write_text(ignored)
    make_state_folder(folder)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in (".env", KEY_FILE):
        subprocess.run(["git", "check-ignore", "-q", str(folder / name)], cwd=tmp_path, check=True)


def test_the_registry_is_private_and_holds_no_key(folder: Path) -> None:
    """Who reads the registry cannot make a folder that it knows."""
    registry = data_dir() / "state-folders"
    key = (folder / KEY_FILE).read_text().strip()
    assert mode(registry) == 0o700
    entries = [path.read_text() for path in registry.iterdir()]
    assert any(json.loads(entry)["path"] == str(folder) for entry in entries)
    assert all(key not in entry for entry in entries)


# ---- what came from elsewhere


def test_nothing_of_a_foreign_folder_is_read(tmp_path: Path) -> None:
    """Neither settings nor token nor database; one sentence names the folder and what to run. It stays as it was."""
    path = foreign(tmp_path / "state" / "telegram")
    before = {found.name: found.read_bytes() for found in path.iterdir()}
    for use in (
        lambda: read_state_file(path / ".env"),
        lambda: read_state_file(path / "config.yaml"),
        lambda: make_state_folder(path),
        lambda: set_dotenv_value(path, "TELEGRAM_BOT_TOKEN", "x"),
        lambda: write_new(path / "new", "x"),
        lambda: Store.open(path),
    ):
        with pytest.raises(
            UntrustedState, match=f"{path} was not made by you .* copied or restored, .* 0.1.0. .* run `channels trust`"
        ) as refused:
            use()
        assert refused.value.folder == path
    assert {found.name: found.read_bytes() for found in path.iterdir()} == before
    adopt(path)
    assert read_state_file(path / "config.yaml") == "send_roots: [/]\n"


@pytest.mark.parametrize(
    "key", ["", "0" * 64, "../../../etc/passwd", "\x00", "a" * 5000], ids=["empty", "guessed", "path", "null", "long"]
)
def test_a_planted_key_is_worth_nothing(tmp_path: Path, key: str) -> None:
    """Whatever a repository puts into the key's file."""
    path = foreign(tmp_path / "state" / "telegram")
    (path / KEY_FILE).write_text(key)
    with pytest.raises(ConfigError):
        read_state_file(path / ".env")


def test_a_copy_is_not_the_folder(folder: Path, tmp_path: Path) -> None:
    """A folder with its key packed, cloned or copied elsewhere is another one, also in the place of the first."""
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert not is_trusted(copy)
    aside = folder.rename(folder.with_name("aside"))
    shutil.copytree(aside, folder)
    assert not is_trusted(folder)


def test_a_moved_folder_stays_ones_own(folder: Path) -> None:
    """A project is renamed or moved on its disk."""
    project = folder.parent.parent
    moved = project.rename(project.with_name("renamed"))
    assert is_trusted(moved / "state" / "telegram")


def test_a_lost_registry_is_no_permission(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a data folder that knows nothing, nothing is trusted; adopted there, it is known in both."""
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "empty"))
    assert not is_trusted(folder)
    adopt(folder)
    assert is_trusted(folder)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
@pytest.mark.parametrize("name", [".env", "config.yaml", "channel.db", "channel.db-wal", "channel.db-journal"])
def test_what_a_pull_brings_into_ones_own_folder_is_not_read(tmp_path: Path, name: str) -> None:
    """Git replaces ignored files without a word; the file is named, and stays as it is. After a look it can be used."""

    def git(project: Path, *words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.net", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *who, *words], cwd=project, check=True, capture_output=True)

    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    theirs.mkdir()
    git(theirs, "init")
    git(theirs, "commit", "--allow-empty", "-m", "first")
    git(tmp_path, "clone", str(theirs), str(mine))
    folder = make_state_folder(mine / "state" / "telegram")
    (theirs / "state" / "telegram").mkdir(parents=True)
    (theirs / "state" / "telegram" / name).write_text("")
    git(theirs, "add", "-f", ".")
    git(theirs, "commit", "-m", "second")
    git(mine, "pull")
    path = folder / name
    read = (lambda: Store.open(folder).close()) if name.startswith("channel") else (lambda: read_state_file(path))
    with pytest.raises((ConfigError, StoreError), match=f"{path} is open to other users .*chmod 600 {path}"):
        read()
    assert mode(path) & 0o044
    path.chmod(0o600)
    read()


def test_what_is_adopted_is_made_private(tmp_path: Path) -> None:
    """Every file in it, so that it can be used; a link is not followed."""
    path = foreign(tmp_path / "state" / "telegram")
    (tmp_path / "elsewhere").write_text("")
    (path / "channel.db").symlink_to(tmp_path / "elsewhere")
    adopt(path)
    assert {mode(path / name) for name in (".env", "config.yaml")} == {0o600}
    assert mode(tmp_path / "elsewhere") & 0o044


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs the right to give files away")
def test_another_users_folder_is_refused(folder: Path) -> None:
    """Even a known one, and it cannot be adopted."""
    os.chown(folder, 12345, 12345)
    with pytest.raises(UntrustedState, match=r"belongs to another user.*\(TELEGRAM_STATE_DIR=FOLDER\)"):
        is_trusted(folder)
    with pytest.raises(UntrustedState, match="belongs to another user"):
        adopt(folder)


# ---- links


@pytest.mark.parametrize("at", ["state", "telegram"])
def test_links_to_the_folder_are_refused(folder: Path, at: str, tmp_path: Path) -> None:
    """A repository may bring a link to a folder of the user's own: nothing is read or changed through it."""
    (tmp_path / "clone").mkdir()
    if at == "state":
        (tmp_path / "clone" / "state").symlink_to(folder.parent)
    else:
        (tmp_path / "clone" / "state").mkdir()
        (tmp_path / "clone" / "state" / "telegram").symlink_to(folder)
    linked = tmp_path / "clone" / "state" / "telegram"
    for use in (make_state_folder, adopt, is_trusted, Store.open):
        with pytest.raises(UntrustedState, match="leads through a symbolic link"):
            use(linked)


def test_no_folder_is_made_through_a_link(tmp_path: Path) -> None:
    """A repository may bring `state` as a link to a folder of the user's own: nothing is put there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UntrustedState, match="leads through a symbolic link"):
        make_state_folder(tmp_path / "clone" / "state" / "telegram")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_links_above_the_project_are_the_users_own(folder: Path, tmp_path: Path) -> None:
    """A project may be reached through a link, such as /tmp on macOS."""
    (tmp_path / "link").symlink_to(folder.parent.parent)
    assert is_trusted(tmp_path / "link" / "state" / "telegram")


@pytest.mark.parametrize("name", [".env", "config.yaml"])
def test_links_in_the_folder_are_refused(folder: Path, name: str, tmp_path: Path) -> None:
    """The target's text appears nowhere."""
    (tmp_path / "secret").write_text("TOKEN=1\n")
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "secret")
    with pytest.raises(ConfigError, match=r"it is a symbolic link\); replace it"):
        read_state_file(folder / name)


@pytest.mark.parametrize("name", ["channel.db", "channel.db-wal", "channel.db-shm"])
def test_a_database_is_no_link(folder: Path, name: str, tmp_path: Path) -> None:
    """Neither itself nor what SQLite keeps beside it."""
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=rf"{name} is a symbolic link"):
        Store.open(folder)
    assert not (tmp_path / "elsewhere").exists()


def test_a_pipe_keeps_nobody_waiting(folder: Path) -> None:
    """A pipe in place of a file is refused at once."""
    (folder / ".env").unlink()
    os.mkfifo(folder / ".env")
    with pytest.raises(ConfigError, match="it is not a file"):
        read_state_file(folder / ".env")


def test_a_huge_file_is_not_read(folder: Path) -> None:
    """No person wrote it."""
    (folder / "config.yaml").write_bytes(b"#" * (TEXT_MAX + 1))
    with pytest.raises(ConfigError, match="more than 1,048,576 bytes"):
        read_state_file(folder / "config.yaml")


# ---- the project


def test_the_project_is_found_upwards(folder: Path) -> None:
    """From a subfolder, by its state folder or its .mcp.json; elsewhere the folder itself is the project."""
    project = folder.parent.parent
    (project / "src" / "deep").mkdir(parents=True)
    assert find_project(project / "src" / "deep") == project
    other = project.parent / "other"
    (other / "src").mkdir(parents=True)
    (other / ".mcp.json").write_text("{}")
    assert find_project(other / "src") == other
    (project.parent / "plain").mkdir()
    assert find_project(project.parent / "plain") == project.parent / "plain"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_git_project_is_found_upwards(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there is any state, also in a work tree or a submodule; a home folder in git is not one big project."""
    project, deep = tmp_path / "home" / "project", tmp_path / "home" / "project" / "src" / "deep"
    deep.mkdir(parents=True)
    (project / ".git").mkdir() if kind == "folder" else (project / ".git").write_text("gitdir: elsewhere\n")
    assert find_project(deep) == project
    # What is there already decides, wherever it lies.
    (project / "src" / ".mcp.json").write_text("{}")
    assert find_project(deep) == project / "src"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".git").mkdir()
    (tmp_path / "home" / "notes").mkdir()
    assert find_project(tmp_path / "home" / "notes") == tmp_path / "home" / "notes"


def test_a_folder_that_anybody_may_write_is_no_project(tmp_path: Path) -> None:
    """Somebody else's .mcp.json in /tmp decides nothing for the folders below it."""
    (tmp_path / "open" / "mine").mkdir(parents=True)
    (tmp_path / "open").chmod(0o1777)
    (tmp_path / "open" / ".mcp.json").write_text("{}")
    assert find_project(tmp_path / "open" / "mine") == tmp_path / "open" / "mine"


# ---- writing


def test_one_value_of_the_dotenv_is_set(folder: Path) -> None:
    """Every other line stays; a value that is set already is not written again."""
    path = folder / ".env"
    path.write_text("# mine\nexport NAME=old\nOTHER=1\n")
    set_dotenv_value(folder, "NAME", "new")
    assert path.read_text() == "# mine\nOTHER=1\nNAME=new\n"
    assert mode(path) == 0o600
    written = path.stat().st_ino
    set_dotenv_value(folder, "NAME", "new")
    assert path.stat().st_ino == written


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    """A new file is private, and so is its folder; an existing one stays as it is."""
    path = tmp_path / "state" / "config.yaml"
    assert write_new(path, "one") is True
    assert write_new(path, "two") is False
    assert (path.read_text(), mode(path), mode(path.parent)) == ("one", 0o600, 0o700)


def test_a_failed_write_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: one sentence, and the old value stays."""
    set_dotenv_value(folder, "NAME", "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files.os, "fsync", full)
    with pytest.raises(
        ConfigError, match=r"\.env cannot be written \(No space left on device\), so nothing was changed"
    ):
        set_dotenv_value(folder, "NAME", "new")
    assert (folder / ".env").read_text() == "NAME=old\n"


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that names another one."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"file.* cannot be (used|entered)"):
        make_state_folder(tmp_path / "state")


# ---- the folders of other projects


def test_only_what_is_still_this_users_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is gone, one that something else took the place of, and a broken entry are left out."""
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    assert adopted_folders() == []
    made = [make_state_folder(tmp_path / name / "state" / "telegram") for name in ("web", "api", "gone", "taken")]
    shutil.rmtree(made[2])
    made[3].rename(tmp_path / "elsewhere")
    foreign(made[3])
    (tmp_path / "data" / "state-folders" / "broken.json").write_text("[]")
    assert [folder.path for folder in adopted_folders()] == [made[1], made[0]]


def test_several_values_are_set_at_once_and_the_rest_stays(folder: Path) -> None:
    """Each name stands there once, whatever it was before; the file is its owner's."""
    (folder / ".env").write_text("# mine\nA=1\nexport B=old\nA=2\n")
    (folder / ".env").chmod(0o600)
    set_dotenv_values(folder, {"A": "new", "B": "new"})
    assert (folder / ".env").read_text() == "# mine\nA=new\nB=new\n"
    assert mode(folder / ".env") == 0o600
    before = (folder / ".env").stat().st_ino
    set_dotenv_values(folder, {"B": "new"})
    assert (folder / ".env").stat().st_ino == before
