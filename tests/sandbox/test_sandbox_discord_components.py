"""Components and interactions over REST and the gateway, without a client library."""

from __future__ import annotations

import pytest

from discord_wire import button, rows

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]


def menu(count=2, **fields):
    options = [{"label": f"L{number}", "value": f"v{number}"} for number in range(count)]
    return {"type": 3, "custom_id": "m", "options": options, **fields}


def modal(*inputs, **fields):
    lines = [{"type": 1, "components": [one]} for one in inputs or [text_input()]]
    return {"custom_id": "why", "title": "Why?", "components": lines, **fields}


def text_input(**fields):
    return {"type": 4, "custom_id": "reason", "label": "Reason", "style": 1, **fields}


LINK = {"type": 2, "style": 5, "label": "Docs", "url": "https://example.org/"}
CJK = "長" * 80

ACCEPTED = [
    rows(*[[button(CJK, f"{line}-{at}") for at in range(5)] for line in range(5)]),
    rows([menu(25, placeholder="x" * 150, min_values=0, max_values=25)]),
    rows([LINK, button(style=4, emoji={"name": "🦄"}, disabled=True)]),
    rows(*[[menu(25, custom_id=str(line))] for line in range(5)]),
    rows([{"type": 5, "custom_id": "who"}]),
    [],
]
FIRST = "components.0.components.0"
REFUSED = [
    (rows(*[[button(custom_id=str(line))] for line in range(6)]), {"components": "BASE_TYPE_MAX_LENGTH"}),
    (rows([button(custom_id=str(at)) for at in range(6)]), {"components.0.components": "BASE_TYPE_BAD_LENGTH"}),
    (rows([]), {"components.0.components": "BASE_TYPE_BAD_LENGTH"}),
    (rows([button("x" * 81)]), {f"{FIRST}.label": "BASE_TYPE_MAX_LENGTH"}),
    (rows([button("")]), {f"{FIRST}.label": "BASE_TYPE_REQUIRED"}),
    (rows([button(custom_id="x" * 101)]), {f"{FIRST}.custom_id": "BASE_TYPE_BAD_LENGTH"}),
    (rows([button(custom_id=None)]), {f"{FIRST}.custom_id": "BASE_TYPE_REQUIRED"}),
    (rows([button(), button()]), {"components.0.components.1.custom_id": "COMPONENT_CUSTOM_ID_DUPLICATED"}),
    (
        rows([button()], [menu(custom_id="y")]),
        {"components.1.components.0.custom_id": "COMPONENT_CUSTOM_ID_DUPLICATED"},
    ),
    (rows([button(style=7)]), {f"{FIRST}.style": "BASE_TYPE_CHOICES"}),
    (rows([button(url="https://a.b")]), {f"{FIRST}.url": "BUTTON_COMPONENT_URL_STYLE"}),
    (rows([{**LINK, "custom_id": "x"}]), {FIRST: "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE"}),
    (rows([{**LINK, "url": "ftp://a.b"}]), {f"{FIRST}.url": "URL_TYPE_INVALID_SCHEME"}),
    (rows([{**LINK, "url": "https://["}]), {f"{FIRST}.url": "URL_TYPE_INVALID_SCHEME"}),
    (rows([{**LINK, "url": None}]), {f"{FIRST}.url": "BASE_TYPE_REQUIRED"}),
    (rows([menu(), button()]), {"components.0.components": "COMPONENT_LAYOUT_WIDTH_EXCEEDED"}),
    (rows([menu(26)]), {f"{FIRST}.options": "BASE_TYPE_BAD_LENGTH"}),
    (rows([menu(0)]), {f"{FIRST}.options": "BASE_TYPE_BAD_LENGTH"}),
    (rows([menu(max_values=3)]), {f"{FIRST}.max_values": "NUMBER_TYPE_MAX"}),
    (rows([menu(min_values=2)]), {f"{FIRST}.min_values": "NUMBER_TYPE_MAX"}),
    (
        rows([menu(options=[{"label": "a", "value": "v"}, {"label": "x" * 101, "value": "v"}])]),
        {
            f"{FIRST}.options.1.label": "BASE_TYPE_BAD_LENGTH",
            f"{FIRST}.options.1.value": "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
        },
    ),
    (rows([text_input()]), {f"{FIRST}.type": "UNION_TYPE_CHOICES"}),
    ([button()], {"components.0.type": "UNION_TYPE_CHOICES"}),
    ("x", {"components": "LIST_TYPE_CONVERT"}),
    (["x"], {"components.0": "MODEL_TYPE_CONVERT", "components.0.type": "UNION_TYPE_CHOICES"}),
]


@pytest.mark.parametrize("components", ACCEPTED)
async def test_accepted(rest, eve, components):
    """Components that Discord accepts are sent and numbered."""
    sent = await rest.send(eve, "?", components=components)
    numbers = [inner["id"] for row in sent["components"] for inner in (row, *row["components"])]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(("components", "errors"), REFUSED)
