"""What belongs together, decided without a platform: windows, caps, and what is never joined."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Attachment, Chat, Message, Person, RawEvent, ReplyContext
from agent_channels.core.inbound.grouping import ALBUM_S, MESSAGES_MAX, SPLIT_S, MessageGrouping, compose_text
from agent_channels.core.inbound.incoming import IncomingMessage
from agent_channels.core.journal.pending_groups import GroupedMessage
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

LIMITS = Limits(4096, "utf16", 100, 8, 100, None, 64, 1, 1, 1, paste=3900)
NOW = 1_800_000_000.0
ANN, BOB = Person("7", "Ann"), Person("8", "Bob")
DM, TEAM = Chat("7", "direct"), Chat("-5", "group")


@dataclass
class Bench:
    """Messages go in, one a call, at times of the test's choosing; `shown` is what would be offered."""

    store: Store
    at: float = NOW
    count: int = 0
    grouping: MessageGrouping = field(init=False)

    def __post_init__(self) -> None:
        self.inbox = Services.of(self.store).inbox
        self.anew()

    def anew(self) -> None:
        """As after a restart."""
        self.grouping = MessageGrouping(self.inbox, LIMITS, clock=lambda: self.at)
        self.grouping.resume()

    def say(self, text: str = "hi", **more: Any) -> bool:
        """One message; True when it became a part of another."""
        self.count += 1
        given = {"chat": DM, "sender": ANN, "ts": datetime.fromtimestamp(self.at, UTC), "addressed": True}
        message = Message(**{"message_id": str(self.count), "text": text, **given, **more})
        self.inbox.put("1", [RawEvent(str(self.count), "{}")])
        ((entry_id, _),) = self.inbox.unsorted(10)
        incoming = IncomingMessage(entry_id, message, self.at)
        incoming.group = self.grouping.find(incoming)
        return self.grouping.open(incoming)

    def later(self, seconds: float) -> None:
        """Time goes by, and what is due is closed."""
        self.at += seconds
        self.grouping.complete_due()

    def shown(self) -> list[list[str]]:
        """The message ids of each event that is ready, in order."""
        return [
            json.loads(entry.meta.get("message_ids") or json.dumps([entry.message_id]))
            for entry in self.inbox.ready(1000)
        ]


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


def paper(number: int) -> dict[str, Any]:
    return {"attachments": (Attachment("document", f"f{number}"),), "text": f"c{number}"}


def test_an_album_waits_and_is_one(bench: Bench) -> None:
    """It is not shown before its window has passed since the last part."""
    for number in range(10):
        assert bench.say(album_id="a", **paper(number)) == (number > 0)
        bench.later(0.3)
        assert bench.shown() == []
    bench.later(ALBUM_S)
    assert bench.shown() == [[str(n) for n in range(1, 11)]]
    (entry,) = bench.inbox.ready(10)
    assert entry.content == "\n".join(f"c{n}" for n in range(10))
    assert json.loads(entry.meta["delivery_ids"]) == [f"1.{n}" for n in range(2, 11)]


def test_a_part_that_comes_too_late_is_an_event_of_its_own(bench: Bench) -> None:
    """What was decided stays so."""
    bench.say(album_id="a", **paper(1))
    bench.later(ALBUM_S + 0.1)
    assert not bench.say(album_id="a", **paper(2))
    bench.later(ALBUM_S + 0.1)
    assert bench.shown() == [["1"], ["2"]]


def test_two_albums_at_once_stay_apart(bench: Bench) -> None:
    """Another album ends the one before; other people's and other chats' are not part of it."""
    bench.say(album_id="a", **paper(1))
    bench.say(album_id="b", **paper(2))
    bench.say(album_id="b", sender=BOB, **paper(3))
    bench.say(album_id="b", chat=TEAM, **paper(4))
    bench.later(ALBUM_S + 0.1)
    assert sorted(bench.shown()) == [["1"], ["2"], ["3"], ["4"]]


def test_a_restart_in_the_middle_joins_all_the_same(bench: Bench) -> None:
    """The parts before it are stored, and wait for those that the platform repeats."""
    bench.say(album_id="a", **paper(1))
    bench.at += 60
    bench.anew()
    bench.later(0.5)
    assert bench.say(album_id="a", ts=datetime.fromtimestamp(NOW, UTC), **paper(2))
    bench.later(ALBUM_S + 0.1)
    assert bench.shown() == [["1", "2"]]


def test_a_single_text_is_never_held(bench: Bench) -> None:
    """Whatever it is, it is ready at once, unless it is as long as a message can be."""
    for text in ("hi", "x" * 3899, "👍" * 1949, "/start"):
        bench.say(text)
    bench.say("answer", reply=ReplyContext("1", None, None))
    assert len(bench.shown()) == 5
    bench.say("x" * 3900)
    assert len(bench.shown()) == 5
    bench.later(SPLIT_S + 0.1)
    assert len(bench.shown()) == 6


