"""The tables of routes and questions, on both engines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent_channels.core.hub.lease import Lease
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.questions import Asked
from agent_channels.core.hub.routes import RouteTarget, choose
from agent_channels.core.hub.sent import SentMessage
from agent_channels.core.hub.sqlite_database import SqliteDatabase
from hubs import Hub, facts_of

API, WEB = "apiapiap", "webwebwe"


async def test_only_what_may_decide_is_read(made_hub: Hub) -> None:
    """Of any number of targets: their routes, their messages' projects, and every project of this bot alone."""
    async with made_hub.open() as hub, made_hub.open(bot="mychat:2") as other:
        for one in (hub, other):
            await one.members.beat(facts_of(API))
        targets = [
            RouteTarget("message", "c", str(n), None, "7", answered_message_id=str(n), own_message_id="x")
            for n in range(250)
        ]
        await hub.routes.set("thread", "c/249", API, "7")
        await hub.routes.set("default", "", WEB, "operator")
        await hub.routes.set("person", "8", WEB, "8")
        await other.routes.set("chat", "c", WEB, "7")
        await hub.sent.record(API, [SentMessage("c", "249"), SentMessage("d", "1")])
        facts = await hub.routes.facts(targets)
        assert [member.project for member in facts.members] == [API]
        assert facts.routes == {("thread", "c/249"): API, ("default", ""): WEB}
        assert facts.sent == {("c", "249"): API}
        assert (await hub.routes.facts([])).sent == {}


@pytest.mark.parametrize("made_hub", ["local"], indirect=True)
async def test_what_is_kept_of_others_costs_a_message_nothing(made_hub: Hub) -> None:
    """With thousands of routes and messages of others, deciding about one takes as many steps as with few."""

    async def steps(hub: ProjectHub, work: Callable[[], Awaitable[object]]) -> int:
        """How many instructions SQLite's machine needs for it: a number that no busy machine changes."""
        assert isinstance(hub.db, SqliteDatabase)
        store, count = hub.db._store, 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        assert store is not None
        store._db.set_progress_handler(step, 1)
        await work()
        store._db.set_progress_handler(None, 1)
        return count

    target = RouteTarget("message", "c", None, None, "7", answered_message_id="1")
    alone = RouteTarget("message", "c", None, None, "7")
    async with made_hub.open() as hub:
        await hub.members.beat(facts_of(API))
        await hub.routes.set("person", "7", API, "7")

        async def decide() -> None:
            assert (await hub.routes.facts([target])).routes == {("person", "7"): API}
            known = hub.routes.known(alone)
            assert known is not None
            await hub.db.at_once((f"SELECT 1 WHERE {known[1][0]}", known[1][1]))

        await decide()
        few = await steps(hub, decide)
        for number in range(2000):
            await hub.routes.set("person", f"other {number}", API, "7")
        await hub.sent.record(API, [SentMessage("c", f"other {number}") for number in range(2000)])
        assert await steps(hub, decide) < few * 1.5


async def test_a_route_is_replaced_removed_and_moved(made_hub: Hub) -> None:
    """One project a key; a chat's new id takes its threads along, and one that is there already gives way."""
    async with made_hub.open() as hub:
        await hub.routes.set("chat", "-1", API, "7")
        await hub.routes.set("chat", "-1", WEB, "8")
        await hub.routes.set("thread", "-1/5", API, "7")
        await hub.routes.set("thread", "-12/5", API, "7")
        await hub.routes.set("chat", "-2", API, "7")
        await hub.routes.migrate_chats([("-1", "-2")])
        found = {(route.kind, route.key): (route.project, route.made_by) for route in await hub.routes.all()}
        assert found == {
            ("chat", "-2"): (WEB, "8"),
            ("thread", "-2/5"): (API, "7"),
            ("thread", "-12/5"): (API, "7"),
        }
        assert await hub.routes.remove("chat", "-2")
        assert not await hub.routes.remove("chat", "-2")


