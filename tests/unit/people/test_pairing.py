"""A stranger gets a code, the operator types it, the person is in: and nobody gets in any other way."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_channels.core.contract.messages import Attachment, Chat, Person, RawEvent
from agent_channels.core.errors import Refused
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.people.pairing import (
    ALPHABET,
    CROWDED_MAX,
    HELD_MAX,
    KEEP_S,
    LOCKOUT_S,
    PENDING_MAX,
    REFUSED_MAX,
    REPLIES_MAX,
    VALID_S,
    Applicant,
    Pairing,
)
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from clock import Clock

ANN = Person("7", "Ann Smith", "ann")
WRONG = "ZZZZ9999"


@pytest.fixture
def pairing(store: Store, clock: Clock) -> Pairing:
    return Services.of(store, clock=clock).pairing


def person(number: int) -> Person:
    return Person(str(number), f"Person {number}")


def code_for(pairing: Pairing, who: Person = ANN) -> str:
    code = pairing.ask(Chat(who.id, "direct"), who)
    assert code is not None
    return code


def notice(asker: Applicant) -> str:
    return f"Paired, {asker.name}."


def say(store: Store, event_id: str, text: str, who: Person = ANN, image: Attachment | None = None) -> None:
    """One message of somebody who waits, as the flow keeps it."""
    inbox = Services.of(store).inbox
    inbox.put("1", [RawEvent(event_id, "{}")])
    (entry,) = inbox.unsorted(10)
    inbox.open(entry[0], AgentEvent(who.id, event_id, who.id, text, {"user": who.name}, image=image), held=True)


# ---- codes


def test_a_code_is_eight_characters_without_look_alikes(pairing: Pairing) -> None:
    """Thirty-two letters and digits, none that could be taken for another; every code is new."""
    assert len(set(ALPHABET)) == len(ALPHABET) == 32
    assert not set("IO01") & set(ALPHABET)
    codes = {code_for(pairing, person(n)) for n in range(3)}
    assert len(codes) == 3
    assert all(re.fullmatch(f"[{ALPHABET}]{{8}}", code) for code in codes)


def test_a_code_is_nowhere_on_disk(pairing: Pairing, store: Store, tmp_path: Path) -> None:
    """Only a salted hash is kept: the state folder's bytes hold no code, before and after its approval."""
    codes = [code_for(pairing), code_for(pairing)]
    pairing.approve(codes[0], notice)
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"Ann Smith" in data
    for code in codes:
        assert code.encode() not in data
        assert code.lower().encode() not in data


def test_two_codes_have_unlike_hashes(pairing: Pairing, store: Store) -> None:
    """Every row has a salt of its own."""
    for number in (1, 2):
        code_for(pairing, person(number))
    rows = store.rows("SELECT salt, code_hash FROM pairings")
    assert len({bytes(row["salt"]) for row in rows}) == len({bytes(row["code_hash"]) for row in rows}) == 2


def test_a_person_has_one_code_while_it_is_valid(pairing: Pairing, clock: Clock) -> None:
    """It is repeated as often as they get replies, and is another one after an hour."""
    first = code_for(pairing)
    assert [code_for(pairing) for _ in range(REPLIES_MAX - 1)] == [first] * (REPLIES_MAX - 1)
    assert pairing.replies("7") == REPLIES_MAX
    assert pairing.ask(Chat("7", "direct"), ANN) is None
    assert [asker.user_id for asker in pairing.pending()] == ["7"]
    clock.forward(VALID_S)
    assert code_for(pairing) != first
    with pytest.raises(Refused, match=r"no pending pairing|expired"):
        pairing.approve(first, notice)


def test_another_process_makes_a_new_code_in_its_place(pairing: Pairing, store: Store, clock: Clock) -> None:
    """A code is nowhere to be read: a server that was started later cannot repeat it. There is still only one."""
    first, later = code_for(pairing), Services.of(store, clock=clock).pairing
    clock.forward(60)
    second = code_for(later)
    assert second != first
    assert [asker.asked_at for asker in later.pending()] == [1_800_000_000.0]
    # The first process reads again: what it remembers is no longer valid.
    third = code_for(pairing)
    assert third not in {first, second}
    for stale in (first, second):
        with pytest.raises(Refused, match="no pending pairing"):
            pairing.approve(stale, notice)
    assert pairing.approve(third, notice).user_id == "7"


def test_whoever_was_denied_gets_a_new_code(pairing: Pairing) -> None:
    """A code that was used, for a yes or a no, is never shown again."""
    first = code_for(pairing)
    pairing.deny(first)
    assert code_for(pairing) != first


def test_three_people_wait_at_a_time(pairing: Pairing, store: Store, clock: Clock) -> None:
    """A fourth gets nothing, and the operator can read that; a place is free when a code is used or runs out."""
    codes = [code_for(pairing, person(n)) for n in (1, 2, 3)]
    assert pairing.ask(Chat("4", "direct"), person(4)) is None
    assert store.value("SELECT subject FROM audit WHERE what = 'pairing refused'") == "4"
    # Those who wait already still get their code again.
    code_for(pairing, person(1))
    pairing.approve(codes[1], notice)
    code_for(pairing, person(4))
    assert pairing.ask(Chat("5", "direct"), person(5)) is None
    clock.forward(VALID_S)
    code_for(pairing, person(5))


