"""The promises of `agent_channels.core.contract.adapter`, on every platform: reading, translating, errors.

A further platform joins with a line in tests/support/contract_platforms.py. Writing and files: test_adapter_writing.py.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agent_channels.core.contract.messages import Ignored, Inbound, Message, RawEvent, Tap
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import (
    Ambiguous,
    ConfigError,
    Forbidden,
    ParseFailed,
    PlatformError,
    RateLimited,
    Refused,
    Rejected,
    StoreError,
    Unauthorized,
    Unavailable,
)
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.units import length
from agent_channels.registry import CHANNELS, channel
from contract_bench import FIRST, Bench
from contract_platforms import PLATFORMS
from harness import TOKEN


def test_every_channel_is_held_to_the_contract() -> None:
    """No channel is registered without joining these promises."""
    assert set(PLATFORMS) == set(CHANNELS)


def test_a_token_is_known_by_its_shape_and_never_shown() -> None:
    """The bot's id is read from a token; what cannot be a token is refused without showing it."""
    for name in CHANNELS:
        row = channel(name)
        assert row.name == name
        assert row.formats
        for wrong in ("", "hunter2-and-more-secret", TOKEN + " ", TOKEN.replace(":", "")):
            with pytest.raises(ConfigError) as refused:
                row.bot_id(wrong)
            assert not wrong or wrong not in str(refused.value)
            assert f"channels setup {name}" in str(refused.value)


# ---- reading


async def test_identify_says_who_the_bot_is(bench: Bench) -> None:
    """Identity has the id which the token carries, and the shown name afterwards."""
    me = await bench.adapter.identify()
    assert me.id == bench.platform.bot_id == bench.channel.bot_id(bench.platform.token)
    assert me.username == bench.platform.bot_name
    assert bench.platform.bot_name in bench.adapter.display_name
    assert bench.adapter.channel == bench.channel.name


async def test_nothing_is_confirmed_that_the_sink_did_not_store(bench: Bench) -> None:
    """A sink that raises StoreError: the error comes out, the platform keeps the events, and the next read has them."""
    said = [bench.platform.say(f"{number}") for number in range(3)]
    sink = bench.sink(refuse=1)
    async with asyncio.timeout(10):
        with pytest.raises(StoreError):
            await bench.adapter.listen(sink)
    assert sink.events == []
    assert bench.platform.unread() == 3
    events = await bench.read(3)
    heard = [bench.adapter.to_inbound(event) for event in events]
    assert [(m.message_id, m.text) for m in heard if isinstance(m, Message)] == list(zip(said, "012", strict=True))
    assert len({event.event_id for event in events}) == 3
    assert bench.platform.unread() == 0


async def test_a_silent_platform_still_makes_round_trips(bench: Bench) -> None:
    """Without events the sink hears that the platform answered: the watchdog lives on that."""
    sink = bench.sink()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(bench.adapter.listen(sink))
        while sink.round_trips < 2:
            sink.news.clear()
            await sink.news.wait()
        task.cancel()
    assert sink.events == []


@pytest.mark.parametrize("kind", ["error", "html", "drop_before", "drop_after", "drop_body", "flood"])
async def test_listen_ends_with_our_errors_and_loses_nothing(bench: Bench, kind: str) -> None:
    """Any fault while reading is raised as a PlatformError that passes; the next read has the events."""
    bench.platform.say("still there")
    bench.platform.fail(kind, reading=True)
    async with asyncio.timeout(10):
        with pytest.raises((Unavailable, RateLimited)) as failed:
            await bench.adapter.listen(bench.sink())
    assert bench.platform.token not in str(failed.value)
    bench.platform.heal()
    heard = await bench.heard()
    assert isinstance(heard, Message)
    assert heard.text == "still there"


# ---- translating


async def test_a_message_a_file_and_a_tap_are_translated(bench: Bench) -> None:
    """Who said what, where and when; a file's kind, name and size; the data of the button that was tapped."""
    message_id = bench.platform.say("hello <b>you</b>")
    heard = await bench.heard()
    assert isinstance(heard, Message)
    assert (heard.text, heard.message_id, heard.chat.kind) == ("hello <b>you</b>", message_id, "direct")
    assert heard.chat.id == bench.platform.chat_id
    assert heard.sender.id == bench.platform.user_id
    assert heard.addressed
    assert heard.ts.tzinfo is not None
    bench.platform.send_file("document", b"x" * 500, "plan.pdf")
    heard = await bench.heard()
    assert isinstance(heard, Message)
    (file,) = heard.attachments
    assert (file.kind, file.name, file.size) == ("document", "plan.pdf", 500)
    grid = await bench.send(text="Ship?", keyboard=FIRST)
    bench.platform.tap(grid, "No")
    heard = await bench.heard()
    assert isinstance(heard, Tap)
    assert (heard.data, heard.message_id, heard.sender.id) == ("data-2", grid, bench.platform.user_id)


