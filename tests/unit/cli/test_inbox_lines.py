"""`channels inbox`: every line says what it is, and every refusal why."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.journal.entry import AgentEvent, State
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store


@pytest.fixture
def ids(tmp_path: Path) -> dict[str, str]:
    """One message of each kind, its delivery id by what became of it."""
    with Store.open(tmp_path / "state" / "telegram") as store:
        inbox = Services.of(store).inbox
        names = ("open", "answered", "dropped", "held", "command", "stranger's", "failed")
        inbox.put("1", [RawEvent(str(number), "{}") for number, _ in enumerate(names)])
        entries = dict(zip(names, (entry_id for entry_id, _ in inbox.unsorted(10)), strict=True))
        for name in ("open", "answered", "dropped", "held"):
            event = AgentEvent("7", name, "7", f"hello {name}", {"user": "Ann"})
            inbox.open(entries[name], event, held=name == "held")
        inbox.end(entries["command"], answered=True)
        inbox.end(entries["stranger's"])
        inbox.fail(entries["failed"])
        with store.transaction() as db:
            for name, state in (("answered", State.ANSWERED), ("dropped", State.DROPPED)):
                db.execute("UPDATE inbox SET state = ? WHERE id = ?", (state, entries[name]))
        return {
            name: str(store.value("SELECT delivery_id FROM inbox WHERE id = ?", entry_id))
            for name, entry_id in entries.items()
        }


def test_a_command_is_listed_as_one(channels, ids: dict[str, str]) -> None:
    """What this program answered by itself has neither a name nor a text, and the list says why."""
    lines = channels("inbox", "telegram").out.splitlines()
    (command,) = (line for line in lines if line.startswith(ids["command"]))
    assert command.endswith("(for this program, which answered it)")
    assert not any(line.endswith(": ") for line in lines)
    assert any(line.endswith("Ann: hello open") for line in lines)


@pytest.mark.parametrize(("change", "name", "reason"), [
    ("drop", "answered", "it is answered already"),
    ("drop", "dropped", "it is dropped already"),
    ("drop", "command", "this program answered it itself"),
    ("drop", "stranger's", "it is not for the agent"),
    ("drop", "held", "`channels access telegram deny CODE`"),
    ("drop", "failed", "could not process it"),
    ("redeliver", "held", "its sender waits to be let in"),
    ("redeliver", "command", "this program answered it itself"),
])  # fmt: skip
def test_a_refusal_says_why(channels, ids: dict[str, str], change: str, name: str, reason: str) -> None:
    """Nothing is changed, and the exit code is 1."""
    said = channels("inbox", "telegram", f"--{change}", ids[name])
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"channels: {ids[name]} cannot be {'dropped' if change == 'drop' else 'redelivered'}: ")
    assert reason in said.err


def test_an_id_that_is_not_there(channels, ids: dict[str, str]) -> None:
    """The refusal says where the ids are listed."""
    assert (
        "there is no message 'nope'; `channels inbox telegram --json`"
        in channels("inbox", "telegram", "--drop", "nope").err
    )
    assert channels("inbox", "telegram", "--drop", ids["open"]).code == 0
