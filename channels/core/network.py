"""The way to a platform: whether IPv6 leads there, remembered; and the proxy that the environment names."""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["V4_FILE", "Route", "addresses", "endpoint", "env_proxy", "ipv4_only", "remembered", "shown_url"]

# A machine that is carried to another network gets another chance a day later.
REMEMBER_S = 86_400.0
# How long IPv6 may take more than IPv4 before it counts as leading nowhere ("Happy Eyeballs" waits 0.25 s per try).
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
    return bool(urllib.request.proxy_bypass_environment(host, {"no": without}))  # type: ignore[attr-defined]


def ipv4_only(url: str, folder: Path, setting: bool | None) -> bool:  # noqa: FBT001
    """Whether connections to `url` are made over IPv4 only.

    Unset, it is found out where a name has addresses of both kinds: if IPv4 answers and IPv6 does not, that is
    remembered in `folder` for a day. Takes a second at most, in a network that swallows IPv6; call it from a thread.
    """
    if setting is not None:
        return setting
    host, port = endpoint(url)
    if _literal(host):
        return False
    if remembered(folder, host):
        return True
    try:
        found = addresses(host, port)
    except OSError:
        return False
    six = next((one for one in found if one[0] is socket.AF_INET6), None)
    four = next((one for one in found if one[0] is socket.AF_INET), None)
    if six is None or four is None or not _loses(six, four):
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


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _loses(six: Address, four: Address) -> bool:
    """Whether IPv4 connects and IPv6, which starts first, does not within the head start."""
    racers: dict[str, socket.socket | None] = {"six": _start(six), "four": _start(four)}
    deadline = time.monotonic() + HEADSTART_S
    won: set[str] = set()
    try:
        while "six" not in won and racers["six"] is not None:
            left = deadline - time.monotonic()
            waiting = {name: racer for name, racer in racers.items() if racer is not None and name not in won}
            if left <= 0 or not waiting:
                break
            _, ready, _ = select.select([], list(waiting.values()), [], left)
            for name, racer in waiting.items():
                if racer not in ready:
                    continue
                if racer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    racer.close()
                    racers[name] = None
                else:
                    won.add(name)
        if racers["six"] is None and racers["four"] is not None and "four" not in won:
            # IPv6 failed at once; whether IPv4 is any better shows in a moment.
            _, ready, _ = select.select([], [racers["four"]], [], CONNECT_S)
            if ready and not racers["four"].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                won.add("four")
    finally:
        for racer in racers.values():
            if racer is not None:
                racer.close()
    return "four" in won and "six" not in won


def _start(address: Address) -> socket.socket | None:
    family, where = address
    try:
        racer = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None
    racer.setblocking(False)  # noqa: FBT003
    try:
        racer.connect(where)
    except BlockingIOError:
        return racer
    except OSError:
        racer.close()
        return None
    return racer
