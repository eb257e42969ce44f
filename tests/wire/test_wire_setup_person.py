"""Set-up at a terminal: from a token to the first tap, interrupted anywhere, and what goes wrong on the way."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from harness import COMMAND, DiscordStage, Stage, is_closed
from terminal import Terminal

pytestmark = [pytest.mark.long, pytest.mark.cold]


@pytest.fixture
def empty(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """An empty project: nothing in the environment names a state folder or a token."""
    shutil.rmtree(stage.state)
    for name in ("TELEGRAM_STATE_DIR", "TELEGRAM_BOT_TOKEN", "CHANNELS_CLAIM"):
        del stage.env[name]
    stage.state = stage.project / "state" / "telegram"
    # A user without other projects.
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(stage.folder / "data"))
    stage.env["CHANNELS_DATA_DIR"] = str(stage.folder / "data")
    return stage


@pytest.fixture
async def discord_stage(tmp_path: Path) -> AsyncIterator[DiscordStage]:
    async with DiscordSandbox() as dc, DiscordStage(dc, tmp_path) as made:
        yield made


def setup(stage: Stage, *words: str) -> Terminal:
    return Terminal([*COMMAND, "setup", *(words or ("telegram",))], cwd=stage.project, env=stage.env)


async def to_the_link(terminal: Terminal, token: str) -> str:
    """Answers every question with Return; the code of the invitation."""
    await terminal.answer("not shown", token)
    for question in (".mcp.json", "settings.local.json", "skills"):
        await terminal.until(question)
        await terminal.answer("] ", "")
    shown = await terminal.until("Waiting for your tap in Telegram")
    found = re.search(r"start=(\w+)", shown)
    assert found is not None, shown
    return found[1]


async def test_from_nothing_to_the_first_tap(empty: Stage) -> None:
    """Token, files, skills, Start, approver, two buttons, tap: then it ends, and a second run sends nothing."""
    ann = empty.tg.person("ann", first_name="Ann")
    async with setup(empty) as terminal:
        code = await to_the_link(terminal, empty.tg.token)
        assert "█" in terminal.shown
        ann.start(code)
        assert "Paired" in (await ann.next_message())["text"]
        await terminal.answer("asks permission for? [Y/n] ", "")
        message = await ann.next_message()
        assert "the project project" in message["text"]
        (row,) = message["reply_markup"]["inline_keyboard"]
        assert [button["text"] for button in row] == ["It works", "Something is wrong"]
        await terminal.until("Waiting for the tap")
        tap = ann.tap(message["message_id"], label="It works")
        assert "It works" in (await tap.answered()).text
        await terminal.until("tapped 'It works': the set-up is done")
        assert await terminal.ended() == 0, terminal.shown
    assert terminal.shown.startswith(f"Project {empty.project}\n")
    assert "channels launch telegram" in terminal.shown
    assert empty.tg.token not in terminal.shown
    assert is_closed(next(m for m in ann.messages() if m["message_id"] == message["message_id"]))
    listed = (await empty.access("--json")).json
    assert [(person["name"], person["approver"]) for person in listed["paired"]] == [("Ann", True)]
    assert (await empty.cli("status", "telegram", "--json")).json["inbox"]["open"] == 0
    sent = len(ann.messages())
    async with setup(empty) as terminal:
        await terminal.answer("Keep the token", "")
        for question in (".mcp.json", "settings.local.json", "skills"):
            await terminal.until(question)
            await terminal.answer("] ", "")
        await terminal.until("✓ Paired: Ann")
        await terminal.answer("Invite somebody else now? [y/N] ", "")
        assert await terminal.ended() == 0, terminal.shown
    assert len(ann.messages()) == sent


async def test_interrupted_anywhere_it_goes_on(empty: Stage) -> None:
    """Ctrl-C or a kill at each question and wait; the next run asks and sends nothing twice, and loses no tap."""
    ann = empty.tg.person("ann", first_name="Ann")
    going_on = "Going on where the last run stopped"
    async with setup(empty) as terminal:
        await terminal.until("not shown")
        assert await terminal.interrupt() == 130
        assert "`channels setup telegram` goes on from here" in terminal.shown
    assert list(empty.project.iterdir()) == []
    async with setup(empty) as terminal:
        await terminal.answer("not shown", empty.tg.token)
        await terminal.until(".mcp.json, so that")
        assert await terminal.interrupt() == 130
    async with setup(empty) as terminal:
        await terminal.until(going_on)
        await terminal.until(".mcp.json, so that")
        await terminal.answer("] ", "")
        await terminal.until("hooks into")
        terminal.kill()
    async with setup(empty) as terminal:
        await terminal.until("has the server 'telegram' already")
        await terminal.answer("hooks into .claude/settings.local.json", "n")
        await terminal.until("skills")
        assert await terminal.interrupt() == 130
    async with setup(empty) as terminal:
        await terminal.answer("Return: project] ", "no")
        assert "hooks into" not in terminal.shown
        shown = await terminal.until("Waiting for your tap in Telegram")
        terminal.kill()
    # Telegram keeps it: nobody reads the bot.
    found = re.search(r"start=(\w+)", shown)
    assert found is not None
    ann.start(found[1])
    async with setup(empty) as terminal:
        await terminal.until("✓ Ann (@ann, id")
        await terminal.until("asks permission for? [Y/n] ")
        assert "Return: project" not in terminal.shown
        assert await terminal.interrupt() == 130
    async with setup(empty) as terminal:
        await terminal.until("is paired")
        await terminal.answer("asks permission for? [Y/n] ", "n")
        await terminal.until("Waiting for the tap")
        terminal.kill()
    messages = [message for message in ann.messages() if message.get("from", {}).get("is_bot")]
    ann.tap(messages[-1]["message_id"], label="Something is wrong")
    async with setup(empty) as terminal:
        await terminal.until("tapped 'Something is wrong'")
        assert await terminal.ended() == 0, terminal.shown
    assert "`channels doctor telegram`" in terminal.shown
    assert len([message for message in ann.messages() if message.get("from", {}).get("is_bot")]) == len(messages) == 2
    assert not (empty.project / ".claude").exists()
    assert (await empty.access("--json")).json["paired"][0]["approver"] is False


async def test_a_wrong_token_is_asked_for_again(empty: Stage) -> None:
    """With the reason; nothing of it is stored or shown, and the right one goes on."""
    wrong = "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiB"
    async with setup(empty) as terminal:
        await terminal.answer("not shown", "hello")
        await terminal.until("does not look like one")
        await terminal.answer("not shown", wrong)
        await terminal.until("✗ Telegram refuses the token (wrong or revoked)")
        await terminal.answer("not shown", empty.tg.token)
        await terminal.until("✓ The token works")
        assert wrong not in terminal.shown
        assert wrong not in (empty.state / ".env").read_text()


async def test_the_command_that_goes_on_names_the_host(empty: Stage, tmp_path: Path) -> None:
    """Without it, the next run would ask for Claude Code's files; the same where a question is interrupted."""
    command = ["setup", "telegram", "--host", "codex", "--token-stdin"]
    ran = await empty.cli(*command, stdin=empty.tg.token, HOME=str(tmp_path))
    assert ran.code == 0, ran.err
    assert "run `channels setup telegram --host codex` in a terminal" in " ".join(ran.out.split())
    async with setup(empty, "telegram", "--host", "codex") as terminal:
        await terminal.until("Keep the token")
        assert await terminal.interrupt() == 130
        assert "`channels setup telegram --host codex` goes on from here" in " ".join(terminal.shown.split())


