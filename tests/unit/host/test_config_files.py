"""The host's files: what in them is this program, and what only looks like it."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import foreign_server, foreign_variables, hook_command
from agent_channels.core.host.install import add_hooks, add_server, backup_folder
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import data_dir
from agent_channels.registry import channel

OURS: dict[str, Any] = {
    "command": str(Path(sysconfig.get_path("scripts")) / "channels"),
    "args": ["serve", "telegram"],
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user in a project."""
    (tmp_path / "project" / ".claude").mkdir(parents=True)
    return {"CLAUDE_PROJECT_DIR": str(tmp_path / "project"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"type": "http", "url": "http://example.net/mcp"}, "url"),
        ({"url": "http://example.net/mcp", "headersHelper": "sh x"}, "headersHelper, url"),
        ({"type": "sse"}, "type"),
        ({"cwd": "elsewhere"}, "cwd"),
        ({"envFile": "evil.env"}, "envFile"),
        ({"env": {"CLAUDE_PROJECT_DIR": "/"}}, "CLAUDE_PROJECT_DIR"),
        ({"env": {"TELEGRAM_API_ROOT": "${TELEGRAM_API_ROOT:-https://example.net}"}}, "TELEGRAM_API_ROOT"),
        ({"env": {"CHANNELS_DATA_DIR": "data"}}, "CHANNELS_DATA_DIR"),
        ({"env": {"PYTHONPATH": "."}}, "PYTHONPATH"),
        ({"env": ["TELEGRAM_API_ROOT=https://example.net"]}, "env"),
    ],
)
def test_an_entry_that_does_more_than_start_this_program_is_foreign(
    environ: dict[str, str], more: dict[str, Any], named: str
) -> None:
    """Another way to connect, another folder, another project, another server of the platform."""
    assert foreign_server("telegram", OURS | more, "telegram", environ) == f"it sets {named} for the server"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"type": "stdio", "timeout": 60_000},
        {"env": {"TELEGRAM_PROXY": "${TELEGRAM_PROXY:-}", "TELEGRAM_STATE_DIR": "/srv/telegram"}},
        {"env": {"CLAUDE_PROJECT_DIR": "${CLAUDE_PROJECT_DIR:-.}"}},
    ],
)
def test_an_entry_that_leaves_the_decisions_to_the_user_is_ours(environ: dict[str, str], more: dict[str, Any]) -> None:
    """What `channels setup` writes, and what people add to it."""
    assert foreign_server("telegram", OURS | more, "telegram", environ) == ""


@pytest.mark.parametrize("name", ["settings.json", "settings.local.json"])
def test_variables_in_a_projects_settings_are_named(environ: dict[str, str], name: str) -> None:
    """The host hands them to every server: they may name another platform, another home or other modules."""
    path = Path(environ["CLAUDE_PROJECT_DIR"]) / ".claude" / name
    path.write_text(json.dumps({"env": {"DEBUG": "1", "HTTPS_PROXY": "http://proxy:3128"}}))
    assert foreign_variables("telegram", environ) == ""
    steering = {"TELEGRAM_API_ROOT": "https://example.net", "HOME": "home", "PYTHONPATH": ".", "SSL_CERT_FILE": "x.pem"}
    steering |= {"TMPDIR": "home", "XDG_RUNTIME_DIR": "run", "PGHOST": "example.net"}
    for variable, value in steering.items():
        path.write_text(json.dumps({"env": {"DEBUG": "1", variable: value}}))
        assert foreign_variables("telegram", environ) == f"{variable} in {path}"


def test_a_hook_that_does_more_than_run_this_program_is_another_command() -> None:
    """It is of another kind, or its command has more in it."""
    ours = f"{OURS['command']} hook stop"
    assert hook_command({"type": "command", "command": ours}) == ("stop", OURS["command"])
    for entry in (
        {"type": "http", "url": "http://example.net", "command": ours},
        {"type": "command", "command": f"sh x; {ours}"},
        {"type": "command", "command": f"sh x\n{ours}"},
        {"type": "command", "command": f"X=1 {ours}"},
    ):
        assert hook_command(entry) == ("stop", entry["command"])


def test_nothing_is_written_through_a_link_out_of_the_project(environ: dict[str, str], tmp_path: Path) -> None:
    """A repository may bring its .mcp.json or its settings as links to the user's own files, or to new ones."""
    project, env = Path(environ["CLAUDE_PROJECT_DIR"]), Environment("telegram", environ)
    (project / ".mcp.json").symlink_to(tmp_path / "new.json")
    (tmp_path / "own.json").write_text("{}")
    for name in ("settings.json", "settings.local.json"):
        (project / ".claude" / name).symlink_to(tmp_path / "own.json")
    for add in (
        lambda: add_server(channel("telegram"), env),
        lambda: add_hooks(env, []),
    ):
        with pytest.raises(ConfigError, match="leads out of the project"):
            add()
    assert not (tmp_path / "new.json").exists()
    assert (tmp_path / "own.json").read_text() == "{}"


def test_what_was_there_is_kept_outside_of_the_repository(environ: dict[str, str]) -> None:
    """The copy has its bytes, and lies in the user's data folder, where no commit picks it up."""
    project = Path(environ["CLAUDE_PROJECT_DIR"])
    (project / ".mcp.json").write_text('{"mcpServers":{}}')
    said = add_server(channel("telegram"), Environment("telegram", environ))
    backup = Path(said.rpartition("the old file is kept as ")[2])
    assert backup.read_text() == '{"mcpServers":{}}'
    assert backup.parent == backup_folder(project)
    assert backup.is_relative_to(data_dir())
    assert {path.name for path in project.iterdir()} == {".mcp.json", ".claude"}


def test_a_link_within_the_project_stays(environ: dict[str, str]) -> None:
    """The file that it leads to is written."""
    project = Path(environ["CLAUDE_PROJECT_DIR"])
    (project / ".mcp.json").symlink_to("shared.json")
    add_server(channel("telegram"), Environment("telegram", environ))
    assert (project / ".mcp.json").is_symlink()
    assert "telegram" in json.loads((project / "shared.json").read_text())["mcpServers"]
