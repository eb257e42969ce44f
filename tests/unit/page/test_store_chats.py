"""Chats as a page draws them from the store: whose they are, in which order, with which buttons, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.messages import Chat, Person, RawEvent
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.journal.entry import NEXT, AgentEvent, State
from agent_channels.core.journal.history import HistoryLine
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.page.lives import staged_life
from agent_channels.page.store_chats import LINES, StoreChats, _in_order
from clock import Clock

ANN, BEN = Person("7", "Ann", "ann"), Person("8", "Ben", "ben")


@pytest.fixture
def services(store: Store, clock: Clock) -> Services:
    made = Services.of(store, clock=clock)
    for person in (ANN, BEN):
        made.access.allow(person.id, by="test", name=person.name, username=person.username)
        made.chats.record(Chat(person.id, "direct"), person)
    return made


def said(services: Services, chat_id: str, message_id: str, text: str, at: float, **more: Any) -> None:
    services.history.add(HistoryLine(chat_id, message_id, "ann", "7", text, at, **more))


def arrived(services: Services, event_id: str, chat_id: str = "7", **more: Any) -> None:
    services.inbox.put("1", [RawEvent(event_id, "{}")])
    ((entry_id, _),) = services.inbox.unsorted(9)
    event = AgentEvent(chat_id, f"m{event_id}", "7", f"text {event_id}", {"user": "ann", "user_id": "7"})
    services.inbox.open(entry_id, event, **more)


def view(services: Services, chat_id: str) -> dict[str, Any]:
    chats = StoreChats("mychat", services)
    return chats.view(next(chat for chat in chats.listed() if chat.chat_id == chat_id))


def grid(*rows: Sequence[str]) -> Grid:
    return tuple(tuple(Button(text) for text in row) for row in rows)


def test_chats_are_listed_with_what_waits(services: Services) -> None:
    """People let in, enabled groups, and who waits, by their last message; a thread stands in its chat."""
    services.access.add_group("-1", require_mention=True, senders=None)
    services.chats.record(Chat("-1", "group", "Team"), ANN)
    services.chats.record(Chat("-2", "group", "Thread", parent_id="-1"), ANN)
    services.chats.record(Chat("-3", "group", "Not enabled"), ANN)
    eve = Person("9", "Eve", "eve")
    assert services.pairing.ask(Chat("9", "direct"), eve)
    services.access.set_approver("7", approver=True)
    said(services, "8", "1", "hello", 5.0)
    said(services, "-2", "2", "in the thread", 6.0)
    arrived(services, "1", "-2")
    listed = StoreChats("mychat", services).listed()
    assert [(chat.title, chat.about, chat.person, chat.waiting) for chat in listed] == [
        ("Team", "a group", "", 1),
        ("Ben", "paired", "8", 0),
        ("Eve", "waits to be let in", "9", 0),
        ("Ann", "paired, approver", "7", 0),
    ]
    assert listed[0].as_dict("mychat")["topics"] == "threads"
    found = view(services, "-1")
    assert [(message["text"], message["topic"]) for message in found["messages"]] == [("in the thread", "-2")]
    assert found["topics"]["list"] == [{"id": "-2", "name": "Thread", "icon": "#"}]


def test_topics_have_the_names_that_are_known(services: Services) -> None:
    """A topic is named as it was seen last, else as the message says."""
    said(services, "7", "1", "plain", 1.0)
    said(services, "7", "2", "in one", 2.0, thread_id="11", thread_name="Old")
    said(services, "7", "3", "in another", 3.0, thread_id="12", thread_name="Website")
    services.chats.name_thread("7", "11", "New")
    found = view(services, "7")
    assert {topic["id"]: topic["name"] for topic in found["topics"]["list"]} == {"11": "New", "12": "Website"}
    assert [message["topic"] for message in found["messages"]] == ["", "11", "12"]


def test_an_answer_stands_behind_its_question(services: Services) -> None:
    """A platform's times have whole seconds and ours have not; the history's order decides."""
    said(services, "7", "1", "first?", 100.0)
    said(services, "7", "2", "yes", 100.9, own=True)
    said(services, "7", "3", "second?", 100.0)
    said(services, "7", "4", "no", 101.2, own=True)
    messages = view(services, "7")["messages"]
    assert [message["text"] for message in messages] == ["first?", "yes", "second?", "no"]
    assert all("line" not in message for message in messages)


@given(st.lists(st.tuples(st.floats(0, 50), st.booleans()), max_size=20))
def test_the_historys_order_is_never_changed(given_: list[tuple[float, bool]]) -> None:
    """Whatever the clocks say, and whatever stands in between: nothing is lost, and lines keep their order."""
    messages: list[dict[str, Any]] = [
        {"at": at, "n": number, **({"line": number + 1} if kept else {})} for number, (at, kept) in enumerate(given_)
    ]
    kept = [message["n"] for message in messages if "line" in message]
    found = _in_order(messages)
    assert sorted(message["n"] for message in found) == list(range(len(given_)))
    assert [message["n"] for message in found if message["n"] in kept] == kept


def test_the_newest_messages_are_shown(services: Services) -> None:
    """A long chat ends with its last message."""
    for number in range(LINES + 5):
        said(services, "7", str(number), f"text {number}", float(number))
    messages = view(services, "7")["messages"]
    assert len(messages) == LINES
    assert messages[-1]["text"] == f"text {LINES + 4}"


def test_taps_reactions_and_files(services: Services) -> None:
    """A tap and a reaction are lines of their own, a file is its name, and a quoted message is there in its words."""
    said(services, "7", "1", "", 1.0, files=("notes.txt",), forward_from="Zoe")
    said(services, "7", "2", "done", 2.0, own=True, reply_to="1")
    said(services, "7", "2", "Yes", 3.0, kind="tap")
    said(services, "7", "2", "👍", 4.0, kind="reaction")
    said(services, "7", "3", "and?", 5.0, reply_to="2")
    file, done, tap, reaction, asked = view(services, "7")["messages"]
    assert (file["files"], file["forward"]) == ([{"name": "notes.txt"}], "Zoe")
    assert (done["name"], done["plain"], done["bot"]) == ("Your agent", True, True)
    assert (tap["service"], reaction["service"]) == ("ann tapped Yes", "ann reacted: 👍")
    assert len({message["id"] for message in (file, done, tap, reaction, asked)}) == 5
    assert asked["reply"] == {"name": "Your agent", "text": "done", "plain": True}


def test_what_became_of_a_panel(services: Services, clock: Clock) -> None:
    """Open, answered with the button that was chosen, expired, closed: the grid stays, and nothing can be tapped."""
    outcomes = []
    for number, end in enumerate(("open", "answered", "closed", "expired")):
        said(services, "7", str(number), f"question {number}", float(number), own=True)
        panel_id = services.panels.create("7", grid(["Yes", "No"], ["Later"]), ttl_s=60)
        services.panels.bind(panel_id, str(number), None)
        if end == "answered":
            assert services.panels.press(f"{panel_id}.2", "7", str(number), ANN).refused is None
        elif end == "closed":
            services.panels.close_on("7", str(number))
        outcomes.append(view(services, "7")["messages"][-1])
    clock.now += 61
    last = view(services, "7")["messages"][-1]
    assert [message["outcome"] for message in (*outcomes[:3], last)] == [
        "waits for an answer",
        "Later, chosen by ann",
        "closed without an answer",
        "expired without an answer",
    ]
    assert [[key["chosen"] for key in row] for row in outcomes[1]["grid"]] == [[False, False], [True]]
    assert all(key["disabled"] for row in outcomes[0]["grid"] for key in row)


def test_links_and_copies_still_work(services: Services) -> None:
    """They need nobody's answer."""
    said(services, "7", "1", "look", 1.0, own=True)
    buttons = ((Button("Open", url="https://example.org/"), Button("Copy", copy="x"), Button("Tap")),)
    services.panels.bind(services.panels.create("7", buttons, ttl_s=60), "1", None)
    (row,) = view(services, "7")["messages"][0]["grid"]
    assert [(key["url"], key["copy"], key["disabled"]) for key in row] == [
        ("https://example.org/", None, False),
        (None, "x", False),
        (None, None, True),
    ]


