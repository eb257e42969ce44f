"""An update of the program: what an earlier version left in a state folder goes on where it stopped."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import Stage
from updates import ANN, message, update

# A state folder's database as that version left it: an open message, an open grid, an applicant, a group, a history.
STATES = sorted((Path(__file__).parents[1] / "states").glob("*.sql"))
CONFIG = "grace_s: 0\ntold_after_s: 250\nmarks: true\nrelay: true\n"


def restore(dump: Path, path: Path) -> None:
    """Make a database from a dump, as if its last entry had been made just now."""
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    path.touch(mode=0o600)
    with sqlite3.connect(path) as db:
        db.executescript(dump.read_text(encoding="utf-8"))
        passed = time.time() - float(db.execute("SELECT max(received_at) FROM inbox").fetchone()[0])
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in db.execute(f"PRAGMA table_info({table})").fetchall():
                if kind == "REAL":
                    db.execute(f"UPDATE {table} SET {column} = {column} + ? WHERE {column} > 0", (passed,))
    db.close()
    path.chmod(0o600)


@pytest.mark.parametrize("dump", STATES, ids=lambda path: path.stem)
async def test_an_earlier_versions_state_goes_on(stage: Stage, dump: Path) -> None:
    """Open messages, grids, people, applicants, groups, settings, sends and history survive the update."""
    ann, bob = stage.person(), stage.tg.person("bob")
    restore(dump, stage.state / "channel.db")
    (stage.state / "config.yaml").write_text(CONFIG, encoding="utf-8")
    host = await stage.reading()
    event = await host.event()
    assert event.content == "agent, look"
    assert (event.meta["delivery_id"], event.meta["redelivered"]) == ("7123456789.860000007", "true")
    ann.send("approve")
    event = await host.event()
    assert (event.meta["button"], event.meta["button_label"]) == ("true", "Approve")
    sent = {"chat_id": ann.id, "text": "Pick one", "buttons": [["Yes", "No"], ["Later"]], "idempotency_key": "k1"}
    assert (await host.done("reply", **sent)).startswith("sent (id: 2) (already sent")
    assert ann.inbox == []
    ran = await stage.access("allow", str(bob.id))
    assert ran.code == 0
    event = await host.event()
    assert (event.content, event.meta["delivery_id"]) == ("may I come in?", "7123456789.860000005")
    assert "first question" in await host.done("fetch_messages", chat_id=ann.id, query="first")
    shown = (await stage.access("--json")).json
    assert [(person["name"], person["approver"]) for person in shown["paired"]] == [("ann", True), ("Bob", False)]
    assert [(group["title"], group["patterns"]) for group in shown["groups"]] == [("Release team", ["agent"])]
    counts = (await host.status())["inbox"]
    assert counts["failed"] == 0
    (report,) = (await stage.cli("doctor", "telegram", "--json")).json["channels"]
    settings = next(found for found in report["checks"] if found["check"] == "settings")
    assert "told_after_s is now called wait_notice_after_s" in str(settings)


@pytest.mark.parametrize("updated", [True, False])
async def test_what_an_earlier_version_could_not_process_is_tried_once(stage: Stage, updated: bool) -> None:
    """After an update it reaches the agent; the version that failed on it does not try again at each start."""
    ann = stage.person()
    host = await stage.reading()
    await host.kill()
    with Store.open(stage.state) as store:
        services = Services.of(store)
        text = message(text="kept", **{"from": {**ANN, "id": ann.id}, "chat": {"id": ann.id, "type": "private"}})
        services.inbox.put(str(stage.tg.bot_id), [RawEvent("1", update("message", text))])
        ((entry_id, _),) = services.inbox.unsorted(9)
        services.inbox.fail(entry_id)
        assert services.key_values.get("version")
        if updated:
            services.key_values.set("version", "0.0.1")
    host = await stage.reading()
    ann.send("new")
    expected = ["kept", "new"] if updated else ["new"]
    assert [event.content for event in await host.take(len(expected))] == expected
    assert (await host.status())["inbox"]["failed"] == (0 if updated else 1)
