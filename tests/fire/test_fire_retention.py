"""What is old and over goes, in small steps; what is open never does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_channels.core.buttons.panels import Panels
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.contract.outgoing import Button
from agent_channels.core.journal.outbox import Outbox
from agent_channels.core.runtime.retention import STEP, Retention
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Settings
from agent_channels.core.store.database import Store

pytestmark = pytest.mark.long

DAY_S = 86_400.0
OPEN = ("raw", "fetching", "ready", "offering", "offered")
KEPT_TOO = ("held", "failed")
OVER = ("answered", "dropped")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def fill(store: Store, state: str, count: int, *, age_days: float) -> None:
    """So many rows in a state, that old."""
    first = int(store.value("SELECT coalesce(max(id), 0) FROM inbox")) + 1
    with store.transaction() as db:
        Services.of(store).inbox.put("7", [RawEvent(str(first + n), "{}") for n in range(count)])
        db.execute(
            "UPDATE inbox SET state = ?, received_at = ? WHERE id >= ?", (state, time.time() - age_days * DAY_S, first)
        )


def kept(store: Store) -> Counter[str]:
    return Counter({row["state"]: row["n"] for row in store.rows("SELECT state, count(*) n FROM inbox GROUP BY 1")})


def prune_all(store: Store, keep_days: float = 30, keep_rows: int = 100) -> list[int]:
    """Every step until nothing is left to do."""
    steps = []
    limits = Settings(keep_days=keep_days, keep_rows=keep_rows)
    retention = Retention(Services.of(store), None, limits)  # type: ignore[arg-type]
    while gone := retention.prune_step():
        steps.append(gone)
        assert len(steps) < 1000
    return steps


def test_open_entries_are_never_pruned(store: Store) -> None:
    """However old and however many, whatever is not answered or dropped stays."""
    for state in (*OPEN, *KEPT_TOO):
        fill(store, state, 150, age_days=400)
    assert prune_all(store, keep_days=1, keep_rows=100) == []
    assert kept(store) == dict.fromkeys((*OPEN, *KEPT_TOO), 150)


def test_old_ended_entries_go_and_young_ones_stay(store: Store) -> None:
    """Answered and dropped entries older than keep_days go; younger ones stay."""
    for state in OVER:
        fill(store, state, 30, age_days=31)
        fill(store, state, 20, age_days=29)
    prune_all(store)
    assert kept(store) == {"answered": 20, "dropped": 20}


def test_above_the_limit_the_oldest_ended_entries_go(store: Store) -> None:
    """keep_rows counts only what is over, and the oldest of it goes first."""
    fill(store, "answered", 450, age_days=1)
    fill(store, "offered", 400, age_days=1)
    newest = [
        row["id"] for row in store.rows("SELECT id FROM inbox WHERE state = 'answered' ORDER BY id DESC LIMIT 100")
    ]
    prune_all(store, keep_rows=100)
    assert kept(store) == {"answered": 100, "offered": 400}
    assert [row["id"] for row in store.rows("SELECT id FROM inbox WHERE state = 'answered' ORDER BY id DESC")] == newest


def test_a_step_is_small(store: Store) -> None:
    """One step deletes at most a few hundred rows of a table, so that the write lock is never held for long."""
    fill(store, "answered", 5 * STEP, age_days=99)
    steps = prune_all(store)
    assert sum(steps) == 5 * STEP
    assert max(steps) <= 2 * STEP


def test_sends_panels_and_audit_lines_go_when_they_are_old(store: Store) -> None:
    """Old sends go with their parts, expired panels with their presses unless an outcome is still to be shown."""
    outbox, panels = Outbox(store), Panels(store)
    for key in ("old", "young"):
        shipment = outbox.begin(key, "1", key)
        outbox.record(shipment, [0], "sent", ["5"])
    grid = ((Button("Yes"),),)
    old, due, young = (panels.create("1", grid, ttl_s=60) for _ in range(3))
    with store.transaction() as db:
        db.execute("UPDATE outbox SET created_at = 0 WHERE key = 'old'")
        db.execute("UPDATE panels SET expires_at = 0 WHERE id IN (?, ?)", (old, due))
        db.execute("UPDATE panels SET outcome_due = 1 WHERE id = ?", (due,))
        db.execute("INSERT INTO presses (panel_id, position, user_id, user, at) VALUES (?, 0, '1', 'ann', 0)", (old,))
        db.execute("INSERT INTO audit (at, what) VALUES (0, 'old'), (?, 'young')", (time.time(),))
    prune_all(store)
    assert [row["key"] for row in store.rows("SELECT key FROM outbox")] == ["young"]
    assert store.value("SELECT count(*) FROM outbox_parts") == 1
    assert {row["id"] for row in store.rows("SELECT id FROM panels")} == {due, young}
    assert store.value("SELECT count(*) FROM presses") == 0
    assert [row["what"] for row in store.rows("SELECT what FROM audit")] == ["young"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from((*OPEN, *KEPT_TOO, *OVER)), st.floats(0, 100), st.integers(1, 40)), max_size=8
    ),
    keep_days=st.floats(0.1, 90),
    keep_rows=st.integers(1, 100),
)
def test_whatever_is_in_it_only_what_is_over_goes(
    tmp_path: Path, rows: list[tuple[str, float, int]], keep_days: float, keep_rows: int
) -> None:
    """For any inbox and limits: open rows are untouched, what is kept is inside the limits, and pruning ends."""
    with Store(tmp_path / "any.db") as store:
        with store.transaction() as db:
            db.execute("DELETE FROM inbox")
        for state, age, count in rows:
            fill(store, state, count, age_days=age)
        before = kept(store)
        prune_all(store, keep_days, keep_rows)
        after = kept(store)
        assert {s: n for s, n in after.items() if s not in OVER} == {s: n for s, n in before.items() if s not in OVER}
        assert sum(after[state] for state in OVER) <= keep_rows
        oldest = store.value("SELECT min(received_at) FROM inbox WHERE state IN ('answered', 'dropped')")
        assert oldest is None or oldest >= time.time() - keep_days * DAY_S - 60


# What the operator decided, what a setting bounds in another test of this file, and values under fixed names.
NOT_BY_AGE = {"people", "groups", "cursors", "health", "key_values", "sqlite_sequence"}
OLD_ROWS = """
    INSERT INTO inbox (bot_id, event_id, delivery_id, payload, state, received_at)
        VALUES ('7', 'e', 'd', '', 'dropped', 0);
    INSERT INTO outbox (id, digest, chat_id, created_at) VALUES (1, '', '1', 0);
    INSERT INTO outbox_parts VALUES (1, 0, 'sent', '5', NULL, 0);
    INSERT INTO panels (id, chat_id, grid, created_at, expires_at) VALUES ('p', '1', '[]', 0, 0);
    INSERT INTO presses (panel_id, position, user_id, user, at) VALUES ('p', 0, '1', 'ann', 0);
    INSERT INTO prompts (id, kind, spec, state, created_at, expires_at, lease_until)
        VALUES ('q', 'ask', '', 'closed', 0, 0, 0);
    INSERT INTO notices (chat_id, text, created_at) VALUES ('1', 'x', 0);
    INSERT INTO chats (chat_id, kind, user_id, seen_at) VALUES ('1', 'direct', '1', 0), ('-5', 'group', NULL, 0);
    INSERT INTO threads VALUES ('-5', '3', 'plan');
    INSERT INTO joins VALUES ('-5', '1', 0, 0);
    INSERT INTO history (chat_id, message_id, kind, own, user, user_id, text, sought, at)
        VALUES ('1', '5', 'message', 0, 'ann', '1', 'x', 'x', 0);
    INSERT INTO group_context (chat_id, message_id, user, user_id, text, at) VALUES ('-5', '5', 'ann', '1', 'x', 0);
    INSERT INTO pairings (user_id, chat_id, name, salt, code_hash, created_at, expires_at)
        VALUES ('1', '1', 'ann', '', '', 0, 0);
    INSERT INTO invites VALUES ('h', 0, 0, NULL, NULL);
    INSERT INTO sessions (id, started_at) VALUES ('s', 0);
    INSERT INTO audit (at, what) VALUES (0, 'old');
    INSERT INTO turns (id, session, began_at, seen_at, ended_at, ending) VALUES ('t', 's', 0, 0, 0, 'done');
    INSERT INTO final_answers (turn_id, session, chat_id, since, text, created_at) VALUES ('t', 's', '1', 0, 'x', 0);
    INSERT INTO progress_messages (turn_id, chat_id, panel_id, state, created_at) VALUES ('t', '1', 'p', 'over', 0);
    INSERT INTO loops (session, prompt, word, rounds_max, begun_by, began_at, moved_at, seen_at, ended_at, ending)
        VALUES ('s', 'x', 'DONE', 1, 'ann', 0, 0, 0, 0, 'stopped');
