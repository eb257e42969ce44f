"""A state folder's .env: one variable is set or removed, and every other line stays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from agent_channels.core.settings.state_folder import make_state_folder, read_state_file, replace_file

__all__ = ["remove_dotenv_value", "set_dotenv_value", "set_dotenv_values"]


def set_dotenv_value(state_dir: Path, name: str, value: str) -> None:
    """Set `name` in the state folder's .env; every other line stays. Raises `ConfigError`; nothing changed then."""
    set_dotenv_values(state_dir, {name: value})


def set_dotenv_values(state_dir: Path, values: Mapping[str, str]) -> None:
    """As `set_dotenv_value`, for several at once: all of them are set, or none."""
    _put(state_dir, values.keys(), [f"{name}={value}" for name, value in values.items()])


def remove_dotenv_value(state_dir: Path, name: str) -> bool:
    """Remove `name` from the state folder's .env; return False if it was not there. Raises `ConfigError`."""
    return _put(state_dir, {name}, [])


def _put(state_dir: Path, names: Collection[str], lines: Sequence[str]) -> bool:
    """Put these lines in place of those that set `names`; return False if they are there already, and no others."""
    path = make_state_folder(state_dir) / ".env"
    before = read_state_file(path).splitlines()
    after = [*(old for old in before if _dotenv_name(old) not in names), *lines]
    if sorted(after) == sorted(before):
        return False
    replace_file(path, "".join(f"{line}\n" for line in after))
    return True


def _dotenv_name(line: str) -> str:
    return line.removeprefix("export ").split("=")[0].strip()
