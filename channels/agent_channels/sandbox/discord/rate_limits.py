"""Rate limits: a bucket for each route and channel, told in headers; a global one; a write limit nobody is told of."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from agent_channels.sandbox.discord.errors import DiscordError, too_many

__all__ = ["RateLimits"]

# Generous unless a test asks for less, so that clients that obey the headers are not slowed down.
LIMIT, PER_S = 1000, 1.0


@dataclass
class _Window:
    """`used` calls since the window began; both times on the sandbox's clock."""

    ends: float = 0.0
    used: int = 0


class RateLimits:
    """Counts calls. `now` is the sandbox's clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rules: list[tuple[str, int, float]] = []
        self._global: tuple[int, float] | None = None
        self._windows: dict[str, _Window] = {}
        self._flood: tuple[float, int] | None = None
        self._tokens: dict[str, tuple[float, float]] = {}

    def set_rule(self, route: str, limit: int, per_s: float) -> None:
        """`limit` calls in `per_s` seconds for routes matching the glob "POST /channels/*/messages"."""
        self._rules.insert(0, (route, limit, per_s))
        self._windows.clear()

    def set_global(self, limit: int | None, per_s: float = 1.0) -> None:
        """`limit` calls altogether in `per_s` seconds; None switches it off."""
        self._global = (limit, per_s) if limit else None
        self._windows.clear()

    def set_flood(self, per_channel_per_s: float | None, burst: int) -> None:
        """At most so many messages a second into one channel; no header tells of it. None switches it off."""
        self._flood = (per_channel_per_s, burst) if per_channel_per_s else None
        self._tokens.clear()

    def take(self, call: str, template: str, major: str) -> tuple[dict[str, str], DiscordError | None]:
        """Counts a call "POST /channels/1/messages": the headers of its answer, and the refusal if it is too many."""
        headers, refusal = self._bucket(call, template, major)
        if refusal is None and self._global is not None:
            window = self._window("", self._global[1])
            window.used += 1
            if window.used > self._global[0]:
                refusal = too_many(max(window.ends - self._now(), 0.001), everywhere=True)
                headers |= {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
        if refusal is None and template == "POST /channels/{channel_id}/messages":
            refusal = self._spend(major)
            if refusal is not None:
                headers["X-RateLimit-Scope"] = "shared"
        return headers, refusal

    def _bucket(self, call: str, template: str, major: str) -> tuple[dict[str, str], DiscordError | None]:
        found = (rule for rule in self._rules if fnmatch.fnmatchcase(call, rule[0]))
        _, limit, per_s = next(found, ("", LIMIT, PER_S))
        window = self._window(f"{template}:{major}", per_s)
        window.used += 1
        after = max(window.ends - self._now(), 0.001)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(limit - window.used, 0)),
            "X-RateLimit-Reset": f"{window.ends:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(template.encode()).hexdigest()[:32],
        }
        if window.used <= limit:
            return headers, None
        return {**headers, "X-RateLimit-Scope": "user"}, too_many(after)

    def _window(self, key: str, per_s: float) -> _Window:
        window = self._windows.setdefault(key, _Window())
        if window.ends <= self._now():
            window.ends, window.used = self._now() + per_s, 0
        return window

    def _spend(self, channel: str) -> DiscordError | None:
        if self._flood is None:
            return None
        per_s, burst = self._flood
        now = self._now()
        tokens, at = self._tokens.get(channel, (float(burst), now))
        tokens = min(tokens + (now - at) * per_s, float(burst))
        if tokens < 1:
            self._tokens[channel] = (tokens, now)
            return too_many((1 - tokens) / per_s, write=True)
        self._tokens[channel] = (tokens - 1, now)
        return None
