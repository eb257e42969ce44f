"""The question whether many saved messages, or those with very short words in them, are meant to be deleted."""

from __future__ import annotations

from agent_channels.core.buttons.panels import Panel
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.i18n.messages import translate

__all__ = ["forget_grid", "is_forget_offer", "words_to_forget"]

# The last button's value, and what the first one's begins with; no other offer has such ones.
_NOTHING, _WORDS = "·forget nothing·", "·forget·"


def forget_grid(words: str, count: int) -> Grid:
    """Return the buttons: to delete what has these words in it, or to keep it."""
    forget = Button(translate("button_forget", count=f"{count:,}"), f"{_WORDS}{words}", "danger")
    return ((forget, Button(translate("button_forget_nothing"), _NOTHING)),)


def is_forget_offer(panel: Panel) -> bool:
    """Return whether a panel has these buttons."""
    return panel.offer and panel.grid[0][-1].value == _NOTHING


def words_to_forget(button: Button) -> str | None:
    """Return the words that a button deletes; None if it keeps them."""
    value = button.value or ""
    return value.removeprefix(_WORDS) if value.startswith(_WORDS) else None