def test_a_paste_ends_with_its_short_part_or_anything_else(bench: Bench) -> None:
    """The end is shown at once; a reply, a file, an edit or a command is not part of it, and comes after it."""
    bench.say("x" * 4096)
    assert bench.say("the end")
    assert bench.shown() == [["1", "2"]]
    for other in (
        {"reply": ReplyContext("1", None, None)},
        paper(1),
        {"edited": True},
        {"forward_from": "bob", "text": "f"},
    ):
        bench.say("y" * 4000)
        joined = bench.say(**other)
        assert joined == ("forward_from" in other)
        bench.later(2)
    bench.say("z" * 4000)
    bench.later(5)
    assert not bench.say("much later")


@pytest.mark.parametrize(
    "other",
    [{"reply": ReplyContext("1", None, None)}, {"edited": True}, {"command": "status"}, paper(9)],
    ids=lambda other: next(iter(other)),
)
def test_what_its_sender_says_next_completes_a_group(bench: Bench, other: dict[str, Any]) -> None:
    """The group is shown at once, and before it: the agent reads in the order in which it was said."""
    bench.say("y" * 4000)
    assert not bench.say(**other)
    bench.later(0)
    assert bench.shown()[:1] == [["1"]]


@pytest.mark.parametrize(
    "other", [{"sender": BOB}, {"chat": TEAM}, {"thread_id": "5"}], ids=lambda other: next(iter(other))
)
def test_what_is_said_elsewhere_completes_no_group(bench: Bench, other: dict[str, Any]) -> None:
    """Somebody else, another chat and another thread do not end the waiting for the rest."""
    bench.say("y" * 4000)
    assert not bench.say("hi", **other)
    assert bench.shown() == [["2"]]
    assert bench.say("the rest")


def test_pieces_are_capped(bench: Bench) -> None:
    """Twenty messages or 100,000 characters; the next one begins anew, and nothing is lost."""
    for _ in range(MESSAGES_MAX + 1):
        bench.say("x" * 4000)
    bench.later(SPLIT_S + 0.1)
    assert [len(ids) for ids in bench.shown()] == [20, 1]
    small = replace(LIMITS, text=60_000, paste=50_000)
    bench.grouping = MessageGrouping(bench.inbox, small, clock=lambda: bench.at)
    for _ in range(3):
        bench.say("y" * 50_000)
    bench.later(SPLIT_S + 0.1)
    assert [len(ids) for ids in bench.shown()] == [20, 1, 2, 1]


def test_a_forward_joins_only_the_comment_beside_it(bench: Bench) -> None:
    """Not one that was offered, not one from a while ago, not over somebody's head; further forwards go along."""
    bench.say("comment")
    assert bench.say("news", forward_from="bob")
    assert bench.say("more", forward_from="bob")
    bench.later(1)
    assert bench.shown() == [["1", "2", "3"]]
    assert bench.inbox.ready(1)[0].content == "comment\n\n[forwarded from bob]\nnews\nmore"
    bench.inbox.begin_offer(bench.inbox.ready(10))
    bench.later(5)
    assert not bench.say("news", forward_from="bob")
    bench.later(5)
    assert not bench.say("much later")
    bench.say("somebody else's", sender=BOB)
    assert bench.say("news", forward_from="bob")
    bench.say("a comment")
    bench.say("another")
    assert not bench.say("news", forward_from="bob", chat=TEAM)


def test_a_clock_that_is_put_back_holds_nothing(bench: Bench) -> None:
    """A deadline from the future is over."""
    bench.say(album_id="a", **paper(1))
    bench.later(-3600)
    assert bench.shown() == [["1"]]


@given(st.lists(st.sampled_from(["short", "x" * 4096, "y" * 3950, "<", "/channel>"]), min_size=2, max_size=8))
def test_every_character_of_a_paste_is_in_the_event(texts: list[str]) -> None:
    """In order; and two harmless ends never make a tag together."""
    pieces = tuple(
        GroupedMessage(str(n), str(n), text, NOW, plain=True, near_limit=len(text) > 3900, at_limit=len(text) == 4096)
        for n, text in enumerate(texts)
    )
    made = compose_text(pieces)
    assert made.replace("\n", "").replace("‹", "<") == "".join(texts)
    assert "</channel" not in made


def test_texts_are_put_together_as_they_were_cut() -> None:
    """Without a space where the client cut in the middle of a word, on a new line where it cut at white space."""

    def make(text: str, at_limit: bool) -> GroupedMessage:
        return GroupedMessage("1", "1", text, NOW, plain=True, at_limit=at_limit)

    assert compose_text((make("a", True), make("b", False), make("c", False))) == "ab\nc"
