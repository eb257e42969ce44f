"""Moments as text: ISO 8601 in UTC for programs; for people in the zone of this machine, or words for any zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ["Moment", "clock_time", "day", "epoch_iso", "epoch_iso_ms", "local_time", "utc_iso"]


class Moment(NamedTuple):
    """A moment in words, in UTC, and as the value of a `time` span: epoch seconds, a colon, t (clock) or D (day)."""

    words: str
    value: str


def clock_time(seconds: float) -> Moment:
    """Return epoch seconds as a time of the day, such as `14:05 UTC`."""
    return Moment(f"{datetime.fromtimestamp(seconds, UTC):%H:%M} UTC", f"{int(seconds)}:t")


def day(seconds: float) -> Moment:
    """Return epoch seconds as a day, such as `2026-08-01`."""
    return Moment(f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}", f"{int(seconds)}:D")


def utc_iso(moment: datetime, *, timespec: str = "auto") -> str:
    """Return a moment as `2026-08-01T12:30:45Z`; `timespec` as `datetime.isoformat` takes it."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def epoch_iso(seconds: float | str | None) -> str | None:
    """Return epoch seconds as a moment to the second; None stays None."""
    return None if seconds is None else utc_iso(datetime.fromtimestamp(float(seconds), UTC), timespec="seconds")


def epoch_iso_ms(seconds: float) -> str:
    """Return epoch seconds as a moment to the millisecond."""
    return utc_iso(datetime.fromtimestamp(seconds, UTC), timespec="milliseconds")


def local_time(iso: str) -> str:
    """Return an ISO moment as `2026-08-01 14:30:45` in the zone of this machine; a text that is not one stays."""
    try:
        return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return iso
