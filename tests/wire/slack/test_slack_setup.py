"""Setting Slack up: the manifest, two tokens, the scopes by name; and what doctor asks."""

from __future__ import annotations

import json

import pytest

from agent_channels.core.host.install import add_hooks, add_server
from agent_channels.core.settings.config import Environment
from agent_channels.sandbox.slack.sandbox import random_app_token
from agent_channels.slack.channel import CHANNEL
from agent_channels.slack.settings import COMMANDS, SCOPES, manifest
from harness import SlackStage

NONE = {"SLACK_BOT_TOKEN": None, "SLACK_APP_TOKEN": None}
SETUP = ("setup", "slack", "--token-stdin")


async def wrong(stage: SlackStage) -> dict[str, dict[str, str]]:
    ran = await stage.cli("doctor", "slack", "--json")
    found = {one["check"]: one for one in ran.json["channels"][0]["checks"] if one["state"] == "wrong"}
    assert ran.code == (1 if found else 0)
    return found


async def test_both_tokens_are_checked_and_stored(stage: SlackStage) -> None:
    """One line each; a second one that is missing, malformed or refused changes nothing, and none is ever shown."""
    slack = stage.slack
    refused = random_app_token()
    for second, says in (("", "no token was given"), ("xapp", "does not look like one"), (refused, "Slack refuses")):
        ran = await stage.cli(*SETUP, stdin=f"{slack.token}\n{second}\n", **NONE)
        assert ran.code == 1
        assert says in ran.err
        assert len(second) < 8 or second not in ran.out + ran.err
        assert not (stage.state / ".env").exists() or (stage.state / ".env").read_text() == ""
    ran = await stage.cli(*SETUP, stdin=f"{slack.token}\n{slack.app_token}\n", **NONE)
    assert ran.code == 0, ran.err
    assert "@sandbox-bot" in ran.out
    lines = (stage.state / ".env").read_text().splitlines()
    assert lines == [f"SLACK_BOT_TOKEN={slack.token}", f"SLACK_APP_TOKEN={slack.app_token}"]
    # From the file alone, the server reads.
    ann = stage.person()
    host = await stage.reading(**NONE)
    ann.send("hello")
    assert (await host.event()).content == "hello"


async def test_a_missing_scope_is_named(stage: SlackStage) -> None:
    """By set-up, which stores the tokens all the same, and by doctor."""
    stage.slack.without_scope("files:write", "reactions:read")
    ran = await stage.cli(*SETUP, "--json", stdin=f"{stage.slack.token}\n{stage.slack.app_token}\n", **NONE)
    assert ran.code == 0, ran.err
    (finding,) = ran.json["findings"]
    assert finding["found"] == "the bot token lacks files:write, reactions:read"
    assert "https://api.slack.com/apps" in finding["next"]


def test_the_manifest_asks_for_what_is_used() -> None:
    """Scopes, events, Socket Mode, interactivity and every command that people are offered."""
    made = json.loads(manifest())
    assert made["oauth_config"]["scopes"]["bot"] == list(SCOPES)
    assert made["settings"]["socket_mode_enabled"] is made["settings"]["interactivity"]["is_enabled"] is True
    assert not made["settings"]["token_rotation_enabled"]
    assert {"message.im", "message.channels", "reaction_added"} <= set(
        made["settings"]["event_subscriptions"]["bot_events"]
    )
    names = {command["command"] for command in made["features"]["slash_commands"]}
    assert names == {f"/agent-{name}" for name in COMMANDS}
    assert made["features"]["app_home"]["messages_tab_enabled"] is True


async def test_the_manifest_alone(stage: SlackStage) -> None:
    """For a script or another machine: `--manifest` prints it and nothing else, and asks for and changes nothing."""
    ran = await stage.cli("setup", "slack", "--manifest", **NONE)
    assert (ran.code, ran.out) == (0, manifest() + "\n")
    assert not any(path.stat().st_size for path in [stage.state / ".env"] if path.exists())
    refused = await stage.cli("setup", "discord", "--manifest")
    assert refused.code == 2
    assert "slack" in refused.err


@pytest.fixture
async def healthy(stage: SlackStage) -> SlackStage:
    """A set-up with nothing wrong."""
    env = Environment("slack", stage.env)
    add_server(CHANNEL, env)
    add_hooks(env, [env.channel])
    stage.person()
    return stage


async def test_doctor_finds_what_is_wrong_with_the_app(healthy: SlackStage) -> None:
    """Nothing; then Socket Mode that is off, a channel that the bot is not in, and a scope."""
    room = healthy.slack.channel("general", members=[healthy.slack.person("ann")])
    assert (await healthy.access("group", "add", room.id)).code == 0
    assert await wrong(healthy) == {}
    healthy.slack.faults.disable_socket_mode()
    room.remove_bot()
    healthy.slack.without_scope("users:read")
    found = await wrong(healthy)
    assert set(found) == {"scopes", "socket", "membership"}
    assert "users:read" in found["scopes"]["found"]
    assert "Socket Mode" in found["socket"]["next"]
    assert f"the bot is not in {room.id}" in found["membership"]["found"]


async def test_ids_of_this_platform(stage: SlackStage) -> None:
    """People and channels are let in by their ids; names, other platforms' ids, and a channel as a person are not."""
    assert (await stage.access("allow", "U0ANN00001")).code == 0
    assert (await stage.access("group", "add", "C0GENERAL1", "--allow", "U0ANN00001,W0BOB00001")).code == 0
    for given in ("ann", "#general", "12345678", "C0GENERAL1"):
        ran = await stage.access("allow", given)
        assert ran.code == 2, given
        assert "is not" in ran.err
