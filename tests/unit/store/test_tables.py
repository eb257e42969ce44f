"""Who writes which table, read from the source."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from agent_channels.core.store.database import Store

CORE = Path(__file__).resolve().parents[3] / "channels" / "agent_channels"
WRITES = re.compile(r"\b(?:INSERT(?: OR \w+)? INTO|UPDATE(?: OR \w+)?|DELETE FROM) ([a-z_]+)\b")
# Written by the service of another table, whose rows they belong to.
PARTS = {"history_index": "history", "outbox_parts": "outbox", "presses": "panels"}


def statements(path: Path) -> str:
    """Every string of a module that begins like a statement, so that prose is not taken for SQL."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "_" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return "\n".join(text for text in texts if text.lstrip()[:6] in {"INSERT", "UPDATE", "DELETE"})


def test_each_table_is_written_by_one_module(store: Store) -> None:
    """A rule about a table's rows can be read, and changed, in one place."""
    tables = {row["name"] for row in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    tables -= {"sqlite_sequence"}
    writers: dict[str, set[str]] = defaultdict(set)
    for path in CORE.rglob("*.py"):
        if path.name != "migrations.py" and "sandbox" not in path.parts:
            for table in WRITES.findall(statements(path)):
                writers[PARTS.get(table, table)].add(path.relative_to(CORE).as_posix())
    assert {table: found for table, found in writers.items() if len(found) > 1} == {}
    assert writers.keys() == {PARTS.get(table, table) for table in tables}
