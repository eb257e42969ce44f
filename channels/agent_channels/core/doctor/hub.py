"""Checks of the hub: whether it can be reached, who reads the bot, which projects are there, and what waits."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any

from agent_channels.core.contract.checks import Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.errors import ConfigError, HubRefused, StoreError
from agent_channels.core.hub.project_hub import ProjectHub, bot_key
from agent_channels.core.log import redact
from agent_channels.core.runtime.hub_member import hub_facts
from agent_channels.core.runtime.hub_tasks import hub_address
from agent_channels.core.text.numbers import counted
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import epoch_iso

__all__ = ["CHECKS", "gather_hub", "hub_findings"]

CHECKS = ("hub", "hub reader", "hub projects", "hub messages")


async def gather_hub(setup: Setup) -> Mapping[str, Any] | Finding | None:
    """Return what the hub knows, with `ahead_s`, by how much this machine's clock is ahead of the hub's.

    A finding if it cannot be asked; None if the bot is not shared.
    """
    if setup.settings is None or setup.bot_id is None:
        return None
    try:
        address = hub_address(setup.settings, setup.env)
    except ConfigError as error:
        return wrong("the hub's address cannot be used, so nothing is read", redact(str(error)), "follow that message")
    if address is None:
        return None
    known = setup.facts.get("hub") or {}
    hub = ProjectHub.of(address, bot_key(setup.env.channel, setup.bot_id), str(known.get("project") or ""))
    try:
        facts = await hub_facts(hub, known.get("name"))
        async with hub.db.transaction() as tx:
            now = float((await tx.rows("SELECT {now} AS now"))[0]["now"])
        return {**facts, "ahead_s": time.time() - now}
    except HubRefused as error:
        return wrong("the hub refuses this program, so nothing is read", redact(str(error)), "follow that message")
    except StoreError as error:
        return wrong(
            "the hub cannot be reached, so nothing is read here; what people write waits at the platform",
            redact(str(error)),
            "start the database, or fix the network between",
        )
    finally:
        await hub.db.close()


def hub_findings(setup: Setup, known: Mapping[str, Any] | Finding | None) -> dict[str, Finding]:
    """Return the findings about the hub; none if the bot is not shared."""
    if known is None:
        return {}
    if isinstance(known, Finding):
        return {"hub": known} | {name: skipped("see `hub`") for name in CHECKS[1:]}
    return {
        "hub": _reached(known),
        "hub reader": _reader(setup, known),
        "hub projects": _projects(setup, known),
        "hub messages": _messages(setup, known),
    }


def _reached(known: Mapping[str, Any]) -> Finding:
    ahead_s = known["ahead_s"]
    clocks = "the clocks agree"
    if abs(ahead_s) > 1:
        direction = "ahead of" if ahead_s > 0 else "behind"
        clocks = f"this machine's clock is {abs(ahead_s):.0f} s {direction} the hub's, which matters to nothing in it"
    return fine(f"the hub {known['address']} can be used", clocks)


def _reader(setup: Setup, known: Mapping[str, Any]) -> Finding:
    reader, channel = known["reader"], setup.env.channel
    if reader is None or reader["left_s"] <= 0:
        last = "" if reader is None else f"the last one was {_who(reader)}"
        return wrong(
            "nobody reads the bot for the hub, on any machine; what people write waits at the platform",
            last or "nobody ever took the lease",
            "start an agent host in one of the projects" + _other_holder(setup),
        )
    lease = f"{_who(reader)}; its lease ends in {reader['left_s']:.0f} s unless it renews it (epoch {reader['epoch']})"
    state, error = reader.get("state"), redact(str(reader.get("error") or ""))
    if state not in {"reading", "connecting"}:
        return wrong(
            f"the process that reads for the hub cannot read the bot ({state})",
            f"{lease}: {error}",
            f"follow that message; `channels doctor {channel}` in its project says more",
        )
    return fine("the bot is read for the hub", lease)


def _other_holder(setup: Setup) -> str:
    """Return what to do about a project of this machine that reads the bot for itself alone; "" if there is none."""
    holder = setup.holder
    if holder is None or holder.get("state_dir") == str(setup.env.state_dir):
        return ""
    return (
        f"; process {holder['pid']}, project {holder['project']}, reads the bot for itself: let it join with "
        f"`channels hub join {setup.env.channel}` there, or give it a bot of its own"
    )


def _projects(setup: Setup, known: Mapping[str, Any]) -> Finding:
    projects, own = known["projects"], known["project"]
    shown = "; ".join(f"{label(one['name'])} on {label(one['machine'])}: {_state(one)}" for one in projects)
    if own not in {one["project"] for one in projects}:
        return wrong(
            "this project is not in the hub yet, so it gets no messages",
            shown or "no project is",
            f"`channels hub join {setup.env.channel}`, or start its agent host",
        )
    lost = [one for one in projects if one["waiting"] and one["state"] in {"none", "away"}]
    if lost:
        names = ", ".join(label(one["name"]) for one in lost)
        count = sum(one["waiting"] for one in lost)
        return note(
            f"{counted(count, 'message waits', 'messages wait')} for projects without a session: {names}",
            shown,
            "start an agent host there; what waits comes then, in order",
        )
    return fine(f"{counted(len(projects), 'project')} in the hub", shown)


def _messages(setup: Setup, known: Mapping[str, Any]) -> Finding:
    command = f"channels hub status {setup.env.channel}"
    evidence = f"`{command}` shows what waits where"
    if known["unclaimed"]:
        count = counted(known["unclaimed"], "message")
        return note(
            f"{count} came from people whom no project lets in, and no project is the default one, which pairs",
            evidence,
            f"let one project pair strangers: `channels hub route add {setup.env.channel} --default PROJECT`",
        )
    if known["undecided"]:
        waits = counted(known["undecided"], "message waits", "messages wait")
        return note(f"{waits} for a person to say whose they are", evidence, "they answer the question in the chat")
    if known["waiting"]:
        return note(f"{counted(known['waiting'], 'message is', 'messages are')} on the way to this project", evidence)
    return fine("no message waits in the hub for this project")


def _who(reader: Mapping[str, Any]) -> str:
    here = " (this machine)" if reader.get("machine") == socket.gethostname() else ""
    since = epoch_iso(reader.get("since")) or "an unknown time"
    return (
        f"process {reader.get('pid')} on {label(str(reader.get('machine')))}{here}, project "
        f"{label(str(reader.get('folder')))}, since {since}"
    )


def _state(one: Mapping[str, Any]) -> str:
    return f"away for {one['silent_s']:.0f} s" if one["state"] == "away" else str(one["state"])
