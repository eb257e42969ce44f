"""What came with a repository is nobody's word: every verb, the server, the hooks and the plugin, in a hostile one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness import COMMAND, PATIENCE_S, Host, Stage
from hostile import PLANTED, Hostile, hostile_repository, tree

pytestmark = [pytest.mark.long, pytest.mark.cold]

ROOT = Path(__file__).parents[2]
NOBODY = 65534
HOOKS = {
    "session": {"hook_event_name": "SessionStart", "source": "startup"},
    "prompt": {"hook_event_name": "UserPromptSubmit", "prompt": "hi"},
    "stop": {"hook_event_name": "Stop", "stop_hook_active": False},
    "permission": {"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "ls"}},
    "question": {"hook_event_name": "PreToolUse", "tool_name": "AskUserQuestion", "tool_input": {"questions": []}},
}
VERBS = (
    ("doctor",), ("doctor", "telegram", "--json"), ("launch", "--", "-p", "hi"), ("status", "telegram"),
    ("status", "discord"), ("inbox", "telegram"), ("access", "telegram"), ("access", "telegram", "policy", "disabled"),
    ("history", "telegram", "4242"), ("setup", "telegram", "--token-stdin", "--mcp-json", "no", "--hooks", "no"),
    ("trust", "--show"),
)  # fmt: skip


class Attacker:
    """A server that answers nothing and counts who comes."""

    def __init__(self) -> None:
        self.connections = 0

    async def meet(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection, and close it."""
        self.connections += 1
        writer.close()


@asynccontextmanager
async def attacker() -> AsyncIterator[tuple[Attacker, str]]:
    """A listening one, and its address."""
    met = Attacker()
    server = await asyncio.start_server(met.meet, "127.0.0.1", 0)
    async with server:
        yield met, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def environment(stage: Stage, hostile: Hostile) -> dict[str, str | None]:
    """A user in the repository: his token in the environment, a host and a git that leave marks on the PATH."""
    programs = hostile.folder / "bin"
    programs.mkdir()
    for name in ("git", "claude"):
        (programs / name).write_text(f"#!/bin/sh\n{hostile.command(name)}\n")
        (programs / name).chmod(0o755)
    home = hostile.folder / "home"
    home.mkdir()
    return {
        "PATH": f"{programs}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "CHANNELS_DATA_DIR": str(home / "data"),
        "CLAUDE_PROJECT_DIR": str(hostile.project),
        "TELEGRAM_STATE_DIR": None,
        "TELEGRAM_API_ROOT": None,
        "TELEGRAM_BOT_TOKEN": stage.tg.token,
        # The user's own project is found by its modules, which have the names of ours.
        "PYTHONPATH": str(hostile.project / "src"),
    }


@pytest.mark.parametrize("came", ["clone", "archive", "deep json", "of another owner", "to a user without rights"])
async def test_nothing_of_it_counts(stage: Stage, came: str) -> None:
    """No request leaves, no command runs, no file changes, no planted message or approval is heard of."""
    if came in {"of another owner", "to a user without rights"} and (os.geteuid() != 0 or not shutil.which("setpriv")):
        pytest.skip("needs root and setpriv, to be another user")
    async with attacker() as (met, address):
        with hostile_repository(address) as hostile:
            env = environment(stage, hostile)
            before: tuple[str, ...] = ()
            if came == "clone":
                hostile.as_clone()
            elif came == "deep json":
                hostile.as_deep_json()
            elif came == "of another owner":
                hostile.give(12345)
            elif came == "to a user without rights":
                hostile.give(NOBODY)
                os.chown(hostile.folder / "home", NOBODY, NOBODY)
                before = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
            stage.project = hostile.project
            brought, victims = tree(hostile.project), tree(hostile.victim)

            said = [await _serve(stage, before, env)]
            for verb in VERBS:
                ran = await stage.run(*before, *COMMAND, *verb, stdin=f"{stage.tg.token}\n", **env)
                assert "Traceback" not in ran.err, (verb, ran.err)
                said.append(ran.out + ran.err)
            for name, payload in HOOKS.items():
                words = {"session_id": "s", "cwd": str(hostile.project), **payload}
                ran = await stage.run(*before, *COMMAND, "hook", name, stdin=json.dumps(words), **env)
                assert ran.code == 0, (name, ran.err)
                said.append(ran.out + ran.err)
            plugin = (sys.executable, str(ROOT / ".claude-plugin" / "run.py"), "--data", str(hostile.folder / "home"))
            ran = await stage.run(*before, *plugin, "status", "telegram", **env)
            said.append(ran.out + ran.err)

            assert met.connections == 0
            assert stage.tg.calls == []
            assert hostile.marked() == []
            assert tree(hostile.project) == brought
            assert tree(hostile.victim) == victims
            assert PLANTED not in "".join(said)


