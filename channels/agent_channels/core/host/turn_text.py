"""A turn in words for people: how long it takes, how many steps it took, and what still runs."""

from __future__ import annotations

import time

from agent_channels.core.host.turns import Turn
from agent_channels.core.i18n.messages import translate

__all__ = ["duration", "running_words", "summary"]

# More lines than this say nothing more to somebody with a phone.
RUNNING_MAX = 3


def duration(seconds: float) -> str:
    """Return `0:07`, `2:31` or `1:02:03`."""
    minutes, left = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def summary(turn: Turn, now: float | None = None) -> str:
    """Return `2:31, 14 steps, 3 files`: the time from the turn's beginning to its end, or to now."""
    until = turn.ended_at or now or time.time()
    parts = [duration(until - turn.began_at)]
    steps, files = turn.detail.steps, len(turn.detail.files)
    parts += [translate("turn_step") if steps == 1 else translate("turn_steps", count=steps)] if steps else []
    parts += [translate("turn_file") if files == 1 else translate("turn_files", count=files)] if files else []
    return ", ".join(parts)


def running_words(turn: Turn, now: float | None = None) -> str:
    """Return what still runs, and for how long, as a sentence; "" if nothing does."""
    now = now or time.time()
    running = [f"{step.words} ({duration(now - step.since)})" for step in turn.detail.running[:RUNNING_MAX]]
    return translate("turn_running", what="; ".join(running)) if running else ""
