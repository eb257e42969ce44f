"""Checks of this machine: Python, settings, token, state folder, database, people, messages and the reader."""

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
from importlib.util import find_spec
from pathlib import Path

from agent_channels.core.contract.checks import Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.errors import ConfigError
from agent_channels.core.files.transcribe import LOCAL
from agent_channels.core.i18n.sentences import counted, joined, sentence, words_of
from agent_channels.core.limits import file_size_limit, limits_in_force, remedy
from agent_channels.core.runtime.status import message_counts
from agent_channels.core.settings.config import renamed_settings
from agent_channels.core.settings.extras import S3, YT2PDF, is_installed
from agent_channels.core.settings.network import Route, shown_url
from agent_channels.core.settings.paths import env_value
from agent_channels.core.settings.policy import policy_problems
from agent_channels.core.settings.state_folder import is_empty, is_trusted
from agent_channels.core.tracing import exporter_wanted

__all__ = [
    "database",
    "extras",
    "messages",
    "people",
    "python",
    "reader",
    "server",
    "settings",
    "state_folder",
    "token",
    "trust",
]

MIN_PYTHON = (3, 11)
# With less, a picture or a day's messages may not fit.
MIN_FREE_BYTES = 64 * 1024 * 1024
PROBE_BYTES = 64 * 1024
# A message that is open for longer is no longer just on its way.
OVERDUE_S = 600.0
# The reader records its polls every few seconds; a long poll may take a minute.
SILENT_READER_S = 150.0