async def test_refused(rest, eve, components, errors):
    """Components that Discord refuses are refused with their path."""
    body = {"content": "?", "components": components}
    assert await rest.errors("POST", f"/channels/{eve.dm.id}/messages", body) == errors
    assert eve.inbox == []


class Bot:
    """Answers interactions over REST."""

    def __init__(self, rest, gate):
        self.rest = rest
        self.gate = gate

    async def heard(self):
        self.interaction = await self.gate.event("INTERACTION_CREATE")
        return self.interaction

    @property
    def callback(self):
        return f"/interactions/{self.interaction['id']}/{self.interaction['token']}/callback"

    def hook(self, rest=""):
        return f"/webhooks/{self.rest.dc.bot_id}/{self.interaction['token']}{rest}"

    async def answer(self, kind, **data):
        return await self.rest.ok("POST", self.callback, {"type": kind, **({"data": data} if data else {})}, auth="")


@pytest.fixture
async def bot(rest, connect, eve):
    async with connect() as gate:
        await gate.ready()
        yield Bot(rest, gate)


async def test_a_tap_arrives(dc, rest, bot, eve, room):
    """An interaction names person, place, component and message; a user in direct chats, a member in guilds."""
    panel = await rest.send(eve, "?", components=rows([button(), LINK]))
    tap = eve.tap(panel, label="Yes")
    heard = await bot.heard()
    assert (heard["type"], heard["data"]["custom_id"], heard["user"]["id"]) == (3, "y", str(eve.id))
    assert (heard["id"], heard["token"], heard["application_id"]) == (str(tap.id), tap.token, str(dc.bot_id))
    assert (heard["message"]["id"], heard["channel_id"], heard["context"]) == (panel["id"], str(eve.dm.id), 1)
    assert "recipients" not in heard["channel"]
    panel = await rest.send(room, "?", components=rows([button()]))
    eve.tap(panel["id"])
    heard = await bot.heard()
    assert (heard["member"]["user"]["id"], heard["guild_id"], heard["context"]) == (str(eve.id), str(room.guild.id), 0)


async def test_callbacks(rest, bot, eve, room):
    """4 sends, 5 and 6 defer, 7 edits, 9 opens a modal; with_response returns the outcome."""
    panel = await rest.send(room, "?", components=rows([button(), button("No", "n")]))

    async def tapped(kind, **data):
        tap = eve.tap(panel, custom_id="y")
        await bot.heard()
        assert await bot.answer(kind, **data) is None
        return tap, await tap.answered()

    tap, answer = await tapped(4, content="noted", flags=64)
    assert (answer.type, answer.text, answer.ephemeral) == (4, "noted", True)
    assert eve.ephemerals[0]["content"] == "noted"
    tap, answer = await tapped(6)
    assert (answer.type, answer.text, tap.messages) == (6, "", [])
    tap, answer = await tapped(7, content="done", components=[])
    assert (answer.text, room.messages()[0]["components"]) == ("done", [])
    tap, answer = await tapped(5)
    assert (answer.type, room.messages()[-1]["flags"]) == (5, 128)
    followed = await rest.ok("POST", bot.hook(), {"content": "at last"}, auth="")
    assert [one["content"] for one in room.messages()] == ["done", "at last"]
    assert (followed["flags"], (await tap.next_message())["content"]) == (0, "at last")
    eve.tap(panel, custom_id="y")
    await bot.heard()
    told = await rest.ok("POST", f"{bot.callback}?with_response=true", {"type": 4, "data": {"content": "x"}}, auth="")
    assert told["interaction"]["response_message_id"] == told["resource"]["message"]["id"]
    assert told["resource"]["message"]["interaction_metadata"]["interacted_message_id"] == panel["id"]


async def test_three_seconds_and_once(dc, rest, bot, eve):
    """An answer after three seconds, with an unknown token, or a second time is refused."""
    panel = await rest.send(eve, "?", components=rows([button()]))
    late = eve.tap(panel)
    await bot.heard()
    assert not late.failed
    dc.advance(3.1)
    assert late.failed
    assert await rest.refused("POST", bot.callback, {"type": 6}) == (404, 10062)
    assert await rest.refused("POST", bot.hook(), {"content": "x"}) == (404, 10015)
    assert late.answer is None
    eve.tap(panel)
    await bot.heard()
    assert await rest.errors("POST", bot.callback, {"type": 1}) == {"type": "BASE_TYPE_CHOICES"}
    assert await rest.refused("POST", bot.callback, {"type": 4, "data": {"content": ""}}) == (400, 50006)
    await bot.answer(6)
    assert await rest.refused("POST", bot.callback, {"type": 6}) == (400, 40060)
    assert await rest.refused("POST", "/interactions/1/x/callback", {"type": 6}) == (404, 10062)
    long = {"type": 4, "data": {"content": "x" * 2001}}
    eve.tap(panel)
    await bot.heard()
    assert await rest.errors("POST", bot.callback, long) == {"data.content": "BASE_TYPE_MAX_LENGTH"}


