"""The tables of routes and questions, on both engines."""

from __future__ import annotations

from agent_channels.core.hub.questions import Asked
from agent_channels.core.hub.routes import RouteTarget
from agent_channels.core.hub.sent import SentMessage
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
