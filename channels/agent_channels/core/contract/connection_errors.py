"""What a failed connection means for the request: for what asyncio raises while it connects, and for aiohttp's errors.

What matters is whether the request may have been executed. Without a connection it was not; when the connection ended
while the answer was awaited, it may have been.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from agent_channels.core.errors import Ambiguous, PlatformError, Unavailable
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import joined, redacted, sentence
from agent_channels.core.log import redact
from agent_channels.core.settings.network import Route, shown_url

if TYPE_CHECKING:
    import aiohttp

__all__ = ["connection_error", "explain_route", "is_aiohttp_error", "no_answer", "not_connected", "not_written"]

# How aiohttp reports a connection that ended before a byte of the request was written.
_UNWRITTEN = "Cannot write to closing transport"
# OpenSSL's verify codes.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME = 9, 10, 62


@frozen
class _Way:
    """How a platform is reached, as far as a person can change it."""

    proxy: str = ""
    """Its address without the password, and what names it; "" without one."""
    has_password: bool = False
    unused: str = ""
    certificates: tuple[str, ...] = ()
    """The variables that name the certificates that count."""


_WAYS: dict[str, _Way] = {}


def explain_route(platform: str, route: Route, certificates: Sequence[str]) -> None:
    """From now on errors of connections to a platform name the proxy, and the variables that name certificates."""
    proxy = (
        sentence("{proxy}, named by {source}", proxy=shown_url(route.proxy), source=route.source) if route.proxy else ""
    )
    _WAYS[platform] = _Way(proxy, "@" in (route.proxy or ""), route.unused, tuple(certificates))


def is_aiohttp_error(error: BaseException | None) -> bool:
    """Return whether aiohttp raised an error; it is not imported for that."""
    aiohttp = sys.modules.get("aiohttp")
    return aiohttp is not None and isinstance(error, aiohttp.ClientError)


def connection_error(error: Exception, platform: str) -> PlatformError:
    """Return `Unavailable` when a request of aiohttp's that ended with `error` was surely not sent, else `Ambiguous`.

    `platform` is the platform's name in the message, which holds no secrets and ends with what to do.
    """
    import aiohttp

    cause = error.__cause__ or error
    if isinstance(cause, aiohttp.ClientConnectionResetError) and str(cause) == _UNWRITTEN:
        return not_written(platform)
    way = _WAYS.get(platform, _Way())
    match error:
        # All of these are raised before the request is written.
        case aiohttp.ClientHttpProxyError():
            # A proxy that answers CONNECT with an error passes nothing on.
            reason = _refused_by_proxy(error, way)
        case aiohttp.ClientProxyConnectionError():
            reason = _no_proxy(error.os_error, way)
        case aiohttp.ClientConnectorDNSError():
            reason = _no_name(error.host, error.os_error, way)
        case aiohttp.ClientConnectorCertificateError():
            reason = _bad_certificate(error.certificate_error, way)
        case aiohttp.ClientConnectorSSLError():
            reason = _no_tls(error.host, error.port, error.os_error)
        case aiohttp.ClientConnectorError():
            reason = _no_server(error.host, error.port, error.os_error, way)
        case aiohttp.ConnectionTimeoutError():
            reason = _nothing_in_time(way)
        case aiohttp.InvalidURL():
            reason = _text(error)
        case _:
            return no_answer(error, platform)
    return _unavailable(platform, redacted(reason))


def not_connected(error: OSError, host: str, port: int | None, platform: str) -> Unavailable:
    """Return what a connection without a proxy that did not come about means; `error` is what asyncio raised.

    A `TimeoutError` without a number is the caller's own: it waited no longer.
    """
    way = _WAYS.get(platform, _Way())
    match error:
        case socket.gaierror():
            reason = _no_name(host, error, way)
        case ssl.SSLCertVerificationError():
            reason = _bad_certificate(error, way)
        case ssl.SSLError():
            reason = _no_tls(host, port, error)
        case TimeoutError(errno=None):
            reason = _nothing_in_time(way)
        case _:
            reason = _no_server(host, port, error, way)
    return _unavailable(platform, redacted(reason))


def no_answer(error: Exception, platform: str) -> Ambiguous:
    """Return what it means that a connection ended with `error` after the request was sent."""
    return Ambiguous(
        sentence("the connection to {platform} ended before the answer: {text}", platform=platform, text=_text(error))
    )


def not_written(platform: str) -> Unavailable:
    """Return what it means that a connection ended before a byte of the request was written."""
    return _unavailable(platform, sentence("the connection was closed; it is safe to try again"))


def _unavailable(platform: str, reason: str) -> Unavailable:
    return Unavailable(sentence("{platform} cannot be reached: {reason}", platform=platform, reason=reason))


def _text(error: Exception) -> str:
    return redact(str(error)) or type(error).__name__


def _no_name(host: str, error: OSError, way: _Way) -> str:
    return _with_unused(
        sentence(
            "the name {host} does not resolve ({why}): see whether this machine is online and its name server answers",
            host=host,
            why=_why(error),
        ),
        way,
    )


def _no_tls(host: str, port: int | None, error: OSError) -> str:
    return sentence(
        "{host}:{port} does not speak TLS ({why}): something else answers there, such as the sign-in page of a network "
        "or a server without a certificate",
        host=host,
        port=port,
        why=_why(error),
    )


def _no_server(host: str, port: int | None, error: OSError, way: _Way) -> str:
    return _with_unused(
        sentence(
            "{host}:{port} takes no connection ({why}): {advice}",
            host=host,
            port=port,
            why=_why(error),
            advice=_advice(error),
        ),
        way,
    )


def _advice(error: OSError) -> str:
    if _number(error) == errno.ECONNREFUSED:
        return sentence("nothing listens there, or a firewall refuses it; correct the address if you set one")
    return sentence("see whether this machine is online")


def _nothing_in_time(way: _Way) -> str:
    return _with_unused(_no_connection(way), way)


def _no_connection(way: _Way) -> str:
    if way.proxy:
        return sentence(
            "there was no connection through the proxy {proxy}: see whether this machine is online, and whether a "
            "firewall drops what it sends",
            proxy=way.proxy,
        )
    return sentence(
        "there was no connection in time: see whether this machine is online, and whether a firewall drops what it "
        "sends"
    )


def _with_unused(reason: str, way: _Way) -> str:
    return joined([reason, way.unused]) if way.unused else reason


def _why(error: OSError) -> str:
    """Return an error of the system in its own words; asyncio puts several into the text of one."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    number = _number(error)
    return os.strerror(number) if number else error.strerror or str(error)