async def test_follow_ups(dc, rest, bot, eve, room):
    """Follow-ups are sent, read, edited and deleted for 15 minutes; ephemeral ones reach one person."""
    panel = await rest.send(room, "?", components=rows([button()]))
    tap = eve.tap(panel)
    await bot.heard()
    await bot.answer(6)
    hidden = await rest.ok(
        "POST", bot.hook(), {"content": "psst", "flags": 64, "components": rows([button()])}, auth=""
    )
    assert [one["content"] for one in eve.ephemerals] == ["psst"]
    assert [one["content"] for one in room.messages()] == ["?"]
    assert await rest.refused("GET", f"/channels/{room.id}/messages/{hidden['id']}") == (404, 10008)
    one = bot.hook(f"/messages/{hidden['id']}")
    await rest.ok("PATCH", one, {"content": "psst!"}, auth="")
    assert (await tap.next_message())["content"] == "psst!"
    assert (await rest.ok("GET", one, auth=""))["content"] == "psst!"
    original = bot.hook("/messages/@original")
    assert (await rest.ok("GET", original, auth=""))["id"] == panel["id"]
    await rest.ok("PATCH", original, {"content": "done", "components": []}, auth="")
    assert [one["content"] for one in room.messages()] == ["done"]
    eve.tap(hidden)
    assert (await bot.heard())["message"]["id"] == hidden["id"]
    await bot.answer(7, content="tapped", components=[])
    assert eve.ephemerals[0]["content"] == "tapped"
    await rest.ok("DELETE", bot.hook("/messages/@original"), auth="")
    assert eve.ephemerals == []
    dc.advance(15 * 60 + 1)
    assert await rest.refused("POST", bot.hook(), {"content": "x"}) == (401, 50027)


async def test_modals(rest, bot, eve):
    """A modal is checked, filled in by its rules, and submitted as an interaction that may edit the message."""
    panel = await rest.send(eve, "?", components=rows([button()]))
    tap = eve.tap(panel)
    await bot.heard()
    wrong = modal(text_input(label="x" * 46, style=3), title="x" * 46)
    assert await rest.errors("POST", bot.callback, {"type": 9, "data": wrong}) == {
        "data.title": "BASE_TYPE_BAD_LENGTH",
        "data.components.0.components.0.label": "BASE_TYPE_BAD_LENGTH",
        "data.components.0.components.0.style": "BASE_TYPE_CHOICES",
    }
    with pytest.raises(LookupError, match="no modal"):
        tap.submit(reason="x")
    label = {"type": 18, "label": "Which", "component": menu(custom_id="which")}
    asked = modal(text_input(min_length=2))
    asked["components"].append(label)
    await bot.answer(9, **asked)
    answer = await tap.answered()
    assert (answer.type, answer.modal["custom_id"]) == (9, "why")
    for wrong in ("", "x"):
        with pytest.raises(ValueError, match="reason"):
            tap.submit(reason=wrong)
    submitted = tap.submit(reason="because", which=["v1"])
    heard = await bot.heard()
    assert (heard["type"], heard["data"]["custom_id"], heard["message"]["id"]) == (5, "why", panel["id"])
    text, choice = heard["data"]["components"]
    assert (text["components"][0]["value"], choice["component"]["values"]) == ("because", ["v1"])
    assert await rest.errors("POST", bot.callback, {"type": 9, "data": modal()}) == {"type": "BASE_TYPE_CHOICES"}
    await bot.answer(7, content="thanks", components=[])
    assert (await submitted.answered()).text == eve.inbox[0]["content"] == "thanks"


async def test_what_can_be_tapped(rest, bot, eve):
    """People tap existing, enabled buttons; an unknown custom_id can be forged."""
    off = button("Off", "off", disabled=True)
    panel = await rest.send(eve, "?", components=rows([button(), LINK, off], [menu(3, max_values=2)]))
    for where, wrong in (
        ({"label": "Nope"}, "no button labelled 'Nope'"),
        ({"row": 3}, "no button in row 3"),
        ({"label": "Docs"}, "sends nothing"),
        ({"label": "Off"}, "disabled"),
    ):
        with pytest.raises(LookupError, match=wrong):
            eve.tap(panel, **where)
    eve.tap(panel, custom_id="old:1")
    assert (await bot.heard())["data"]["custom_id"] == "old:1"
    eve.select(panel, ["v0", "L2"])
    assert (await bot.heard())["data"]["values"] == ["v0", "v2"]
    with pytest.raises(LookupError, match="no menu with"):
        eve.select(panel, ["v9"])
    with pytest.raises(ValueError, match="takes 1-2 values"):
        eve.select(panel, ["v0", "v1", "v2"])
    with pytest.raises(LookupError, match="not for bob"):
        rest.dc.person("bob").tap(panel)
