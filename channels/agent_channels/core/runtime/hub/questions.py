"""The question which project a message is for: asked once in each place, kept until the person who wrote it answers."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import anyio
import anyio.lowlevel

from agent_channels.core.buttons.matching import match_answer
from agent_channels.core.contract.messages import Inbound, Message, Person, Tap
from agent_channels.core.contract.outgoing import KeyboardButton
from agent_channels.core.errors import PlatformError, RateLimited, StoreError
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.events import OpenCommand, Waiting
from agent_channels.core.hub.members import ProjectMember
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.questions import Asked, Question
from agent_channels.core.hub.routes import (
    HUB,
    WAIT,
    Decision,
    RouteKind,
    RouteTarget,
    RoutingFacts,
    choose,
    lets_in,
    target_of,
)
from agent_channels.core.hub.sent import OwnedMessage
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.runtime.hub.message_parts import MessageParts
from agent_channels.core.runtime.hub.voice import HubVoice
from agent_channels.core.runtime.hub.words import ANSWER, HubButton, is_open_to_all, keyboard, name_of, shown_in
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.text.sanitize import label

__all__ = ["NewRoute", "ProjectQuestions", "chosen_in", "is_answered"]

logger = logging.getLogger(__name__)
# How long a message about which somebody is asked is kept while no project lets them in any more.
KEPT_S = 72 * 3600.0
KEPT = Decision("ask", rule="no project lets them in for now")
# A question that could not be sent is sent again.
AGAIN_AFTER_S = 60.0
# Of how many events that wait for a decision one is the last that is looked at in one go; all of a place are.
LOOKED_AT_MAX = 1000
# After how many of them everything else that this process does gets its turn.
STEP = 100


@frozen
class NewRoute:
    """A route that somebody makes."""

    kind: RouteKind
    key: str
    project: str


@frozen
class _Undecided:
    """An event that waits for a decision, and what is decided about it now."""

    event: Waiting
    inbound: Inbound
    target: RouteTarget
    decision: Decision

    @property
    def receiver(self) -> str:
        """The project that gets it now, or the hub."""
        return self.decision.projects[0] if self.decision.projects else HUB

    @property
    def asked(self) -> Asked:
        return Asked(self.event.chat_id, self.event.thread_id, self.event.user_id)

    @property
    def messages(self) -> list[OwnedMessage]:
        """The message in it, as its project's."""
        if self.decision.to != "project" or not isinstance(self.inbound, Message) or self.inbound.reaction:
            return []
        # A message keeps its id only in the chat where it was written.
        chat_id, message_id = self.inbound.chat.id, self.inbound.message_id
        return [OwnedMessage(chat_id, message_id, project) for project in self.decision.projects]


async def chosen_in(hub: ProjectHub, target: RouteTarget, message: Message) -> str | None:
    """Return the project that a message names, by its name or number, in answer to an open question; else None.

    Raises `StoreError`.
    """
    if message.files or message.edited or message.reaction or message.forward_from or not message.text.strip():
        return None
    question = await hub.questions.of(_asked(target))
    if question is None or question.project or not question.message_id:
        return None
    names = {member.project: member.name for member in hub.members.known}
    position = match_answer(message.text, [names.get(project) for project in question.choices])
    return None if position is None else question.choices[position]


def is_answered(inbound: Inbound) -> bool:
    """Return whether the platform waits for an answer, so that who may not do it is told so."""
    return isinstance(inbound, Tap) or (isinstance(inbound, Message) and inbound.answer_id is not None)


