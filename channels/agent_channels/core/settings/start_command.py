"""The setting `start`: which command the keeper may start an agent host with, when an approver asks for it in a chat.

Nobody sits at the terminal of a host that was started from a phone, so none is started that asks for no permission.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from agent_channels.core.patterns import lazy_pattern

__all__ = ["checked_start", "is_claude"]

# How agent hosts call running without asking. Searched for in every word, as a shell or a wrapper may take it in one.
_BYPASS = lazy_pattern(
    r"dangerous|bypass|skip-permissions|yolo|full-auto|yes-always|danger-full-access|trust-all-tools|allow-all-tools"
    r"|no-sandbox",
    re.IGNORECASE,
)
_NEVER_ASKS = lazy_pattern(r"""never|.*[=\s]["']?never["']?""", re.IGNORECASE)
# It shows the host's channels, and skips no permission.
_HARMLESS = "--dangerously-load-development-channels"
# Short for the same, where the word alone would not say it.
_SHORT = {"gemini": {"-y"}, "qwen": {"-y"}, "cursor-agent": {"-f", "--force"}}
_MODE = "--permission-mode"


def checked_start(setting: object) -> tuple[str, ...] | None:
    """Return the command as its words; None if none is set. Raises ValueError with what would be right."""
    if setting is None or setting == "":
        return None
    if isinstance(setting, str):
        words = shlex.split(setting)
    elif isinstance(setting, list | tuple) and all(isinstance(word, str) for word in setting):
        words = list(setting)
    else:
        raise ValueError("write a command, such as claude, or a list of its words, such as [claude, --model, opus]")
    if not words or not words[0] or any("\0" in word for word in words):
        raise ValueError("write a command, such as claude")
    if "/" in words[0] and not words[0].startswith(("/", "~")):
        raise ValueError("a project's files decide what that path starts; write a name on the PATH, or the whole path")
    _refuse_bypass(words)
    if is_claude(words[0]) and any(word.partition("=")[0] == _MODE for word in words):
        raise ValueError(f"write the permission mode as the setting start_mode, instead of {_MODE}")
    return tuple(words)


def is_claude(command: str) -> bool:
    """Return whether a command is the host that `channels launch` knows how to start."""
    return Path(command).name in {"claude", "claude.exe"}


def _refuse_bypass(words: list[str]) -> None:
    short = _SHORT.get(Path(words[0]).name, set())
    for word in words:
        if word == _HARMLESS:
            continue
        if _BYPASS.search(word) or _NEVER_ASKS.fullmatch(word) or word in short:
            raise ValueError(
                f"{word[:80]} starts a host that asks for no permission, and nobody sits before it; remove it"
            )