"""


def test_nothing_old_is_left_in_any_table(store: Store) -> None:
    """Every table that strangers, messages or time fill is pruned; what the operator decided stays."""
    with store.transaction() as db:
        for statement in filter(str.strip, OLD_ROWS.split(";")):
            db.execute(statement)
    tables = [row["name"] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    filled = {table for table in tables if store.value(f"SELECT count(*) FROM {table}")}
    assert filled | NOT_BY_AGE >= set(tables)
    retention = Retention(Services.of(store), None, Settings())  # type: ignore[arg-type]
    while retention.prune_step() or retention.history_step():
        pass
    left = {table for table in tables if store.value(f"SELECT count(*) FROM {table}") and "history_index" not in table}
    assert left <= NOT_BY_AGE


def test_strangers_chats_are_bounded_and_the_operators_stay(store: Store) -> None:
    """Of chats that nobody enabled the newest are known; people who may write, and enabled groups, always are."""
    services = Services.of(store)
    services.access.allow("7", by="test")
    services.access.add_group("-7", require_mention=True, senders=None)
    with store.transaction() as db:
        rows = [(str(n), "direct", str(n), time.time() - 5000 + n) for n in range(100, 1400)]
        rows += [("7", "direct", "7", 1.0), ("-7", "group", None, 1.0)]
        db.executemany("INSERT INTO chats (chat_id, kind, user_id, seen_at) VALUES (?, ?, ?, ?)", rows)
        db.execute("INSERT INTO chats (chat_id, kind, parent_id, seen_at) VALUES ('-8', 'group', '-7', 1)")
    prune_all(store)
    kept_ids = [row["chat_id"] for row in store.rows("SELECT chat_id FROM chats ORDER BY seen_at")]
    assert len(kept_ids) == 1003
    assert {"7", "-7", "-8", "400", "1399"} <= set(kept_ids)
    assert "399" not in kept_ids


def test_the_audit_is_bounded(store: Store) -> None:
    """However many lines a flood made, no more are kept than of answered messages."""
    with store.transaction() as db:
        db.executemany("INSERT INTO audit (at, what) VALUES (?, ?)", [(time.time(), str(n)) for n in range(500)])
    prune_all(store, keep_rows=100)
    assert [row["what"] for row in Services.of(store).audit.latest(101)] == [str(n) for n in range(499, 399, -1)]


def test_what_strangers_sent_does_not_push_out_what_was_answered(store: Store) -> None:
    """A flood of dropped events has a quarter of the rows and no more."""
    fill(store, "answered", 60, age_days=1)
    fill(store, "dropped", 1000, age_days=0)
    prune_all(store, keep_rows=100)
    assert kept(store) == {"answered": 60, "dropped": 25}
