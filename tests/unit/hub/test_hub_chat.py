"""What people see of a shared bot: the question whose a message is, /projects, /here, /new, and that a project is away.

The adapter and the sandbox are real, and so is the hub on each engine; the projects' servers are rows in it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from agent_channels.core.contract.messages import Person
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import HubUnavailable
from agent_channels.core.hub.events import UNDECIDED
from agent_channels.core.hub.questions import Asked
from agent_channels.core.hub.routes import RouteKind, RouteTarget, RoutingFacts
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.runtime.hub import away, questions
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN
from hub_reading import HubReading, group, reading
from hubs import Hub, facts_of
from wire_host import PATIENCE_S

API, DOCS, WEB = "apiapiap", "docsdocs", "webwebwe"


@pytest.fixture
async def tg() -> AsyncIterator[TelegramSandbox]:
    async with TelegramSandbox(TOKEN) as made:
        yield made


@pytest.fixture
async def desk(tg: TelegramSandbox, made_hub: Hub, tmp_path: Path) -> AsyncIterator[HubReading]:
    async with reading(tg, made_hub, tmp_path) as made:
        yield made


@pytest.fixture
def ann(tg: TelegramSandbox) -> TelegramPerson:
    person = tg.person("ann", first_name="Ann")
    person.dm.started = True
    return person


@pytest.fixture
def bob(tg: TelegramSandbox) -> TelegramPerson:
    person = tg.person("bob", first_name="Bob")
    person.dm.started = True
    return person


def labels(message: dict[str, Any]) -> list[str]:
    """The labels of a message's buttons that can be tapped."""
    keys = (key for row in message.get("reply_markup", {}).get("inline_keyboard", []) for key in row)
    return [key["text"] for key in keys if "callback_data" in key]


def shown(person: TelegramPerson, message: dict[str, Any]) -> dict[str, Any]:
    """A message of a direct chat as it looks now."""
    return next(one for one in person.messages() if one["message_id"] == message["message_id"])


async def closed(desk: HubReading, person: TelegramPerson, message: dict[str, Any], outcome: str) -> None:
    """Waits until a message of a direct chat has no buttons any more, but this outcome."""
    await desk.when(lambda: not labels(shown(person, message)) and outcome in shown(person, message)["text"])


async def known(desk: HubReading, person: TelegramPerson, question: dict[str, Any]) -> None:
    """Waits until the hub knows which message asks."""
    async with asyncio.timeout(PATIENCE_S):
        while await desk.hub.questions.on(str(person.id), str(question["message_id"])) is None:
            await desk.settled()


# ---- the question


async def test_a_question_is_asked_once_and_kept_until_it_is_answered(desk: HubReading, ann: TelegramPerson) -> None:
    """A second message joins it; both go to the chosen project, in order; what follows goes there unasked."""
    await desk.member("api", ann.id)
    await desk.member("web", ann.id)
    await desk.member("docs", 77)
    ann.send("first")
    question = await ann.next_message()
    assert labels(question) == ["api", "web"]
    assert question["reply_to_message"]["text"] == "first"
    ann.send("second")
    await desk.when(lambda: len(ann.messages()) == 3)
    assert await desk.texts(API) + await desk.texts(WEB) == []
    ann.tap(question["message_id"], label="web")
    await desk.until(WEB, ["first", "second"])
    await closed(desk, ann, question, "→ web · ann")
    ann.send("third")
    await desk.until(WEB, ["first", "second", "third"])
    assert len(ann.inbox) == 1
    assert await desk.texts(API) + await desk.texts(DOCS) == []


async def test_a_question_outlives_the_reader(
    tg: TelegramSandbox, made_hub: Hub, tmp_path: Path, ann: TelegramPerson
) -> None:
    """The next process asks nothing again, and takes the answer to what the last one asked."""
    async with reading(tg, made_hub, tmp_path) as desk:
        await desk.member("api", ann.id)
        await desk.member("web", ann.id)
        ann.send("first")
        question = await ann.next_message()
        asked = Asked(str(ann.id), "", str(ann.id))
        async with asyncio.timeout(PATIENCE_S):
            while (await desk.hub.questions.of(asked)).message_id == "":  # type: ignore[union-attr]
                await desk.settled()
    async with reading(tg, made_hub, tmp_path) as desk:
        ann.send("second")
        ann.tap(question["message_id"], label="api")
        await desk.until(API, ["first", "second"])
        await closed(desk, ann, question, "→ api")
        assert len(ann.inbox) == 1


