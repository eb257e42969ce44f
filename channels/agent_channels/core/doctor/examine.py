"""Runs the checks of `channels doctor`: every known cause of silence has a name, a finding, evidence and a next step.

Checks do not raise; those that wait for the network run concurrently and are abandoned after five seconds. A check
that fails only because another one did is skipped, so that the report names causes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import EnabledGroup, Finding, Setup, fine, skipped, wrong
from agent_channels.core.doctor import host, local, network
from agent_channels.core.doctor.agent_hosts import checks_of
from agent_channels.core.doctor.fonts import pdf_fonts
from agent_channels.core.doctor.hub import gather_hub, hub_findings
from agent_channels.core.errors import Ambiguous, ChannelError, ConfigError, PlatformError, RateLimited, Unauthorized
from agent_channels.core.frozen import frozen
from agent_channels.core.host.agents.agent_host import AgentHost
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.log import redact
from agent_channels.core.runtime.status import facts
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.store.database import Store

__all__ = ["REFUSED", "Report", "examine", "gather", "glance", "platform_findings"]

TIMEOUT_S = 5.0
# Importing a platform's library takes time that no check is charged for.
CONNECT_TIMEOUT_S = 10.0
REFUSED = "the platform does not know the token"
UNREACHABLE = "follow that message; the checks `server`, `dns`, `ipv6` and `proxy` say more"

LocalCheck = Callable[[Setup], Finding]

# The report follows the way of a message: this machine, the settings, the route, the platform, the store, the host.
# The checks of the machine start a program or write a file; all other local checks only read.
MACHINE_CHECKS: dict[str, LocalCheck] = {
    "python": local.python,
    "trust": local.trust,
    "state folder": local.state_folder,
}
SETTINGS_CHECKS: dict[str, LocalCheck] = {
    "settings": local.settings,
    "extras": local.extras,
    "token": local.token,
}
ROUTE_CHECKS = ("server", "dns", "ipv6", "proxy")
STORE_CHECKS: dict[str, LocalCheck] = {
    "database": local.database,
    "people": local.people,
    "messages": local.messages,
    "reader": local.reader,
}
# Only where its setting is on; it starts a program.
PDF_CHECKS: dict[str, LocalCheck] = {"fonts": pdf_fonts}
HOST_CHECKS: dict[str, LocalCheck] = {
    "entry": host.entry,
    "hooks": host.hooks,
    "flag": host.flag,
    "telemetry": host.telemetry,
    "policy": host.policy,
    "mode": host.mode,
}


@frozen
class Report:
    """The findings of one channel by the name of their check, in order."""

    channel: str
    findings: Mapping[str, Finding]

    @property
    def healthy(self) -> bool:
        """True if no check found anything wrong."""
        return not self.wrong()

    def wrong(self) -> dict[str, Finding]:
        """Return the findings that keep messages from coming or going."""
        return {name: finding for name, finding in self.findings.items() if finding.state == "wrong"}

    def to_json(self) -> dict[str, Any]:
        """Return the report for JSON: channel, ok, checks [{check, state, found, evidence, next}]."""
        return {
            "channel": self.channel,
            "ok": self.healthy,
            "checks": [finding.to_json(name) for name, finding in self.findings.items()],
        }


async def examine(
    channel: Channel, env: Environment, *, disturb: bool = True, agent_host: AgentHost | None = None
) -> Report:
    """Run every check of one channel.

    `disturb` allows a check to interrupt another reader of the bot for a moment, which is how it is found.
    `agent_host`: the host that is to start the server; by default Claude Code.
    """
    # Opening the database repairs the modes of its files, so they are checked before.
    machine = _run(MACHINE_CHECKS, Setup(env))
    setup = gather(channel, env, disturb=disturb)
    known = await _asked_hub(setup)
    if isinstance(known, Mapping):
        setup = replace(setup, hub_reader=known["reader"] if (known["reader"] or {}).get("left_s", 0) > 0 else None)
    host_checks = HOST_CHECKS if agent_host is None else checks_of(agent_host) | {"mode": host.mode}
    settings, store, of_host = (_run(checks, setup) for checks in (SETTINGS_CHECKS, STORE_CHECKS, host_checks))
    if setup.settings is not None and setup.settings.yt2pdf:
        settings |= _run(PDF_CHECKS, setup)
    remote = await _remote_findings(channel, setup)
    shared = hub_findings(setup, known)
    return Report(channel.name, _without_consequences(machine | settings | remote | shared | store | of_host))


async def _asked_hub(setup: Setup) -> Mapping[str, Any] | Finding | None:
    try:
        with anyio.fail_after(TIMEOUT_S):
            return await gather_hub(setup)
    except TimeoutError:
        return wrong(
            sentence("the hub gave no answer in {seconds:.0f} s", seconds=TIMEOUT_S),
            "given up",
            "see whether its database is well",
        )
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide the others
        return _failed("hub", error)


def glance(channel: Channel, env: Environment, known: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what the local checks that only read find wrong, as {check, found, next}; `known` are the facts."""
    setup = gather(channel, env) if "inbox" not in known else _read_settings(channel, Setup(env, facts=known))
    trust = {"trust": MACHINE_CHECKS["trust"]}
    findings = _without_consequences(_run(trust | SETTINGS_CHECKS | STORE_CHECKS | HOST_CHECKS, setup))
    return [
        {"check": name, "found": finding.found, "next": finding.next}
        for name, finding in findings.items()
        if finding.state == "wrong"
    ]


