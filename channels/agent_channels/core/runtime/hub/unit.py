"""The unit that runs the keeper while this user is logged in, or always: of systemd, or on macOS of launchd."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.settings.paths import env_value, expand_home

__all__ = ["KeeperUnit", "keeper_unit"]

_NAME = "agent-channels-keeper"
_LABEL = "agent-channels.keeper"
# Where this program keeps what is yours, and where the host has its settings, if that is not where they usually are.
_PLACES = ("CHANNELS_DATA_DIR", "XDG_DATA_HOME", "CLAUDE_CONFIG_DIR")


@frozen
class KeeperUnit:
    """The unit's file: which manager reads it, where it lies, and the commands that put it to work or stop it."""

    manager: Literal["systemd", "launchd"]
    path: Path
    begin: tuple[tuple[str, ...], ...]
    end: tuple[tuple[str, ...], ...]

    def text(self, program: Path, environ: Mapping[str, str]) -> bytes:
        """Return what the file has to hold so that `program` keeps. Of `environ` it names where programs and data are.

        Raises ValueError for a path that no unit can name.
        """
        variables = {"PATH": _path(program, environ)}
        variables |= {name: value for name in _PLACES if (value := env_value(name, environ))}
        if any(re.search(r"[\x00-\x1f\x7f]", value) for value in (str(program), *variables.values())):
            raise ValueError("a path in it holds a control character")
        if self.manager == "systemd" and re.search(r"[\"'\\]", str(program)):
            raise ValueError(f"systemd starts no program whose path holds quotation marks or backslashes: {program}")
        return _plist(program, variables) if self.manager == "launchd" else _systemd(program, variables).encode()


def keeper_unit(environ: Mapping[str, str]) -> KeeperUnit | None:
    """Return the unit of this user; None where there is no manager that would run it."""
    home = Path(env_value("HOME", environ) or expand_home("~"))
    if sys.platform == "darwin":
        path = home / "Library" / "LaunchAgents" / f"{_LABEL}.plist"
        domain = f"gui/{os.getuid()}"
        return KeeperUnit(
            "launchd",
            path,
            (("launchctl", "bootstrap", domain, str(path)),),
            (("launchctl", "bootout", f"{domain}/{_LABEL}"),),
        )
    if shutil.which("systemctl", path=environ.get("PATH")) is None:
        return None
    config = Path(env_value("XDG_CONFIG_HOME", environ) or home / ".config")
    user, unit = ("systemctl", "--user"), f"{_NAME}.service"
    return KeeperUnit(
        "systemd",
        config / "systemd" / "user" / unit,
        ((*user, "daemon-reload"), (*user, "enable", "--now", unit)),
        ((*user, "disable", "--now", unit),),
    )


def _path(program: Path, environ: Mapping[str, str]) -> str:
    """Return the PATH of this terminal, from which hosts are started too, with the program's own folder in front."""
    folders = [str(program.parent), *(part for part in environ.get("PATH", "").split(os.pathsep) if part)]
    return os.pathsep.join(dict.fromkeys(folder for folder in folders if Path(folder).is_absolute()))


def _systemd(program: Path, variables: Mapping[str, str]) -> str:
    environment = "\n".join(f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items())
    # Hosts that it started go on when it is stopped or started again: KillMode=process.
    return f"""[Unit]
Description=Agent Channels: reads shared bots while no session does

[Service]
ExecStart={_quoted(str(program))} hub keep
{environment}
Restart=on-failure
RestartSec=10
KillMode=process

[Install]
WantedBy=default.target
"""


def _quoted(word: str) -> str:
    """Return a word as systemd reads it back: `%` and, in quotes, backslashes and quotation marks mean something."""
    word = word.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./-]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plist(program: Path, variables: Mapping[str, str]) -> bytes:
    # Hosts that it started go on when it ends: AbandonProcessGroup.
    return plistlib.dumps(
        {
            "Label": _LABEL,
            "ProgramArguments": [str(program), "hub", "keep"],
            "EnvironmentVariables": dict(variables),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "AbandonProcessGroup": True,
        }
    )
