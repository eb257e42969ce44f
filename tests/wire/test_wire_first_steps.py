"""The first five minutes: an empty folder, a bot, a paired phone; and what setup writes, once."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import COMMAND, Stage

pytestmark = [pytest.mark.long, pytest.mark.cold]

NO_TOKEN = {"TELEGRAM_BOT_TOKEN": None}
EVERYTHING = ("--mcp-json", "yes", "--hooks", "yes", "--skills", "project")
HOOKS = {"session", "bell", "end", "stop", "permission", "question"}


@pytest.fixture
def empty(stage: Stage) -> Stage:
    """An empty project: nothing in the environment names a state folder or a token."""
    shutil.rmtree(stage.state)
    stage.env = {k: v for k, v in stage.env.items() if k not in {"TELEGRAM_STATE_DIR", "TELEGRAM_BOT_TOKEN"}}
    stage.state = stage.project / "state" / "telegram"
    return stage


async def setup(stage: Stage, *options: str) -> Any:
    ran = await stage.cli("setup", "telegram", "--token-stdin", *options, stdin=f"{stage.tg.token}\n")
    assert ran.code == 0, ran.err
    return ran


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time of change and its content."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("channel.db"))
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


async def test_from_an_empty_folder_to_a_tapped_button(empty: Stage) -> None:
    """Setup, invitation, scan and Start, a message, a grid, a tap: only the command line, the host and a phone."""
    ran = await setup(empty, *EVERYTHING, "--invite", "yes")
    found = re.search(r"https://t\.me/sandbox_bot\?start=(\w+)", ran.out)
    assert found is not None

    # A host starts what .mcp.json says, and nothing else is known to it.
    entry = json.loads((empty.project / ".mcp.json").read_text())["mcpServers"]["telegram"]
    # No path of this machine stands in it, since others share the file.
    assert [entry["command"], *entry["args"]] == ["channels", "serve", "telegram"]
    host = await empty.reading()
    ann = empty.tg.person("ann", first_name="Ann")
    ann.start(found[1])
    assert "Paired" in (await ann.next_message())["text"]

    ann.send("shall we deploy?")
    assert (await host.event()).content == "shall we deploy?"
    await host.done("reply", chat_id=str(ann.id), text="Deploy?", buttons=[["Yes", "No"]])
    grid = await ann.next_message()
    tap = ann.tap(grid["message_id"], label="Yes")
    event = await host.event()
    assert (event.meta["button"], event.meta["button_value"]) == ("true", "Yes")
    assert "Yes" in (await tap.answered()).text
    await host.done("reply", chat_id=str(ann.id), text="Deployed.")
    assert (await ann.next_message())["text"] == "Deployed."
    assert (await empty.cli("doctor", "telegram")).code == 0


async def test_setup_writes_what_is_asked_for_and_nothing_twice(empty: Stage) -> None:
    """Token, settings, server and hooks, all private where they have to be; run again, every byte stays."""
    ran = await setup(empty, *EVERYTHING, "--json")
    assert ran.json["bot"]["username"] == "sandbox_bot"
    assert stat.S_IMODE((empty.state / ".env").stat().st_mode) == 0o600
    config = (empty.state / "config.yaml").read_text()
    assert yaml.safe_load(config) is None
    for setting in ("#mode: auto", "#ipv4: null", "#api_root: https://api.telegram.org", "#send_roots: []"):
        assert setting in config
    hooks = json.loads((empty.project / ".claude" / "settings.local.json").read_text())["hooks"]
    entries = [h for groups in hooks.values() for g in groups for h in g["hooks"]]
    commands = [h["command"] for h in entries if h["type"] == "command"]
    assert {command.split()[-1] for command in commands} == HOOKS
    assert all(COMMAND[1] in command for command in commands)
    assert hooks["PreToolUse"][0]["matcher"] == "AskUserQuestion"
    skills = {path.name for path in (empty.project / ".claude" / "skills").iterdir()}
    assert skills == {"telegram-access", "telegram-configure", "loop", "yt2pdf"}
    assert {h["server"] for h in entries if h["type"] == "mcp_tool"} == {"telegram"}
    assert not (empty.project / ".claude" / "settings.json").exists()

    before = tree(empty.project)
    again = await setup(empty, *EVERYTHING)
    assert tree(empty.project) == before
    assert again.out.count("already") == 3
    # With the token kept, nothing has to be piped in.
    ran = await empty.cli("setup", "telegram", *EVERYTHING)
    assert ran.code == 0, ran.err
    assert tree(empty.project) == before


async def test_a_script_that_says_nothing_gets_no_files_of_the_host(empty: Stage) -> None:
    """--token-stdin alone asks nothing and touches nothing outside of the state folder."""
    ran = await setup(empty)
    assert "channels access telegram invite" in ran.out
    assert [path.name for path in empty.project.iterdir()] == ["state"]


async def test_the_next_step_is_the_one_that_is_missing(empty: Stage) -> None:
    """A host that was not told of the server does not start it: that comes first, here and with an invitation."""
    entered = "channels setup telegram --mcp-json yes"
    first = (await setup(empty)).out
    assert entered in first
    assert "· Privacy mode is on" in first
    invited = (await setup(empty, "--invite", "yes")).out
    assert f"No server reads this bot yet: enter the server into your agent host's list (`{entered}`" in invited
    assert entered in (await empty.access("invite")).out
    for said in (await setup(empty, *EVERYTHING), await empty.access("invite")):
        assert "start your agent host in the project" in said.out
        assert entered not in said.out


async def test_setup_in_a_subfolder_is_for_the_whole_project(empty: Stage) -> None:
    """In a git project, state and host files go to its root, and setup says so; other verbs look there too."""
    root, sub = empty.project, empty.project / "src" / "deep"
    sub.mkdir(parents=True)
    (root / ".git").mkdir()
    del empty.env["CLAUDE_PROJECT_DIR"]
    empty.project = sub
    ran = await setup(empty, *EVERYTHING)
    assert ran.project == str(root)
    assert list(sub.iterdir()) == []
    assert {path.name for path in root.iterdir()} == {".git", "src", "state", ".mcp.json", ".claude"}
    assert (await empty.cli("status", "telegram", "--json")).json["state_dir"] == str(root / "state" / "telegram")


@pytest.mark.parametrize("stored", [False, True])
async def test_a_platform_that_cannot_be_reached(empty: Stage, stored: bool) -> None:
    """The error says what became of the token, and what to do next; a token that works stays stored."""
    if stored:
        await setup(empty)
    given = "" if stored else empty.tg.token
    words = () if stored else ("--token-stdin",)
    ran = await empty.cli("setup", "telegram", *words, stdin=given, TELEGRAM_API_ROOT="http://127.0.0.1:9")
    assert ran.code == 1
    assert "cannot be reached" in ran.err
    assert ("the token stays as it was" if stored else "the token was not stored") in ran.err
    assert "run this again after that" in ran.err
    # Nothing half made is left: a folder with a state would be taken for a project.
    assert empty.state.exists() is stored
    assert not stored or empty.tg.token in (empty.state / ".env").read_text()


THEIRS = """{
    "mcpServers": {
        "other": {"command": "other-server", "args": ["ü"]}
    },
    "answer": 42
}
"""


async def test_the_rest_of_a_file_stays_and_a_copy_is_kept(empty: Stage) -> None:
    """What others wrote stays byte for byte; a copy of what the file was lies outside of the repository."""
    servers, settings = empty.project / ".mcp.json", empty.project / ".claude" / "settings.local.json"
    servers.write_text(THEIRS)
    settings.parent.mkdir()
    mine = '{"model":"x", "hooks": {"Notification": [{"hooks":[{"type": "command", "command": "say done"}]}]}}'
    settings.write_text(mine)
    ran = await setup(empty, *EVERYTHING)
    kept = re.search(r"the old file is kept as (\S+\.mcp\.json\.1)", ran.out)
    assert kept is not None
    assert await asyncio.to_thread(Path(kept[1]).read_text) == THEIRS
    assert not [path for path in empty.project.rglob("*") if "backup" in path.name]
    assert servers.read_text().startswith(THEIRS.partition("}\n    }")[0])
    assert list(json.loads(servers.read_text())["mcpServers"]) == ["other", "telegram"]
    assert settings.read_text().startswith(mine.removesuffix("]}}"))


async def test_another_servers_entry_of_that_name_gives_way_to_a_yes(empty: Stage) -> None:
    """The reference plugin's entry is replaced, its copy kept; an entry of ours that works stays as it was."""
    servers = empty.project / ".mcp.json"
    servers.write_text(json.dumps({"mcpServers": {"telegram": {"command": "bun", "args": ["run", "server.ts"]}}}))
    await setup(empty, "--mcp-json", "yes")
    assert json.loads(servers.read_text())["mcpServers"]["telegram"]["args"] == ["serve", "telegram"]
    own = {"mcpServers": {"telegram": {"command": COMMAND[1], "args": ["serve", "telegram"], "alwaysLoad": True}}}
    servers.write_text(json.dumps(own))
    await setup(empty, "--mcp-json", "yes")
    assert json.loads(servers.read_text()) == own


