"""`channels uninstall`: exactly what is ours goes, and every other byte stays."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest

from agent_channels.cli.dialogue import Dialogue
from agent_channels.core.host.install import add_hooks, add_server
from agent_channels.core.host.skills import add_skills
from agent_channels.core.program import installation
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.registry import channel

OURS = str(Path(sysconfig.get_path("scripts")) / "channels")
SERVERS = (
    '{"mcpServers": {"other": {"command":"x"},\n   "discord": {"command": "bun", "args": ["serve", "discord"]}}}\n'
)
SETTINGS = '{"model":"x", "hooks": {"Stop": [{"hooks":[{"type": "command", "command": "say done"}]}]}}'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels) -> Path:
    """A project with files of others, and ours put into them; a home of its own."""
    for name in ("HOME", "CLAUDE_PROJECT_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
        (tmp_path / name / ".claude").mkdir(parents=True)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    made = tmp_path / "CLAUDE_PROJECT_DIR"
    (made / ".mcp.json").write_text(SERVERS)
    (made / ".claude" / "settings.local.json").write_text(SETTINGS)
    env = Environment("telegram")
    add_server(channel("telegram"), env)
    add_hooks(env, ["telegram"])
    add_skills("telegram", "project", env.environ)
    add_skills("discord", "user", env.environ)
    return made


def test_a_dry_run_changes_nothing(project: Path, channels) -> None:
    """It lists what would go; where nobody can be asked, nothing goes without --yes."""
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    ran = channels("uninstall", "--dry-run")
    assert ran.code == 0
    assert [line.partition(" ")[0] for line in ran.out.splitlines()] == ["-"] * 10
    ran = channels("uninstall")
    assert (ran.code, "--yes" in ran.err) == (1, True)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("locale", ["C.UTF-8", "zh_TW.UTF-8"])
def test_the_command_that_removes_the_program_is_one_line(
    project: Path, channels, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    """It can be copied from a narrow terminal, in any language."""
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LC_ALL", locale)
    assert f"  {installation().removed_by}" in channels("uninstall", "--yes").out.splitlines()


def test_what_others_wrote_keeps_its_bytes(project: Path, channels) -> None:
    """Entries of our name that start another program are theirs; our folders go with what was in them."""
    ran = channels("uninstall", "--yes")
    assert ran.code == 0, ran.err
    assert (project / ".mcp.json").read_text() == SERVERS
    assert (project / ".claude" / "settings.local.json").read_text() == SETTINGS
    assert not (project / ".claude" / "skills").exists()
    assert not (Path(project.parent) / "HOME" / ".claude").exists()
    assert "There is nothing of this program" in channels("uninstall", "--yes").out


def test_a_skill_that_somebody_changed_stays(project: Path, channels) -> None:
    """It is named; a set-up does not write over it either."""
    skill = project / ".claude" / "skills" / "loop" / "SKILL.md"
    skill.write_text(skill.read_text().replace("# Loop", "# My loop"))
    ran = channels("uninstall", "--yes")
    assert "stays, since somebody changed it: .claude/skills/loop/SKILL.md" in ran.out
    assert "# My loop" in skill.read_text()
    assert "left as you changed it: loop" in add_skills("telegram", "project", Environment("telegram").environ)


def test_what_lies_in_the_users_folders(project: Path, channels) -> None:
    """Servers in the host's own list, for all projects and for this one; units that start this program, no others."""
    home = project.parent / "HOME"
    server = {"command": OURS, "args": ["serve", "telegram"]}
    gone = {"command": "/gone/bin/channels", "args": ["serve", "discord"]}
    projects = {
        str(project): {"mcpServers": {"telegram": server}, "x": 1},
        "/other": {"mcpServers": {"telegram": server}},
    }
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {"phone": server, "d": gone}, "projects": projects}))
    units = home / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "agent-channels.service").write_text(f"[Service]\nExecStart={OURS} hub keep\n")
    (units / "my-channels.service").write_text("[Service]\nExecStart=/usr/bin/tv channels\n")
    assert channels("uninstall", "--yes").code == 0
    left = json.loads((home / ".claude.json").read_text())
    assert left == {"projects": {str(project): {"x": 1}, "/other": projects["/other"]}}
    assert [path.name for path in units.iterdir()] == ["my-channels.service"]


def test_a_wrong_answer_about_the_state_is_told_the_right_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A yes is neither to keep nor to delete: it is asked again, and nothing is guessed."""
    answers = iter(["y", "d"])
    monkeypatch.setattr("builtins.input", lambda: next(answers))
    dialogue = Dialogue(quiet=False, interactive=True)
    question = "What becomes of the state?"
    assert dialogue.choose(None, question, ("keep", "delete"), default="keep", script="keep") == "delete"
    assert "'y' is none of them: answer keep or delete" in capsys.readouterr().out


def test_the_state_goes_only_if_that_is_said(project: Path, channels) -> None:
    """Kept by default; `--state delete` deletes what this program made there, and no file of another name."""
    state = Environment("telegram").state_dir
    make_state_folder(state)
    Store.open(state).close()
    assert "The state is kept" in channels("uninstall", "--yes").out
    assert (state / "channel.db").exists()
    (state / "notes.txt").write_text("mine")
    assert channels("uninstall", "--yes", "--state", "delete").code == 0
    assert [path.name for path in state.iterdir()] == ["notes.txt"]
