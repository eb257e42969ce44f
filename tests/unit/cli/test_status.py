"""`channels status` and `channels doctor` in words: what is held, and numbers that read like sentences."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent_channels.cli import doctor
from agent_channels.core.contract.checks import fine, note, wrong
from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.doctor.examine import Report
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.runtime.runtime import STAND_BACK_S
from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.registry import CHANNELS

TOKEN = "8123456780:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"


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


def test_a_bot_that_is_handed_over_to_nobody(channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says how long nobody reads it then, and that the same process goes on."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    lock = ReaderLock("telegram", TOKEN.split(":", maxsplit=1)[0], make_state_folder(tmp_path / "state" / "telegram"))
    assert lock.claim()
    try:
        said = channels("status", "telegram", "--release")
    finally:
        lock.release()
    assert said.code == 0
    assert f"without one, nobody reads the bot for {STAND_BACK_S:.0f} seconds" in said.out


def test_an_empty_log_is_that_of_what_is_set_up(channels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`logs` names the files that could hold something: of channels that are set up, else of all."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    telegram, discord, *others = (str(tmp_path / "state" / name / "channel.log") for name in CHANNELS)
    assert f"nothing is logged in {', '.join([telegram, discord, *others])}\n" in channels("logs").err
    Store.open(make_state_folder(tmp_path / "state" / "discord")).close()
    assert f"nothing is logged in {discord}\n" in channels("logs").err
    assert f"nothing is logged in {telegram}\n" in channels("logs", "telegram").err


def test_the_report_has_a_legend_and_counts_problems() -> None:
    """`doctor` in words: how many problems there are, and what the signs mean."""
    none, one, two = (Report("mychat", {str(n): wrong("x", "", "") for n in range(count)}) for count in range(3))
    assert doctor._text(none) == "mychat: nothing stands in the way"
    away = Report("mychat", {"mode": note("messages are not delivered now", "no server", "start your agent host")})
    assert doctor._text(away).startswith("mychat: nothing is wrong, but messages are not delivered now\n")
    there = Report("mychat", {"mode": fine("messages are delivered by push", "")})
    assert doctor._text(there).startswith("mychat: nothing stands in the way\n")
    assert doctor._text(one).startswith("mychat: 1 problem (0)\n")
    assert doctor._text(two).startswith("mychat: 2 problems (0, 1)\n")
    assert all(sign in doctor._LEGEND for sign in doctor._SIGNS.values())
