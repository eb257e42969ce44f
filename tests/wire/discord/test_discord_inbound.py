"""From a gateway event to neutral values: pure, and nothing in it is trusted."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.contract.messages import Chat, Identity, Ignored, Inbound, Message, RawEvent, Tap
from agent_channels.core.contract.outgoing import Button, KeyboardButton
from agent_channels.core.errors import ConfigError
from agent_channels.core.text.units import length
from agent_channels.discord.formatting import render
from agent_channels.discord.inbound import created_at, to_inbound
from agent_channels.discord.markup import LIMITS, components, escape, to_content
from agent_channels.discord.settings import DiscordSettings, bot_id, invite_link

ME = Identity("100000000000000001", "agent", "Agent")
ANN = {"id": "200000000000000002", "username": "ann", "global_name": "Ann"}
ROOM, THREAD, SERVER = "300000000000000003", "400000000000000004", "500000000000000005"


def said(content: str = "hello", channel: dict[str, Any] | None = None, **more: Any) -> Inbound:
    """What a message with this content means."""
    data = {
        "id": "600000000000000006", "type": 0, "channel_id": ROOM, "author": ANN, "content": content,
        "timestamp": "2026-11-21T10:00:00.123000+00:00", "mentions": [], "attachments": [], **more,
    }  # fmt: skip
    told = {"t": "MESSAGE_CREATE", "d": data, **({"channel": channel} if channel else {})}
    return to_inbound(RawEvent("m1", json.dumps(told)), ME)


def message(content: str = "hello", channel: dict[str, Any] | None = None, **more: Any) -> Message:
    found = said(content, channel, **more)
    assert isinstance(found, Message)
    return found


def test_a_direct_message() -> None:
    """Without a server it is a direct chat, always addressed; a word after a slash is a command there."""
    found = message("/status now")
    assert found.chat == Chat(ROOM, "direct")
    assert found.addressed
    assert found.command is not None
    assert (found.command.name, found.command.argument) == ("status", "now")
    assert found.ts.isoformat() == "2026-11-21T10:00:00.123000+00:00"


@pytest.mark.parametrize(
    ("channel", "chat", "thread"),
    [
        ({"type": 0, "name": "general", "parent_id": "9"}, Chat(ROOM, "group", "general"), None),
        ({"type": 11, "name": "plan", "parent_id": THREAD}, Chat(ROOM, "group", "plan", THREAD), "plan"),
        ({"type": 5, "name": "news"}, Chat(ROOM, "group", "news"), None),
        ({}, Chat(ROOM, "group", None), None),
    ],
)
def test_a_channel_and_a_thread(channel: dict[str, Any], chat: Chat, thread: str | None) -> None:
    """A text channel's category is not a parent; a thread's channel is."""
    found = message(channel=channel, guild_id=SERVER)
    assert (found.chat, found.thread_name, found.addressed) == (chat, thread, False)
    assert found.command is None


def test_names_stand_where_discord_writes_ids() -> None:
    """A mention reads as the name, a server's emoji as its name; an unknown id stays as it is."""
    found = message(f"<@{ME.id}> ask <@!{ANN['id']}> or <@999999999999999999> <a:party:123456789012345678>",
                    mentions=[{"id": ME.id, "username": "agent"}, ANN], guild_id=SERVER)  # fmt: skip
    assert found.text == "@agent ask @ann or <@999999999999999999> :party:"
    assert found.addressed


@pytest.mark.parametrize("kind", [1, 6, 7, 8, 18, 44])
def test_system_messages_are_nobodys(kind: int) -> None:
    """Joins, pins and boosts are not messages."""
    assert isinstance(said(type=kind), Ignored)


def test_a_webhook_is_a_bot() -> None:
    """A webhook can have any name, so nobody counts as its sender."""
    assert message(webhook_id="1", guild_id=SERVER).sender.is_bot


def test_a_tap_a_choice_and_a_form() -> None:
    """The data is the button's or the option's, without the mark of a form; a form brings the text typed in it."""
    base = {
        "id": "700000000000000007", "token": "tok-en", "channel_id": ROOM, "user": ANN,
        "channel": {"type": 1}, "message": {"id": "8", "content": "**Ship?**"},
    }  # fmt: skip

    def tap(kind: int, data: dict[str, Any]) -> Tap:
        told = {"t": "INTERACTION_CREATE", "d": {**base, "type": kind, "data": data}}
        found = to_inbound(RawEvent("i7", json.dumps(told)), ME)
        assert isinstance(found, Tap)
        return found

    pressed = tap(3, {"component_type": 2, "custom_id": "abc.0"})
    assert (pressed.data, pressed.tap_id, pressed.message_id, pressed.text) == (
        "abc.0", "700000000000000007:tok-en", "8", None
    )  # fmt: skip
    assert json.loads(pressed.snapshot or "{}") == {"content": "**Ship?**"}
    assert tap(3, {"component_type": 3, "custom_id": "menu.0", "values": ["abc.7"]}).data == "abc.7"
    field = {"type": 4, "custom_id": "text", "value": "my own words"}
    for components_ in ([{"type": 1, "components": [field]}], [{"type": 18, "component": field}]):
        filled = tap(5, {"custom_id": "abc.3!", "components": components_})
        assert (filled.data, filled.text) == ("abc.3", "my own words")