async def _serve(stage: Stage, before: tuple[str, ...], env: dict[str, str | None]) -> str:
    """What the server tells a host: it starts, and says what to run."""
    host: Host = await stage.start(before=before, cold=True, **env)
    await host.attach()
    status = await host.status()
    assert "channels trust" in status["problem"] or "belongs to another user" in status["problem"]
    said = await host.refused("wait_for_messages", timeout_s=0)
    await host.close()
    return json.dumps(status) + said


async def test_ones_own_folder_works_beside_it(stage: Stage) -> None:
    """In the hostile repository, with a state folder that the user made: messages come, answers go."""
    async with attacker() as (met, address):
        with hostile_repository(address) as hostile:
            env = environment(stage, hostile)
            own = {"TELEGRAM_STATE_DIR": str(stage.state), "CHANNELS_DATA_DIR": stage.env["CHANNELS_DATA_DIR"]}
            stage.project = hostile.project
            ann = stage.person()
            host = await stage.reading(**{**env, **own, "TELEGRAM_API_ROOT": stage.tg.root})
            ann.send("hello")
            async with asyncio.timeout(PATIENCE_S):
                assert (await host.event()).content == "hello"
            await host.done("reply", chat_id=str(ann.id), text="hi")
            assert (await ann.next_message())["text"] == "hi"
            assert (met.connections, hostile.marked()) == (0, [])


async def test_what_is_adopted_was_shown(stage: Stage) -> None:
    """`channels trust` lists people, approvers, messages, settings and the names of variables, never their values."""
    async with attacker() as (_, address):
        with hostile_repository(address) as hostile:
            env = environment(stage, hostile)
            stage.project = hostile.project
            shown = await stage.run(*COMMAND, "trust", "--show", str(hostile.state), **env)
            assert shown.code == 0
            for part in ("1 person", "1 approver", "TELEGRAM_BOT_TOKEN", f"api_root: {address}", "send_roots"):
                assert part in shown.out
            assert "1:x" not in shown.out


async def test_what_would_be_adopted_is_shown_whatever_lies_beside_it(stage: Stage) -> None:
    """People in the database are counted, however many files come before it by name."""
    async with attacker() as (_, address):
        with hostile_repository(address) as hostile:
            env = environment(stage, hostile)
            stage.project = hostile.project
            for number in range(30):
                (hostile.state / f".{number}").touch()
            shown = await stage.run(*COMMAND, "trust", "--show", str(hostile.state), **env)
            assert "1 person, 1 approver" in shown.out


async def test_a_look_at_a_folder_ends(stage: Stage) -> None:
    """A pipe for a database, and settings that stand for more values than any memory holds, are named at once."""
    async with attacker() as (_, address):
        with hostile_repository(address) as hostile:
            env = environment(stage, hostile)
            stage.project = hostile.project
            (hostile.state / "channel.db").unlink()
            os.mkfifo(hostile.state / "channel.db")
            values = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
            (hostile.state / "config.yaml").write_text(f"a0: &a0 [{'x, ' * 9}]\n{values}")
            shown = await stage.run(*COMMAND, "trust", "--show", str(hostile.state), **env)
            assert shown.code == 0
            assert "channel.db   it cannot be read" in shown.out
            assert "a value stands for another one" in shown.out