def python(_setup: Setup) -> Finding:
    """Check the version of the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < MIN_PYTHON:
        return wrong(
            sentence("Python {version} is too old", version=version),
            sys.executable,
            "install this program with Python 3.11 or newer",
        )
    return fine(sentence("Python {version}", version=version), sys.executable)


def settings(setup: Setup) -> Finding:
    """Check config.yaml and the environment variables."""
    path = setup.env.state_dir / "config.yaml"
    if setup.settings_problem:
        return wrong(
            "a setting is wrong, so nothing is read or sent",
            setup.settings_problem,
            sentence("fix it in {path}", path=path) if str(path) in setup.settings_problem else "follow that message",
        )
    if renamed := renamed_settings(setup.env):
        return note(
            "all settings are valid, but some have old names",
            joined(renamed),
            sentence("rename them in {path}", path=path),
        )
    if problems := _policy_problems(setup):
        return note(
            "all settings are valid, but some rules of the policy do not do what they seem to",
            joined(problems),
            sentence("change them in {path}", path=path),
        )
    return fine(
        "all settings are valid",
        str(path) if path.is_file() else "no config.yaml: all settings are defaults",
    )


def _policy_problems(setup: Setup) -> list[str]:
    rules = setup.settings.policy if setup.settings else ()
    if not rules:
        return []
    approvers = sum(bool(person["approver"]) for person in setup.facts.get("paired", ()))
    return policy_problems(rules, approvers)


def extras(setup: Setup) -> Finding:
    """Check that what the settings and the environment ask for is installed."""
    missing = []
    transcriber = setup.settings.transcribe if setup.settings else None
    if (transcriber or "").partition(":")[0] == LOCAL and not is_installed("voice"):
        missing.append(("transcribe is local, but its library is missing", "voice notes come without text", "voice"))
    if setup.settings and setup.settings.yt2pdf and not is_installed(YT2PDF):
        missing.append(("yt2pdf is on, but its libraries are missing", "summaries of videos are not offered", YT2PDF))
    if setup.settings and setup.settings.yt2pdf_s3 and not is_installed(S3):
        missing.append(("yt2pdf_s3 is set, but its library is missing", "PDFs are sent as files", S3))
    if exporter_wanted(setup.env.environ) and not _can_trace():
        missing.append(("OpenTelemetry's variables are set, but its library is missing", "nothing is traced", "otel"))
    if not missing:
        return fine("nothing is asked for that is not installed")
    reasons, effects, names = zip(*missing, strict=True)
    return note(
        joined(map(sentence, reasons)),
        joined(map(sentence, effects)),
        sentence(
            "install `agent-channels[{extras}]` in place of `agent-channels`, as that was installed",
            extras=",".join(names),
        ),
    )


def _can_trace() -> bool:
    try:
        return find_spec("opentelemetry.sdk") is not None
    except ImportError:
        # Not even the package around it is there.
        return False


def token(setup: Setup) -> Finding:
    """Check that a token of the right form is set, and that the environment does not override another one in .env."""
    variable, command = f"{setup.env.channel.upper()}_BOT_TOKEN", f"channels setup {setup.env.channel}"
    if setup.token_problem and setup.token_problem == setup.settings_problem:
        return skipped("the file with the token cannot be read: see `settings`")
    if setup.token_problem:
        return wrong(
            "the token is malformed",
            setup.token_problem,
            sentence("set the right one: `{command}`", command=command),
        )
    if setup.token is None:
        value = setup.env.environ.get(variable, "")
        evidence = (
            sentence("{variable} is the literal text {text!r}", variable=variable, text=value)
            if value.startswith("${")
            else sentence(
                "{variable} is set neither in the environment nor in {path}",
                variable=variable,
                path=setup.env.state_dir / ".env",
            )
        )
        return wrong("no token is set", evidence, sentence("run `{command}` in your own terminal", command=command))
    stored = (setup.env.dotenv.get(variable) or "").strip()
    if env_value(variable, setup.env.environ) and stored and stored != setup.token:
        return wrong(
            sentence(
                "{variable} in this shell overrides another token in {path}",
                variable=variable,
                path=setup.env.state_dir / ".env",
            ),
            "the two tokens differ",
            sentence(
                "unset {variable} where it is set (the shell's profile, the host's settings), or store that "
                "token: `{command}`",
                variable=variable,
                command=command,
            ),
        )
    return fine("a token is set", sentence("from {source}", source=setup.env.token_source()))


def state_folder(setup: Setup) -> Finding:
    """Check that the state folder is private and writable."""
    folder, channel = setup.env.state_dir, setup.env.channel
    if not os.path.lexists(folder):
        return note(
            sentence("the state folder {folder} does not exist yet", folder=folder),
            next_=sentence("`channels setup {channel}` creates it", channel=channel),
        )
    if not is_trusted(folder):
        # Nothing is written into it, not even to try.
        return skipped("the state folder is not used yet; see `trust`")
    readable = [path.name or str(path) for path in _private_paths(folder) if _is_open_to_others(path)]
    if readable:
        return wrong(
            sentence("other users of this machine can read {readable}", readable=", ".join(sorted(readable))),
            sentence("in {folder}", folder=folder),
            sentence(
                "look at them first, since a pull from a repository may have brought them: chmod 700 {folder}; "
                "chmod 600 {folder}/.env {folder}/channel.db*",
                folder=folder,
            ),
        )
    return _writable(folder)


def _private_paths(folder: Path) -> list[Path]:
    """Return the state folder with its files that hold secrets."""
    try:
        files = [path for path in folder.iterdir() if path.name == ".env" or path.name.startswith("channel.db")]
    except OSError:
        files = []
    return [folder, *files]


def _is_open_to_others(path: Path) -> bool:
    try:
        return os.name == "posix" and bool(stat.S_IMODE(path.lstat().st_mode) & 0o077)
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
            sentence("{folder} is not writable, so no message can be stored and none is accepted", folder=folder),
            error.strerror or str(error),
            limits_in_force() or remedy(error),
        )
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    if (limit := file_size_limit()) is not None and limit < MIN_FREE_BYTES:
        return wrong(
            "files may not grow as large as the database does",
            limits_in_force(),
            "raise that limit",
        )
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        return wrong(
            sentence("the disk of {folder} is nearly full", folder=folder),
            sentence("{free:,} bytes are free", free=free),
            "free some space on it",
        )
    return fine(
        sentence("{folder} is private and writable", folder=folder),
        sentence("{free:,} MB are free", free=free // 1024**2),
    )


def trust(setup: Setup) -> Finding:
    """Check that the state folder was made or adopted by this user's program."""
    folder = setup.env.state_dir
    try:
        if is_trusted(folder):
            return fine("the state folder is your own", str(folder))
        if is_empty(folder):
            return fine("there is no state yet, so none that came from elsewhere")
    except ConfigError as error:
        return wrong(
            "the state folder cannot be used, so nothing in it was read",
            words_of(error),
            "follow that message",
        )
    return wrong(
        "the state folder was not made by you on this machine, so nothing in it was read",
        sentence("{folder}; it came with a repository, was copied or restored, or is of version 0.1.0", folder=folder),
        "if it is yours, run `channels trust`, which lists what it found; otherwise remove it",
    )


