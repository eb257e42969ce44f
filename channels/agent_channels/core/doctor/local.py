"""Checks of what lies on this machine: settings, token, state folder, database, people, messages, the reader."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from agent_channels.core.contract.checks import Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.settings.config import renamed_settings
from agent_channels.core.settings.network import Route, endpoint, shown_url
from agent_channels.core.settings.paths import env_value
from agent_channels.core.settings.trust import cloned_destinations, tracked_by_git

__all__ = [
    "database",
    "git",
    "messages",
    "people",
    "python",
    "reader",
    "server",
    "settings",
    "state_folder",
    "token",
]

PYTHON = (3, 11)
# Less than this, and a picture or a day's messages may not fit any more.
ROOM_BYTES = 64 * 1024 * 1024
PROBE_BYTES = 64 * 1024
# Beyond this an open message is no longer just on its way.
STALE_S = 600.0
# The reader notes its polls every few seconds; a long poll may take a minute.
DEAF_S = 150.0


def python(_case: Setup) -> Finding:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON:
        return wrong(f"Python {version} is too old", sys.executable, "install this program with Python 3.11 or newer")
    return fine(f"Python {version}", sys.executable)


def settings(case: Setup) -> Finding:
    """config.yaml and the environment."""
    path = case.env.state_dir / "config.yaml"
    if case.settings_problem:
        return wrong("a setting is wrong, so nothing is read or sent", case.settings_problem, f"fix it in {path}")
    if renamed := renamed_settings(case.env):
        return note("the settings are right, some by old names", "; ".join(renamed), f"rename them in {path} some time")
    return fine("the settings are right", str(path) if path.is_file() else "no config.yaml: every default holds")


def token(case: Setup) -> Finding:
    """Whether there is one, of the right shape, and whether it is the one that was stored."""
    name, setup = f"{case.env.channel.upper()}_BOT_TOKEN", f"channels setup {case.env.channel}"
    if case.token_problem:
        return wrong("the token is malformed", case.token_problem, f"set the right one: `{setup}`")
    if case.token is None:
        unset = case.env.environ.get(name, "")
        evidence = f"{name} is the literal text {unset!r}" if unset.startswith("${") else f"no {name} anywhere"
        return wrong("no token is set", evidence, f"run `{setup}` in a terminal of your own")
    stored = (case.env.dotenv.get(name) or "").strip()
    if env_value(name, case.env.environ) and stored and stored != case.token:
        return wrong(
            f"the variable {name} of this shell holds another token than {case.env.state_dir / '.env'}, and wins",
            "the two differ",
            f"unset {name} where it is set (the shell's profile, the host's settings), or store that token: `{setup}`",
        )
    return fine("a token is set", f"from {case.env.token_source()}")


def state_folder(case: Setup) -> Finding:
    """Modes, and whether it can be written to."""
    folder = case.env.state_dir
    if not folder.exists():
        return note(f"there is no state folder {folder} yet", next_=f"`channels setup {case.env.channel}` makes it")
    if not folder.is_dir():
        return wrong(f"{folder} is no folder", "", "move it away, or name another one in the environment")
    loose = [path.name or str(path) for path in _private(folder) if _open_to_others(path)]
    if loose:
        return wrong(
            "others on this machine can read " + ", ".join(sorted(loose)),
            f"in {folder}",
            f"chmod 700 {folder}; chmod 600 {folder}/.env {folder}/channel.db*",
        )
    return _writable(folder)


def _private(folder: Path) -> list[Path]:
    try:
        return [
            folder,
            *(path for path in folder.iterdir() if path.name == ".env" or path.name.startswith("channel.db")),
        ]
    except OSError:
        return [folder]


def _open_to_others(path: Path) -> bool:
    try:
        return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False


def _writable(folder: Path) -> Finding:
    probe = folder / f".doctor-{secrets.token_hex(4)}"
    try:
        with probe.open("wb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return wrong(
            f"{folder} cannot be written to, so no message can be kept and none is taken",
            error.strerror or str(error),
            "free space on that disk, or mend the folder's owner and permissions",
        )
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES:
        return wrong(f"the disk of {folder} is nearly full", f"{free:,} bytes are free", "free some space")
    return fine(f"{folder} is private and can be written to", f"{free // 1024**2:,} MB are free")


def git(case: Setup) -> Finding:
    """Whether the token could be committed."""
    secret = case.env.state_dir / ".env"
    tracked = tracked_by_git(secret)
    if tracked is None:
        return fine("the state folder is in no git repository")
    if tracked:
        return wrong(
            f"git tracks {secret}, so the token goes wherever the repository goes",
            "git ls-files names it",
            f"git rm --cached {secret}; then have a new token made and set it, since this one is in the history",
        )
    return fine("git does not track the token")


def server(case: Setup, way: Route, default: Route) -> Finding:
    """Where every request goes, and with it the token. `default`: the platform's own addresses."""
    usual = dict(default.named)
    path = case.env.state_dir / "config.yaml"
    if case.settings and (found := cloned_destinations(case.settings, case.env)):
        return wrong(
            f"the token would go to {', '.join(endpoint(url)[0] for url in found.values())}, "
            "which is not the platform's own server",
            f"{'; '.join(f'{name} is {shown_url(url)}' for name, url in found.items())}, named by {path}, which git "
            "tracks",
            f"if you do not know that server, take the line out of {path}; if it is yours, name it in the environment: "
            + " ".join(f"{case.env.channel.upper()}_{name.upper()}={shown_url(url)}" for name, url in found.items()),
        )
    odd = [(name, url) for name, url in way.named if url != usual.get(name)]
    if not odd:
        return fine("requests go to the platform's own servers", default.url)
    where = "; ".join(
        f"{name} is {shown_url(url)}, named by "
        + (f"{case.env.channel.upper()}_{name.upper()}" if case.env.own(name.upper()) else str(path))
        for name, url in odd
    )
    shown = ", ".join(shown_url(url) for _, url in odd)
    return note(f"requests go to {shown} in place of the platform's own servers", where)