async def test_beside_a_server_that_reads_the_bot(empty: Stage) -> None:
    """It is used, not fought: its process lets the person in and stores the tap, which is not the agent's to see."""
    ran = await empty.cli("setup", "telegram", "--yes", "--token-stdin", stdin=empty.tg.token)
    assert ran.code == 0, ran.err
    assert "Nobody is paired yet, since that needs a person" in ran.out
    host = await empty.reading(CHANNELS_CLAIM="always")
    ann = empty.tg.person("ann", first_name="Ann")
    async with setup(empty) as terminal:
        await terminal.answer("Keep the token", "")
        for question in (".mcp.json", "settings.local.json", "skills"):
            await terminal.until(question)
            await terminal.answer("] ", "")
        await terminal.until("A server of this project reads the bot already")
        found = re.search(r"start=(\w+)", await terminal.until("Waiting for your tap"))
        assert found is not None
        ann.start(found[1])
        assert "Paired" in (await ann.next_message())["text"]
        await terminal.answer("asks permission for? [Y/n] ", "n")
        message = await ann.next_message()
        ann.tap(message["message_id"], label="It works")
        await terminal.until("the set-up is done")
        assert await terminal.ended() == 0, terminal.shown
    ann.send("now to the agent")
    assert (await host.event()).content == "now to the agent"
    assert host.events == [] or [event.content for event in host.events] == ["now to the agent"]


