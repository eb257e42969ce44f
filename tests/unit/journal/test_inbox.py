"""The journal of what people sent: nothing twice, nothing lost, everything in order, answered only by an answer."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent_channels.core.contract.messages import Attachment, RawEvent
from agent_channels.core.journal.entry import AgentEvent, Entry
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from planted_secrets import KINDS, Planted, core_of

PHOTO = Attachment("photo", "file-1", None, "image/jpeg", 12)
PAPER = Attachment("document", 'pa"per', "paper.pdf", "application/pdf", 34)


@pytest.fixture
def inbox(store: Store) -> Inbox:
    return Services.of(store).inbox


def put(inbox: Inbox, *event_ids: str, bot: str = "1") -> int:
    return len(inbox.put(bot, [RawEvent(event_id, f'{{"update_id": {event_id}}}') for event_id in event_ids]))


def opened(inbox: Inbox, event_id: str, chat: str = "7", **more: object) -> None:
    """One message, journalled and ready for the agent."""
    put(inbox, event_id)
    ((entry_id, raw),) = inbox.unsorted(10)
    assert raw.event_id == event_id
    inbox.open(entry_id, AgentEvent(chat, f"m{event_id}", "7", f"text {event_id}", {"user": "ann"}, **more))  # type: ignore[arg-type]


def offered(inbox: Inbox) -> list[Entry]:
    """Offers everything that is ready, and it goes through."""
    entries = inbox.begin_offer(inbox.ready(1000))
    inbox.finish_offer([entry.id for entry in entries])
    return entries


def test_an_event_is_journalled_once(inbox: Inbox, store: Store) -> None:
    """The platform may hand an event over again, in any company, now or after a restart; another bot's is another."""
    assert put(inbox, "10", "11") == 2
    assert put(inbox, "10", "11", "12") == 1
    assert put(inbox, "12", "12") == 0
    assert put(inbox, "10", bot="2") == 1
    with Store(store.path) as again:
        assert put(Services.of(again).inbox, "10", "11", "12") == 0
    opened_now = [event.event_id for _, event in inbox.unsorted(10)]
    assert opened_now == ["10", "11", "12", "10"]


def test_the_raw_event_is_kept_as_it_came(inbox: Inbox) -> None:
    """Its payload is the platform's own text, with the time it arrived."""
    payload = '{"text": "\\ud83d\\ude00 \\ud800", "big": 12345678901234567890}'
    inbox.put("1", [RawEvent("1", payload)])
    ((_, event),) = inbox.unsorted(1)
    assert event.payload == payload
    assert event.received_at > 1_700_000_000


def test_entries_are_offered_in_the_order_they_came(inbox: Inbox) -> None:
    """Whatever chats they are from, and however many are asked for at a time."""
    for number in range(6):
        opened(inbox, str(number), chat=str(number % 2))
    first = [entry.content for entry in inbox.ready(4)]
    assert first == ["text 0", "text 1", "text 2", "text 3"]
    assert [entry.content for entry in offered(inbox)] == [f"text {number}" for number in range(6)]
    assert inbox.ready(10) == []


def test_whatever_of_an_entry_holds_a_credential_is_masked_once_it_is_answered(inbox: Inbox, store: Store) -> None:
    """The text, what it quotes and the names of files; the agent is shown them whole, and a list stays a list."""
    secrets = [KINDS["github"](Planted(seed)) for seed in range(3)]
    listed = json.dumps([{"kind": "document", "file_id": "f", "name": f'{secrets[2]}".txt'}])
    file = Attachment("document", "f", f"{secrets[2]}.txt")
    for number, event in enumerate(
        [
            AgentEvent("7", "m0", "7", secrets[0], {}),
            AgentEvent("7", "m1", "7", "x", {"reply_to_text": f"use {secrets[1]}"}),
            AgentEvent("7", "m2", "7", "y", {"attachments": listed}, attachments=(file,)),
        ]
    ):
        put(inbox, str(number))
        ((entry_id, _raw),) = inbox.unsorted(10)
        inbox.open(entry_id, event)
    shown = offered(inbox)
    assert [shown[0].content, shown[1].meta["reply_to_text"]] == [secrets[0], f"use {secrets[1]}"]
    assert secrets[2] in shown[2].meta["attachments"]
    assert inbox.mask_answered() == 0
    inbox.acknowledge([entry.delivery_id for entry in shown])
    assert inbox.mask_answered() == 3
    kept = repr([tuple(row) for row in store.rows("SELECT * FROM inbox")])
    assert [secret for secret in secrets if core_of(secret) in kept] == []
    meta = json.loads(store.value("SELECT meta FROM inbox WHERE message_id = 'm2'"))
    assert json.loads(meta["attachments"])[0]["name"].endswith('[secret]".txt')
    assert inbox.mask_answered() == 0


