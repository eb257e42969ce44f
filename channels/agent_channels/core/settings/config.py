"""Settings: what a person wrote in `config.yaml`, under what the environment says.

Precedence, highest first: environment, STATE_DIR/.env, config.yaml, default. An unknown name is refused with the
nearest known one, since a misspelt setting that is silently ignored is worse than none.
"""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.log import register_secret
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.config_file import parse_config
from agent_channels.core.settings.declared import (
    Declaration,
    Declared,
    Flag,
    InvalidValues,
    ListOf,
    Nullable,
    Number,
    OneOf,
    SecretText,
    Text,
    declare,
)
from agent_channels.core.settings.hook_settings import HookSettings
from agent_channels.core.settings.network import check_host, is_loopback
from agent_channels.core.settings.paths import env_value, state_dir
from agent_channels.core.settings.policy import PolicyRule
from agent_channels.core.settings.start_command import checked_start
from agent_channels.core.settings.state_folder import read_state_file
from agent_channels.core.settings.validation import explain_problem

__all__ = [
    "RENAMED",
    "Claim",
    "Environment",
    "Forwarding",
    "Language",
    "Mode",
    "Progress",
    "Secrets",
    "Settings",
    "config_values",
    "load",
    "parse_root",
    "parse_secret",
    "renamed_settings",
    "safe_root",
]

Mode = Literal["auto", "push", "wake", "hook", "pull"]
Claim = Literal["auto", "always", "never"]
Language = Literal["en", "zh-TW"]
Progress = Literal["off", "brief", "on", "verbose"]
Rich = Literal["auto", "off"]
Forwarding = Literal["auto", "forward", "offer", "off"]
Secrets = Literal["mask", "ask", "block", "off"]
# Of the host's modes those that ask, or deny, before something is done that nobody allowed.
StartMode = Literal["default", "acceptEdits", "plan", "dontAsk"]
AnySettings = TypeVar("AnySettings", bound="Settings")
# Old names of settings and their current ones; a file that uses an old name keeps working.
RENAMED = {"told_after_s": "wait_notice_after_s", "marks": "receipts", "relay": "permission_relay"}
_BUCKET = lazy_pattern(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9._-]+)*/?")
_TEXT = Text()


