"""Which project gets what: never one that does not let its sender in, and always the most specific one."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.messages import (
    Chat,
    ChatMigrated,
    Command,
    DraftStopped,
    Ignored,
    Inbound,
    Joined,
    Membership,
    Message,
    Person,
    ReplyContext,
    Tap,
    ThreadRenamed,
)
from agent_channels.core.hub.members import MemberGroup, ProjectMember
from agent_channels.core.hub.routes import (
    Decision,
    RouteTarget,
    RoutingFacts,
    choose,
    hears,
    invited_project,
    lets_in,
    target_of,
)

T = TypeVar("T")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
PROJECTS = ["apiapiap", "docsdocs", "shopshop", "webwebwe"]
PEOPLE = ["1", "2", "3"]
GROUPS = ["-10", "-20"]
THREADS = ["5", "6"]
MESSAGES = ["100", "101", "102"]


def member(
    project: str,
    name: str = "",
    people: frozenset[str] = frozenset(),
    groups: Mapping[str, MemberGroup] | None = None,
    waiting: frozenset[str] = frozenset(),
) -> ProjectMember:
    return ProjectMember(
        project=project,
        name=name or project,
        folder="/work",
        machine="desk",
        people=people,
        approvers=frozenset(),
        enabled={},
        groups=groups or {},
        waiting=waiting,
        session_state="idle",
        silent_s=0.0,
        joined_at=0.0,
    )


members = st.builds(
    member,
    project=st.sampled_from(PROJECTS),
    people=st.frozensets(st.sampled_from(PEOPLE)),
    groups=st.dictionaries(
        st.sampled_from(GROUPS),
        st.builds(
            MemberGroup, senders=st.none() | st.frozensets(st.sampled_from(PEOPLE), min_size=1), hears_all=st.booleans()
        ),
    ),
    waiting=st.frozensets(st.sampled_from(PEOPLE)),
)
routes = st.dictionaries(
    st.one_of(
        st.tuples(st.just("thread"), st.sampled_from([f"{c}/{t}" for c in PEOPLE + GROUPS for t in THREADS])),
        st.tuples(st.just("thread"), st.sampled_from(["-11", "-21"])),
        st.tuples(st.just("chat"), st.sampled_from(PEOPLE + GROUPS)),
        st.tuples(st.just("person"), st.sampled_from(PEOPLE)),
        st.just(("default", "")),
    ),
    # Of one project that has left there may be a route still.
    st.sampled_from([*PROJECTS, "gonegone"]),
    max_size=6,
)
facts = st.builds(
    RoutingFacts,
    members=st.lists(members, unique_by=lambda one: one.project, max_size=3).map(tuple),
    routes=routes,
    sent=st.dictionaries(
        st.tuples(st.sampled_from(PEOPLE + GROUPS + ["-11"]), st.sampled_from(MESSAGES)),
        st.sampled_from([*PROJECTS, "gonegone"]),
        max_size=4,
    ),
    continues=st.none() | st.sampled_from(PROJECTS),
)


@st.composite
def targets(draw: st.DrawFn, kinds: tuple[str, ...] = ("message", "tap")) -> RouteTarget:
    """Anything that people do, in their direct chat, in a group, or in a thread of either form."""
    user, private = draw(st.sampled_from(PEOPLE)), draw(st.booleans())
    chat, parent = user if private else draw(st.sampled_from(GROUPS)), None
    thread = draw(st.none() | st.sampled_from(THREADS))
    if not private and thread is not None and draw(st.booleans()):
        chat, parent, thread = f"{chat[:-1]}1", chat, None
    kind = draw(st.sampled_from(kinds))
    return RouteTarget(
        kind,  # type: ignore[arg-type]
        chat,
        thread,
        parent,
        user,
        private,
        answered_message_id=draw(st.none() | st.sampled_from(MESSAGES)),
        own_message_id=draw(st.none() | st.sampled_from(MESSAGES)) if kind == "message" else None,
        command=draw(st.none() | st.sampled_from(["projects", "new", "here", "stop"])) if kind == "message" else None,
        addressed=private or kind == "tap" or draw(st.booleans()),
        is_bot=draw(st.booleans()),
        hub_button=kind == "tap" and draw(st.booleans()),
        askable=kind == "message" and draw(st.booleans()),
    )


def let_in(facts: RoutingFacts, target: RouteTarget) -> set[str]:
    return {one.project for one in facts.members if lets_in(one, target)}


def admitting(facts: RoutingFacts, target: RouteTarget, project: str) -> RoutingFacts:
    """The same, but for a project that lets the target in."""
    gate = member(
        project, people=frozenset({target.user_id}), groups={target.chat_key: MemberGroup(frozenset({target.user_id}))}
    )
    return replace(facts, members=(*(one for one in facts.members if one.project != project), gate))


def refusing(facts: RoutingFacts, target: RouteTarget, project: str) -> RoutingFacts:
    """The same, but for a project that does not, though others may speak in the same group."""
    gate = member(project, people=frozenset({"8"}), groups={target.chat_key: MemberGroup(frozenset({"8"}))})
    return replace(facts, members=(*(one for one in facts.members if one.project != project), gate))


@given(targets(), facts)
def test_a_project_gets_nothing_from_whom_it_does_not_let_in(target: RouteTarget, facts: RoutingFacts) -> None:
    """Whatever routes say: one project that lets them in, a choice among such, or nobody; strangers alone may pair."""
    decision, open_to = choose(target, facts), let_in(facts, target)
    if open_to:
        assert set(decision.projects) <= open_to
    elif decision.to == "project":
        (project,) = decision.projects
        members = [one.project for one in facts.members]
        waits = target.private and target.chat_id in next(
            one.waiting for one in facts.members if one.project == project
        )
        assert waits or facts.routes.get(("default", "")) == project or members == [project]
    else:
        assert decision.to == "nobody"
    if decision.to == "project":
        assert len(decision.projects) == 1


@given(targets(), facts, st.randoms(use_true_random=False))
def test_the_order_of_the_facts_does_not_matter(target: RouteTarget, facts: RoutingFacts, rng: random.Random) -> None:
    """Projects, routes and messages may be listed in any order."""

    def shuffled(items: list[T]) -> list[T]:
        return rng.sample(items, len(items))

    other = replace(
        facts,
        members=tuple(shuffled(list(facts.members))),
        routes=dict(shuffled(list(facts.routes.items()))),
        sent=dict(shuffled(list(facts.sent.items()))),
    )
    assert choose(target, other) == choose(target, facts)


@given(targets(("message",)), facts, st.sampled_from(PROJECTS))
def test_the_most_specific_wins(target: RouteTarget, facts: RoutingFacts, project: str) -> None:
    """A thread's route beats what any message, chat, person or default says; and so on down the line."""
    target = replace(target, command=None, own_message_id=None, answered_message_id="100")
    facts = replace(admitting(facts, target, project), continues=None)
    chosen = Decision("project", (project,))

    def without(*kinds: str, sent: bool = True) -> RoutingFacts:
        routes = {key: to for key, to in facts.routes.items() if key[0] not in kinds}
        return replace(facts, routes=routes, sent=facts.sent if sent else {})

    def with_route(rest: RoutingFacts, kind: str, key: str) -> Decision:
        return replace(choose(target, replace(rest, routes={**rest.routes, (kind, key): project})), rule="")

    if target.thread_key is not None:
        assert with_route(facts, "thread", target.thread_key) == chosen
    below = without("thread")
    answered = replace(below, sent={(target.chat_id, "100"): project})
    assert replace(choose(target, answered), rule="") == chosen
    target = replace(target, answered_message_id=None)
    assert with_route(without("thread", sent=False), "chat", target.chat_key) == chosen
    assert with_route(without("thread", "chat", sent=False), "person", target.user_id) == chosen
    last = without("thread", "chat", "person", sent=False)
    if len(let_in(last, target)) > 1 and not any(hears(one, target) for one in last.members if lets_in(one, target)):
        assert with_route(last, "default", "") == chosen