def test_what_was_said_is_found_by_what_is_kept_beside_it(inbox: Inbox) -> None:
    """The names of files as they read, however JSON writes them; and a quote is not taken for JSON."""
    for number, meta in enumerate(
        [{"attachments": json.dumps([{"name": "Quarzuhr鐘.txt"}])}, {"reply_to_text": "[1] C:\\users\\ann, 鐘 \\u12"}]
    ):
        put(inbox, str(number))
        ((entry_id, _raw),) = inbox.unsorted(10)
        inbox.open(entry_id, AgentEvent("7", f"m{number}", "7", "x", meta))
    inbox.acknowledge([entry.delivery_id for entry in offered(inbox)])
    first, second = inbox.matching("7", lambda text: "鐘" in text)
    assert inbox.matching("7", lambda text: "users\\ann" in text) == [second]
    assert inbox.matching("7", lambda text: "Quarzuhr鐘" in text) == [first]


def test_an_entry_keeps_its_delivery_id_over_every_offer(inbox: Inbox) -> None:
    """Offered, left unanswered and offered again: the same id, and a count that tells a repetition."""
    opened(inbox, "5")
    (first,) = offered(inbox)
    assert first.offers == 1
    assert inbox.reopen() == 1
    (second,) = offered(inbox)
    assert second.offers == 2
    assert second.delivery_id == first.delivery_id == "1.5"
    assert (second.content, second.meta, second.message_id) == (first.content, first.meta, first.message_id)


def test_dying_while_offering_shows_as_a_repetition(inbox: Inbox, store: Store) -> None:
    """An entry that was about to be offered when the process died may have been seen: it comes as the second offer."""
    opened(inbox, "5")
    inbox.begin_offer(inbox.ready(1))
    with Store(store.path) as again:
        later = Services.of(again).inbox
        assert later.ready(10) == []
        assert later.reopen() == 1
        (entry,) = offered(later)
        assert entry.offers == 2


@given(said=st.lists(st.sampled_from("abcd"), max_size=40), limit=st.integers(1, 12))
@settings(max_examples=40)
def test_every_chat_has_its_turn(said: list[str], limit: int) -> None:
    """Whoever wrote how much: a batch has a place for every chat, and the order inside a chat is kept to the end."""
    with TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        inbox = Services.of(store).inbox
        for number, chat in enumerate(said, 1):
            opened(inbox, str(number), chat=chat)
        for pick in (lambda: inbox.ready(limit), lambda: inbox.pullable("", limit, [], 0.0)):
            places = {entry.chat_id for entry in pick()}
            assert len(places) == min(limit, len(set(said)))
        got: list[tuple[str, str]] = []
        while batch := inbox.begin_offer(inbox.ready(limit)):
            got += [(entry.chat_id, entry.content) for entry in batch]
        for chat in set(said):
            texts = [f"text {number}" for number, who in enumerate(said, 1) if who == chat]
            assert [text for who, text in got if who == chat] == texts


