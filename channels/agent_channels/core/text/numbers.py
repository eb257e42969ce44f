"""Numbers in sentences."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 group`, `2 groups`; `many` is an irregular plural."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
