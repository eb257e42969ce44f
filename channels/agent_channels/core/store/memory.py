"""What was read of a store, kept in memory until somebody may have changed it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Memory"]

T = TypeVar("T")
# More than this is never asked for in turns; a flood of strangers must not fill the memory.
KEPT_MAX = 10_000


class Memory:
    """Values by key. Another process's commit, a rollback and `forget` empty it."""

    def __init__(self, revision: Callable[[], int], in_transaction: Callable[[], bool]) -> None:
        """`revision` returns a number that changes whenever another process commits."""
        self._read_revision, self._in_transaction = revision, in_transaction
        self._revision = -1
        self._values: dict[Hashable, Any] = {}
        self.is_current = False
        """Nobody else can have committed since it was last looked: it was in this transaction."""

    def recall(self, key: Hashable, read: Callable[[], T]) -> T:
        """Return what `read` returned for this key, reading it if that is not kept. Raises what `read` raises."""
        if not self.is_current:
            self.is_current = self._in_transaction()
            if (revision := self._read_revision()) != self._revision:
                self._revision = revision
                self._values.clear()
        try:
            found: T = self._values[key]
        except KeyError:
            found = read()
            self.keep(key, found)
        return found

    def keep(self, key: Hashable, value: object) -> None:
        """Keep a value that was just written, or read."""
        if len(self._values) >= KEPT_MAX:
            self._values.clear()
        self._values[key] = value

    def forget(self) -> None:
        """Read everything again when it is next asked for."""
        self._values.clear()
