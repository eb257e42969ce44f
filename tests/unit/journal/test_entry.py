"""The states of an inbox entry: only the steps that are drawn are ever taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_channels.core.contract.messages import Attachment, RawEvent
from agent_channels.core.journal.entry import NEXT, OPEN, AgentEvent, State, sql_list
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.pending_groups import GroupedMessage
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

CHAT, SESSION = "7", "session"
PHOTO = Attachment("photo", "f")


def test_every_state_has_its_steps() -> None:
    """No state is left out, none leads to itself, and whatever is open can be acknowledged or given up."""
    assert set(NEXT) == set(State)
    assert all(state not in steps for state, steps in NEXT.items())
    assert all({State.ANSWERED, State.DROPPED} <= NEXT[state] for state in OPEN)


def test_the_drawing_names_every_state() -> None:
    """Who reads the docstring sees them all."""
    assert [state.name for state in State if state.name not in (State.__doc__ or "")] == []


def test_the_index_of_open_entries_is_the_list_of_open_states(store: Store) -> None:
    """SQLite takes a partial index only where a query says its condition word for word."""
    sql = store.value("SELECT sql FROM sqlite_master WHERE name = 'inbox_chat_open'")
    assert sql.split("state IN")[1].strip() == sql_list(*OPEN)


class Steps:
    """An inbox in which everything may happen to any entry, with every change of a state noted."""

    def __init__(self, store: Store) -> None:
        self.store, self.services = store, Services.of(store)
        self.inbox: Inbox = self.services.inbox
        self.count = 0
        self.offering: list[int] = []
        with store.transaction() as db:
            db.execute("CREATE TEMP TABLE steps (old TEXT, new TEXT)")
            db.execute(
                "CREATE TEMP TRIGGER note AFTER UPDATE OF state ON inbox WHEN old.state != new.state "
                "BEGIN INSERT INTO steps VALUES (old.state, new.state); END"
            )

    def sort(self, how: str) -> None:
        """A new event, sorted in one of the ways there are."""
        self.count += 1
        self.inbox.put("1", [RawEvent(str(self.count), "{}")])
        entry_id = self.inbox.unsorted(999)[-1][0]
        event = AgentEvent(CHAT, str(self.count), "7", "text", {}, image=PHOTO if how == "picture" else None)
        part = GroupedMessage(str(self.count), str(self.count), "text", 0.0, plain=True)
        group = self.inbox.pending_group(CHAT, "7", None) or self.inbox.last_plain_text(CHAT, "7", None, entry_id)
        match how:
            case "message" | "picture":
                self.inbox.open(entry_id, event)
            case "held":
                self.inbox.open(entry_id, event, held=True)
            case "answer":
                self.inbox.open(entry_id, event, prompt_id="gone" if self.count % 2 else "here")
            case "group":
                self.inbox.begin_group(entry_id, event, part, 1e12, held=False)
            case "held group":
                self.inbox.begin_group(entry_id, event, part, 1e12, held=True)
            case "part" if group is not None:
                self.inbox.join_group(group, entry_id, event, "text", {})
            case "failed":
                self.inbox.fail(entry_id)
            case "command":
                self.inbox.end(entry_id, answered=True)
            case "raw":
                pass
            case _:
                self.inbox.end(entry_id)

    def act(self, what: str) -> None:
        """Something that happens to whatever is there."""
        ACTS[what](self, self.inbox)

    @property
    def delivery_ids(self) -> list[str]:
        return [f"1.{number}" for number in range(1, self.count + 1)]

    def offer(self, inbox: Inbox) -> None:
        self.offering = [entry.id for entry in inbox.begin_offer(inbox.ready(3), SESSION, "push")]

    def fetch(self, inbox: Inbox) -> None:
        for entry in inbox.fetching():
            inbox.fetched(entry, "text", {})


ACTS: dict[str, Callable[[Steps, Inbox], object]] = {
    "offer": Steps.offer,
    "offer again": lambda _, inbox: inbox.begin_offer(inbox.pullable(SESSION, 9, ["push"], 1e12), SESSION, "pull"),
    "through": lambda steps, inbox: inbox.finish_offer(steps.offering[:2]),
    "withdraw": lambda steps, inbox: inbox.withdraw_offer(steps.offering),
    "resume": lambda _, inbox: inbox.resume_offers(SESSION, []),
    "reopen": lambda _, inbox: inbox.reopen(),
    "escalate": lambda _, inbox: inbox.escalate(SESSION, "push", 1e12),
    "answer": lambda _, inbox: inbox.answer(CHAT, SESSION),
    "acknowledge": lambda steps, inbox: inbox.acknowledge(steps.delivery_ids[::2]),
    "complete": lambda _, inbox: inbox.complete_groups(1e13),
    "fetch": Steps.fetch,
    "pair": lambda _, inbox: inbox.release("7"),
    "deny": lambda _, inbox: inbox.forget_held(["7"]),
    "take": lambda _, inbox: inbox.prompt_taken("here"),
    "hand on": lambda _, inbox: inbox.open_answer("here"),
    "orphans": lambda _, inbox: inbox.open_orphaned_answers(0.0),
    "retry": lambda _, inbox: inbox.retry_failed(),
    "redeliver": lambda steps, inbox: [inbox.redeliver(one) for one in steps.delivery_ids],
    "give up": lambda steps, inbox: [inbox.give_up(one) for one in steps.delivery_ids[1::2]],
}
SORTED = ["message", "picture", "held", "answer", "group", "held group", "part", "failed", "command", "raw", "dropped"]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([("sort", how) for how in SORTED] + [("act", what) for what in ACTS]), max_size=40))
def test_only_drawn_steps_are_taken(happens: list[tuple[str, str]]) -> None:
    """Whatever happens in whatever order, no entry goes a way that `NEXT` does not have."""
    with TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        steps = Steps(store)
        for kind, what in happens:
            steps.sort(what) if kind == "sort" else steps.act(what)
        taken = {(State(row["old"]), State(row["new"])) for row in store.rows("SELECT DISTINCT old, new FROM steps")}
        assert [(old.name, new.name) for old, new in taken if new not in NEXT[old]] == []


@pytest.mark.parametrize("how", SORTED)
def test_every_way_of_sorting_is_one_step(how: str, store: Store) -> None:
    """A new entry goes to its state at once, so that no other process sees one in between."""
    steps = Steps(store)
    steps.sort(how)
    assert store.value("SELECT count(*) FROM steps") == (0 if how == "raw" else 1)
