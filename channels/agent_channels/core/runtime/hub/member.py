"""What a project tells the hub of itself, and what it last heard from it, for people."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from agent_channels.core.errors import StoreError
from agent_channels.core.hub.events import UNDECIDED
from agent_channels.core.hub.lease import LeaseHolder, lease_holder
from agent_channels.core.hub.members import BEAT_EVERY_S, MemberFacts, MemberGroup, ProjectMember, SessionState
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.i18n.sentences import joined, packed, redacted, sentence, words_of
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.scheduling import seconds_to_tick
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Settings
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import epoch_iso, local_time

__all__ = ["HubMember", "differs", "hub_facts", "member_facts", "state_words"]

logger = logging.getLogger(__name__)
# How soon the others learn that somebody was let in, or that the agent began to work.
LOOK_EVERY_S = 2.0
LEAVE_WITHIN_S = 0.1
# A project that is there says so more often.
LATE_AFTER_S = BEAT_EVERY_S + 5.0
ERROR_MAX = 300
_NO_FAULT = ("", "")


def member_facts(
    services: Services,
    settings: Settings,
    project: str,
    state: SessionState,
    folder: Path | None = None,
    *,
    domain: str = "",
) -> MemberFacts:
    """Return what a project says of itself; `folder` is its own, by default the one at hand. Raises `StoreError`.

    `domain`: see `lock_domain`, if this process works for the project.
    """
    access, folder = services.access, folder or project_dir()
    is_open = access.policy() != "disabled"
    return MemberFacts(
        project=project,
        name=folder.name,
        folder=str(folder),
        machine=socket.gethostname(),
        people=access.member_ids() if is_open else frozenset(),
        approvers=frozenset(member.user_id for member in access.approvers() if is_open),
        enabled=access.enabled_since(),
        groups={
            group.chat_id: MemberGroup(
                group.senders,
                hears_all=not group.require_mention or bool(group.patterns) or settings.group_context > 0,
            )
            for group in access.groups()
        },
        waiting=frozenset(applicant.chat_id for applicant in services.pairing.pending() if is_open),
        session_state=state,
        domain=domain,
    )


def differs(member: ProjectMember, facts: MemberFacts) -> bool:
    """Return whether the hub knows otherwise whom a project lets in, or takes its machine for away."""
    known = (member.people, member.approvers, member.groups, member.waiting, set(member.enabled))
    says = (facts.people, facts.approvers, facts.groups, facts.waiting, set(facts.enabled))
    return known != says or member.session_state != "none"


class HubMember:
    """The heartbeat of a project whose host hears."""

    def __init__(self, context: BotContext, hub: ProjectHub, domain: str) -> None:
        """`domain`: see `lock_domain`."""
        self._context, self._hub, self._domain = context, hub, domain
        self._name: str | None = None
        self._sent: MemberFacts | None = None
        self._sent_at = -BEAT_EVERY_S
        self._fault: tuple[str, str] = _NO_FAULT

    async def run(self) -> None:
        """Tell the hub regularly, and when something changed, that this project is there, until cancelled."""
        try:
            while True:
                try:
                    await self._look()
                except StoreError as error:
                    self._sent = None
                    self._set_fault(("store", words_of(error)))
                with anyio.move_on_after(seconds_to_tick(LOOK_EVERY_S, time.monotonic())):
                    await self._hub.facts_changed.wait()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(LEAVE_WITHIN_S):
                await self._leave()

    async def _look(self) -> None:
        context, now = self._context, time.monotonic()
        state: SessionState = "working" if context.services.turns.running() else "idle"
        facts = member_facts(context.services, context.settings, self._hub.project, state, domain=self._domain)
        if facts == self._sent and now - self._sent_at < BEAT_EVERY_S:
            return
        # Whose process spoke last says something only between two words of this one: before, it may have taken over.
        fault = await self._other_session() if self._sent is not None else _NO_FAULT
        lets_in_others = self._sent is None or replace(facts, session_state=self._sent.session_state) != self._sent
        self._name = await self._hub.members.beat(facts, announce=lets_in_others)
        if facts != self._sent:
            self._hub.status_changed.set()
        self._sent, self._sent_at = facts, now
        self._set_fault(fault)

    async def _other_session(self) -> tuple[str, str]:
        """Return the fault that another machine works for this project at the same time, if one does."""
        members = await self._hub.members.read()
        own = next((member for member in members if member.project == self._hub.project), None)
        if own is None or not own.works_elsewhere(self._domain):
            return _NO_FAULT
        words = sentence(
            "a session works for this project in {folder} on {machine} too, and each of the two gets only some of the "
            "messages: one state folder is a copy of the other; end the session in the copy, and run `channels hub "
            "join {channel} --as-new` there",
            folder=label(own.folder),
            machine=label(own.machine),
            channel=self._context.channel.name,
        )
        return "conflict", words

    def _set_fault(self, fault: tuple[str, str]) -> None:
        if fault[1] and fault != self._fault:
            logger.warning("%s", fault[1])
        if fault != self._fault:
            self._fault = fault
            self._hub.status_changed.set()

    async def show(self) -> None:
        """Record what the hub knows where `channels status` finds it, regularly and on changes, until cancelled."""
        facts: dict[str, Any] = {}
        while True:
            state, fault = self._fault
            try:
                facts = await hub_facts(self._hub, self._name)
                if not fault:
                    state, fault = _reading(facts["reader"])
            except StoreError as error:
                state, fault = "store", words_of(error)
                logger.info("how the hub stands is not known: %s", error)
            if facts:
                self._context.services.health.set_hub({**facts, "state": state, "problem": packed(fault) or None})
            # That a fault is over has to show soon, and that a lease is.
            left_s = 0.0 if fault else facts["reader"]["left_s"]
            with anyio.move_on_after(min(BEAT_EVERY_S, max(LOOK_EVERY_S, left_s))):
                await self._hub.status_changed.wait()

    async def _leave(self) -> None:
        """Say that no session is there, if there is time for it."""
        if self._sent is not None:
            try:
                await self._hub.members.beat(replace(self._sent, session_state="none"), announce=False)
            except StoreError as error:
                logger.info("the hub does not hear that this session ends: %s", error)


async def hub_facts(hub: ProjectHub, name: str | None) -> dict[str, Any]:
    """Return what is known of a bot's hub. Raises `StoreError`.

    Shape: address, project, name (null if the project has not joined), reader (null if nobody ever read, or {machine,
    pid, folder, project, since, state, error, epoch, left_s}), waiting and undecided (counts), unclaimed (count of the
    last while that no project was there for), keepers (a list of {machine, pid, projects, silent_s}; those projects it
    may start), projects (a list of {project, name, machine, folder, state, silent_s, heard_at, waiting}).
    """
    waiting, members, now = await hub.events.waiting_messages(), await hub.members.read(), time.time()
    return {
        "address": str(hub.address),
        "project": hub.project,
        "name": name,
        "reader": _reader(await lease_holder(hub.db, hub.bot)),
        "waiting": waiting.get(hub.project, 0),
        "undecided": waiting.get(UNDECIDED, 0),
        "unclaimed": await hub.events.nobody_count(),
        "keepers": [
            {
                "machine": keeper.machine,
                "pid": keeper.pid,
                "projects": sorted(keeper.projects),
                "silent_s": round(keeper.silent_s, 1),
            }
            for keeper in await hub.keepers.running()
        ],
        "projects": [
            {
                "project": member.project,
                "name": member.name,
                "machine": member.machine,
                "folder": member.folder,
                "state": member.state,
                "silent_s": round(member.silent_s, 1),
                "heard_at": epoch_iso(now - member.silent_s),
                "waiting": waiting.get(member.project, 0),
            }
            for member in members
        ],
    }


def _reading(reader: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return in which state the reading for all projects is, and what is wrong with it or nothing.

    `reader`: as `hub_facts` has it.
    """
    if reader is None or reader["left_s"] <= 0:
        nobody = sentence("nobody reads the bot for the hub, on any machine; what people write waits at the platform")
        return "idle", nobody
    state, error = label(str(reader.get("state"))), label(redacted(str(reader.get("error") or "")), ERROR_MAX)
    if state in {"reading", "connecting"}:
        return state, ""
    cannot = sentence("the process that reads for the hub cannot read the bot ({state})", state=state)
    return state, joined([cannot, error], ": ") if error else cannot


def state_words(one: Mapping[str, Any]) -> str:
    """Return what a project does, as `hub_facts` has it, in words."""
    heard = local_time(one["heard_at"])
    match one["state"]:
        case "dead":
            return sentence("no session, its process has ended; last heard of at {time}", time=heard)
        case "away":
            return sentence("away, last heard of at {time}", time=heard)
        case "none":
            return sentence("no session")
        case state:
            words = sentence("working" if state == "working" else "ready")
            late = one["silent_s"] > LATE_AFTER_S
            return sentence("{state} (last heard of at {time})", state=words, time=heard) if late else words


def _reader(holder: LeaseHolder | None) -> dict[str, Any] | None:
    if holder is None:
        return None
    return {**holder.reader, "epoch": holder.epoch, "left_s": round(holder.left_s, 1)}
