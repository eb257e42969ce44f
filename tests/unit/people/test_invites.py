"""Invitations: one person, ten minutes, nothing at rest that lets anybody in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent_channels.core.contract.messages import Chat, Message, Person
from agent_channels.core.people.invites import VALID_S
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from clock import Clock


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path)


def said(text: str, at: float, who: str = "7", kind: str = "direct", **more: bool) -> Message:
    sender = Person(who, "Ann", "ann", is_bot=bool(more.pop("bot", False)))
    return Message(
        Chat(who, kind),  # type: ignore[arg-type]
        "1",
        sender,
        datetime.fromtimestamp(at, UTC),
        text,
        addressed=True,
        **more,
    )


def test_a_code_lets_one_person_in_and_leaves_a_line(store: Store) -> None:
    """The first who sends it is in and told; for the second it is no longer a code; the audit names the first."""
    clock = Clock()
    invites = Services.of(store, clock=clock).invites
    code = invites.create().code
    assert invites.redeem(said(f"/start {code}", clock()), "Paired")
    assert not invites.redeem(said(code, clock(), who="8"), "Paired")
    assert Services.of(store).access.member("7") is not None
    assert Services.of(store).access.member("8") is None
    assert store.value("SELECT text FROM notices WHERE chat_id = '7'") == "Paired"
    lines = [(row["what"], row["subject"]) for row in store.rows("SELECT what, subject FROM audit ORDER BY id")]
    assert lines == [("invite", None), ("allow", "7"), ("invite used", "7")]


@pytest.mark.parametrize(
    "text",
    [
        "{code}",
        "/start {code}",
        "/start@the_bot {code}",
        "  {lower} ",
        "/start   {code}",
        "/start docsdocs-{code}",
        "docsdocs-{lower}",
    ],
)
def test_it_may_be_written_as_people_write_it(store: Store, text: str) -> None:
    """Alone or behind /start, in either case, with blanks around it; with the id of a project that shares its bot."""
    clock = Clock()
    invites = Services.of(store, clock=clock).invites
    code = invites.create().code
    assert invites.redeem(said(text.format(code=code, lower=code.lower()), clock()), "Paired")


def test_it_counts_when_it_was_sent_not_when_it_was_read(store: Store) -> None:
    """Sent in time and read an hour later it is good; sent a second too late it is not; after a day it never is."""
    clock = Clock()
    invites = Services.of(store, clock=clock).invites
    made = invites.create()
    clock.now += 3600
    assert not invites.redeem(said(made.code, made.expires_at + 1), "Paired")
    assert invites.redeem(said(made.code, made.expires_at - 1), "Paired")
    old = invites.create()
    clock.now += 90_000
    assert not invites.redeem(said(old.code, old.expires_at - VALID_S), "Paired")


def test_a_code_that_was_issued_says_why_it_is_over(store: Store) -> None:
    """Used or run out; a guess, a code in a group and an edited one are told nothing."""
    clock = Clock()
    invites = Services.of(store, clock=clock).invites
    used, late = invites.create().code, invites.create().code
    invites.redeem(said(used, clock()), "Paired")
    clock.now += VALID_S + 1
    assert invites.why_not(said(f"/start {used}", clock(), who="8")) == "used"
    assert invites.why_not(said(late.lower(), clock(), who="8")) == "expired"
    for text in ("A" * 12, "hello", "", used[:11], f"{used}A"):
        assert invites.why_not(said(text, clock(), who="8")) is None
    assert invites.why_not(said(used, clock(), who="8", kind="group")) is None
    assert invites.why_not(said(used, clock(), who="8", edited=True)) is None


def test_only_in_a_direct_chat_and_only_by_a_person(store: Store) -> None:
    """In a group others would see it; an edited message and a bot open nothing either."""
    clock = Clock()
    invites = Services.of(store, clock=clock).invites
    code = invites.create().code
    assert not invites.redeem(said(code, clock(), kind="group"), "x")
    assert not invites.redeem(said(code, clock(), bot=True), "x")
    assert not invites.redeem(said(code, clock(), edited=True), "x")
    assert not invites.redeem(said(f"my code is {code}", clock()), "x")
    assert invites.redeem(said(code, clock()), "x")


def test_the_code_is_nowhere_in_the_store(store: Store, tmp_path: Path) -> None:
    """Whoever reads the database cannot use it."""
    code = Services.of(store).invites.create().code
    store.close()
    for path in tmp_path.iterdir():
        assert code.encode() not in path.read_bytes()


def test_three_strangers_do_not_crowd_it_out(store: Store) -> None:
    """All three places taken, the invited one is in all the same; what they had asked for themselves is settled."""
    clock = Clock()
    pairing, invites = Services.of(store, clock=clock).pairing, Services.of(store, clock=clock).invites
    for who in ("1", "2", "7"):
        assert pairing.ask(Chat(who, "direct"), Person(who, who))
    code = invites.create().code
    assert pairing.ask(Chat("9", "direct"), Person("9", "9")) is None
    assert invites.redeem(said(code, clock(), who="9"), "x")
    again = invites.create().code
    assert invites.redeem(said(again, clock()), "x")
    assert {asker.user_id for asker in pairing.pending()} == {"1", "2"}
