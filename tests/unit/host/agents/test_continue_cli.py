"""Continue's YAML file: our server comes into its list and out again, and the rest stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.settings.config import Environment

HEAD = "name: Mine # and nobody else's\nversion: 1.0.0\nschema: v1\n"
OTHER = "  - name: other\n    command: npx\n    args:\n      - -y\n      - other-server # pinned\n"
TEXTS = {
    "without a list": HEAD + "models:\n  - name: One\n    provider: ollama\n    model: one\n",
    "with another server": f"{HEAD}mcpServers:\n{OTHER}",
    "with something behind": f"{HEAD}mcpServers: # mine\n{OTHER}\nrules:\n  - Be short.\n",
    "not indented": f"{HEAD}mcpServers:\n- name: other\n  command: npx\nrules:\n- Be short.\n",
    "without a line's end": HEAD.rstrip("\n"),
}


@pytest.fixture
def file(tmp_path: Path) -> HostFile:
    environ = {"HOME": str(tmp_path), "CONTINUE_GLOBAL_DIR": str(tmp_path), "CLAUDE_PROJECT_DIR": str(tmp_path / "p")}
    files = AGENT_HOSTS["continue"].files
    assert files is not None
    (found,) = files([Environment("telegram", environ), Environment("discord", environ)])
    assert found.path == tmp_path / "config.yaml"
    return found


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_servers_come_and_go(file: HostFile, text: str) -> None:
    """Both servers are in the list, once however often; taken out, the text is what it was."""
    added = file.add(text)
    before, after = yaml.safe_load(text), yaml.safe_load(added)
    named = {entry["name"]: entry for entry in after["mcpServers"]}
    assert named["telegram"]["args"] == ["serve", "telegram"]
    assert named["discord"]["args"] == ["serve", "discord"]
    others = [entry for entry in after["mcpServers"] if entry["name"] == "other"]
    assert others == before.get("mcpServers", [])
    assert {**after, "mcpServers": None} == {**before, "mcpServers": None}
    assert file.add(added) == added
    assert file.remove(added).rstrip("\n") == text.rstrip("\n")
    assert file.remove(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "does not exist"),
        (f"{HEAD}mcpServers: []\n", "by hand"),
        (f"{HEAD}mcpServers: 3\n", "not a list"),
        ("- a list\n", "not a YAML mapping"),
        ("name: [", "not YAML"),
    ],
)
def test_what_cannot_be_changed_is_left(file: HostFile, text: str, why: str) -> None:
    """No file is made without the user's models in it, and a list written in another way is left to its owner."""
    with pytest.raises(ConfigError, match=why):
        file.add(text)