async def test_one_question_in_each_place(made_hub: Hub) -> None:
    """To be sent until it was; answered once; what was answered makes place for the next; only that is pruned."""
    asked, elsewhere = Asked("c", "", "7"), Asked("c", "5", "7")
    async with made_hub.open() as hub:
        questions = hub.questions
        assert await questions.open(asked, [API, WEB])
        assert await questions.open(asked, [API])
        assert await questions.sent(asked, "100")
        assert not await questions.open(asked, [WEB])
        assert await questions.open(elsewhere, [WEB])
        found = await questions.on("c", "100")
        assert found is not None
        assert (found.asked, found.choices, found.project) == (asked, (API,), "")
        assert await questions.on("d", "100") is None
        assert await questions.on("c", "") is None
        assert await questions.answer(asked, API)
        assert not await questions.answer(asked, WEB)
        assert not await questions.sent(asked, "101")
        assert [question.asked for question in await questions.unanswered()] == [elsewhere]
        await questions.prune(-1)
        assert await questions.of(asked) is None
        assert await questions.of(elsewhere) is not None
        assert await questions.open(asked, [WEB])


async def test_a_column_that_a_newer_program_adds_stops_nobody(made_hub: Hub) -> None:
    """What was asked often before, and is prepared in the database therefore, is answered as ever."""
    asked = Asked("c", "", "7")
    async with made_hub.open() as hub:
        await hub.members.beat(facts_of(API))
        await hub.routes.set("default", "", API, "operator")
        await hub.questions.open(asked, [API])
        await hub.questions.sent(asked, "100")

        async def all_of_it() -> list[Any]:
            questions = hub.questions
            found = [await questions.of(asked), await questions.on("c", "100"), *await questions.unanswered()]
            return [*found, *await hub.routes.all(), [member.project for member in await hub.members.read()]]

        for _ in range(8):
            before = await all_of_it()
        for table in ("questions", "routes", "members", "events", "bots"):
            made_hub.execute(f"ALTER TABLE {table} ADD COLUMN mood TEXT NOT NULL DEFAULT ''")
        assert await all_of_it() == before


@pytest.mark.parametrize(
    "change",
    [
        "people = 'x'",
        "people = '7'",
        "gates = '[1]'",
        "gates = '{\"1\": 5}'",
        "waiting = '{'",
        "enabled = '{\"1\": null}'",
    ],
)
async def test_a_project_that_cannot_be_read_stops_no_other(made_hub: Hub, change: str) -> None:
    """What another project is surely meant by goes there; what may be for this one waits until it can be read."""
    async with made_hub.open() as hub:
        await hub.members.beat(facts_of(API, people=frozenset({"7"})))
        await hub.members.beat(facts_of(WEB, people=frozenset({"7", "8"})))
        await hub.routes.set("default", "", WEB, "operator")
        await hub.routes.set("person", "7", API, "7")
        made_hub.execute(f"UPDATE members SET {change} WHERE project = '{API}'")
        targets = [RouteTarget("message", user, user_id=user, private=True) for user in ("7", "8", "9")]
        facts = await hub.routes.facts(targets)
        ann, bob, stranger = (choose(target, facts) for target in targets)
        assert (bob.to, bob.projects) == ("project", (WEB,))
        if change.startswith("enabled"):
            assert (ann.projects, stranger.projects) == ((API,), (WEB,))
        else:
            assert (ann.to, ann.projects) == (stranger.to, stranger.projects) == ("ask", ())
        assert [member.project for member in await hub.members.read()] == [API, WEB]
        await hub.members.beat(facts_of(API, people=frozenset({"7"})))
        assert choose(targets[0], await hub.routes.facts(targets)).projects == (API,)


async def test_other_rows_that_cannot_be_read_stop_nobody_either(made_hub: Hub) -> None:
    """A question's choices, who reads, and what a keeper may start."""
    asked = Asked("c", "", "7")
    async with made_hub.open() as hub:
        await hub.questions.open(asked, [API])
        lease = Lease(hub.db, hub.bot, "desk", 60.0)
        assert await lease.take({"pid": 1})
        made_hub.execute("UPDATE questions SET choices = '{'")
        made_hub.execute("UPDATE bots SET reader_json = 'x'")
        assert [question.choices for question in await hub.questions.unanswered()] == [()]
        holder = await lease.holder()
        assert holder is not None
        assert holder.reader == {}
