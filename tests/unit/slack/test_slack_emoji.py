"""Emoji and Slack's names for them."""

from __future__ import annotations

import pytest

from agent_channels.core.errors import Refused
from agent_channels.sandbox.slack.emoji import BY_CHARACTER
from agent_channels.slack.adapter import SlackAdapter
from agent_channels.slack.emoji import emoji_of, name_of


def test_names_lead_back_to_their_emoji() -> None:
    """Also with the sign that asks for a picture, and with a tone of skin."""
    for emoji in ("👍", "✅", "🚀", "❤️", "1️⃣", "👍🏽", "👨‍💻"):
        assert emoji_of(name_of(emoji)) == emoji.replace("\ufe0f", "")
    assert name_of(":party-parrot:") == name_of("party-parrot") == "party-parrot"
    assert emoji_of("party-parrot") == ":party-parrot:"
    with pytest.raises(Refused, match="rocket"):
        name_of("🪿")


def test_the_receipts_have_names() -> None:
    """The emoji that this program reacts with itself are never refused."""
    for emoji in SlackAdapter.capabilities.receipt_emoji or ():
        assert name_of(emoji)


def test_both_sides_agree() -> None:
    """Where the stand-in for Slack, which was written apart, knows an emoji too, it calls it the same."""
    both = {emoji: name for emoji, name in BY_CHARACTER.items() if emoji_of(name) == emoji.replace("\ufe0f", "")}
    known = [emoji for emoji in BY_CHARACTER if _known(emoji)]
    assert len(known) > 20
    assert [emoji for emoji in known if emoji not in both] == []


def _known(emoji: str) -> bool:
    try:
        name_of(emoji)
    except Refused:
        return False
    return True
