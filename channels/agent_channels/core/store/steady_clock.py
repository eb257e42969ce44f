"""A clock for deadlines that several processes look at: setting the system's clock does not move it."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from agent_channels.core.errors import StoreError
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["SteadyClock"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SteadyClock:
    """Epoch seconds as of the first use of a store since the machine started, counted on by its monotonic clock.

    The processes that share the store share the clock. Where the system does not tell one start from another, each
    process counts on from its own first use.
    """

    def __init__(self, key_values: KeyValue) -> None:
        self._key_values = key_values
        self._offset: float | None = None

    def __call__(self) -> float:
        """Return the time (epoch seconds)."""
        if self._offset is None:
            self._offset = self._shared_offset()
        return self._offset + time.monotonic()

    def _shared_offset(self) -> float:
        """Return what the monotonic clock lacks to epoch seconds, as the first process since the start found it."""
        ours = time.time() - time.monotonic()
        try:
            boot = _BOOT_ID.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ours
        # A store that is open for reading only has nothing to measure, but asks.
        with contextlib.suppress(StoreError):
            if (stored := self._stored(boot)) is not None:
                return stored
            with self._key_values.store.transaction():
                if (stored := self._stored(boot)) is not None:
                    return stored
                self._key_values.set("clock", f"{boot} {ours!r}")
        return ours

    def _stored(self, boot: str) -> float | None:
        recorded, _, offset = (self._key_values.get("clock") or "").partition(" ")
        try:
            return float(offset) if recorded == boot else None
        except ValueError:
            return None
