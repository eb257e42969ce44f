"""The ledger of what was sent: nothing is sent twice by itself, and what went wrong can go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_channels.core.contract.outgoing import Button
from agent_channels.core.errors import Refused
from agent_channels.core.journal.outbox import Outbox
from agent_channels.core.outbound.sender import Reply
from agent_channels.core.store.database import Store

REPLY = Reply("7", "hello", "text", grid=((Button("Yes"),),), idempotency_key="k1")
ARGUMENTS = repr(REPLY)


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store)


def test_the_same_key_gives_the_first_result(outbox: Outbox, store: Store) -> None:
    """Once a send is done, its key answers with what it came to, in this process and in the next."""
    shipment = outbox.begin("k1", "7", ARGUMENTS)
    assert (shipment.result, shipment.parts) == (None, {})
    outbox.record(shipment, [0], "sending")
    outbox.record(shipment, [0], "sent", ["100"])
    outbox.finish(shipment, "sent (id: 100)")
    with Store(store.path) as again:
        for ledger in (outbox, Outbox(again)):
            repeated = ledger.begin("k1", "7", repr(replace(REPLY, idempotency_key=None)))
            assert (repeated.id, repeated.result, repeated.message_ids()) == (shipment.id, "sent (id: 100)", ["100"])


@pytest.mark.parametrize(
    "other",
    [
        replace(REPLY, text="hello!"),
        replace(REPLY, chat_id="8"),
        replace(REPLY, grid=((Button("Yes", value="y"),),)),
        replace(REPLY, grid=None),
    ],
)
def test_a_key_names_one_message_only(outbox: Outbox, other: Reply) -> None:
    """The same key with other arguments is refused with the reason, and the first send is untouched."""
    first = outbox.begin("k1", "7", ARGUMENTS)
    with pytest.raises(Refused, match="idempotency_key 'k1' was used for another message; use a new key"):
        outbox.begin("k1", "7", repr(other))
    assert outbox.begin("k1", "7", ARGUMENTS).id == first.id
    assert outbox.begin("k2", "7", repr(other)).id != first.id


def test_a_part_on_its_way_at_death_is_unknown(outbox: Outbox, store: Store) -> None:
    """It may have arrived: after the death of its process it is neither sent nor failed."""
    shipment = outbox.begin("k1", "7", ARGUMENTS)
    outbox.record(shipment, [0], "sent", ["100"])
    outbox.record(shipment, [1], "sending")
    with Store(store.path) as again:
        resumed = Outbox(again).begin("k1", "7", ARGUMENTS)
    assert resumed.parts == {0: ("sent", "100"), 1: ("unknown", None)}
    assert resumed.result is None
    assert resumed.message_ids() == ["100"]


def test_what_goes_at_once_is_on_its_way_from_the_beginning(outbox: Outbox, store: Store) -> None:
    """Its first parts are written down together with a new send, and never again with an old one."""
    shipment = outbox.begin("k1", "7", ARGUMENTS, range(2))
    assert shipment.parts == {0: ("sending", None), 1: ("sending", None)}
    with Store(store.path) as again:
        assert Outbox(again).begin("k1", "7", ARGUMENTS).parts == {0: ("unknown", None), 1: ("unknown", None)}
    outbox.record(shipment, range(2), "failed")
    assert outbox.begin("k1", "7", ARGUMENTS, range(2)).parts == {0: ("failed", None), 1: ("failed", None)}


def test_a_send_goes_on_where_it_failed(outbox: Outbox) -> None:
    """After a failure the same key knows which parts went, and the ids of all are told in order in the end."""
    shipment = outbox.begin("k1", "7", ARGUMENTS)
    outbox.record(shipment, [0], "sent", ["100"])
    outbox.record(shipment, [1], "failed", error="blocked")
    resumed = outbox.begin("k1", "7", ARGUMENTS)
    assert resumed.parts == {0: ("sent", "100"), 1: ("failed", None)}
    outbox.record(resumed, [2], "sent", ["102"])
    outbox.record(resumed, [1], "sending")
    outbox.record(resumed, [1], "sent", ["101"])
    assert resumed.message_ids() == ["100", "101", "102"]
    assert outbox.begin("k1", "7", ARGUMENTS).message_ids() == ["100", "101", "102"]


def test_sends_with_other_keys_do_not_meet(outbox: Outbox) -> None:
    """Each key has its own parts."""
    one, two = outbox.begin("k1", "7", ARGUMENTS), outbox.begin("k2", "7", ARGUMENTS)
    outbox.record(one, [0], "sent", ["100"])
    assert outbox.begin("k2", "7", ARGUMENTS).parts == {}
    assert two.id != one.id