BROKEN = ["{", "[]", '{"mcpServers": []}']


@pytest.mark.parametrize("text", BROKEN)
async def test_a_file_that_is_no_json_is_not_touched(empty: Stage, text: str) -> None:
    """It is named, and everything before that step is kept."""
    (empty.project / ".mcp.json").write_text(text)
    ran = await empty.cli("setup", "telegram", "--token-stdin", *EVERYTHING, stdin=empty.tg.token)
    assert ran.code == 1
    assert str(empty.project / ".mcp.json") in ran.err
    assert "Traceback" not in ran.err
    assert (empty.project / ".mcp.json").read_text() == text
    assert (empty.state / ".env").exists()


async def test_hooks_that_lead_nowhere_are_mended(empty: Stage) -> None:
    """A hook of ours whose program moved is pointed at this one, in its place."""
    await setup(empty, "--hooks", "yes")
    settings = empty.project / ".claude" / "settings.local.json"
    right = settings.read_text()
    settings.write_text(right.replace(COMMAND[1], "/gone/bin/channels"))
    await setup(empty, "--hooks", "yes")
    assert settings.read_text() == right


async def test_setup_adopts_no_folder_unasked(empty: Stage) -> None:
    """A config.yaml that came with the project names another server: nothing is sent, and setup says what to run."""
    empty.state.mkdir(parents=True)
    (empty.state / "config.yaml").write_text("api_root: https://api.telegram.org.example.com\n")
    root = {"TELEGRAM_API_ROOT": None}
    ran = await empty.cli("setup", "telegram", "--token-stdin", stdin=empty.tg.token, **root)
    assert ran.code == 1
    assert "channels trust" in ran.err
    assert [path.name for path in empty.state.iterdir()] == ["config.yaml"]
    assert empty.tg.calls == []
    shown = await empty.cli("trust", "--show", **root)
    assert "api_root: https://api.telegram.org.example.com" in shown.out
    assert (await empty.cli("trust", **root)).code == 1
    assert [path.name for path in empty.state.iterdir()] == ["config.yaml"]
    adopted = await empty.cli("trust", "--yes", **root)
    assert (adopted.code, "adopted" in adopted.out) == (0, True)
    ran = await setup(empty)
    assert ran.code == 0
