"""What the page says of a channel, in the language of each who looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.i18n.messages import LANGUAGES
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.runtime.status import facts
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.page.store_feed import ChannelState, StoreFeed


@pytest.fixture
def state(tmp_path: Path) -> ChannelState:
    """A channel whose token is missing."""
    Store.open(tmp_path / "state").close()

    def known(services: Services) -> dict[str, Any]:
        problem = sentence("no token is set; run `channels setup {channel}`", channel="mychat")
        return {**facts("mychat", tmp_path / "state", services, None, problem), "token_from": None}

    return ChannelState("mychat", tmp_path / "state", known)


def test_the_facts_come_in_every_language(state: ChannelState) -> None:
    """Each with the name by which the page finds it; in a language, names and values are words of that language."""
    channel = state.parts(())["channel"]
    state.close()
    lines = channel["lines"]
    assert list(lines) == list(LANGUAGES)
    assert [line[0] for line in lines["zh-TW"]] == [line[0] for line in lines["en"]]
    english, chinese = ({line[0]: line[1:] for line in lines[code]} for code in ("en", "zh-TW"))
    assert english["read by"] == ["read by", "nobody"]
    assert chinese["read by"] == ["讀取者", "沒有"]
    assert english["delivery"] == ["delivery", "none (no running server reads this bot)"]
    assert chinese["delivery"] == ["送達方式", "無（沒有執行中的伺服器讀取這個機器人）"]
    assert chinese["state folder"] == ["狀態資料夾", english["state folder"][1]]
    assert channel["problem"]["en"].startswith("no token is set; run `")
    assert channel["problem"]["zh-TW"].startswith("沒有設定 token；請執行 `")


def test_a_state_that_cannot_be_read_says_so_in_every_language(tmp_path: Path) -> None:
    """In place of its facts."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "channel.db").write_text("")
    shown: dict[str, Any] = {}

    class Told(StoreFeed):
        def publish(self, parts: Any) -> None:
            shown.update(parts)

    state = ChannelState("mychat", tmp_path / "state", lambda _: {})
    Told(tmp_path, {"mychat": state}).refresh()
    channel = shown["channels"]["mychat"]
    assert channel["lines"] == {code: [] for code in LANGUAGES}
    assert "was not made by you" in channel["problem"]["en"]
    assert "不是你在這台電腦上建立的" in channel["problem"]["zh-TW"]
