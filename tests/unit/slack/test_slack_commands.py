"""Commands on Slack: what people are told to type is what Slack's menu has, in every language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from agent_channels.core.contract.messages import Identity, RawEvent
from agent_channels.core.i18n.messages import LANGUAGES, set_language, translate
from agent_channels.core.inbound.command_menu import command_menu
from agent_channels.slack.channel import CHANNEL
from agent_channels.slack.inbound import to_inbound
from agent_channels.slack.settings import COMMANDS, command_of, manifest

ME = Identity("1-2", "agent", "agent")
COMMAND = re.compile(r"(?<![\w/:.])/[a-z][a-z0-9-]*")


def declared() -> dict[str, dict[str, str]]:
    """The commands of the manifest, by name."""
    return {one["command"]: one for one in json.loads(manifest())["features"]["slash_commands"]}


@pytest.fixture(params=LANGUAGES)
def spoken(request: pytest.FixtureRequest) -> Iterator[str]:
    set_language(request.param, CHANNEL.commands)
    yield request.param
    set_language("en")


def test_help_names_the_commands_as_slack_shows_them(spoken: str) -> None:
    """/agent-status and so on, exactly those of the manifest; only /agent-pair is for people who get no help yet."""
    assert spoken in LANGUAGES
    named = translate("help", rich=translate("help_rich"), hub=translate("help_hub"), videos=translate("help_yt2pdf"))
    assert set(COMMAND.findall(named)) == set(declared()) - {"/agent-pair"}


def test_every_sentence_names_commands_that_there_are(spoken: str) -> None:
    """No sentence sends anybody to a command that Slack does not know; addresses stay as they are."""
    assert spoken in LANGUAGES
    assert translate("progress_usage").count("/agent-progress ") == 1
    assert "https://youtu.be/…" in translate("yt2pdf_usage")
    assert "/agent-session forget" in translate("session_usage")
    module = __import__(LANGUAGES[spoken], fromlist=["TEXTS"])
    for key, text in module.TEXTS.items():
        for command in COMMAND.findall(text):
            assert command.removeprefix("/") in COMMANDS, key


def test_the_menu_is_in_the_manifest() -> None:
    """What other platforms put into their menu is declared, with the words that it takes."""
    for entry in command_menu(rich=True, hub=True, videos=True):
        made = declared()[f"/agent-{entry.name}"]
        hint = made.get("usage_hint", "")
        assert not entry.choices or all(choice in hint for choice in entry.choices)
        assert not entry.free or hint or entry.name == "projects"
    assert "forget" in declared()["/agent-session"]["usage_hint"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_is_understood(name: str) -> None:
    """As Slack sends it, whatever the operator put before the hyphen, and typed after a mention."""
    assert command_of(f"/agent-{name}") == command_of(f"/my-web-{name}") == command_of(f"/{name}") == name
    data = {"command": f"/agent-{name}", "text": "a b", "channel_id": "D1", "user_id": "U1", "trigger_id": "1"}
    read = to_inbound(RawEvent("c1", json.dumps({"t": "command", "d": data, "at": 1.0})), ME, "U0BOT")
    assert (read.command.name, read.command.argument) == (name, "a b")  # type: ignore[union-attr]
    typed = {"channel": "D1", "user": "U1", "ts": "1.000001", "text": f"<@U0BOT> /{name} a b"}
    read = to_inbound(RawEvent("m1", json.dumps({"t": "message", "d": typed})), ME, "U0BOT")
    assert (read.command.name, read.command.argument) == (name, "a b")  # type: ignore[union-attr]
