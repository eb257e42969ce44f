"""Which project gets an event of a bot that several share: the most specific of what names one. Pure functions.

    what an album, a long text or an edited message belongs to  >  the thread  >  the message that is answered, tapped
    or reacted to  >  the chat  >  the person's current project  >  the only project that lets them in  >  the default

A project gets nothing from anybody whom it does not let in: what names such a project is asked about in a direct chat,
and goes to nobody in a group. Where several projects fit, the person is asked. Somebody whom no project lets in goes to
the project that invited them, or else to the default one, which pairs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Literal

from agent_channels.core.contract.messages import (
    Chat,
    ChatMigrated,
    DraftStopped,
    Inbound,
    Joined,
    Membership,
    Message,
    Person,
    Tap,
    ThreadRenamed,
)
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.members import MemberGroup, ProjectMember
from agent_channels.core.patterns import lazy_pattern

__all__ = [
    "COMMANDS",
    "HUB",
    "HUB_BUTTON",
    "WAIT",
    "Decision",
    "RouteKind",
    "RouteTarget",
    "RoutingFacts",
    "choose",
    "group_of",
    "hears",
    "invited_project",
    "lets_in",
    "target_of",
]

COMMANDS = frozenset({"projects", "new", "here"})
"""The commands that the hub answers itself."""
HUB = "hub"
"""Who gets what the hub answers itself: no project's id is so short."""
HUB_BUTTON = "hub:"
"""What the data of every button that the hub answers itself begins with."""

RouteKind = Literal["thread", "chat", "person", "default"]
TargetKind = Literal["message", "tap", "draft", "migration", "membership", "joined", "thread", "nothing"]

# What an invitation holds that names its project, alone or behind /start.
_INVITATION = lazy_pattern(r"(?:/start(?:@\w+)?\s+)?([a-z]{8})-\w{12}", re.ASCII | re.IGNORECASE)

# Panels of a project with a hub have ids that begin with its own.
_DRAWN_BY = lazy_pattern(r"([a-z]{8})[\w-]{14}\.", re.ASCII)


def invited_project(text: str) -> str | None:
    """Return the id of the project that an invitation in a text is for; None if the text is not one."""
    found = _INVITATION.fullmatch(text.strip())
    return found[1].lower() if found else None


@frozen
class RouteTarget:
    """What decides about an event: where it was said, by whom, and what it belongs to or answers."""

    kind: TargetKind
    chat_id: str = ""
    thread_id: str | None = None
    parent_id: str | None = None
    """For a thread that is a chat of its own: the chat whose rule applies to it."""
    user_id: str = ""
    private: bool = False
    """Whether it is in the person's direct chat."""
    answered_message_id: str | None = None
    """The message that was replied to, tapped or reacted to."""
    answers_bot: bool = False
    """Whether the bot itself wrote the message that was replied to."""
    own_message_id: str | None = None
    """For a new version of a message: its id."""
    command: str | None = None
    """The name of a command that the person typed or chose themselves."""
    addressed: bool = True
    """Whether it is meant for the bot, or else may be talk in a group."""
    is_bot: bool = False
    hub_button: bool = False
    """Whether it is a tap on a button that the hub answers itself."""
    drawn_by: str | None = None
    """For a tap: the project that the button says it is from."""
    invited_to: str | None = None
    """The project whose invitation it holds."""
    askable: bool = True
    """Whether its sender can be asked which project they mean: not after a reaction, a vote or a tap."""

    @property
    def thread_key(self) -> str | None:
        """The key of the route of its thread; None outside threads."""
        if self.thread_id is not None:
            return f"{self.chat_id}/{self.thread_id}"
        return self.chat_id if self.parent_id is not None else None

    @property
    def chat_key(self) -> str:
        """The key of the route of its chat; a thread has that of the chat it belongs to."""
        return self.parent_id or self.chat_id

    @property
    def route_key(self) -> str:
        """The same for all events whose order counts."""
        return f"{self.chat_id}/{self.thread_id or ''}"

    @property
    def route_keys(self) -> list[tuple[RouteKind, str]]:
        """The routes that may apply, the most specific first."""
        keys: list[tuple[RouteKind, str]] = [("thread", self.thread_key)] if self.thread_key is not None else []
        return [*keys, ("chat", self.chat_key), ("person", self.user_id), ("default", "")]

    @property
    def is_said_to_bot(self) -> bool:
        """Whether it is a message for the bot. Talk in a group to others than the bot concerns nobody here."""
        return self.kind == "message" and self.askable and (self.private or self.addressed)

    @property
    def message_ids(self) -> list[str]:
        """The messages by which its project may be known."""
        return [found for found in (self.own_message_id, self.answered_message_id) if found]


