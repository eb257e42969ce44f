"""Numbers in sentences."""

from __future__ import annotations

from agent_channels.core.i18n.sentences import counted


def test_a_number_agrees_with_its_noun() -> None:
    """One is singular, all others are plural, thousands are grouped."""
    assert [counted(count, "group") for count in (0, 1, 2, 1000)] == ["0 groups", "1 group", "2 groups", "1,000 groups"]
    assert counted(2, "person", "people") == "2 people"
