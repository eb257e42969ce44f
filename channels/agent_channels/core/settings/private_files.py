"""STATE_DIR/.env: one line is set, the others stay, nobody else can read it."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.paths import private_state

__all__ = ["put", "put_new"]


def put(state: Path, name: str, value: str) -> Path:
    """Sets `name` in STATE_DIR/.env, which is left as it is when it says so already.

    Replaced in one step, so a crash leaves the old file. Raises `ConfigError`; nothing was changed then.
    """
    path = private_state(state) / ".env"
    line = f"{name}={value}"
    before: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        before = path.read_text(encoding="utf-8").splitlines()
    kept = [old for old in before if old.removeprefix("export ").split("=")[0].strip() != name]
    if line not in before or len(kept) != len(before) - 1:
        _replace(path, "\n".join([*kept, line]) + "\n")
    return path


def put_new(path: Path, text: str) -> bool:
    """Writes a file for its owner only, if there is none; False when there is one. Raises `ConfigError`."""
    if path.exists():
        return False
    private_state(path.parent)
    _replace(path, text)
    return True


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written ({error.strerror or error}); nothing was changed") from error
