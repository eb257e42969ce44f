"""What a cloned repository may not decide: where the token is sent."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.config import Environment, Settings

__all__ = ["cloned_destinations", "refuse_cloned_destinations", "tracked_by_git"]


def tracked_by_git(path: Path) -> bool | None:
    """Return whether git tracks a file; None outside a work tree, without git, or if git does not answer."""
    if not path.parent.is_dir():
        return None
    command = ["git", "-C", str(path.parent), "ls-files", "--", path.name]
    # Keeps git from running anything that the repository configures.
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        ran = subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=3, check=False, env=environ, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return bool(ran.stdout.strip()) if ran.returncode == 0 else None


def cloned_destinations(settings: Settings, env: Environment) -> dict[str, str]:
    """Return the settings that decide where the token is sent and come from a file that git tracks, with their values.

    A setting that the environment names too is the user's own.
    """
    fields = type(settings).model_fields
    named: dict[str, str] = {
        name: str(getattr(settings, name))
        for name in ("api_root", "gateway_url", "proxy")
        if name in fields and getattr(settings, name) != fields[name].default and not env.own(name.upper())
    }
    return named if named and tracked_by_git(env.config_file) else {}


def refuse_cloned_destinations(settings: Settings, env: Environment) -> None:
    """Raise `ConfigError` if the token would be sent where a file from a repository says."""
    if found := cloned_destinations(settings, env):
        path = env.config_file
        variable = f"{env.channel.upper()}_{next(iter(found)).upper()}"
        raise ConfigError(
            f"{path} is tracked by git and sets {', '.join(found)}: the token would go where a file from a "
            f"repository says. If it is yours, set {variable} in the environment, or git rm --cached {path}"
        )
