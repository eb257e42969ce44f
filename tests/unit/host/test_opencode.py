"""What set-up writes for OpenCode and Kilo: an entry in the list of servers, and our plugin, each with the way back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import HostFile
from agent_channels.core.host.agents.registry import AGENT_HOSTS
from agent_channels.core.program import own_script
from agent_channels.core.settings.config import Environment

HOSTS = pytest.mark.parametrize(
    ("host", "config", "folder"),
    [("opencode", "opencode.json", ".opencode/plugins"), ("kilo", "kilo.json", ".kilo/plugins")],
)


def files(host: str, project: Path, *channels: str) -> list[HostFile]:
    known = AGENT_HOSTS[host].files
    assert known is not None
    return known([Environment(name, {"CLAUDE_PROJECT_DIR": str(project)}) for name in channels])


@HOSTS
def test_our_entries_are_added_once_and_taken_out_again(tmp_path: Path, host: str, config: str, folder: str) -> None:
    """What others wrote stays byte for byte; each channel has its entry; the way back leaves the file as it was."""
    servers, plugin = files(host, tmp_path, "telegram", "discord")
    assert (servers.path, plugin.path) == (tmp_path / config, tmp_path / folder / "agent-channels.js")
    theirs = '{\n    "theme": "dark",\n    "mcp": {"other": {"type": "remote", "url": "https://example.com"}}\n}\n'
    ours = servers.add(theirs)
    entries = json.loads(ours)["mcp"]
    assert list(entries) == ["other", "telegram", "discord"]
    assert entries["discord"]["type"] == "local"
    assert entries["discord"]["command"][1:] == ["serve", "discord"]
    assert entries["discord"]["environment"]["CLAUDE_PROJECT_DIR"] == str(tmp_path)
    assert servers.add(ours) == ours
    assert servers.remove(ours) == theirs
    assert servers.remove(servers.add("")) == ""


@HOSTS
def test_the_plugin_is_written_only_over_our_own(tmp_path: Path, host: str, config: str, folder: str) -> None:
    """It starts this very program; an older one of ours is replaced; another program's file is left alone."""
    _, plugin = files(host, tmp_path, "telegram")
    text = plugin.add("")
    assert json.dumps([str(own_script())]) in text
    assert plugin.add(text) == text
    assert plugin.add("// Agent Channels: an older one\n") == text
    assert plugin.remove(text) == ""
    theirs = "export const Other = async () => ({})\n"
    assert plugin.remove(theirs) == theirs
    with pytest.raises(ConfigError, match=r"agent-channels\.js is another program's file; move it away first"):
        plugin.add(theirs)


def in_node(tmp_path: Path, script: str, **env: str) -> str:
    """Run a script that finds the plugin's path in its first argument; return what it prints."""
    _, plugin = files("opencode", tmp_path, "telegram")
    path = tmp_path / "plugin.mjs"
    path.write_text(plugin.add(""))
    return subprocess.run(
        [shutil.which("node") or "node", "--input-type=module", "-e", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **env},
    ).stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js to read it with")
def test_the_plugin_is_a_module_that_a_host_can_load(tmp_path: Path) -> None:
    """It has one export, a function: a host takes every export for a plugin."""
    shown = """
        const exported = Object.entries(await import(process.argv[1]))
        console.log(exported.map(([name, value]) => `${name} ${typeof value}`).join())
    """
    assert in_node(tmp_path, shown) == "AgentChannels function\n"


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js to read it with")
def test_the_plugin_is_there_where_the_runtime_folder_is_not(tmp_path: Path) -> None:
    """After `su`, or in a container, the variable names a folder that is gone; messages come all the same."""
    shown = """
        const { AgentChannels } = await import(process.argv[1])
        const plugin = await AgentChannels({ client: {}, directory: "." })
        const entry = { command: ["channels", "serve", "telegram"] }
        await plugin.config({ mcp: { telegram: entry } })
        console.log(entry.environment.CHANNELS_HOST_SOCKET)
        await plugin.dispose()
    """
    socket = in_node(tmp_path, shown, XDG_RUNTIME_DIR=str(tmp_path / "gone"), TMPDIR="/tmp")  # noqa: S108 - as usual
    assert socket.startswith("/tmp/channels-")  # noqa: S108
    assert not Path(socket.strip()).parent.exists()
