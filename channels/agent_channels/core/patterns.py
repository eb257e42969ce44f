"""Regular expressions that are compiled when they are first used: a process uses a tenth of those that it imports."""

from __future__ import annotations

import re
from typing import Any, AnyStr, Generic, cast

__all__ = ["lazy_pattern"]


def lazy_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` does, for a constant of a module; only its first use raises `re.error`."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(pattern, flags))


class _LazyPattern(Generic[AnyStr]):
    def __init__(self, pattern: AnyStr, flags: int) -> None:
        self._given: AnyStr = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the compiled pattern, which is then found without this."""
        found = getattr(re.compile(self._given, self._flags), name)
        setattr(self, name, found)
        return found
