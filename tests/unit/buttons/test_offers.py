"""Offers: buttons under a message that nobody asked for, and what becomes of them when the message may have arrived."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.buttons.offers import send_offer
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.buttons.secret_offers import KEEP, is_secret_offer
from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Person
from agent_channels.core.contract.outgoing import Button, Grid, Outgoing, Sent
from agent_channels.core.errors import Ambiguous, ChannelError, Forbidden, RateLimited, Refused, Unavailable
from agent_channels.core.store.database import Store
from agent_channels.core.store.migrations import MIGRATIONS

LIMITS = Limits(text=4096, unit="utf16", buttons=100, row=8, rows=100, label=None, upload=1, photo=1, download=1)
GRID: Grid = ((Button("Delete it", "41"), Button("Keep it", KEEP)),)
ANN, BOB = Person("7", "Ann"), Person("8", "Bob")


class Platform:
    """Takes messages, and fails as it is told."""

    def __init__(self, error: ChannelError | None = None) -> None:
        self.error = error
        self.taken: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Sent:
        self.taken.append(outgoing)
        if self.error is not None:
            raise self.error
        return Sent("42")

    def data(self) -> str:
        """What the first button of the message carries."""
        keyboard = self.taken[0].keyboard
        assert keyboard is not None
        return keyboard[0][0].data or ""


async def offer(panels: Panels, platform: Platform) -> None:
    await send_offer(
        platform.send, panels, LIMITS, Outgoing("7", "Delete it?", thread_id="3"), GRID, ttl_s=60, tappers=["7"]
    )


async def test_an_offer_takes_taps_and_no_words(store: Store) -> None:
    """Those it is for may tap, once; a typed label is an ordinary message."""
    panels, platform = Panels(store), Platform()
    await offer(panels, platform)
    assert panels.type("7", "3", "Keep it", ANN, "42") is None
    assert panels.press(platform.data(), "7", "42", BOB).refused == "foreign"
    assert panels.press(platform.data(), "7", "42", ANN).button == GRID[0][0]
    assert panels.press(platform.data(), "7", "42", ANN).refused == "answered"


async def test_an_offer_that_may_have_arrived_is_kept(store: Store) -> None:
    """The connection broke after the request: if the message is there, its buttons work."""
    panels, platform = Panels(store), Platform(Ambiguous("cut"))
    with pytest.raises(Ambiguous):
        await offer(panels, platform)
    assert panels.press(platform.data(), "7", "42", ANN).button == GRID[0][0]


@pytest.mark.parametrize(
    "error", [Unavailable("down"), RateLimited("slow down", 3), Forbidden("blocked"), Refused("no chat")], ids=repr
)
async def test_an_offer_that_was_not_sent_leaves_nothing(store: Store, error: ChannelError) -> None:
    """Nobody saw its buttons, so they are not kept."""
    panels, platform = Panels(store), Platform(error)
    with pytest.raises(type(error)):
        await offer(panels, platform)
    assert store.value("SELECT count(*) FROM panels") == 0


def test_an_offer_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """An open offer to delete a message is still one after the update, and no word answers it."""
    path = tmp_path / "channel.db"
    with Store(path, migrations=MIGRATIONS[:22]) as old:
        panels = Panels(old)
        panel_id = panels.create("7", GRID, ttl_s=60, tappers=["7"], turn_id="·secret·")
        panels.bind(panel_id, "42", None)
    with Store(path) as store:
        panels = Panels(store)
        panel = panels.get(panel_id)
        assert panel is not None
        assert is_secret_offer(panel)
        assert panel.turn_id is None
        assert panels.answerable("7", None, "42") is None