async def test_a_question_is_asked_once_even_if_the_hub_is_away_when_it_was_sent(
    desk: HubReading, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which message it is gets recorded later, and its buttons count then."""
    record, failed = desk.hub.questions.sent, 0

    async def fail_twice(asked: Asked, message_id: str) -> bool:
        nonlocal failed
        failed += 1
        if failed <= 2:
            raise HubUnavailable("away")
        return await record(asked, message_id)

    monkeypatch.setattr(desk.hub.questions, "sent", fail_twice)
    monkeypatch.setattr(questions, "AGAIN_AFTER_S", 0.0)
    await desk.member("api", ann.id)
    await desk.member("web", ann.id)
    ann.send("first")
    question = await ann.next_message()
    asked = Asked(str(ann.id), "", str(ann.id))
    async with asyncio.timeout(PATIENCE_S):
        while (await desk.hub.questions.of(asked)).message_id == "":  # type: ignore[union-attr]
            await desk.settled()
    ann.tap(question["message_id"], label="web")
    await desk.until(WEB, ["first"])
    assert len(ann.inbox) == 1


async def test_only_who_wrote_may_answer_and_once(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """In a group: somebody else is told so, and the second tap by whoever wrote is told what was chosen."""
    team = tg.group("Team", members=[ann, bob])
    for name in ("api", "web"):
        await desk.member(name, groups={team.id: group()})
    ann.send("@sandbox_bot hello", chat=team)
    question = await team.next_message()
    data = question["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    told = await bob.tap(question["message_id"], label="web", chat=team).answered()
    assert told.text == "This question is for somebody else."
    assert await desk.texts(API) + await desk.texts(WEB) == []
    ann.tap(question["message_id"], label="api", chat=team)
    await desk.until(API, ["@sandbox_bot hello"])
    await desk.when(lambda: not labels(team.messages()[-1]))
    again = await ann.tap(question["message_id"], data=data, chat=team).answered()
    assert again.text == "This button no longer works."
    bob.send("@sandbox_bot mine", chat=team)
    assert labels(await team.next_message()) == ["api", "web"]
    assert await desk.texts(WEB) == []


async def test_a_question_in_a_group_names_no_project_that_is_closed_to_some_of_it(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """Neither on a button nor once it was answered; who asks can name it."""
    team = tg.group("Team", members=[ann, bob])
    await desk.member("api", groups={team.id: group()})
    await desk.member("docs", groups={team.id: group(ann.id)})
    await desk.member("web", groups={team.id: group(ann.id)})
    ann.send("@sandbox_bot hello", chat=team)
    question = await team.next_message()
    assert labels(question) == ["api"]
    assert "answer with its name" in question["text"]
    ann.send("web", chat=team, reply_to=question["message_id"])
    await desk.until(WEB, ["@sandbox_bot hello"])
    await desk.when(lambda: "Answered · ann" in str([one.get("text") for one in team.messages()]))
    await desk.hub.routes.remove("person", str(ann.id))
    await desk.member("api", 77)
    ann.send("@sandbox_bot again", chat=team)
    question = await team.next_message()
    assert labels(question) == []
    await desk.hub.routes.set("person", str(ann.id), DOCS, "operator")
    await desk.until(DOCS, ["@sandbox_bot again"])
    await desk.when(lambda: "needs no answer any more" in str([one.get("text") for one in team.messages()]))
    written = [one["text"] for one in team.messages() if one["from"]["id"] == tg.bot_id]
    assert not any("web" in text or "docs" in text for text in written)


async def test_an_answer_can_be_typed(desk: HubReading, ann: TelegramPerson) -> None:
    """A project's name, or its number, counts as the tap, and is not handed on; other words join the question."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    ann.send("hello")
    question = await ann.next_message()
    ann.send("website")
    ann.send("WEB")
    await desk.until(WEB, ["hello", "website"])
    await closed(desk, ann, question, "→ web")
    assert await desk.texts(API) == []


async def test_a_project_that_lets_nobody_in_any_more_is_not_an_answer(desk: HubReading, ann: TelegramPerson) -> None:
    """The tap says why; the message is kept, and goes where the next answer says."""
    for name in ("api", "docs", "web"):
        await desk.member(name, ann.id)
    ann.send("hello")
    question = await ann.next_message()
    await desk.member("api", 77)
    told = await ann.tap(question["message_id"], label="api").answered()
    assert told.text == "That project does not let you in here."
    assert await desk.texts(API) == []
    ann.tap(question["message_id"], label="docs")
    await desk.until(DOCS, ["hello"])


async def test_what_is_asked_about_is_kept_while_nobody_lets_its_sender_in(
    desk: HubReading, made_hub: Hub, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until they are let in again, and choose; but not for ever."""

    def let_in(person: int) -> None:
        made_hub.execute(f"UPDATE members SET people = '[\"{person}\"]'")

    for name in ("api", "web"):
        await desk.member(name, ann.id)
    ann.send("hello")
    question = await ann.next_message()
    let_in(77)
    await desk.chat.questions.settle()
    let_in(ann.id)
    ann.tap(question["message_id"], label="web")
    await desk.until(WEB, ["hello"])
    await desk.hub.routes.remove("person", str(ann.id))
    ann.send("again")
    question = await ann.next_message()
    let_in(77)
    monkeypatch.setattr(questions, "KEPT_S", 0.0)
    desk.chat.wake()
    await closed(desk, ann, question, "needs no answer any more")
    assert await desk.hub.events.nobody_count() == 1


async def test_a_question_moves_along_with_its_group(
    tg: TelegramSandbox, desk: HubReading, made_hub: Hub, ann: TelegramPerson
) -> None:
    """When it becomes a supergroup: it is asked there once the projects know the new id, and decides as before."""
    team = tg.group("Team", members=[ann], kind="group")
    for name in ("api", "web"):
        await desk.member(name, groups={team.id: group()})
    ann.send("@sandbox_bot important", chat=team)
    assert labels(await team.next_message()) == ["api", "web"]
    new = team.migrate()
    made_hub.execute(f"UPDATE members SET gates = replace(gates, '{team.id}', '{new.id}')")
    question = await new.next_message()
    ann.tap(question["message_id"], label="web", chat=new)
    await desk.until(WEB, ["@sandbox_bot important"])


async def test_a_question_that_needs_no_answer_any_more_says_so(desk: HubReading, ann: TelegramPerson) -> None:
    """Chosen otherwise, by /projects NAME: what waited goes there, before what is said next."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    ann.send("hello")
    question = await ann.next_message()
    ann.send("/projects web")
    await desk.until(WEB, ["hello"])
    await closed(desk, ann, question, "→ web")
    assert (await ann.next_message())["text"] == "What you write goes to web from now on."
    ann.send("next")
    await desk.until(WEB, ["hello", "next"])


async def test_what_waits_for_a_project_that_left_is_asked_about_again(desk: HubReading, ann: TelegramPerson) -> None:
    """And decided by itself if one project is left."""
    for name in ("api", "docs", "web"):
        await desk.member(name, ann.id)
    await desk.hub.routes.set("person", str(ann.id), API, "test")
    ann.send("hello")
    await desk.when(lambda: desk.adapter is not None and ann.state.updates.confirmed > 0)
    while API not in await desk.hub.events.waiting():
        await desk.settled()
    assert await desk.hub.members.leave(API) == 1
    desk.chat.wake()
    question = await ann.next_message()
    assert labels(question) == ["docs", "web"]
    await desk.hub.members.leave(DOCS)
    desk.chat.wake()
    await desk.until(WEB, ["hello"])
    await closed(desk, ann, question, "→ web")


async def test_an_answer_to_a_closed_project_is_asked_about(desk: HubReading, ann: TelegramPerson) -> None:
    """What she replies to was said by a project that let her in then: no other gets it unasked."""
    await desk.member("api", 77)
    await desk.member("web", ann.id)
    said = await desk.adapter.send(Outgoing(str(ann.id), "from api"))
    await desk.sent(API, {"message_id": said.message_id}, ann.id)
    await ann.next_message()
    ann.send("secret", reply_to=int(said.message_id))
    question = await ann.next_message()
    assert labels(question) == ["web"]
    assert await desk.texts(WEB) == []
    ann.send("plain")
    await desk.until(WEB, ["plain"])
    ann.tap(question["message_id"], label="web")
    await desk.until(WEB, ["plain", "secret"])
    assert await desk.texts(API) == []


async def test_parts_of_one_message_are_not_torn_apart(desk: HubReading, ann: TelegramPerson) -> None:
    """An album, and a text that the client split, go where their first part went: only that one is a reply."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    await desk.hub.routes.set("person", str(ann.id), WEB, "test")
    first = ann.send("hi")
    await desk.until(WEB, ["hi"])
    # Only then: the reader would record it as WEB's again.
    await desk.recorded(first, ann.id)
    await desk.sent(API, first, ann.id)
    ann.send("x" * 4096, reply_to=first["message_id"])
    ann.send("the rest")
    await desk.until(API, ["x" * 4096, "the rest"])
    ann.send("next")
    await desk.until(WEB, ["hi", "next"])


@pytest.mark.parametrize("closed_to_her", [False, True])
async def test_parts_of_one_message_stay_together_when_the_reader_changes(
    tg: TelegramSandbox, made_hub: Hub, tmp_path: Path, ann: TelegramPerson, *, closed_to_her: bool
) -> None:
    """The next process knows what was said last: where the first half went, or that it is asked about, and then too."""
    long = "x" * 4096
    async with reading(tg, made_hub, tmp_path) as desk:
        for name in ("api", "web"):
            await desk.member(name, ann.id)
        await desk.member("docs", 77)
        await desk.hub.routes.set("person", str(ann.id), API, "test")
        ann.send("/projects")
        said = await ann.next_message()
        await desk.sent(DOCS if closed_to_her else WEB, said, ann.id)
        ann.send(long, reply_to=said["message_id"])
        if closed_to_her:
            question = await ann.next_message()
            await known(desk, ann, question)
        else:
            await desk.until(WEB, [long])
    ann.send("the rest")
    async with reading(tg, made_hub, tmp_path) as desk:
        if closed_to_her:
            await seen(desk, API)
            assert await desk.texts(API) == []
            ann.tap(question["message_id"], label="web")
            await desk.until(WEB, [long, "the rest"])
        else:
            await desk.until(WEB, ["the rest"])


async def test_what_another_process_changed_counts_at_once(
    desk: HubReading, made_hub: Hub, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader knows the way of a person who wrote before, and takes it only if nobody changed it a moment ago."""
    # It reads the projects too, and what the reader knows then is no longer old.
    monkeypatch.setattr(away.AwayNotices, "look", AsyncMock())
    looked_up = AsyncMock(side_effect=desk.router.route)
    monkeypatch.setattr(desk.router, "route", looked_up)
    await desk.member("web", ann.id)
    ann.send("first")
    await desk.until(WEB, ["first"])
    ann.send("known")
    await desk.until(WEB, ["first", "known"])
    assert looked_up.await_count == 1
    async with made_hub.open() as other:
        await other.members.beat(facts_of(API, "api", people=frozenset({str(ann.id)})))
        await other.routes.set("person", str(ann.id), API, "operator")
        ann.send("moved")
        await desk.until(API, ["moved"])
        await other.members.beat(facts_of(API, "api", people=frozenset()))
        ann.send("shut out there")
        await desk.until(WEB, ["first", "known", "shut out there"])
    assert looked_up.await_count == 3
    assert await desk.texts(API) == ["moved"]


async def seen(desk: HubReading, project: str) -> None:
    """Waits a moment for something to wait for a project; where nothing may be stored yet, in vain."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            while project not in await desk.hub.events.waiting():  # noqa: ASYNC110 - nothing tells of a commit
                await asyncio.sleep(0.01)


async def test_nothing_overtakes_what_comes_while_an_answer_is_recorded(
    desk: HubReading, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message just before the answer counts, and one just after: both go to the project in their order."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    ann.send("first")
    question = await ann.next_message()
    record = desk.hub.routes.set

    async def slow(kind: RouteKind, key: str, project: str, made_by: str) -> None:
        await desk.texts(WEB)
        ann.send("second")
        await seen(desk, UNDECIDED)
        await record(kind, key, project, made_by)
        ann.send("third")
        await seen(desk, WEB)
        await desk.texts(WEB)

    monkeypatch.setattr(desk.hub.routes, "set", slow)
    ann.tap(question["message_id"], label="web")
    await desk.until(WEB, ["first", "second", "third"])


@pytest.mark.parametrize("way", ["command", "tap", "here", "thread"])
async def test_what_is_written_after_a_choice_goes_by_it(
    tg: TelegramSandbox, made_hub: Hub, tmp_path: Path, ann: TelegramPerson, way: str
) -> None:
    """Also when both were written while nobody read: to the project chosen, never to the one before."""
    team = tg.group("Team", members=[ann], forum=True)
    thread = team.topic("Talk").thread_id
    async with reading(tg, made_hub, tmp_path) as desk:
        for name in ("api", "web"):
            await desk.member(name, ann.id, approvers=[ann.id], groups={team.id: group()})
        await desk.hub.routes.set("person", str(ann.id), API, "test")
        ann.send("/projects")
        offer = await ann.next_message()
        await desk.settled()
    match way:
        case "command":
            ann.send("/projects web")
        case "tap":
            ann.tap(offer["message_id"], label="web")
        case _:
            ann.send("/here web", chat=team, thread_id=thread if way == "thread" else None)
    if way in {"here", "thread"}:
        ann.send("@sandbox_bot drop it", chat=team, thread_id=thread)
    else:
        ann.send("@sandbox_bot drop it")
    async with reading(tg, made_hub, tmp_path) as desk:
        await desk.until(WEB, ["@sandbox_bot drop it"])
        assert await desk.texts(API) == []


async def test_a_choice_holds_for_what_comes_while_it_is_made(
    desk: HubReading, ann: TelegramPerson, bob: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader knows her way, and does not take it; what somebody else writes elsewhere waits for nothing."""
    for name in ("api", "web"):
        await desk.member(name, ann.id, bob.id)
    for person in (ann, bob):
        await desk.hub.routes.set("person", str(person.id), API, "test")
    ann.send("before")
    await desk.until(API, ["before"])
    make = desk.chat.questions.make

    async def slow(route: questions.NewRoute, by: Person) -> None:
        ann.send("after")
        bob.send("his")
        await desk.until(API, ["before", "his"])
        await make(route, by)

    monkeypatch.setattr(desk.chat.questions, "make", slow)
    ann.send("/projects web")
    await desk.until(WEB, ["after"])
    assert await desk.texts(API) == ["before", "his"]


async def test_choices_and_messages_that_come_together_are_taken_in_their_order(
    tg: TelegramSandbox, made_hub: Hub, tmp_path: Path, ann: TelegramPerson
) -> None:
    """Each message goes by the choice before it, not by a later one; and the question that was answered is over."""
    async with reading(tg, made_hub, tmp_path) as desk:
        for name in ("api", "web"):
            await desk.member(name, ann.id)
        ann.send("m1")
        question = await ann.next_message()
        await known(desk, ann, question)
    for text in ("web", "m2", "/projects api", "m3", "/projects web", "m4"):
        ann.send(text)
    async with reading(tg, made_hub, tmp_path) as desk:
        await desk.until(WEB, ["m1", "m2", "m4"])
        await desk.until(API, ["m3"])
        await closed(desk, ann, question, "→ web")


@pytest.mark.parametrize("looked_up", [False, True])
async def test_what_waits_for_a_decision_is_decided_before_what_comes_next(
    desk: HubReading, made_hub: Hub, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch, *, looked_up: bool
) -> None:
    """A route made at a terminal decides about what waits too, whether the reader has seen it by then or not."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    ann.send("first")
    await ann.next_message()
    # Nothing but the next message has the hub decide again.
    monkeypatch.setattr(desk.chat.questions, "settle", AsyncMock())
    async with made_hub.open() as other:
        await other.routes.set("person", str(ann.id), WEB, "operator")
    if looked_up:
        await desk.hub.routes.facts([RouteTarget("message", str(ann.id), user_id=str(ann.id))])
    ann.send("second")
    await desk.until(WEB, ["first", "second"])


async def test_a_route_that_is_made_while_the_next_message_is_decided_reverses_nothing(
    desk: HubReading, made_hub: Hub, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal, just before it is read what is known of her: both messages go by it, in their order."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    ann.send("first")
    await ann.next_message()
    monkeypatch.setattr(desk.chat.questions, "settle", AsyncMock())
    known = desk.hub.routes.facts
    async with made_hub.open() as other:

        async def slow(targets: Sequence[RouteTarget]) -> RoutingFacts:
            facts = await known(targets)
            await other.routes.set("person", str(ann.id), WEB, "operator")
            return facts

        monkeypatch.setattr(desk.hub.routes, "facts", slow)
        ann.send("second")
        await seen(desk, WEB)
        assert await desk.texts(WEB) == []
        ann.send("third")
        await desk.until(WEB, ["first", "second", "third"])


async def test_a_question_that_nobody_answers_holds_nobody_up(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """In a group: what others say there goes on to the project that they chose."""
    team = tg.group("Team", members=[ann, bob])
    for name in ("api", "web"):
        await desk.member(name, groups={team.id: group()})
    await desk.hub.routes.set("person", str(bob.id), WEB, "test")
    ann.send("@sandbox_bot mine", chat=team)
    await team.next_message()
    for number in range(2):
        bob.send(f"@sandbox_bot {number}", chat=team)
        await desk.until(WEB, [f"@sandbox_bot {one}" for one in range(number + 1)])
    assert UNDECIDED in await desk.hub.events.waiting()


async def test_a_correction_follows_its_message(desk: HubReading, ann: TelegramPerson) -> None:
    """Also when another project is current by then; and so does an answer to one's own message."""
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    await desk.hub.routes.set("person", str(ann.id), API, "test")
    first = ann.send("frist")
    await desk.until(API, ["frist"])
    ann.send("/projects web")
    await ann.next_message()
    ann.edit(first["message_id"], "first")
    await desk.until(API, ["frist", "first"])
    ann.send("more of it", reply_to=first["message_id"])
    await desk.until(API, ["frist", "first", "more of it"])
    assert await desk.texts(WEB) == []


async def test_more_may_wait_than_are_looked_at(
    desk: HubReading, ann: TelegramPerson, bob: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it goes where the answer says, and nobody's question is closed because others wait."""
    for name in ("api", "web"):
        await desk.member(name, ann.id, bob.id)
    bob.send("mine")
    his = await bob.next_message()
    monkeypatch.setattr(questions, "LOOKED_AT_MAX", 2)
    for number in range(4):
        ann.send(str(number))
    bob.tap(his["message_id"], label="web")
    await desk.until(WEB, ["mine"])
    question = await ann.next_message()
    ann.tap(question["message_id"], label="api")
    await desk.until(API, ["0", "1", "2", "3"])
    await closed(desk, ann, question, "→ api")


async def test_what_waits_of_others_is_in_nobodys_way(
    desk: HubReading, ann: TelegramPerson, bob: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much it is: who writes later is asked too, and what they choose decides what they wrote."""
    monkeypatch.setattr(questions, "LOOKED_AT_MAX", 2)
    for name in ("api", "web"):
        await desk.member(name, ann.id, bob.id)
    for number in range(3):
        bob.send(str(number))
    await bob.next_message()
    ann.send("mine")
    question = await ann.next_message()
    ann.send("/projects web")
    await desk.until(WEB, ["mine"])
    await closed(desk, ann, question, "→ web")
    ann.send("more")
    await desk.until(WEB, ["mine", "more"])
    assert (await desk.hub.events.waiting())[UNDECIDED] == 3


# ---- /projects


async def test_projects_are_listed_to_those_whom_they_let_in(
    desk: HubReading, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """With what their agents do and what waits; a tap chooses one, and the list shows it."""
    await desk.member("api", ann.id, session_state="working")
    await desk.member("docs", bob.id)
    await desk.member("web", ann.id, session_state="none")
    await desk.hub.routes.set("person", str(ann.id), WEB, "test")
    ann.send("for web")
    while WEB not in await desk.hub.events.waiting():
        await desk.settled()
    ann.send("/projects")
    answer = await ann.next_message()
    assert "• api – working" in answer["text"]
    assert "✓ web – no session, messages waiting: 1" in answer["text"]
    assert "docs" not in answer["text"]
    assert labels(answer) == ["api", "✓ web"]
    told = await ann.tap(answer["message_id"], label="api").answered()
    assert told.text == "What you write goes to api from now on."
    await desk.when(lambda: labels(shown(ann, answer)) == ["✓ api", "web"])
    ann.send("for api")
    await desk.until(API, ["for api"])
    bob.send("/projects web")
    assert "You have no project called “web” on this bot. Yours: docs." in (await bob.next_message())["text"]


async def test_a_group_reads_no_names_of_projects_that_let_some_of_it_in(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson
) -> None:
    """Of a project for two people in it the others hear nothing: the list is for the direct chat."""
    team = tg.group("Team", members=[ann])
    await desk.member("api", ann.id, groups={team.id: group(ann.id)})
    ann.send("/projects", chat=team)
    answer = await team.next_message()
    assert "api" not in answer["text"]
    assert "@sandbox_bot directly" in answer["text"]
    await desk.member("web", groups={team.id: group()})
    ann.send("/projects", chat=team)
    answer = await team.next_message()
    assert labels(answer) == ["web"]
    assert "api" not in answer["text"]


async def test_forged_buttons_give_nothing_away(desk: HubReading, ann: TelegramPerson, bob: TelegramPerson) -> None:
    """Neither to people of other projects nor to strangers; both are told."""
    await desk.member("api", ann.id)
    await desk.member("docs", bob.id)
    ann.send("/projects")
    answer = await ann.next_message()
    bob.send("/projects")
    mine = await bob.next_message()
    for data in (f"hub:use:{API}", f"hub:here:{API}", "hub:use:", "hub:x:y", "hub:answer:docsdocs"):
        assert (await bob.tap(mine["message_id"], data=data).answered()).text == "This button no longer works."
    await desk.member("docs", 77)
    assert (await bob.tap(mine["message_id"], label="docs").answered()).text == "You are not allowed to answer here."
    assert [route.project for route in await desk.hub.routes.all()] == []
    ann.tap(answer["message_id"], label="api")
    while [route.project for route in await desk.hub.routes.all()] != [API]:
        await desk.settled()


# ---- /here and /new


async def test_an_approver_gives_a_chat_to_a_project(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """From then on it gets what is said there; nobody else can give or take it, and they are told how they could."""
    team = tg.group("Team", members=[ann, bob])
    await desk.member("api", ann.id, bob.id, approvers=[ann.id], groups={team.id: group()})
    await desk.member("web", ann.id, bob.id, groups={team.id: group()})
    bob.send("/here api", chat=team)
    refusal = (await team.next_message())["text"]
    assert refusal.startswith("Only an approver of api can do that.")
    assert f"channels access telegram approver add {bob.id}" in refusal
    ann.send("/here web", chat=team)
    assert (await team.next_message())["text"].startswith("Only an approver of web can do that.")
    ann.send("/here nothing", chat=team)
    assert (await team.next_message())["text"] == "You have no project called “nothing” on this bot. Yours: api, web."
    ann.send("/here api", chat=team)
    assert (await team.next_message())["text"] == "This chat belongs to api from now on."
    bob.send("@sandbox_bot hello", chat=team)
    await desk.until(API, ["@sandbox_bot hello"])
    bob.send("/here off", chat=team)
    assert (await team.next_message())["text"].startswith("Only an approver of api")
    ann.send("/here off", chat=team)
    assert (await team.next_message())["text"] == "This chat no longer belongs to api."
    ann.send("/here off", chat=team)
    assert (await team.next_message())["text"] == "This chat belongs to no project."


async def test_a_chat_that_is_taken_back_in_a_topic_is_said_to_be_the_whole_chat(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson
) -> None:
    """The topic has no project of its own: what is taken back there is every topic's."""
    team = tg.group("Team", members=[ann], forum=True)
    topic = team.topic("one")
    await desk.member("api", ann.id, approvers=[ann.id], groups={team.id: group()})
    ann.send("/here api", chat=team)
    assert (await team.next_message())["text"] == "This chat belongs to api from now on."
    ann.send("/here api", chat=team, thread_id=topic.thread_id)
    assert (await team.next_message())["text"] == "This topic belongs to api from now on."
    for place in ("This topic", "This chat"):
        ann.send("/here off", chat=team, thread_id=topic.thread_id)
        assert (await team.next_message())["text"] == f"{place} no longer belongs to api."
    assert await desk.hub.routes.all() == []


async def test_nobody_takes_a_chat_from_a_project_that_they_are_no_approver_of(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """Neither with a name nor with a button; and of a project that is closed to them the name is not told."""
    team = tg.group("Team", members=[ann, bob])
    await desk.member("api", ann.id, bob.id, approvers=[ann.id], groups={team.id: group()})
    await desk.member("web", ann.id, bob.id, approvers=[bob.id], groups={team.id: group()})
    bob.send("/here", chat=team)
    offer = await team.next_message()
    ann.send("/here api", chat=team)
    assert (await team.next_message())["text"] == "This chat belongs to api from now on."
    bob.send("/here web", chat=team)
    assert (await team.next_message())["text"].startswith("Only an approver of api can do that.")
    told = await bob.tap(offer["message_id"], label="web", chat=team).answered()
    assert (told.text or "").startswith("Only an approver of api can do that.")
    await desk.member("api", ann.id, approvers=[ann.id], groups={team.id: group(ann.id)})
    bob.send("/here web", chat=team)
    assert (await team.next_message())["text"].startswith("This chat belongs to another project, and only an approver")
    assert [route.project for route in await desk.hub.routes.all()] == [API]


async def test_a_new_topic_is_opened_for_a_project(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """In a forum: what anybody writes in it goes there. Without a name, there is a button for each project."""
    team = tg.group("Team", members=[ann, bob], forum=True)
    team.add_bot(administrator=True)
    await desk.member("api", ann.id, approvers=[ann.id], groups={team.id: group()})
    await desk.member("web", ann.id, bob.id, groups={team.id: group()})
    ann.send("/new api Release 4.2", chat=team)
    opened, greeting = await team.next_message(), await team.next_message()
    assert {opened["text"], greeting["text"]} == {
        "“Release 4.2” is open, for api.", "What you write here goes to api."
    }  # fmt: skip
    thread = next(one["message_thread_id"] for one in (opened, greeting) if one.get("message_thread_id"))
    bob.send("@sandbox_bot inside", chat=team, thread_id=thread)
    await desk.until(API, ["@sandbox_bot inside"])
    bob.send("/new api", chat=team)
    assert (await team.next_message())["text"].startswith("Only an approver of api")
    ann.send("/new", chat=team)
    offer = await team.next_message()
    assert labels(offer) == ["api"]
    ann.tap(offer["message_id"], label="api", chat=team)
    texts = {(await team.next_message())["text"], (await team.next_message())["text"]}
    assert texts == {"“api” is open, for api.", "What you write here goes to api."}


async def test_a_topic_is_opened_once_however_often_the_hub_fails(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a route nor an end that could not be recorded has it opened again, or belong to nobody."""
    team = tg.group("Team", members=[ann], forum=True)
    team.add_bot(administrator=True)
    await desk.member("api", ann.id, approvers=[ann.id], groups={team.id: group()})
    failing = {"done": 2, "set": 2}

    def fail_first(name: str, real: Any) -> Any:
        async def call(*args: Any) -> Any:
            if failing[name]:
                failing[name] -= 1
                raise HubUnavailable("away")
            return await real(*args)

        return call

    monkeypatch.setattr(desk.hub.events, "done", fail_first("done", desk.hub.events.done))
    monkeypatch.setattr(desk.hub.routes, "set", fail_first("set", desk.hub.routes.set))
    ann.send("/new api", chat=team)
    texts = {(await team.next_message())["text"], (await team.next_message())["text"]}
    assert texts == {"“api” is open, for api.", "What you write here goes to api."}
    await desk.settled()
    assert sum("forum_topic_created" in message for message in team.messages()) == 1
    assert [route.project for route in await desk.hub.routes.all()] == [API]
    assert failing == {"done": 0, "set": 0}


async def test_a_topic_that_the_last_reader_had_to_leave_is_opened_by_the_next(
    tg: TelegramSandbox, made_hub: Hub, tmp_path: Path, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command is done once it was obeyed, not before."""
    team = tg.group("Team", members=[ann], forum=True)
    team.add_bot(administrator=True)
    begun = asyncio.Event()

    async def hang(*_: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(Threads, "create", hang)
        async with reading(tg, made_hub, tmp_path) as desk:
            await desk.member("api", ann.id, approvers=[ann.id], groups={team.id: group()})
            ann.send("/new api", chat=team)
            await begun.wait()
    async with reading(tg, made_hub, tmp_path) as desk:
        texts = {(await team.next_message())["text"], (await team.next_message())["text"]}
        assert texts == {"“api” is open, for api.", "What you write here goes to api."}
        assert [route.project for route in await desk.hub.routes.all()] == [API]


async def test_where_no_topic_can_be_opened_it_says_why(desk: HubReading, ann: TelegramPerson) -> None:
    """The platform's reason, and where there can be topics."""
    await desk.member("api", ann.id, approvers=[ann.id])
    ann.send("/new api")
    text = (await ann.next_message())["text"]
    assert text.startswith("The topic could not be opened: ")
    assert "topics" in text.removeprefix("The topic could not be opened: ")
    assert await desk.hub.routes.all() == []


async def test_a_topic_of_ones_own_chat_belongs_to_what_was_answered_in_it(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson
) -> None:
    """Another topic is asked about on its own."""
    tg.set_topics(on=True)
    for name in ("api", "web"):
        await desk.member(name, ann.id)
    for name, text in (("api", "one"), ("web", "two")):
        topic = ann.topic(text)
        ann.send(text, thread_id=topic.thread_id)
        question = await ann.next_message()
        assert question["message_thread_id"] == topic.thread_id
        ann.tap(question["message_id"], label=name)
        await desk.until((name * 8)[:8], [text])
        await closed(desk, ann, question, f"This topic now belongs to {name}")
        ann.send(f"more {text}", thread_id=topic.thread_id)
        await desk.until((name * 8)[:8], [text, f"more {text}"])


async def test_a_group_keeps_its_project_under_its_new_id(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson
) -> None:
    """When it becomes a supergroup."""
    team = tg.group("Team", members=[ann], kind="group")
    for name in ("api", "web"):
        await desk.member(name, groups={team.id: group()})
    await desk.hub.routes.set("chat", str(team.id), WEB, "test")
    await desk.hub.routes.set("thread", f"{team.id}/5", API, "test")
    new = team.migrate()
    while {route.key for route in await desk.hub.routes.all()} != {str(new.id), f"{new.id}/5"}:
        await desk.settled()


# ---- strangers, and who is away


async def test_later_in_a_group_is_for_approvers(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, bob: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody else's tap leaves both buttons to them; in one's own chat it is nobody else's business."""
    monkeypatch.setattr(away, "TELL_AFTER_S", -1.0)
    team = tg.group("Team", members=[ann, bob])
    await desk.hub.keepers.beat("desk", "laptop", 1, {API})
    await desk.member("api", approvers=[ann.id], groups={team.id: group()}, session_state="none")
    bob.send("@sandbox_bot do it", chat=team)
    offer = await team.next_message()
    told = await bob.tap(offer["message_id"], label="Later", chat=team).answered()
    assert told.text.startswith("Only an approver of api can do that.")
    assert labels(team.messages()[-1]) == ["Start", "Later"]
    ann.tap(offer["message_id"], label="Later", chat=team)
    await desk.when(lambda: labels(team.messages()[-1]) == [])


async def test_strangers_get_an_answer_to_taps_only(
    tg: TelegramSandbox, desk: HubReading, made_hub: Hub, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """With two projects and no default one, nobody pairs them; what they say to the bot is counted for the doctor.

    What they say to others is not kept at all.
    """
    team = tg.group("Team", members=[ann, bob])
    await desk.member("api", ann.id, groups={team.id: group(ann.id)})
    await desk.member("web", ann.id)
    tg.set_privacy(on=False)
    bob.send("just talk", chat=team)
    bob.send("hello")
    bob.send("@sandbox_bot hello", chat=team)
    ann.send("/here", chat=team)
    asked = await team.next_message()
    ann.send("/projects")
    mine = await ann.next_message()
    assert labels(mine) == ["api", "web"]
    told = await bob.tap(asked["message_id"], data=f"hub:use:{API}", chat=team).answered()
    assert told.text == "You are not allowed to answer here."
    assert await desk.hub.events.nobody_count() == 2
    assert not any("just talk" in payload for (payload,) in made_hub.execute("SELECT payload FROM events"))
    assert await desk.texts(API) + await desk.texts(WEB) == []


async def test_talk_in_a_group_right_after_a_command_is_not_kept_either(
    tg: TelegramSandbox, made_hub: Hub, tmp_path: Path, ann: TelegramPerson, bob: TelegramPerson
) -> None:
    """Whose it is waits for the command; it is nobody's then, and counts for nothing."""
    team = tg.group("Team", members=[ann, bob])
    tg.set_privacy(on=False)
    async with reading(tg, made_hub, tmp_path) as desk:
        for name in ("api", "web"):
            await desk.member(name, ann.id, approvers=[ann.id], groups={team.id: group()})
    ann.send("/here off", chat=team)
    bob.send("just talk", chat=team)
    bob.send("@sandbox_bot hello", chat=team)
    async with reading(tg, made_hub, tmp_path) as desk:
        question = (await team.next_message(), await team.next_message())[1]
        assert labels(question) == ["api", "web"]
        await desk.settled()
        assert await desk.hub.events.nobody_count() == 0
        assert not any("just talk" in payload for (payload,) in made_hub.execute("SELECT payload FROM events"))


async def test_people_are_told_once_that_a_project_is_away(
    tg: TelegramSandbox, desk: HubReading, ann: TelegramPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how many messages wait; again only for what waits after these went through. Talk in a group tells nobody."""
    monkeypatch.setattr(away, "TELL_AFTER_S", -1.0)
    tg.set_privacy(on=False)
    team = tg.group("Team", members=[ann])
    await desk.member("api", ann.id, groups={team.id: group(hears_all=False)}, session_state="none")
    ann.send("just talk", chat=team)
    ann.send("one")
    notice = await ann.next_message()
    assert "saved for api, where no session is running" in notice["text"]
    ann.send("two")
    # The bot was added, somebody joined, and three messages.
    while (await desk.hub.events.waiting()).get(API) != 5:
        await desk.settled()
    desk.chat.wake()
    await desk.until(API, ["just talk", "one", "two"])
    ann.send("three")
    assert "saved for api" in (await ann.next_message())["text"]
    assert [message["text"] for message in team.messages() if message["from"]["id"] == tg.bot_id] == []
