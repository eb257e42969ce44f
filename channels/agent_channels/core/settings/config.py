"""Settings: what a person wrote in `config.yaml`, under what the environment says.

Precedence, highest first: environment, STATE_DIR/.env, config.yaml, default. A name nobody knows is refused with the
nearest one that exists, since a misspelt setting that is silently ignored is worse than none.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from agent_channels.core.errors import ConfigError
from agent_channels.core.log import register_secret
from agent_channels.core.settings.paths import env_value, state_dir

__all__ = ["Claim", "Environment", "Language", "Mode", "Root", "Settings", "load", "loopback", "safe_root"]

Mode = Literal["auto", "push", "wake", "hook", "pull"]
Claim = Literal["auto", "always", "never"]
Language = Literal["en", "zh-TW"]
S = TypeVar("S", bound="Settings")


def loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def safe_root(url: str) -> str:
    """`url` without a trailing slash.

    Raises ValueError when it is not http(s), or plain http to another machine: the token would travel in clear.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(f"{error}; write it as https://host[:port][/path]") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as https://host[:port][/path]")
    if parts.scheme == "http" and not loopback(parts.hostname):
        raise ValueError("plain http would show the token to the network; use https or loopback")
    return url.rstrip("/")


Root = Annotated[str, AfterValidator(safe_root)]
"""The root of an HTTP API that the token may be sent to."""


class Settings(BaseModel):
    """What `config.yaml` may hold on every channel. Durations end in their unit; sizes are MB."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Field("auto", description="how messages reach the agent; auto finds it out")
    claim: Claim = Field("auto", description="when this server may read the bot: auto, always or never")
    language: Language = Field("en", description="language in which people are told things: en or zh-TW")
    grace_s: float = Field(0.25, ge=0, le=30, description="pause after the handshake before the bot is read")
    typing_cap_s: float = Field(120, ge=0, le=3600, description="longest time `typing` is shown; 0: never")
    panel_ttl_h: float = Field(168, gt=0, le=8760, description="hours after which an unanswered button grid expires")
    rate_wait_s: float = Field(30, ge=0, le=600, description="longest wait for rate limits inside one reply")
    told_after_s: float = Field(
        300, ge=0, description="seconds after which a person is told that a message waits; 0: never"
    )
    escalate_after_s: float = Field(
        15, ge=1, description="seconds without an answer after which the next mode is tried"
    )
    hook_bound_s: float = Field(300, ge=1, le=3600, description="longest time a permission or question hook waits")
    stop_wait_s: float = Field(0, ge=0, le=3600, description="seconds the Stop hook waits for the next message")
    stop_cap: int = Field(8, ge=0, le=100, description="most turns in a row that the Stop hook lets go on")
    relay: bool = Field(True, description="ask approvers in chat when the host asks for a permission")  # noqa: FBT003
    marks: bool = Field(True, description="react to a message when it was received and kept")  # noqa: FBT003
    file_above: int = Field(8000, ge=200, description="length above which `as_file: auto` sends a text as a file")
    keep_days: float = Field(30, gt=0, description="days that answered messages, sends and downloads are kept")
    keep_rows: int = Field(20_000, ge=100, description="answered messages kept at most")
    history_days: float = Field(90, gt=0, description="days that what was said is kept for fetch_messages and exports")
    send_roots: tuple[Path, ...] = Field((), description="further folders whose files may be sent")
    ipv4: bool | None = Field(None, description="true: IPv4 only, false: IPv6 too; unset: found out and remembered")
    group_context: int = Field(0, ge=0, le=50, description="last messages to others that come with one to the bot")
    transcribe: str | None = Field(None, description="command that writes a voice note down, with {path}; or local")
    transcribe_s: float = Field(120, ge=1, le=3600, description="longest time for writing one voice note down")
    files_quota_mb: int = Field(1024, ge=1, description="size of STATE_DIR/files above which the oldest go")

    @field_validator("transcribe")
    @classmethod
    def _a_command(cls, setting: str | None) -> str | None:
        if not setting:
            return None
        # As the command will be taken apart; an open quotation mark is an error.
        words = shlex.split(setting)
        if words[0].partition(":")[0] != "local" and "{path}" not in setting:
            raise ValueError("it must be local, local:MODEL, or a command with {path} where the file's path goes")
        return setting


class Environment:
    """The environment with STATE_DIR/.env under it; says where each value came from."""

    def __init__(self, channel: str, environ: Mapping[str, str] | None = None) -> None:
        self.channel = channel
        self.environ = os.environ if environ is None else environ
        self.state_dir = state_dir(channel, self.environ)
        self._dotenv: Mapping[str, str | None] | None = None

    @property
    def dotenv(self) -> Mapping[str, str | None]:
        """STATE_DIR/.env, read once; empty when there is none."""
        if self._dotenv is None:
            path = self.state_dir / ".env"
            if not _there(path):
                self._dotenv = {}
            else:
                from dotenv import dotenv_values

                try:
                    self._dotenv = dotenv_values(path, interpolate=False)
                except (OSError, UnicodeDecodeError) as error:
                    msg = f"{path} cannot be read ({error}); write it again with `channels setup {self.channel}`"
                    raise ConfigError(msg) from error
        return self._dotenv

    def get(self, name: str) -> str | None:
        """The value of an environment name by precedence; None when neither place has one."""
        return env_value(name, self.environ) or self._written(name)

    def own(self, suffix: str) -> str | None:
        """As `get`, for this channel's own name: `own("API_ROOT")`."""
        return self.get(f"{self.channel.upper()}_{suffix}")

    def token(self) -> str | None:
        """The bot's token, registered as a secret; None when none was set."""
        token = self.own("BOT_TOKEN")
        if token:
            register_secret(token)
        return token

    def token_source(self) -> str | None:
        """Where the token comes from, in words; None when there is none."""
        name = f"{self.channel.upper()}_BOT_TOKEN"
        if env_value(name, self.environ):
            return f"the environment variable {name}"
        return str(self.state_dir / ".env") if self._written(name) else None

    def _written(self, name: str) -> str | None:
        return env_value(name, {name: self.dotenv.get(name) or ""})


def load(model: type[S], env: Environment) -> S:
    """Reads config.yaml and the environment into `model`.

    Raises `ConfigError` naming the file, the key and what would be right.
    """
    path = env.state_dir / "config.yaml"
    values = _read_yaml(path)
    for key in ("mode", "claim"):
        given = env.get(f"CHANNELS_{key.upper()}")
        if given:
            values[key] = given
    for key in model.model_fields:
        given = env.own(key.upper()) if key not in Settings.model_fields else None
        if given:
            values[key] = given
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, model, path)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    if not _there(path):
        return {}
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = f"{path} cannot be read: {' '.join(str(error).split())}"
        raise ConfigError(msg) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold `name: value` lines, not a {type(values).__name__}")
    return {str(key): value for key, value in values.items()}


def _there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror or error}); mend the permissions of its folder"
        raise ConfigError(msg) from error


def _explain(error: ValidationError, model: type[Settings], path: Path) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, model.model_fields, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(model.model_fields)}"
            lines.append(f"unknown setting {name!r}; {hint}")
        else:
            lines.append(f"setting {name!r} is {problem.get('input')!r}: {problem['msg'].lower()}")
    return f"{path} (or the environment): " + "; ".join(lines)
