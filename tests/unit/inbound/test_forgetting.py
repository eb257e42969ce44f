"""What is forgotten is in no table any more; what is short or much is asked first."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from agent_channels.core.buttons.forget_offers import forget_grid, words_to_forget
from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.messages import Chat, Message, Person, RawEvent
from agent_channels.core.contract.outgoing import Button
from agent_channels.core.inbound.forgetting import AT_ONCE_MAX, Forgetting
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.journal.history import holds_words
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

ANN, WORD = Person("7", "ann"), "Quarzuhr鐘"


@pytest.fixture
def services(store: Store) -> Services:
    return Services.of(store)


@pytest.fixture
def forgetting(services: Services) -> Forgetting:
    return Forgetting(services)


def said(services: Services, text: str, *, chat: str = "1") -> None:
    services.history.add_received(chat, text, text, {"user": "ann", "user_id": "7"}, None, image=False)


def forget(forgetting: Forgetting, words: str) -> str:
    return forgetting.forget("1", words, "7", forgetting.find("1", words, "7").until)


def asks(forgetting: Forgetting, words: str) -> bool:
    return forgetting.find("1", words, "7").has_to_be_asked(words)


def held(store: Store) -> list[str]:
    """The tables that hold the word, as people read it or as JSON writes it."""
    tables = [row["name"] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    escaped = json.dumps(WORD).strip('"')
    found = []
    for table in tables:
        rows = repr([tuple(row) for row in store.rows(f"SELECT * FROM {table}")])
        if any(word.lower() in rows.lower().replace("\\\\", "\\") for word in (WORD, escaped)):
            found.append(table)
    return found


def test_nothing_of_it_is_left(store: Store, services: Services, forgetting: Forgetting) -> None:
    """Messages, buttons with what they carry, questions with their answers, taps, and what was overheard in a group."""
    said(services, f"the {WORD} ticks")
    grid = ((Button("Yes", f"take the {WORD}"), Button("No")),)
    for labels in (grid, ((Button(f"the {WORD}"),),)):
        panel_id = services.panels.create("1", labels, ttl_s=60)
        services.panels.bind(panel_id, f"m{panel_id}", json.dumps({"text": f"which {WORD}?"}))
        services.panels.cancel(panel_id, "over")
        panel = services.panels.get(panel_id)
        assert panel is not None
        services.panels.outcome_shown(panel)
    spec = PromptSpec(grid=((Button("OK"),),), head=f"May I wind the {WORD}?")
    prompt = services.prompts.create("question", spec, session="s", timeout_s=60, lease_s=60)
    shown = services.panels.create("1", spec.grid, ttl_s=60, prompt_id=prompt.id)
    services.panels.bind(shown, "9", None)
    services.prompts.close(prompt.id, "over")
    for panel in services.panels.outcomes_due():
        services.panels.outcome_shown(panel)
    services.inbox.put("1", [RawEvent("1", json.dumps({"data": "x"}))])
    ((entry_id, _),) = services.inbox.unsorted(1)
    tapped = AgentEvent("1", "9", "7", "Yes", {"user": "ann", "button_value": f"take the {WORD}"})
    services.inbox.open(entry_id, tapped)
    services.inbox.acknowledge([services.inbox.delivery_id(entry_id)])
    here = Chat("1", "group")
    overheard = Message(here, "5", ANN, datetime.now(UTC), f"a {WORD}", addressed=False)
    services.group_context.add(overheard, overheard.text, keep=5)
    services.audit.add("command", "7", f"/x {WORD}")
    assert {"history", "panels", "prompts", "inbox", "group_context", "audit"} <= set(held(store))
    assert "Deleted: 1 saved message of" in forget(forgetting, WORD.upper())
    assert held(store) == []
    assert services.audit.verify().broken == ()


def test_what_is_not_over_stays(store: Store, services: Services, forgetting: Forgetting) -> None:
    """An open question can still be answered, and another chat keeps its own."""
    panel_id = services.panels.create("1", ((Button("Yes", WORD),),), ttl_s=60)
    services.panels.bind(panel_id, "5", None)
    said(services, WORD, chat="2")
    forget(forgetting, WORD)
    assert services.panels.get(panel_id) is not None
    assert len(services.history.matching("2", holds_words(WORD))) == 1


def test_what_stays_is_said(services: Services, forgetting: Forgetting) -> None:
    """Messages that the agent has not answered stay, and whoever asked is told how many; later they go too."""
    events = [RawEvent(str(number), json.dumps({"data": number})) for number in range(3)]
    services.inbox.put("1", events)
    ids = [entry_id for entry_id, _ in services.inbox.unsorted(3)]
    for number, entry_id in enumerate(ids):
        text = f"a {WORD}" if number else "another"
        services.inbox.open(entry_id, AgentEvent("1", str(number), "7", text, {"user": "ann"}))
    assert forget(forgetting, WORD) == (
        "Deleted: 0 saved messages of this chat, and the words of 0 records. "
        "What the agent has not answered yet stays: 2 messages; repeat this once it has."
    )
    services.inbox.acknowledge([services.inbox.delivery_id(ids[1])])
    assert "stays: 1 message;" in forget(forgetting, WORD)
    services.inbox.acknowledge([services.inbox.delivery_id(ids[2])])
    assert "stays" not in forget(forgetting, WORD)


def test_short_words_and_many_messages_are_asked_about(services: Services, forgetting: Forgetting) -> None:
    """One letter is in nearly everything; a word that a few messages have goes at once."""
    for number in range(AT_ONCE_MAX + 1):
        said(services, f"number {number}")
    assert [asks(forgetting, words) for words in ("n", "u m", "number", "number 12", "zz")] == [True] * 3 + [False] * 2


def test_records_alone_are_asked_about_too(services: Services, forgetting: Forgetting) -> None:
    """A letter that no saved message has, and a word that many records have, delete nothing unasked."""
    for number in range(AT_ONCE_MAX + 1):
        services.audit.add("command", "7", f"useful {number}")
    assert [asks(forgetting, words) for words in ("u", "useful", "useful 12")] == [True, True, False]


def test_what_others_did_stays(services: Services, forgetting: Forgetting) -> None:
    """In the records only what this person did goes, and what concerns this chat; for an approver too."""
    services.access.allow("7", by="cli")
    services.access.set_approver("7", approver=True)
    for subject in ("7", "1", "8", "2", None):
        services.audit.add("command", subject, f"the {WORD}; chat 1")
    assert "the words of 2 records" in forget(forgetting, WORD)
    kept = [row["subject"] for row in services.audit.all() if WORD in (row["detail"] or "")]
    assert kept == ["8", "2", None]


def test_only_what_was_counted_goes(services: Services, forgetting: Forgetting) -> None:
    """What came between the question and the tap stays, and so does the record of the tap."""
    said(services, f"the {WORD}")
    services.audit.add("command", "7", WORD)
    button = forget_grid(WORD, 1, forgetting.find("1", WORD, "7").until)[0][0]
    meant = words_to_forget(button)
    assert meant is not None
    for number in range(5):
        said(services, f"{WORD} {number}")
        services.audit.add("tap", "7", f"{WORD} {number}")
        panel_id = services.panels.create("1", ((Button(WORD),),), ttl_s=60)
        services.panels.cancel(panel_id, "over")
    assert "Deleted: 1 saved message of this chat, and the words of 1 record." in forgetting.forget(
        "1", meant[0], "7", meant[1]
    )
    found = forgetting.find("1", WORD, "7")
    assert (len(found.lines), len(found.records)) == (5, 5)