@given(targets(("tap",)), facts, st.sampled_from(PROJECTS))
def test_a_tap_is_for_whoever_drew_the_button(target: RouteTarget, facts: RoutingFacts, project: str) -> None:
    """Also in a thread that belongs to another project by now; and nobody is ever asked about a tap."""
    assert choose(target, facts).to != "ask"
    target = replace(target, hub_button=False, answered_message_id="100")
    facts = replace(admitting(facts, target, project), continues=None)
    sent = {(target.chat_id, "100"): project}
    assert choose(target, replace(facts, sent=sent)).projects == (project,)
    assert choose(replace(target, drawn_by=project), facts).projects == (project,)
    assert choose(replace(target, drawn_by="noproject"), facts) == choose(target, facts)


@given(targets(("message",)), facts, st.sampled_from(PROJECTS))
def test_a_correction_follows_its_message(target: RouteTarget, facts: RoutingFacts, project: str) -> None:
    """Wherever the thread, the chat or the person's current project has gone since."""
    target = replace(target, command=None, own_message_id="100")
    facts = replace(admitting(facts, target, project), continues=None)
    sent = {**facts.sent, (target.chat_id, "100"): project}
    assert choose(target, replace(facts, sent=sent)).projects == (project,)


@given(targets(), facts, st.sampled_from(PROJECTS))
def test_parts_of_one_message_stay_together(target: RouteTarget, facts: RoutingFacts, project: str) -> None:
    """A further part of an album goes where the first one went, whatever else names a project."""
    target = replace(target, command=None, hub_button=False)
    facts = replace(admitting(facts, target, project), continues=project)
    assert choose(target, facts).projects == (project,)


