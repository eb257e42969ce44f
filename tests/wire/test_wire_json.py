"""`--json`: every verb that reports something has it, and prints one object whatever happens, with times in UTC."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from typing import Any

import pytest

from agent_channels.cli.main import build_parser
from agent_channels.core.settings.log_file import LogFile
from broken import healthy
from harness import COMMAND, Ran, Stage
from wire_host import PATIENCE_S

# Verbs that report nothing to programs, and why.
WITHOUT = {
    "serve": "speaks MCP on stdout",
    "hook": "answers the host in the host's own form",
    "completion": "prints a script",
    "audit": "is short for its first action, which has it",
}
# How each is asked in a project that is set up. {file} and {folder} are not there before.
ASKED = {
    "setup": "setup telegram --token-stdin",
    "import": "import telegram {folder}",
    "status": "status telegram",
    "doctor": "doctor telegram",
    "launch": "launch telegram --host true",
    "inbox": "inbox telegram",
    "history export": "history export telegram",
    "audit show": "audit show telegram",
    "audit verify": "audit verify telegram",
    "audit export": "audit export telegram",
    "access": "access telegram",
    "access status": "access telegram status",
    "access pair": "access telegram pair ABCDEFGH",
    "access deny": "access telegram deny ABCDEFGH",
    "access invite": "access telegram invite",
    "access allow": "access telegram allow 5",
    "access policy": "access telegram policy pairing",
    "access approver add": "access telegram approver add 5",
    "access approver rm": "access telegram approver rm 5",
    "access remove": "access telegram remove 5",
    "access group add": "access telegram group add -1005",
    "access group rm": "access telegram group rm -1005",
    "loop start": "loop start tidy",
    "loop stop": "loop stop",
    "loop status": "loop status",
    "trust": "trust --show",
    "backup": "backup {file}",
    "restore": "restore {file} --yes",
    "update": "update",
    "uninstall": "uninstall --dry-run",
    "hub uninstall": "hub uninstall",
}
# One object a line, since they go on; one that stays up after it; and those that are asked elsewhere.
APART = {
    "logs", "sandbox", "open", "hub keep", "hub log", "hub install", "hub join", "hub leave", "hub rm",
    "hub status", "hub route list", "hub route add", "hub route rm",
    "yt2pdf metadata", "yt2pdf transcript", "yt2pdf check", "yt2pdf pdf", "yt2pdf run", "yt2pdf delete",
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def leaves(parser: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every verb and action that does something."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if path and not any(action.required for action in below):
        yield path, parser
    for action in below:
        for word, one in action.choices.items():
            yield from leaves(one, f"{path} {word}".strip())


def times(value: Any) -> Iterator[str]:
    """Every text in a JSON value that is a time."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from times(one)
    elif isinstance(value, str) and TIME.match(value):
        yield value


def one_object(ran: Ran) -> dict[str, Any]:
    """What was printed: one object that says what the exit code says, and why if it failed."""
    found = json.loads(ran.out)
    assert isinstance(found, dict)
    assert ran.out.count("\n") == 1
    assert found["ok"] is (ran.code == 0), ran
    assert [time for time in times(found) if not time.endswith(("+00:00", "Z"))] == []
    return found


def test_every_verb_has_it_or_a_reason() -> None:
    """A new verb has to have --json, or to be on the list with the reason why not."""
    found = dict(leaves(build_parser()))
    without = {path for path, parser in found.items() if "--json" not in parser._option_string_actions}
    assert without == set(WITHOUT)
    assert set(found) == {*ASKED, *WITHOUT, *APART}


@pytest.fixture
async def settled(stage: Stage) -> Stage:
    """A project that is set up, with somebody who is in, an open message, and something in the log."""
    healthy(stage)
    LogFile(stage.state, "test").write("WARNING", __name__, "something happened")
    ann = stage.person()
    host = await stage.reading()
    ann.send("hello")
    await host.event()
    await host.close()
    return stage


async def test_every_verb_prints_one_object(settled: Stage) -> None:
    """Those that succeed, and those that fail: then with the sentence that people read on stderr."""
    places = {"file": settled.folder / "saved.zip", "folder": settled.folder / "theirs"}
    places["folder"].mkdir()
    (places["folder"] / "access.json").write_text('{"dmPolicy": "pairing", "allowFrom": ["7"]}')
    failed = set()
    for path, words in ASKED.items():
        stdin = f"{settled.tg.token}\n" if path == "setup" else ""
        ran = await settled.cli(*words.format(**places).split(), "--json", stdin=stdin)
        found = one_object(ran)
        if not found["ok"] and path != "doctor":
            failed.add(path)
            assert ran.err == f"channels: {found['error']}\n"
    assert failed == {"access pair", "access deny", "loop start"}


@pytest.mark.parametrize(("words", "code", "error"), [
    ("inbox telegarm", 2, "there is no channel 'telegarm'; did you mean 'telegram'?"),
    ("inbox telegram --limit 0", 2, "argument --limit: '0' is not a number of messages; give 1 or more"),
    ("inbox telegram --oepn", 2, "there is no option --oepn here; did you mean '--open'?"),
    ("access telegram allow bob", 2, "'bob' is not an id"),
    ("inbox telegram --drop nothing", 1, "there is no message 'nothing'"),
    ("restore nowhere.zip", 1, "cannot be read"),
    ("stauts", 2, "there is no verb 'stauts'; did you mean `channels status`?"),
    ("sandbox --transcript", 2, "a transcript is for people"),
])  # fmt: skip
async def test_errors_are_objects_too(stage: Stage, words: str, code: int, error: str) -> None:
    """With the exit code as without --json: 1 if it could not be done, 2 for wrong usage."""
    ran = await stage.cli(*words.split(), "--json")
    assert ran.code == code
    assert error in one_object(ran)["error"]
    assert error in ran.err
    if words != "sandbox --transcript":
        plain = await stage.cli(*words.split())
        assert (plain.code, plain.out) == (code, "")
        assert error in plain.err


async def test_the_log_is_a_line_of_json_each(settled: Stage) -> None:
    """It goes on with --follow, so there is no one object; every line is one, in UTC."""
    ran = await settled.cli("logs", "telegram", "--json")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert found
    assert all(one["at"].endswith(("Z", "+00:00")) for one in found)


async def test_the_history_is_lines_or_one_object(settled: Stage) -> None:
    """The same messages either way."""
    lines = (await settled.cli("history", "export", "telegram")).out.splitlines()
    found = one_object(await settled.cli("history", "export", "telegram", "--json"))
    assert found["messages"] == [json.loads(line) for line in lines]
    assert [one["text"] for one in found["messages"]] == ["hello"]


async def test_the_sandbox_says_where_it_is(stage: Stage) -> None:
    """One object with the page's address and what a host's .mcp.json holds; then it stays up until it is ended."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "sandbox", "--agent", "none", "--port", "0", "--no-open", "--json", stdout=PIPE, stderr=PIPE,
        env=stage._env({}), cwd=stage.project,
    )  # fmt: skip
    assert process.stdout is not None
    found = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
    assert found["ok"] is True
    assert found["url"].startswith("http://127.0.0.1:")
    assert set(found["mcpServers"]) == {"telegram", "discord", "slack"}
    process.send_signal(signal.SIGINT)
    rest, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert (process.returncode, rest, err) == (0, b"", b"")