def test_a_card_is_there_although_the_history_does_not_have_it(services: Services) -> None:
    """A permission is drawn by the words of its question; a panel whose words nobody kept is left out."""
    spec = PromptSpec(grid(["Allow", "Deny"]), head="May it run?", code="make deploy")
    prompt = services.prompts.create("permission", spec, session="s", timeout_s=60, lease_s=60)
    panel_id = services.panels.create("7", spec.drawn_grid(), ttl_s=60, prompt_id=prompt.id)
    services.panels.bind(panel_id, "5", None)
    progress = services.panels.create("7", grid(["Stop"]), ttl_s=60, turn_id="turn")
    services.panels.bind(progress, "6", None)
    (card,) = view(services, "7")["messages"]
    assert card["text"] == "May it run?\nmake deploy"
    assert [[key["label"] for key in row] for row in card["grid"]] == [["Allow", "Deny"]]


def test_what_a_stranger_wrote_is_there_while_they_wait(services: Services) -> None:
    """It is in no history yet, and its life says why."""
    assert services.pairing.ask(Chat("9", "direct"), Person("9", "Eve", None))
    arrived(services, "1", "9", held=True)
    assert [message["text"] for message in view(services, "9")["messages"]] == ["text 1"]
    chats = StoreChats("mychat", services)
    (chat,) = [one for one in chats.listed() if one.chat_id == "9"]
    (life,) = chats.lives(chat, None)
    assert (life["state"], life["drop"], life["redeliver"]) == ("held", False, False)
    assert life["stages"][1] == {"name": "sorted", "note": "held: its sender is not let in yet"}