@given(targets(("message",)), facts, st.sampled_from(["thread", "chat", "sent"]))
def test_what_names_a_closed_project_is_never_guessed(target: RouteTarget, facts: RoutingFacts, by: str) -> None:
    """A message for a project that does not let its sender in reaches nobody else unasked."""
    closed, open_ = "shopshop", "webwebwe"
    target = replace(
        target, command=None, own_message_id=None, answered_message_id="100", thread_id="5", parent_id=None
    )
    facts = replace(admitting(refusing(facts, target, closed), target, open_), continues=None, routes={}, sent={})
    if by == "sent":
        facts = replace(facts, sent={(target.chat_id, "100"): closed})
    else:
        key = target.thread_key if by == "thread" else target.chat_key
        facts = replace(facts, routes={(by, key or ""): closed, ("person", target.user_id): open_})
    decision = choose(target, facts)
    assert decision.to == ("ask" if target.private and target.askable else "nobody")
    assert closed not in decision.projects


@given(targets(), facts)
def test_a_project_that_lets_nobody_in_changes_nothing(target: RouteTarget, facts: RoutingFacts) -> None:
    """One more project that this person cannot reach is neither asked about nor offered, nor in anybody's way."""
    facts = admitting(facts, target, PROJECTS[0])
    more = replace(facts, members=(*facts.members, member("moremore")))
    assert choose(target, more) == choose(target, facts)


@given(targets(), facts)
def test_asked_is_only_who_can_choose(target: RouteTarget, facts: RoutingFacts) -> None:
    """A question has at least one project, none twice, and a person behind it who said something."""
    decision = choose(target, facts)
    if decision.to == "ask":
        assert target.askable
        assert sorted(set(decision.projects)) == list(decision.projects) != []
    else:
        assert len(decision.projects) == (decision.to == "project")


# ---- examples that people would tell


API = member("apiapiap", "api", frozenset({"1"}), {"-10": MemberGroup(frozenset({"1"}), hears_all=False)})
WEB = member("webwebwe", "web", frozenset({"1", "2"}), {"-10": MemberGroup(None, hears_all=False)})
DOCS = member("docsdocs", "docs")
BOTH = RoutingFacts((API, WEB, DOCS))


def said(text: str = "hello", user: str = "1", chat: Chat | None = None, **more: object) -> Message:
    return Message(
        chat or Chat(user, "direct"),
        "7",
        Person(user, "Ann"),
        NOW,
        text,
        addressed=bool(more.pop("addressed", True)),
        **more,  # type: ignore[arg-type]
    )