def target_of(inbound: Inbound) -> RouteTarget:
    """Return what decides about an event."""
    match inbound:
        case Message():
            return _target_of_message(inbound)
        case Tap():
            return replace(
                _said_by("tap", inbound.chat, inbound.sender),
                thread_id=inbound.thread_id,
                answered_message_id=inbound.message_id,
                hub_button=inbound.data.startswith(HUB_BUTTON),
                drawn_by=found[1] if (found := _DRAWN_BY.match(inbound.data)) else None,
                askable=False,
            )
        case DraftStopped():
            return replace(_said_by("draft", inbound.chat, inbound.by), askable=False)
        case Membership():
            return replace(_said_by("membership", inbound.chat, inbound.by), askable=False)
        case Joined():
            return RouteTarget("joined", inbound.chat.id, parent_id=inbound.chat.parent_id, askable=False)
        case ChatMigrated():
            return RouteTarget("migration", inbound.old_id, askable=False)
        case ThreadRenamed():
            return RouteTarget("thread", inbound.chat_id, inbound.thread_id, askable=False)
        case _:
            return RouteTarget("nothing", askable=False)


def _target_of_message(message: Message) -> RouteTarget:
    said = not (message.reaction or message.passive)
    reply = message.reply.message_id if message.reply else None
    # A forwarded command is somebody else's, and a corrected one was obeyed or not before.
    command = message.command if said and not (message.edited or message.forward_from) else None
    return replace(
        _said_by("message", message.chat, message.sender),
        thread_id=message.thread_id,
        answered_message_id=message.message_id if message.reaction else reply or None,
        answers_bot=message.reply is not None and message.reply.own,
        own_message_id=message.message_id if message.edited else None,
        command=command.name if command else None,
        addressed=message.addressed and not message.for_another_bot,
        invited_to=invited_project(message.text) if message.chat.kind == "direct" and not message.edited else None,
        askable=said,
    )


def _said_by(kind: TargetKind, chat: Chat, sender: Person) -> RouteTarget:
    return RouteTarget(
        kind,
        chat.id,
        parent_id=chat.parent_id,
        user_id=sender.id,
        private=chat.kind == "direct",
        is_bot=sender.is_bot,
    )


def group_of(member: ProjectMember, target: RouteTarget) -> MemberGroup | None:
    """Return the group that a chat is, or belongs to, as a project enabled it; None if it did not."""
    return member.groups.get(target.chat_id) or member.groups.get(target.chat_key)


def lets_in(member: ProjectMember, target: RouteTarget) -> bool:
    """Return whether what this person says there may reach the project's agent."""
    if target.private:
        return target.user_id in member.people
    group = group_of(member, target)
    if group is None:
        return False
    return not target.is_bot if group.senders is None else target.user_id in group.senders


def hears(member: ProjectMember, target: RouteTarget) -> bool:
    """Return whether it does reach the agent: talk that does not address the bot often does not."""
    group = None if target.private else group_of(member, target)
    return target.addressed or group is None or group.hears_all


@frozen
class RoutingFacts:
    """What the hub knows: its projects, the routes by kind and key, and the project of messages by chat and id."""

    members: Sequence[ProjectMember] = ()
    routes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    sent: Mapping[tuple[str, str], str] = field(default_factory=dict)
    continues: str | None = None
    """The project of the album or long text of which the event is a further part."""


@frozen
class Decision:
    """What becomes of an event, and the rule that says so.

    `project`: the projects get it. `ask`: the person chooses among the projects, or it waits if there is none. `hub`:
    the hub answers it itself. `nobody`: no project gets it. `wait`: that is known once the hub has done what was said
    before.
    """

    to: Literal["project", "ask", "hub", "nobody", "wait"]
    projects: tuple[str, ...] = ()
    rule: str = ""


WAIT = Decision("wait", rule="what was said before may change it")


def choose(target: RouteTarget, facts: RoutingFacts) -> Decision:
    """Decide who gets an event. The order of the facts does not matter."""
    match target.kind:
        case "nothing":
            return Decision("nobody", rule="nothing was said")
        case "message" | "tap":
            return _choose_one(target, facts)
        case _:
            return _choose_all(target, facts)


def _choose_all(target: RouteTarget, facts: RoutingFacts) -> Decision:
    """Decide about what is no message: every project that it concerns gets it."""
    concerned = list(facts.members)
    match target.kind:
        case "draft":
            concerned = [member for member in facts.members if lets_in(member, target)]
        case "membership" if target.private:
            # A person who blocks the bot blocks it for every project.
            concerned = [member for member in facts.members if target.user_id in member.people]
        case "joined":
            concerned = [member for member in facts.members if group_of(member, target)]
        case "thread":
            bound = facts.routes.get(("thread", target.thread_key or ""))
            # A direct chat may have its person's id, and a person's id is never a group's.
            known = [member for member in facts.members if group_of(member, target) or target.chat_id in member.people]
            concerned = [member for member in facts.members if member.project == bound] or known
    projects = sorted(member.project for member in concerned)
    return Decision("project", tuple(projects), "it concerns them") if projects else _nobody("it concerns no project")


