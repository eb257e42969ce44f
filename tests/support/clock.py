"""A clock that only tests move."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Clock"]


@dataclass
class Clock:
    """Seconds, moved by hand."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """The time it is."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds
