"""Who writes which table, read from the source."""

from __future__ import annotations

from agent_channels.core.store.database import Store
from reference import table_owners

# Written by the service of another table, whose rows they belong to.
PARTS = {"history_index": "history", "outbox_parts": "outbox", "presses": "panels"}


def test_each_table_is_written_by_one_module(store: Store) -> None:
    """A rule about a table's rows can be read, and changed, in one place."""
    tables = {row["name"] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    owners: dict[str, set[str]] = {}
    for table, modules in table_owners().items():
        owners.setdefault(PARTS.get(table, table), set()).update(modules)
    assert {table: modules for table, modules in owners.items() if len(modules) > 1} == {}
    assert owners.keys() == {PARTS.get(table, table) for table in tables - {"sqlite_sequence"}}
