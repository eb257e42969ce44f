"""What is masked in a text is told, recorded, refused or asked about, however the text is formatted."""

from __future__ import annotations

import pytest

from agent_channels.core.errors import Refused
from agent_channels.core.outbound.outgoing_secrets import OutgoingSecrets
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Secrets
from agent_channels.core.store.database import Store

VALUE = "x9Kd72mQpL4vT8wZ1bN6"
# The last ones are masked only where they are rendered.
TEXTS = [f"API_KEY={VALUE}", f"**API_KEY:** {VALUE}", f"API\\_KEY\\={VALUE}", f"pass<b>word</b>: {VALUE}"]


def secrets(store: Store, mode: Secrets) -> OutgoingSecrets:
    return OutgoingSecrets(mode, Services.of(store), Wakeups(), session="s", project="p", wait_s=1.0)


@pytest.mark.parametrize("text", TEXTS)
async def test_what_is_masked_is_told_and_recorded(store: Store, text: str) -> None:
    """Also where only the words that people see show it."""
    notes: list[str] = []
    await secrets(store, "mask").clear(text, "1", None, notes)
    assert "1 secret (a value called secret)" in notes[0]
    assert [row["what"] for row in Services.of(store).audit.latest(5)] == ["secrets masked"]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_project_that_sends_none_refuses_it(store: Store, text: str) -> None:
    """Before anything is rendered."""
    with pytest.raises(Refused, match="a value called secret"):
        await secrets(store, "block").clear(text, "1", None, [])


async def test_an_ordinary_text_is_told_nothing_of(store: Store) -> None:
    """With formatting, and without a secret."""
    notes: list[str] = []
    text = "**API_KEY:** see `the_vault_of_this_project`"
    assert (await secrets(store, "mask").clear(text, "1", None, notes)).text == text
    assert notes == []
