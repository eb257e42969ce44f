"""A second project on a bot that its user has already: without a second token, and from two bots to one."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.services import Services
from agent_channels.core.settings.env_file import set_dotenv_value
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import COMMAND, DiscordStage, Stage, World, is_closed
from joined_projects import TwoBots, dotenv, lie_as_users_do, two_discord_bots, two_telegram_bots
from postgres import Cluster
from terminal import Terminal
from wire_host import eventually

NO_FILES = ("--mcp-json", "no", "--hooks", "no", "--skills", "no", "--invite", "no")


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwoBots[Stage, TelegramSandbox]]:
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    async with two_telegram_bots(tmp_path) as made:
        yield made


@pytest.fixture
async def elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[TwoBots[DiscordStage, DiscordSandbox]]:
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    async with two_discord_bots(tmp_path) as made:
        yield made


@pytest.fixture
async def shop(two: TwoBots[Stage, TelegramSandbox], tmp_path: Path) -> AsyncIterator[Stage]:
    """A third project, which has no bot yet."""
    (tmp_path / "c").mkdir()
    stage = Stage(two.first, tmp_path / "c")
    lie_as_users_do(stage, tmp_path / "shop", None)
    async with stage:
        yield stage


def let_in(stage: World, user_id: int, name: str, chat_id: int | None = None, *, approver: bool = False) -> None:
    """Lets somebody in, who has written from this chat."""
    with Store.open(stage.state) as store:
        services = Services.of(store)
        services.access.allow(str(user_id), by="test", name=name, username=name.lower())
        services.access.set_approver(str(user_id), approver=approver)
        services.chats.record(Chat(str(chat_id or user_id), "direct"), Person(str(user_id), name))


async def members(stage: World) -> set[str]:
    """The projects of a stage's bot."""
    data = (await stage.cli("hub", "status", stage.channel, "--json")).json
    return {one["name"] for one in data["projects"]}


