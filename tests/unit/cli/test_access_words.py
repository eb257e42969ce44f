"""`channels access`: groups in words, and who waits."""

from __future__ import annotations

import pytest

from agent_channels.registry import CHANNELS


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("rule", [("--no-mention",), ("--pattern", "bot"), ()])
def test_a_platforms_own_switch_is_named_only_there(channels, name, rule) -> None:
    """Where a bot has to be allowed to hear a whole group, enabling one says how; elsewhere nothing is said of it."""
    group = "C0GENERAL1" if name == "slack" else "123"
    said = channels("access", name, "group", "add", group, *rule)
    assert said.code == 0
    assert ("/setprivacy" in said.out) is (name == "telegram" and bool(rule))


@pytest.mark.parametrize(("rule", "words"), [
    ((), "messages that mention the bot or reply to it from every member"),
    (("--no-mention",), "every message from every member"),
    (("--no-mention", "--pattern", "bot"), "every message from every member"),
    (("--pattern", "bot", "--pattern", "hey"),
     "messages that mention the bot or reply to it, and those that match 'bot' or 'hey' from every member"),
    (("--allow", "7"), "messages that mention the bot or reply to it from 1 listed person"),
    (("--no-mention", "--allow", "7,8"), "every message from 2 listed people"),
])  # fmt: skip
def test_a_groups_rule_is_said_in_words(channels, rule, words) -> None:
    """What the agent gets and from whom, the same when a group is enabled and in the list."""
    said = channels("access", "discord", "group", "add", "123", *rule)
    assert said.out == f"Group 123 is enabled. The agent gets {words}.\n"
    assert f"  group    123 : {words}\n" in channels("access", "discord").out