def database(case: Setup) -> Finding:
    """Whether it can be used, and whether this version knows its schema."""
    if case.problem:
        return wrong("the database cannot be used, so nothing is read", case.problem, "do as it says")
    if not case.facts:
        return note("there is no database yet", next_="the server makes it at its first start")
    return fine("the database can be used", str(case.env.state_dir / "channel.db"))


def people(case: Setup) -> Finding:
    """Who gets through the gate."""
    if not case.facts:
        return note("nobody is paired yet", next_=f"`channels access {case.env.channel} invite`")
    access = f"channels access {case.env.channel}"
    paired, groups = case.facts["paired"], case.facts["groups"]
    waiting = f"; {len(case.facts['pending'])} wait for approval" if case.facts["pending"] else ""
    unlisted = len(case.facts["groups_not_enabled"])
    evidence = f"{len(paired)} paired, {len(groups)} groups enabled, {unlisted} groups seen but not enabled{waiting}"
    if case.facts["policy"] == "disabled" and not groups:
        return wrong(
            "the policy is `disabled` and no group is enabled: nobody is heard", evidence, f"`{access} policy`"
        )
    if not paired and not groups:
        return wrong("nobody is paired and no group is enabled: nobody is heard", evidence, f"`{access} invite`")
    if case.facts["policy"] == "disabled":
        return note("the policy is `disabled`: nobody is heard in direct messages", evidence, f"`{access} policy`")
    if blocked := case.facts["blocked_by"]:
        return note(f"{', '.join(blocked)} blocked the bot: only they can unblock it", evidence)
    return fine("somebody is let through", evidence)


def messages(case: Setup) -> Finding:
    """Open entries and their age."""
    if not case.facts:
        return skipped("there is no database yet")
    counts, oldest = case.facts["inbox"], case.facts["oldest_open"]
    look = f"channels inbox {case.env.channel} --open"
    if counts["failed"]:
        return wrong(
            f"{counts['failed']} events could not be understood and are kept",
            f"`{look}` shows what is open",
            "update this program: a newer version looks at them again by itself",
        )
    if not oldest:
        return fine("every message has been answered", _counts(counts))
    age = _age(oldest)
    evidence = f"{_counts(counts)}; the oldest since {oldest}"
    if age < STALE_S:
        return note("messages are on their way to the agent", evidence)
    return wrong(
        f"{counts['open']} messages wait for the agent, the oldest for {_long(age)}",
        evidence,
        f"see the checks `reader` and `mode`; `{look}` lists them",
    )


def _counts(counts: dict[str, Any]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in ("open", "offered", "answered"))


def reader(case: Setup) -> Finding:
    """Who reads the bot, and whether it hears anything."""
    holder = case.holder
    if holder is None:
        return note(
            "no running server reads this bot now",
            "nobody holds the bot's lock",
            "start your agent host in the project; the check `mode` says more",
        )
    who = f"process {holder['pid']} on {holder['host']} for {holder['project']}, since {holder['since']}"
    if holder.get("state_dir") and Path(holder["state_dir"]) != case.env.state_dir:
        return wrong(
            "another project's server reads this bot, so its messages go there",
            f"{who}; its state folder is {holder['state_dir']}",
            f"end that host, have it hand over (`channels status {case.env.channel} --release`), or give each project "
            "a bot of its own",
        )
    state, error = case.facts["reader"]["state"], case.facts["reader"]["error"]
    if state == "conflict":
        return note("the reader is disturbed; see the check `second poller`", who)
    if state not in {"reading", "connecting", None}:
        return wrong(f"the reader does not get through ({state})", f"{who}: {error}", "do as it says")
    last = case.facts["last_poll_ok"]
    if state == "reading" and last and _age(last) > DEAF_S:
        return wrong(
            f"the reader has heard nothing of the platform for {_long(_age(last))}",
            f"{who}; its last completed poll was {last}",
            f"that process hangs or is stopped: continue or end it (kill {holder['pid']}), and start the host again",
        )
    return fine("a server reads this bot", f"{who}; last poll {last or 'not yet'}")


def _age(iso: str) -> float:
    return time.time() - datetime.fromisoformat(re.sub("Z$", "+00:00", iso)).timestamp()


def _long(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.0f} h"
    )
