"""What a person is asked at the terminal."""

from __future__ import annotations

import pytest

from agent_channels.cli.dialogue import Dialogue


def test_only_a_yes_or_a_no_answers_a_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything else is asked again, and not repeated: it may be a token, given a question too early."""
    given = iter(["maybe", "7123456789:AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiA", "ye", "N", ""])
    monkeypatch.setattr("builtins.input", lambda _="": next(given))
    dialogue = Dialogue(quiet=False, interactive=True)
    assert dialogue.confirm(None, "Shall it?", default=False)
    said = capsys.readouterr().out
    assert said.count("answer y or n") == 2
    assert "7123456789" not in said
    assert not dialogue.confirm(None, "Shall it?")
    assert dialogue.confirm(None, "Shall it?")
