"""Taps and typed answers: the first one counts, and every other one gets its reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_channels.core.buttons.layout import callback
from agent_channels.core.buttons.panels import TYPED_WITHIN_S, Panels, Press
from agent_channels.core.contract.messages import Person, Place
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.store.database import Store
from clock import Clock

ANN, BOB = Person("7", "Ann", "ann"), Person("8", "Bob")
YES_NO: Grid = ((Button("Yes", value="y"), Button("No")), (Button("Later"),))
HOUR = 3600.0


@pytest.fixture
def panels(store: Store, clock: Clock) -> Panels:
    return Panels(store, clock=clock)


def sent(
    panels: Panels,
    grid: Grid = YES_NO,
    *,
    chat: str = "7",
    message: str | None = "100",
    thread: str | None = None,
    tappers: Sequence[str] | None = None,
    single_use: bool = True,
    ttl_s: float = 48 * HOUR,
) -> str:
    panel_id = panels.create(chat, grid, ttl_s=ttl_s, thread_id=thread, tappers=tappers, single_use=single_use)
    if message:
        panels.bind(panel_id, message, '{"text": "Well?"}')
    return panel_id


def pressed(panels: Panels, panel_id: str, position: int = 0, person: Person = ANN, message: str = "100") -> Press:
    return panels.press(callback(panel_id, position), "7", message, person)


def test_a_tap_is_reported_with_all_that_is_known(panels: Panels) -> None:
    """The button, its row and column counted from 0, and the message that holds the grid."""
    press = pressed(panels, sent(panels), 2)
    assert press.refused is None
    assert press.button == Button("Later")
    assert (press.row, press.col, press.outcome) == (1, 0, "Later")
    assert press.panel is not None
    assert (press.panel.message_id, press.panel.snapshot) == ("100", '{"text": "Well?"}')


def test_the_first_tap_wins_and_the_second_is_told_so(panels: Panels) -> None:
    """Whoever comes second, with whatever button, learns what was answered."""
    panel_id = sent(panels)
    assert pressed(panels, panel_id, 1).refused is None
    for person, position in ((ANN, 1), (BOB, 0)):
        late = pressed(panels, panel_id, position, person)
        assert (late.refused, late.outcome, late.button) == ("answered", "No", None)


def test_a_press_survives_the_program(panels: Panels, store: Store, clock: Clock) -> None:
    """A grid sent by a process that died is answered by the next one, once."""
    panel_id = sent(panels)
    with Store(store.path) as again:
        assert pressed(Panels(again, clock=clock), panel_id).refused is None
    assert pressed(panels, panel_id).refused == "answered"


def test_two_processes_never_both_win(panels: Panels, tmp_path: Path, store: Store, clock: Clock) -> None:
    """Over two connections to one database, one tap of many counts."""
    panel_id = sent(panels)
    with Store(store.path) as other:
        both = [panels, Panels(other, clock=clock)]
        results = [pressed(both[n % 2], panel_id, n % 3).refused for n in range(6)]
    assert results.count(None) == 1


def test_somebody_else_is_told_it_is_not_theirs(panels: Panels) -> None:
    """Only those who may tap count, and a refused tap uses nothing up."""
    panel_id = sent(panels, tappers=["7"])
    assert pressed(panels, panel_id, person=BOB).refused == "foreign"
    assert pressed(panels, panel_id, person=ANN).refused is None
    assert pressed(panels, panel_id, person=BOB).refused == "foreign"


def test_an_expired_grid_says_so(panels: Panels, clock: Clock) -> None:
    """Until its time a grid can be answered, from then on it cannot; what was answered stays answered."""
    answered, open_ = sent(panels, ttl_s=HOUR), sent(panels, message="101", ttl_s=HOUR)
    clock.forward(HOUR - 1)
    assert pressed(panels, answered).refused is None
    clock.forward(1)
    assert pressed(panels, open_, message="101").refused == "expired"
    assert pressed(panels, answered).refused == "answered"


@pytest.mark.parametrize(
    ("data", "chat", "message"),
    [
        ("not ours", "7", "100"),
        ("AbCdEfGhIjKlMnOpQrStUv.0", "7", "100"),
        ("{id}.3", "7", "100"),
        ("{id}.0", "9", "100"),
        ("{id}.0", "7", "101"),
    ],
    ids=["foreign", "unknown panel", "no such button", "wrong chat", "wrong message"],
)
def test_what_cannot_be_true_is_unknown(panels: Panels, data: str, chat: str, message: str) -> None:
    """A made-up id, a position outside the grid, another chat or message: unknown, and the grid stays open."""
    panel_id = sent(panels)
    press = panels.press(data.format(id=panel_id), chat, message, ANN)
    assert (press.panel, press.refused, press.outcome) == (None, "unknown", None)
    assert pressed(panels, panel_id).refused is None


def test_a_lost_message_id_is_learnt_from_the_tap(panels: Panels) -> None:
    """Sent by a process that died before it knew the message: the tap says which message it was."""
    panel_id = sent(panels, message=None)
    press = panels.press(callback(panel_id, 0), "7", "555", ANN, '{"text": "Well?"}')
    assert press.refused is None
    assert press.panel is not None
    assert (press.panel.message_id, press.panel.snapshot) == ("555", '{"text": "Well?"}')
    assert panels.press(callback(panel_id, 0), "7", "556", ANN).refused == "unknown"


def test_a_grid_for_many_answers_takes_many(panels: Panels) -> None:
    """Not single-use: every tap counts, and the grid stays."""
    panel_id = sent(panels, single_use=False)
    assert [pressed(panels, panel_id, n).refused for n in (0, 1, 0)] == [None, None, None]
    assert panels.outcomes_due() == []
    assert panels.last_tapper(panel_id) == "ann"


def test_a_grid_taken_away_is_closed(panels: Panels) -> None:
    """An edit that removes a grid, or puts another one there, closes the old one; what was never sent leaves."""
    first = sent(panels)
    second = sent(panels)
    assert pressed(panels, first).refused == "closed"
    open_ = panels.open_on("7", "100")
    assert open_ is not None
    assert open_.id == second
    panels.close_on("7", "100")
    assert pressed(panels, second).refused == "closed"
    never = sent(panels, message=None)
    panels.discard(never)
    assert panels.get(never) is None
    panels.discard(second)
    assert panels.get(second) is not None


def test_an_outcome_is_due_until_it_is_shown(panels: Panels) -> None:
    """The choice is written into its message whatever happens in between: due stays due until it was shown."""
    panel_id = sent(panels)
    pressed(panels, panel_id, 1, BOB)
    (due,) = panels.outcomes_due()
    assert (due.id, due.outcome, panels.last_tapper(panel_id)) == (panel_id, "No", "Bob")
    panels.outcome_shown(due)
    assert panels.outcomes_due() == []


# ---- typed


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Yes", "Yes"), ("  yes ", "Yes"), ("YES", "Yes"), ("1", "Yes"), ("2", "No"), ("3", "Later"),
        ("later\n", "Later"), ("0", None), ("4", None), ("yes!", None), ("Yes please", None), ("", None), ("²", None),
        ("٣", None), ("1.", None), ("0001", None),
    ],
)  # fmt: skip
def test_a_label_or_its_number_counts_as_the_tap(panels: Panels, text: str, label: str | None) -> None:
    """Numbers count from 1 in reading order, case and white space do not; anything else is an ordinary message."""
    sent(panels)
    press = panels.type("7", None, text, ANN, None)
    assert (press.button.label if press and press.button else None) == label
    assert (panels.open_on("7", "100") is None) == (label is not None)


def test_equal_labels_are_told_apart_by_number_only(panels: Panels) -> None:
    """A label that two buttons share is nobody's answer; the number says which."""
    sent(panels, ((Button("OK", value="a"), Button("OK", value="b"), Button("2")),))
    assert panels.type("7", None, "ok", ANN, None) is None
    # A label that is a number means itself, not the position.
    press = panels.type("7", None, "2", ANN, None)
    assert press is not None
    assert (press.row, press.col) == (0, 2)


