"""What is left in English where a person reads Traditional Chinese."""

from __future__ import annotations

import re

__all__ = ["LOCALE", "SAME", "english_in"]

LOCALE = {"LC_ALL": "zh_TW.UTF-8", "PYTHONIOENCODING": "utf-8"}
# Names, commands, what is typed, and what programs and the system say.
SAME = re.compile(
    r"`[^`]*`|\S*[/@.:=_]\S*|\(?id \d+|Ctrl-C|\b(?:Telegram|Discord|BotFather|Python|Claude|Code|Ann|Sandbox|Start|"
    r"Enter|token|hooks?|bot|git|Project|project|user|no|It works|telegram|socket|shell|Bot API|Date|GMT|[A-Z]{2,}|"
    r"IPv[46]|command|server|proxy|dns|ipv6|webhook|[A-Z][a-z]{2},?)\b"
)


def english_in(text: str) -> list[str]:
    """The lines in which English words are left, three or more one after the other."""
    found = [(line, SAME.sub(" . ", line)) for line in text.splitlines()]
    return [line for line, bare in found if re.search(r"[a-z']{2,} [a-z']{2,} [a-z']{2,}", bare)]
