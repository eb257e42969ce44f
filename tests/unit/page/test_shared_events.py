"""What the sandbox's page reads of the hub that its projects share."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from agent_channels.sandbox.page.shared_events import SharedEvents


def test_a_hub_that_is_being_made_is_empty_and_not_damaged(tmp_path: Path) -> None:
    """Between the file's creation and its tables there is nothing to read; no copy of it is kept as a damaged one."""
    scene: Any = SimpleNamespace(tg=SimpleNamespace(bot_id=7), folder=tmp_path)
    folder = tmp_path / "data" / "hub"
    folder.mkdir(parents=True)
    (folder / "telegram-7.db").touch(mode=0o600)
    with sqlite3.connect(folder / "telegram-7.db") as made:
        made.execute("PRAGMA journal_mode = WAL")
        events = SharedEvents(scene)
        assert (events.revision(), events.projects(), events.routed()) == (0, 0, {})
        assert not list(folder.glob("*damaged*"))
        made.execute("CREATE TABLE members (bot TEXT)")
        made.execute("INSERT INTO members VALUES ('telegram:7')")
        made.commit()
        assert events.revision() > 0
        assert events.projects() == 1
    events.close()
