"""Fetching missed messages, which a fault that passes must not end, for platforms that keep nothing for the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent_channels.core.errors import Ambiguous, PlatformError, RateLimited, Rejected, Unavailable
from agent_channels.core.i18n.sentences import words_of
from agent_channels.core.scheduling import Backoff

__all__ = ["as_unavailable", "catch_up"]

_TRIES = 6


async def catch_up(fetch: Callable[[], Awaitable[None]]) -> None:
    """Call `fetch`, and again a few times at faults that pass. Raises `PlatformError`."""
    pauses = Backoff(first_s=0.25, cap_s=10.0)
    for left in reversed(range(_TRIES)):
        try:
            await fetch()
            break
        except (Unavailable, Ambiguous, RateLimited) as error:
            if not left:
                raise as_unavailable(error) from error
            await asyncio.sleep(max(pauses.next(), error.retry_after if isinstance(error, RateLimited) else 0))


def as_unavailable(error: PlatformError) -> PlatformError:
    """Return `Unavailable` for an ambiguous or odd answer while reading, which is harmless to repeat."""
    return Unavailable(words_of(error)) if isinstance(error, Ambiguous | Rejected) else error
