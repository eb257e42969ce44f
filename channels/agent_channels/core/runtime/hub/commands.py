"""/projects, /new and /here, and the hub's buttons: which project gets what, and which one is started."""

from __future__ import annotations

import logging
from functools import partial

import anyio

from agent_channels.core.contract.messages import Message, Person, Place, Tap
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import PlatformError, Refused, StoreError
from agent_channels.core.hub.members import ProjectMember
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.routes import RouteTarget, RoutingFacts, lets_in
from agent_channels.core.hub.starts import StartRequest
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.runtime.hub.questions import NewRoute, ProjectQuestions
from agent_channels.core.runtime.hub.voice import HubVoice
from agent_channels.core.runtime.hub.words import (
    ANSWER,
    HERE,
    LATER,
    NEW,
    START,
    USE,
    HubButton,
    bound_project,
    find_project,
    keyboard,
    names,
    place_words,
    project_list,
    shown_in,
)
from agent_channels.core.scheduling import Backoff, FollowUp
from agent_channels.core.text.sanitize import label

__all__ = ["HubCommands"]

logger = logging.getLogger(__name__)
NAME_SHOWN = 40
REASON_MAX = 300
OFF = "off"
# How long the hub may be away between opening a thread and giving it to its project.
BIND_WITHIN_S = 5.0