def test_only_what_went_through_can_be_answered(inbox: Inbox) -> None:
    """An answer counts for what the agent can have seen: not for what is waiting or still on its way."""
    opened(inbox, "1")
    opened(inbox, "2")
    opened(inbox, "3", chat="8")
    entries = inbox.begin_offer(inbox.ready(3))
    assert inbox.answer("7") == 0
    inbox.finish_offer([entries[0].id, entries[2].id])
    opened(inbox, "4")
    assert inbox.answer("7") == 1
    assert inbox.answer("7") == 0
    assert inbox.counts()["answered"] == 1
    inbox.finish_offer([entries[1].id])
    assert inbox.answer("7") == 1
    assert inbox.open_count("7") == 1
    assert inbox.open_count("8") == 1


def test_what_was_answered_never_comes_again(inbox: Inbox) -> None:
    """Neither reopening nor the platform's repetition brings it back."""
    opened(inbox, "1")
    offered(inbox)
    inbox.answer("7")
    assert inbox.reopen() == 0
    assert put(inbox, "1") == 0
    assert inbox.ready(10) == []
    assert inbox.unsorted(10) == []


def test_what_is_not_for_the_agent_is_not_kept(inbox: Inbox, store: Store) -> None:
    """A dropped event leaves its id for deduplication and nothing of what was said; one that failed stays whole."""
    put(inbox, "1", "2")
    (first, _), (second, _) = inbox.unsorted(2)
    inbox.end(first)
    inbox.fail(second)
    rows = store.rows("SELECT state, payload FROM inbox ORDER BY id")
    assert [(row["state"], row["payload"]) for row in rows] == [("dropped", ""), ("failed", '{"update_id": 2}')]
    assert put(inbox, "1", "2") == 0
    assert inbox.unsorted(10) == []
    counts = inbox.counts()
    assert (counts["received"], counts["open"], counts["failed"]) == (0, 0, 1)


def test_a_picture_is_fetched_before_its_message_is_offered(inbox: Inbox) -> None:
    """The entry waits, becomes ready with what came of the download, and only once."""
    opened(inbox, "1", image=PHOTO)
    opened(inbox, "2")
    (entry,) = inbox.fetching()
    assert entry.files_to_fetch == (PHOTO,)
    assert [ready.content for ready in inbox.ready(10)] == ["text 2"]
    inbox.fetched(entry, "with picture", {"image_path": "/x.jpg"})
    assert [ready.content for ready in inbox.ready(10)] == ["with picture", "text 2"]
    inbox.begin_offer(inbox.ready(10))
    inbox.fetched(entry, "late", {})
    assert [ready.content for ready in inbox.ready(10)] == []
    assert inbox.fetching() == []


def test_what_a_stranger_said_is_not_the_agents(inbox: Inbox) -> None:
    """Held messages are neither open nor offered; they are released or forgotten with their sender."""
    for event_id, user in (("1", "7"), ("2", "8")):
        put(inbox, event_id)
        ((entry_id, _),) = inbox.unsorted(10)
        inbox.open(entry_id, AgentEvent(user, event_id, user, f"from {user}", {}, attachments=(PAPER,)), held=True)
    assert (inbox.ready(10), inbox.reopen(), inbox.counts()["open"], inbox.counts()["held"]) == ([], 0, 0, 2)
    assert inbox.attachments("7", "1") is None
    assert inbox.attachment("7", 'pa"per') is None
    inbox.forget_held(["8"])
    inbox.release("7")
    inbox.release("8")
    assert [entry.content for entry in inbox.ready(10)] == ["from 7"]
    assert inbox.attachments("7", "1") == [PAPER]


def test_files_are_found_by_message_and_by_id_in_their_chat_only(inbox: Inbox) -> None:
    """The picture comes first; another chat's files, and files nobody sent, are not known."""
    opened(inbox, "1", image=PHOTO, attachments=(PAPER,))
    opened(inbox, "2")
    assert inbox.attachments("7", "m1") == [PHOTO, PAPER]
    assert inbox.attachments("7", "m2") == []
    assert inbox.attachments("7", "m3") is None
    assert inbox.attachments("8", "m1") is None
    assert inbox.attachment("7", 'pa"per') == PAPER
    assert inbox.attachment("7", "file-1") == PHOTO
    assert inbox.attachment("7", "file") is None
    assert inbox.attachment("8", "file-1") is None


