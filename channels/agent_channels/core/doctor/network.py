"""Checks of the way to the platform: names, IPv6, the proxy. All of them block, each at most a few seconds."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

from agent_channels.core.contract.checks import Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.settings.network import (
    Route,
    addresses,
    endpoint,
    is_address,
    remembered,
    shown_url,
    unreachable,
)

__all__ = ["dns", "ipv6", "proxy"]


def dns(_case: Setup, way: Route) -> Finding:
    """Whether the first host's name resolves."""
    host, port = _first(way)
    if is_address(host):
        return fine("the address needs no name server", host)
    try:
        found = addresses(host, port)
    except OSError as error:
        return wrong(
            f"the name {host} does not resolve",
            error.strerror or str(error),
            "see whether this machine is online and its name server answers; in a container or behind a company's "
            "network, name its proxy (setting `proxy`)",
        )
    kinds = {family: [where[0] for kind, where in found if kind is family][:3] for family, _ in found}
    shown = "; ".join(f"{family.name}: {', '.join(dict.fromkeys(hosts))}" for family, hosts in kinds.items())
    return fine(f"{host} resolves", shown)


def ipv6(case: Setup, way: Route) -> Finding:
    """Whether the platform has IPv6 addresses that lead nowhere."""
    host, port = _first(way)
    if way.proxy:
        return skipped("a proxy makes the connections")
    set_ = case.settings.ipv4 if case.settings else None
    if set_:
        return fine("only IPv4 is used", "ipv4: true")
    try:
        found = [] if is_address(host) else addresses(host, port)
    except OSError:
        return skipped("the name does not resolve")
    six = [one for one in found if one[0] is socket.AF_INET6]
    four = [one for one in found if one[0] is socket.AF_INET]
    if not six or not four:
        return fine("there is nothing to choose", f"{len(six)} IPv6 and {len(four)} IPv4 addresses")
    with ThreadPoolExecutor(2) as pool:
        bad6, bad4 = pool.map(unreachable, (six[0], four[0]))
    evidence = f"IPv6 {six[0][1][0]}: {bad6 or 'connects'}; IPv4 {four[0][1][0]}: {bad4 or 'connects'}"
    if not bad6 or bad4:
        return fine("IPv6 is no worse than IPv4", evidence)
    if set_ is None and remembered(case.env.state_dir, host):
        return note("IPv6 leads nowhere here; that was found out, and IPv4 is used", evidence)
    return wrong(
        f"IPv6 leads nowhere here, though {host} has IPv6 addresses",
        evidence,
        "mend the network's IPv6, or set `ipv4: true` in config.yaml"
        + ("" if set_ is None else " (it is false now, which switches the fallback off)"),
    )


def proxy(_case: Setup, way: Route) -> Finding:
    """Whether the proxy on the way takes connections."""
    if way.unused:
        return note("a proxy of the environment is not used", way.unused)
    if not way.proxy:
        return fine("no proxy is used")
    shown = shown_url(way.proxy)
    try:
        found = addresses(*endpoint(way.proxy))
    except OSError as error:
        return wrong(f"the proxy {shown} is not found", error.strerror or str(error), NEXT)
    why = unreachable(found[0])
    if why:
        return wrong(f"the proxy {shown} takes no connection", why, NEXT)
    return fine("the proxy takes connections", shown)


NEXT = (
    "start it, or mend or remove it: setting `proxy` in config.yaml, <CHANNEL>_PROXY or HTTPS_PROXY in the environment"
)


def _first(way: Route) -> tuple[str, int]:
    return endpoint(way.proxy or way.url)