def server(setup: Setup, route: Route, default_route: Route) -> Finding:
    """Check where requests, and with them the token, are sent; `default_route` has the platform's own addresses."""
    prefix, path = f"{setup.env.channel.upper()}_", setup.env.state_dir / "config.yaml"
    own = dict(default_route.endpoints)
    other = [(name, url) for name, url in route.endpoints if url != own.get(name)]
    if not other:
        return fine("requests go to the platform's own servers", default_route.url)
    urls = ", ".join(shown_url(url) for _, url in other)
    sources = joined(
        sentence(
            "{name} is {url}, set by {source}",
            name=name,
            url=shown_url(url),
            source=prefix + name.upper() if setup.env.own(name.upper()) else path,
        )
        for name, url in other
    )
    return note(sentence("requests go to {urls} instead of the platform's own servers", urls=urls), sources)


def database(setup: Setup) -> Finding:
    """Check that the database opens and has a schema that this version knows."""
    if setup.database_problem:
        return wrong(
            "the database cannot be used, so nothing is read",
            setup.database_problem,
            "follow that message",
        )
    if not setup.facts:
        return note("there is no database yet", next_="the server creates it at its first start")
    return fine("the database can be used", str(setup.env.state_dir / "channel.db"))


def people(setup: Setup) -> Finding:
    """Check that somebody has access."""
    command = f"channels access {setup.env.channel}"
    if not setup.facts:
        return note("nobody is paired yet", next_=sentence("`{command} invite`", command=command))
    paired, groups = setup.facts["paired"], setup.facts["groups"]
    disabled = setup.facts["policy"] == "disabled"
    pending = len(setup.facts["pending"])
    evidence = sentence(
        "{paired} paired, {groups} enabled, {seen} seen but not enabled",
        paired=len(paired),
        groups=counted(len(groups), "group"),
        seen=counted(len(setup.facts["groups_not_enabled"]), "group"),
    )
    if pending:
        evidence = sentence("{evidence}; {pending} waiting for approval", evidence=evidence, pending=pending)
    pair = sentence(
        "`{command} pair CODE`, with the code that the bot showed them, lets somebody in who waits", command=command
    )
    if disabled and not groups:
        return wrong(
            "the policy is `disabled` and no group is enabled, so nobody can write to the agent",
            evidence,
            sentence("`{command} policy`", command=command),
        )
    if not paired and not groups:
        return wrong(
            "nobody is paired and no group is enabled, so nobody can write to the agent",
            evidence,
            pair if pending else sentence("`{command} invite`", command=command),
        )
    if disabled:
        return note(
            "the policy is `disabled`, so direct messages are ignored",
            evidence,
            sentence("`{command} policy`", command=command),
        )
    if blocked := setup.facts["blocked_by"]:
        return note(
            sentence("{blocked} blocked the bot; only they can unblock it", blocked=", ".join(blocked)), evidence
        )
    if pending:
        return note(
            counted(pending, "person waits to be let in", "people wait to be let in"),
            evidence,
            pair,
        )
    return fine("people can write to the agent", evidence)


