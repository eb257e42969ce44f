"""The way to a platform: whether IPv6 leads there, remembered; and the proxy that the environment names."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = [
    "V4_FILE",
    "Route",
    "addresses",
    "endpoint",
    "env_proxy",
    "ipv4_only",
    "is_address",
    "remembered",
    "shown_url",
    "unreachable",
]

# A machine that is carried to another network gets another chance a day later.
REMEMBER_S = 86_400.0
# How long IPv6 may take before IPv4 is looked at; "Happy Eyeballs" (RFC 8305) waits 0.25 s at every connection.
HEADSTART_S = 1.0
CONNECT_S = 3.0
V4_FILE = "ipv4-only"
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Route:
    """How a platform's servers are reached: the address that is asked first, and the proxy on the way.

    `unused`: a proxy that the environment names and that cannot be used, with the reason.
    """

    url: str
    proxy: str | None = None
    unused: str = ""
    named: tuple[tuple[str, str], ...] = ()
    """Every setting that says where the token goes, with the address in force."""


Address = tuple[socket.AddressFamily, tuple[str, int]]


def endpoint(url: str) -> tuple[str, int]:
    """The host and port of a URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)


def shown_url(url: str) -> str:
    """A URL without the name and password in it."""
    parts = urlsplit(url)
    return url if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def addresses(host: str, port: int) -> list[Address]:
    """What a name resolves to. Raises OSError when it does not."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]


def env_proxy(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for a URL; None for none."""
    named = {name.lower(): value.strip() for name, value in environ.items() if name.lower().endswith("_proxy")}
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    proxy = named.get(f"{scheme}_proxy") or named.get("all_proxy")
    if not proxy or _bypassed(parts.hostname or "", named.get("no_proxy", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _bypassed(host: str, without: str) -> bool:
    # Heavy, and needed only where a proxy is named.
    import urllib.request

    return bool(urllib.request.proxy_bypass_environment(host, {"no": without}))  # type: ignore[attr-defined]


def ipv4_only(url: str, folder: Path, setting: bool | None) -> bool:  # noqa: FBT001
    """Whether connections to `url` are made over IPv4 only.

    Unset, it is found out where a name has addresses of both kinds: if IPv4 answers and IPv6 does not, that is
    remembered in `folder` for a day. Takes a second at most, in a network that swallows IPv6; call it from a thread.
    """
    if setting is not None:
        return setting
    host, port = endpoint(url)
    if is_address(host):
        return False
    if remembered(folder, host):
        return True
    try:
        found = addresses(host, port)
    except OSError:
        return False
    six = next((one for one in found if one[0] is socket.AF_INET6), None)
    four = next((one for one in found if one[0] is socket.AF_INET), None)
    if six is None or four is None or not unreachable(six, HEADSTART_S) or unreachable(four):
        return False
    with contextlib.suppress(OSError):
        (folder / V4_FILE).write_text(f"{host} {time.time():.0f}\n", encoding="utf-8")
    return True


def remembered(folder: Path, host: str) -> bool:
    """Whether it was found lately that IPv6 does not lead to `host`."""
    try:
        name, at = (folder / V4_FILE).read_text(encoding="utf-8").split()
        return name == host and 0 <= time.time() - float(at) < REMEMBER_S
    except (OSError, ValueError):
        return False


def is_address(host: str) -> bool:
    """Whether a host is written as a number, which no name server is asked for."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def unreachable(address: Address, within_s: float = CONNECT_S) -> str:
    """Why no TCP connection comes about within so many seconds; empty when one does."""
    family, where = address
    try:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(within_s)
            one.connect(where)
    except TimeoutError:
        return f"no answer in {within_s:.0f} s"
    except OSError as error:
        return error.strerror or str(error)
    return ""