def test_a_number_never_means_a_link(panels: Panels) -> None:
    """A url button has a number but no answer."""
    sent(panels, ((Button("Docs", url="https://e.org"), Button("Yes")),))
    assert panels.type("7", None, "1", ANN, None) is None
    assert panels.type("7", None, "docs", ANN, None) is None
    press = panels.type("7", None, "2", ANN, None)
    assert press is not None
    assert press.button == Button("Yes")


def test_the_newest_question_is_meant_unless_another_is_replied_to(panels: Panels) -> None:
    """Without a reply the newest open grid of that chat and thread; with one, the grid it points at and no other."""
    old, new = sent(panels, message="100"), sent(panels, message="101")
    press = panels.type("7", None, "Yes", ANN, "100")
    assert press is not None
    assert press.panel is not None
    assert press.panel.id == old
    # A reply to a question that is answered does not answer another one.
    assert panels.type("7", None, "No", ANN, "100") is None
    press = panels.type("7", None, "No", ANN, "55")
    assert press is not None
    assert press.panel is not None
    assert press.panel.id == new
    assert panels.type("7", None, "No", ANN, None) is None


@pytest.mark.parametrize(("chat", "thread"), [("9", None), ("7", "3"), ("7", "4")])
def test_another_place_is_not_meant(panels: Panels, chat: str, thread: str | None) -> None:
    """A grid in one chat or thread is not answered from another."""
    sent(panels, thread=None if thread == "3" else "3")
    assert panels.type(chat, thread, "Yes", ANN, None) is None


