"""What doctor asks of Discord: the portal's switch, and the bot's rights in every enabled channel."""

from __future__ import annotations

import pytest

from agent_channels.core.host.install import add_hooks, add_server
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import KEY_FILE
from agent_channels.discord.channel import CHANNEL
from harness import DiscordStage


@pytest.fixture(autouse=True)
async def _healthy(stage: DiscordStage) -> None:
    env = Environment("discord", stage.env)
    add_server(CHANNEL, env)
    add_hooks(env, [env.channel])
    stage.person()


async def wrong(stage: DiscordStage, **env: str | None) -> dict[str, dict[str, str]]:
    ran = await stage.cli("doctor", "discord", "--json", **env)
    found = {one["check"]: one for one in ran.json["channels"][0]["checks"] if one["state"] == "wrong"}
    assert ran.code == (1 if found else 0)
    return found


async def test_a_healthy_one_has_nothing_wrong(stage: DiscordStage) -> None:
    """With an enabled channel and a thread in it, and a server that reads."""
    room = stage.dc.guild("Team", members=[stage.dc.person("ann")]).channel("general")
    thread = room.thread("a thread")
    for place in (room, thread):
        await stage.access("group", "add", str(place.id))
    assert await wrong(stage) == {}
    await stage.reading()
    assert await wrong(stage) == {}


async def test_the_intent_that_is_off(stage: DiscordStage) -> None:
    """The switch, and where it is."""
    stage.dc.set_portal(message_content=False)
    (found,) = (await wrong(stage)).values()
    assert found["check"] == "intents"
    assert f"/applications/{stage.dc.bot_id}/bot" in found["next"]


@pytest.mark.parametrize(
    ("denied", "says"),
    [
        ("send_messages", "lacks Send Messages in general"),
        ("attach_files", "lacks Attach Files in general"),
        ("view_channel", "does not see"),
    ],
)
async def test_a_right_that_is_missing_in_a_channel(stage: DiscordStage, denied: str, says: str) -> None:
    """Which right, in which channel; another channel, where all is well, is not named."""
    guild = stage.dc.guild("Team", members=[stage.dc.person("ann")])
    room, other = guild.channel("general"), guild.channel("random")
    for place in (room, other):
        await stage.access("group", "add", str(place.id))
    room.deny(denied)
    (found,) = (await wrong(stage)).values()
    assert found["check"] == "permissions"
    assert says.removesuffix(" in general") in found["found"]
    assert str(room.id) in found["found"]
    assert str(other.id) not in found["found"]


async def test_a_token_that_was_reset(stage: DiscordStage) -> None:
    """The bot is unknown; nothing else is asked."""
    stage.dc.reset_token()
    (found,) = (await wrong(stage)).values()
    assert found["check"] == "bot"
    assert "does not know the token" in found["found"]


async def test_connections_left_are_said_in_a_sentence(stage: DiscordStage) -> None:
    """A full ration is not said to be refilled."""
    ran = await stage.cli("doctor", "discord", "--json")
    (found,) = (check for check in ran.json["channels"][0]["checks"] if check["check"] == "connections")
    assert found["evidence"] == "1,000 of 1,000 are left"


async def test_a_clock_that_is_behind(stage: DiscordStage) -> None:
    """As the Date of Discord's answers shows it."""
    stage.dc.advance(7200)
    (found,) = (await wrong(stage)).values()
    assert found["check"] == "clock"


async def test_a_gateway_that_came_with_a_repository(stage: DiscordStage) -> None:
    """The gateway gets the token too: of a folder that is not the user's own nothing is read, its address included."""
    (stage.state / "config.yaml").write_text("gateway_url: wss://192.0.2.1/gateway\n")
    (stage.state / KEY_FILE).unlink()
    (found,) = (await wrong(stage, DISCORD_GATEWAY_URL=None)).values()
    assert found["check"] == "trust"
