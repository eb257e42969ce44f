"""The promises of `channels.core.adapter`, on every platform. A further platform joins with a line in PLATFORMS."""

from __future__ import annotations

import asyncio
import copy
import json
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from contract_platforms import PLATFORMS, Platform
from harness import TOKEN

from channels.cli import CHANNELS, channel
from channels.core.adapter import Adapter
from channels.core.channel import Channel
from channels.core.chunking import length
from channels.core.config import Environment, load
from channels.core.errors import (
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
from channels.core.types import Attachment, Ignored, Inbound, Key, Keyboard, Message, Outgoing, RawEvent, Tap

FIRST = ((Key("Yes", "data-1"), Key("No", "data-2")), (Key("Later", "data-3"),))


@dataclass
class Collected:
    """A sink that keeps what it is given, and refuses as often as told."""

    events: list[RawEvent] = field(default_factory=list)
    refuse: int = 0
    round_trips: int = 0
    notes: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, events: Sequence[RawEvent]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise StoreError("the disk is full")
        self.events += events
        self.news.set()

    def round_trip(self) -> None:
        self.round_trips += 1
        self.news.set()

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Bench:
    """One platform's sandbox, and an adapter connected to it that knows who it is."""

    platform: Platform
    channel: Channel
    adapter: Adapter

    async def send(self, **fields: Any) -> str:
        sent = await self.adapter.send(Outgoing(self.platform.chat_id, **fields))
        return sent.message_id

    async def read(self, count: int) -> list[RawEvent]:
        """The next raw events, journalled and confirmed."""
        sink = Collected()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            task = group.create_task(self.adapter.listen(sink))
            await self.platform.wait_for(lambda: len(sink.events) >= count and not self.platform.unread())
            task.cancel()
        return sink.events

    async def heard(self) -> Inbound:
        """What the next event means."""
        (event,) = await self.read(1)
        return self.adapter.to_inbound(event)


@pytest.fixture(params=PLATFORMS)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with PLATFORMS[request.param](TOKEN) as platform:
        row = channel(request.param)
        state = {f"{request.param.upper()}_STATE_DIR": str(tmp_path / "state")}
        env = Environment(request.param, {**platform.environ, **state})
        adapter = row.connect(env, load(row.settings, env), platform.token)
        async with adapter:
            await adapter.identify()
            yield Bench(platform, row, adapter)


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
    assert bench.platform.bot_name in bench.adapter.shown_name
    assert bench.adapter.channel == bench.channel.name


async def test_nothing_is_confirmed_that_the_sink_did_not_store(bench: Bench) -> None:
    """A sink that raises StoreError: the error comes out, the platform keeps the events, and the next read has them."""
    said = [bench.platform.say(f"{number}") for number in range(3)]
    sink = Collected(refuse=1)
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
    sink = Collected()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(bench.adapter.listen(sink))
        while sink.round_trips < 2:
            sink.news.clear()
            await sink.news.wait()
        task.cancel()
    assert sink.events == []


@pytest.mark.parametrize("kind", ["error", "html", "drop_before", "drop_after", "drop_body", "flood"])
async def test_listen_ends_with_our_errors_and_loses_nothing(bench: Bench, kind: str) -> None:
    """Any fault while reading comes out as a PlatformError which is no refusal for good; then the events are there."""
    bench.platform.say("still there")
    bench.platform.fail(kind, reading=True)
    async with asyncio.timeout(10):
        with pytest.raises((Unavailable, RateLimited)) as failed:
            await bench.adapter.listen(Collected())
    assert bench.platform.token not in str(failed.value)
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
        bench.adapter.check("x", name)
        assert bench.adapter.split("x", name) == ["x"]
    with pytest.raises(Refused) as refused:
        bench.adapter.check("x", "no such format")
    assert all(name in str(refused.value) for name in declared)


async def test_split_parts_are_accepted(bench: Bench) -> None:
    """Each part is within the limit and accepted; together they are the text."""
    text = "Words 🦄 and more.\n" * 600 + "x" * 5000 + "🦄" * 3000
    parts = bench.adapter.split(text, bench.adapter.capabilities.default_format)
    limits = bench.adapter.limits
    assert len(parts) > 2
    for part in parts:
        assert length(part, limits.unit) <= limits.text
        assert (await bench.send(text=part, format=bench.adapter.capabilities.default_format)).isprintable()
    assert "".join("".join(parts).split()) == "".join(text.split())


# ---- writing


async def test_send_shows_what_was_asked_for(bench: Bench) -> None:
    """Text, reply, keyboard and format arrive; the id which comes back is the message's."""
    asked = bench.platform.say("question")
    format_, text, reads = bench.platform.formatted
    message_id = await bench.send(text=text, format=format_, reply_to=asked, keyboard=FIRST)
    shown = bench.platform.shown(message_id)
    assert shown["text"] == reads
    assert shown["bold"] == ["bold 🦄 word"]
    assert shown["reply_to"] == asked
    assert shown["labels"] == [["Yes", "No"], ["Later"]]


async def test_a_file_is_sent(bench: Bench, tmp_path: Path) -> None:
    """A path is uploaded under its own name."""
    (tmp_path / "notes.md").write_text("# notes")
    message_id = await bench.send(path=str(tmp_path / "notes.md"))
    assert bench.platform.shown(message_id)["file"] == "notes.md"


async def test_a_keyboard_at_its_limits_is_accepted(bench: Bench) -> None:
    """As many buttons as the limits say, in rows as wide, with data as long, are drawn as they are."""
    limits = bench.adapter.limits
    keys = [Key(f"b{number}", f"{number:0{limits.data_bytes}}") for number in range(limits.buttons)]
    keyboard: Keyboard = tuple(tuple(keys[i : i + limits.row]) for i in range(0, len(keys), limits.row))
    message_id = await bench.send(text="many", keyboard=keyboard)
    assert [label for row in bench.platform.shown(message_id)["labels"] for label in row] == [key.label for key in keys]


async def test_edit_replaces_text_and_keyboard(bench: Bench) -> None:
    """An edit changes both; one that changes nothing is no error; None takes the keyboard away."""
    message_id = await bench.send(text="before", keyboard=FIRST)
    for _ in range(2):
        await bench.adapter.edit(bench.platform.chat_id, message_id, "after", "text", ((Key("Ok", "d"),),))
    assert bench.platform.shown(message_id)["text"] == "after"
    assert bench.platform.shown(message_id)["labels"] == [["Ok"]]
    await bench.adapter.edit(bench.platform.chat_id, message_id, "after", "text", None)
    assert bench.platform.shown(message_id)["labels"] == []


async def test_close_panel_writes_the_outcome_and_keeps_the_formatting(bench: Bench) -> None:
    """The keyboard goes, the outcome stands under the text, bold stays bold; again is no error."""
    format_, text, reads = bench.platform.formatted
    sent = await bench.adapter.send(Outgoing(bench.platform.chat_id, text, format=format_, keyboard=FIRST))
    for _ in range(2):
        await bench.adapter.close_panel(bench.platform.chat_id, sent.message_id, sent.snapshot, "✅ Yes · ann")
    shown = bench.platform.shown(sent.message_id)
    assert shown["text"].startswith(reads)
    assert shown["text"].endswith("✅ Yes · ann")
    assert shown["bold"] == ["bold 🦄 word"]
    assert shown["labels"] == []


async def test_close_panel_without_room_or_snapshot_still_takes_the_keyboard(bench: Bench) -> None:
    """A text at the limit keeps its words and the outcome is said all the same; without a snapshot the keyboard goes."""
    full = "x" * bench.adapter.limits.text
    sent = await bench.adapter.send(Outgoing(bench.platform.chat_id, full, keyboard=FIRST))
    await bench.adapter.close_panel(bench.platform.chat_id, sent.message_id, sent.snapshot, "✅ Yes")
    assert bench.platform.shown(sent.message_id)["text"] == full
    assert bench.platform.shown(sent.message_id)["labels"] == []
    other = await bench.send(text="plain", keyboard=FIRST)
    await bench.adapter.close_panel(bench.platform.chat_id, other, None, "")
    assert bench.platform.shown(other) == {**bench.platform.shown(other), "text": "plain", "labels": []}


async def test_a_tap_is_answered_and_a_late_answer_is_no_error(bench: Bench) -> None:
    """The person sees the text, as an alert when asked for; a tap that has grown old is passed over."""
    grid = await bench.send(text="Ship?", keyboard=FIRST)
    answer = bench.platform.tap(grid, "Yes")
    heard = await bench.heard()
    assert isinstance(heard, Tap)
    await bench.adapter.answer_tap(heard.tap_id, "Taken", alert=True)
    assert answer() == ("Taken", True)
    bench.platform.tap(grid, "No")
    late = await bench.heard()
    assert isinstance(late, Tap)
    bench.platform.grow_old()
    await bench.adapter.answer_tap(late.tap_id, "Too late", alert=False)


async def test_reactions_and_typing(bench: Bench) -> None:
    """One reaction at a time, an empty one removes it, all that the limits offer are taken; typing is shown."""
    said = bench.platform.say("nice")
    offered = sorted(bench.adapter.limits.reactions or {"👍", "🔥"})
    for emoji in (*offered, ""):
        await bench.adapter.react(bench.platform.chat_id, said, emoji)
        assert [found.replace("\ufe0f", "") for found in bench.platform.reactions(said)] == (
            [emoji.replace("\ufe0f", "")] if emoji else []
        )
    await bench.adapter.typing(bench.platform.chat_id, None)
    assert bench.platform.typing() == 1


# ---- files in


async def test_download_streams_a_whole_file(bench: Bench, tmp_path: Path) -> None:
    """Every byte arrives, in a file of the owner only, and the size is told."""
    data = bytes(range(256)) * 2000
    file = await received(bench, data)
    target = tmp_path / "in.bin"
    assert await bench.adapter.download(file, target, bench.adapter.limits.download) == len(data)
    assert target.read_bytes() == data
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("announced", [True, False])
async def test_download_refuses_above_the_limit(bench: Bench, tmp_path: Path, announced: bool) -> None:
    """Too big is Refused with the limit, by the announced size or by what really comes; nothing is left behind."""
    file = await received(bench, b"x" * 100_000)
    with pytest.raises(Refused, match="99,999"):
        await bench.adapter.download(file if announced else replace(file, size=None), tmp_path / "in.bin", 99_999)
    assert list(tmp_path.glob("in*")) == []


@pytest.mark.parametrize("kind", ["error", "drop_before", "drop_body"])
async def test_a_download_that_fails_leaves_nothing(bench: Bench, tmp_path: Path, kind: str) -> None:
    """A fault or a cut in the middle is a PlatformError without the token; no partial file stays."""
    file = await received(bench, b"x" * 300_000)
    bench.platform.fail_download(kind)
    with pytest.raises(PlatformError) as failed:
        await bench.adapter.download(file, tmp_path / "in.bin", bench.adapter.limits.download)
    assert bench.platform.token not in str(failed.value)
    assert list(tmp_path.glob("in*")) == []
    assert await bench.adapter.download(file, tmp_path / "in.bin", bench.adapter.limits.download) == 300_000


async def test_a_file_that_is_gone_is_told(bench: Bench, tmp_path: Path) -> None:
    """An id the platform does not know is a PlatformError; an existing target is never written over."""
    with pytest.raises(PlatformError):
        await bench.adapter.download(Attachment("document", "no-such-file"), tmp_path / "in.bin", 1000)
    file = await received(bench, b"new")
    (tmp_path / "in.bin").write_bytes(b"old")
    with pytest.raises(OSError, match="exists"):
        await bench.adapter.download(file, tmp_path / "in.bin", 1000)
    assert (tmp_path / "in.bin").read_bytes() == b"old"


async def received(bench: Bench, data: bytes) -> Attachment:
    bench.platform.send_file("document", data, "data.bin")
    heard = await bench.heard()
    assert isinstance(heard, Message)
    return heard.attachments[0]


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
async def test_faults_are_told_by_what_they_mean(
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
    await bench.send(text="and then it works")


async def test_refusals_are_told_by_who_can_mend_them(bench: Bench) -> None:
    """Unknown chat, broken markup, a message that is not ours: Rejected; blocked: Forbidden; revoked: Unauthorized."""
    adapter, chat = bench.adapter, bench.platform.chat_id
    with pytest.raises(Rejected):
        await adapter.send(Outgoing(bench.platform.unknown_chat, "x"))
    with pytest.raises(Refused):
        await adapter.send(Outgoing("not-an-id", "x"))
    with pytest.raises(Rejected):
        await adapter.edit(chat, bench.platform.say("theirs"), "mine", "text", None)
    for name in adapter.capabilities.formats:
        if name not in {"text", "markdown"}:
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
        await adapter.listen(Collected())


async def test_a_platform_that_is_not_there_is_unavailable(bench: Bench) -> None:
    """Nothing listens: every verb says Unavailable, which was surely not executed."""
    await bench.platform.stop()
    for call in (bench.adapter.identify(), bench.adapter.listen(Collected()), bench.send(text="x")):
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable):
                await call
