"""The question whether many saved messages, or those with very short words in them, are meant to be deleted."""

from __future__ import annotations

import json
from typing import NamedTuple

from agent_channels.core.buttons.panels import Panel
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.i18n.messages import translate, translate_count

__all__ = ["Until", "forget_grid", "is_forget_offer", "words_to_forget"]

# The last button's value, and what the first one's begins with; no other offer has such ones.
_NOTHING, _WORDS = "·forget nothing·", "·forget·"


class Until(NamedTuple):
    """How far what was counted goes: what comes later is not deleted. The newest ids, and moments of two clocks."""

    history: int
    inbox: int
    answers: int
    audit: int
    at: float
    panels_at: float


def forget_grid(words: str, count: int, until: Until) -> Grid:
    """Return the buttons: to delete what has these words in it, or to keep it."""
    called = translate("button_forget_records")
    if count:
        called = translate("button_forget", messages=translate_count("messages", count))
    forget = Button(called, f"{_WORDS}{json.dumps([words, *until])}", "danger")
    return ((forget, Button(translate("button_forget_nothing"), _NOTHING)),)


def is_forget_offer(panel: Panel) -> bool:
    """Return whether a panel has these buttons."""
    return panel.offer and panel.grid[0][-1].value == _NOTHING


def words_to_forget(button: Button) -> tuple[str, Until] | None:
    """Return the words that a button deletes, and how far; None if it keeps them."""
    value = button.value or ""
    if not value.startswith(_WORDS):
        return None
    words, *until = json.loads(value.removeprefix(_WORDS))
    return words, Until(*until)