def messages(setup: Setup) -> Finding:
    """Check that messages are answered, by the age of the oldest open one."""
    if not setup.facts:
        return skipped("there is no database yet")
    counts, oldest = setup.facts["inbox"], setup.facts["oldest_open"]
    command = f"channels inbox {setup.env.channel} --open"
    if counts["failed"]:
        return wrong(
            sentence("events that could not be processed: {failed}; they are kept", failed=counts["failed"]),
            sentence("`{command}` lists what is open", command=command),
            "update this program: a newer version processes them by itself",
        )
    if not oldest:
        return _nothing_open(counts, f"channels access {setup.env.channel}")
    age = _age(oldest)
    evidence = sentence("{counts}; the oldest open since {oldest}", counts=message_counts(counts), oldest=oldest)
    if age < OVERDUE_S:
        return note("messages are on their way to the agent", evidence)
    return wrong(
        sentence(
            "messages that wait for the agent: {open}, the oldest for {duration}",
            open=counts["open"],
            duration=_duration(age),
        ),
        evidence,
        sentence("see the checks `reader` and `mode`; `{command}` lists the messages", command=command),
    )


def _nothing_open(counts: dict[str, int], command: str) -> Finding:
    evidence = message_counts(counts)
    if counts["held"]:
        return note(
            counted(
                counts["held"],
                "message is held until its sender is let in",
                "messages are held until their senders are let in",
            ),
            evidence,
            sentence("`{command}` shows who waits; `{command} pair CODE` lets them in", command=command),
        )
    return fine(
        "every message has been answered" if counts["answered"] else "no message is waiting",
        evidence,
    )


def reader(setup: Setup) -> Finding:
    """Check that a server of this project reads the bot, and that the platform answers it."""
    holder = setup.holder
    if holder is None:
        return note(
            "no running server reads this bot",
            "no process holds the bot's lock",
            "start your agent host in the project; the check `mode` says more",
        )
    process = sentence(
        "process {pid} on {host} for {project}, since {since}",
        pid=holder["pid"],
        host=holder["host"],
        project=holder["project"],
        since=holder["since"],
    )
    if holder.get("state_dir") and Path(holder["state_dir"]) != setup.env.state_dir:
        if setup.settings is not None and setup.settings.hub is not None:
            return note(
                "no session works on this project; its messages wait in the hub",
                sentence("another one's server, or the keeper, reads the bot: {process}", process=process),
                "start your agent host in the project",
            )
        return wrong(
            "another project's server reads this bot, so its messages go there",
            sentence("{process}; its state folder is {state_dir}", process=process, state_dir=holder["state_dir"]),
            sentence(
                "end that host, make it hand over (`channels status {channel} --release`), or give each project "
                "a bot of its own",
                channel=setup.env.channel,
            ),
        )
    state, error = setup.facts["reader"]["state"], setup.facts["reader"]["error"]
    if state == "conflict":
        return note("another program interrupts the reader; see the check `second poller`", process)
    if state not in {"reading", "connecting", None}:
        return wrong(
            sentence("the reader cannot read the bot ({state})", state=state),
            sentence("{process}: {error}", process=process, error=error),
            "follow that message",
        )
    last_poll = setup.facts["last_poll_ok"]
    if state == "reading" and last_poll and _age(last_poll) > SILENT_READER_S:
        return wrong(
            sentence(
                "the reader has heard nothing from the platform for {duration}", duration=_duration(_age(last_poll))
            ),
            sentence("{process}; its last completed poll was {last_poll}", process=process, last_poll=last_poll),
            sentence(
                "that process hangs or is stopped: resume or end it (kill {pid}), and start the host again",
                pid=holder["pid"],
            ),
        )
    return fine(
        "a server reads this bot",
        sentence("{process}; last poll {when}", process=process, when=last_poll or "not yet"),
    )


def _age(timestamp: str) -> float:
    """Return the seconds since an ISO 8601 time."""
    return time.time() - datetime.fromisoformat(re.sub("Z$", "+00:00", timestamp)).timestamp()


def _duration(seconds: float) -> str:
    if seconds < 120:
        return sentence("{seconds:.0f} s", seconds=seconds)
    if seconds < 7200:
        return sentence("{minutes:.0f} min", minutes=seconds / 60)
    return sentence("{hours:.0f} h", hours=seconds / 3600)
