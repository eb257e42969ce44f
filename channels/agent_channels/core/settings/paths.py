"""Where everything is: the only module that knows the project's, the state and the runtime folder."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.private_files import ensure_private_dir

__all__ = [
    "KEY_FILE",
    "data_dir",
    "env_value",
    "expand_home",
    "find_project",
    "project_dir",
    "runtime_dir",
    "state_dir",
]


# Lies in every state folder that this program made or adopted.
KEY_FILE = ".key"


def env_value(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return an environment variable, stripped; None if it is unset, blank, or an unexpanded `${...}`.

    Hosts pass an unset `${VAR}` of `.mcp.json` on as that literal text, so it counts as unset.
    """
    value = (os.environ if environ is None else environ).get(name, "").strip()
    return None if not value or value.startswith("${") else value


def expand_home(path: str | Path) -> Path:
    """Return a path with `~` or `~user` at its beginning replaced; an unknown user's stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises RuntimeError for an unknown user


def project_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return `$CLAUDE_PROJECT_DIR`, else the project that the working directory is in."""
    named = env_value("CLAUDE_PROJECT_DIR", environ)
    return expand_home(named) if named else find_project(Path.cwd())


def find_project(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that has a state folder, else a list of servers, else a `.git`.

    Without any it is `start`. Folders that others can write to are not looked at, and a home folder that is kept in git
    makes no project of all that lies in it.
    """
    above = [start, *itertools.takewhile(_is_own, start.parents)]
    home = expand_home("~")
    for marker in (f"state/*/{KEY_FILE}", ".mcp.json", ".git"):
        for folder in above:
            if marker == ".git" and folder == home:
                break
            with contextlib.suppress(OSError):
                if any(folder.glob(marker)):
                    return folder
    return start


def _is_own(folder: Path) -> bool:
    """Return whether a folder is this user's, and nobody else can put anything into it."""
    try:
        info = folder.stat()
    except OSError:
        return False
    return os.name != "posix" or (info.st_uid == os.geteuid() and not info.st_mode & stat.S_IWOTH)


def state_dir(channel: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return the absolute path of a channel's state folder, which may not exist yet.

    `<CHANNEL>_STATE_DIR`, else `state/<channel>` in the project.
    """
    named = env_value(f"{channel.upper()}_STATE_DIR", environ)
    path = expand_home(named) if named else project_dir(environ) / "state" / channel
    return path.absolute()


def data_dir() -> Path:
    """Return the folder for what this user's projects share and keep: `$CHANNELS_DATA_DIR`, else the system's own.

    It may not exist. Raises `ConfigError` for a user without a home folder.
    """
    import platformdirs

    if named := env_value("CHANNELS_DATA_DIR"):
        return expand_home(named)
    try:
        return Path(platformdirs.user_data_dir("agent-channels", appauthor=False))
    except RuntimeError as error:
        raise ConfigError(
            sentence(
                "this user has no home folder (HOME is not set), in which this program notes what is yours; set HOME, "
                "or name a folder with CHANNELS_DATA_DIR"
            )
        ) from error


def runtime_dir() -> Path:
    """Return the user's private runtime folder for this program, where processes of all projects meet; creates it."""
    import warnings

    import platformdirs

    with warnings.catch_warnings():
        # Without a runtime folder for the session (containers, cron) the library warns which folder it uses instead.
        warnings.simplefilter("ignore")
        folder = platformdirs.user_runtime_dir("agent-channels", appauthor=False)
    return ensure_private_dir(Path(folder))
