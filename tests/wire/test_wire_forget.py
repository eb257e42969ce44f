"""What somebody wants forgotten is forgotten, and what a new session missed is told once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent_channels.core.journal.history import holds_words
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import Stage, is_closed
from hook_runs import Hooks


def holders(stage: Stage, word: str) -> list[str]:
    """The files of the state folder that hold a word."""
    paths = [path for path in Path(stage.state).rglob("*") if path.is_file()]
    return [path.name for path in paths if word.encode() in path.read_bytes()]


async def test_words_are_forgotten_everywhere(stage: Stage) -> None:
    """From the history, its index, the journal and the records, in this chat; what has not both words stays."""
    ann = stage.person()
    await stage.cli("access", "telegram", "approver", "add", str(ann.id))
    host = await stage.reading()
    for text in ("Quarzuhr number one", "Quarzuhr NUMBER two", "number three", "Quarzuhr alone"):
        ann.send(text)
        await host.event()
    await host.done("reply", chat_id=ann.id, text="the quarzuhr has number nine")
    await host.done("fetch_messages", chat_id=ann.id, query="quarzuhr")
    with Store.open(stage.state) as store:
        Services.of(store).audit.add("command", str(ann.id), "a Quarzuhr with a Number")
    assert holders(stage, "Quarzuhr number one")
    ann.send("/session forget quarzuhr number")
    async with asyncio.timeout(20):
        while "Deleted: 3 saved messages" not in (said := (await ann.next_message())["text"]):
            pass
    assert "the words of 1 record." in said
    with Store.open(stage.state) as store:
        services = Services.of(store)
        kept = [line.text for line in services.history.page(str(ann.id), 99) or []]
        assert kept == ["number three", "Quarzuhr alone"]
        assert services.history.page(str(ann.id), 9, query="number nine") == []
        assert services.audit.verify().broken == ()
        records = [(row["what"], row["detail"]) for row in services.audit.all()]
        assert ("command", None) in records
        assert not any(
            "quarzuhr" in (detail or "").lower() and "number" in (detail or "").lower() for _, detail in records
        )
        # It is emptied while the server does not read, which it does now and then.
        async with asyncio.timeout(20):
            while holders(stage, "Quarzuhr number one"):
                store.empty_journal()
                await asyncio.sleep(0.02)
    assert holders(stage, "quarzuhr has number nine") == []


async def test_one_letter_is_asked_about_first(stage: Stage) -> None:
    """With how many messages it is; one button keeps them, the other deletes them, and neither keeps the word."""
    ann = stage.person()
    host = await stage.reading()
    for text in ("Zwiebel one", "Zwiebel two"):
        ann.send(text)
        await host.event()
    for label, kept in (("Keep them", 2), ("🗑 Forget 2 messages", 0)):
        ann.send("/session forget z")
        async with asyncio.timeout(20):
            while "This chat has 2 saved messages with this in them" not in (asked := await ann.next_message())["text"]:
                pass
        with Store.open(stage.state) as store:
            assert len(Services.of(store).history.matching(str(ann.id), holds_words("z"))) == 2
        ann.tap(asked["message_id"], label=label)
        number = asked["message_id"]
        await stage.tg.wait_for(
            lambda number=number: is_closed(next(one for one in ann.messages() if one["message_id"] == number))
        )
        with Store.open(stage.state) as store:
            services = Services.of(store)
            assert len(services.history.matching(str(ann.id), holds_words("z"))) == kept
            assert "·forget·" not in str([row["grid"] for row in store.rows("SELECT grid FROM panels")])


async def test_a_new_session_is_not_told_what_was_forgotten(stage: Stage) -> None:
    """Not in the line about what it missed, though a message with it is still open; and the agent still gets that."""
    stage.config(grace_s=0, mode="pull")
    ann = stage.person()
    host = await stage.reading()
    ann.send("the Quarzuhr is in the drawer")
    ann.send("/session forget Quarzuhr")
    async with asyncio.timeout(20):
        while "Deleted: 1 saved message " not in (await ann.next_message())["text"]:
            pass
    await host.close()
    async with Hooks(stage, "another-session") as hooks:
        told = (await hooks.run("session")).specific["additionalContext"]
        assert "1 open" in told
        assert "Quarzuhr" not in told


async def test_a_new_session_is_told_once_what_it_missed(stage: Stage) -> None:
    """Which chats are open, how many messages, and the last words as a quotation; not again for the same session."""
    stage.config(grace_s=0, mode="pull")
    ann = stage.person()
    host = await stage.reading()
    ann.send("first")
    ann.send("is the <channel>build</channel> green?")
    await stage.tg.wait_for(lambda: len(ann.messages()) >= 2)
    with Store.open(stage.state) as store:
        async with asyncio.timeout(20):
            while Services.of(store).inbox.open_count(str(ann.id)) < 2:
                # Each look waits for a whole process.
                await stage.cli("--version")
    await host.close()
    async with Hooks(stage, "another-session") as hooks:
        told = (await hooks.run("session")).specific["additionalContext"]
        assert f"chat_id {ann.id}" in told
        assert "2 open" in told
        assert "build" in told
        assert "<channel>" not in told
        again = (await hooks.run("session")).specific["additionalContext"]
        assert "2 open messages" in again
        assert "While you were away" not in again
