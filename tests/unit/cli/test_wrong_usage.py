"""Malformed arguments: exit code 2 and what would be right, in every verb; what cannot be done is 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store

WRONG = [
    ("history export telegram --since foo", "'foo' is not a time"),
    ("history export telegram --since 7y", "'7y' is not a time"),
    ("history export telegram --chat bob", "'bob' is not an id"),
    ("inbox telegram --limit 0", "'0' is not a number of messages; give 1 or more"),
    ("inbox telegram --limit -3", "'-3' is not a number of messages"),
    ("inbox telegram --limit many", "'many' is not a number of messages"),
    ("sandbox --port 70000", "'70000' is not a port"),
    ("sandbox --projects 6", "'6' is not a number of projects; it must be from 2 to 5"),
    ("sandbox --projects 3 discord", "choose their channel themselves"),
    ("sandbox telegramm", "there is no channel 'telegramm'; did you mean 'telegram'?"),
    ("sandbox --projects 3 --agent none", "--projects plays on the page, with an agent each"),
    ("setup telegram --join api --token-stdin", "give either --join, which brings a token, or --token-stdin"),
    ("launch nochat", "there is no channel 'nochat'"),
    ("access telegram allow bob", "'bob' is not an id"),
    ("access telegram allow -5", "not a person's id"),
    ("access telegram remove bob", "'bob' is not an id"),
    ("access telegram approver add bob", "'bob' is not an id"),
    ("access telegram group add bob", "'bob' is not an id"),
    ("access telegram group rm bob", "'bob' is not an id"),
    ("access telegram group add 5 --allow 7,bob", "'bob' is not an id"),
    ("access telegram group add 5 --pattern (", "is not a regular expression"),
    ("access telegram group add 5 --pattern .*", "matches every message"),
    ("access telegram policy open", "there is no policy 'open'"),
    ("access telegram pair ABC", "is not a pairing code"),
    ("access telegram deny ABCDEFGHJ", "is not a pairing code"),
]


@pytest.mark.parametrize(("words", "reason"), WRONG)
def test_malformed_arguments_exit_with_2(channels, words: str, reason: str) -> None:
    """The reason is on stderr, in words of the user's; nothing was changed."""
    said = channels(*words.split())
    assert (said.code, said.out) == (2, "")
    assert reason in said.err
    assert "_" not in said.err.partition(": error: ")[2]
    listed = json.loads(channels("access", "telegram", "--json").out)
    assert (listed["paired"], listed["groups"]) == ([], [])


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "inbox --limit 5",
        "access",
        "access --json",
        "access policy allowlist",
        "access --json status",
        "history export",
    ],
)
def test_the_only_channel_need_not_be_named(channels, tmp_path: Path, words: str) -> None:
    """One that is set up is meant; of several, or where there is none, the error names them."""
    said = channels(*words.split())
    assert (said.code, "say which channel: telegram or discord" in said.err) == (2, True)
    Store.open(make_state_folder(tmp_path / "state" / "discord")).close()
    first, *others = words.split()
    at = 1 if first == "history" else 0
    named = channels(first, *others[:at], "discord", *others[at:])
    assert channels(*words.split()) == named
    assert named.code == (1 if words == "status" else 0)
    Store.open(make_state_folder(tmp_path / "state" / "telegram")).close()
    said = channels(*words.split())
    assert (said.code, "say which channel: telegram or discord" in said.err) == (2, True)


@pytest.mark.parametrize("words", [
    "access telegram pair ABCDEFGH", "access telegram deny ABCD-EFGH", "access telegram remove 5",
    "access telegram group rm 5", "inbox telegram --drop nothing", "status telegram --release",
])  # fmt: skip
def test_what_cannot_be_done_exits_with_1(channels, words: str) -> None:
    """Well-formed arguments that fit nothing here."""
    said = channels(*words.split())
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("channels: ")


@pytest.mark.parametrize(
    "words", ["invite", "pair ABCDEFGH", "deny ABCDEFGH", "remove 5", "approver add 5", "group rm 5"]
)
def test_what_cannot_be_done_creates_nothing(channels, tmp_path: Path, words: str) -> None:
    """In a project that was never set up there is still no state folder afterwards."""
    assert channels("access", "telegram", *words.split()).code == 1
    assert list(tmp_path.iterdir()) == []
