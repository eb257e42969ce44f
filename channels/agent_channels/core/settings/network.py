"""The route to a platform's servers: their address, and the proxy that the settings or the environment name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Route", "endpoint", "env_proxy", "route", "shown_url"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Route:
    """How a platform's servers are reached."""

    url: str
    """The address that is asked first."""
    proxy: str | None = None
    """The proxy for every connection; None: direct connections."""
    unused: str = ""
    """Why a proxy that the environment names is not used; empty when none is left unused."""
    endpoints: tuple[tuple[str, str], ...] = ()
    """Every setting that says where the token goes, with the address in force."""


def route(
    endpoints: tuple[tuple[str, str], ...],
    proxy: str | None,
    environ: Mapping[str, str],
    schemes: tuple[str, ...],
    refusal: str,
) -> Route:
    """Return the route to the first of `endpoints`, with the proxy of the settings or else of the environment.

    A proxy of the environment is left unused, with `refusal` as the reason, unless it begins with one of `schemes`.
    """
    url = endpoints[0][1]
    named = env_proxy(url, environ)
    if proxy is None and named is not None and not named.startswith(schemes):
        reason = f"the environment names {shown_url(named)}, which is not used: {refusal}"
        return Route(url, None, reason, endpoints)
    return Route(url, proxy or named, endpoints=endpoints)


def endpoint(url: str) -> tuple[str, int]:
    """Return the host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)


def shown_url(url: str) -> str:
    """Return a URL without the user name and password in it."""
    parts = urlsplit(url)
    return url if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def env_proxy(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for a URL; None for none."""
    named = {name.lower(): value.strip() for name, value in environ.items() if name.lower().endswith("_proxy")}
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    proxy = named.get(f"{scheme}_proxy") or named.get("all_proxy")
    if not proxy or _bypassed(parts.hostname or "", named.get("no_proxy", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _bypassed(host: str, without: str) -> bool:
    # A heavy import, needed only where a proxy is named.
    import urllib.request

    return bool(urllib.request.proxy_bypass_environment(host, {"no": without}))  # type: ignore[attr-defined]
