"""Setting Discord up: the portal's switches, the invitation without links, the permissions of enabled channels."""

from __future__ import annotations

import pytest

from harness import DiscordStage


@pytest.mark.cold
async def test_warnings_that_are_errors_do_no_harm(stage: DiscordStage) -> None:
    """PYTHONWARNINGS is meant for the user's own programs: the library, which warns when imported, works."""
    ann = stage.person()
    host = await stage.reading(PYTHONWARNINGS="error")
    ann.send("hi")
    assert (await host.event()).content == "hi"


async def test_an_invitation_is_sent_as_a_direct_message(stage: DiscordStage) -> None:
    """Discord has no deep links: the code goes to the bot by hand; the page that lets it in stands beside it."""
    host = await stage.reading()
    ran = await stage.access("invite")
    assert ran.code == 0, ran.err
    assert f"client_id={stage.dc.bot_id}&scope=bot&permissions=" in ran.out
    first = (await stage.access("invite", "--json")).json
    assert first["link"] is None
    for handle, text in (
        ("ann", first["code"]),
        ("bob", f"/start {(await stage.access('invite', '--json')).json['code']}"),
    ):
        person = stage.dc.person(handle)
        person.send(text)
        assert "Paired" in (await person.next_message())["content"]
        person.send(f"hello from {handle}")
        assert (await host.event()).content == f"hello from {handle}"


async def test_setup_names_the_intent_and_the_permissions(stage: DiscordStage) -> None:
    """A switch that is off in the portal is named, with its place; the invite link asks for the permissions needed."""
    stage.dc.set_portal(message_content=False)
    off = {"DISCORD_BOT_TOKEN": None}
    ran = await stage.cli("setup", "discord", "--token-stdin", stdin=stage.dc.token, **off)
    assert ran.code == 0, ran.err
    assert "Message Content Intent is off" in ran.out
    assert f"https://discord.com/developers/applications/{stage.dc.bot_id}/bot" in ran.out
    assert f"client_id={stage.dc.bot_id}&scope=bot&permissions=309237763136" in ran.out
    machine = ("setup", "discord", "--token-stdin", "--json")
    wrong = (await stage.cli(*machine, stdin=stage.dc.token, **off)).json
    assert (wrong["ok"], [finding["check"] for finding in wrong["findings"]]) == (False, ["intents"])
    stage.dc.set_portal(message_content=True)
    ran = await stage.cli(*machine, stdin=stage.dc.token, **off)
    assert ran.json["ok"] is True
    assert "findings" not in ran.json
