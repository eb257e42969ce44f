"""`--since`: how long ago, or a moment in this machine's zone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent_channels.cli.arguments import WrongUsage, moment
from agent_channels.core.text.times import local_time


@pytest.fixture
def taipei() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Taipei")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("taipei")
def test_a_time_without_a_zone_is_this_machines() -> None:
    """As the times that are shown are."""
    assert moment("2026-01-31") == datetime(2026, 1, 30, 16, tzinfo=UTC).timestamp()
    assert moment("2026-01-31T08:00:00Z") == datetime(2026, 1, 31, 8, tzinfo=UTC).timestamp()
    assert local_time("2026-01-31T08:00:00Z") == "2026-01-31 16:00:00"
    assert local_time("no time") == "no time"


def test_how_long_ago() -> None:
    """In minutes, hours, days and weeks."""
    for text, seconds in (("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)):
        assert abs(time.time() - seconds - moment(text)) < 60


@pytest.mark.parametrize("text", ["", "yesterday", "7", "7x", "2026-13-01", "-1d", "9999999d"])
def test_what_is_no_time(text: str) -> None:
    """Named, with what would be one."""
    with pytest.raises(WrongUsage, match="30m, 12h, 7d, 2w"):
        moment(text)
