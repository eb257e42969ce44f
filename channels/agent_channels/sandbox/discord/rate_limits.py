"""Rate limits: a bucket for each route and channel, announced in headers; a global one; the unannounced write limit."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from agent_channels.sandbox.discord.errors import DiscordError, too_many
from agent_channels.sandbox.token_buckets import TokenBuckets

__all__ = ["RateLimits"]

# Generous unless a test asks for less, so that clients that obey the headers are not slowed down.
LIMIT, PER_S = 1000, 1.0
# "Top-level resources": each value of these path parameters has buckets of its own.
MAJOR_PARAMETERS = ("channel_id", "guild_id", "application_id", "interaction_id")


@dataclass
class _Window:
    """`used` calls since the window began; `ends` on the sandbox's clock."""

    ends: float = 0.0
    used: int = 0


class RateLimits:
    """Counts calls. `now` is the sandbox's clock in seconds; `flood` is the write limit of each channel."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rules: list[tuple[str, int, float]] = []
        self._global: tuple[int, float] | None = None
        self._windows: dict[str, _Window] = {}
        self.flood = TokenBuckets(now)

    def set_rule(self, route: str, limit: int, per_s: float) -> None:
        """Allow `limit` calls in `per_s` seconds for routes matching the glob "POST /channels/*/messages"."""
        self._rules.insert(0, (route, limit, per_s))
        self._windows.clear()

    def set_global(self, limit: int | None, per_s: float = 1.0) -> None:
        """Allow `limit` calls altogether in `per_s` seconds; None switches the limit off."""
        self._global = (limit, per_s) if limit else None
        self._windows.clear()

    def take(self, call: str, template: str, path: dict[str, str]) -> tuple[dict[str, str], DiscordError | None]:
        """Count a call "POST /channels/1/messages": return the headers of its answer, and the refusal, if any.

        `path` holds the path parameters of the route `template`.
        """
        headers, refusal = self._take_bucket(call, template, path)
        if refusal is None and self._global is not None:
            window = self._window("", self._global[1])
            window.used += 1
            if window.used > self._global[0]:
                refusal = too_many(max(window.ends - self._now(), 0.001), everywhere=True)
                headers |= {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
        sends = template == "POST /channels/{channel_id}/messages"
        if refusal is None and sends and (wait_s := self.flood.take(path["channel_id"])):
            refusal = too_many(wait_s, write=True)
            headers["X-RateLimit-Scope"] = "shared"
        return headers, refusal

    def _take_bucket(
        self, call: str, template: str, path: dict[str, str]
    ) -> tuple[dict[str, str], DiscordError | None]:
        found = (rule for rule in self._rules if fnmatch.fnmatchcase(call, rule[0]))
        _, limit, per_s = next(found, ("", LIMIT, PER_S))
        major = ":".join(path[name] for name in MAJOR_PARAMETERS if name in path)
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
