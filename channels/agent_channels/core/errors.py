"""The one error tree. The class says who must see it, the message says what failed, the value, and the next step.

ChannelError                 anything we raise on purpose
ConfigError                the operator: a setting, a token, a folder
StoreError                 the operator: the database cannot be used
Refused                    whoever asked: bad arguments, a limit, an access rule; nothing was done
PlatformError              the platform said no, or nothing
Rejected                 the request is wrong and stays wrong (HTTP 400)
NotModified            the message already reads like that
TooOld                 a tap can no longer be answered
ParseFailed            the platform could not parse the formatting
Migrated               the chat has a new id
Unauthorized             the token is wrong or was revoked
Forbidden                blocked by the person, removed from the group, not allowed there
Conflict                 somebody else is reading this bot, or a webhook is set
RateLimited              too many requests; `retry_after` seconds
Unavailable              a fault on the way or at the platform before the request was executed
Ambiguous                the connection ended after the request may have been executed
"""

from __future__ import annotations

__all__ = [
    "Ambiguous",
    "ChannelError",
    "ConfigError",
    "Conflict",
    "Forbidden",
    "Migrated",
    "NotModified",
    "ParseFailed",
    "PlatformError",
    "RateLimited",
    "Refused",
    "Rejected",
    "StoreError",
    "TooOld",
    "Unauthorized",
    "Unavailable",
]


class ChannelError(Exception):
    """Anything this program raises on purpose."""


class ConfigError(ChannelError):
    """A setting, token or folder is unusable; the operator has to act."""


class StoreError(ChannelError):
    """The database cannot be read or written; nothing was acknowledged to the platform."""


class Refused(ChannelError):
    """The request breaks a limit or an access rule; nothing was done."""


class PlatformError(ChannelError):
    """The platform refused, failed, or did not answer."""


class Rejected(PlatformError):
    """The platform understood the request and refuses it for good."""


class NotModified(Rejected):
    """The message already reads exactly like that."""


class TooOld(Rejected):
    """The tap is too old, or was answered already."""


class ParseFailed(Rejected):
    """The platform could not parse the text's formatting."""


class Migrated(Rejected):
    """The chat was upgraded and lives on under `new_chat_id`."""

    def __init__(self, message: str, new_chat_id: str) -> None:
        super().__init__(message)
        self.new_chat_id = new_chat_id


class Unauthorized(PlatformError):
    """The token is wrong or was revoked."""


class Forbidden(PlatformError):
    """The bot may not write there: blocked, removed, or never started."""


class Conflict(PlatformError):
    """Somebody else is reading this bot, or a webhook is set."""


class RateLimited(PlatformError):
    """Too many requests; wait `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(PlatformError):
    """The request was surely not executed: no connection, or a server fault."""


class Ambiguous(PlatformError):
    """The connection ended after the request was sent: it may have been executed."""
