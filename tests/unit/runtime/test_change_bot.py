"""A project gets another bot: what stays, and what would name another bot's messages and goes."""

from __future__ import annotations

import pytest

from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.messages import Chat, Person, Place, RawEvent
from agent_channels.core.contract.outgoing import Button
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.runtime.change_bot import change_bot
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

GRID = ((Button("Yes"), Button("No")),)


@pytest.fixture
def services(store: Store) -> Services:
    """Ann is in, and has written from the chat 11, which is hers with the earlier bot alone."""
    services = Services.of(store)
    services.access.allow("7", by="test", name="Ann")
    services.chats.record(Chat("11", "direct"), Person("7", "Ann"))
    services.inbox.put("1", [RawEvent("1", "{}")])
    ((entry_id, _),) = services.inbox.unsorted(10)
    services.inbox.open(entry_id, AgentEvent("11", "5", "7", "hello", {"chat_id": "11", "message_id": "5"}))
    services.history.add_received("11", "5", "hello", {"user": "ann"}, None, image=False)
    return services


def test_her_open_message_moves_to_her_chat_with_the_new_bot(services: Services) -> None:
    """With the id that the agent is shown, what was said before, and the old id as another name of the chat."""
    for _ in range(2):
        change_bot(services, {"7": "22"})
        (entry,) = services.inbox.ready(10)
        assert (entry.chat_id, entry.meta["chat_id"], entry.content) == ("22", "22", "hello")
        assert services.access.direct_chat("7")[1] == "22"
        assert services.access.current_id("11") == "22"
        assert services.access.is_target("22")
        assert [line.text for line in services.history.page("22", 10) or ()] == ["hello"]


def test_where_a_person_has_the_same_chat_with_every_bot_nothing_moves(services: Services) -> None:
    """The id stays as it is, and no other name is kept of it."""
    change_bot(services, {"7": "11"})
    (entry,) = services.inbox.ready(10)
    assert entry.chat_id == "11"
    assert services.key_values.get("moved:11") is None


def test_no_message_of_the_earlier_bot_is_known_by_its_id(services: Services) -> None:
    """A button, a sent message or a status message of it could be another bot's by the same number."""
    panels = services.panels
    shown = panels.create("11", GRID, ttl_s=60)
    panels.bind(shown, "8", None)
    panels.cancel(shown, "over")
    services.progress_messages.add("turn", Place("11", None), "")
    shipment = services.outbox.begin("key", "11", "text", range(1))
    services.outbox.record(shipment, range(1), "sent", ("9",))
    change_bot(services, {"7": "22"})
    assert panels.outcomes_due() == []
    assert panels.open_on("11", "8") is None
    assert panels.sent_messages(10) == []
    assert services.outbox.sent_messages(10) == []
    assert services.progress_messages.open() == []


def test_a_card_is_shown_again_and_an_ask_is_over(services: Services) -> None:
    """A host still waits for the decision; an agent was told that nobody answered."""
    prompts = services.prompts
    card = prompts.create("permission", PromptSpec(GRID), session="s", timeout_s=600, lease_s=600)
    ask = prompts.create("ask", PromptSpec(GRID), session="s", timeout_s=600, lease_s=600)
    for prompt in (card, ask):
        prompts.mark_sent(prompt.id)
    prompts.close_asks("moved")
    assert services.panels.cancel_all("moved") == 0
    change_bot(services, {})
    assert [prompt.id for prompt in prompts.open_cards(only_unsent=True)] == [card.id]
    closed = prompts.get(ask.id)
    assert closed is not None
    assert closed.state == "closed"
