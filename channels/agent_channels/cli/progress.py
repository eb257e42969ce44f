"""How far something has come, for a person at a terminal, once it takes longer than a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

__all__ = ["SHOW_EVERY_S", "ProgressLine"]

SHOW_AFTER_S = 1.0
SHOW_EVERY_S = 0.2


class ProgressLine:
    """A line on stderr while its block lasts; nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()
        self._text = ""
        self.what = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draw("")

    def __call__(self, done: int, total: int) -> None:
        """Show how much of the whole is done."""
        now = time.monotonic()
        if sys.stderr.isatty() and now - self._began > SHOW_AFTER_S and now - self._shown > SHOW_EVERY_S:
            self._shown = now
            self._draw(f"{self.what} {100 * done // max(total, 1)} %")

    def _draw(self, text: str) -> None:
        if text or self._text:
            print(f"\r{text.ljust(len(self._text))}" + ("" if text else "\r"), end="", file=sys.stderr, flush=True)
            self._text = text
