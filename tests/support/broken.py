"""Set-ups that are broken in one way each: made from a healthy one, with what doctor has to name."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agent_channels.core.host.install import add_hooks, add_server
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.env_file import set_dotenv_value
from agent_channels.core.settings.paths import KEY_FILE
from agent_channels.telegram.channel import CHANNEL
from harness import Stage

__all__ = ["BROKEN", "Broken", "black_hole", "healthy", "one_name_two_addresses"]

Env = dict[str, str | None]
Broken = Callable[[Stage], AbstractAsyncContextManager[Env]]
OTHER_TOKEN = "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiB"
# Addresses for documentation (RFC 5737): nobody is there.
NOBODY = "192.0.2.1"

BROKEN: dict[str, tuple[Broken, str, str]] = {}
"""By name: how it is broken, which check names it, and what the finding says."""


def breaks(check: str, says: str) -> Callable[[Callable[[Stage], AsyncIterator[Env]]], None]:
    """Enters a way of breaking a set-up into the table; its body ends what it started."""

    def enter(function: Callable[[Stage], AsyncIterator[Env]]) -> None:
        BROKEN[function.__name__] = (asynccontextmanager(function), check, says)

    return enter


def healthy(stage: Stage) -> None:
    """Set up with everything, one person paired, nobody reading."""
    del stage.env["TELEGRAM_BOT_TOKEN"]
    env = Environment("telegram", stage.env)
    set_dotenv_value(stage.state, "TELEGRAM_BOT_TOKEN", stage.tg.token)
    add_server(CHANNEL, env)
    add_hooks(env, [env.channel])
    stage.person()


def _token(stage: Stage, value: str) -> None:
    (stage.state / ".env").write_text(f"TELEGRAM_BOT_TOKEN={value}\n")


def _edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def _database(stage: Stage, *statements: str) -> None:
    with sqlite3.connect(stage.state / "channel.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def _settings(stage: Stage) -> Path:
    return stage.project / ".claude" / "settings.local.json"


# ---- the token


@breaks("token", "no token is set")
async def no_token(stage: Stage) -> AsyncIterator[Env]:
    (stage.state / ".env").unlink()
    yield {}


@breaks("token", "malformed")
async def malformed_token(stage: Stage) -> AsyncIterator[Env]:
    _token(stage, "hello")
    yield {}


@breaks("bot", "does not know the token")
async def revoked_token(stage: Stage) -> AsyncIterator[Env]:
    stage.tg.revoke_token()
    yield {}


@breaks("token", "in this shell overrides another token")
async def shadowing_variable(stage: Stage) -> AsyncIterator[Env]:
    yield {"TELEGRAM_BOT_TOKEN": OTHER_TOKEN}


# ---- the platform


@breaks("webhook", "a webhook is set")
async def webhook(stage: Stage) -> AsyncIterator[Env]:
    async with aiohttp.ClientSession() as session:
        url = f"{stage.tg.root}/bot{stage.tg.token}/setWebhook"
        async with session.post(url, json={"url": "https://example.com/hook"}) as answer:
            assert answer.status == 200
    yield {}


@breaks("second poller", "another program polls this bot")
async def second_poller(stage: Stage) -> AsyncIterator[Env]:
    async def poll() -> None:
        url = f"{stage.tg.root}/bot{stage.tg.token}/getUpdates"
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.post(url, json={"timeout": 30}) as answer:
                    await answer.read()

    other = asyncio.create_task(poll())
    await stage.tg.wait_for(lambda: stage.tg.polling)
    yield {}
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


@breaks("privacy mode", "privacy mode is on, and messages that do not name the bot shall count in")
async def privacy_mode(stage: Stage) -> AsyncIterator[Env]:
    group = stage.tg.group("Team")
    ran = await stage.access("group", "add", str(group.id), "--no-mention")
    assert ran.code == 0
    yield {}


@breaks("clock", "behind the platform's")
async def slow_clock(stage: Stage) -> AsyncIterator[Env]:
    stage.tg.advance(3600)
    yield {}


@breaks("bot", "cannot be asked")
async def nobody_there(stage: Stage) -> AsyncIterator[Env]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield {"TELEGRAM_API_ROOT": f"http://127.0.0.1:{free.getsockname()[1]}"}


@breaks("bot", "no answer in 5 s")
async def a_platform_that_says_nothing(stage: Stage) -> AsyncIterator[Env]:
    stage.tg.faults.add("silence", method="getMe")
    yield {}


# ---- the way there


@breaks("dns", "does not resolve")
async def no_name_server(stage: Stage) -> AsyncIterator[Env]:
    yield {"TELEGRAM_API_ROOT": "https://api.telegram.invalid"}


@breaks("proxy", "takes no connection")
async def dead_proxy(stage: Stage) -> AsyncIterator[Env]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield {"TELEGRAM_PROXY": f"http://user:secret@127.0.0.1:{free.getsockname()[1]}"}


@contextmanager
def one_name_two_addresses(stage: Stage) -> Iterator[Env]:
    """`localhost` has an IPv6 address that drops connections, and the IPv4 address of the sandbox."""
    names = stage.folder / "names"
    names.mkdir(exist_ok=True)
    (names / "sitecustomize.py").write_text(_NAMES)
    with black_hole(stage.tg.port):
        path = ":".join(filter(None, (str(names), stage.env.get("PYTHONPATH", ""))))
        yield {"PYTHONPATH": path, "TELEGRAM_API_ROOT": f"http://localhost:{stage.tg.port}"}


@contextmanager
def black_hole(port: int) -> Iterator[None]:
    """Connections to the port over IPv6 are neither made nor refused."""
    with ExitStack() as stack:
        hole = stack.enter_context(socket.socket(socket.AF_INET6))
        hole.bind(("::1", port))
        hole.listen(0)
        # A full queue is left unanswered by the kernel, as a network does that drops what it cannot carry.
        for _ in range(2):
            caller = stack.enter_context(socket.socket(socket.AF_INET6))
            caller.setblocking(False)
            caller.connect_ex(("::1", port))
        yield


# A name server of the test's own: what every library asks in the end.
_NAMES = """
import socket