def test_an_old_question_is_no_longer_meant(panels: Panels, clock: Clock) -> None:
    """A "2" a day later is more likely a text; as a reply to the question it still counts, until that expires."""
    sent(panels, ttl_s=TYPED_WITHIN_S + HOUR)
    clock.forward(TYPED_WITHIN_S)
    assert panels.type("7", None, "Yes", ANN, None) is None
    assert panels.type("7", None, "Yes", ANN, "100") is not None
    sent(panels, message="101", ttl_s=HOUR)
    clock.forward(HOUR)
    assert panels.type("7", None, "Yes", ANN, "101") is None


def test_a_question_for_somebody_else_is_not_answered_by_typing(panels: Panels) -> None:
    """In a group, "yes" of a bystander is an ordinary message."""
    sent(panels, tappers=["7"])
    assert panels.type("7", None, "Yes", BOB, None) is None
    assert panels.type("7", None, "Yes", ANN, None) is not None


def test_a_question_not_known_to_be_sent_is_not_answered_by_typing(panels: Panels) -> None:
    """As long as nobody can have seen it, nothing answers it."""
    sent(panels, message=None)
    assert panels.type("7", None, "Yes", ANN, None) is None


def test_a_link_is_never_pressed(panels: Panels) -> None:
    """It carries no data, so a press of it is forged."""
    panel_id = sent(panels, ((Button("Docs", url="https://x.example"), Button("Yes")),))
    assert pressed(panels, panel_id, 0).refused == "unknown"
    assert pressed(panels, panel_id, 1).refused is None


def test_an_offer_is_answered_by_a_tap_alone(panels: Panels, clock: Clock) -> None:
    """Nobody asked what it offers: a typed word or number goes to the question before it, and no turn waits for it."""
    offer = panels.create("7", ((Button("Make it", "/x"),),), ttl_s=HOUR, offer=True)
    panels.bind(offer, "101", None)
    asked_at = clock()
    assert not panels.is_asked(Place("7", None), asked_at)
    for text, reply_to in (("1", None), ("make it", None), ("make it", "101")):
        assert panels.type("7", None, text, ANN, reply_to) is None
    question = sent(panels)
    later = panels.create("7", ((Button("Make it", "/x"),),), ttl_s=HOUR, offer=True)
    panels.bind(later, "102", None)
    typed = panels.type("7", None, "1", ANN, None)
    assert typed is not None
    assert typed.panel is not None
    assert (typed.panel.id, typed.button) == (question, Button("Yes", value="y"))
    assert pressed(panels, later, message="102").button == Button("Make it", "/x")
    assert pressed(panels, later, message="102").refused == "answered"