class HubCommands:
    """Answer the hub's commands. A person chooses for themselves; what holds for a place, an approver decides."""

    def __init__(
        self, hub: ProjectHub, voice: HubVoice, questions: ProjectQuestions, threads: Threads, channel: str
    ) -> None:
        self._hub, self._voice, self._questions, self._threads = hub, voice, questions, threads
        self._channel = channel

    async def run(self, message: Message, target: RouteTarget, facts: RoutingFacts) -> FollowUp | None:
        """Answer a command of somebody whom a project lets in; return what is left to do that takes a while.

        Raises `StoreError`.
        """
        command = message.command
        argument = command.argument.strip() if command else ""
        match command.name if command else "":
            case "projects":
                await self._projects(message, argument, target, facts)
            case "here":
                await self._here(message, argument, target, facts)
            case _:
                return self._new(message, argument, target, facts)
        return None

    async def tap(self, tap: Tap, target: RouteTarget, facts: RoutingFacts) -> FollowUp | None:
        """Do what a button says, if its sender may; return what is left to do that takes a while.

        Raises `StoreError`.
        """
        button = None if tap.forged else HubButton.of(tap.data)
        if button is None:
            self._voice.tell(tap, translate("tap_unknown"), alert=True)
            return None
        if button.action == ANSWER:
            await self._questions.tap(tap, target, button.project)
            return None
        member = next((one for one in _open_to(target, facts) if one.project == button.project), None)
        if member is None:
            self._voice.tell(tap, translate("hub_closed"), alert=True)
        elif button.action == USE:
            await self._use(tap, member, target, facts)
        elif (refusal := self._refusal(member, tap.sender)) is not None and not (
            # In somebody's own chat they take nothing from anybody.
            target.private and button.action == LATER
        ):
            self._voice.tell(tap, refusal, alert=True)
        elif button.action == LATER:
            text = translate("hub_start_later", project=label(member.name))
            self._voice.tell(tap, text, counted=True)
            self._voice.close(tap, text)
        elif button.action == START:
            await self._start(tap, member)
        elif (
            button.action == HERE and (refusal := self._refusal_to_bind(member, tap.sender, target, facts)) is not None
        ):
            self._voice.tell(tap, refusal, alert=True)
        elif button.action == HERE:
            text = await self._bind(member, tap.sender, target)
            self._voice.tell(tap, text, counted=True)
            self._voice.close(tap, text)
        else:
            self._voice.tell(tap, label(member.name), counted=True)
            self._voice.close(tap, label(member.name))
            return partial(self._open_thread, tap, member, member.name, target)
        return None

    # ---- /projects

    async def _projects(self, message: Message, argument: str, target: RouteTarget, facts: RoutingFacts) -> None:
        if argument:
            if (member := self._named(message, argument, target, facts)) is not None:
                await self._use(message, member, target, facts)
            return
        shown = shown_in(message, _open_to(target, facts), target)
        if not shown:
            self._voice.say(message, translate("hub_projects_directly", bot=self._voice.adapter.display_name))
            return
        text = project_list(shown, await self._hub.events.waiting_messages(), target, facts)
        current = facts.routes.get(("person", target.user_id))
        text = f"{text}\n\n{translate('hub_projects_usage')}"
        self._voice.say(message, text, keyboard(shown, USE, self._voice.adapter.limits, current))

    async def _use(self, to: Message | Tap, member: ProjectMember, target: RouteTarget, facts: RoutingFacts) -> None:
        """Make a project the person's current one."""
        await self._questions.make(NewRoute("person", target.user_id, member.project), to.sender)
        bound = bound_project(target, facts)
        text = translate("hub_current", project=label(member.name))
        if bound is not None and bound.project != member.project and lets_in(bound, target):
            text = translate(
                "hub_current_elsewhere",
                project=label(member.name), bound=label(bound.name), place=place_words(target),
            )  # fmt: skip
        if isinstance(to, Message):
            self._voice.say(to, text)
            return
        self._voice.tell(to, text)
        if target.private:
            await self._show_current(to, member, target, facts)

    async def _show_current(self, tap: Tap, member: ProjectMember, target: RouteTarget, facts: RoutingFacts) -> None:
        """Draw the list in somebody's own chat again, with the mark where it is now."""
        routes = {**facts.routes, ("person", target.user_id): member.project}
        now, members = RoutingFacts(facts.members, routes), _open_to(target, facts)
        text = project_list(members, await self._hub.events.waiting_messages(), target, now)
        keys = keyboard(members, USE, self._voice.adapter.limits, member.project)
        text = f"{text}\n\n{translate('hub_projects_usage')}"
        self._voice.edit(tap.chat.id, tap.message_id, text, keys, tap.sender.id)

    # ---- /here

    async def _here(self, message: Message, argument: str, target: RouteTarget, facts: RoutingFacts) -> None:
        bound = bound_project(target, facts)
        if argument.casefold() == OFF and find_project(_open_to(target, facts), argument) is None:
            await self._unbind(message, bound, target, facts)
        elif argument:
            member = self._named(message, argument, target, facts)
            refusal = None if member is None else self._refusal_to_bind(member, message.sender, target, facts)
            if refusal is not None:
                self._voice.say(message, refusal)
            elif member is not None:
                self._voice.say(message, await self._bind(member, message.sender, target))
        else:
            lines = [translate("hub_here_usage")]
            if bound is not None and lets_in(bound, target):
                lines.insert(0, translate("hub_bound", place=place_words(target), project=label(bound.name)))
            self._offer(message, "\n".join(lines), HERE, target, facts)

    async def _bind(self, member: ProjectMember, by: Person, target: RouteTarget) -> str:
        await self._questions.make(_route_of(target, member.project), by)
        return translate("hub_here", place=place_words(target), project=label(member.name))

    async def _unbind(
        self, message: Message, bound: ProjectMember | None, target: RouteTarget, facts: RoutingFacts
    ) -> None:
        if bound is None or not lets_in(bound, target):
            self._voice.say(message, translate("hub_here_nothing", place=place_words(target)))
        elif (refusal := self._refusal(bound, message.sender)) is not None:
            self._voice.say(message, refusal)
        else:
            key, place = target.thread_key, place_words(target)
            if key is None or ("thread", key) not in facts.routes:
                # Of a topic that has no project of its own, that is the whole chat's.
                await self._hub.routes.remove("chat", target.chat_key)
                place = translate("hub_this_chat")
            else:
                await self._hub.routes.remove("thread", key)
            self._voice.say(message, translate("hub_here_off", place=place, project=label(bound.name)))

    # ---- /new

    def _new(self, message: Message, argument: str, target: RouteTarget, facts: RoutingFacts) -> FollowUp | None:
        name, _, title = argument.partition(" ")
        if not name:
            self._offer(message, translate("hub_new_usage"), NEW, target, facts)
        elif (member := self._named(message, name, target, facts)) is None:
            return None
        elif (refusal := self._refusal(member, message.sender)) is not None:
            self._voice.say(message, refusal)
        else:
            return partial(self._open_thread, message, member, title.strip() or member.name, target)
        return None

    async def _open_thread(self, to: Message | Tap, member: ProjectMember, title: str, target: RouteTarget) -> None:
        """Open a thread in the chat, give it to the project, and say so in it."""
        try:
            title = self._threads.checked_name(title)
            place = await self._threads.create(target.chat_key, title)
            # It is open by now: what ends this process waits a moment.
            with anyio.fail_after(BIND_WITHIN_S, shield=True):
                await self._bind_thread(place, member, to.sender)
        except (Refused, PlatformError, TimeoutError) as error:
            self._voice.say(to, translate("hub_new_failed", reason=_reason(error)))
            return
        self._voice.say(to, translate("hub_new", name=label(title, 128), project=label(member.name)))
        greeting = translate("hub_new_greeting", project=label(member.name))
        self._voice.follow_ups.add(
            partial(self._voice.adapter.send, Outgoing(place.chat_id, greeting, thread_id=place.thread_id))
        )

    async def _bind_thread(self, place: Place, member: ProjectMember, by: Person) -> None:
        """Give a thread to a project, also if the hub cannot be reached for a moment."""
        backoff = Backoff()
        while True:
            try:
                await self._hub.routes.set("thread", _thread_key(place), member.project, by.id)
            except StoreError as error:
                logger.info("a new thread is given to its project later: %s", error)
                await anyio.sleep(backoff.next())
            else:
                return

    # ---- starting

    async def _start(self, tap: Tap, member: ProjectMember) -> None:
        """Have a keeper start a project's host, unless one works or is being started."""
        name = label(member.name)
        if not member.is_unattended:
            text = translate("hub_started", project=name)
        elif member.project not in await self._hub.keepers.startable():
            self._voice.tell(tap, translate("hub_start_impossible", project=name), alert=True)
            return
        else:
            request = StartRequest(member.project, tap.sender.id, tap.chat.id, tap.thread_id or "")
            # Of two that ask, both are told; the outcome goes to where it was asked first.
            await self._hub.starts.ask(request)
            text = translate("hub_starting", project=name, user=label(tap.sender.display_name))
        self._voice.tell(tap, text, counted=True)
        self._voice.close(tap, text)

    # ---- all of them

    def _offer(self, message: Message, text: str, action: str, target: RouteTarget, facts: RoutingFacts) -> None:
        """Answer with a button for each project that the person may decide for."""
        approved = [member for member in _open_to(target, facts) if message.sender.id in member.approvers]
        shown = shown_in(message, approved, target)
        if not approved:
            text = f"{text}\n\n{translate('hub_approver_of_none')}"
        self._voice.say(message, text, keyboard(shown, action, self._voice.adapter.limits) or None)

    def _named(self, message: Message, name: str, target: RouteTarget, facts: RoutingFacts) -> ProjectMember | None:
        """Return the project that somebody names, of those that let them in; else tell them."""
        mine = _open_to(target, facts)
        if (member := find_project(mine, name)) is None:
            shown = shown_in(message, mine, target)
            key = "hub_unknown" if shown else "hub_unknown_here"
            self._voice.say(message, translate(key, name=label(name, NAME_SHOWN), names=names(shown)))
        return member

    def _refusal_to_bind(
        self, member: ProjectMember, person: Person, target: RouteTarget, facts: RoutingFacts
    ) -> str | None:
        """Return why somebody may not give a place to a project, or take it from another one; None if they may."""
        bound, refusal = bound_project(target, facts), self._refusal(member, person)
        if refusal is not None or bound is None or person.id in bound.approvers:
            return refusal
        if lets_in(bound, target):
            return self._refusal(bound, person)
        return translate("hub_here_taken", place=place_words(target))

    def _refusal(self, member: ProjectMember, person: Person) -> str | None:
        """Return why somebody may not decide for a project; None if they may."""
        if person.id in member.approvers:
            return None
        command = f"channels access {self._channel} approver add {person.id}"
        return translate("hub_approvers_only", project=label(member.name), command=command)


def _open_to(target: RouteTarget, facts: RoutingFacts) -> list[ProjectMember]:
    """Return the projects that let somebody in there, by name."""
    return sorted((member for member in facts.members if lets_in(member, target)), key=lambda member: member.name)


def _route_of(target: RouteTarget, project: str) -> NewRoute:
    if target.thread_key is not None:
        return NewRoute("thread", target.thread_key, project)
    return NewRoute("chat", target.chat_key, project)


def _thread_key(place: Place) -> str:
    return place.chat_id if place.thread_id is None else f"{place.chat_id}/{place.thread_id}"


def _reason(error: Exception) -> str:
    text = str(error) or translate("hub_unreachable")
    return label(redact(text), REASON_MAX)
