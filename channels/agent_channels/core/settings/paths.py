"""The one place that knows where things lie."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from agent_channels.core.errors import ConfigError

__all__ = ["env_value", "private_dir", "private_file", "private_state", "project_dir", "runtime_dir", "state_dir"]


def env_value(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """An environment variable's value; None when unset, blank, or an unexpanded `${...}`.

    Hosts pass an unset `${VAR}` of `.mcp.json` on as that literal text, so it counts as unset.
    """
    value = (os.environ if environ is None else environ).get(name, "").strip()
    return None if not value or value.startswith("${") else value


def project_dir(environ: Mapping[str, str] | None = None) -> Path:
    """`$CLAUDE_PROJECT_DIR`, else the working directory."""
    return Path(env_value("CLAUDE_PROJECT_DIR", environ) or Path.cwd()).expanduser()


def state_dir(channel: str, environ: Mapping[str, str] | None = None) -> Path:
    """`<CHANNEL>_STATE_DIR`, else `$CLAUDE_PROJECT_DIR/state/<channel>`, else `<cwd>/state/<channel>`; absolute."""
    named = env_value(f"{channel.upper()}_STATE_DIR", environ)
    path = Path(named).expanduser() if named else project_dir(environ) / "state" / channel
    return path.absolute()


def private_dir(path: Path) -> Path:
    """Makes `path` and sees to it that only its owner can enter it (mode 0700).

    Raises `ConfigError` when it cannot be made or is not a directory.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        msg = f"the folder {path} cannot be used ({error.strerror or error}); name another one or mend its permissions"
        raise ConfigError(msg) from error
    return path


def private_state(path: Path) -> Path:
    """A state folder: private, and kept out of every project's version control, since it holds a token."""
    ignore = private_dir(path) / ".gitignore"
    if not ignore.exists():
        with contextlib.suppress(OSError):
            private_file(ignore)
            ignore.write_text("*\n", encoding="utf-8")
    return path


def private_file(path: Path) -> None:
    """Creates `path` if needed and sees to it that only its owner can read it (mode 0600)."""
    # One that is there is not opened: closing it would drop every lock this process holds on it.
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        path.chmod(0o600)
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def runtime_dir() -> Path:
    """The user's runtime folder for this program: where processes of all projects meet."""
    import warnings

    import platformdirs

    with warnings.catch_warnings():
        # Where the session has no runtime folder (containers, cron) the library says which one it takes instead.
        warnings.simplefilter("ignore")
        folder = platformdirs.user_runtime_dir("agent-channels", appauthor=False)
    return private_dir(Path(folder))