def safe_root(url: str) -> str:
    """Return `url` without a trailing slash.

    Raises ValueError if it is not http(s), or is plain http to another machine: the token would travel in clear text.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port, check_host(parts.hostname or "none")
    except ValueError as error:
        raise ValueError(f"{error}; write it as https://host[:port][/path]") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as https://host[:port][/path]")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("plain http would show the token to the network; use https or loopback")
    return url.rstrip("/")


def parse_root(value: object) -> str:
    """Return the root of an HTTP API that the token may be sent to. Raises ValueError."""
    return safe_root(_TEXT(value))


def parse_secret(value: object) -> SecretText:
    """Return what nobody may see. Raises ValueError."""
    return SecretText(_TEXT(value))


def _path(value: object) -> Path:
    return Path(_TEXT(value))


def _bucket(value: object) -> str:
    text = _TEXT(value)
    if text and not _BUCKET.fullmatch(text):
        raise ValueError("it must be s3://bucket or s3://bucket/folder")
    return text


def _transcriber(value: object) -> str | None:
    command = _TEXT(value)
    if not command:
        return None
    # Split as it will be when it runs, so an unclosed quotation mark is refused here.
    words = shlex.split(command)
    if words[0].partition(":")[0] != "local" and "{path}" not in command:
        raise ValueError("it must be local, local:MODEL, or a command with {path} where the file's path goes")
    return command


_HOOKS = {name: declare(one.default, one.parse, one.description) for name, one in HookSettings.declared().items()}


class Settings(Declared):
    """What `config.yaml` may hold for every channel. Durations end in their unit; sizes are in MB."""

    mode: Mode = declare("auto", OneOf(*get_args(Mode)), "how messages reach the agent; auto finds it out")
    claim: Claim = declare("auto", OneOf(*get_args(Claim)), "when this server may read the bot: auto, always or never")
    language: Language = _HOOKS["language"]
    grace_s: float = declare(0.25, Number(0, 30), "pause after the handshake before the bot is read")
    typing_cap_s: float = declare(120, Number(0, 3600), "longest time `typing` is shown; 0: never")
    panel_ttl_h: float = declare(
        168, Number(0, 8760, above=True), "hours after which an unanswered button grid expires"
    )
    rate_wait_s: float = declare(30, Number(0, 600), "longest wait for rate limits inside one reply")
    wait_notice_after_s: float = declare(
        300, Number(0), "seconds after which a person is told that a message waits; 0: never"
    )
    escalate_after_s: float = _HOOKS["escalate_after_s"]
    hook_bound_s: float = _HOOKS["hook_bound_s"]
    stop_wait_s: float = _HOOKS["stop_wait_s"]
    stop_cap: int = _HOOKS["stop_cap"]
    call_s: float | None = declare(
        None,
        Nullable(Number(1, 3600)),
        "longest time one tool call waits; unset: what the agent host is known to take",
    )
    result_max: int | None = declare(
        None,
        Nullable(Number(1000, 100_000, whole=True)),
        "most characters of one tool result; unset: what the agent host is known to take",
    )
    policy: tuple[PolicyRule, ...] = _HOOKS["policy"]
    permission_relay: bool = declare(True, Flag(), "ask approvers in chat when the host asks for a permission")  # noqa: FBT003
    progress: Progress = declare(
        "on", OneOf(*get_args(Progress)), "what people see of a turn: off, brief, on or verbose; /progress"
    )
    progress_after_s: float = declare(5, Number(0, 3600), "seconds after which a turn shows its progress")
    rich: Rich = declare(
        "auto", OneOf(*get_args(Rich)), "wide tables, task lists and long output as rich messages: auto, off; /rich"
    )
    answers: Forwarding = declare(
        "auto",
        OneOf(*get_args(Forwarding)),
        "what was answered at the terminal only: forward it, offer it, off; auto: offer it in groups",
    )
    secrets: Secrets = declare(
        "mask",
        OneOf(*get_args(Secrets)),
        "passwords and keys in what the agent sends: mask them, ask an approver first, block it, off",
    )
    receipts: bool = declare(True, Flag(), "react to a message once it is received and stored")  # noqa: FBT003
    file_above: int = declare(
        8000, Number(200, whole=True), "length above which `as_file: auto` sends a text as a file"
    )
    keep_days: float = declare(30, Number(0, above=True), "days that answered messages, sends and downloads are kept")
    keep_rows: int = declare(20_000, Number(100, whole=True), "most answered messages that are kept")
    history_days: float = declare(
        90, Number(0, above=True), "days that the history is kept for fetch_messages and exports"
    )
    send_roots: tuple[Path, ...] = declare((), ListOf(_path), "further folders whose files may be sent")
    ipv4: bool | None = declare(
        None, Nullable(Flag()), "true: connect over IPv4 only; otherwise IPv6 and IPv4 are raced"
    )
    group_context: int = declare(0, Number(0, 50, whole=True), "last messages to others that come with one to the bot")
    transcribe: str | None = declare(
        None, Nullable(_transcriber), "command that transcribes a voice note, with {path}; or local"
    )
    transcribe_s: float = declare(120, Number(1, 3600), "longest time for transcribing one voice note")
    hub: SecretText | None = declare(
        None,
        Nullable(parse_secret),
        "share the bot's reading among projects: local, or postgresql://user@host/database",
    )
    hub_keep_h: float = declare(72, Number(0, above=True), "hours that the hub keeps what its projects have taken over")
    hub_lease_s: float = declare(
        15, Number(2, 300), "seconds after which another machine reads, when the one that reads is gone"
    )
    start: tuple[str, ...] | None = declare(
        None,
        checked_start,
        "command that an approver may have started here from the chat, such as claude; off by default",
    )
    start_mode: StartMode = declare(
        "default",
        OneOf(*get_args(StartMode)),
        "permission mode of a claude that is started so: default, acceptEdits, plan, dontAsk",
    )
    yt2pdf: bool = declare(
        False,  # noqa: FBT003
        Flag(),
        "offer /yt2pdf, and a button under links to videos; it takes the extra [yt2pdf]",
    )
    yt2pdf_cookies: Path | None = declare(
        None, Nullable(_path), "a browser's cookies.txt, for videos that are shown to those who signed in only"
    )
    yt2pdf_s3: str | None = declare(
        None,
        Nullable(_bucket),
        "s3://bucket or s3://bucket/folder: PDFs go there, and people get links; extra [yt2pdf-s3]",
    )
    yt2pdf_s3_endpoint: str | None = declare(None, Nullable(parse_root), "address of an S3 service other than Amazon's")
    yt2pdf_s3_days: float = declare(7, Number(0, 7, above=True), "days that the links to PDFs work")
    files_quota_mb: int = declare(
        1024, Number(1, whole=True), "size of STATE_DIR/files above which the oldest are deleted"
    )

    @classmethod
    def checked(cls, declaration: Declaration, value: object) -> Any:
        """Return what is used for a value. Raises ValueError saying what would be right."""
        # The system takes none, in paths and in commands.
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and "\0" in text:
                raise ValueError("it must not hold a zero byte")
        return super().checked(declaration, value)


def _is_no_variable(line: Any) -> bool:
    """Return whether a line of .env is a name without a value, such as a token that stands there alone."""
    return line.key is not None and line.value is None


class Environment:
    """The environment variables with STATE_DIR/.env beneath them; knows where each value comes from."""

    def __init__(self, channel: str, environ: Mapping[str, str] | None = None) -> None:
        self.channel = channel
        self.environ = os.environ if environ is None else environ
        self.state_dir = state_dir(channel, self.environ)
        self._dotenv: Mapping[str, str | None] | None = None
        # The first line of .env that sets nothing.
        self._unreadable: int | None = None

    @property
    def dotenv(self) -> Mapping[str, str | None]:
        """STATE_DIR/.env, read once; empty if there is none. Raises `ConfigError`."""
        if self._dotenv is None:
            self._dotenv = self._read_dotenv()
        return self._dotenv

    def _read_dotenv(self) -> Mapping[str, str | None]:
        try:
            text = read_state_file(self.state_dir / ".env")
        except ConfigError as error:
            raise ConfigError(
                sentence(
                    "{error}; then `channels setup {channel}` writes a new one",
                    error=words_of(error),
                    channel=self.channel,
                )
            ) from error
        if not text:
            return {}
        from dotenv.parser import parse_stream

        found = list(parse_stream(io.StringIO(text)))
        self._unreadable = next((one.original.line for one in found if one.error or _is_no_variable(one)), None)
        return {one.key: one.value for one in found if one.key is not None}

    @property
    def config_file(self) -> Path:
        """STATE_DIR/config.yaml, which may not exist."""
        return self.state_dir / "config.yaml"

    def get(self, name: str) -> str | None:
        """Return a variable from the environment, else from .env; None if neither sets it."""
        return env_value(name, self.environ) or self._in_dotenv(name)

    def own(self, suffix: str) -> str | None:
        """As `get`, for this channel's own variable: `own("API_ROOT")`."""
        return self.get(f"{self.channel.upper()}_{suffix}")

    def origin(self, setting: str) -> str:
        """Return what sets one of this channel's own settings, if anything does: the variable, or config.yaml."""
        return f"{self.channel.upper()}_{setting.upper()}" if self.own(setting.upper()) else str(self.config_file)

    def token(self) -> str | None:
        """Return the bot's token and register it as a secret; None if none is set.

        Raises `ConfigError` if there may be one in a line of .env that cannot be read.
        """
        token = self.own("BOT_TOKEN")
        if token:
            register_secret(token)
        elif self._unreadable is not None:
            raise ConfigError(
                sentence(
                    "line {number} of {path} sets nothing: write it as {name}=TOKEN, with no quotes, or let `channels "
                    "setup {channel}` do it",
                    number=self._unreadable,
                    path=self.state_dir / ".env",
                    name=f"{self.channel.upper()}_BOT_TOKEN",
                    channel=self.channel,
                )
            )
        return token

    def token_source(self) -> str | None:
        """Return where the token comes from, in words; None if none is set."""
        name = f"{self.channel.upper()}_BOT_TOKEN"
        if env_value(name, self.environ):
            return sentence("the environment variable {name}", name=name)
        return str(self.state_dir / ".env") if self._in_dotenv(name) else None

    def _in_dotenv(self, name: str) -> str | None:
        return env_value(name, {name: self.dotenv.get(name) or ""})


