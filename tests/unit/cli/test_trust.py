"""`channels trust`: a look, and an adoption of what is a state folder and nothing else, by somebody who was asked."""

from __future__ import annotations

import json
import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_channels.core.services import Services
from agent_channels.core.settings.paths import data_dir
from agent_channels.core.settings.state_folder import is_trusted, make_state_folder
from agent_channels.core.store.database import Store
from hostile import tree


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A state folder that was copied from elsewhere, and is as open as a copy is."""
    made = make_state_folder(tmp_path / "made")
    Store.open(made).close()
    (made / ".env").write_text("TELEGRAM_BOT_TOKEN=1:x\n")
    folder = tmp_path / "state" / "telegram"
    shutil.copytree(made, folder)
    folder.chmod(0o755)
    return folder


# ---- who is asked


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_without_a_terminal_nothing_is_adopted(channels, copied: Path, words: tuple[str, ...]) -> None:
    """An agent's shell, a script, `echo y |`: the list, and the option that says yes."""
    before = tree(copied)
    said = channels("trust", *words)
    assert said.code == 1
    assert "TELEGRAM_BOT_TOKEN" in said.out
    assert "--yes" in said.err
    assert tree(copied) == before
    assert not is_trusted(copied)
    if words:
        shown = json.loads(said.out)
        assert (shown["ok"], shown["folders"][0]["adopted"]) == (False, False)
    said = channels("trust", "--yes", *words)
    assert said.code == 0
    assert is_trusted(copied)


def test_who_would_be_let_in_is_named(channels, copied: Path) -> None:
    """By id and name, a line each; those that are too many are counted."""
    with Store(copied / "channel.db") as store:
        access = Services.of(store).access
        for number in range(1, 13):
            access.allow(str(number), by="operator", name=f"Ann {number}")
        access.set_approver("12", approver=True)
        access.add_group("-5", require_mention=True, senders=None)
    lines = channels("trust", "--show").out.splitlines()
    assert "  channel.db   12 people, 1 approver, 1 group, 0 open messages" in lines
    named = [line for line in lines if line.startswith("  paired ")]
    assert named[0] == "  paired       12 Ann 12 (approver)"
    assert (len(named), named[-1]) == (11, "  paired       and 2 more")
    assert "  group        -5" in [line.rstrip() for line in lines]


@pytest.mark.parametrize(("answer", "adopted"), [("n", False), ("maybe", False), ("", False), ("yesterday", False),
                                                 ("y", True), ("YES", True)])  # fmt: skip
def test_a_person_is_asked(copied: Path, answer: str, adopted: bool) -> None:
    """Only a yes is one; anything else says that nothing was changed."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    code = "import sys; from agent_channels.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "trust", str(copied)]
    ran = subprocess.run(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, check=False, text=True)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert "Adopt " in said
    assert (ran.returncode == 0, "Nothing was changed." in said, is_trusted(copied)) == (adopted, not adopted, adopted)


# ---- what is shown of it


@pytest.mark.parametrize(
    "setting",
    [
        "proxy: http://ann:{}@proxy.example:3128", "proxy: ann:{}@proxy.example:3128",
        "api_root: https://ann:{}@api.example", "hub: postgresql://ann:{}@db.example/hub",
        "hub: postgresql://ann:p@{}@db.example/hub", "hub: postgresql://db.example/hub?user=ann&password={}",
        "hub: host=db.example password={}", "nested: {{proxy: 'http://ann:{}@proxy.example'}}",
        "other: http://ann:{}@any.example", "api_key: {}",
    ],
)  # fmt: skip
def test_no_password_of_a_setting_is_shown(channels, copied: Path, setting: str) -> None:
    """In an address or beside one, however long what stands before it; the setting itself is listed."""
    (copied / "config.yaml").write_text(setting.format("hunter2Zz9") + "\nlanguage: en\n")
    said = channels("trust", "--show")
    assert said.code == 0
    assert "hunter2" not in said.out + said.err
    assert setting.partition(":")[0] in said.out
    assert "language" in said.out


def test_no_half_of_a_password_is_shown(channels, copied: Path) -> None:
    """Where a long value is cut, the password in it is masked already."""
    (copied / "config.yaml").write_text(f"hub: postgresql://db.example/{'h' * 160}?password={'hunter2' * 9}\n")
    assert "hunter2" not in channels("trust", "--show").out


# ---- what is no state folder


def with_foreign_file(folder: Path) -> str:
    (folder / "passwd").touch()
    return "'passwd'"


def with_many(folder: Path) -> str:
    for number in range(40):
        (folder / f"!{number:02}").touch()
    return "and 35 more"


def of_another_program(folder: Path) -> str:
    for path in folder.iterdir():
        path.unlink()
    (folder / ".env").write_text("DATABASE_URL=postgres://localhost\n")
    (folder / "config.yaml").write_text("server: {port: 80}\n")
    return "nothing of this program"


def empty(folder: Path) -> str:
    for path in folder.iterdir():
        path.unlink()
    return "nothing of this program"


@pytest.mark.parametrize("change", [with_foreign_file, with_many, of_another_program, empty])
def test_another_folder_is_not_adopted(channels, copied: Path, change: Callable[[Path], str]) -> None:
    """It is refused by the name of what is there, and stays as it was: mode, names and contents."""
    reason = change(copied)
    before, known = tree(copied), tree(data_dir())
    said = channels("trust", str(copied), "--yes")
    assert said.code == 1
    assert reason in said.out
    assert (tree(copied), tree(data_dir())) == (before, known)
    # What such a folder holds is not asked about.
    assert len(said.out.splitlines()) == 1
    shown = channels("trust", str(copied), "--show").out.splitlines()
    assert shown[0] == said.out.strip()
    assert len(shown) > 2
    if change is with_many:
        assert any(line.startswith("  channel.db   0 people") for line in shown)


def test_home_project_and_system_are_no_state_folders(
    channels, copied: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever lies in them; nothing is written."""
    before = tree(tmp_path)
    monkeypatch.setenv("HOME", str(copied))
    assert "it is your home folder" in channels("trust", str(copied), "--yes").out
    monkeypatch.setenv("HOME", str(copied / "files"))
    assert "your home folder lies in it" in channels("trust", str(copied), "--yes").out
    monkeypatch.setenv("HOME", str(tmp_path / "made"))
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(copied))
    assert "the project's own folder" in channels("trust", str(copied), "--yes").out
    # Only looked at: what a wrong answer would do there could not be undone.
    for place in ("/", "/etc", "/usr/share"):
        if os.stat(place).st_uid == os.geteuid():  # noqa: PTH116
            assert "cannot be adopted" in channels("trust", place, "--show").out
    assert tree(tmp_path) == before


# ---- undone


def test_an_adoption_is_undone(channels, copied: Path) -> None:
    """With the folder's mode, and without its key; its files stay, and none of them is read any more."""
    before = stat.S_IMODE(copied.stat().st_mode)
    said = channels("trust", str(copied), "--yes")
    assert f"channels trust --forget {copied}" in said.out
    assert stat.S_IMODE(copied.stat().st_mode) == 0o700
    entries = len(list((data_dir() / "state-folders").iterdir()))
    assert channels("trust", "--forget", str(copied)).code == 0
    assert stat.S_IMODE(copied.stat().st_mode) == before
    assert len(list((data_dir() / "state-folders").iterdir())) == entries - 1
    assert not is_trusted(copied)
    assert "was not made by you" in channels("status", "telegram").err
    assert (copied / "channel.db").exists()
    again = channels("trust", "--forget", str(copied))
    assert (again.code, "nothing to undo" in again.err) == (1, True)
