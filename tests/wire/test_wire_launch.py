"""`channels launch`, with a host that records how it was started."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_channels.cli import launch as cli_launch
from agent_channels.core.host.hook_call import EVENTS
from agent_channels.core.host.install import add_hooks
from agent_channels.core.settings.config import Environment
from broken import BROKEN, healthy
from harness import COMMAND, Ran, Stage

DEVELOPMENT = ["--dangerously-load-development-channels", "server:telegram"]
HOOKS = {"SessionStart", "SessionEnd", "UserPromptSubmit", "Stop", "PermissionRequest", "PreToolUse", *EVENTS}


@pytest.fixture(autouse=True)
def host(stage: Stage) -> Path:
    """A host on the PATH that records its process id, arguments and environment, and exits with 7."""
    healthy(stage)
    programs, record = stage.folder / "programs", stage.folder / "started.json"
    programs.mkdir()
    script = (
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"with open({str(record)!r}, 'w') as file:\n"
        "    json.dump({'pid': os.getpid(), 'argv': sys.argv[1:], 'env': dict(os.environ)}, file)\n"
        "sys.exit(7)\n"
    )
    for name in ("claude", "another"):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    stage.env["PATH"] = f"{programs}:{stage.env['PATH']}"
    return record


def started(record: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(record.read_text())
    return found


def is_there(path: Path) -> bool:
    return path.exists()


def without_hooks(stage: Stage) -> None:
    for path in (stage.project / ".claude").iterdir():
        path.unlink()


async def launch(stage: Stage, *words: str, **env: str | None) -> Ran:
    return await stage.cli("launch", *words, **env)


async def test_the_host_takes_the_launchers_place(stage: Stage, host: Path) -> None:
    """The same process, the host's exit code; the user's arguments, the channel flag, the state folder's variable."""
    ran = await stage.run("sh", "-c", f"echo $$; exec {shlex.join([*COMMAND, 'launch', 'telegram', '--', '-p', 'hi'])}")
    assert ran.code == 7
    found = started(host)
    assert found["pid"] == int(ran.out)
    assert found["argv"] == ["-p", "hi", *DEVELOPMENT]
    assert found["env"]["TELEGRAM_STATE_DIR"] == str(stage.state)
    assert "DISCORD_STATE_DIR" not in found["env"]
    assert f"started with {DEVELOPMENT[0]} and asks you" in ran.err


async def test_print_starts_nothing(stage: Stage, host: Path) -> None:
    """The line can be pasted into a shell, remarks go to stderr, and the host need not exist."""
    ran = await launch(stage, "telegram", "--print", "--host", "/nowhere/a host", "--", "-p", "it's me")
    assert ran.code == 0
    *exported, program, flag, prompt, development, server = shlex.split(ran.out)
    assert exported == [f"TELEGRAM_STATE_DIR={stage.state}"]
    assert [program, flag, prompt, development, server] == ["/nowhere/a host", "-p", "it's me", *DEVELOPMENT]
    assert not is_there(host)


async def test_another_host_and_the_channels_that_are_set_up(stage: Stage, host: Path) -> None:
    """--host names another host; without a channel, those that were set up are meant."""
    other = stage.folder / "programs" / "another"
    ran = await launch(stage, "--host", str(other))
    assert ran.code == 7
    assert started(host)["argv"] == DEVELOPMENT


async def test_a_servers_name_is_the_projects(stage: Stage, host: Path) -> None:
    """The flag uses the name that .mcp.json gives the server."""
    path = stage.project / ".mcp.json"
    path.write_text(path.read_text().replace('"telegram": {', '"phone": {'))
    assert (await launch(stage, "telegram")).code == 7
    assert started(host)["argv"][-2:] == [DEVELOPMENT[0], "server:phone"]