def decided(inbound: Inbound, facts: RoutingFacts = BOTH) -> Decision:
    return choose(target_of(inbound), facts)


GROUP = Chat("-10", "group", "Team")


def test_one_person_two_projects() -> None:
    """Asked while nothing says more; then their current project; then what they reply to, wherever they are."""
    assert decided(said()) == Decision("ask", ("apiapiap", "webwebwe"), "several projects")
    current = replace(BOTH, routes={("person", "1"): "webwebwe"}, sent={("1", "55"): "apiapiap"})
    assert decided(said(), current).projects == ("webwebwe",)
    assert decided(said(reply=ReplyContext("55", None, None)), current).projects == ("apiapiap",)
    assert decided(replace(said("👍", reaction="👍"), message_id="55"), current).projects == ("apiapiap",)
    assert decided(said(user="2"), current).projects == ("webwebwe",)


def test_an_answer_to_an_unknown_message_is_asked_about() -> None:
    """It may be another project's than the current one; a reaction, which cannot be asked about, is nobody's then."""
    current = replace(BOTH, routes={("person", "1"): "webwebwe", ("default", ""): "webwebwe"})
    unknown = ReplyContext("56", None, None)
    assert decided(said(reply=unknown), current).to == "ask"
    assert decided(said(reply=ReplyContext("", None, None)), current).projects == ("webwebwe",)
    assert decided(replace(said("👍", reaction="👍"), message_id="56"), current).to == "nobody"
    assert decided(said(reply=unknown, user="2"), current).projects == ("webwebwe",)
    assert decided(replace(said("👍", user="2", reaction="👍"), message_id="56"), current).projects == ("webwebwe",)
    bound = replace(current, routes={("chat", "1"): "apiapiap"})
    assert decided(said(reply=unknown), bound).projects == ("apiapiap",)


def test_an_answer_to_an_unknown_message_of_the_bot_s_is_asked_about_in_a_group_too() -> None:
    """But not one to somebody else's, of which the bot knows nothing anyway; a reaction to either is nobody's."""
    current = replace(BOTH, routes={("person", "1"): "webwebwe", ("default", ""): "webwebwe"})
    of_bot, of_bob = ReplyContext("56", "bot", "Delete it?", own=True), ReplyContext("57", "bob", "Look")
    assert decided(said("yes", chat=GROUP, reply=of_bot), current).to == "ask"
    assert decided(said("see this", chat=GROUP, reply=of_bob), current).projects == ("webwebwe",)
    reaction = said("👍", chat=GROUP, reaction="👍", addressed=False)
    assert decided(reaction, current).to == "nobody"
    assert decided(reaction, replace(current, sent={("-10", "7"): "apiapiap"})).projects == ("apiapiap",)
    bound = replace(current, routes={("chat", "-10"): "apiapiap"})
    assert decided(said("yes", chat=GROUP, reply=of_bot), bound).projects == ("apiapiap",)
    assert decided(reaction, bound).projects == ("apiapiap",)


def test_talk_in_a_group_asks_nobody() -> None:
    """What does not address the bot makes no question; what does, asks; who is not let in is let in nowhere else."""
    assert decided(said(chat=GROUP, addressed=False)).to == "nobody"
    assert decided(said(chat=GROUP)).to == "ask"
    assert decided(said(chat=GROUP, user="3")).projects == ("webwebwe",)
    assert decided(said(chat=GROUP, user="3"), RoutingFacts((API,), {("default", ""): "apiapiap"})).to == "nobody"
    bound = replace(BOTH, routes={("chat", "-10"): "apiapiap"})
    assert decided(said(chat=GROUP, user="3"), bound).to == "nobody"
    assert decided(said(chat=GROUP, addressed=False), bound).projects == ("apiapiap",)