def gather(channel: Channel, env: Environment, *, disturb: bool = True) -> Setup:
    """Read a channel's settings, token and database; creates no state folder and no database."""
    return _read_database(_read_settings(channel, Setup(env, disturb=disturb)))


def _read_settings(channel: Channel, setup: Setup) -> Setup:
    try:
        setup = replace(setup, settings=load(channel.settings, setup.env))
    except ConfigError as error:
        setup = replace(setup, settings_problem=words_of(error))
    try:
        token = setup.env.token()
        return replace(setup, token=token, bot_id=channel.bot_id(token) if token else None)
    except ConfigError as error:
        return replace(setup, token_problem=words_of(error))


def _read_database(setup: Setup) -> Setup:
    folder = setup.env.state_dir
    try:
        if not os.path.lexists(folder / "channel.db"):
            return setup
        with Store.open(folder) as store:
            known = facts(setup.env.channel, folder, Services.of(store), setup.bot_id)
    except (ChannelError, OSError) as error:
        return replace(setup, database_problem=words_of(error))
    groups = tuple(
        EnabledGroup(group["id"], group["title"], bool(group["require_mention"]), bool(group["patterns"]))
        for group in known["groups"]
    )
    return replace(setup, facts=known, groups=groups)


# ---- running checks


def _run(checks: Mapping[str, LocalCheck], setup: Setup) -> dict[str, Finding]:
    return {name: _guarded(name, partial(check, setup)) for name, check in checks.items()}


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide the others
        return _failed(name, error)


