"""Refusals of the Bot API: code, description and parameters, in Telegram's own words.

Wording comes from the Bot API server's source (tdlib/telegram-bot-api, tdlib/td) and from answers of api.telegram.org.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "NOT_MODIFIED",
    "TOO_OLD",
    "BotApiError",
    "bad",
    "conflict",
    "forbidden",
    "not_found",
    "too_many",
    "unauthorized",
    "unknown_method",
]

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


class BotApiError(Exception):
    """A call is refused; `code` is both the HTTP status and `error_code`."""

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def payload(self) -> dict[str, Any]:
        """Return the JSON body of the refusal."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


def unauthorized() -> BotApiError:
    """Return a 401 Unauthorized."""
    return BotApiError(401, "Unauthorized")


def unknown_method() -> BotApiError:
    """Return the 404 for a method that the server does not know."""
    return BotApiError(404, "Not Found: method not found")


def not_found() -> BotApiError:
    """Return a 404 Not Found."""
    return BotApiError(404, "Not Found")


def bad(reason: str, **parameters: Any) -> BotApiError:
    """Return a 400 Bad Request."""
    return BotApiError(400, f"Bad Request: {reason}", parameters)


def forbidden(reason: str) -> BotApiError:
    """Return a 403 Forbidden."""
    return BotApiError(403, f"Forbidden: {reason}")


def conflict(reason: str) -> BotApiError:
    """Return a 409 Conflict."""
    return BotApiError(409, f"Conflict: {reason}")


def too_many(retry_after: int) -> BotApiError:
    """Return a 429 Too Many Requests; `retry_after` in seconds."""
    return BotApiError(429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after})