def test_an_id_tells_its_time() -> None:
    """The example of Discord's documentation."""
    assert created_at("175928847299117063").isoformat() == "2016-04-30T11:18:25.796000+00:00"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["t", "d", "id", "type", "author", "content", "data", "channel"]),
                                      inner, max_size=5), max_leaves=12))  # fmt: skip
def test_nothing_makes_it_raise(value: Any) -> None:
    """Any JSON becomes a value."""
    assert isinstance(to_inbound(RawEvent("x", json.dumps(value)), ME), Inbound)


# ---- drawing


@given(st.text(max_size=300))
def test_escaped_text_has_no_signs_left(text: str) -> None:
    """Text that is escaped keeps every character, and no emphasis, code or spoiler can begin in it."""
    escaped = to_content(text, "text")
    bare = "".join(part for part in escaped.split("\\") if part)
    assert bare.replace("\\", "") == text.replace("\\", "") or "://" in text
    assert escape(text, "text") == text


@given(st.text(alphabet="*_`~|\\ ab\n", max_size=6000), st.sampled_from(["text", "markdown"]))
def test_parts_fit_when_they_are_sent(text: str, format_: str) -> None:
    """Escapes are counted: every part has at most 2,000 units as it is sent."""
    assert all(length(to_content(part.text, format_), "utf16") <= 2000 for part in render(text, format_))


@given(st.lists(st.lists(st.text(min_size=1, max_size=200).filter(str.strip), min_size=1, max_size=9), min_size=1,
                max_size=14))  # fmt: skip
def test_any_grid_is_drawn_within_the_limits(rows: list[list[str]]) -> None:
    """At most five rows of five buttons or one menu of 25; labels of at most 80; every datum once."""
    grid = tuple(tuple(Button(label) for label in row) for row in rows)
    drawn = components(lay_out("p" * 22, grid, LIMITS))
    assert len(drawn) <= 5 or sum(len(row) for row in rows) > 125
    data: list[str] = []
    for row in drawn:
        cells = [cell for one in row["components"] for cell in one.get("options", [one])]
        assert len(row["components"]) <= 5
        assert len(cells) <= 25
        assert all(length(cell["label"], "utf16") <= 80 for cell in cells)
        data += [cell.get("custom_id") or cell["value"] for cell in cells]
    assert len(set(data)) == sum(len(row) for row in rows)


def test_a_button_of_words_is_marked() -> None:
    """Its data ends with the sign that opens a form at the tap."""
    ((one,),) = (row["components"] for row in components(((KeyboardButton("Other…", "abc.3", form=True),),)))
    assert one["custom_id"] == "abc.3!"


# ---- settings


def test_a_token_has_its_bots_id() -> None:
    """The first part is the id in base64, padded or not."""
    for number in ("123456789012345678", "1144000000000000001"):
        first = base64.b64encode(number.encode()).decode().rstrip("=")
        assert bot_id(f"{first}.GsandB.{'x' * 27}") == number
    with pytest.raises(ConfigError, match="setup discord"):
        bot_id(f"{base64.b64encode(b'not a number at all').decode()}.GsandB.{'x' * 27}")


def test_the_invite_asks_for_no_more_than_is_used() -> None:
    """View, send, in threads and open them, embed, attach, history, react: nothing that administers anything."""
    link = invite_link("42")
    assert "client_id=42" in link
    asked = int(link.split("permissions=")[1])
    assert {bit for bit in range(64) if asked >> bit & 1} == {6, 10, 11, 14, 15, 16, 35, 38}


@pytest.mark.parametrize(
    ("name", "value"),
    [("gateway_url", "ws://203.0.113.7/"), ("gateway_url", "http://127.0.0.1"), ("api_root", "http://203.0.113.7"),
     ("proxy", "socks5://127.0.0.1:1080")],
)  # fmt: skip
def test_addresses_that_would_show_the_token_are_refused(name: str, value: str) -> None:
    """Plain connections to other machines, wrong schemes, and a proxy that could not be spoken through."""
    with pytest.raises(ValueError, match=name):
        DiscordSettings.of({name: value})
    DiscordSettings.of({"gateway_url": "ws://127.0.0.1:9/g", "api_root": "http://[::1]:8"})