@pytest.mark.parametrize("variable", ["DISABLE_TELEMETRY", "CLAUDE_CODE_USE_BEDROCK"])
async def test_where_channels_are_off_the_hooks_come_along(stage: Stage, host: Path, variable: str) -> None:
    """No channel flag, but the reason, and the hooks as settings of this session, unless they are installed."""
    without_hooks(stage)
    ran = await launch(stage, "telegram", "--", "-p", "hi", **{variable: "1"})
    assert ran.code == 7
    assert variable in ran.err
    *mine, flag, settings = started(host)["argv"]
    assert (mine, flag) == (["-p", "hi"], "--settings")
    hooks = json.loads(settings)["hooks"]
    assert set(hooks) == HOOKS
    entries = [entry for groups in hooks.values() for group in groups for entry in group["hooks"]]
    assert {entry["server"] for entry in entries if entry["type"] == "mcp_tool"} == {"telegram"}
    for entry in (entry for entry in entries if entry["type"] == "command"):
        # It can be run as it stands, by a shell, outside any plugin.
        assert (await stage.run("sh", "-c", f"{entry['command'].rsplit(' hook ')[0]} --version")).code == 0

    env = Environment("telegram", stage.env)
    add_hooks(env, ["telegram"])
    ran = await launch(stage, "telegram", **{variable: "1"})
    assert started(host)["argv"] == []
    assert "they are installed" in ran.err


async def test_unattended_nothing_is_asked_at_the_start(stage: Stage, host: Path) -> None:
    """The flag that the host asks about is left out, and the hooks come along, unless its organisation allows us."""
    without_hooks(stage)
    ran = await launch(stage, "telegram", "--unattended", "--", "--permission-mode", "plan")
    assert ran.code == 7
    *mine, flag, settings = started(host)["argv"]
    assert (mine, flag) == (["--permission-mode", "plan"], "--settings")
    assert set(json.loads(settings)["hooks"]) == HOOKS
    assert "the host asks something at its start" in ran.err


@pytest.mark.parametrize("name", ["no_token", "revoked_token", "wrong_setting", "newer_schema", "no_entry"])
async def test_a_session_that_no_message_can_reach_is_not_started(stage: Stage, host: Path, name: str) -> None:
    """Exit code 1 with the doctor's finding and the next step, with --print too."""
    breaking, check, says = BROKEN[name]
    async with breaking(stage) as env:
        for words in ([], ["--print"]):
            ran = await launch(stage, "telegram", *words, **env)
            assert (ran.code, ran.out) == (1, "")
            assert f"telegram, {check}: " in ran.err
            assert says in ran.err
    assert not is_there(host)


async def test_every_reason_has_its_own_lines(stage: Stage, host: Path) -> None:
    """As in the doctor's report: what was found, what that rests on, the next step."""
    (stage.project / ".mcp.json").write_text('{"mcpServers": ')
    (stage.state / "config.yaml").write_text("colour: red\n")
    ran = await launch(stage, "telegram")
    assert ran.code == 1
    first, *lines = ran.err.splitlines()
    assert first == "channels: no message would reach the session"
    assert [line for line in lines if line.startswith("  ✗ ")] == [
        "  ✗ telegram, settings: a setting is wrong, so nothing is read or sent",
        "  ✗ telegram, entry: the host's list of servers cannot be read",
    ]
    assert [line for line in lines if line.startswith("    -> ")] == [
        f"    -> fix it in {stage.state / 'config.yaml'}",
        "    -> fix that file",
    ]
    assert "fix it first" not in ran.err
    assert not is_there(host)


@pytest.mark.parametrize("name", ["nobody_there", "nobody_paired", "claim_never"])
async def test_what_may_pass_is_said_and_the_host_started(stage: Stage, host: Path, name: str) -> None:
    """No network, or nobody paired: a warning with the next step, and the host starts."""
    breaking, check, says = BROKEN[name]
    async with breaking(stage) as env:
        ran = await launch(stage, "telegram", **env)
    assert ran.code == 7
    assert f"note (telegram, {check}): " in ran.err
    assert says in ran.err
    assert started(host)["argv"] == DEVELOPMENT


async def test_what_is_not_there_is_named(stage: Stage, host: Path) -> None:
    """A host that is not installed, a channel that does not exist."""
    ran = await launch(stage, "telegram", "--host", "/nowhere/host")
    assert (ran.code, "'/nowhere/host' is not there" in ran.err) == (1, True)
    ran = await launch(stage, "signal")
    assert (ran.code, "there is no channel 'signal'; there are telegram, discord" in ran.err) == (2, True)
    assert not is_there(host)


