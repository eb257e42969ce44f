"""The tables of docs/messages.md: every kind of message reaches the agent in the words that stand there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent_channels.core.contract.messages import Identity, Inbound, Message, RawEvent, ReplyContext
from agent_channels.core.i18n import en, zh_tw
from agent_channels.core.i18n.messages import set_language
from agent_channels.core.journal.events import message_event
from agent_channels.discord.inbound import history_message
from agent_channels.discord.inbound import to_inbound as from_discord
from agent_channels.slack.inbound import history_message as slack_history
from agent_channels.slack.inbound import to_inbound as from_slack
from agent_channels.telegram.content import SERVICE as SERVICE_KINDS
from agent_channels.telegram.inbound import to_inbound as from_telegram
from inbound_kinds import DISCORD, SERVICE, SLACK, TELEGRAM, Kind
from updates import ME, message, update

AGENT = Identity("100000000000000001", "agent", "Agent")


def named(kind: Kind) -> str:
    return kind.name.replace(" ", "-")


def discord_message(**body: Any) -> dict[str, Any]:
    """A message in a channel, as Discord sends it."""
    return {
        "id": "600000000000000006", "type": 0, "channel_id": "300000000000000003", "content": "", "attachments": [],
        "author": {"id": "200000000000000002", "username": "ann"}, "timestamp": "2026-11-21T10:00:00.123000+00:00",
        "edited_timestamp": None, "mentions": [], "mention_roles": [], "embeds": [], "components": [], "flags": 0,
        "tts": False, "mention_everyone": False, "pinned": False, "guild_id": "500000000000000005", **body,
    }  # fmt: skip


def check(kind: Kind, inbound: Inbound | None) -> None:
    """Compare what the agent is shown with what the table says."""
    assert isinstance(inbound, Message)
    event = message_event(inbound)
    assert event.content == kind.reads
    assert event.meta.get("reply_to_text") == kind.replied
    own, replied = (", ".join(file.kind for file in files) for files in (event.attachments, files_of(inbound.reply)))
    assert kind.files == (f"({replied})" if replied else own)
    assert [file["kind"] for file in json.loads(event.meta.get("reply_to_attachments", "[]"))] == [
        part for part in replied.split(", ") if part
    ]


def files_of(reply: ReplyContext | None) -> tuple[Any, ...]:
    return reply.files if reply else ()


@pytest.mark.parametrize("kind", TELEGRAM, ids=named)
@pytest.mark.parametrize("update_kind", ["message", "edited_message", "channel_post"])
def test_what_is_sent_on_telegram(kind: Kind, update_kind: str) -> None:
    """As a message, an edit and a post of a channel."""
    if update_kind == "edited_message" and "location" in kind.body:
        pytest.skip("a live location that moves is not told again and again")
    check(kind, from_telegram(RawEvent("1", update(update_kind, message(**kind.body))), ME))


@pytest.mark.parametrize("kind", DISCORD, ids=named)
@pytest.mark.parametrize("event", ["MESSAGE_CREATE", "MESSAGE_UPDATE"])
def test_what_is_sent_on_discord(kind: Kind, event: str) -> None:
    """As a message and an edit, and in a channel's history."""
    body = discord_message(**kind.body)
    check(kind, from_discord(RawEvent("1", json.dumps({"t": event, "d": body, "channel": {"type": 0}})), AGENT))
    check(kind, history_message(body, {"type": 0}, AGENT))


@pytest.mark.parametrize("kind", SLACK, ids=named)
@pytest.mark.parametrize("event", ["message", "edited"])
def test_what_is_sent_on_slack(kind: Kind, event: str) -> None:
    """As a message and an edit, and in a channel's history."""
    author = {} if "bot_id" in kind.body else {"user": "U0BOB00001"}
    body = {"type": "message", "ts": "1765202700.000100", "channel": "C0GENERAL1", "text": "", **author, **kind.body}
    names = {"users": {"U0ANN00001": {"name": "Ann", "handle": "ann"}}}
    payload = json.dumps({"t": event, "d": body, "names": names})
    check(kind, from_slack(RawEvent("1", payload), AGENT, "U0AGENT001"))
    check(kind, slack_history(body, names, AGENT, "U0AGENT001"))


@pytest.mark.parametrize("kind", SERVICE, ids=named)
def test_what_telegram_says_itself(kind: Kind) -> None:
    """Nobody wrote it, so it is no event; a reply to it says what it is."""
    assert not isinstance(from_telegram(RawEvent("1", update("message", message(**kind.body))), ME), Message)
    replied = message(text="?", reply_to_message=message(message_id=4, **kind.body))
    inbound = from_telegram(RawEvent("1", update("message", replied)), ME)
    assert isinstance(inbound, Message)
    assert inbound.reply is not None
    assert inbound.reply.text == kind.reads


def test_every_service_message_has_its_words() -> None:
    """In every language."""
    for kind in SERVICE_KINDS:
        reply = message(text="?", reply_to_message=message(message_id=4, **{kind: True}))
        inbound = from_telegram(RawEvent("1", update("message", reply)), ME)
        assert isinstance(inbound, Message)
        if kind != "forum_topic_created":
            assert inbound.reply is not None
            assert inbound.reply.text
    words = {key for key in en.TEXTS if key.startswith(("kind_", "service_"))}
    assert words == {key for key in zh_tw.TEXTS if key.startswith(("kind_", "service_"))}


def test_the_words_follow_the_language() -> None:
    """Whatever is not somebody's own words."""
    set_language("zh-TW")
    try:
        told = {
            kind.name: from_telegram(RawEvent("1", update("message", message(**kind.body))), ME) for kind in TELEGRAM
        }
        poll, future = told["poll"], told["a kind of a later version"]
        assert isinstance(poll, Message)
        assert poll.text == "(投票: When? – for the move – now | later)"
        assert isinstance(future, Message)
        assert future.text.startswith("（這個版本無法讀取的種類：widget）")
    finally:
        set_language("en")


def test_the_tables_are_long() -> None:
    """Sixty kinds and more, each once."""
    names = [
        (platform, kind.name) for platform, kinds in enumerate((TELEGRAM, DISCORD, SLACK, SERVICE)) for kind in kinds
    ]
    assert len(names) == len(set(names)) >= 60
