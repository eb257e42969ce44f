"""The route to a platform's servers: their address, and the proxy that the settings or the environment name.

The libraries read none of it themselves: they understand different spellings, and fail on the others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote, urlsplit

from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import sentence, words_of

__all__ = [
    "Route",
    "check_host",
    "endpoint",
    "env_proxy",
    "http_proxy_url",
    "is_loopback",
    "proxy_url",
    "route",
    "shown_url",
]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SOCKS_PORT = 1080
# Desktops write socks:// for SOCKS 5.
_SPELLINGS = {"socks": "socks5", "socks4a": "socks4"}


@frozen
class Route:
    """How a platform's servers are reached."""

    url: str
    """The address that is asked first."""
    proxy: str | None = None
    """The proxy for every connection; None: direct connections."""
    unused: str = ""
    """Why a proxy that the environment names is not used, and what to do; empty when none is left unused."""
    endpoints: tuple[tuple[str, str], ...] = ()
    """Every setting that says where the token goes, with the address in force."""
    source: str = ""
    """What names the proxy, or the unused one: a variable, or a file; empty without one."""


def route(
    endpoints: tuple[tuple[str, str], ...],
    proxy: str | None,
    origin: Callable[[str], str],
    environ: Mapping[str, str],
    schemes: tuple[str, ...],
    refusal: str,
) -> Route:
    """Return the route to the first of `endpoints`, with the proxy of the settings or else of the environment.

    `origin` returns what sets a setting, by its name: a variable, or a file.
    A proxy of the environment is left unused, with the reason, if `proxy_url` refuses it.
    """
    url = endpoints[0][1]
    if proxy is not None:
        return Route(url, proxy, endpoints=endpoints, source=origin("proxy"))
    variable = _proxy_variable(url, environ)
    if variable is None:
        return Route(url, endpoints=endpoints)
    try:
        return Route(url, proxy_url(environ[variable], schemes, refusal), endpoints=endpoints, source=variable)
    except ValueError as error:
        value = shown_url(environ[variable].strip())
        reason = sentence(
            "{variable} is {value!r}, which is not used: {error}; correct or unset {variable}",
            variable=variable,
            value=value,
            error=words_of(error),
        )
        return Route(url, None, reason, endpoints, variable)


def http_proxy_url(text: str, schemes: tuple[str, ...], no_socks: str) -> str:
    """Do as `proxy_url`, for a library that knows no SOCKS, which `no_socks` says. Raises ValueError."""
    socks = text.strip().lower().startswith("socks")
    return proxy_url(text, schemes, no_socks if socks else "it must begin with http:// or https://")


def proxy_url(text: str, schemes: tuple[str, ...], refusal: str) -> str:
    """Return a proxy as `scheme://[user[:password]@]host:port`, however it was spelt; without a scheme it is HTTP.

    Raises ValueError, without the password, if it is malformed; with `refusal` unless its scheme is one of `schemes`,
    such as "http://".
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme
        if re.match(r"\w+:/", rest):
            raise ValueError(refusal)
    scheme = _SPELLINGS.get(scheme.lower(), scheme.lower())
    if f"{scheme}://" not in schemes:
        raise ValueError(refusal)
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest and "@" not in place:
        raise ValueError("in its user name and password, write / ? # as %2F %3F %23")
    user, at, host = place.rpartition("@")
    try:
        parts = urlsplit(f"//{host}")
        name, port = check_host(parts.hostname), parts.port or _PORTS.get(scheme, _SOCKS_PORT)
    except ValueError:
        # Not with its words, which may hold a password.
        raise ValueError(f"write it as {scheme}://host:port") from None
    user = ":".join(quote(unquote(part), safe="") for part in user.split(":", 1))
    return f"{scheme}://{user}{at}{f'[{name}]' if ':' in name else name}:{port}"


def check_host(name: str | None) -> str:
    """Return a host's name. Raises ValueError if none can have it: libraries fail on such names in odd ways."""
    if not name or not re.fullmatch(r"[^\s\x00-\x20\x7f%\\^|<>\"{}]+", name):
        raise ValueError("there is no host of that name")
    # A UnicodeError, and so a ValueError, for a part that is empty or too long.
    name.encode("idna")
    return name


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: `localhost`, or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint(url: str) -> tuple[str, int]:
    """Return the host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, _SOCKS_PORT)


def shown_url(url: str) -> str:
    """Return a URL, which may be malformed, without the user name and password in it."""
    return re.sub(r"^([^:/?#@]*://)?.*@", r"\1", url, flags=re.DOTALL)


def env_proxy(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for a URL; None for none."""
    variable = _proxy_variable(url, environ)
    if variable is None:
        return None
    proxy = environ[variable].strip()
    return proxy if "://" in proxy else f"http://{proxy}"


def _proxy_variable(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the name of the variable that names the proxy for a URL: in lower case first, as curl reads them."""
    host, port = endpoint(url)
    scheme = "https" if urlsplit(url).scheme in {"https", "wss"} else "http"
    for name in (f"{scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if environ.get(variable, "").strip():
                without = environ.get("no_proxy", "").strip() or environ.get("NO_PROXY", "")
                return None if _bypassed(host, port, without) else variable
    return None


def _bypassed(host: str, port: int, without: str) -> bool:
    """Return True if NO_PROXY names a host: as `*`, a domain, an address or a network, with a port or without."""
    return any(_matches(host.lower().rstrip("."), port, entry) for entry in re.split(r"[\s,;]+", without.lower()))


def _matches(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    else:
        return _is_in(host, network)
    with_port = re.fullmatch(r"(\[[^]]*\]|[^:]*):(\d+)", entry)
    if with_port:
        return int(with_port[2]) == port and _matches(host, port, with_port[1])
    domain = entry.strip("[]").removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _is_in(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address in network
