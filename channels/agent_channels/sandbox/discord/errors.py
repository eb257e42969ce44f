"""Refusals of Discord's API: HTTP status, JSON code, message and the tree of form errors, in Discord's own words.

Codes come from "Opcodes and Status Codes" of the documentation, the wording of form errors from answers of the API.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "DiscordError",
    "FormErrors",
    "forbidden",
    "not_found",
    "refused",
    "too_large",
    "too_many",
    "unauthorized",
    "unknown",
]

UNKNOWN = {
    10003: "Unknown Channel",
    10004: "Unknown Guild",
    10007: "Unknown Member",
    10008: "Unknown Message",
    10013: "Unknown User",
    10015: "Unknown Webhook",
    10062: "Unknown interaction",
}
FORBIDDEN = {
    50001: "Missing Access",
    50003: "Cannot execute action on a DM channel",
    50005: "Cannot edit a message authored by another user",
    50007: "Cannot send messages to this user",
    50013: "Missing Permissions",
    90001: "Reaction blocked",
}
REFUSED = {
    10014: "Unknown Emoji",
    30010: "Maximum number of reactions reached (20)",
    30015: "Maximum number of attachments in a message reached (10)",
    40060: "Interaction has already been acknowledged.",
    50006: "Cannot send an empty message",
    50008: "Cannot send messages in a non-text channel",
    50024: "Cannot execute action on this channel type",
    50033: "Invalid Recipient(s)",
    50041: "Invalid API version provided",
    50083: "Thread is archived",
    50109: "The request body contains invalid JSON.",
    160002: "You cannot reply without permission to read message history",
    160005: "Thread is locked",
    160004: "A thread has already been created for this message",
}


class DiscordError(Exception):
    """A call is refused with an HTTP `status` and a JSON `code`.

    `errors` is the tree of form errors, `extra` is added to the body.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        errors: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.extra = extra or {}

    def payload(self) -> dict[str, Any]:
        """Return the JSON body of the refusal."""
        body: dict[str, Any] = {"message": self.message, "code": self.code, **self.extra}
        if self.errors:
            body["errors"] = self.errors
        return body


def unauthorized() -> DiscordError:
    """Return a 401: the token is wrong."""
    return DiscordError(401, 0, "401: Unauthorized")


def not_found() -> DiscordError:
    """Return a 404: there is no such route."""
    return DiscordError(404, 0, "404: Not Found")


def unknown(code: int) -> DiscordError:
    """Return a 404: the thing does not exist."""
    return DiscordError(404, code, UNKNOWN[code])


def forbidden(code: int) -> DiscordError:
    """Return a 403: the thing exists, but the bot may not do that."""
    return DiscordError(403, code, FORBIDDEN[code])


def refused(code: int) -> DiscordError:
    """Return a 400 with one reason."""
    return DiscordError(400, code, REFUSED[code])


def too_large() -> DiscordError:
    """Return a 413: a file is above the limit."""
    return DiscordError(413, 40005, "Request entity too large")


def too_many(retry_after: float, *, everywhere: bool = False, write: bool = False) -> DiscordError:
    """Return a 429 with `retry_after` in seconds.

    `everywhere`: by the global limit; `write`: by the channel's own write limit.
    """
    message, code = "You are being rate limited.", 0
    if write:
        message, code = "The write action you are performing on the channel has hit the write rate limit.", 20028
    return DiscordError(429, code, message, None, {"retry_after": round(retry_after, 3), "global": everywhere})


class FormErrors:
    """The errors of one form, collected in the tree that Discord answers with; `check` raises them.

    The methods named after types check a value, and return a default of that type for a wrong one.
    """

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}

    def add(self, path: str, code: str, message: str) -> None:
        """Add an error under a dotted path such as `components.0.components.1.label`."""
        node = self.tree
        for name in path.split("."):
            node = node.setdefault(name, {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def check(self) -> None:
        """Raise DiscordError 50035 if there are errors."""
        if self.tree:
            raise DiscordError(400, 50035, "Invalid Form Body", self.tree)

    def required(self, path: str) -> None:
        """Add the error of a missing field."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def length(self, path: str, low: int, high: int) -> None:
        """Add the error of a list or text of wrong length."""
        if low:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {low} and {high} in length.")
        else:
            self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {high} or fewer in length.")

    def choices(self, path: str, known: tuple[Any, ...]) -> None:
        """Add the error of a value that is none of the known ones."""
        self.add(path, "BASE_TYPE_CHOICES", f"Value must be one of {known}.")

    # --- checking values

    def text(self, value: Any, path: str, low: int, high: int) -> str:
        """Return a text of `low` to `high` characters; a missing one is "", an error if `low` is not 0."""
        if value is None or value == "":
            if low:
                self.required(path)
            return ""
        if not isinstance(value, str):
            self.add(path, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
            return ""
        if not low <= len(value) <= high:
            self.length(path, low, high)
        return value

    def number(self, value: Any, path: str, low: int, high: int, default: int) -> int:
        """Return a whole number of `low` to `high`, `default` when it is missing."""
        if value is None:
            return default
        try:
            number = int(value)
        except (TypeError, ValueError):
            self.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
            return default
        if number < low:
            self.add(path, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {low}.")
        elif number > high:
            self.add(path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {high}.")
        return number

    def items(self, value: Any, path: str, low: int, high: int) -> list[Any]:
        """Return a list of `low` to `high` items, [] for anything else."""
        if value is None:
            value = []
        if not isinstance(value, list):
            self.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return []
        if not low <= len(value) <= high:
            self.length(path, low, high)
        return value

    def model(self, value: Any, path: str) -> dict[str, Any]:
        """Return a JSON object, {} for anything else."""
        if isinstance(value, dict):
            return value
        self.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return {}

    def snowflake(self, value: Any, path: str) -> int:
        """Return an id, 0 for anything else."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isdecimal() and len(value) <= 20:
            return int(value)
        self.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return 0
