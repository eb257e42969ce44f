"""The verbs with `--host`: set-up writes a host's files, doctor says what is missing, uninstall takes ours out."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.cli.dialogue import Dialogue
from agent_channels.cli.host_files import write_files
from agent_channels.core.contract.checks import Setup
from agent_channels.core.doctor.agent_hosts import checks_of, hosts_set_up
from agent_channels.core.doctor.host import entry
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import AgentHost, HostFile
from agent_channels.core.host.agents.json_files import json_file, servers_part
from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.settings.config import Environment


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels) -> tuple[Path, Path]:
    """A project, and a home of its own outside of it."""
    project, home = tmp_path / "project", tmp_path / "home"
    for name, folder in (("CLAUDE_PROJECT_DIR", project), ("HOME", home), ("CHANNELS_DATA_DIR", tmp_path / "data")):
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("CODEX_HOME", raising=False)
    return project, home


def a_host(*paths: Path) -> AgentHost:
    def files(environments: list[Environment]) -> list[HostFile]:
        return [json_file(path, "the server", servers_part(environments)) for path in paths]

    return AgentHost("some", "Some Host", program="no-such-program", files=files)


def test_a_projects_files_are_written_at_once(folders: tuple[Path, Path]) -> None:
    """And again nothing changes; the old file is kept outside of the repository."""
    project, _ = folders
    path = project / ".some" / "settings.json"
    path.parent.mkdir()
    path.write_text('{"x": 1}')
    dialogue = Dialogue(quiet=False, interactive=False)
    write_files(a_host(path), Environment("telegram"), dialogue)
    assert '"telegram"' in path.read_text()
    (done,) = dialogue.data["host"]["files"]
    assert "the old file is kept as" in done
    before = path.read_bytes()
    write_files(a_host(path), Environment("telegram"), dialogue)
    assert path.read_bytes() == before


@pytest.mark.parametrize("yes", [False, True])
def test_a_file_in_the_users_home_takes_consent(folders: tuple[Path, Path], capsys, *, yes: bool) -> None:
    """Where nobody can be asked, --yes is the consent; without it the file is named, with what enters it."""
    _, home = folders
    dialogue = Dialogue(quiet=False, interactive=False, yes=yes)
    write_files(a_host(home / "settings.json"), Environment("telegram"), dialogue)
    assert (home / "settings.json").exists() is yes
    assert ("--host some --yes" in capsys.readouterr().out) is not yes


def test_a_host_whose_files_are_not_known(folders: tuple[Path, Path]) -> None:
    """Set-up says so, and what to enter there."""
    with pytest.raises(ConfigError, match="channels serve telegram"):
        write_files(AgentHost("some", "Some Host"), Environment("telegram"), Dialogue(quiet=True, interactive=False))


def test_the_doctor_names_what_a_host_lacks(folders: tuple[Path, Path]) -> None:
    """Before set-up the file and the command that adds it; after it all is well."""
    project, _ = folders
    host, setup = a_host(project / "settings.json"), Setup(Environment("telegram"))
    checks = checks_of(host)
    assert checks["program"](setup).state == "note"
    before = checks["files"](setup)
    assert before.state == "wrong"
    assert "settings.json lacks the server" in before.evidence
    assert "`channels setup telegram --host some`" in before.next
    write_files(host, setup.env, Dialogue(quiet=True, interactive=False))
    assert checks["files"](setup).state == "ok"


def test_a_server_that_another_host_starts_needs_no_mcp_json(folders: tuple[Path, Path]) -> None:
    """The check of .mcp.json names the host that starts it."""
    setup = Setup(Environment("telegram"))
    assert entry(setup).state == "wrong"
    write_files(AGENT_HOSTS["codex"], setup.env, Dialogue(quiet=True, interactive=False))
    assert [host.name for host in hosts_set_up(setup.env)] == ["codex"]
    assert entry(setup).found == "Codex CLI starts it"


def test_uninstall_takes_ours_out_of_every_hosts_files(folders: tuple[Path, Path], channels) -> None:
    """What others wrote keeps its bytes; files and hidden folders that held nothing else go."""
    project, home = folders
    (home / "keep.txt").touch()
    theirs = '# mine\n[mcp_servers.other]\ncommand = "x"\n'
    (project / ".codex").mkdir()
    (project / ".codex" / "config.toml").write_text(theirs)
    models = "name: mine\nversion: 0.0.1\nschema: v1\n"
    (home / ".continue").mkdir()
    (home / ".continue" / "config.yaml").write_text(models)
    for host in AGENT_HOSTS.values():
        if host.files is not None:
            for channel in ("telegram", "discord"):
                write_files(host, Environment(channel), Dialogue(quiet=True, interactive=False, yes=True))
    ran = channels("uninstall", "--yes")
    assert ran.code == 0, ran.err
    assert (project / ".codex" / "config.toml").read_text() == theirs
    assert (home / ".continue" / "config.yaml").read_text() == models
    left = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    kept = [project / ".codex" / "config.toml", home / ".continue" / "config.yaml", home / "keep.txt"]
    assert sorted(left) == sorted(kept)
    assert "There is nothing of this program" in channels("uninstall", "--yes").out


def test_uninstall_goes_past_a_broken_file_of_others(folders: tuple[Path, Path], channels) -> None:
    """It holds nothing of ours; one that may is named, and nothing is changed before it is mended."""
    project, _ = folders
    write_files(AGENT_HOSTS["codex"], Environment("telegram"), Dialogue(quiet=True, interactive=False))
    broken = {project / ".mcp.json": "{", project / ".gemini" / "settings.json": "{,}", project / "kilo.json": "[]"}
    for path, text in broken.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    ran = channels("uninstall", "--yes")
    assert ran.code == 0, ran.err
    assert not (project / ".codex").exists()
    assert {path: path.read_text() for path in broken} == broken
    write_files(AGENT_HOSTS["codex"], Environment("telegram"), Dialogue(quiet=True, interactive=False))
    (project / "kilo.json").write_text('{"mcp": {"telegram": {"command": ["channels"')
    ran = channels("uninstall", "--yes")
    assert ran.code == 1
    assert "kilo.json" in ran.err
    assert (project / ".codex").exists()


def test_an_unknown_host_is_told_the_known_ones(channels) -> None:
    """With the nearest name."""
    ran = channels("doctor", "--host", "codx")
    assert ran.code == 2
    assert "there is no agent host 'codx'; did you mean 'codex'?" in ran.err


def test_launch_takes_a_known_name_before_a_program(
    channels, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--host codex` is Codex, which is refused until set-up was run."""
    # It would quieten the log of whatever runs in this process after it.
    monkeypatch.setattr("agent_channels.cli.launch.configure", lambda *_: None)
    ran = channels("launch", "telegram", "--host", "codex", "--print")
    assert ran.code == 1
    assert "`channels setup telegram --host codex` adds it" in ran.err