async def test_a_script_says_which_bot_and_who_comes_along(two: TwoBots[Stage, TelegramSandbox], shop: Stage) -> None:
    """The token is copied for its owner only, both projects are in the hub, and nobody gets in unasked."""
    ann, bob = two.first.person("ann"), two.first.person("bob")
    let_in(two.api, ann.id, "Ann", approver=True)
    let_in(two.api, bob.id, "Bob")
    with Store.open(two.api.state) as store:
        Services.of(store).access.add_group("-100123", require_mention=True, senders=None)
    ran = await shop.cli("setup", "telegram", "--join", "api", *NO_FILES)
    assert ran.code == 0, ran.err
    assert dotenv(shop) == {"TELEGRAM_BOT_TOKEN": two.first.token, "CHANNELS_HUB": "local"}
    assert stat.S_IMODE((shop.state / ".env").stat().st_mode) == 0o600
    assert dotenv(two.api)["CHANNELS_HUB"] == "local"
    assert "Project api shares its bot from now on" in ran.out
    assert "Groups are not copied: -100123" in ran.out
    assert two.people(shop) == set()
    assert await members(shop) == {"api", "shop"}
    ran = await shop.cli("setup", "telegram", "--join", str(two.api.project), "--same-people", *NO_FILES, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["let_in"] == [str(ann.id), str(bob.id)]
    assert {one["id"]: one["approver"] for one in (await shop.access("--json")).json["paired"]} == {
        str(ann.id): False, str(bob.id): False
    }  # fmt: skip
    # It shares the bot already, so the project need not be named.
    ran = await shop.cli("setup", "telegram", "--same-people", "--same-approvers", "--same-groups", *NO_FILES)
    assert ran.code == 0, ran.err
    listed = (await shop.access("--json")).json
    assert [one["id"] for one in listed["paired"] if one["approver"]] == [str(ann.id)]
    assert [one["id"] for one in listed["groups"]] == ["-100123"]
    assert await members(two.api) == {"api", "shop"}


async def test_a_script_joins_a_bot_whose_hub_is_a_server(
    two: TwoBots[Stage, TelegramSandbox], shop: Stage, cluster: Cluster
) -> None:
    """How the server is reached is copied for its owner only, and its password is printed nowhere."""
    address = cluster.url(cluster.create()).replace("tests@", "tests:correct-horse@")
    ran = await two.api.cli("hub", "join", "telegram", "--address-stdin", stdin=address)
    assert ran.code == 0, ran.err
    ran = await shop.cli("setup", "telegram", "--join", "api", *NO_FILES)
    assert ran.code == 0, ran.err
    assert dotenv(shop) == {"TELEGRAM_BOT_TOKEN": two.first.token, "CHANNELS_HUB": address}
    assert stat.S_IMODE((shop.state / ".env").stat().st_mode) == 0o600
    assert await members(shop) == await members(two.api) == {"api", "shop"}
    assert "correct-horse" not in two.api.everything_said() + shop.everything_said()


async def test_what_cannot_be_joined_is_refused_with_what_there_is(
    two: TwoBots[Stage, TelegramSandbox], shop: Stage
) -> None:
    """An unknown name, two sources of a token, and a variable that goes first; nothing is left behind."""
    ran = await shop.cli("setup", "telegram", "--join", "nowhere", *NO_FILES)
    assert ran.code == 1
    assert f"api ({two.api.project}), web ({two.web.project})" in ran.err
    ran = await shop.cli("setup", "telegram", "--join", "api", "--token-stdin", stdin="x")
    assert (ran.code, "either --join" in ran.err) == (2, True)
    ran = await shop.cli("setup", "telegram", "--join", "api", *NO_FILES, CHANNELS_HUB="postgresql:///elsewhere")
    assert ran.code == 1
    assert "CHANNELS_HUB says something else" in ran.err
    assert not (shop.project / "state").exists()
    assert "CHANNELS_HUB" not in dotenv(two.api)


@pytest.mark.long
async def test_of_several_projects_on_one_bot_return_takes_the_first(
    two: TwoBots[Stage, TelegramSandbox], shop: Stage
) -> None:
    """As where there is one project, Return shares the bot."""
    ran = await two.web.cli("setup", "telegram", "--join", "api", *NO_FILES)
    assert ran.code == 0, ran.err
    command = [*COMMAND, "setup", "telegram", *NO_FILES]
    async with Terminal(command, cwd=shop.project, env=shop.env) as terminal:
        await terminal.answer("Share one of them? [1/2/no; Return: 1]", "")
        await terminal.until("This project is now shop in the hub local, beside api, web")


@pytest.mark.cold
async def test_a_person_is_offered_the_bots_and_goes_on_after_ctrl_c(
    two: TwoBots[Stage, TelegramSandbox], shop: Stage
) -> None:
    """Which bot, who comes along, who approves; interrupted at each question, nothing is asked or done twice."""
    ann = two.first.person("ann", first_name="Ann")
    let_in(two.api, ann.id, "Ann", approver=True)
    ann.dm.started = True
    command = [*COMMAND, "setup", "telegram", "--mcp-json", "no", "--hooks", "no", "--skills", "no"]
    async with Terminal(command, cwd=shop.project, env=shop.env) as terminal:
        await terminal.until("of project api")
        await terminal.until("of project web")
        # Which of several bots is meant cannot be known.
        await terminal.until("Share one of them? [1/2/no; Return: no]")
        assert await terminal.interrupt() == 130
    assert not (shop.project / "state").exists()
    async with Terminal(command, cwd=shop.project, env=shop.env) as terminal:
        await terminal.answer("Share one of them?", "1")
        await terminal.until("This project is now shop in the hub local, beside api")
        await terminal.until("Let the same people in here (Ann)? [Y/n] ")
        assert await terminal.interrupt() == 130
    async with Terminal(command, cwd=shop.project, env=shop.env) as terminal:
        await terminal.until("Going on where the last run stopped")
        await terminal.answer("Let the same people in here (Ann)? [Y/n] ", "")
        await terminal.until("what the agent asks permission for? [Y/n] ")
        assert await terminal.interrupt() == 130
    async with Terminal(command, cwd=shop.project, env=shop.env) as terminal:
        await terminal.answer("what the agent asks permission for? [Y/n] ", "")
        await terminal.until("✓ They may: Ann")
        assert "Let the same people" not in terminal.shown
        message = await ann.next_message()
        ann.tap(message["message_id"], label="It works")
        await terminal.until("the set-up is done")
        assert await terminal.ended() == 0, terminal.shown
    assert two.first.token not in terminal.shown
    assert await members(shop) == {"api", "shop"}


@pytest.mark.long
@pytest.mark.cold
async def test_a_person_moves_a_project_at_the_terminal(two: TwoBots[Stage, TelegramSandbox]) -> None:
    """The token that is there is not kept, the move is confirmed, and the first tap comes from the new bot."""
    ann, earlier = two.first.person("ann", first_name="Ann"), two.second.person("ann", first_name="Ann")
    for person in (ann, earlier):
        person.dm.started = True
    for stage in (two.api, two.web):
        let_in(stage, ann.id, "Ann", approver=True)
    command = [*COMMAND, "setup", "telegram", "--mcp-json", "no", "--hooks", "no", "--skills", "no"]
    async with Terminal(command, cwd=two.web.project, env=two.web.env) as terminal:
        await terminal.answer("Keep the token from", "n")
        await terminal.answer("of project api", "y")
        await terminal.answer("Move it to @first_bot?", "n")
        await terminal.until("nothing was changed: this project keeps its own bot")
        assert await terminal.ended() == 1
    assert dotenv(two.web)["TELEGRAM_BOT_TOKEN"] == two.second.token
    async with Terminal(command, cwd=two.web.project, env=two.web.env) as terminal:
        await terminal.answer("Keep the token from", "n")
        await terminal.answer("of project api", "y")
        await terminal.answer("Move it to @first_bot?", "y")
        await terminal.until("✓ Moved to @first_bot: people, history and 0 open messages stay")
        await terminal.until("This project is now web in the hub local, beside api")
        await terminal.until("Waiting for the tap")
        message = await ann.next_message()
        ann.tap(message["message_id"], label="It works")
        await terminal.until("the set-up is done")
        assert await terminal.ended() == 0, terminal.shown
    assert "Let the same people" not in terminal.shown
    assert "web is at @first_bot" in (await earlier.next_message())["text"]


async def test_from_two_bots_to_one_nothing_is_lost(two: TwoBots[Stage, TelegramSandbox]) -> None:
    """What waited at either bot is answered through the one, everybody is in, and the earlier bot's buttons end."""
    first, second = two.first, two.second
    ann, bob = first.person("ann"), first.person("bob")
    earlier = {handle: second.person(handle) for handle in ("ann", "bob")}
    assert earlier["ann"].id == ann.id
    for person in (ann, *earlier.values()):
        person.dm.started = True
    let_in(two.api, ann.id, "Ann")
    for handle, person in earlier.items():
        let_in(two.web, person.id, handle.title())
    host = await two.web.host()
    earlier["ann"].send("one")
    assert (await host.event()).content == "one"
    # The agent asks and ends; what it was shown stays open.
    await host.done("reply", chat_id=str(bob.id), text="Deploy?", buttons=[["Yes", "No"]])
    asked = await earlier["bob"].next_message()
    await host.close()
    # Nobody reads either bot now.
    earlier["ann"].send("two")
    earlier["bob"].send("three")
    ann.send("for api")
    assert (second.pending_updates, first.pending_updates) == (2, 1)

    ran = await two.web.cli("setup", "telegram", "--join", "api", *NO_FILES)
    assert ran.code == 0, ran.err
    assert "3 open messages stay" in ran.out
    assert "https://t.me/first_bot first" in ran.out
    assert second.pending_updates == 0
    assert first.pending_updates == 1
    assert two.open_entries(two.web) == 3
    assert dotenv(two.web) == {"TELEGRAM_BOT_TOKEN": first.token, "CHANNELS_HUB": "local"}
    shown = next(one for one in earlier["bob"].messages() if one["message_id"] == asked["message_id"])
    assert is_closed(shown)
    assert "the project is at @first_bot now" in shown["text"]
    for person in earlier.values():
        said = [one["text"] for one in person.messages() if one["from"]["is_bot"]]
        assert "web is at @first_bot from now on" in said[-1]
    assert two.people(two.web) == {str(ann.id), str(bob.id)}

    web = await two.web.host()
    api = await two.api.host()
    waited = await web.take(3)
    assert [(event.content, event.meta.get("redelivered")) for event in waited] == [
        ("one", "true"), ("two", None), ("three", None)
    ]  # fmt: skip
    # She is in both projects now, and says once which one she meant.
    question = await ann.next_message()
    ann.tap(question["message_id"], label="api")
    assert (await api.event()).content == "for api"
    # Telegram lets a bot write to nobody who has not pressed Start with it.
    refused = await web.refused("reply", chat_id=str(bob.id), text="to three")
    assert "nothing was sent" in refused
    bob.dm.started = True
    for target, text in ((ann, "to one and two"), (bob, "to three")):
        await web.done("reply", chat_id=str(target.id), text=text)
    await api.done("reply", chat_id=str(ann.id), text="to api")
    answers = [one["text"] for one in ann.messages() if one["from"]["is_bot"]]
    assert sorted(answers[1:]) == ["to api", "to one and two"]
    assert [one["text"] for one in bob.messages() if one["from"]["is_bot"]] == ["to three"]
    assert (two.open_entries(two.web), two.open_entries(two.api)) == (0, 0)
    assert (len(web.events), len(api.events)) == (3, 1)


async def test_from_two_bots_to_one_beside_a_session_elsewhere(
    elsewhere: TwoBots[DiscordStage, DiscordSandbox],
) -> None:
    """On Discord, where her chat with the other bot has another id: a session that runs goes on, by the old id too."""
    first, second = elsewhere.first, elsewhere.second
    ann, earlier = first.person("ann"), second.person("ann")
    assert (ann.id, ann.dm.id == earlier.dm.id) == (earlier.id, False)
    for person in (ann, earlier):
        person.dm.started = True
    let_in(elsewhere.api, ann.id, "Ann", ann.dm.id)
    let_in(elsewhere.web, ann.id, "Ann", earlier.dm.id, approver=True)
    web = await elsewhere.web.host()
    await second.wait_for(lambda: second.connected)
    earlier.send("one")
    old = await web.event()
    assert old.meta["chat_id"] == str(earlier.dm.id)
    asking = web.calling("ask", chat_id=str(earlier.dm.id), text="Deploy?", buttons=[["Yes", "No"]], timeout_s=600)
    asked = await earlier.next_message()
    earlier.send("two")
    assert (await web.event()).content == "two"
    api = await elsewhere.api.host()
    await first.wait_for(lambda: first.connected)
    ann.send("for api")
    assert (await api.event()).content == "for api"

    ran = await elsewhere.web.cli("setup", "discord", "--join", "api", *NO_FILES)
    assert ran.code == 0, ran.err
    assert "can write only to people who share a server with it" in ran.out
    assert "closed 1 question that it had open" in ran.out
    assert '"answered": false' in (await web.answered(asking)).text
    shown = next(one for one in earlier.messages() if one["id"] == asked["id"])
    assert "the project is at @first-bot now" in str(shown)
    await web.status_when(
        lambda found: (found["bot"] or {}).get("id") == str(first.bot_id) and bool((found["hub"] or {}).get("name"))
    )
    # The session still has the id from before.
    await web.done("reply", chat_id=old.meta["chat_id"], text="to one and two")
    assert (await ann.next_message())["content"] == "to one and two"
    await api.done("reply", chat_id=str(ann.dm.id), text="to api")
    assert (await ann.next_message())["content"] == "to api"
    assert (elsewhere.open_entries(elsewhere.web), elsewhere.open_entries(elsewhere.api)) == (0, 0)
    ann.send("which?")
    question = await ann.next_message()
    ann.tap(question["id"], label="web")
    heard = await web.event()
    while heard.content != "which?":
        assert heard.meta.get("redelivered") == "true", heard
        heard = await web.event()
    assert heard.meta["chat_id"] == str(ann.dm.id)
    assert elsewhere.people(elsewhere.web) == {str(ann.id)}


async def test_a_move_that_was_cut_short_goes_on(two: TwoBots[Stage, TelegramSandbox]) -> None:
    """Killed while the earlier bot is read out: the token is still the old one; the next run tells nobody twice."""
    ann = two.second.person("ann")
    ann.dm.started = True
    let_in(two.web, ann.id, "Ann")
    # It is not read out before these have come.
    two.second.hold_updates()
    ann.send("waits")
    command = [*COMMAND, "setup", "telegram", "--join", "api", *NO_FILES]
    process = await two.web.spawn(command, two.web.env)
    assert "web is at @first_bot from now on" in (await ann.next_message())["text"]
    with Store.open_read_only(two.web.state / "channel.db") as store:
        await eventually(lambda: not Services.of(store).notices.any(), "the end of what people are told")
    process.kill()
    await process.communicate()
    assert dotenv(two.web)["TELEGRAM_BOT_TOKEN"] == two.second.token
    two.second.release()
    ran = await two.web.cli("setup", "telegram", "--join", "api", *NO_FILES)
    assert ran.code == 0, ran.err
    assert "1 open message stay" in ran.out
    assert dotenv(two.web)["TELEGRAM_BOT_TOKEN"] == two.first.token
    assert two.open_entries(two.web) == 1
    assert len([one for one in ann.messages() if one["from"]["is_bot"]]) == 1


async def test_a_bot_whose_token_was_revoked_is_left_too(two: TwoBots[Stage, TelegramSandbox]) -> None:
    """What it read before is kept; that nothing more can be read from it, or be closed there, is said."""
    ann = two.second.person("ann")
    ann.dm.started = True
    let_in(two.web, ann.id, "Ann")
    host = await two.web.host()
    ann.send("read in time")
    await host.event()
    await host.close()
    two.second.revoke_token()
    ran = await two.web.cli("setup", "telegram", "--join", "api", *NO_FILES)
    assert ran.code == 0, ran.err
    assert "The earlier bot cannot be read any more" in ran.out
    assert dotenv(two.web)["TELEGRAM_BOT_TOKEN"] == two.first.token
    assert two.open_entries(two.web) == 1


async def test_a_bot_that_is_shared_is_left_first(two: TwoBots[Stage, TelegramSandbox]) -> None:
    """Other projects depend on it: the command that takes this one out is named, and nothing is done."""
    set_dotenv_value(two.web.state, "CHANNELS_HUB", "local")
    ran = await two.web.cli("setup", "telegram", "--join", "api", *NO_FILES)
    assert ran.code == 1
    assert "`channels hub leave telegram`" in ran.err
    assert dotenv(two.web)["TELEGRAM_BOT_TOKEN"] == two.second.token
