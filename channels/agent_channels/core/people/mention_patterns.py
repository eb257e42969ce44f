"""Patterns that address the bot in a group. Strangers choose the text, so matching is bounded in time."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agent_channels.core.errors import Refused

__all__ = ["PATTERNS_MAX", "checked", "matches"]

logger = logging.getLogger(__name__)
PATTERNS_MAX = 20
LENGTH_MAX = 300
# How much of a message is searched, and for how long with each pattern.
TEXT_MAX = 4096
BOUND_S = 0.05


def checked(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns, each once. Raises `Refused` naming one that is invalid, too long, empty or too broad."""
    found = tuple(dict.fromkeys(patterns))
    if len(found) > PATTERNS_MAX:
        raise Refused(f"there are {len(found)} patterns; at most {PATTERNS_MAX} are allowed: join some with |")
    for pattern in found:
        if not pattern or len(pattern) > LENGTH_MAX:
            raise Refused(f"a pattern has {len(pattern)} characters; it must have 1 to {LENGTH_MAX}")
        try:
            compiled = _compiled(pattern)
        except Exception as error:
            raise Refused(f"the pattern {pattern!r} is not a regular expression: {error}") from error
        if compiled.search(""):
            raise Refused(f"the pattern {pattern!r} matches every message; use --no-mention for that")
    return found


def matches(patterns: Sequence[str], text: str) -> bool:
    """Return True if a pattern is found in a text, ignoring case. A pattern that takes too long does not match."""
    for pattern in patterns:
        try:
            if _compiled(pattern).search(text[:TEXT_MAX], timeout=BOUND_S):
                return True
        except TimeoutError:
            logger.warning("the pattern %r took over %d ms for a message and was given up", pattern, BOUND_S * 1000)
    return False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    # Unlike the standard library's, this engine has a time-out. Imported late: most groups have no pattern.
    regex = importlib.import_module("regex")
    return regex.compile(pattern, regex.IGNORECASE)
