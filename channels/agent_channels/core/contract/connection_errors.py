"""What a failed connection means for the request, for every adapter that speaks through aiohttp.

What matters is whether the request may have been executed. Without a connection it was not; when the connection ended
while the answer was awaited, it may have been.
"""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp

from agent_channels.core.errors import Ambiguous, PlatformError, Unavailable
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.log import redact
from agent_channels.core.settings.network import Route, shown_url

__all__ = ["connection_error", "explain_route"]

# All of these are raised before the request is written. A proxy that answers CONNECT with an error passes nothing on.
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
_PROXY_FAILED = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError, aiohttp.ConnectionTimeoutError)
# How aiohttp reports a connection that ended before a byte of the request was written.
_UNWRITTEN = "Cannot write to closing transport"


# By platform: what a person can do about a proxy that fails, about connections that fail without one, and about a
# certificate that is not trusted.
_HINTS: dict[str, tuple[str, str, str]] = {}


def explain_route(platform: str, route: Route, certificates: Sequence[str]) -> None:
    """From now on errors of connections to a platform name the proxy, and the variables that name certificates."""
    proxied = (
        f"; the proxy is {shown_url(route.proxy)}, named by {route.source}: start it, or correct or remove it there"
        if route.proxy
        else ""
    )
    trusted = (
        f"; the certificates that count are those of {', '.join(certificates)}"
        if certificates
        else "; if a proxy inspects connections, name the file with its certificate in NODE_EXTRA_CA_CERTS"
    )
    _HINTS[platform] = (proxied, f"; {route.unused}" if route.unused else "", trusted)


def connection_error(error: Exception, platform: str) -> PlatformError:
    """Return `Unavailable` when a request that ended with `error` was surely not sent, else `Ambiguous`.

    `platform` is the platform's name in the message, which holds no secrets.
    """
    text = redact(str(error)) or type(error).__name__
    if isinstance(error, _NOT_SENT) or _unwritten(error.__cause__ or error):
        return Unavailable(
            sentence(
                "{platform} cannot be reached: {text}{hint}", platform=platform, text=text, hint=_hint(error, platform)
            )
        )
    return Ambiguous(
        sentence("the connection to {platform} ended before the answer: {text}", platform=platform, text=text)
    )


def _hint(error: Exception, platform: str) -> str:
    proxied, direct, trusted = _HINTS.get(platform, ("", "", ""))
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return trusted
    return proxied if isinstance(error, _PROXY_FAILED) else direct


def _unwritten(cause: BaseException) -> bool:
    return isinstance(cause, aiohttp.ClientConnectionResetError) and str(cause) == _UNWRITTEN
