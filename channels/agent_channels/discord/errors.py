"""Translates the errors of Discord, discord.py and aiohttp into ours.

What matters is whether the request may have been executed: an answer with a fault code says that it was not; what a
failed connection says is decided in `agent_channels.core.contract.connection_errors`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord

from agent_channels.core.contract.connection_errors import connection_error
from agent_channels.core.errors import (
    Ambiguous,
    Forbidden,
    PlatformError,
    RateLimited,
    Rejected,
    ReplyRefused,
    ThreadGone,
    TooOld,
    Unauthorized,
    Unavailable,
)
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.log import redact
from agent_channels.core.patterns import lazy_pattern

__all__ = ["answered", "closed", "tracing", "translated"]

# "JSON Error Codes" in Discord's documentation.
_UNKNOWN_CHANNEL = 10003
_TOO_OLD = {10015, 10062, 40060, 50027}
# Of a message that may not be read, of a system message, of one without the right kind.
_REPLY_REFUSED = {160002}
_REFERENCE = lazy_pattern(r"\bmessage_reference\b|REPLIES_", re.IGNORECASE)
_HINTS = {
    10003: "it was deleted, or the bot does not see this channel; its chat_id comes with every message",
    10004: "the bot is not in this server any more",
    10008: "the message is gone, or is in another channel; take the message_id of an event",
    10014: "Discord takes an emoji as one character, or name:id for a server's own",
    40005: "the file is larger than this server allows",
    50005: "only a message that the bot sent itself can be edited",
    50006: "an empty message cannot be sent",
    50024: "threads are opened in the text channels and forums of a server, not in a thread or a direct chat",
    50035: "",
}
_FORBIDDEN = {
    50001: "the bot does not see this channel; its role needs View Channel there",
    50007: "this person takes no direct messages from the bot: they blocked it, left the server they share with it, or "
    "switched direct messages off",
    50013: "the bot's role lacks a permission in this channel (Send Messages, Send Messages in Threads, Attach Files, "
    "Add Reactions or Read Message History)",
    50083: "the thread is archived and locked: somebody has to reopen it, or the bot's role needs Manage Threads",
    160005: "the thread is locked: somebody has to unlock it, or the bot's role needs Manage Threads",
    90001: "this person has blocked the bot; only they can unblock it",
}
TOKEN_WRONG = joined(
    ["Discord refuses the token (wrong or reset)", "set the current one with `channels setup discord`"]
)
INTENT_OFF = (
    "Discord refuses the connection because the Message Content Intent is switched off for this bot: switch it on in "
    "the developer portal, your application > Bot > Privileged Gateway Intents > Message Content Intent"
)
_CLOSED: dict[int, PlatformError] = {
    4004: Unauthorized(TOKEN_WRONG),
    4010: Unavailable("Discord refuses the shard (4010)"),
    4011: Forbidden("Discord asks for sharding (4011): this bot is in too many servers for one connection"),
    4012: Unavailable("Discord refuses the gateway's version (4012); update this program"),
    4013: Forbidden("Discord refuses the intents (4013); update this program"),
    4014: Forbidden(INTENT_OFF),
}


def closed(code: int | None) -> PlatformError:
    """Return our error for a close code of the gateway."""
    if code in _CLOSED:
        known = _CLOSED[code]
        return type(known)(str(known))
    return Unavailable(sentence("Discord closed the connection (code {code})", code=code))


@contextmanager
def translated() -> Iterator[None]:
    """Raise the errors of the libraries as ours."""
    try:
        yield
    except PlatformError:
        raise
    except discord.RateLimited as error:
        raise _limited(error.retry_after) from error
    except discord.LoginFailure as error:
        raise Unauthorized(TOKEN_WRONG) from error
    except discord.HTTPException as error:
        raise answered(error.status, error.code, error.text) from error
    except discord.ConnectionClosed as error:
        raise closed(error.code) from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise connection_error(error, "Discord") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # An answer that is not as the API promises.
        raise Ambiguous(sentence("Discord's answer could not be read ({name})", name=type(error).__name__)) from error


def answered(status: int, code: int, text: str) -> PlatformError:
    """Return our error for an answer of Discord's. `text` is its message with the nested form errors."""
    reason = " ".join(redact(text).split())[:600]
    if status == 401 and code not in _TOO_OLD:
        return Unauthorized(TOKEN_WRONG)
    if status >= 500:
        return Unavailable(sentence("Discord has a fault (HTTP {status})", status=status))
    if code in _TOO_OLD:
        return TooOld(f"Discord refuses it: {reason}")
    if code in _REPLY_REFUSED or (code == 50035 and _REFERENCE.search(reason)):
        return ReplyRefused(f"Discord refuses it: {reason}")
    if code in _FORBIDDEN:
        return Forbidden(_FORBIDDEN[code])
    if status == 403 and code not in _HINTS:
        return Forbidden(sentence("Discord forbids it: {reason}", reason=reason))
    hint, kind = _HINTS.get(code), ThreadGone if code == _UNKNOWN_CHANNEL else Rejected
    return kind(f"Discord refuses it: {reason}" + (f" ({hint})" if hint else ""))


def tracing() -> aiohttp.TraceConfig:
    """Return a trace that raises for rate limits and faults at once: the core decides about waiting and retries.

    The library would try five times over half a minute, even if the request may have been executed.
    """

    async def ended(
        session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        del session, context
        response = params.response
        if response.status != 429 and response.status < 500:
            return
        body = await response.text(errors="replace")
        response.release()
        if response.status >= 500:
            raise Unavailable(
                sentence(
                    "Discord has a fault (HTTP {status}); nothing is wrong here: wait a few minutes",
                    status=response.status,
                )
            )
        raise _limited(_retry_after(body, response.headers.get("Retry-After")))

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(ended)
    return trace


def _retry_after(body: str, header: str | None) -> float:
    try:
        found: Any = json.loads(body)
        return max(0.0, float(found["retry_after"]))
    except (ValueError, KeyError, TypeError):
        # A web page instead of JSON: the edge of Discord's network limits us.
        return float(header) if header and header.replace(".", "", 1).isdigit() else 60.0


def _limited(seconds: float) -> RateLimited:
    return RateLimited(
        sentence("Discord's rate limit: too many requests, retry after {seconds:.0f} s", seconds=seconds), seconds
    )
