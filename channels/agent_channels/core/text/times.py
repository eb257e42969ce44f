"""Moments as ISO 8601 text in UTC, ending in Z."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["epoch_iso", "utc_iso"]


def utc_iso(moment: datetime, *, timespec: str = "auto") -> str:
    """Return a moment as `2026-08-01T12:30:45Z`; `timespec` as `datetime.isoformat` takes it."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def epoch_iso(seconds: float | str | None) -> str | None:
    """Return epoch seconds as a moment to the second; None stays None."""
    return None if seconds is None else utc_iso(datetime.fromtimestamp(float(seconds), UTC), timespec="seconds")
