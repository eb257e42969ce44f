"""Every error that this program raises on purpose.

The class says who sees it and what happened; the message says what failed, with which value, and what to do next.

ChannelError                base class: shown as one sentence, without a traceback
├── ConfigError             the operator: a setting, the token or a folder is unusable
│   └── UntrustedState      the operator: the state folder was neither made nor adopted by this user; nothing was read
├── StoreError              the operator: the database cannot be used; nothing was confirmed to the platform
│   ├── HubUnavailable      the operator, if it lasts: the hub's database does not answer; tried again
│   ├── HubRefused          the operator: the hub's database is too old, too new, or not one of this program's
│   └── LeaseLost           nobody: another process reads the bot now; nothing was written
├── Refused                 the caller: bad arguments, a limit or an access rule; nothing was done
└── PlatformError           the caller: the platform refused the request, failed, or did not answer
    ├── Rejected            the caller: the request is invalid and stays invalid (HTTP 400)
    │   ├── NotModified     nobody: the message already has this text and keyboard
    │   ├── TooOld          nobody: the tap can no longer be answered
    │   ├── ReplyRefused    the caller, as a note: the message cannot be replied to, and was sent without that
    │   ├── ThreadGone      the caller, as a note: the thread was deleted, and the message went to the chat itself
    │   ├── ParseFailed     the caller, as a note: the formatting was not understood, and plain text was sent
    │   ├── Unsupported     the caller: the server is older than the method, which no repetition changes
    │   └── Migrated        the caller, as a note: the chat has a new id, and the request was repeated there
    ├── Unauthorized        the operator: the token is wrong or was revoked
    ├── Forbidden           the caller: the bot is blocked, was removed, or lacks a permission there
    ├── Conflict            the operator: another program reads this bot, or a webhook is set
    ├── RateLimited         the caller, if the wait is too long: too many requests; retried after `retry_after` seconds
    ├── Unavailable         the caller, after retries: not executed, because of the connection or the server
    └── Ambiguous           the caller: the connection ended, and the request may have been executed
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "Ambiguous",
    "ChannelError",
    "ConfigError",
    "Conflict",
    "Forbidden",
    "HubRefused",
    "HubUnavailable",
    "LeaseLost",
    "Migrated",
    "NotModified",
    "ParseFailed",
    "PlatformError",
    "RateLimited",
    "Refused",
    "Rejected",
    "ReplyRefused",
    "StoreError",
    "ThreadGone",
    "TooOld",
    "Unauthorized",
    "Unavailable",
    "Unsupported",
    "UntrustedState",
]


class ChannelError(Exception):
    """Base of all errors that this program raises on purpose."""


class ConfigError(ChannelError):
    """A setting, the token or a folder is unusable; the operator has to act."""


class UntrustedState(ConfigError):
    """The state folder was neither made nor adopted by this user's program; nothing in it was read."""

    def __init__(self, text: str, folder: Path | None = None) -> None:
        """`folder`: the one that could be adopted; None if it cannot be."""
        super().__init__(text)
        self.folder = folder


class StoreError(ChannelError):
    """The database cannot be read or written; nothing was confirmed to the platform."""


class HubUnavailable(StoreError):
    """The hub's database does not answer at the moment; trying again may help."""


class HubRefused(StoreError):
    """The hub's database cannot be used by this program, however often it tries; the operator has to act."""


class LeaseLost(StoreError):
    """Another process has taken the bot's reading over; nothing was written."""


class Refused(ChannelError):
    """The request breaks a limit or an access rule; nothing was done."""


class PlatformError(ChannelError):
    """The platform refused the request, failed, or did not answer."""


class Rejected(PlatformError):
    """The platform understood the request and will never accept it."""


class NotModified(Rejected):
    """The message already has exactly this text and keyboard."""


class TooOld(Rejected):
    """The tap is too old to be answered, or was answered already."""


class ReplyRefused(Rejected):
    """The message that this one replies to cannot be replied to; without `reply_to` it can be sent."""


class ThreadGone(Rejected):
    """The thread is not there any more, or the chat that was one."""


class ParseFailed(Rejected):
    """The platform could not parse the formatting of the text."""


class Unsupported(Rejected):
    """The server does not know this method: it is older than the method."""


class Migrated(Rejected):
    """The chat was upgraded; `new_chat_id` is its id from now on."""

    def __init__(self, message: str, new_chat_id: str) -> None:
        super().__init__(message)
        self.new_chat_id = new_chat_id


class Unauthorized(PlatformError):
    """The token is wrong or was revoked."""


class Forbidden(PlatformError):
    """The bot may not write there: it was blocked or removed, or the person never started it."""


class Conflict(PlatformError):
    """Another program reads this bot, or a webhook is set."""


class RateLimited(PlatformError):
    """The platform got too many requests; repeat after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(PlatformError):
    """The request was certainly not executed: no connection, or a fault of the server."""


class Ambiguous(PlatformError):
    """The connection ended after the request was sent, so it may have been executed."""