def test_strangers_pair_with_the_default_project() -> None:
    """Or with the only one, or the one they wait for; with none of these nobody hears them."""
    assert decided(said(user="9")).to == "nobody"
    assert decided(said(user="9"), replace(BOTH, routes={("default", ""): "docsdocs"})).projects == ("docsdocs",)
    assert decided(said(user="9"), RoutingFacts((DOCS,))).projects == ("docsdocs",)
    asked = replace(DOCS, waiting=frozenset({"9"}))
    assert decided(said(user="9"), RoutingFacts((API, asked))).projects == ("docsdocs",)
    assert decided(said("/projects", "9", command=Command("projects", "")), BOTH).to == "nobody"


def test_an_invitation_finds_its_project() -> None:
    """Behind /start or alone, for strangers and for people of other projects; only in a direct chat."""
    for text in ("/start docsdocs-ABCDEFGHJKLM", "docsdocs-abcdefghjklm", " /start@the_bot DOCSDOCS-ABCDEFGHJKLM "):
        assert invited_project(text) == "docsdocs"
        for user in ("1", "9"):
            assert decided(said(text, user)).projects == ("docsdocs",)
    assert decided(said("docsdocs-ABCDEFGHJKLM", chat=GROUP)).to == "ask"
    assert decided(said("/start gonegone-ABCDEFGHJKLM")).to == "ask"
    for text in ("ABCDEFGHJKLM", "docs-ABCDEFGHJKLM", "docsdocs-ABCDEFGHJKLM please", ""):
        assert invited_project(text) is None


def test_the_hub_answers_its_own() -> None:
    """Its commands and buttons, for people of any project; forwarded or corrected, a command is text."""
    for name in ("projects", "new", "here"):
        assert decided(said(f"/{name}", command=Command(name, ""))).to == "hub"
    assert decided(said("/new x", command=Command("new", "x"), forward_from="Bob")).to == "ask"
    assert decided(said("/new x", command=Command("new", "x"), edited=True)).to == "ask"
    tap = Tap("t", "hub:use:apiapiap", Chat("1", "direct"), "60", Person("1", "Ann"), NOW)
    assert decided(tap).to == "hub"
    assert decided(replace(tap, sender=Person("9", "Eve"))).to == "nobody"
    assert decided(replace(tap, data="x" * 22 + ".0")).to == "nobody"


@pytest.mark.parametrize(
    ("inbound", "projects"),
    [
        (ChatMigrated("-10", "-30"), ("apiapiap", "docsdocs", "webwebwe")),
        (Membership(GROUP, Person("5", "Bob"), present=True), ("apiapiap", "docsdocs", "webwebwe")),
        (Membership(Chat("2", "direct"), Person("2", "Bob"), present=False), ("webwebwe",)),
        (Joined(GROUP, ("5",)), ("apiapiap", "webwebwe")),
        (ThreadRenamed("-10", "4", "Release"), ("apiapiap", "webwebwe")),
        (ThreadRenamed("2", "4", "Release"), ("webwebwe",)),
        (DraftStopped(Chat("2", "direct"), Person("2", "Bob"), 1), ("webwebwe",)),
        (Ignored("a service message"), ()),
    ],
)
def test_what_is_no_message_goes_to_all_that_it_concerns(inbound: Inbound, projects: tuple[str, ...]) -> None:
    """A group's new id or the bot's coming and going to every project, the rest to those that know the chat."""
    assert decided(inbound).projects == projects


def test_a_threads_name_is_its_projects() -> None:
    """The name that a person gave to a thread of one project is not shown to the others."""
    bound = replace(BOTH, routes={("thread", "1/4"): "apiapiap"})
    assert decided(ThreadRenamed("1", "4", "Secret plan"), bound).projects == ("apiapiap",)


def test_threads_that_are_chats_of_their_own() -> None:
    """They have a route of their own, and else their chat's; the group's gate is their chat's."""
    thread = Chat("-77", "group", "Release", "-10")
    assert target_of(said(chat=thread)).thread_key == "-77"
    in_chat = replace(BOTH, routes={("chat", "-10"): "webwebwe"})
    assert decided(said(chat=thread), in_chat).projects == ("webwebwe",)
    both = replace(BOTH, routes={("chat", "-10"): "webwebwe", ("thread", "-77"): "apiapiap"})
    assert decided(said(chat=thread), both).projects == ("apiapiap",)
