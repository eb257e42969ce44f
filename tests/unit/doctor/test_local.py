"""Checks of the store, by the facts that they are given: people who wait, messages that are held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.contract.checks import Setup
from agent_channels.core.doctor import local
from agent_channels.core.runtime.status import facts, message_counts
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment
from agent_channels.core.store.database import Store

COUNTS = {"received": 0, "open": 0, "offered": 0, "answered": 0, "held": 0, "failed": 0}


@pytest.fixture
def setup(store: Store, tmp_path: Path) -> Any:
    """The set-up of an empty store, with some facts replaced."""
    known = facts("mychat", tmp_path, Services.of(store), None)

    def made(**replaced: Any) -> Setup:
        return Setup(Environment("mychat", {}), facts={**known, **replaced})

    return made


PAIR = "`channels access mychat pair CODE`"
WAITING = [{"id": "7", "name": "Ann", "username": None, "since": "2026-01-01T00:00:00Z"}]
PAIRED = [{"id": "8", "name": "Bob", "username": None, "approver": True}]


@pytest.mark.parametrize(("paired", "state"), [([], "wrong"), (PAIRED, "note")])
def test_who_waits_is_let_in_by_code(setup: Any, paired: list[Any], state: str) -> None:
    """While somebody waits, the next step is their code and not another invitation."""
    found = local.people(setup(pending=WAITING, paired=paired))
    assert (found.state, found.next.startswith(PAIR)) == (state, True)
    assert "1 waiting for approval" in found.evidence


def test_nobody_waits(setup: Any) -> None:
    """Then the next step is an invitation, and with somebody in, there is none."""
    assert "invite" in local.people(setup()).next
    found = local.people(setup(paired=PAIRED, groups=[{"id": "1"}]))
    assert (found.state, found.evidence) == ("ok", "1 paired, 1 group enabled, 0 groups seen but not enabled")


@pytest.mark.parametrize(("counts", "state", "found"), [
    ({}, "ok", "no message is waiting"),
    ({"received": 2, "offered": 2, "answered": 2}, "ok", "every message has been answered"),
    ({"held": 1}, "note", "1 message is held until its sender is let in"),
    ({"held": 2, "answered": 4}, "note", "2 messages are held until their senders are let in"),
])  # fmt: skip
def test_held_messages_are_not_answered_ones(setup: Any, counts: dict[str, int], state: str, found: str) -> None:
    """What a stranger wrote is named, with how to let them in."""
    finding = local.messages(setup(inbox=COUNTS | counts))
    assert (finding.state, finding.found) == (state, found)
    assert (state == "note") is ("pair CODE" in finding.next)


@pytest.mark.parametrize(("counts", "words"), [
    ({}, "0 open, 0 answered"),
    ({"received": 7, "offered": 7, "answered": 7}, "0 open, 7 answered"),
    ({"received": 7, "open": 3, "offered": 6, "answered": 4}, "3 open (2 of them offered to the agent), 4 answered"),
    ({"held": 1, "failed": 2}, "0 open, 0 answered, 1 held until the sender is let in, 2 failed"),
])  # fmt: skip
def test_each_message_is_counted_once(counts: dict[str, int], words: str) -> None:
    """The numbers of `status` and `doctor` add up to the messages there are."""
    assert message_counts(COUNTS | counts) == words
