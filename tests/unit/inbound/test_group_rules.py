"""What others said in a group comes with the next message to the bot, once."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from agent_channels.core.contract.messages import Chat, Message, Person
from agent_channels.core.inbound.group_rules import GroupRules
from agent_channels.core.inbound.incoming import IncomingMessage
from agent_channels.core.journal.pending_groups import PendingGroup
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

TEAM, ANN, BOB = Chat("-5", "group", "Team"), Person("7", "Ann"), Person("8", "Bob")


def incoming(number: int, sender: Person, text: str, group: PendingGroup | None = None) -> IncomingMessage:
    message = Message(message_id=str(number), text=text, chat=TEAM, sender=sender, ts=datetime.now(UTC), addressed=True)
    return IncomingMessage(number, message, 0.0, group=group)


@pytest.fixture
def services(store: Store) -> Services:
    made = Services.of(store)
    made.access.add_group(TEAM.id, require_mention=True, senders=None)
    return made


def texts(one: IncomingMessage) -> list[str]:
    return [line["text"] for line in json.loads(one.event.meta.get("context", "[]"))]


def test_context_is_shown_once(services: Services) -> None:
    """The next message to the bot has it, and the one after has not."""
    rules = GroupRules(services, 3)
    for number in range(5):
        rules.keep_context(incoming(number, BOB, f"line {number}"))
    first, second = incoming(5, ANN, "bot?"), incoming(6, ANN, "bot?")
    rules.add_context(first)
    rules.add_context(second)
    assert (texts(first), texts(second)) == (["line 2", "line 3", "line 4"], [])


def test_a_further_part_of_a_group_takes_no_context(services: Services) -> None:
    """Its event is not shown by itself, so what others said in between is kept for the next message."""
    rules = GroupRules(services, 3)
    first = incoming(1, ANN, "part one")
    rules.add_context(first)
    rules.keep_context(incoming(2, BOB, "in between"))
    waiting = PendingGroup(1, messages=(), downloads=(), meta={}, until=0.0, held=False)
    further, following = incoming(3, ANN, "part two", group=waiting), incoming(4, ANN, "next")
    rules.add_context(further)
    rules.add_context(following)
    assert (texts(further), texts(following)) == ([], ["in between"])
