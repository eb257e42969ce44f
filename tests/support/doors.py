"""Ways to fail at the door, each played for real, with the sentence that a person reads and what it tells them to do.

`says` and `advice` are as printed, with … for what differs from machine to machine. They are the headings and the text
of docs/troubleshooting.md, so that a search for what somebody reads leads there.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent_channels.core.settings.paths import KEY_FILE
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.groups import TelegramGroup
from broken import BROKEN, Env, healthy
from harness import DiscordStage, Stage, World
from proxies import refusing_proxy, refusing_socks_proxy, tls_front

__all__ = ["DOORS", "Door", "Played", "in_order"]

EVERYWHERE = ("setup", "doctor", "serve")
ELSEWHERE = "https://platform.invalid"
# An address for documentation (RFC 5737): nobody is there.
NOBODY = "https://192.0.2.1"


@dataclass
class Played:
    """How the commands are run: with which variables, behind which words, with which token."""

    env: Env = field(default_factory=dict)
    before: tuple[str, ...] = ()
    token: str | None = None
    chat: str = ""
    """Where the agent answers."""


Play = Callable[[World], AbstractAsyncContextManager[Played]]


@dataclass(frozen=True)
class Door:
    """One way to fail. `at`: the commands, or tools of the agent, that say it.

    `check`: what `channels doctor` calls it; "" if it cannot know.
    """

    name: str
    says: str
    advice: str
    at: tuple[str, ...]
    check: str
    channel: str
    needs: tuple[str, ...]
    play: Play
    keeps: bool
    """The set-up goes on all the same: the platform took the token."""


DOORS: list[Door] = []


def door(
    says: str,
    advice: str,
    *,
    at: tuple[str, ...] = EVERYWHERE,
    check: str = "bot",
    channel: str = "telegram",
    needs: tuple[str, ...] = (),
    keeps: bool = False,
) -> Callable[[Callable[..., AsyncIterator[Played]]], None]:
    """Enter a way to fail into the table; its body ends what it started. `needs`: a command that has to work here."""

    def enter(function: Callable[..., AsyncIterator[Played]]) -> None:
        play: Play = asynccontextmanager(function)
        DOORS.append(Door(function.__name__, says, advice, at, check, channel, needs, play, keeps))

    return enter


def in_order(text: str, parts: str) -> bool:
    """Return whether the parts of a text between … stand in another text, in this order."""
    at = 0
    for part in filter(None, (part.strip() for part in parts.split("…"))):
        if (found := text.find(part, at)) < 0:
            return False
        at = found + len(part)
    return True


def at_root(root: str, **more: str) -> Played:
    return Played({"TELEGRAM_API_ROOT": root, **more})


# ---- the way to the platform

ALONE = ("unshare", "-rn")


@door(
    "… cannot be reached: …:443 takes no connection (Network is unreachable)",
    "see whether this machine is online",
    needs=(*ALONE, "true"),
)
async def no_network(stage: Stage) -> AsyncIterator[Played]:
    yield Played({"TELEGRAM_API_ROOT": NOBODY}, ALONE)


@door("the name … does not resolve", "see whether this machine is online and its name server answers", check="dns")
async def no_name_server(stage: Stage) -> AsyncIterator[Played]:
    yield at_root(ELSEWHERE)


@door(
    "… takes no connection (Connection refused)",
    "nothing listens there, or a firewall refuses it; correct the address if you set one",
)
async def nobody_listens(stage: Stage) -> AsyncIterator[Played]:
    yield at_root("http://127.0.0.1:9")


@door("the proxy …, named by …, takes no connection", "start it, or correct or remove it", check="proxy")
async def a_proxy_that_is_down(stage: Stage) -> AsyncIterator[Played]:
    yield at_root(ELSEWHERE, TELEGRAM_PROXY="http://127.0.0.1:9")


@door(
    "the proxy …, named by …, takes no connection",
    "start it, or correct or remove it",
    at=("setup",),
    check="proxy",
)
async def a_socks_proxy_that_is_down(stage: Stage) -> AsyncIterator[Played]:
    yield at_root(ELSEWHERE, ALL_PROXY="socks5://127.0.0.1:9")


@door(
    "the proxy …, named by …, asks for a user name and a password",
    "write them into it there, as http://USER:PASSWORD@HOST:PORT",
)
async def a_proxy_that_wants_a_password(stage: Stage) -> AsyncIterator[Played]:
    async with refusing_proxy("407 Proxy Authentication Required") as place:
        yield at_root(ELSEWHERE, HTTPS_PROXY=f"http://{place}")


@door(
    "the proxy …, named by …, asks for a user name and a password",
    "write them into it there, as http://USER:PASSWORD@HOST:PORT",
    at=("setup",),
)
async def a_socks_proxy_that_wants_a_password(stage: Stage) -> AsyncIterator[Played]:
    async with refusing_socks_proxy() as place:
        yield at_root(ELSEWHERE, ALL_PROXY=f"socks5://{place}")


@door("the proxy …, named by …, refuses the user name and the password in it", "correct them there", at=("setup",))
async def a_proxy_with_a_wrong_password(stage: Stage) -> AsyncIterator[Played]:
    async with refusing_proxy("407 Proxy Authentication Required") as place:
        yield at_root(ELSEWHERE, HTTPS_PROXY=f"http://me:secret@{place}")


@door(
    "the proxy …, named by …, refuses the connection (403 Forbidden)",
    "have it allow this host, or name another proxy there",
    at=("setup", "doctor"),
)
async def a_proxy_that_forbids_it(stage: Stage) -> AsyncIterator[Played]:
    async with refusing_proxy("403 Forbidden") as place:
        yield at_root(ELSEWHERE, HTTPS_PROXY=f"http://{place}")


@door(
    "the proxy …, named by …, cannot make the connection (502 Bad Gateway)",
    "see whether it is online itself",
    at=("setup",),
)
async def a_proxy_that_is_cut_off(stage: Stage) -> AsyncIterator[Played]:
    async with refusing_proxy("502 Bad Gateway") as place:
        yield at_root(ELSEWHERE, HTTPS_PROXY=f"http://{place}")


@door(
    "its certificate is not trusted (self-signed certificate)",
    "if a proxy or a virus scanner inspects connections, name the file with its certificate in NODE_EXTRA_CA_CERTS",
)
async def inspected_connections(stage: Stage) -> AsyncIterator[Played]:
    async with tls_front(stage.tg.port, stage.folder) as front:
        yield at_root(f"https://{front.place}")


@door("its certificate is not valid yet, and this machine's clock says …", "set the clock")
async def a_clock_that_is_years_behind(stage: Stage) -> AsyncIterator[Played]:
    async with tls_front(stage.tg.port, stage.folder, starts_in=dt.timedelta(days=900)) as front:
        yield at_root(f"https://{front.place}", SSL_CERT_FILE=str(front.certificate))


@door(
    "its certificate has expired, and this machine's clock says …",
    "set the clock if that is wrong; else the operator of that server or proxy has to renew the certificate",
    at=("setup",),
)
async def a_clock_that_is_years_ahead(stage: Stage) -> AsyncIterator[Played]:
    async with tls_front(stage.tg.port, stage.folder, starts_in=-dt.timedelta(days=900)) as front:
        yield at_root(f"https://{front.place}", SSL_CERT_FILE=str(front.certificate))


@door(
    "… does not speak TLS (wrong version number)",
    "something else answers there, such as the sign-in page of a network or a server without a certificate",
    at=("setup",),
)
async def no_tls(stage: Stage) -> AsyncIterator[Played]:
    yield at_root(f"https://127.0.0.1:{stage.tg.port}")


# ---- the token, and what the platform says


@door(
    "the Telegram token does not look like one (…; BotFather gives digits, a colon and about 35 more characters)",
    "set it again with `channels setup telegram`",
    check="token",
)
async def something_else_as_token(stage: Stage) -> AsyncIterator[Played]:
    yield Played({"TELEGRAM_BOT_TOKEN": "hello"}, token="hello")


@door(
    "Telegram refuses the token (wrong or revoked)",
    "set the current one with `channels setup telegram`",
)
async def a_token_that_was_revoked(stage: Stage) -> AsyncIterator[Played]:
    old = stage.tg.token
    stage.tg.revoke_token()
    yield Played({"TELEGRAM_BOT_TOKEN": old}, token=old)


@door("Telegram has a fault: Bad Gateway", "nothing is wrong here: wait a few minutes")
async def a_platform_that_is_down(stage: Stage) -> AsyncIterator[Played]:
    stage.tg.faults.add("html", status=502)
    yield Played()
    stage.tg.faults.clear()


@door("Telegram's rate limit: too many requests", "retry after … s", at=("setup", "doctor"))
async def a_rate_limit(stage: Stage) -> AsyncIterator[Played]:
    stage.tg.faults.add("flood", retry_after=300)
    yield Played()
    stage.tg.faults.clear()


def also(name: str, says: str, advice: str, *, at: tuple[str, ...] = ("doctor",), keeps: bool = False) -> None:
    """Enter a set-up that is broken on its own account: `doctor` names exactly this."""
    break_setup, check, _ = BROKEN[name]

    @door(says, advice, at=at, check=check, keeps=keeps)
    async def play(stage: Stage) -> AsyncIterator[Played]:
        healthy(stage)
        async with break_setup(stage) as env:
            yield Played(env)

    DOORS[-1] = Door(name, says, advice, at, check, "telegram", (), DOORS[-1].play, keeps)


also(
    "webhook",
    "a webhook is set for this bot, so it cannot be polled",
    "a server that reads this bot removes it on its own; if it comes back, another program sets it",
    at=("setup", "doctor"),
    keeps=True,
)
also(
    "privacy_mode",
    "privacy mode is on, and messages that do not name the bot shall count in …",
    "/setprivacy",
    at=("doctor",),
)
also(
    "second_poller",
    "another program polls this bot, so each gets only a part of the messages",
    "end the other program (another machine, another user, another bot framework with this token)",
)
also(
    "read_by_another_project",
    "another project's server reads this bot, so its messages go there",
    "end that host, make it hand over (`channels status telegram --release`), or give each project a bot of its own",
)


async def _enabled(stage: Stage) -> TelegramGroup:
    group = stage.tg.group("Team")
    assert (await stage.access("group", "add", str(group.id))).code == 0
    return group


@door(
    "Telegram refuses it: Not enough rights to send text messages to the chat",
    "the bot lacks the right to send this kind of message there; an admin can give it",
    at=("reply",),
    check="",
)
async def a_bot_without_rights_in_a_group(stage: Stage) -> AsyncIterator[Played]:
    group = await _enabled(stage)
    said = "Bad Request: not enough rights to send text messages to the chat"
    stage.tg.faults.add(
        "error", method="sendMessage", status=400, body={"ok": False, "error_code": 400, "description": said}
    )
    yield Played(chat=str(group.id))
    stage.tg.faults.clear()


@door("the bot was removed from this group", "somebody there has to add it again", at=("reply",), check="")
async def a_bot_that_was_removed(stage: Stage) -> AsyncIterator[Played]:
    group = await _enabled(stage)
    group.kick_bot()
    yield Played(chat=str(group.id))


@door(
    "Message Content Intent is off, so Discord refuses the connection (close code 4014)",
    "switch it on at https://discord.com/developers/applications/…/bot, under Privileged Gateway Intents",
    at=("setup", "doctor"),
    check="intents",
    channel="discord",
    keeps=True,
)
async def the_intent_is_off(stage: DiscordStage) -> AsyncIterator[Played]:
    stage.dc.set_portal(message_content=False)
    yield Played()


@door(
    "Discord refuses the connection because the Message Content Intent is switched off for this bot",
    "switch it on in the developer portal, your application > Bot > Privileged Gateway Intents > Message Content "
    "Intent",
    at=("serve",),
    check="intents",
    channel="discord",
    keeps=True,
)
async def the_intent_is_off_while_a_server_runs(stage: DiscordStage) -> AsyncIterator[Played]:
    stage.dc.set_portal(message_content=False)
    yield Played()


@door(
    "the bot is in no server yet, so nobody can write to it, not even directly",
    "let it into one of yours: https://discord.com/oauth2/authorize?…",
    at=("setup", "doctor"),
    check="servers",
    channel="discord",
    keeps=True,
)
async def in_no_server(stage: DiscordStage) -> AsyncIterator[Played]:
    yield Played()


# ---- the state folder and the machine

ANOTHER_USER = 12345
AS_ANOTHER_USER = ("setpriv", f"--reuid={ANOTHER_USER}", f"--regid={ANOTHER_USER}", "--clear-groups")


def _open_the_way(stage: Stage) -> None:
    """Let other users through to the project, by the folders that the tests made for themselves."""
    temporary = Path(tempfile.gettempdir())
    for path in (stage.project, stage.folder, *stage.folder.parents):
        if path != temporary and path.is_relative_to(temporary):
            path.chmod(0o711)


MOUNTS = ("unshare", "-rm", "true")


def mounted(*commands: str) -> tuple[str, ...]:
    """Words before a command: it runs where these mounts are made, which nobody else sees."""
    return ("unshare", "-rm", "sh", "-ec", " && ".join([*commands, 'exec "$@"']), "sh")


@door(
    "… cannot be used … Read-only file system",
    "that disk can only be read: mount it for writing, or use a folder on another one",
    at=("setup", "serve"),
    check="state folder",
    needs=MOUNTS,
)
async def a_disk_that_can_only_be_read(stage: Stage) -> AsyncIterator[Played]:
    folder = stage.state
    yield Played(before=mounted(f"mount --bind {folder} {folder}", f"mount -o remount,bind,ro {folder}"))


@door(
    "… is not writable, so no message can be stored and none is accepted",
    "that disk can only be read: mount it for writing, or use a folder on another one",
    at=("doctor",),
    check="state folder",
    needs=MOUNTS,
)
async def a_disk_that_can_only_be_read_as_doctor_says_it(stage: Stage) -> AsyncIterator[Played]:
    folder = stage.state
    yield Played(before=mounted(f"mount --bind {folder} {folder}", f"mount -o remount,bind,ro {folder}"))


@door(
    "… (No space left on device)",
    "free some space on that disk",
    at=("setup", "serve"),
    check="state folder",
    needs=MOUNTS,
)
async def a_full_disk(stage: Stage) -> AsyncIterator[Played]:
    full = stage.folder / "full"
    full.mkdir()
    fill = f"(dd if=/dev/zero of={full}/fill bs=4k 2>/dev/null || true)"
    yield Played({"TELEGRAM_STATE_DIR": str(full / "state")}, mounted(f"mount -t tmpfs -o size=256k disk {full}", fill))


@door(
    "the state folder … belongs to another user, so nothing in it was read",
    "name a folder of your own (TELEGRAM_STATE_DIR=FOLDER)",
    check="trust",
    needs=(*AS_ANOTHER_USER, "true"),
)
async def the_state_of_somebody_else(stage: Stage) -> AsyncIterator[Played]:
    os.chown(stage.state, ANOTHER_USER, ANOTHER_USER)
    yield Played()


@door(
    "the folder … cannot be used (Permission denied)",
    "fix its owner and permissions, or name another one (TELEGRAM_STATE_DIR=FOLDER)",
    check="trust",
    needs=(*AS_ANOTHER_USER, "true"),
)
async def a_folder_that_is_closed(stage: Stage) -> AsyncIterator[Played]:
    closed = stage.folder / "closed"
    (closed / "state").mkdir(parents=True)
    closed.chmod(0o700)
    _open_the_way(stage)
    data = stage.folder / "their-data"
    data.mkdir()
    os.chown(data, ANOTHER_USER, ANOTHER_USER)
    yield Played(
        {"TELEGRAM_STATE_DIR": str(closed / "state"), "CHANNELS_DATA_DIR": str(data), "XDG_RUNTIME_DIR": str(data)},
        AS_ANOTHER_USER,
    )


@door(
    "the state folder … was not made by you on this machine, so nothing in it was read",
    "`channels trust`",
    check="trust",
)
async def a_folder_that_came_along(stage: Stage) -> AsyncIterator[Played]:
    (stage.state / KEY_FILE).unlink()
    yield Played()


@door(
    "config.yaml cannot be read: line 2, column 1: …, expected the node content, but found '<stream end>'",
    "fix that line",
    check="settings",
)
async def settings_that_are_no_yaml(stage: Stage) -> AsyncIterator[Played]:
    (stage.state / "config.yaml").write_text("mode: [\n")
    yield Played()


@door("config.yaml (or the environment): unknown setting 'mod'", "did you mean 'mode'?", check="settings")
async def a_misspelt_setting(stage: Stage) -> AsyncIterator[Played]:
    (stage.state / "config.yaml").write_text("mod: push\n")
    yield Played()


def _dotenv(stage: Stage, text: bytes) -> Played:
    path = stage.state / ".env"
    path.write_bytes(text)
    path.chmod(0o600)
    return Played({"TELEGRAM_BOT_TOKEN": None})


@door(
    ".env cannot be read: it is not UTF-8 text (…)",
    "move it away; then `channels setup telegram` writes a new one",
    check="settings",
)
async def a_token_file_that_is_no_text(stage: Stage) -> AsyncIterator[Played]:
    yield _dotenv(stage, b"\xff\xfeT\0E\0")


@door(
    "line 1 of …/.env sets nothing",
    "write it as TELEGRAM_BOT_TOKEN=TOKEN, with no quotes, or let `channels setup telegram` do it",
    at=("doctor", "serve"),
    check="token",
)
async def a_token_without_its_name(stage: Stage) -> AsyncIterator[Played]:
    yield _dotenv(stage, f"{stage.tg.token}\n".encode())


@door(
    "the database … cannot be used: another process has held it for over five seconds",
    "end that process",
    at=("serve",),
    check="database",
)
async def a_locked_database(stage: Stage) -> AsyncIterator[Played]:
    Store.open(stage.state).close()
    db = sqlite3.connect(stage.state / "channel.db", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    yield Played()
    db.close()


@door(
    "transcribe is local, but its library is missing",
    "install `agent-channels[voice]` in place of `agent-channels`",
    at=("doctor",),
    check="extras",
)
async def voice_without_its_library(stage: Stage) -> AsyncIterator[Played]:
    stage.config(transcribe="local")
    yield Played()


@door(
    "this user has no home folder (HOME is not set)",
    "set HOME, or name a folder with CHANNELS_DATA_DIR",
    check="trust",
    needs=(*AS_ANOTHER_USER, "true"),
)
async def no_home(stage: Stage) -> AsyncIterator[Played]:
    _open_the_way(stage)
    for path in (stage.project, stage.state, *stage.state.iterdir()):
        os.chown(path, ANOTHER_USER, ANOTHER_USER)
    unset = dict.fromkeys(("HOME", "CHANNELS_DATA_DIR", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"))
    yield Played(unset, AS_ANOTHER_USER)