async def test_to_inbound_never_raises(bench: Bench) -> None:
    """Real events with any part missing or replaced by nonsense, and no JSON at all, become values, not errors."""
    bench.platform.say("text")
    bench.platform.send_file("document", b"x", "a.txt")
    grid = await bench.send(text="Ship?", keyboard=FIRST)
    bench.platform.tap(grid, "Yes")
    events = await bench.read(3)
    tried = 0
    for event in events:
        for payload in _broken(json.loads(event.payload)):
            inbound = bench.adapter.to_inbound(replace(event, payload=json.dumps(payload)))
            assert isinstance(inbound, Inbound)
            tried += 1
    for text in ("", "null", "[]", "5", '"x"', "{", "\x00", "{}"):
        assert isinstance(bench.adapter.to_inbound(RawEvent("1", text)), Ignored)
    assert tried > 200


def _broken(value: Any) -> Iterator[Any]:
    """`value` with each of its parts, one at a time, missing or nonsense."""
    for path in list(_paths(value)):
        for junk in (_MISSING, None, [], {}, "x", -1, 1.5, True, "\ud800", 10**30):
            broken = copy.deepcopy(value)
            parent = broken
            for step in path[:-1]:
                parent = parent[step]
            if junk is _MISSING:
                del parent[path[-1]]
            else:
                parent[path[-1]] = junk
            yield broken


_MISSING = object()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


# ---- formats


async def test_formats_are_declared_and_checked(bench: Bench) -> None:
    """Every declared format is taken, the default is one of them, any other is refused with the list."""
    declared = bench.adapter.capabilities.formats
    assert bench.adapter.capabilities.default_format in declared
    for name in declared:
        assert [(part.text, part.plain) for part in bench.adapter.render("x", name)] == [("x", "x")]
    with pytest.raises(Refused) as refused:
        bench.adapter.render("x", "no such format")
    assert all(name in str(refused.value) for name in declared)


async def test_parts_are_accepted(bench: Bench) -> None:
    """Each part is within the limit and accepted; together they are the text."""
    text = "Words 🦄 and more.\n" * 600 + "x" * 5000 + "🦄" * 3000
    limits = bench.adapter.limits
    for name in {"text", bench.adapter.capabilities.default_format}:
        parts = bench.adapter.render(text, name)
        assert len(parts) > 2
        for part in parts:
            assert length(part.text, limits.unit) <= limits.text
            assert (await bench.send(text=part.text, format=part.format, spans=part.spans)).isprintable()
        assert "".join("".join(part.plain for part in parts).split()) == "".join(text.split())


# ---- errors


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("error", {"status": 500}, Unavailable),
        ("html", {"status": 502}, Unavailable),
        ("flood", {"retry_after": 7}, RateLimited),
        ("drop_before", {}, Ambiguous),
        ("drop_after", {}, Ambiguous),
        ("drop_body", {}, Ambiguous),
    ],
)
async def test_faults_have_the_class_of_their_meaning(
    bench: Bench, kind: str, options: dict[str, Any], expected: type[PlatformError]
) -> None:
    """Unavailable was surely not executed, Ambiguous may have been, RateLimited says how long; none names the token."""
    bench.platform.fail(kind, **options)
    with pytest.raises(PlatformError) as failed:
        await bench.send(text="x")
    assert type(failed.value) is expected
    assert bench.platform.token not in str(failed.value)
    if isinstance(failed.value, RateLimited):
        assert failed.value.retry_after == 7
    bench.platform.heal()
    await bench.send(text="and then it works")


async def test_refusals_have_the_class_of_who_can_act(bench: Bench) -> None:
    """Unknown chat, broken markup, a message that is not ours: Rejected; blocked: Forbidden; revoked: Unauthorized."""
    adapter, chat = bench.adapter, bench.platform.chat_id
    with pytest.raises(Rejected):
        await adapter.send(Outgoing(bench.platform.unknown_chat, "x"))
    with pytest.raises(Refused):
        await adapter.send(Outgoing("not-an-id", "x"))
    with pytest.raises(Rejected):
        await adapter.edit(chat, bench.platform.say("theirs"), RenderedPart("mine", "text", "mine"), None)
    for name in adapter.capabilities.formats:
        if name not in {"text", "markdown"} and bench.platform.wrong_markup:
            with pytest.raises(ParseFailed):
                await adapter.send(Outgoing(chat, "<b>*open", format=name))
    bench.platform.block()
    with pytest.raises(Forbidden):
        await bench.send(text="x")
    bench.platform.revoke()
    with pytest.raises(Unauthorized) as refused:
        await adapter.identify()
    assert bench.platform.token not in str(refused.value)
    with pytest.raises(Unauthorized):
        await adapter.listen(bench.sink())


async def test_a_platform_that_is_not_there_is_unavailable(bench: Bench) -> None:
    """Nothing listens: every verb says Unavailable, which was surely not executed."""
    await bench.platform.stop()
    for call in (bench.adapter.identify(), bench.adapter.listen(bench.sink()), bench.send(text="x")):
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable):
                await call