def load(model: type[AnySettings], env: Environment) -> AnySettings:
    """Return the settings from config.yaml and the environment.

    Raises `ConfigError` naming the file, the setting and what would be right.
    """
    path = env.config_file
    values, variables = config_values(env), {}
    known, of_all = model.declared(), Settings.declared()
    for key in known:
        prefix = "CHANNELS" if key in {"mode", "claim", "hub"} else env.channel.upper()
        if key in of_all and prefix != "CHANNELS":
            continue
        if given := env.get(f"{prefix}_{key.upper()}"):
            values[key], variables[key] = given, f"{prefix}_{key.upper()}"
    try:
        return model.of(values)
    except InvalidValues as error:
        written = _read(path)
        sentences = []
        for problem in error.problems:
            variable = variables.get(problem.name.partition(".")[0])
            explained = explain_problem(problem, "setting", known, RENAMED, written)
            if variable:
                explained = sentence("{problem} (set by {variable})", problem=explained, variable=variable)
            sentences.append(explained)
        raise ConfigError(
            sentence("{path} (or the environment): {problems}", path=path, problems=joined(sentences))
        ) from None


def config_values(env: Environment) -> dict[str, Any]:
    """Return what config.yaml sets, by current names and not validated. Raises `ConfigError` if it cannot be read."""
    values = _read(env.config_file)
    for old, new in RENAMED.items():
        if old in values and new in values:
            raise ConfigError(
                sentence(
                    "{path} sets both {new} and {old}, its old name; remove {old}",
                    path=env.config_file,
                    new=new,
                    old=old,
                )
            )
    return {RENAMED.get(name, name): value for name, value in values.items()}


def renamed_settings(env: Environment) -> list[str]:
    """Return a sentence for each setting that config.yaml calls by its old name. Raises `ConfigError`."""
    old_names = [name for name in _read(env.config_file) if name in RENAMED]
    return [
        sentence("{old} is now called {new}; the old name still works", old=name, new=RENAMED[name])
        for name in old_names
    ]


def _read(path: Path) -> dict[str, Any]:
    text = read_state_file(path)
    return parse_config(text, path) if text else {}
