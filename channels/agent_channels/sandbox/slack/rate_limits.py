"""Rate limits: so many calls of a method in a minute, and the one message a second into each conversation."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass

from agent_channels.sandbox.slack.errors import RateLimitedError
from agent_channels.sandbox.token_buckets import TokenBuckets

__all__ = ["MethodLimits"]


@dataclass
class _CallWindow:
    """`used` calls since the window began; `ends` on the sandbox's clock."""

    ends: float = 0.0
    used: int = 0


class MethodLimits:
    """Counts calls. `now` is the sandbox's clock in seconds; `flood` is the limit of each conversation.

    There are no limits unless a test asks for some, so that clients which wait are not slowed down.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rules: list[tuple[str, int, float]] = []
        self._windows: dict[str, _CallWindow] = {}
        self.flood = TokenBuckets(now)

    def set_rule(self, method: str, limit: int, per_s: float) -> None:
        """Allow `limit` calls in `per_s` seconds of each method that matches the glob."""
        self._rules.insert(0, (method, limit, per_s))
        self._windows.clear()

    def clear(self) -> None:
        """Forget all rules."""
        self._rules.clear()
        self._windows.clear()

    def take(self, method: str, channel: str) -> None:
        """Count a call. Raises RateLimitedError."""
        for rule, limit, per_s in self._rules:
            if fnmatch.fnmatchcase(method.lower(), rule.lower()):
                window = self._windows.setdefault(method, _CallWindow())
                if window.ends <= self._now():
                    window.ends, window.used = self._now() + per_s, 0
                window.used += 1
                if window.used > limit:
                    raise RateLimitedError(window.ends - self._now())
                break
        if method == "chat.postMessage" and (wait_s := self.flood.take(channel)):
            raise RateLimitedError(wait_s)
