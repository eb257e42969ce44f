"""The files of agent hosts: ours goes in once, comes out again, and the rest keeps its bytes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.json_files import (
    command_hook,
    hooks_part,
    json_file,
    server_entry,
    servers_part,
)
from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.host.agents.toml_files import toml_servers
from agent_channels.core.host.install import add_to_file
from agent_channels.core.settings.config import Environment

JSON = (
    '{"theme": "dark",\n   "mcpServers": {"other": {"command":"x"}}, '
    '"hooks": {"Stop": [{"hooks": [{"command": "say"}]}]}}'
)
TOML = '# mine\nmodel = "x"  # the best\n\n[mcp_servers.other]\ncommand = "x"\n\n[tui]\na = 1\n'
HOSTS = [name for name, host in AGENT_HOSTS.items() if host.files is not None]


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Telegram in a project; a home of its own."""
    for name, folder in (("CLAUDE_PROJECT_DIR", "project"), ("HOME", "home"), ("CHANNELS_DATA_DIR", "data")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    return Environment("telegram")


def test_a_json_file_gets_ours_and_loses_it_again(env: Environment, tmp_path: Path) -> None:
    """Servers and hooks; a second time changes nothing; taken out, every byte is as it was, and "" if none is left."""
    file = json_file(
        tmp_path / "settings.json",
        "the server",
        servers_part([env]),
        hooks_part({"Stop": [{"hooks": [command_hook("stop", 60, "codex")]}]}, env.environ),
    )
    added = file.add(JSON)
    found = json.loads(added)
    assert found["theme"] == "dark"
    assert list(found["mcpServers"]) == ["other", "telegram"]
    assert found["mcpServers"]["telegram"]["args"] == ["serve", "telegram"]
    assert found["mcpServers"]["telegram"]["env"]["CLAUDE_PROJECT_DIR"] == str(tmp_path / "project")
    assert found["hooks"]["Stop"][1]["hooks"][0]["command"].endswith("channels hook stop --host codex")
    assert file.add(added) == added
    assert file.remove(added) == JSON
    assert file.remove(file.add("")) == ""
    assert file.remove(JSON) == JSON


@pytest.mark.parametrize("name", ["gemini", "qwen", "opencode", "kilo"])
def test_a_host_that_takes_comments_keeps_them(env: Environment, name: str) -> None:
    """Nobody has to take them out for set-up; where ours has no place beside one, its owner is asked to enter it."""
    files_of = AGENT_HOSTS[name].files
    assert files_of is not None
    file = files_of([env])[0]
    text = '{\n  // mine\n  "theme": "dark", // dark\n}\n'
    added = file.add(text)
    assert added.startswith('{\n  // mine\n  "theme": "dark",\n')
    assert "// dark" in added
    assert file.add(added) == added
    assert file.remove(added) == text
    with pytest.raises(ConfigError, match="has comments that would be lost"):
        file.add("{\n  // nothing yet\n}\n")


def test_a_toml_file_gets_ours_and_loses_it_again(env: Environment, tmp_path: Path) -> None:
    """As above; comments stay."""
    file = toml_servers(tmp_path / "config.toml", [env, Environment("discord")], "mcp_servers", server_entry)
    added = file.add(TOML)
    assert list(tomllib.loads(added)["mcp_servers"]) == ["other", "telegram", "discord"]
    assert "# the best" in added
    assert file.add(added) == added
    assert file.remove(added) == TOML
    assert file.remove(file.add("")) == ""


@pytest.mark.parametrize(
    "text",
    [
        TOML.replace("\n", "\r\n"),
        'mcp_servers.other = { command = "x" }\nmodel = "best"\n',
        '[mcp_servers.other]\ncommand = "x"\n[tui]\na = 1\n# mine\n[mcp_servers.third]\ncommand = "z"\n# the end\n',
        "[[profiles]]\na = 1\n[tui]\na = 1\n[[profiles]]\na = 2\n\n\n",
        'notes = """\n[mcp_servers.telegram]\ncommand = 1\n"""\n',
        "[mcp_servers]\n",
    ],
)
def test_a_toml_file_in_any_style_keeps_its_bytes(env: Environment, tmp_path: Path, text: str) -> None:
    """Every line of others stays where it is and means what it meant, and taking ours out brings the file back."""
    file = toml_servers(tmp_path / "config.toml", [env], "mcp_servers", server_entry)
    added = file.add(text)
    assert added.startswith(text)
    before, after = tomllib.loads(text), tomllib.loads(added)
    assert after.pop("mcp_servers") == {**before.pop("mcp_servers", {}), "telegram": server_entry(env)}
    assert after == before
    # What somebody writes behind ours stays too.
    for more in ("", "\n# mine\n[more]\nb = 1\n"):
        assert file.add(added + more) == added + more
        assert file.remove(added + more) == text + more


def test_a_toml_list_of_servers_on_one_line(env: Environment, tmp_path: Path) -> None:
    """Ours goes into it, since no table can stand beside it."""
    text = '# mine\nmcp_servers = { other = { command = "x" } }\n'
    file = toml_servers(tmp_path / "config.toml", [env], "mcp_servers", server_entry)
    assert tomllib.loads(file.add(text))["mcp_servers"]["telegram"] == server_entry(env)
    assert file.remove(file.add(text)) == text


def test_a_toml_entry_of_our_name_that_starts_another_program(env: Environment, tmp_path: Path) -> None:
    """It is replaced with all of its tables; the rest stays."""
    foreign = (
        '[mcp_servers.telegram]\ncommand = "bun"\n\n[mcp_servers."telegram".env]\nA = "1"\n\n# mine\n[tui]\na = 1\n'
    )
    file = toml_servers(tmp_path / "config.toml", [env], "mcp_servers", server_entry)
    assert file.remove(foreign) == foreign
    added = file.add(foreign)
    assert added.startswith("# mine\n[tui]\na = 1\n\n[mcp_servers.telegram]\n")
    assert tomllib.loads(added)["mcp_servers"]["telegram"] == server_entry(env)


def test_an_entry_of_our_name_that_starts_another_program(env: Environment, tmp_path: Path) -> None:
    """It is replaced by ours when that is asked for, and is nobody's of ours to take out."""
    foreign = '{"mcpServers": {"telegram": {"command": "bun", "args": ["serve", "telegram"]}}}'
    file = json_file(tmp_path / "settings.json", "the server", servers_part([env]))
    assert file.remove(foreign) == foreign
    assert json.loads(file.add(foreign))["mcpServers"]["telegram"]["command"].endswith("channels")


def test_an_entry_that_has_our_server_connect_elsewhere_is_replaced(env: Environment, tmp_path: Path) -> None:
    """A repository may bring it: what it sets for the server is not kept, in JSON nor in TOML."""
    for file in (
        json_file(tmp_path / "settings.json", "the server", servers_part([env])),
        toml_servers(tmp_path / "config.toml", [env], "mcp_servers", server_entry),
    ):
        added = file.add("")
        evil = added.replace("CLAUDE_PROJECT_DIR", "TELEGRAM_API_ROOT")
        assert evil != added
        assert "TELEGRAM_API_ROOT" not in file.add(evil)
        assert file.remove(evil) == ""


@pytest.mark.parametrize("text", ["{", '{"mcpServers": []}', "[]"])
def test_a_file_that_cannot_be_read_stays(env: Environment, tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "project" / "settings.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"settings\.json"):
        add_to_file(json_file(path, "the server", servers_part([env])), env.environ)
    assert path.read_text() == text


def test_a_link_that_leads_out_of_the_project_is_refused(env: Environment, tmp_path: Path) -> None:
    """A repository may bring one to a file of the user's."""
    (tmp_path / "home" / "mine.json").write_text("{}")
    (tmp_path / "project" / "settings.json").symlink_to(tmp_path / "home" / "mine.json")
    file = json_file(tmp_path / "project" / "settings.json", "the server", servers_part([env]))
    with pytest.raises(ConfigError, match="leads out of the project"):
        add_to_file(file, env.environ)
    assert (tmp_path / "home" / "mine.json").read_text() == "{}"


@pytest.mark.parametrize("name", HOSTS)
def test_every_hosts_files_take_ours_and_give_it_back(env: Environment, name: str) -> None:
    """Once for each channel, whichever comes first; both go together, and nothing is left of files that we made."""
    files_of = AGENT_HOSTS[name].files
    assert files_of is not None
    telegram, discord = env, Environment("discord")
    # Without its models, Continue would not start.
    before = "name: mine\nversion: 0.0.1\nschema: v1\n" if name == "continue" else ""
    texts: dict[Path, str] = {}
    for channel in (telegram, discord, telegram):
        for file in files_of([channel]):
            texts[file.path] = file.add(texts.get(file.path, before))
    assert texts
    for file in files_of([telegram, discord]):
        assert file.add(texts[file.path]) == texts[file.path], file.path
        assert file.remove(texts[file.path]) == before, file.path


@pytest.mark.parametrize("name", ["cline", "continue"])
def test_a_list_of_every_projects_has_the_last_one_set_up(env: Environment, tmp_path: Path, name: str) -> None:
    """The host starts one server of our name: it serves the project where `channels setup` ran last."""
    files_of = AGENT_HOSTS[name].files
    assert files_of is not None
    (file,) = files_of([env])
    before = "name: mine\nversion: 0.0.1\nschema: v1\n" if name == "continue" else ""
    second = Environment("telegram", {**env.environ, "CLAUDE_PROJECT_DIR": str(tmp_path / "second")})
    (other,) = files_of([second])
    assert other.path == file.path
    text = other.add(file.add(before))
    assert str(tmp_path / "second") in text
    assert str(tmp_path / "project") not in text
    assert other.add(text) == text
    assert other.remove(text) == before