_asked = socket.getaddrinfo

def getaddrinfo(host, port, family=0, *args, **more):
    if host not in ("localhost", b"localhost"):
        return _asked(host, port, family, *args, **more)
    found = []
    if family in (0, socket.AF_INET6):
        found += _asked("::1", port, socket.AF_INET6, *args, **more)
    if family in (0, socket.AF_INET):
        found += _asked("127.0.0.1", port, socket.AF_INET, *args, **more)
    return found

socket.getaddrinfo = getaddrinfo
"""


@breaks("trust", "was not made by you")
async def state_that_came_with_a_repository(stage: Stage) -> AsyncIterator[Env]:
    (stage.state / KEY_FILE).unlink()
    (stage.state / "config.yaml").write_text(f"api_root: https://{NOBODY}\n")
    yield {"TELEGRAM_API_ROOT": None}


# ---- what lies on this machine


@breaks("settings", "a setting is wrong")
async def wrong_setting(stage: Stage) -> AsyncIterator[Env]:
    (stage.state / "config.yaml").write_text("typing_cap: 5\n")
    yield {}


@breaks("state folder", "other users of this machine can read")
async def open_folder(stage: Stage) -> AsyncIterator[Env]:
    stage.state.chmod(0o755)
    yield {}


@breaks("database", "written by a newer version")
async def newer_schema(stage: Stage) -> AsyncIterator[Env]:
    _database(stage, "PRAGMA user_version = 999")
    yield {}


@breaks("database", "it is not a database")
async def damaged_database(stage: Stage) -> AsyncIterator[Env]:
    for path in stage.state.glob("channel.db*"):
        path.unlink()
    (stage.state / "channel.db").write_bytes(b"no database " * 1000)
    (stage.state / "channel.db").chmod(0o600)
    yield {}


@breaks("people", "nobody is paired")
async def nobody_paired(stage: Stage) -> AsyncIterator[Env]:
    await stage.access("remove", str(stage.tg.person("ann").id))
    yield {}


@breaks("people", "the policy is `disabled`")
async def policy_disabled(stage: Stage) -> AsyncIterator[Env]:
    await stage.access("policy", "disabled")
    yield {}


@breaks("messages", "messages that wait for the agent: 1")
async def old_open_message(stage: Stage) -> AsyncIterator[Env]:
    host = await stage.reading()
    stage.tg.person("ann").send("is anybody there?")
    await host.event()
    await host.close()
    _database(stage, f"UPDATE inbox SET received_at = {time.time() - 7200}")
    yield {}


# ---- who reads


@breaks("reader", "another project's server")
async def read_by_another_project(stage: Stage) -> AsyncIterator[Env]:
    await stage.reading(
        TELEGRAM_STATE_DIR=str(stage.folder / "elsewhere"), TELEGRAM_BOT_TOKEN=stage.tg.token, CLAUDE_PROJECT_DIR="/"
    )
    yield {}


@breaks("reader", "heard nothing from the platform")
async def stopped_server(stage: Stage) -> AsyncIterator[Env]:
    host = await stage.reading()
    await host.status_when(lambda status: status["last_poll_ok"])
    host.signal_all(signal.SIGSTOP)
    _database(stage, f"UPDATE health SET value = '{time.time() - 1000}' WHERE key = 'last_poll_ok'")
    yield {}
    host.signal_all(signal.SIGCONT)


@breaks("mode", "does not read the bot")
async def a_host_that_shows_no_sign(stage: Stage) -> AsyncIterator[Env]:
    await (await stage.host(CHANNELS_CLAIM=None)).status()
    yield {"CHANNELS_CLAIM": None}


@breaks("mode", "the bot is never read here")
async def claim_never(stage: Stage) -> AsyncIterator[Env]:
    yield {"CHANNELS_CLAIM": "never"}


# ---- the host


@breaks("entry", "no agent host is configured to start this server")
async def no_entry(stage: Stage) -> AsyncIterator[Env]:
    (stage.project / ".mcp.json").unlink()
    yield {}


@breaks("entry", "starts a program that does not exist")
async def entry_of_a_gone_program(stage: Stage) -> AsyncIterator[Env]:
    gone = {"command": "${CLAUDE_PROJECT_DIR:-.}/.venv/bin/channels"}
    _edit(stage.project / ".mcp.json", lambda found: found["mcpServers"]["telegram"].update(gone))
    yield {}


@breaks("entry", "is disabled in the host's settings")
async def disabled_entry(stage: Stage) -> AsyncIterator[Env]:
    _edit(_settings(stage), lambda found: found.update(disabledMcpjsonServers=["telegram"]))
    yield {}


@breaks("hooks", "switched off")
async def hooks_switched_off(stage: Stage) -> AsyncIterator[Env]:
    _edit(_settings(stage), lambda found: found.update(disableAllHooks=True))
    yield {}


@breaks("hooks", "cannot run")
async def hooks_of_a_gone_program(stage: Stage) -> AsyncIterator[Env]:
    path = _settings(stage)
    path.write_text(path.read_text().replace("/channels", "/gone/channels"))
    yield {}


@breaks("telemetry", "DISABLE_TELEMETRY")
async def telemetry_off(stage: Stage) -> AsyncIterator[Env]:
    _settings(stage).unlink()
    yield {"DISABLE_TELEMETRY": "1"}


@breaks("telemetry", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")
async def telemetry_off_in_the_settings(stage: Stage) -> AsyncIterator[Env]:
    _settings(stage).write_text(json.dumps({"env": {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "true"}}))
    yield {}
