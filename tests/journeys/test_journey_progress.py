"""The status message of a turn, on every platform: seen while the agent works, stopped from, one line at the end."""

from __future__ import annotations

from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from hook_runs import SESSION, Hooks, bound, kept
from hooked_turns import HookedTurn
from phones import Phone, Play, Said, named

SECRET = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
EDITS = {"telegram": "editMessageText", "discord": "PATCH */messages/*"}
SENDS = {"telegram": "sendMessage", "discord": "POST */messages"}


@pytest.fixture(autouse=True)
def hook_mode(play: Play) -> None:
    play.stage.config(grace_s=0, progress_after_s=0)
    play.stage.env |= {"CHANNELS_MODE": "hook", "CLAUDE_CODE_SESSION_ID": SESSION}


async def asked(play: Play, phone: Phone, host: Any, text: str = "build it") -> HookedTurn:
    """A turn that works on what somebody wrote."""
    phone.say(text)
    await kept(play.stage)  # type: ignore[arg-type]
    turn = HookedTurn(host)
    assert text in await turn.prompt()
    return turn


async def shows(play: Play, phone: Phone, message: Said, *words: str) -> Said:
    """The message once it shows all of these words."""
    await play.wait_for(lambda: all(word in phone.shown(message.id).text for word in words))
    return phone.shown(message.id)


def make_approver(play: Play, phone: Phone) -> None:
    with Store.open(play.stage.state) as store:
        Services.of(store).access.set_approver(phone.user_id, approver=True)


async def test_a_turn_shows_what_it_does_and_ends_in_one_line(play: Play, hooks: Hooks) -> None:
    """Steps, what runs, the plan and a Stop button, with secrets masked, silent; at the end one line and no button."""
    ann = play.friend("ann")
    host = await play.reading()
    turn = await asked(play, ann, host)
    await turn.step("Edit", str(play.stage.project / "a.py"), file=str(play.stage.project / "a.py"))
    await turn.hook("TaskCreated", task="1", words="Write tests")
    await turn.hook("TaskCreated", task="2", words=f"Ship with {SECRET}")
    await turn.hook("TaskCompleted", task="1", words="")
    await turn.tool("Bash", f"export TOKEN={SECRET} && make")
    message = await ann.hear()
    shown = await shows(
        play,
        ann,
        message,
        "Working",
        "Edit: a.py",
        "Bash: export TOKEN=[secret] && make (0:",
        "☑ Write tests",
        "☐ Ship with ghp",
    )
    assert shown.labels == [["Stop"]]
    await turn.batch()
    await host.done("reply", chat_id=ann.chat_id, text="built")
    assert (await ann.hear()).text == "built"
    assert (await hooks.run("stop")).silent
    last = await shows(play, ann, message, "Done in")
    assert last.text.startswith("✅ Done in 0:")
    assert last.text.endswith(", 2 steps, 1 file")
    assert last.labels == []
    assert SECRET not in str([call.params for call in play.sandbox.calls])


async def test_stop_is_tapped(play: Play) -> None:
    """Words at once; the button goes, and what still runs is named; the turn ends, and a message says who did it."""
    ann = play.friend("ann")
    host = await play.reading()
    turn = await asked(play, ann, host)
    await turn.tool("Bash", "make all")
    message = await shows(play, ann, await ann.hear(), "make all")
    assert "Stopping" in await ann.tap(message.id, "Stop")()
    stopping = await shows(play, ann, message, "Stopping…", "make all")
    assert stopping.labels == []
    assert (await turn.batch())["continue"] is False
    assert (await ann.hear()).text.startswith("⏹ Stopped by ann after")
    # It says all that the status message would, which goes.
    await play.wait_for(lambda: not ann.is_there(message.id))


async def test_the_button_is_no_question(play: Play) -> None:
    """Neither its typed label, also as a reply, nor /cancel answers it: what is typed is a message like any other."""
    ann = play.friend("ann")
    host = await play.reading()
    turn = await asked(play, ann, host)
    await turn.tool("Bash", "make")
    message = await ann.hear()
    ann.say("/cancel")
    assert "no open question" in (await ann.hear()).text
    ann.say("Stop")
    ann.say("Stop", reply_to=message.id)
    await kept(play.stage, 2)  # type: ignore[arg-type]
    context = (await turn.batch())["hookSpecificOutput"]["additionalContext"]
    assert context.count(">Stop<") + context.count("\nStop\n") == 2
    assert ann.shown(message.id).labels == [["Stop"]]