def _choose_one(target: RouteTarget, facts: RoutingFacts) -> Decision:
    fitting = [member for member in facts.members if lets_in(member, target)]
    if any(member.project == target.invited_to for member in facts.members):
        return _only(target.invited_to, "its invitation")
    if _may_be_unreadable(target, facts, fitting):
        return Decision("ask", rule="it is not known whom its project lets in")
    if not fitting:
        return _choose_for_stranger(target, facts)
    if target.command in COMMANDS or target.hub_button:
        return Decision("hub", rule="it is for the hub")
    return _choose_named(target, facts, fitting) or _choose_fitting(target, facts, fitting)


def _may_be_unreadable(target: RouteTarget, facts: RoutingFacts, fitting: list[ProjectMember]) -> bool:
    """Return whether a message is for a project of which it is not known whom it lets in, or may be."""
    unreadable = {member.project for member in facts.members if member.is_unreadable}
    if not unreadable or not (target.askable and target.addressed):
        return False
    members, current = {member.project for member in facts.members}, facts.routes.get(("person", target.user_id))
    named = next((project for _, project in _named(target, facts) if project in members), current)
    return named in unreadable or (target.private and not fitting)


def _choose_named(target: RouteTarget, facts: RoutingFacts, fitting: list[ProjectMember]) -> Decision | None:
    """Decide by what names a project for this place or message; None if nothing does."""
    members, let_in = {member.project for member in facts.members}, {member.project for member in fitting}
    for rule, project in _named(target, facts):
        if project in let_in:
            return _only(project, rule)
        if project in members:
            # It was meant for a project that does not let its sender in, and so for no other.
            asks = target.private and target.askable
            return _ask(fitting, f"{rule} is closed to them") if asks else _nobody(f"{rule} is closed to them")
    return None


def _choose_fitting(target: RouteTarget, facts: RoutingFacts, fitting: list[ProjectMember]) -> Decision:
    """Decide among the projects that let a person in."""
    let_in = {member.project for member in fitting}
    current, default = facts.routes.get(("person", target.user_id)), facts.routes.get(("default", ""))
    if len(fitting) > 1 and _answers_unknown(target, facts):
        rule = "the message that it answers is not known"
        return _ask(fitting, rule) if target.askable else _nobody(rule)
    if current in let_in:
        return _only(current, "the person's current project")
    hearing = [member for member in fitting if hears(member, target)]
    for found in (fitting, hearing):
        if len(found) == 1:
            return _only(found[0].project, "the only project")
    if default in let_in:
        return _only(default, "the default project")
    if hearing and target.askable:
        return _ask(hearing, "several projects")
    return _nobody("several projects, and nobody can be asked")


def _answers_unknown(target: RouteTarget, facts: RoutingFacts) -> bool:
    """Return whether somebody answers a message that may be another project's than the one they write to otherwise.

    The hub learns late of what was sent while it could not be reached, and forgets what is old. In a group people also
    answer each other; what they react to there may be anybody's.
    """
    answered = target.answered_message_id
    if target.kind != "message" or not answered or (target.chat_id, answered) in facts.sent:
        return False
    return target.private or target.answers_bot or not target.askable


def _named(target: RouteTarget, facts: RoutingFacts) -> Iterator[tuple[str, str | None]]:
    """Yield what names a project for this place or message, the most specific first."""
    sent = facts.sent
    yield "what it is a part of", facts.continues
    yield "the message that it changes", sent.get((target.chat_id, target.own_message_id or ""))
    answered = "the message that it answers", sent.get((target.chat_id, target.answered_message_id or ""))
    if target.kind == "tap":
        # A button is its project's, whatever became of the thread since.
        yield "its button", target.drawn_by
        yield answered
    yield "its thread", facts.routes.get(("thread", target.thread_key or ""))
    yield answered
    yield "its chat", facts.routes.get(("chat", target.chat_key))


def _choose_for_stranger(target: RouteTarget, facts: RoutingFacts) -> Decision:
    """Decide about somebody whom no project lets in."""
    if target.kind == "tap":
        return _nobody("nobody lets them in")
    if any(group_of(member, target) for member in facts.members if not target.private):
        # A project listens there, but not to them; and nobody else does.
        return _nobody("the group's projects do not let them in")
    waiting = [member.project for member in facts.members if target.private and target.chat_id in member.waiting]
    if len(waiting) == 1:
        return _only(waiting[0], "the project that they wait for")
    default, members = facts.routes.get(("default", "")), {member.project for member in facts.members}
    if default in members:
        return _only(default, "a stranger, the default project")
    if len(members) == 1:
        return _only(members.pop(), "a stranger, the only project")
    return _nobody("a stranger, and no project is the default one")


def _only(project: str | None, rule: str) -> Decision:
    return Decision("project", (project or "",), rule)


def _ask(members: Iterable[ProjectMember], rule: str) -> Decision:
    return Decision("ask", tuple(sorted(member.project for member in members)), rule)


def _nobody(rule: str) -> Decision:
    return Decision("nobody", rule=rule)
