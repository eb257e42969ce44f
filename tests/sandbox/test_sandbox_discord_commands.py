"""Application commands: the sandbox refuses what Discord refuses, and people can choose only what is offered."""

from __future__ import annotations

from typing import Any

import pytest

from agent_channels.sandbox.discord.guilds import DiscordChannel
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from discord_wire import Rest

pytestmark = pytest.mark.cold

pytest_plugins = ["discord_fixtures"]


def command(name: str = "status", description: str = "How it stands", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": description, **fields}


def option(name: str = "what", **fields: Any) -> dict[str, Any]:
    return {"type": 3, "name": name, "description": "which", **fields}


def path(dc: DiscordSandbox) -> str:
    return f"/applications/{dc.bot_id}/commands"


async def test_commands_are_replaced_as_a_whole(dc: DiscordSandbox, rest: Rest) -> None:
    """PUT replaces all commands; a command whose name stays keeps its id; GET returns them."""
    first = await rest.ok("PUT", path(dc), [command(), command("help")])
    second = await rest.ok("PUT", path(dc), [command("help", "Anew"), command("inbox")])
    assert [one["name"] for one in second] == ["help", "inbox"]
    assert second[0]["id"] == first[1]["id"]
    assert second[0]["version"] != first[1]["version"]
    assert second[0]["application_id"] == str(dc.bot_id)
    assert await rest.ok("GET", path(dc)) == second
    assert await rest.ok("PUT", path(dc), []) == []


WRONG: list[tuple[Any, dict[str, str]]] = [
    ([command("")], {"0.name": "BASE_TYPE_REQUIRED"}),
    ([command("Status")], {"0.name": "APPLICATION_COMMAND_INVALID_NAME"}),
    ([command("two words")], {"0.name": "APPLICATION_COMMAND_INVALID_NAME"}),
    ([command("x" * 33)], {"0.name": "BASE_TYPE_BAD_LENGTH"}),
    ([command(description="")], {"0.description": "BASE_TYPE_REQUIRED"}),
    ([command(description="x" * 101)], {"0.description": "BASE_TYPE_BAD_LENGTH"}),
    ([command(), command()], {"1.name": "APPLICATION_COMMANDS_DUPLICATE_NAME"}),
    (
        [command(), 7],
        {"1": "MODEL_TYPE_CONVERT", "1.name": "BASE_TYPE_REQUIRED", "1.description": "BASE_TYPE_REQUIRED"},
    ),
    ([command(type=9)], {"0.type": "NUMBER_TYPE_MAX"}),
    ([command(contexts=[3])], {"0.contexts": "BASE_TYPE_CHOICES"}),
    ([command(options=[option(type=None)])], {"0.options.0.type": "BASE_TYPE_REQUIRED"}),
    ([command(options=[option("Big")])], {"0.options.0.name": "APPLICATION_COMMAND_INVALID_NAME"}),
    (
        [command(options=[option("a"), option("b", required=True)])],
        {"0.options": "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"},
    ),
    (
        [command(options=[option(choices=[{"name": "x" * 101, "value": "v"}])])],
        {"0.options.0.choices.0.name": "BASE_TYPE_BAD_LENGTH"},
    ),
    ([command(options=[option(choices=[{"name": str(n), "value": "v"} for n in range(26)])])],
     {"0.options.0.choices": "BASE_TYPE_MAX_LENGTH"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "errors"), WRONG)
async def test_what_discord_refuses(dc: DiscordSandbox, rest: Rest, given: Any, errors: dict[str, str]) -> None:
    """A wrong command is refused with its path, and nothing changes."""
    await rest.ok("PUT", path(dc), [command("kept")])
    assert await rest.errors("PUT", path(dc), given) == errors
    assert [one["name"] for one in await rest.ok("GET", path(dc))] == ["kept"]


async def test_another_application_and_too_many(dc: DiscordSandbox, rest: Rest) -> None:
    """Another bot's commands, more than 100, a body that is not a list, and a call without the token are refused."""
    assert await rest.refused("PUT", f"/applications/{dc.bot_id + 1}/commands", []) == (403, 20012)
    assert await rest.refused("PUT", path(dc), [command(f"c{n}") for n in range(101)]) == (400, 30032)
    assert await rest.refused("PUT", path(dc), command()) == (400, 50035)
    assert (await rest("PUT", path(dc), [], auth="Bot wrong"))[0] == 401


async def test_people_choose_what_is_offered(
    dc: DiscordSandbox, rest: Rest, eve: DiscordPerson, room: DiscordChannel
) -> None:
    """A person can choose a command only in its contexts, with its options and their choices."""
    choices = [{"name": "all", "value": "all"}]
    wanted = command(options=[option(required=True, choices=choices)], contexts=[1])
    await rest.ok("PUT", path(dc), [wanted])
    for wrong in ({}, {"what": "some"}):
        with pytest.raises(ValueError, match="what"):
            eve.command("status", **wrong)
    for name, options in (("gone", {}), ("status", {"what": "all", "more": "x"})):
        with pytest.raises(LookupError):
            eve.command(name, **options)
    with pytest.raises(LookupError, match="contexts"):
        eve.command("status", channel=room, what="all")
    tap = eve.command("status", what="all")
    assert tap.interaction.data["options"] == [{"type": 3, "name": "what", "value": "all"}]


async def test_a_command_is_answered_like_any_interaction(dc: DiscordSandbox, rest: Rest, eve: DiscordPerson) -> None:
    """A command is answered with 5 and an edit, or with 4, but not with 6 or 7, which need a message."""
    await rest.ok("PUT", path(dc), [command()])
    tap = eve.command("status")
    callback = f"/interactions/{tap.id}/{tap.token}/callback"
    assert await rest.errors("POST", callback, {"type": 6}) == {"type": "BASE_TYPE_CHOICES"}
    await rest.ok("POST", callback, {"type": 5, "data": {"flags": 64}})
    assert await rest.refused("POST", callback, {"type": 4, "data": {"content": "x"}}) == (400, 40060)
    original = f"/webhooks/{dc.bot_id}/{tap.token}/messages/@original"
    await rest.ok("PATCH", original, {"content": "fine"})
    (message,) = eve.ephemerals
    assert (message["content"], message["type"], message["interaction"]["name"]) == ("fine", 20, "status")
    assert eve.messages()[-1]["content"] == "hello"
    await rest.ok("DELETE", original)
    assert eve.ephemerals == []
    late = eve.command("status")
    dc.advance(4)
    assert await rest.refused("POST", f"/interactions/{late.id}/{late.token}/callback", {"type": 5}) == (404, 10062)


async def test_commands_over_the_control_interface(dc: DiscordSandbox, rest: Rest) -> None:
    """The control interface chooses commands too."""
    await rest.ok("PUT", path(dc), [command()])
    status, answer = await rest.control("command", **{"as": "eve", "name": "status"})
    assert status == 200
    assert answer["answer"] is None
    status, answer = await rest.control("command", **{"as": "eve", "name": "none"})
    assert status == 400
    assert "status" in str(answer)