async def test_progress_is_chosen_in_the_chat(play: Play, hooks: Hooks) -> None:
    """/progress says what is in force and changes it: off shows nothing, brief removes the message at the end."""
    ann = play.friend("ann")
    host = await play.reading()
    ann.say("/progress")
    in_force = (await ann.hear()).text
    assert "Progress in this chat: on" in in_force
    assert f"{named(play, '/progress')} off, brief, on or verbose" in in_force
    ann.say("/progress loud")
    assert (await ann.hear()).text == in_force
    ann.say("/progress off")
    assert (await ann.hear()).text == "Progress in this chat: off – nothing is shown while the agent works."
    turn = await asked(play, ann, host)
    await turn.step()
    ann.say("/progress brief")
    # In the middle of the turn it is shown from then on.
    told, message = sorted([await ann.hear(), await ann.hear()], key=lambda said: len(said.labels))
    assert "Progress in this chat: brief" in told.text
    assert message.labels == [["Stop"]]
    await host.done("reply", chat_id=ann.chat_id, text="built")
    assert (await ann.hear()).text == "built"
    assert (await hooks.run("stop")).silent
    await play.wait_for(lambda: not ann.is_there(message.id))


async def test_a_message_that_cannot_be_deleted_becomes_the_line(play: Play, hooks: Hooks) -> None:
    """progress: brief, on a message that the platform does not delete any more."""
    play.stage.config(grace_s=0, progress_after_s=0, progress="brief")
    ann = play.friend("ann")
    host = await play.reading()
    await asked(play, ann, host)
    message = await ann.hear()
    refused = {"ok": False, "error_code": 400, "description": "Bad Request: message can't be deleted"}
    play.sandbox.faults.add("error", method="deleteMessage", status=400, body=refused)
    play.sandbox.faults.add("error", method="DELETE *", status=403, body={"code": 50013, "message": "Missing"})
    play.sandbox.faults.add(
        "error", method="chat.delete", body={"ok": False, "error": "cant_delete_message"}, status=200
    )
    await host.done("reply", chat_id=ann.chat_id, text="built")
    assert (await hooks.run("stop")).silent
    assert (await shows(play, ann, message, "Done in")).labels == []


async def test_verbose_shows_words_and_what_began_at_the_terminal(play: Play) -> None:
    """In an approver's direct chat, and nobody else's; a turn of a person's is shown to that person as ever."""
    ann, bob = play.friend("ann"), play.friend("bob")
    make_approver(play, ann)
    host = await play.reading()
    for phone in (ann, bob):
        phone.say("/progress verbose")
        assert "Progress in this chat: verbose" in (await phone.hear()).text
    turn = HookedTurn(host)
    await turn.prompt()
    await turn.hook("MessageDisplay", words="First the tests.")
    await turn.tool("Bash", "make")
    message = await ann.hear()
    await shows(play, ann, message, "Bash: make", "💬 First the tests.")
    await asked(play, bob, host, "and lint")
    await shows(play, ann, message, "Interrupted at the terminal after")
    assert "Working" in (await bob.hear()).text
    ann.say("/status")
    while "Connected" not in (told := (await ann.hear()).text):
        pass
    assert "Working: 0:" in told


async def test_a_new_server_takes_the_message_over(play: Play) -> None:
    """Killed in the middle: the next one edits the same message, sends no second one, and writes the right end."""
    ann = play.friend("ann")
    host = await play.reading()
    turn = await asked(play, ann, host)
    await turn.tool("Bash", "make one")
    message = await shows(play, ann, await ann.hear(), "make one")
    await bound(play.stage, {"message_id": message.id})
    await host.kill()
    again = HookedTurn(await play.reading(), turn.id)
    await again.batch()
    await again.tool("Bash", "make two")
    await shows(play, ann, message, "· Bash: make one", "▸ Bash: make two")
    await again.hook("StopFailure", error="rate_limit", words="")
    while "usage limit" not in (await ann.hear()).text:
        pass
    last = await shows(play, ann, message, "Failed after")
    assert last.labels == []


async def test_a_host_that_is_gone_leaves_its_last_line(play: Play) -> None:
    """The turn of another session whose host says nothing any more: its message says that the session ended."""
    ann = play.friend("ann")
    host = await play.reading()
    await asked(play, ann, host)
    message = await ann.hear()
    await bound(play.stage, {"message_id": message.id})
    await host.kill()
    with Store.open(play.stage.state) as store, store.transaction() as db:
        db.execute("UPDATE turns SET seen_at = seen_at - 600")
    await play.reading(CLAUDE_CODE_SESSION_ID="another")
    assert (await shows(play, ann, message, "The session ended after")).labels == []


async def test_status_says_what_is_worked_on(play: Play) -> None:
    """`channels status`, as text and JSON, and the tool: since when, what runs, how many steps."""
    ann = play.friend("ann")
    host = await play.reading()
    turn = await asked(play, ann, host)
    await turn.step()
    await turn.tool("Bash", f"deploy --token {SECRET}")
    message = await ann.hear()
    await shows(play, ann, message, "deploy")
    status = await host.status()
    (working,) = status["working"]
    assert working["running"] == ["Bash: deploy --token [secret]"]
    assert (working["steps"], working["stopping"]) == (2, False)
    ran = await play.stage.cli("status", play.stage.channel)
    assert "working       since" in ran.out
    assert "Bash: deploy --token [secret] (2 steps)" in ran.out