@pytest.mark.parametrize("change", [str.lower, lambda c: f" {c[:4]}-{c[4:]}\n", " ".join])
def test_a_code_may_be_typed_as_people_type(pairing: Pairing, change: Callable[[str], str]) -> None:
    """Small letters, spaces and dashes are no typing errors."""
    assert pairing.approve(change(code_for(pairing)), notice).user_id == "7"


# ---- approval


def test_approval_lets_in_releases_and_tells_at_once(pairing: Pairing, store: Store) -> None:
    """The person is on the list, what they said meanwhile is open in order, and the notice is due."""
    code = code_for(pairing)
    say(store, "1", "hello")
    say(store, "2", "a picture", image=Attachment("photo", "f1"))
    asker = pairing.approve(code, notice)
    member = Services.of(store).access.member("7")
    assert member is not None
    assert (member.name, member.username) == ("Ann Smith", "ann")
    assert [entry.content for entry in Services.of(store).inbox.ready(10)] == ["hello"]
    assert [entry.content for entry in Services.of(store).inbox.fetching()] == ["a picture"]
    row = store.row("SELECT chat_id, text FROM notices")
    assert row is not None
    assert (row["chat_id"], row["text"]) == (asker.chat_id, "Paired, Ann Smith.")
    assert pairing.pending() == []


def test_approval_is_all_or_nothing(pairing: Pairing, store: Store) -> None:
    """When the notice cannot be made, nothing has happened, and the code still works."""

    def broken(asker: Applicant) -> str:
        raise RuntimeError(asker.name)

    code = code_for(pairing)
    say(store, "1", "hello")
    with pytest.raises(RuntimeError, match="Ann Smith"):
        pairing.approve(code, broken)
    assert Services.of(store).access.member("7") is None
    assert Services.of(store).inbox.ready(10) == []
    assert store.value("SELECT count(*) FROM notices") == 0
    assert pairing.approve(code, notice).user_id == "7"


def test_a_code_works_once(pairing: Pairing, store: Store) -> None:
    """After its approval, a code is like any wrong one, also when the person was removed again."""
    code = code_for(pairing)
    pairing.approve(code, notice)
    Services.of(store).access.remove("7")
    with pytest.raises(Refused, match="no pending pairing has the code"):
        pairing.approve(code, notice)
    assert Services.of(store).access.member("7") is None


def test_denial_drops_what_was_said(pairing: Pairing, store: Store, tmp_path: Path) -> None:
    """A denied person is not in, what they said is gone, and their code is used up."""
    code = code_for(pairing)
    say(store, "1", "hello")
    assert pairing.deny(code).user_id == "7"
    assert Services.of(store).access.member("7") is None
    assert Services.of(store).inbox.held_count("7") == 0
    assert store.value("SELECT count(*) FROM inbox WHERE content IS NOT NULL OR payload != ''") == 0
    with pytest.raises(Refused, match="no pending pairing"):
        pairing.deny(code)


def test_three_messages_are_kept_for_later(pairing: Pairing, store: Store) -> None:
    """Only of people who wait, and only the first three."""
    assert pairing.may_hold("7") is False
    code_for(pairing)
    for number in range(HELD_MAX):
        assert pairing.may_hold("7") is True
        say(store, str(number), f"message {number}")
    assert pairing.may_hold("7") is False


# ---- wrong, expired, locked


def test_a_wrong_code_says_so_and_how_many_tries_are_left(pairing: Pairing) -> None:
    """The sentence names what was typed and what happens next."""
    code_for(pairing)
    with pytest.raises(Refused, match=r"no pending pairing has the code 'ZZZZ9999'; .*\(4 more wrong codes lock"):
        pairing.approve(WRONG, notice)


def test_an_expired_code_is_told_from_a_wrong_one(pairing: Pairing, clock: Clock) -> None:
    """For a day, an expired code is called expired, counts as no wrong try, and lets nobody in."""
    code = code_for(pairing)
    clock.forward(VALID_S - 1)
    assert pairing.is_waiting("7")
    clock.forward(1)
    assert not pairing.is_waiting("7")
    assert pairing.pending() == []
    for _ in range(6):
        with pytest.raises(Refused, match=f"the code '{code}' has expired; ask the person to write"):
            pairing.approve(code, notice)
    assert Services.of(pairing.store).access.member("7") is None
    clock.forward(KEEP_S)
    with pytest.raises(Refused, match="no pending pairing"):
        pairing.approve(code, notice)


