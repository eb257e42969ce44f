"""Close codes of the gateway: what each says, and which end the session ("Gateway Close Event Codes")."""

from __future__ import annotations

__all__ = ["ENDING", "REASONS", "Closed"]

REASONS = {
    4000: "Unknown error.",
    4001: "Unknown opcode.",
    4002: "Error while decoding payload.",
    4003: "Not authenticated.",
    4004: "Authentication failed.",
    4005: "Already authenticated.",
    4007: "Invalid seq.",
    4008: "Rate limited.",
    4009: "Session timed out.",
    4010: "Invalid shard.",
    4012: "Invalid API version.",
    4013: "Invalid intent(s).",
    4014: "Disallowed intent(s).",
}
# After these a session is over; after the others it can be resumed.
ENDING = {4004, 4007, 4009, 4010, 4011, 4012, 4013, 4014}


class Closed(Exception):
    """The connection is to be closed with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(REASONS.get(code, ""))
        self.code = code
