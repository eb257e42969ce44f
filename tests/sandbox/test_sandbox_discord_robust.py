"""The sandbox refuses nonsense instead of failing on it."""

from __future__ import annotations

import random

import pytest

from agent_channels.sandbox.discord import channel_routes, message_routes
from discord_wire import button, rows

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]

NAMES = """content components embeds flags tts allowed_mentions nonce enforce_nonce message_reference attachments name
message type auto_archive_duration recipient_id archived locked data"""
ODD = [None, "", 0, -1, 3.5, True, "abc", [], {}, [[]], [{}], [5], {"a": 1}, 10**30, [None], "x" * 3000]
COMPONENTS = [
    *(rows([button() | {"label": odd}]) for odd in ODD),
    *(rows([button() | {"custom_id": odd}]) for odd in ODD),
    *(rows([button() | {"style": odd}]) for odd in ODD),
    *(rows([{"type": 2, "style": 5, "label": "x", "url": odd}]) for odd in ODD),
    *(rows([{"type": 3, "custom_id": "x", "options": odd}]) for odd in ODD),
    *(rows([{"type": 3, "custom_id": "x", "options": [{"label": odd, "value": odd}]}]) for odd in ODD),
    *([{"type": odd}] for odd in ODD),
    *([{"type": 1, "components": odd}] for odd in ODD),
]
OBJECTS = [
    *({"parse": odd} for odd in ODD),
    *({"users": odd} for odd in ODD),
    *({"parse": [odd]} for odd in ODD),
    *({"users": [odd]} for odd in ODD),
    *({"message_id": odd} for odd in ODD),
    *([{"id": odd}] for odd in ODD),
    *([{"title": odd, "description": odd, "fields": odd}] for odd in ODD),
    *({"content": odd} for odd in ODD),
]


async def test_nonsense_is_refused(rest, eve, room):
    """Whatever the body, every route answers as Discord does, never with 500."""
    choose = random.Random(20)  # noqa: S311
    said = eve.send("hi", channel=room)["id"]
    tables = {**message_routes.route.table, **channel_routes.route.table}
    routes = sorted(one for one in tables if one[0] in {"POST", "PATCH"})
    forum = room.guild.forum("help")
    for _ in range(1500):
        method, template = choose.choice(routes)
        ids = {"channel_id": choose.choice([room.id, eve.dm.id, forum.id, said, 5]), "message_id": said}
        body = {name: choose.choice([*ODD, *COMPONENTS, *OBJECTS]) for name in choose.sample(NAMES.split(), 3)}
        body |= {name: value for name, value in {"content": "hello", "name": "x"}.items() if choose.random() < 0.7}
        status, answer, _ = await rest(method, template.format(**ids), body)
        assert status in {200, 204, 400, 403, 404}, (method, template, body)
        assert status < 400 or answer["code"], answer


async def test_nonsense_answers_to_interactions(rest, eve):
    """Whatever the answer, an interaction accepts or refuses it."""
    choose = random.Random(21)  # noqa: S311
    panel = await rest.send(eve, "?", components=rows([button()]))
    for _ in range(300):
        tap = eve.tap(panel, custom_id="y")
        data = {name: choose.choice([*ODD, *COMPONENTS, *OBJECTS]) for name in choose.sample(NAMES.split(), 2)}
        body = {"type": choose.choice([4, 5, 6, 7, 9, None, "4", []]), "data": choose.choice([data, *ODD])}
        status, answer, _ = await rest("POST", f"/interactions/{tap.id}/{tap.token}/callback", body)
        assert status in {204, 400}, body
        assert (status == 204) == (tap.answer is not None), answer


@pytest.mark.parametrize("op", range(-1, 12))
async def test_nonsense_on_the_gateway(connect, eve, op):
    """Whatever the payload, the gateway acts on it or closes with one of its codes."""
    choose = random.Random(op)  # noqa: S311
    for early in (True, False):
        async with connect() as gate:
            if not early:
                await gate.ready()
            for odd in choose.sample(ODD, 6):
                await gate.write(op, choose.choice([odd, {"guild_id": odd, "token": odd, "seq": odd, "intents": odd}]))
            if op in {1, 3, 4} and not (early and op != 1):
                await gate.write(1, None)
                assert await gate.op(11) is None
            else:
                await gate.write(99, None)
                assert 4000 <= (await gate.closed() or 0) <= 4014
