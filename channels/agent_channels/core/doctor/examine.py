"""`doctor`: every known cause of silence as a check with a name, a finding, its evidence and the next step.

Checks never raise, run side by side, and are each given up after five seconds. One cause is said once: what only
follows from another finding is skipped.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import Check, Finding, Place, Setup, fine, skipped, wrong
from agent_channels.core.doctor import host as doctor_host
from agent_channels.core.doctor import local as doctor_local
from agent_channels.core.doctor import network as doctor_net
from agent_channels.core.errors import Ambiguous, ChannelError, ConfigError, PlatformError, RateLimited, Unauthorized
from agent_channels.core.log import redact
from agent_channels.core.runtime.status import facts
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.store.database import Store

__all__ = ["LIMIT_S", "REFUSED", "Report", "examine", "gather", "glance", "platform_findings"]

LIMIT_S = 5.0
# Importing a platform's library counts towards no check.
CONNECT_S = 10.0
# Findings behind which the platform cannot be asked, so that nothing is to be said of its silence.
ON_THE_WAY = ("settings", "token", "server", "dns", "proxy", "ipv6")
REFUSED = "the platform does not know the token"

Local = Callable[[Setup], Finding]

# What is read from this machine's own files, in the order of the report.
_LOCAL: dict[str, Local] = {
    "settings": doctor_local.settings,
    "token": doctor_local.token,
    "database": doctor_local.database,
    "people": doctor_local.people,
    "messages": doctor_local.messages,
    "reader": doctor_local.reader,
    "entry": doctor_host.entry,
    "hooks": doctor_host.hooks,
    "flag": doctor_host.flag,
    "telemetry": doctor_host.telemetry,
    "policy": doctor_host.policy,
    "mode": doctor_host.mode,
}
# What starts a program or writes a file, and is left out where only a glance is wanted.
_DEEPER: dict[str, Local] = {
    "python": doctor_local.python,
    "state folder": doctor_local.state_folder,
    "git": doctor_local.git,
}


@dataclass(frozen=True, slots=True)
class Report:
    """One channel's checks by name, in order."""

    channel: str
    findings: Mapping[str, Finding]

    @property
    def healthy(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.wrong()

    def wrong(self) -> dict[str, Finding]:
        """The causes of silence."""
        return {name: found for name, found in self.findings.items() if found.state == "wrong"}

    def shape(self) -> dict[str, Any]:
        """As JSON: channel, ok, checks [{check, state, found, evidence, next}]."""
        return {
            "channel": self.channel,
            "ok": self.healthy,
            "checks": [found.shape(name) for name, found in self.findings.items()],
        }


def gather(row: Channel, env: Environment, *, disturb: bool = True) -> Setup:
    """What lies on this machine. Makes no state folder and no database where there is none."""
    return _with_facts(replace(_case(row, env, {}), disturb=disturb))


def _case(row: Channel, env: Environment, known: Mapping[str, Any]) -> Setup:
    case = Setup(env, facts=known)
    try:
        case = replace(case, settings=load(row.settings, env))
    except ConfigError as error:
        case = replace(case, settings_problem=redact(str(error)))
    try:
        token = env.token()
        case = replace(case, token=token, bot_id=row.bot_id(token) if token else None)
    except ConfigError as error:
        case = replace(case, token=None, token_problem=redact(str(error)))
    return case


def _with_facts(case: Setup) -> Setup:
    folder = case.env.state_dir
    try:
        if not (folder / "channel.db").is_file():
            return case
        with Store.open(folder) as store:
            known = facts(case.env.channel, folder, Services.of(store), case.bot_id)
    except (ChannelError, OSError) as error:
        return replace(case, problem=redact(str(error)))
    places = tuple(
        Place(one["id"], one["title"], bool(one["require_mention"]), bool(one["patterns"])) for one in known["groups"]
    )
    return replace(case, facts=known, places=places)


def _local(case: Setup) -> dict[str, Finding]:
    """The checks that only read this machine's files: a glance, for the tool."""
    return {name: _guarded(name, partial(check, case)) for name, check in _LOCAL.items()}


def glance(row: Channel, env: Environment, known: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a look at this machine's own files finds wrong, shortened: check, found, next. `known` are the facts."""
    case = gather(row, env) if "inbox" not in known else _case(row, env, known)
    found = _local(case)
    return [{"check": n, "found": one.found, "next": one.next} for n, one in found.items() if one.state == "wrong"]


async def examine(row: Channel, env: Environment, *, disturb: bool = True) -> Report:
    """Runs every check. `disturb`: another reader of the bot may be disturbed for a moment, to see that there is one.

    Modes of files are looked at before the database is opened, which mends them.
    """
    early = Setup(env)
    found = {name: _guarded(name, partial(check, early)) for name, check in _DEEPER.items()}
    case = gather(row, env, disturb=disturb)
    found |= _local(case)
    if case.settings is not None:
        found |= await _remote(row, case)
    return Report(row.name, _in_order(_told_once(found)))


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ChannelError as error:
        return skipped(redact(str(error)))
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide the others
        return skipped(redact(f"the check {name!r} failed: {type(error).__name__}: {error}"))


# ---- what asks the network


async def _remote(row: Channel, case: Setup) -> dict[str, Finding]:
    if case.settings is None:
        return {}
    way, default = row.route(case.env, case.settings), row.route(*_untouched(row))
    blocking: dict[str, Callable[[], Finding]] = {
        "dns": partial(doctor_net.dns, case, way),
        "ipv6": partial(doctor_net.ipv6, case, way),
        "proxy": partial(doctor_net.proxy, case, way),
    }
    found: dict[str, Finding] = {}

    async def blocked(name: str, check: Callable[[], Finding]) -> None:
        found[name] = await _within(partial(anyio.to_thread.run_sync, check, abandon_on_cancel=True))

    async with anyio.create_task_group() as group:
        for name, check in blocking.items():
            group.start_soon(blocked, name, check)
        await blocked("server", partial(doctor_local.server, case, way, default))
        # A look must not hand the token to whoever wrote a file of the repository.
        if found["server"].state != "wrong":
            group.start_soon(_platform, row, case, found)
    return found


def _untouched(row: Channel) -> tuple[Environment, Settings]:
    """The settings of somebody who set nothing."""
    return Environment(row.name, {}), row.settings.model_validate({})


async def _platform(row: Channel, case: Setup, found: dict[str, Finding]) -> None:
    """Asks the platform who the bot is, then whatever only this platform knows."""
    if case.settings is None or case.token is None or case.bot_id is None:
        return
    adapter: Adapter | None = None
    with anyio.move_on_after(CONNECT_S):
        adapter = await anyio.to_thread.run_sync(
            row.connect, case.env, case.settings, case.token, abandon_on_cancel=True
        )
    if adapter is None:
        found["bot"] = skipped("the platform's library was not loaded in time")
        return
    async with adapter:
        found["bot"] = await _within(partial(_bot, adapter))
        if found["bot"].state != "ok":
            return
        found |= await platform_findings(row, adapter, case, bot_id=case.bot_id)


async def platform_findings(row: Channel, adapter: Adapter, case: Setup, *, bot_id: str) -> dict[str, Finding]:
    """What only this platform knows, asked through an adapter whose token works."""
    checks = row.checks(adapter, replace(case, bot_id=bot_id))
    found: dict[str, Finding] = {}
    async with anyio.create_task_group() as group:
        for name, check in checks.items():
            group.start_soon(_put, found, name, check)
    return {name: found[name] for name in checks}


async def _put(found: dict[str, Finding], name: str, check: Check) -> None:
    found[name] = await _within(check)


async def _within(check: Callable[[], Awaitable[Finding]]) -> Finding:
    began = time.monotonic()
    try:
        with anyio.fail_after(LIMIT_S):
            return await check()
    except TimeoutError:
        return wrong(
            f"there was no answer in {LIMIT_S:.0f} s",
            f"given up after {time.monotonic() - began:.1f} s",
            "see the checks `dns`, `ipv6` and `proxy`; a firewall that swallows connections looks like this too",
        )
    except ChannelError as error:
        return skipped(redact(str(error)))
    except Exception as error:  # noqa: BLE001 - a check that fails must not hide the others
        return skipped(redact(f"the check failed: {type(error).__name__}: {error}"))


async def _bot(adapter: Adapter) -> Finding:
    try:
        me = await adapter.identify()
    except Unauthorized as error:
        return wrong(REFUSED, redact(str(error)), "it says how to set the current one")
    except RateLimited as error:
        return wrong("the platform holds us off", redact(str(error)), "wait so long; find what asks so often")
    except Ambiguous as error:
        return wrong("the platform's answer did not come or cannot be read", redact(str(error)), _UNREACHABLE)
    except PlatformError as error:
        return wrong("the platform cannot be asked", redact(str(error)), _UNREACHABLE)
    return fine(f"the token is @{me.username}'s ({me.name})", f"id {me.id}")


_UNREACHABLE = "see whether this machine is online, and the checks `server`, `dns`, `ipv6` and `proxy`"


def _told_once(found: dict[str, Finding]) -> dict[str, Finding]:
    """What only follows from another finding is skipped, so that what is left is the cause."""
    causes = [name for name in ON_THE_WAY if name in found and found[name].state == "wrong"]
    bot = found.get("bot")
    if causes and bot and bot.state == "wrong" and (bot.found != REFUSED or causes[0] == "token"):
        found["bot"] = skipped(f"the platform could not be asked: see `{causes[0]}`")
    if (
        "database" in found
        and found["database"].state == "wrong"
        and found.get("state folder", fine("")).state == "wrong"
    ):
        found["database"] = skipped("see `state folder`")
    return found


_ORDER = ("python", "state folder", "git", "settings", "token", "server", "dns", "ipv6", "proxy", "bot")


def _in_order(found: dict[str, Finding]) -> dict[str, Finding]:
    """The way a message takes: this machine, the way there, the platform, the store, the host."""
    names = [name for name in _ORDER if name in found]
    names += [name for name in found if name not in _ORDER and name not in _LOCAL]
    names += [name for name in _LOCAL if name not in _ORDER]
    return {name: found[name] for name in names}
