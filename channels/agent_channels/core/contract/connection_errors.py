"""What a failed connection means for the request, for every adapter that speaks through aiohttp.

What matters is whether the request may have been executed. Without a connection it was not; when the connection ended
while the answer was awaited, it may have been.
"""

from __future__ import annotations

import aiohttp

from agent_channels.core.errors import Ambiguous, PlatformError, Unavailable
from agent_channels.core.log import redact

__all__ = ["connection_error"]

# All of these are raised before the request is written. A proxy that answers CONNECT with an error passes nothing on.
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
# How aiohttp reports a connection that ended before a byte of the request was written.
_UNWRITTEN = "Cannot write to closing transport"


def connection_error(error: Exception, platform: str) -> PlatformError:
    """Return `Unavailable` when a request that ended with `error` was surely not sent, else `Ambiguous`.

    `platform` is the platform's name in the message, which holds no secrets.
    """
    text = redact(str(error)) or type(error).__name__
    if isinstance(error, _NOT_SENT) or _unwritten(error.__cause__ or error):
        return Unavailable(f"{platform} cannot be reached: {text}")
    return Ambiguous(f"the connection to {platform} ended before the answer: {text}")


def _unwritten(cause: BaseException) -> bool:
    return isinstance(cause, aiohttp.ClientConnectionResetError) and str(cause) == _UNWRITTEN