@pytest.mark.parametrize(
    ("managed", "flag"),
    [
        ({"allowedChannelPlugins": [{"marketplace": "ours", "plugin": "agent-channels"}]}, "--channels"),
        ({"allowedChannelPlugins": [{"marketplace": "theirs", "plugin": "agent-channels"}]}, DEVELOPMENT[0]),
        ({}, DEVELOPMENT[0]),
    ],
)
def test_an_allowed_plugin_needs_no_development_flag(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, managed: dict[str, Any], flag: str
) -> None:
    """An enabled plugin is named with its marketplace; the organisation's list decides with which flag."""
    for name, value in stage.env.items():
        monkeypatch.setenv(name, value)
    settings = Path(os.environ["HOME"]) / ".claude" / "settings.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"enabledPlugins": {"agent-channels@ours": True, "other@ours": True}}))
    policy = stage.folder / "managed.json"
    policy.write_text(json.dumps(managed))
    monkeypatch.setattr(cli_launch, "managed_files", lambda: [policy])
    flags, told = cli_launch._channel_flags(["telegram", "discord"])
    assert flags == [flag, "plugin:agent-channels@ours"]
    assert "agent-channels@ours" in told


async def test_a_disabled_plugin_is_not_used(stage: Stage, host: Path) -> None:
    """What the project switches off stays off, whatever the user's own settings say; the servers are named instead."""
    for path, on in (
        (stage.home / ".claude" / "settings.json", True),
        (stage.project / ".claude" / "settings.json", False),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"enabledPlugins": {"agent-channels@ours": on}}))
    assert (await launch(stage, "telegram")).code == 7
    assert started(host)["argv"][-2:] == DEVELOPMENT
    for path in (stage.project / ".claude").iterdir():
        path.unlink()
    assert (await launch(stage, "telegram")).code == 7
    assert started(host)["argv"] == [DEVELOPMENT[0], "plugin:agent-channels@ours"]


async def test_set_up_leaves_the_files_to_the_plugin(stage: Stage) -> None:
    """With the plugin enabled, setup writes neither .mcp.json nor the hooks, unless an option asks for it."""
    servers, settings = stage.project / ".mcp.json", stage.project / ".claude" / "settings.json"
    servers.unlink()
    settings.write_text(json.dumps({"enabledPlugins": {"agent-channels@ours": True}}))
    installed = Path(stage.env["HOME"]) / ".claude" / "plugins" / "installed_plugins.json"
    installed.parent.mkdir(parents=True)
    installed.write_text(json.dumps({"version": 2, "plugins": {"agent-channels@ours": []}}))
    words = ("setup", "telegram", "--token-stdin", "--invite", "no")
    ran = await stage.cli(*words, stdin=f"{stage.tg.token}\n")
    assert ran.code == 0, ran.err
    assert "The plugin agent-channels@ours brings the server, the hooks and the skills" in ran.out
    assert not is_there(servers)
    assert (await stage.cli("doctor", "telegram")).code == 0
    assert (await stage.cli(*words, "--mcp-json", "yes", stdin=f"{stage.tg.token}\n")).code == 0
    assert is_there(servers)


async def test_a_host_of_another_name(stage: Stage, host: Path) -> None:
    """Set-up writes its files once, and it is started with the state folder and what was typed after `--`."""
    (stage.folder / "programs" / "another").rename(stage.folder / "programs" / "codex")
    refused = await launch(stage, "telegram", "--host", "codex")
    assert refused.code == 1
    assert "`channels setup telegram --host codex` adds it" in refused.err
    assert not is_there(host)
    for changed in (True, False):
        ran = await stage.cli("setup", "telegram", "--host", "codex", "--json")
        assert ran.code == 0, ran.err
        done = ran.json["host"]["files"]
        assert [line.endswith("already") for line in done] == [not changed] * 2
    ran = await launch(stage, "telegram", "--host", "codex", "--", "resume")
    assert ran.code == 7
    found = started(host)
    assert found["argv"] == ["resume"]
    assert found["env"]["TELEGRAM_STATE_DIR"] == str(stage.state)
    assert "Codex CLI is woken for a message" in ran.err
    doctor = await stage.cli("doctor", "telegram", "--host", "codex", "--json")
    checks = {check["check"]: check for check in doctor.json["channels"][0]["checks"]}
    assert checks["files"]["state"] == "ok"
    assert checks["project trust"]["state"] == "note"
    assert "flag" not in checks
