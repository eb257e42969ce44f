"""What is kept in memory of a store is what a query would return."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agent_channels.core.buttons.panels import Panels
from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.contract.outgoing import Button
from agent_channels.core.errors import Refused
from agent_channels.core.people.access import Access, Verdict
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

ANN, DM = Person("7", "Ann"), Chat("7", "direct")


def lets_in(access: Access) -> bool:
    """Whether the gate is open both ways, which it has to agree on."""
    passed = access.decide(DM, ANN, addressed=True) is Verdict.PASS
    assert access.is_target("7") == passed
    assert (access.direct_chat("7")[0] is not None) == passed
    return passed


def test_a_value_is_read_once(store: Store) -> None:
    """As long as nothing changed; another key is another value."""
    asked: list[str] = []

    def read(key: str) -> Callable[[], str]:
        def found() -> str:
            asked.append(key)
            return key

        return found

    for _ in range(3):
        assert store.memory.recall("a", read("a")) == "a"
        assert store.memory.recall("b", read("b")) == "b"
    assert asked == ["a", "b"]


def test_another_process_is_heard_at_once(store: Store) -> None:
    """Somebody who was let in or removed at the command line, is so for the very next message."""
    ours = Services.of(store).access
    with Store(store.path) as other:
        theirs = Services.of(other).access
        for _ in range(2):
            assert not lets_in(ours)
            theirs.allow("7", by="operator")
            assert lets_in(ours)
            theirs.remove("7")
        with store.transaction():
            assert not lets_in(ours)
        theirs.allow("7", by="operator")
        with store.transaction():
            assert lets_in(ours)


def test_what_was_undone_is_not_kept(store: Store) -> None:
    """Neither by the whole transaction nor by a part of it that failed."""
    access = Services.of(store).access

    def fail(block: AbstractContextManager[object]) -> None:
        with block:
            access.allow("7", by="nobody")
            assert lets_in(access)
            raise Refused("undone")

    with pytest.raises(Refused):
        fail(store.transaction())
    assert not lets_in(access)
    with store.transaction():
        with pytest.raises(Refused):
            fail(store.savepoint())
        assert not lets_in(access)
    assert not lets_in(access)


def test_a_typed_answer_meets_a_new_question(store: Store) -> None:
    """That no question was open is forgotten with the next one, and again with its answer."""
    panels = Services.of(store).panels
    for number in range(2):
        assert panels.type("7", None, "Yes", ANN, None) is None
        panel = panels.create("7", ((Button("Yes"),),), ttl_s=60.0)
        panels.bind(panel, str(number), None)
        pressed = panels.type("7", None, "Yes", ANN, None)
        assert pressed is not None
        assert pressed.refused is None


def test_a_chat_that_is_seen_again_and_again_is_written_rarely(store: Store) -> None:
    """A message does not write when its chat was seen; what changed about the chat is written at once."""
    chats = Services.of(store).chats
    with store.transaction() as db:
        chats.record(Chat("-1", "group", "One"), ANN)
        before = db.total_changes
        chats.record(Chat("-1", "group", "One"), ANN)
        assert db.total_changes == before
    for title, present in (("Two", True), ("Two", False), ("Two", True)):
        chats.record(Chat("-1", "group", title), ANN, present=present)
        assert (chats.title("-1"), chats.is_present("-1")) == (title, present)
    with Store(store.path) as other, other.transaction() as db:
        db.execute("DELETE FROM chats")
    chats.record(Chat("-1", "group", "Two"), ANN)
    assert chats.is_present("-1")


@pytest.mark.parametrize("service", [Access, Panels])
def test_whatever_writes_what_is_kept_says_so(service: type) -> None:
    """A method that only opens a transaction would leave the old value in memory: who was removed would still be in."""
    assert "store.transaction()" not in Path(inspect.getfile(service)).read_text()