async def test_beside_another_project_with_the_bot(empty: Stage) -> None:
    """Who reads it, where, and what to do; it waits, and shows no link that would lead there."""
    other = empty.folder / "other"
    other.mkdir()
    env = {"CLAUDE_PROJECT_DIR": str(other), "CHANNELS_CLAIM": "always", "TELEGRAM_BOT_TOKEN": empty.tg.token}
    host = await empty.host(**env)
    await empty.tg.wait_for(lambda: empty.tg.polling, 30)
    async with setup(empty) as terminal:
        await terminal.answer("not shown", empty.tg.token)
        for question in (".mcp.json", "settings.local.json", "skills"):
            await terminal.until(question)
            await terminal.answer("] ", "n" if question != "skills" else "no")
        shown = await terminal.until("Waiting until it is free")
        assert f"project {other}" in shown
        assert "start=" not in terminal.shown
        await host.close()
        await terminal.until("start=")


async def test_who_writes_without_the_invitation_is_asked_about(empty: Stage) -> None:
    """The person at the terminal decides; what was written is kept for the agent."""
    ann = empty.tg.person("ann", first_name="Ann")
    async with setup(empty) as terminal:
        await to_the_link(terminal, empty.tg.token)
        ann.dm.started = True
        ann.send("hello?")
        await terminal.answer("has written to the bot, without the invitation. Is that you", "y")
        await terminal.until("✓ Ann (@ann, id")
        await terminal.until("asks permission for? [Y/n] ")
    with Store.open(empty.state) as store:
        assert Services.of(store).inbox.counts()["open"] == 1


async def test_who_is_not_let_in_at_the_terminal_stays_out(empty: Stage) -> None:
    """The terminal says so, and goes on waiting for whoever has the invitation."""
    ann, bob = empty.tg.person("ann", first_name="Ann"), empty.tg.person("bob", first_name="Bob")
    async with setup(empty) as terminal:
        link = await to_the_link(terminal, empty.tg.token)
        bob.dm.started = True
        bob.send("hello?")
        await terminal.answer("has written to the bot, without the invitation. Is that you", "n")
        await terminal.until("stays out. Still waiting")
        ann.start(link)
        await terminal.until("✓ Ann (@ann, id")


async def test_without_a_channel_it_asks_which(empty: Stage) -> None:
    """At a terminal; a word's beginning will do."""
    async with setup(empty, "--hooks", "no") as terminal:
        await terminal.answer("Which channel?", "matrix")
        await terminal.answer("is none of them", "dis")
        await terminal.until("Discord bot token (not shown)")


async def test_discord_comes_to_the_same_end(discord_stage: DiscordStage) -> None:
    """The link that adds the bot, a code sent to it directly, two buttons, a tap."""
    stage = discord_stage
    del stage.env["CHANNELS_CLAIM"]
    ann = stage.dc.person("ann")
    async with Terminal([*COMMAND, "setup", "discord"], cwd=stage.project, env=stage.env) as terminal:
        for question in (".mcp.json", "settings.local.json", "skills"):
            await terminal.until(question)
            await terminal.answer("] ", "n" if question != "skills" else "no")
        shown = await terminal.until("Waiting for your message in Discord")
        assert "discord.com/oauth2/authorize" in terminal.shown or "oauth2" in terminal.shown
        found = re.search(r"^  ([A-Z2-9]{12})$", shown, re.MULTILINE)
        assert found is not None, shown
        ann.send(found[1])
        assert "Paired" in (await ann.next_message())["content"]
        await terminal.answer("asks permission for? [Y/n] ", "")
        message = await ann.next_message()
        ann.tap(message["id"], label="It works")
        await terminal.until("the set-up is done")
        assert await terminal.ended() == 0, terminal.shown
