"""Checks of the hub: whether it can be reached, who reads the bot, which projects are there, and what waits."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from agent_channels.core.contract.checks import Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.errors import ConfigError, HubRefused, StoreError
from agent_channels.core.hub.keepers import KEEPER
from agent_channels.core.hub.project_hub import ProjectHub, bot_key
from agent_channels.core.i18n.sentences import counted, joined, redacted, sentence, words_of
from agent_channels.core.runtime.hub.member import hub_facts, state_words
from agent_channels.core.runtime.hub.tasks import hub_address
from agent_channels.core.runtime.hub.unit import keeper_unit
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import epoch_iso

__all__ = ["CHECKS", "gather_hub", "hub_findings"]

CHECKS = ("hub", "hub reader", "hub keeper", "hub projects", "hub messages")


async def gather_hub(setup: Setup) -> Mapping[str, Any] | Finding | None:
    """Return what the hub knows, with `ahead_s`, by how much this machine's clock is ahead of the hub's.

    A finding if it cannot be asked; None if the bot is not shared.
    """
    if setup.settings is None or setup.bot_id is None:
        return None
    try:
        address = hub_address(setup.settings, setup.env)
    except ConfigError as error:
        return wrong("the hub's address cannot be used, so nothing is read", words_of(error), "follow that message")
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
        return wrong("the hub refuses this program, so nothing is read", words_of(error), "follow that message")
    except StoreError as error:
        return wrong(
            "the hub cannot be reached, so nothing is read here; what people write waits at the platform",
            words_of(error),
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
        "hub keeper": _keeper(known),
        "hub projects": _projects(setup, known),
        "hub messages": _messages(setup, known),
    }


def _reached(known: Mapping[str, Any]) -> Finding:
    ahead_s = known["ahead_s"]
    clocks = sentence("the clocks agree")
    if abs(ahead_s) > 1:
        clocks = sentence(
            "this machine's clock is {seconds:.0f} s ahead of the hub's, which matters to nothing in it"
            if ahead_s > 0
            else "this machine's clock is {seconds:.0f} s behind the hub's, which matters to nothing in it",
            seconds=abs(ahead_s),
        )
    return fine(sentence("the hub {address} can be used", address=known["address"]), clocks)


def _reader(setup: Setup, known: Mapping[str, Any]) -> Finding:
    reader, channel = known["reader"], setup.env.channel
    if reader is None or reader["left_s"] <= 0:
        return wrong(
            "nobody reads the bot for the hub, on any machine; what people write waits at the platform",
            "nobody ever took the lease" if reader is None else sentence("the last one was {who}", who=_who(reader)),
            joined([*_ways_to_read(known), *_other_holder(setup)]),
        )
    lease = sentence(
        "{who}; its lease ends in {seconds:.0f} s unless it renews it (epoch {epoch})",
        who=_who(reader),
        seconds=reader["left_s"],
        epoch=reader["epoch"],
    )
    state, error = reader.get("state"), redacted(str(reader.get("error") or ""))
    if state not in {"reading", "connecting"}:
        return wrong(
            sentence("the process that reads for the hub cannot read the bot ({state})", state=state),
            sentence("{lease}: {error}", lease=lease, error=error),
            sentence("follow that message; `channels doctor {channel}` in its project says more", channel=channel),
        )
    return fine("the bot is read for the hub", lease)


def _ways_to_read(known: Mapping[str, Any]) -> list[str]:
    """Return what would have the bot read again."""
    if known["keepers"]:
        return [sentence("`channels hub log` on the keeper's machine says why it does not read")]
    unit = keeper_unit(os.environ)
    if unit is not None and unit.path.exists():
        keeper = sentence("the keeper's unit {path} does not run it: `channels hub install --now`", path=unit.path)
    else:
        keeper = sentence("no keeper is installed: `channels hub install --now` has the bot read without a session too")
    return [sentence("start an agent host in one of the projects"), keeper]


def _keeper(known: Mapping[str, Any]) -> Finding:
    """Check whether somebody reads while no session runs."""
    if keepers := known["keepers"]:
        shown = joined(
            sentence("process {pid} on {machine}", pid=keeper["pid"], machine=label(keeper["machine"]))
            for keeper in keepers
        )
        return fine("a keeper reads the bot while no session does", shown)
    return note(
        "no keeper runs; while no session runs nobody reads the bot, and nobody is told that messages wait",
        "no keeper was heard of lately",
        "`channels hub install --now`, or run `channels hub keep`",
    )


def _other_holder(setup: Setup) -> list[str]:
    """Return what to do about a project of this machine that reads the bot for itself alone; nothing without one."""
    holder = setup.holder
    if holder is None or holder.get("state_dir") == str(setup.env.state_dir):
        return []
    return [
        sentence(
            "process {pid}, project {project}, reads the bot for itself: let it join with `channels hub join "
            "{channel}` there, or give it a bot of its own",
            pid=holder["pid"],
            project=holder["project"],
            channel=setup.env.channel,
        )
    ]


def _projects(setup: Setup, known: Mapping[str, Any]) -> Finding:
    projects, own = known["projects"], known["project"]
    shown = joined(
        sentence(
            "{name} on {machine}: {state}",
            name=label(one["name"]),
            machine=label(one["machine"]),
            state=state_words(one),
        )
        for one in projects
    )
    if own not in {one["project"] for one in projects}:
        return wrong(
            "this project is not in the hub yet, so it gets no messages",
            shown or "no project is",
            sentence("`channels hub join {channel}`, or start its agent host", channel=setup.env.channel),
        )
    lost = [one for one in projects if one["waiting"] and one["state"] in {"none", "away", "dead"}]
    if lost:
        return note(
            sentence(
                "{waiting} for projects without a session: {names}",
                waiting=counted(sum(one["waiting"] for one in lost), "message waits", "messages wait"),
                names=joined((label(one["name"]) for one in lost), ", "),
            ),
            shown,
            "start an agent host there; what waits comes then, in order",
        )
    return fine(sentence("{projects} in the hub", projects=counted(len(projects), "project")), shown)


def _messages(setup: Setup, known: Mapping[str, Any]) -> Finding:
    evidence = sentence("`channels hub status {channel}` shows what waits where", channel=setup.env.channel)
    if known["unclaimed"]:
        return note(
            sentence(
                "{messages} came from people whom no project lets in, and no project is the default one, which pairs",
                messages=counted(known["unclaimed"], "message"),
            ),
            evidence,
            sentence(
                "let one project pair strangers: `channels hub route add {channel} PROJECT --default`",
                channel=setup.env.channel,
            ),
        )
    if known["undecided"]:
        waiting = counted(known["undecided"], "message waits", "messages wait")
        return note(
            sentence("{waiting} for a person to say whose they are", waiting=waiting),
            evidence,
            "they answer the question in the chat",
        )
    if known["waiting"]:
        coming = counted(known["waiting"], "message is", "messages are")
        return note(sentence("{coming} on the way to this project", coming=coming), evidence)
    return fine("no message waits in the hub for this project")


def _who(reader: Mapping[str, Any]) -> str:
    machine = label(str(reader.get("machine")))
    if reader.get("machine") == socket.gethostname():
        machine = sentence("{machine} (this machine)", machine=machine)
    return sentence(
        "the keeper, process {pid} on {machine}, since {since}"
        if reader.get("project") == KEEPER
        else "process {pid} on {machine}, project {project}, since {since}",
        pid=reader.get("pid"),
        machine=machine,
        project=label(str(reader.get("folder"))),
        since=epoch_iso(reader.get("since")) or sentence("an unknown time"),
    )