class ProjectQuestions:
    """Ask, and decide what waited once there is an answer."""

    def __init__(self, hub: ProjectHub, voice: HubVoice, wakeup: Wakeup) -> None:
        """`wakeup`: is set when the hub has something to answer that waited for a decision."""
        self._hub, self._voice, self._wakeup = hub, voice, wakeup
        self.deciding = anyio.Lock()
        """Held while it is decided whose events are, by what is stored, or a route is made, until that is stored."""
        # Of an earlier process there may be open questions.
        self._any_open = True
        self._sending: set[Asked] = set()
        self._not_before: dict[Asked, float] = {}

    # ---- deciding and asking

    async def settle(self, *, any_undecided: bool = True) -> None:
        """Decide what can be decided by now, and ask about the rest. Raises `StoreError`."""
        waiting: set[Asked] = set()
        for places in _in_steps(await self._hub.events.undecided_counts() if any_undecided else {}):
            async with self.deciding:
                undecided = await self._undecided(places)
                await self._close(await self._decide(undecided), undecided)
                open_: dict[Asked, list[_Undecided]] = defaultdict(list)
                for one in undecided:
                    if one.decision.to == "ask" and one.decision.projects:
                        open_[one.asked].append(one)
                for asked, of in open_.items():
                    await self._ask(asked, of)
                waiting |= _still_waiting(undecided)
        if self._any_open:
            await self._close_others(waiting)

    async def settle_decidable(self, targets: Sequence[RouteTarget]) -> tuple[RoutingFacts, list[OpenCommand]]:
        """Decide what can be decided by now; return what is known about what comes next, at `targets`.

        Both are decided by the same facts: a route that somebody makes meanwhile holds for neither, or the second one
        could overtake the first. Returned too is what the hub has not obeyed yet. The caller holds `deciding`. Raises
        `StoreError`.
        """
        undecided, facts, commands = await self._look({target.route_key for target in targets}, targets)
        await self._close(await self._decide(undecided), undecided)
        sent = {(one.chat_id, one.message_id): one.project for each in undecided for one in each.messages}
        return replace(facts, sent={**facts.sent, **sent}), commands

    async def settle_between(self, after: int, command: int) -> None:
        """Decide what came before a command, by id, as far as it can be decided without it; `after`: the one before.

        Raises `StoreError`.
        """
        async with self.deciding:
            undecided = await self._undecided(after=after, before=command)
            await self._close(await self._decide(undecided), undecided)

    async def _decide(self, undecided: Sequence[_Undecided]) -> dict[Asked, _Undecided]:
        """Hand each decided message to its project; return the last of them, by person and place."""
        decided: dict[Asked, _Undecided] = {}
        ids: dict[str, list[int]] = defaultdict(list)
        messages: dict[str, list[OwnedMessage]] = defaultdict(list)
        nobodys: list[_Undecided] = []
        for one in undecided:
            match one.decision.to:
                case "ask" | "wait":
                    continue
                case "nobody" if not is_answered(one.inbound):
                    nobodys.append(one)
                case _:
                    ids[one.receiver].append(one.event.id)
                    messages[one.receiver] += one.messages
                    decided[one.asked] = one
        for project, found in ids.items():
            await self._hub.events.decide(found, project, messages[project])
        if HUB in ids:
            self._wakeup.set()
        if nobodys:
            kept = {one.event.id for one in nobodys if one.target.is_said_to_bot}
            await self._hub.events.drop([one.event.id for one in nobodys], kept)
        return decided

    async def _undecided(
        self,
        route_keys: Collection[str] | None = None,
        *,
        after: int = 0,
        before: int | None = None,
        route: NewRoute | None = None,
    ) -> list[_Undecided]:
        """Return what waits for a decision, and what is decided about it now; `route` counts as made."""
        return (await self._look(route_keys, after=after, before=before, route=route))[0]

    async def _look(
        self,
        route_keys: Collection[str] | None,
        targets: Sequence[RouteTarget] = (),
        *,
        after: int = 0,
        before: int | None = None,
        route: NewRoute | None = None,
    ) -> tuple[list[_Undecided], RoutingFacts, list[OpenCommand]]:
        """Return the same, the facts about it and about `targets`, and what the hub has not obeyed yet."""
        pending = await self._hub.events.pending(route_keys, after=after, before=before)
        events, commands = pending.undecided, list(pending.commands)
        inbound: list[Inbound] = []
        for event in events:
            inbound.append(self._voice.adapter.to_inbound(event.event))
            if len(inbound) % STEP == 0:
                await anyio.lowlevel.checkpoint()
        # A chat may have another id by now.
        of = [replace(target_of(one), chat_id=event.chat_id) for event, one in zip(events, inbound, strict=True)]
        facts = await self._hub.routes.facts([*targets, *of]) if targets or of else RoutingFacts()
        if route is not None:
            facts = replace(facts, routes={**facts.routes, (route.kind, route.key): route.project})
        undecided: list[_Undecided] = []
        parts = MessageParts(self._voice.adapter.limits)
        for event, one, target in zip(events, inbound, of, strict=True):
            decision = WAIT
            if not any(command.id < event.id and command.concerns(target) for command in commands):
                decision = parts.decide(one, target, facts) if isinstance(one, Message) else choose(target, facts)
            if isinstance(one, Message):
                parts.remember(one, decision)
            undecided.append(_Undecided(event, one, target, decision))
        return await self._kept(undecided), facts, commands

    async def _kept(self, undecided: list[_Undecided]) -> list[_Undecided]:
        """Return the same, but what a person is asked about waits until they choose, even if they are let in."""
        if all(one.decision.to != "nobody" for one in undecided):
            return undecided
        asked = {question.asked for question in await self._hub.questions.unanswered()}
        return [
            replace(one, decision=KEPT)
            if one.decision.to == "nobody" and one.asked in asked and one.event.waited_s < KEPT_S
            else one
            for one in undecided
        ]

    async def make(self, route: NewRoute, by: Person) -> None:
        """Make a route; what was said before goes first. Raises `StoreError`."""
        async with self.deciding:
            undecided = await self._undecided(route=route)
            await self._close(await self._decide(undecided), undecided)
            await self._hub.routes.set(route.kind, route.key, route.project, by.id)

    async def _ask(self, asked: Asked, waiting: Sequence[_Undecided]) -> None:
        projects = {project for one in waiting for project in one.decision.projects}
        members = [member for member in self._hub.members.known if member.project in projects]
        if not members:
            # Nobody can be asked before it is known whom the projects let in.
            return
        message, target = next(
            ((one.inbound, one.target) for one in waiting if isinstance(one.inbound, Message)), (None, None)
        )
        shown = members if message is None or target is None else shown_in(message, members, target)
        # Numbers count the buttons; the other ones can be named.
        choices = [*shown, *(member for member in members if member not in shown)]
        is_new = await self._hub.questions.open(asked, [member.project for member in choices])
        self._any_open = True
        if message is None or not is_new or asked in self._sending:
            return
        if self._not_before.get(asked, 0.0) <= time.monotonic():
            self._sending.add(asked)
            self._voice.follow_ups.add(partial(self._send, asked, message, shown, len(choices)))

    async def migrate_chat(self, old_id: str, new_id: str) -> None:
        """Ask about what waits in a chat under its new id. Raises `StoreError`."""
        async with self.deciding:
            await self._hub.questions.migrate_chat(old_id, new_id)
            await self._hub.events.migrate_chat(old_id, new_id)

    async def _send(self, asked: Asked, message: Message, shown: Sequence[ProjectMember], number: int) -> None:
        """Ask, with a button for each project that is `shown`, of a `number`."""
        pause_s = AGAIN_AFTER_S
        moved = message.chat.id != asked.chat_id
        message = replace(message, chat=replace(message.chat, id=asked.chat_id))
        try:
            keys = keyboard(shown, ANSWER, self._voice.adapter.limits)
            text = translate("hub_which")
            if sum(map(len, keys)) < number:
                text = f"{text}\n{translate('hub_which_by_name', bot=self._voice.adapter.display_name)}"
            sent = await self._voice.send(
                message, text, keys or None, acknowledged=translate("hub_asked"), quoted=not moved
            )
            if not await self._record(asked, sent.message_id):
                # It was decided meanwhile.
                self._write(asked, sent.message_id, translate("hub_question_over"))
            pause_s = 0.0
        except RateLimited as error:
            pause_s = error.retry_after
        except (PlatformError, StoreError) as error:
            logger.warning("a person could not be asked which project a message is for: %s", redact(str(error)))
        finally:
            self._sending.discard(asked)
            self._not_before.pop(asked, None)
            if pause_s:
                self._not_before[asked] = time.monotonic() + pause_s

    async def _record(self, asked: Asked, message_id: str) -> bool:
        """Record which message is a question, however long the hub cannot be reached: else it would be asked again."""
        backoff = Backoff(cap_s=10.0)
        while True:
            try:
                return await self._hub.questions.sent(asked, message_id)
            except StoreError as error:
                logger.info("the hub learns later which message asks a person: %s", error)
            await anyio.sleep(backoff.next())

    async def _close_others(self, waiting: Collection[Asked]) -> None:
        """Close the questions about what waits no longer."""
        unanswered = await self._hub.questions.unanswered()
        for question in unanswered:
            if question.asked not in waiting:
                await self._end(question, None)
        self._any_open = any(question.asked in waiting for question in unanswered)

    async def _close(self, decided: Mapping[Asked, _Undecided], undecided: Sequence[_Undecided]) -> None:
        """Close the questions about what was decided just now, unless something of it still waits."""
        waiting = _still_waiting(undecided)
        for asked, one in decided.items():
            question = await self._hub.questions.of(asked) if asked not in waiting else None
            if question is not None and not question.project:
                await self._end(question, one)

    async def _end(self, question: Question, decided: _Undecided | None) -> None:
        """Close a question that nobody answered; `decided`: what it was about, if it was decided otherwise."""
        if not await self._hub.questions.answer(question.asked, decided.receiver if decided else HUB):
            return
        member = self._member(decided.receiver) if decided else None
        outcome = translate("hub_question_over")
        if decided is not None and member is not None and is_open_to_all(member, decided.target):
            outcome = translate("hub_goes_to", project=label(member.name))
        self._write(question.asked, question.message_id, outcome)

    def _write(self, asked: Asked, message_id: str, outcome: str) -> None:
        """Close a question that nobody tapped, with the outcome under it."""
        if message_id:
            self._voice.edit(asked.chat_id, message_id, f"{translate('hub_which')}\n\n{outcome}", None, asked.user_id)

    # ---- answers

    async def tap(self, tap: Tap, target: RouteTarget, project: str) -> None:
        """Count a tap on a question, if it counts. Raises `StoreError`."""
        question = await self._hub.questions.on(tap.chat.id, tap.message_id)
        if question is None:
            self._voice.tell(tap, translate("tap_unknown"), alert=True)
            self._voice.close(tap, "")
            return
        # The place that was asked about: the question may stand in a thread under the message.
        target = replace(target, thread_id=question.asked.thread_id or None)
        member = self._member(project)
        if tap.sender.id != question.asked.user_id:
            self._voice.tell(tap, translate("tap_foreign"), alert=True)
        elif question.project not in {"", project}:
            name = name_of(self._hub.members.known, question.project)
            over = question.project == HUB
            self._voice.tell(tap, translate("tap_closed") if over else translate("tap_answered", label=name))
        elif member is None or not lets_in(member, target):
            self._voice.tell(tap, translate("hub_closed"), alert=True)
        else:
            self._voice.tell(tap, label(member.name), counted=True)
            await self._count(question.asked, member, tap.sender, target)
            chosen = KeyboardButton(label(member.name), HubButton(ANSWER, project).data)
            self._voice.close(tap, self._outcome(member, tap.sender, target), chosen)

    async def type(self, message: Message, target: RouteTarget, project: str) -> None:
        """Count a typed answer. Raises `StoreError`."""
        asked, member = _asked(target), self._member(project)
        question = await self._hub.questions.of(asked)
        if question is not None and member is not None and lets_in(member, target):
            await self._count(asked, member, message.sender, target)
            self._write(asked, question.message_id, self._outcome(member, message.sender, target))

    async def _count(self, asked: Asked, member: ProjectMember, by: Person, target: RouteTarget) -> None:
        """Record an answer, give what waited to the project, and what the same person says there from then on."""
        await self._hub.questions.answer(asked, member.project)
        undecided = await self._undecided({target.route_key})
        given = [one for one in undecided if one.asked == asked and one.decision.to != "wait"]
        decision = Decision("project", (member.project,))
        await self._decide([replace(one, decision=decision) for one in given])
        await self.make(self._route(member, target), by)

    def _route(self, member: ProjectMember, target: RouteTarget) -> NewRoute:
        """A topic of somebody's own direct chat becomes the project's; in a group only an approver can do that."""
        if target.private and target.thread_key is not None:
            return NewRoute("thread", target.thread_key, member.project)
        return NewRoute("person", target.user_id, member.project)

    def _outcome(self, member: ProjectMember, by: Person, target: RouteTarget) -> str:
        key = "hub_answered_topic" if target.private and target.thread_key is not None else "hub_answered"
        if not is_open_to_all(member, target):
            key = "hub_answered_unnamed"
        return translate(key, project=label(member.name), user=label(by.display_name))

    def _member(self, project: str) -> ProjectMember | None:
        return next((member for member in self._hub.members.known if member.project == project), None)


def _in_steps(counts: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield places, by route key, until there is enough in them to look at in one go."""
    places: list[str] = []
    number = 0
    for place, count in counts.items():
        places.append(place)
        number += count
        if number >= LOOKED_AT_MAX:
            yield places
            places, number = [], 0
    if places:
        yield places


def _still_waiting(undecided: Iterable[_Undecided]) -> set[Asked]:
    return {one.asked for one in undecided if one.decision.to in {"ask", "wait"}}


def _asked(target: RouteTarget) -> Asked:
    return Asked(target.chat_id, target.thread_id or "", target.user_id)
