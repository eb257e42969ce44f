"""Whether a message is meant for the bot, and whether it is a command for it."""

from __future__ import annotations

from typing import Any

import pytest

from agent_channels.core.contract.messages import Command, Message, RawEvent
from agent_channels.telegram.inbound import to_inbound
from updates import ANN, BOT, GROUP, ME, entity, message, reply, update


def said(**body: Any) -> Message:
    inbound = to_inbound(RawEvent("1", update("message", message(**body))), ME)
    assert isinstance(inbound, Message)
    return inbound


@pytest.mark.parametrize(
    ("text", "entities", "more", "addressed"),
    [
        ("hello", [], {}, False),
        ("@sample_bot hi", [entity("mention", 0, 11)], {}, True),
        ("hi @Sample_Bot", [entity("mention", 3, 11)], {}, True),
        ("😀 @sample_bot", [entity("mention", 3, 11)], {}, True),
        ("@sample_bot2 hi", [entity("mention", 0, 12)], {}, False),
        ("@sample_bot hi", [], {}, False),
        ("@other @sample_bot", [entity("mention", 0, 6), entity("mention", 7, 11)], {}, True),
        ("Sample hi", [entity("text_mention", 0, 6, user=BOT)], {}, True),
        ("Ann hi", [entity("text_mention", 0, 3, user=ANN)], {}, False),
        ("yes", [], {"reply_to_message": reply("Well?", sender=BOT)}, True),
        ("yes", [], {"reply_to_message": reply("Well?")}, False),
        (
            "yes",
            [],
            {
                "reply_to_message": message(
                    message_id=33, chat=GROUP, forum_topic_created={"name": "P", "icon_color": 1}, **{"from": BOT}
                )
            },
            False,
        ),
        ("/help", [entity("bot_command", 0, 5)], {}, True),
        ("/help@sample_bot", [entity("bot_command", 0, 16)], {}, True),
        ("/help@other_bot", [entity("bot_command", 0, 15)], {}, False),
        ("see /help", [entity("bot_command", 4, 5)], {}, False),
    ],
)
def test_who_is_meant_in_a_group(
    text: str, entities: list[dict[str, Any]], more: dict[str, Any], addressed: bool
) -> None:
    """A mention by name or link, a reply, a command count; being in a topic that the bot opened does not."""
    assert said(text=text, entities=entities, chat=GROUP, **more).addressed is addressed


def test_a_caption_addresses_too() -> None:
    """Mentions and commands count in a picture's caption."""
    photo = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}]
    mention = [entity("mention", 0, 11)]
    assert said(chat=GROUP, photo=photo, caption="@sample_bot see", caption_entities=mention).addressed is True
    assert said(chat=GROUP, photo=photo, caption="see").addressed is False


@pytest.mark.parametrize(
    ("text", "width", "command"),
    [
        ("/start", 6, Command("start", "")),
        ("/start ABC-def_1", 6, Command("start", "ABC-def_1")),
        ("/Help@Sample_Bot  two  words ", 16, Command("help", "two  words")),
        ("/start@other_bot x", 16, None),
        ("/new line", 4, Command("new", "line")),
        ("/status\nmore", 7, Command("status", "more")),
    ],
)
def test_a_command_and_its_argument(text: str, width: int, command: Command | None) -> None:
    """For this bot, in any case; one for another bot is none."""
    assert said(text=text, entities=[entity("bot_command", 0, width)]).command == command


def test_a_slash_is_no_command_by_itself() -> None:
    """Telegram marks commands; one counts only at the beginning of a text."""
    assert said(text="/start").command is None
    assert said(text="x /start", entities=[entity("bot_command", 2, 6)]).command is None


@pytest.mark.parametrize(
    ("text", "entities", "more", "theirs"),
    [
        ("/help@other_bot", [entity("bot_command", 0, 15)], {}, True),
        ("/help@other_bot", [entity("bot_command", 0, 15)], {"reply_to_message": reply("Well?", sender=BOT)}, True),
        ("/help@Sample_Bot", [entity("bot_command", 0, 16)], {}, False),
        ("/help", [entity("bot_command", 0, 5)], {}, False),
        ("/ask@other_bot @sample_bot", [entity("bot_command", 0, 14), entity("mention", 15, 11)], {}, False),
        ("see /help@other_bot", [entity("bot_command", 4, 15)], {}, False),
        ("@other_bot do it", [entity("mention", 0, 10)], {}, False),
    ],
)
def test_a_command_for_another_bot_is_known_as_one(
    text: str, entities: list[dict[str, Any]], more: dict[str, Any], theirs: bool
) -> None:
    """In a group, at the beginning, unless this bot is mentioned too; in a direct chat it is only text."""
    assert said(text=text, entities=entities, chat=GROUP, **more).for_another_bot is theirs
    assert said(text=text, entities=entities, **more).for_another_bot is False
