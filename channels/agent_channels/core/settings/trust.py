"""What came with a repository that somebody cloned: it says nothing about where the token goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.config import Environment, Settings

__all__ = ["brought", "in_git", "refuse_cloned"]


def in_git(path: Path) -> bool | None:
    """Whether git tracks a file; None outside of a work tree, without git, or when git does not answer."""
    if not path.parent.is_dir():
        return None
    command = ["git", "-C", str(path.parent), "ls-files", "--", path.name]
    # Nothing that the repository configures is to run here.
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        ran = subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=3, check=False, env=environ, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return bool(ran.stdout.strip()) if ran.returncode == 0 else None


def brought(settings: Settings, env: Environment) -> dict[str, str]:
    """The settings that say where the token goes and come from a file that git tracks: their names and values."""
    fields = type(settings).model_fields
    named: dict[str, str] = {
        name: str(getattr(settings, name))
        for name in ("api_root", "gateway_url", "proxy")
        if name in fields and getattr(settings, name) != fields[name].default and not env.own(name.upper())
    }
    return named if named and in_git(env.state_dir / "config.yaml") else {}


def refuse_cloned(settings: Settings, env: Environment) -> None:
    """Raises `ConfigError` when the token would go where a file that came with a repository says."""
    if found := brought(settings, env):
        path = env.state_dir / "config.yaml"
        variable = f"{env.channel.upper()}_{next(iter(found)).upper()}"
        raise ConfigError(
            f"{path} is tracked by git and sets {', '.join(found)}: the token would go where a file from a "
            f"repository says. If it is yours, set {variable} in the environment, or git rm --cached {path}"
        )