def _number(error: OSError) -> int:
    """Return the number of an error of the system, of several the first; 0 if it has none."""
    return error.errno or next(filter(None, map(int, re.findall(r"\[Errno (\d+)\]", str(error)))), 0)


def _no_proxy(error: OSError, way: _Way) -> str:
    text = error.strerror or str(error)
    # What a SOCKS proxy wants is in its library's words.
    if "auth" in text.lower():
        return _wants_password(way)
    return sentence(
        "the proxy {proxy}, takes no connection ({reason}): start it, or correct or remove it there",
        proxy=way.proxy,
        reason=_why(error) if _number(error) else text,
    )


def _wants_password(way: _Way) -> str:
    if way.has_password:
        return sentence(
            "the proxy {proxy}, refuses the user name and the password in it: correct them there", proxy=way.proxy
        )
    return sentence(
        "the proxy {proxy}, asks for a user name and a password: write them into it there, as "
        "http://USER:PASSWORD@HOST:PORT",
        proxy=way.proxy,
    )


def _refused_by_proxy(error: aiohttp.ClientHttpProxyError, way: _Way) -> str:
    if error.status == 407:
        return _wants_password(way)
    answer = f"{error.status} {error.message}".strip()
    if error.status >= 500:
        return sentence(
            "the proxy {proxy}, cannot make the connection ({answer}): see whether it is online itself",
            proxy=way.proxy,
            answer=answer,
        )
    return sentence(
        "the proxy {proxy}, refuses the connection ({answer}): have it allow this host, or name another proxy there",
        proxy=way.proxy,
        answer=answer,
    )


def _bad_certificate(error: Exception, way: _Way) -> str:
    code = getattr(error, "verify_code", None)
    reason = getattr(error, "verify_message", None) or str(error)
    now = f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"
    if code == _NOT_YET_VALID:
        return sentence("its certificate is not valid yet, and this machine's clock says {now}: set the clock", now=now)
    if code == _EXPIRED:
        return sentence(
            "its certificate has expired, and this machine's clock says {now}: set the clock if that is wrong; else "
            "the operator of that server or proxy has to renew the certificate",
            now=now,
        )
    if code == _OTHER_NAME:
        return sentence(
            "its certificate is for another name ({reason}): something else answers there, such as a proxy",
            reason=reason,
        )
    if way.certificates:
        names = ", ".join(way.certificates)
        return sentence(
            "its certificate is not trusted ({reason}): the certificates that count are those of {names}, so add the "
            "one that signed it there, or unset {names}",
            reason=reason,
            names=names,
        )
    return sentence(
        "its certificate is not trusted ({reason}): if a proxy or a virus scanner inspects connections, name the file "
        "with its certificate in NODE_EXTRA_CA_CERTS",
        reason=reason,
    )
