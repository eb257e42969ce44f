"""The flood rule of a fake platform: a token bucket for each chat."""

from __future__ import annotations

from collections.abc import Callable, Hashable

__all__ = ["TokenBuckets"]


class TokenBuckets:
    """Allows each chat `burst` messages at once and then `per_s` a second. Switched off until `set_rate`.

    `now` is the sandbox's clock in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._per_s = 0.0
        self._burst = 0
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def set_rate(self, per_s: float | None, burst: int) -> None:
        """Fill every bucket and set the rule; None switches it off."""
        self._per_s, self._burst = per_s or 0.0, burst
        self._buckets.clear()

    def take(self, chat_id: Hashable) -> float:
        """Take one token. Return 0.0, or the seconds until there is one, if the chat has none left."""
        if not self._per_s:
            return 0.0
        now = self._now()
        tokens, at = self._buckets.get(chat_id, (float(self._burst), now))
        tokens = min(tokens + (now - at) * self._per_s, float(self._burst))
        if tokens < 1:
            self._buckets[chat_id] = (tokens, now)
            return (1 - tokens) / self._per_s
        self._buckets[chat_id] = (tokens - 1, now)
        return 0.0
