"""Checks of the route to the platform: names, IPv6, the proxy. All of them block, each for a few seconds at most."""

from __future__ import annotations

import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor

from agent_channels.core.contract.checks import Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.network import Route, endpoint, shown_url

__all__ = ["dns", "ipv6", "proxy"]

CONNECT_S = 3.0

Address = tuple[socket.AddressFamily, tuple[str, int]]


def dns(_setup: Setup, route: Route) -> Finding:
    """Whether the name of the first host resolves."""
    host, port = _first_hop(route)
    if _is_address(host):
        return fine("the address needs no name server", host)
    try:
        found = _addresses(host, port)
    except (OSError, UnicodeError) as error:
        return wrong(
            sentence("the name {host} does not resolve", host=host),
            getattr(error, "strerror", None) or str(error),
            (
                "see whether this machine is online and its name server answers; in a container or behind a "
                "company's network, name its proxy (setting `proxy`)"
            ),
        )
    hosts = {family: [where[0] for kind, where in found if kind is family][:3] for family, _ in found}
    evidence = "; ".join(f"{family.name}: {', '.join(dict.fromkeys(names))}" for family, names in hosts.items())
    return fine(sentence("{host} resolves", host=host), evidence)


def ipv6(setup: Setup, route: Route) -> Finding:
    """Whether the platform has IPv6 addresses that lead nowhere, which delays each connection by a moment."""
    host, port = _first_hop(route)
    if route.proxy:
        return skipped("a proxy makes the connections")
    if setup.settings and setup.settings.ipv4:
        return fine("only IPv4 is used", "ipv4: true")
    try:
        found = [] if _is_address(host) else _addresses(host, port)
    except (OSError, UnicodeError):
        return skipped("the name does not resolve")
    six = [address for address in found if address[0] is socket.AF_INET6]
    four = [address for address in found if address[0] is socket.AF_INET]
    if not six or not four:
        return fine(
            "there is nothing to choose",
            sentence("IPv6 addresses: {six}; IPv4 addresses: {four}", six=len(six), four=len(four)),
        )
    with ThreadPoolExecutor(2) as pool:
        problem6, problem4 = pool.map(_connection_problem, (six[0], four[0]))
    evidence = sentence(
        "IPv6 {six}: {problem6}; IPv4 {four}: {problem4}",
        six=six[0][1][0],
        problem6=problem6 or "connects",
        four=four[0][1][0],
        problem4=problem4 or "connects",
    )
    if not problem6 or problem4:
        return fine("IPv6 is no worse than IPv4", evidence)
    return note(
        sentence(
            "IPv6 leads nowhere here, though {host} has IPv6 addresses: a new connection takes a quarter of "
            "a second longer, until IPv4 is tried",
            host=host,
        ),
        evidence,
        "fix the network's IPv6, or set `ipv4: true` in config.yaml",
    )


def proxy(_setup: Setup, route: Route) -> Finding:
    """Whether the proxy on the route takes connections."""
    if route.unused:
        return note(
            "a proxy of the environment is not used",
            route.unused,
            sentence("correct or unset {source}", source=route.source),
        )
    if not route.proxy:
        return fine("no proxy is used")
    fix = sentence("start it, or correct or remove it in {source}", source=route.source)
    try:
        found = _addresses(*endpoint(route.proxy))
    except (OSError, UnicodeError) as error:
        return wrong(
            sentence(
                "the proxy {proxy}, named by {source}, is not found", proxy=shown_url(route.proxy), source=route.source
            ),
            getattr(error, "strerror", None) or str(error),
            fix,
        )
    problem = _connection_problem(found[0])
    if problem:
        return wrong(
            sentence(
                "the proxy {proxy}, named by {source}, takes no connection",
                proxy=shown_url(route.proxy),
                source=route.source,
            ),
            problem,
            fix,
        )
    return fine(
        "the proxy takes connections",
        sentence("{proxy}, named by {source}", proxy=shown_url(route.proxy), source=route.source),
    )


def _first_hop(route: Route) -> tuple[str, int]:
    return endpoint(route.proxy or route.url)


def _addresses(host: str, port: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]


def _is_address(host: str) -> bool:
    """Whether a host is written as a number, which no name server is asked for."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _connection_problem(address: Address) -> str:
    """Return why no TCP connection comes about within three seconds; empty when one does."""
    family, where = address
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_S)
            connection.connect(where)
    except TimeoutError:
        return sentence("no answer in {seconds:.0f} s", seconds=CONNECT_S)
    except OSError as error:
        return error.strerror or str(error)
    return ""
