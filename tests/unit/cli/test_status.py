"""`channels status` and `channels doctor` in words: what is held, and numbers that read like sentences."""

from __future__ import annotations

from pathlib import Path

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store


def test_a_strangers_message_is_held(channels, tmp_path: Path) -> None:
    """One message of somebody who waits: `status` counts it as held, `access` says how to let them in."""
    with Store.open(tmp_path / "state" / "telegram") as store:
        Services.of(store).pairing.ask(Chat("77", "direct"), Person("77", "Zoe"))
        with store.transaction() as db:
            db.execute(
                "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at, state, user_id) "
                "VALUES ('1', '2', '3', '{}', 5, 'held', '77')"
            )
    said = channels("status", "telegram").out
    assert "messages      0 open, 0 answered, 1 held until the sender is let in\n" in said
    assert "0 paired, 1 waiting, 0 groups" in said
    assert "`channels access telegram pair CODE` lets them in" in channels("access", "telegram").out
