"""Commands typed in a chat, on every platform: behind the gate, answered without the agent."""

from __future__ import annotations

import asyncio
import json
import re

from hook_runs import bound
from phones import Play, named


async def test_inbox_lists_what_waits_in_this_chat(play: Play) -> None:
    """/inbox names what is open here with its age, ten at most, and nothing of other chats; answered, it is empty."""
    ann, bob = play.friend("ann"), play.friend("bob")
    host = await play.reading()
    ann.say("/inbox")
    assert (await ann.hear()).text == "No messages in this chat are waiting for the agent."
    bob.say("for bob's eyes")
    for number in range(12):
        ann.say(f"line {number} <b>")
    await host.take(13)
    ann.say("/inbox")
    listed = (await ann.hear()).text
    assert "12 waiting in this chat:" in listed
    assert "line 0" in listed
    assert "line 9" in listed
    assert "line 10" not in listed
    assert "and 2 more" in listed
    assert re.search(r"• \d+ s, with the agent – line 0", listed)
    assert "bob's" not in listed
    await host.done("reply", chat_id=ann.chat_id, text="all done")
    assert (await ann.hear()).text == "all done"
    ann.say("/inbox")
    assert (await ann.hear()).text == "No messages in this chat are waiting for the agent."
    assert host.events[-1].content != "/inbox"


async def test_cancel_closes_the_open_questions_of_this_chat(play: Play) -> None:
    """/cancel says how many it closed; a panel shows it, an `ask` returns at once, another chat's stay open."""
    ann, bob = play.friend("ann"), play.friend("bob")
    host = await play.reading()
    for phone in (ann, bob):
        phone.say("hello")
        await host.event()
        await host.done("reply", chat_id=phone.chat_id, text="Which one?", buttons=[["This", "That"]])
    grid, other = await ann.hear(), await bob.hear()
    asking = host.calling("ask", chat_id=ann.chat_id, text="Sure?", buttons=[["Yes", "No"]], timeout_s=60)
    question = await ann.hear()
    await bound(play.stage, {"message_id": question.id})
    ann.say("/cancel")
    result = json.loads((await host.answered(asking)).text)
    assert result["answered"] is False
    assert (await ann.hear()).text == "2 questions closed."
    for message in (grid, question):
        await play.wait_for(lambda message=message: "Cancelled" in ann.shown(message.id).text)
        assert ann.shown(message.id).labels == []
    assert "closed" in await ann.tap_again(grid.id)()
    assert bob.shown(other.id).labels == [["This", "That"]]
    ann.say("/cancel")
    assert (await ann.hear()).text == "There are no open questions here that you can cancel."


async def test_cancel_leaves_what_is_for_somebody_else(play: Play) -> None:
    """A question that only others may answer is not taken back by somebody who may not."""
    ann = play.friend("ann")
    host = await play.reading()
    ann.say("hello")
    await host.event()
    await host.done("reply", chat_id=ann.chat_id, text="Bob?", buttons=[["Yes"]], tappers=["424242424242424242"])
    grid = await ann.hear()
    ann.say("/cancel")
    assert "no open question" in (await ann.hear()).text
    assert ann.shown(grid.id).labels == [["Yes"]]


async def test_session_status_says_who_reads_and_what_is_kept(play: Play) -> None:
    """/session status names the host, the project, the mode and since when, and how much history there is."""
    ann = play.friend("ann")
    host = await play.reading()
    ann.say("/session status")
    told = (await ann.hear()).text
    for word in ("claude-code", "project project", "push", "No messages from this chat are saved"):
        assert word in told
    ann.say("hello")
    await host.event()
    ann.say("/session status")
    assert "Saved messages from this chat: 1" in (await ann.hear()).text
    ann.say("/session")
    assert named(play, "/session clear") in (await ann.hear()).text


async def test_status_tells_approvers_which_agent_is_attached(play: Play) -> None:
    """/status says whether the bot is connected, and to an approver also the host, the project and the mode."""
    ann, bob = play.friend("ann"), play.friend("bob")
    assert (await play.stage.access("approver", "add", ann.user_id)).code == 0
    await play.reading()
    for phone, told in ((ann, True), (bob, False)):
        phone.say("/status")
        said = (await phone.hear()).text
        assert "Connected as" in said
        assert all((word in said) is told for word in ("claude-code", "project project", "push"))


async def test_end_says_whether_a_session_waited(play: Play) -> None:
    """/end is in /help, and does not claim to have ended what was not there."""
    ann = play.friend("ann")
    await play.reading()
    ann.say("/help")
    assert f"{named(play, '/end')} – end the terminal session's waiting" in (await ann.hear()).text
    ann.say("/end")
    assert (await ann.hear()).text == "No terminal session is waiting for messages."


async def test_session_clear_forgets_this_chat_and_tells_the_agent(play: Play) -> None:
    """What was said and answered here is gone from history, inbox and panels; what is open stays; others' stays too."""
    ann, bob = play.friend("ann"), play.friend("bob")
    host = await play.reading()
    for phone in (ann, bob):
        phone.say(f"the secret of {phone.name}")
        await host.event()
        await host.done("reply", chat_id=phone.chat_id, text="Kept?", buttons=[["Sure"]])
        phone.tap((await phone.hear()).id, "Sure")
        await host.event()
        await host.done("reply", chat_id=phone.chat_id, text="kept")
    ann.say("still open")
    await host.event()
    assert (await ann.hear()).text == "kept"
    ann.say("/session clear")
    event = await host.event()
    assert event.meta["session"] == "clear"
    assert event.meta["chat_id"] == ann.chat_id
    assert "start over" in event.content
    assert (await ann.hear()).text.startswith("Saved messages deleted: 5.")
    found = json.loads(await host.done("fetch_messages", chat_id=ann.chat_id, query="secret"))
    assert (found["messages"], found["kept_since"]) == ([], None)
    assert (await host.status())["inbox"]["open"] == 2
    left = await play.stage.cli("inbox", play.stage.channel, "--json")
    assert "secret of ann" not in left.out
    assert "secret of bob" in left.out
    assert "still open" in left.out
    assert "secret of bob" in (await play.stage.cli("history", "export", play.stage.channel)).out
    await host.done("reply", chat_id=ann.chat_id, text="ready")
    assert (await host.status())["inbox"]["open"] == 0


async def test_commands_are_for_those_who_are_let_in(play: Play) -> None:
    """A stranger who types a command learns nothing and changes nothing: they get a code, like for anything else."""
    eve = play.stranger("eve")
    host = await play.reading()
    eve.say("/session clear")
    assert "pairing code" in (await eve.hear()).text
    eve.say("/inbox")
    assert "pairing code" in (await eve.hear()).text
    assert host.events == []


async def test_commands_work_while_the_agent_is_busy(play: Play) -> None:
    """Ten commands at once are each answered, while a host does not read."""
    ann = play.friend("ann")
    host = await play.reading()
    host.stop_reading()
    for _ in range(5):
        ann.say("/status")
        ann.say("/help")
    async with asyncio.timeout(30):
        heard = [(await ann.hear()).text for _ in range(10)]
    assert sum(named(play, "/session export") in text for text in heard) == 5
    assert sum("Every message has been answered" in text for text in heard) == 5
    host.go_on_reading()
