"""Compares this machine's clock with the date on a server's answer."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from agent_channels.core.contract.checks import Finding, fine, skipped, wrong
from agent_channels.core.i18n.sentences import sentence

__all__ = ["skew"]

# Beyond this many seconds, certificates, signatures, pairing codes and the order of events go wrong.
ALLOWED_S = 60.0


def skew(date: str | None) -> Finding:
    """Return what an HTTP `Date` header says about our clock."""
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return skipped("the platform's answers carry no date")
    ahead_s = time.time() - theirs
    evidence = sentence("the platform's Date is {date}", date=date)
    if abs(ahead_s) <= ALLOWED_S:
        return fine("this machine's clock agrees with the platform's", evidence)
    return wrong(
        sentence("this machine's clock is {seconds:.0f} s ahead of the platform's", seconds=ahead_s)
        if ahead_s > 0
        else sentence("this machine's clock is {seconds:.0f} s behind the platform's", seconds=-ahead_s),
        evidence,
        "set the clock (turn network time on); until then codes expire too early or late and connections may fail",
    )