async def _within_timeout(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    started = time.monotonic()
    try:
        with anyio.fail_after(TIMEOUT_S):
            return await check()
    except TimeoutError:
        return wrong(
            sentence("there was no answer in {seconds:.0f} s", seconds=TIMEOUT_S),
            sentence("given up after {seconds:.1f} s", seconds=time.monotonic() - started),
            "see the checks `dns`, `ipv6` and `proxy`; a firewall that drops packets looks like this too",
        )
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide the others
        return _failed(name, error)


def _failed(name: str, error: Exception) -> Finding:
    if isinstance(error, ChannelError):
        return skipped(words_of(error))
    return skipped(
        sentence("the check {name!r} failed: {error}", name=name, error=redact(f"{type(error).__name__}: {error}"))
    )


def _without_consequences(findings: dict[str, Finding]) -> dict[str, Finding]:
    """Skip the checks that failed only because another one did."""

    def is_wrong(name: str) -> bool:
        return name in findings and findings[name].state == "wrong"

    if is_wrong("trust"):
        consequences = {"state folder", *SETTINGS_CHECKS, *STORE_CHECKS} & findings.keys()
        return {n: skipped("see `trust`") if n in consequences else finding for n, finding in findings.items()}
    cause = next((name for name in (*SETTINGS_CHECKS, *ROUTE_CHECKS) if is_wrong(name)), None)
    if cause and is_wrong("bot") and (findings["bot"].found != REFUSED or cause == "token"):
        findings["bot"] = skipped(sentence("the platform could not be asked: see `{cause}`", cause=cause))
    if is_wrong("database") and is_wrong("state folder"):
        findings["database"] = skipped("see `state folder`")
    return findings


# ---- checks that use the network


async def _remote_findings(channel: Channel, setup: Setup) -> dict[str, Finding]:
    """Return the findings about the route and the platform, in order; none without valid settings."""
    if setup.settings is None:
        return {}
    route = channel.route(setup.env, setup.settings)
    default_route = channel.route(Environment(channel.name, {}), channel.settings())
    blocking: dict[str, Callable[[], Finding]] = {
        "dns": partial(network.dns, setup, route),
        "ipv6": partial(network.ipv6, setup, route),
        "proxy": partial(network.proxy, setup, route),
    }
    findings: dict[str, Finding] = {}
    platform: dict[str, Finding] = {}

    async def run_in_thread(name: str, check: Callable[[], Finding]) -> None:
        run = partial(anyio.to_thread.run_sync, check, abandon_on_cancel=True)
        findings[name] = await _within_timeout(name, run)

    async def ask_platform() -> None:
        platform.update(await _ask_platform(channel, setup))

    async with anyio.create_task_group() as group:
        for name, check in blocking.items():
            group.start_soon(run_in_thread, name, check)
        await run_in_thread("server", partial(local.server, setup, route, default_route))
        # Asking a server that a file of the repository names would hand it the token.
        if findings["server"].state != "wrong":
            group.start_soon(ask_platform)
    return {name: findings[name] for name in ROUTE_CHECKS} | platform


async def _ask_platform(channel: Channel, setup: Setup) -> dict[str, Finding]:
    """Ask the platform who the bot is, and if it answers, run the platform's own checks."""
    if setup.settings is None or setup.token is None or setup.bot_id is None:
        return {}
    adapter: Adapter | None = None
    try:
        with anyio.move_on_after(CONNECT_TIMEOUT_S):
            adapter = await anyio.to_thread.run_sync(
                channel.connect, setup.env, setup.settings, setup.token, abandon_on_cancel=True
            )
    except ConfigError as error:
        return {"bot": wrong("the platform cannot be asked", words_of(error), "follow that message")}
    except Exception as error:  # noqa: BLE001 - whatever keeps the library from being imported
        cause = redact(f"{type(error).__name__}: {error}")
        return {"bot": wrong("the platform's library cannot be loaded", cause, "install this program again")}
    if adapter is None:
        return {"bot": skipped("the platform's library was not loaded in time")}
    async with adapter:
        bot = await _within_timeout("bot", partial(_bot, adapter))
        if bot.state != "ok":
            return {"bot": bot}
        return {"bot": bot} | await platform_findings(channel, adapter, setup, bot_id=setup.bot_id)


async def platform_findings(channel: Channel, adapter: Adapter, setup: Setup, *, bot_id: str) -> dict[str, Finding]:
    """Run the platform's own checks through an adapter whose token works."""
    checks = channel.checks(adapter, replace(setup, bot_id=bot_id))
    findings: dict[str, Finding] = {}

    async def run(name: str) -> None:
        findings[name] = await _within_timeout(name, checks[name])

    async with anyio.create_task_group() as group:
        for name in checks:
            group.start_soon(run, name)
    return {name: findings[name] for name in checks}


async def _bot(adapter: Adapter) -> Finding:
    """Check that the platform accepts the token."""
    try:
        bot = await adapter.identify()
    except Unauthorized as error:
        return wrong(REFUSED, words_of(error), "follow that message, which says how to set the current token")
    except RateLimited as error:
        return wrong(
            "the platform limits this bot's requests",
            words_of(error),
            "wait that long, and find the program that sends so many requests",
        )
    except Ambiguous as error:
        return wrong("the platform's answer did not arrive or cannot be read", words_of(error), UNREACHABLE)
    except PlatformError as error:
        return wrong("the platform cannot be asked", words_of(error), UNREACHABLE)
    return fine(
        sentence("the token belongs to @{username} ({name})", username=bot.username, name=bot.name),
        sentence("id {id}", id=bot.id),
    )