# ---- lives


def life_of(services: Services, event_id: str, idle: str | None = None) -> dict[str, Any]:
    row = services.store.row("SELECT * FROM inbox WHERE event_id = ?", event_id)
    assert row is not None
    return staged_life(row, idle)


def test_the_life_of_a_message_from_its_arrival_to_its_answer(services: Services) -> None:
    """Received, sorted, offered by a mode, answered, offered again: each with its time, and what can be done."""
    arrived(services, "1")
    life = life_of(services, "1", "nobody reads")
    assert life["why"] == "waits to be offered: nobody reads"
    assert (life["redeliver"], life["drop"]) == (False, True)
    entries = services.inbox.begin_offer(services.inbox.ready(9), "s", "wake")
    services.inbox.finish_offer([entry.id for entry in entries])
    services.inbox.answer("7", "s")
    life = life_of(services, "1")
    assert [stage["name"] for stage in life["stages"]] == ["received", "sorted", "offered", "answered"]
    assert life["stages"][2]["note"] == "by wake"
    assert (life["redeliver"], life["drop"]) == (True, False)
    delivery_id = services.inbox.delivery_id(entries[0].id)
    assert services.inbox.redeliver(delivery_id)
    assert life_of(services, "1")["why"] == "waits to be offered again"
    entries = services.inbox.begin_offer(services.inbox.ready(9), "s", "push")
    services.inbox.finish_offer([entry.id for entry in entries])
    assert life_of(services, "1")["stages"][2]["note"] == "by push, 2 times in all"
    assert services.inbox.give_up(delivery_id)
    assert life_of(services, "1")["why"] == "dropped by the operator"


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("has_content", [True, False])
def test_only_what_the_verb_would_do_is_offered(services: Services, state: State, *, has_content: bool) -> None:
    """A button that is there works, in whatever state a message is."""
    arrived(services, "1")
    content = "text" if has_content else None
    with services.store.transaction() as db:
        db.execute("UPDATE inbox SET state = ?, content = ?", (state, content))
    life = life_of(services, "1")
    delivery_id = life["delivery_id"]
    if life["redeliver"]:
        assert services.inbox.redeliver(delivery_id)
        assert State.READY in NEXT[state] | {State.READY}
        return
    assert services.inbox.give_up(delivery_id) is life["drop"]


def test_what_nobody_could_read_belongs_to_no_chat(services: Services) -> None:
    """It is listed apart, with why."""
    services.inbox.put("1", [RawEvent("1", "{}"), RawEvent("2", "{}")])
    (first, _), _ = services.inbox.unsorted(9)
    services.inbox.fail(first)
    failed, raw = StoreChats("mychat", services).unsorted_lives("nobody reads")
    assert failed["why"] == "failed: this version could not read it, and keeps it for a newer one"
    assert raw["why"] == "received, and not sorted yet: nobody reads"
    assert (failed["what"], failed["chat"], len(failed["stages"])) == ("(not read)", "", 1)
