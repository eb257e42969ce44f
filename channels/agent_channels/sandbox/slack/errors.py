"""Refusals of Slack's Web API in Slack's own words: `{"ok": false, "error": ...}` with HTTP 200, or 429.

The wording of block errors is that of the API's answers; error codes are those of each method's page.
"""

from __future__ import annotations

from typing import Any

__all__ = ["BlockErrors", "RateLimitedError", "SlackError", "invalid_arguments", "missing_scope"]


class SlackError(Exception):
    """A call is refused with an error code; `extra` is added to the body."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra

    def payload(self) -> dict[str, Any]:
        """Return the JSON body of the refusal."""
        return {"ok": False, "error": self.error, **self.extra}


class RateLimitedError(SlackError):
    """HTTP 429: the call may be made again in `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("ratelimited")
        self.retry_after = retry_after


def missing_scope(needed: str, provided: list[str]) -> SlackError:
    """Return the refusal of a token that lacks a scope."""
    return SlackError("missing_scope", needed=needed, provided=",".join(provided))


def invalid_arguments(*problems: str, error: str = "invalid_arguments") -> SlackError:
    """Return the refusal of wrong arguments, each problem as "must be a string [json-pointer:/name]"."""
    messages = [f"[ERROR] {problem}" for problem in problems]
    return SlackError(error, errors=list(problems), response_metadata={"messages": messages})


class BlockErrors:
    """The problems of one set of blocks, each with a pointer to the value; `check` raises them."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def add(self, pointer: str, problem: str) -> None:
        """Add a problem at a JSON pointer such as /blocks/0/text."""
        self.problems.append(f"{problem} [json-pointer:{pointer}]")

    def missing(self, pointer: str, name: str) -> None:
        """Add that a field is missing."""
        self.add(pointer, f"missing required field: {name}")

    def check(self, error: str) -> None:
        """Raise SlackError if there are problems."""
        if self.problems:
            raise invalid_arguments(*self.problems, error=error)
