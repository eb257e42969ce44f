"""Where everything is: the only module that knows the project's, the state and the runtime folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from agent_channels.core.settings.private_files import ensure_private_dir

__all__ = ["env_value", "project_dir", "runtime_dir", "state_dir"]


def env_value(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return an environment variable, stripped; None if it is unset, blank, or an unexpanded `${...}`.

    Hosts pass an unset `${VAR}` of `.mcp.json` on as that literal text, so it counts as unset.
    """
    value = (os.environ if environ is None else environ).get(name, "").strip()
    return None if not value or value.startswith("${") else value


def project_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return `$CLAUDE_PROJECT_DIR`, else the working directory."""
    return Path(env_value("CLAUDE_PROJECT_DIR", environ) or Path.cwd()).expanduser()


def state_dir(channel: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return the absolute path of a channel's state folder, which may not exist yet.

    `<CHANNEL>_STATE_DIR`, else `$CLAUDE_PROJECT_DIR/state/<channel>`, else `<cwd>/state/<channel>`.
    """
    named = env_value(f"{channel.upper()}_STATE_DIR", environ)
    path = Path(named).expanduser() if named else project_dir(environ) / "state" / channel
    return path.absolute()


def runtime_dir() -> Path:
    """Return the user's private runtime folder for this program, where processes of all projects meet; creates it."""
    import warnings

    import platformdirs

    with warnings.catch_warnings():
        # Without a runtime folder for the session (containers, cron) the library warns which folder it uses instead.
        warnings.simplefilter("ignore")
        folder = platformdirs.user_runtime_dir("agent-channels", appauthor=False)
    return ensure_private_dir(Path(folder))