def test_the_oldest_open_entry_is_known(inbox: Inbox) -> None:
    """When the one that has waited longest arrived; nothing when nothing waits."""
    assert inbox.oldest_open() is None
    opened(inbox, "1")
    assert inbox.oldest_open() is not None
    offered(inbox)
    assert inbox.oldest_open() is not None
    inbox.answer("7")
    assert inbox.oldest_open() is None


class Journal(RuleBasedStateMachine):
    """Any mixture of arriving, offering, dying and answering, against a model that is a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "state" / "channel.db")
        self.inbox = Services.of(self.store).inbox
        self.states: dict[str, str] = {}
        self.chats: dict[str, str] = {}
        self.offers: dict[str, int] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(number=st.integers(0, 30), chat=st.sampled_from(["7", "8"]))
    def arrives(self, number: int, chat: str) -> None:
        """The platform hands an event over, maybe not for the first time."""
        event_id = str(number)
        assert put(self.inbox, event_id) == (event_id not in self.states)
        for entry_id, raw in self.inbox.unsorted(10):
            self.inbox.open(entry_id, AgentEvent(chat, raw.event_id, "7", raw.event_id, {}))
            self.states[raw.event_id], self.chats[raw.event_id], self.offers[raw.event_id] = "ready", chat, 0

    @rule(limit=st.integers(1, 4), through=st.booleans())
    def offers_some(self, limit: int, through: bool) -> None:
        """The oldest of each chat are offered, and no chat is left out; maybe the process dies before it is known."""
        ready = [event_id for event_id, state in self.states.items() if state == "ready"]
        entries = self.inbox.begin_offer(self.inbox.ready(limit))
        got = [entry.content for entry in entries]
        assert len(got) == min(limit, len(ready))
        assert got == [event_id for event_id in ready if event_id in got]
        waiting = {chat: [event_id for event_id in ready if self.chats[event_id] == chat] for chat in ("7", "8")}
        for theirs in waiting.values():
            taken = [event_id for event_id in theirs if event_id in got]
            assert taken == theirs[: len(taken)]
            assert taken or not theirs or limit == 1
        for entry in entries:
            self.offers[entry.content] += 1
            assert entry.offers == self.offers[entry.content]
            self.states[entry.content] = "offered" if through else "offering"
        if through:
            self.inbox.finish_offer([entry.id for entry in entries])

    @rule(chat=st.sampled_from(["7", "8"]))
    def answers(self, chat: str) -> None:
        """The agent acts on a chat."""
        # What was reopened and not offered again yet counts too.
        seen = [
            event_id
            for event_id, state in self.states.items()
            if self.chats[event_id] == chat and (state == "offered" or (state == "ready" and self.offers[event_id]))
        ]
        assert self.inbox.answer(chat) == len(seen)
        self.states |= dict.fromkeys(seen, "answered")

    @rule()
    def restarts(self) -> None:
        """A new process, a new session."""
        self.store.close()
        self.store = Store(self.store.path)
        self.inbox = Services.of(self.store).inbox
        again = [event_id for event_id, state in self.states.items() if state in {"offering", "offered"}]
        assert self.inbox.reopen() == len(again)
        self.states |= dict.fromkeys(again, "ready")

    @invariant()
    def counts_are_a_funnel(self) -> None:
        """Received >= offered >= answered; what is received and not answered is open: nothing is lost."""
        counts = self.inbox.counts()
        answered = list(self.states.values()).count("answered")
        assert counts["received"] == len(self.states)
        assert counts["answered"] == answered
        assert counts["open"] == len(self.states) - answered
        assert counts["offered"] == sum(count > 0 for count in self.offers.values())
        assert counts["received"] >= counts["offered"] >= counts["answered"]


# A dictionary keeps the order of first arrival, which is the order of offering.
TestJournal = Journal.TestCase
TestJournal.settings = settings(max_examples=25, stateful_step_count=25)