def test_what_was_kept_goes_when_the_last_code_runs_out(pairing: Pairing, store: Store, clock: Clock) -> None:
    """Whoever asks again keeps the messages alive, and the code with them; with it they go."""
    code_for(pairing)
    say(store, "1", "hello")
    clock.forward(VALID_S / 2)
    code_for(pairing)
    clock.forward(VALID_S / 2)
    pairing.expire()
    assert Services.of(store).inbox.held_count("7") == 1
    clock.forward(VALID_S / 2)
    pairing.expire()
    assert Services.of(store).inbox.held_count("7") == 0
    assert store.value("SELECT state FROM inbox") == "dropped"


def test_five_wrong_codes_lock_approval_even_for_the_right_one(pairing: Pairing, clock: Clock) -> None:
    """Guessing ends after five tries; the right code is refused too, until an hour after the last."""
    code = code_for(pairing)
    for _ in range(5):
        with pytest.raises(Refused):
            pairing.approve(WRONG, notice)
        clock.forward(60)
    with pytest.raises(Refused, match=r"5 wrong codes were tried; .* locked for 59 more minutes.*`allow ID`"):
        pairing.approve(code, notice)
    assert Services.of(pairing.store).access.member("7") is None
    clock.forward(LOCKOUT_S - 61)
    with pytest.raises(Refused, match="1 more minute"):
        pairing.approve(code, notice)
    clock.forward(2)
    # Its hour is over as well by now; a new one is taken.
    assert pairing.approve(code_for(pairing), notice).user_id == "7"


def test_turning_somebody_away_is_no_guess(pairing: Pairing) -> None:
    """`deny` lets nobody in: wrong codes do not count there, and it works while approval is locked."""
    code = code_for(pairing)
    for _ in range(6):
        with pytest.raises(Refused, match="no pending pairing"):
            pairing.deny(WRONG)
    for _ in range(5):
        with pytest.raises(Refused):
            pairing.approve(WRONG, notice)
    assert pairing.deny(code).user_id == "7"


def test_who_is_crowded_out_is_told_once(pairing: Pairing, clock: Clock) -> None:
    """Somebody who gets no code because three wait is told so, once an hour, and those who wait are not."""
    for number in range(3):
        assert pairing.ask(Chat(str(number), "direct"), Person(str(number), "x"))
    assert pairing.ask(Chat("9", "direct"), Person("9", "late")) is None
    assert [pairing.crowded_out("9"), pairing.crowded_out("9"), pairing.crowded_out("1")] == [True, False, False]
    clock.forward(3601)
    assert pairing.ask(Chat("9", "direct"), Person("9", "late"))


def test_a_crowd_of_strangers_costs_a_bounded_number_of_rows_and_answers(pairing: Pairing, store: Store) -> None:
    """Of 3,000 people who write, three get a code, a few are told that too many wait, and hardly anything is kept."""
    codes, told = 0, 0
    for number in range(3000):
        who = Person(str(number), "x")
        codes += pairing.ask(Chat(who.id, "direct"), who) is not None
        told += pairing.crowded_out(who.id)
    assert (codes, told) == (PENDING_MAX, CROWDED_MAX)
    assert store.value("SELECT count(*) FROM pairings") == PENDING_MAX
    assert store.value("SELECT count(*) FROM audit") <= REFUSED_MAX
    kept = "SELECT count(*) FROM key_values WHERE key NOT LIKE 'audit%'"
    assert store.value(kept) <= CROWDED_MAX


def test_somebody_who_waits_can_be_let_in_by_id(pairing: Pairing, store: Store) -> None:
    """`allow` of a person who waits does what the code would: name kept, told so, what was said is opened."""
    code_for(pairing)
    asker = pairing.admit("7", notice)
    assert asker is not None
    assert asker.user_id == "7"
    assert store.value("SELECT count(*) FROM notices") == 1
    assert pairing.pending() == []
    assert pairing.admit("7", notice) is None


def test_the_lock_holds_over_restarts_and_processes(pairing: Pairing, store: Store, clock: Clock) -> None:
    """The count of wrong codes is in the store, not in a process."""
    code = code_for(pairing)
    for _ in range(5):
        with Store(store.path) as other, pytest.raises(Refused):
            Services.of(other, clock=clock).pairing.approve(WRONG, notice)
    with pytest.raises(Refused, match="locked"):
        pairing.approve(code, notice)


def test_a_right_code_forgets_the_wrong_ones(pairing: Pairing) -> None:
    """Four typing errors and a success leave five tries again."""
    code = code_for(pairing)
    for _ in range(4):
        with pytest.raises(Refused):
            pairing.approve(WRONG, notice)
    pairing.approve(code, notice)
    with pytest.raises(Refused, match="4 more wrong codes"):
        pairing.approve(WRONG, notice)


@pytest.mark.parametrize("code", ["", " ", "💥" * 8, "\ud800", "x" * 10_000, "' OR 1=1 --"])
def test_anything_may_be_typed_as_a_code(pairing: Pairing, code: str) -> None:
    """What cannot be a code is a wrong code, not a crash."""
    code_for(pairing)
    with pytest.raises(Refused, match="no pending pairing"):
        pairing.approve(code, notice)
