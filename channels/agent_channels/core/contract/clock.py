"""The clock of this machine, against the date that a platform's server writes on its answers."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from agent_channels.core.contract.checks import Finding, fine, skipped, wrong

__all__ = ["skew"]

# Beyond this, certificates, signatures, pairing codes and the order of events go wrong.
ALLOWED_S = 60.0


def skew(date: str | None) -> Finding:
    """What an HTTP `Date` header says of our clock."""
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return skipped("the platform's answers carry no date")
    off = time.time() - theirs
    evidence = f"the platform's Date is {date}"
    if abs(off) <= ALLOWED_S:
        return fine("this machine's clock agrees with the platform's", evidence)
    way = "ahead of" if off > 0 else "behind"
    return wrong(
        f"this machine's clock is {abs(off):.0f} s {way} the platform's",
        evidence,
        "set the clock (turn network time on); until then codes expire too early or late and connections may fail",
    )
