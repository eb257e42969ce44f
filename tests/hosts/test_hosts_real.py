"""The real agent host with a scripted model: woken, rung for, handed over to, its prompts answered from the phone."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Stage, is_closed
from host_waits import answered, ended, stop_waits
from inbox_socket import blocks_in
from real_host import RealHost, answering
from scripted_model import Asked, ScriptedModel, say, use

pytestmark = pytest.mark.timeout(400)
Note = Callable[[str, str], None]
REPLY, WAIT = "mcp__telegram__reply", "mcp__telegram__wait_for_messages"
TABLE = "real host"


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel(answering) as made:
        yield made
        assert made.failed == []


def seen(model: ScriptedModel, text: str) -> list[Asked]:
    """The requests in which a text was news."""
    return [asked for asked in model.asked if text in asked.latest]


async def approver(stage: Stage) -> TelegramPerson:
    """Somebody paired who may answer permission prompts."""
    person = stage.person()
    assert (await stage.access("approver", "add", str(person.id))).code == 0
    return person


@pytest.mark.usefixtures("tmux")
async def test_an_idle_and_a_busy_session_are_written_to_by_their_socket(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """No flag, no hook, nobody at the keyboard: what somebody writes is brought before the model, and answered.

    While the model works, ten messages come: each is before it once, and each is answered once.
    """
    ann = stage.person()
    written = asyncio.Event()

    async def busy(asked: Asked) -> list[dict[str, Any]]:
        if "work on it" in asked.latest:
            await written.wait()
            return [use("mcp__telegram__channel_status")]
        return await answering(asked)

    model.script = busy
    async with RealHost(stage, model, program, hooks=False).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        took = []
        for number in range(7):
            text = f"message {number}"
            began = time.perf_counter()
            ann.send(text)
            await model.wait_for(lambda text=text: bool(seen(model, text)))
            took.append(seen(model, text)[0].at - began)
            assert (await ann.next_message())["text"] == f"got {text}"
        note("real host", f"idle session, socket: message to model request median {statistics.median(took):.2f} s, "
             f"at most {max(took):.2f} s of {len(took)}")  # fmt: skip
        await answered(stage, 7)
        assert "message 6" in await screen.shows("message 6")
        idle = len(model.asked)
        await screen.type("work on it")
        await model.wait_for(lambda: bool(seen(model, "work on it")))
        texts = [f"message number {number}." for number in range(10)]
        for text in texts:
            ann.send(text)
            await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0, 10)
        written.set()
        await stage.tg.wait_for(lambda: len(ann.inbox) >= 17, 30)
        await answered(stage, 17)
    shown = [block.content for asked in model.asked[idle:] for block in blocks_in(asked.latest)]
    requests = sum(bool(blocks_in(asked.latest)) for asked in model.asked[idle:])
    note(TABLE, f"busy turn: {len(shown)} of 10 shown, in {requests} requests")
    assert shown == texts
    assert [message["text"] for message in ann.inbox[7:]] == [f"got {text}" for text in texts]


@pytest.mark.usefixtures("tmux")
async def test_an_idle_session_whose_socket_is_refused_is_woken_by_the_bell(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """`crossSessionInbound: refuse`: what the socket does not carry, the bell rings for, and the agent fetches it."""
    stage.config(grace_s=0, escalate_after_s=2)
    ann = stage.person()
    async with RealHost(stage, model, program, crossSessionInbound="refuse").screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        for number in range(4):
            await screen.idle()
            text = f"message {number}."
            began = time.perf_counter()
            ann.send(text)
            await model.wait_for(lambda text=text: bool(seen(model, text)))
            first = seen(model, text)[0]
            note(TABLE, f"idle session, socket refused, bell: message {number} to model {first.at - began:.2f} s")
            assert "wait_for_messages" in first.latest
            assert (await ann.next_message())["text"] == f"got {text}"
            await answered(stage, number + 1)
    shown = [block.content for asked in model.asked for block in blocks_in(asked.latest)]
    assert shown == [f"message {number}." for number in range(4)]
    status = (await stage.cli("status", "telegram", "--json")).json
    assert status["inbox"]["answered"] == 4


async def test_a_session_without_a_screen_is_a_phone_session(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """-p: the Stop hook hands a message over, the reply's buttons are tapped, the tap is handed over, /end ends it."""
    stage.config(grace_s=0, stop_wait_s=60)
    ann = stage.person()

    async def asking(asked: Asked) -> list[dict[str, Any]]:
        blocks = blocks_in(asked.latest)
        if blocks and "button" not in blocks[0].meta:
            chat_id = blocks[0].meta["chat_id"]
            return [use(REPLY, chat_id=chat_id, text="Which colour?", buttons=[["Red", "Blue"]])]
        if blocks:
            return [use(REPLY, chat_id=blocks[0].meta["chat_id"], text=f"{blocks[0].content} it is")]
        # No model is so quick that it ends its turn before the server has started.
        await stage.tg.wait_for(lambda: stage.tg.polling)
        return [say("waiting")]

    model.script = asking
    async with RealHost(stage, model, program).printing("Be there for people.") as process:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await stop_waits(stage)
        began = time.perf_counter()
        ann.send("paint it")
        grid = await ann.next_message(30)
        note(TABLE, f"-p, Stop hook: message to buttons {time.perf_counter() - began:.2f} s")
        assert grid["text"] == "Which colour?"
        await stop_waits(stage)
        began = time.perf_counter()
        ann.tap(grid["message_id"], label="Blue")
        assert (await ann.next_message(30))["text"] == "Blue it is"
        note(TABLE, f"-p, Stop hook: tap to answer {time.perf_counter() - began:.2f} s")
        await answered(stage, 2)
        handed = [asked.latest for asked in model.asked if blocks_in(asked.latest)]
        assert len(handed) == 2
        assert all("came in by telegram" in text and "redelivered" not in text for text in handed), handed
        await stop_waits(stage)
        ann.send("/end")
        began = time.perf_counter()
        out, err = await ended(process)
        note(TABLE, f"-p: /end to the end of the session {time.perf_counter() - began:.2f} s")
        assert process.returncode == 0, err + out
    assert [message["text"] for message in ann.inbox[:2]] == ["Which colour?\n\n✅ Blue · ann", "Blue it is"]


async def test_a_permission_that_nobody_decides_is_not_given(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """-p: a command needs permission and nobody taps: it does not run, and its card is closed."""
    stage.config(grace_s=0, hook_bound_s=3)
    ann = await approver(stage)

    async def working(asked: Asked) -> list[dict[str, Any]]:
        if "Make the file" in asked.latest:
            await stage.tg.wait_for(lambda: stage.tg.polling, 30)
            return [use("Bash", command="touch made.txt", description="Makes a file")]
        return [say("done")]

    model.script = working
    async with RealHost(stage, model, program).printing("Make the file.") as process:
        card = await ann.next_message(40)
        assert "touch made.txt" in card["text"]
        began = time.perf_counter()
        out, err = await ended(process)
        note(TABLE, f"-p, permission, nothing: to the end of the session {time.perf_counter() - began:.2f} s")
        assert process.returncode == 0, err + out
    assert not (stage.project / "made.txt").exists()
    # The session may be over before its card is cleaned up; then the next one does it.
    await stage.reading(CHANNELS_CLAIM="always")
    await stage.tg.wait_for(lambda: is_decided(ann, card, "Closed without an answer"), 10)


def is_decided(ann: TelegramPerson, card: dict[str, Any], said: str) -> bool:
    """Whether a card has no buttons any more, and says what became of it."""
    shown = next(m for m in ann.messages() if m["message_id"] == card["message_id"])
    return is_closed(shown) and said in shown["text"]


async def test_what_is_allowed_for_the_session_is_not_asked_again(
    stage: Stage, model: ScriptedModel, program: Path
) -> None:
    """The same command runs a second time, and the same file is changed again, without a card; others ask again.

    The commands and files are such that a rule which is only a little wider would let them through as well. What is
    allowed once runs; what is denied does not, the model reads who said so, and each card says who decided what.
    """
    stage.config(grace_s=0, hook_bound_s=60)
    ann = await approver(stage)
    (stage.project / "a.txt").write_text("one\ntwo\n")
    made, edited = str(stage.project / "b.txt"), str(stage.project / "a.txt")
    steps = [
        use("Bash", command="touch made.txt"),
        use("Bash", command="touch made.txt"),
        use("Bash", command="touch made.txt too.txt"),
        use("Read", file_path=edited),
        use("Edit", file_path=edited, old_string="one", new_string="1"),
        use("Edit", file_path=edited, old_string="two", new_string="2"),
        use("Write", file_path=made, content="b"),
    ]

    async def working(asked: Asked) -> list[dict[str, Any]]:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        return [steps.pop(0)] if steps else [say("done")]

    model.script = working
    cards: list[tuple[dict[str, Any], str]] = []
    async with RealHost(stage, model, program).printing("Work.") as process:
        for shown, label in (
            ("touch made.txt\n\n“Allow for this session” allows Bash(touch made.txt), and nothing", "session"),
            ("touch made.txt too.txt", "once"),
            ("a.txt\n\n@@ -1,2 +1,2 @@\n-one\n+1\n two\n\n“Allow for this session” allows every change", "session"),
            ("b.txt (new file)", "Deny"),
        ):
            card = await ann.next_message(40)
            cards.append((card, label))
            assert shown in card["text"]
            keys = [key["text"] for row in card["reply_markup"]["inline_keyboard"] for key in row]
            assert keys == ["Allow once", "Deny", "Allow for this session"]
            ann.tap(card["message_id"], label=next(key for key in keys if key.endswith(label)))
        out, err = await ended(process)
        assert process.returncode == 0, err + out
    assert sum("asks for permission" in message.get("text", "") for message in ann.messages()) == 4
    assert any("Denied from the phone by ann" in asked.latest for asked in model.asked)
    assert (stage.project / "too.txt").exists()
    assert (stage.project / "a.txt").read_text() == "1\n2\n"
    assert not (stage.project / "b.txt").exists()
    assert not list(stage.project.glob(".claude/*")), "a rule for the session is not written to the project"
    # The session may be over before its last card is cleaned up; then the next one does it.
    await stage.reading(CHANNELS_CLAIM="always")
    for card, label in cards:
        await stage.tg.wait_for(lambda card=card, label=label: is_decided(ann, card, f"{label} · ann"), 10)


@pytest.mark.usefixtures("tmux")
async def test_prompts_in_a_terminal_are_answered_by_a_tap(
    stage: Stage, model: ScriptedModel, program: Path, note: Note
) -> None:
    """Beside the terminal's dialog: a tap decides on a permission, or is the answer to a question, and the dialog goes.

    AskUserQuestion's options are on the phone.
    """
    stage.config(grace_s=0, hook_bound_s=60)
    ann = await approver(stage)
    options = [{"label": "Red", "description": "like a rose"}, {"label": "Blue", "description": "like the sea"}]
    question = {"question": "Which colour?", "header": "Colour", "multiSelect": False, "options": options}

    async def working(asked: Asked) -> list[dict[str, Any]]:
        if "make the file" in asked.latest:
            return [use("Bash", command="touch made.txt", description="Makes a file")]
        if "let me choose" in asked.latest:
            return [use("AskUserQuestion", questions=[question])]
        return [say("done")]

    model.script = working
    async with RealHost(stage, model, program).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await screen.type("make the file")
        card = await ann.next_message(30)
        began = time.perf_counter()
        ann.tap(card["message_id"], label="Allow once")
        await model.wait_for(lambda: len(model.asked) > 1)
        note(TABLE, f"terminal, permission, Allow: tap to model {model.asked[1].at - began:.2f} s")
        assert (stage.project / "made.txt").exists()
        await screen.shows("done")
        await screen.type("let me choose")
        card = await asks(ann, "Which colour?")
        began = time.perf_counter()
        ann.tap(card["message_id"], label="Blue")
        await model.wait_for(lambda: "Blue" in model.asked[-1].latest and "let me" not in model.asked[-1].latest)
        note(TABLE, f"AskUserQuestion: tap to model {model.asked[-1].at - began:.2f} s")


async def asks(ann: TelegramPerson, text: str) -> dict[str, Any]:
    """The next message with a text, past what else is told meanwhile."""
    while text not in (message := await ann.next_message(30)).get("text", ""):
        pass
    return message


@pytest.mark.usefixtures("tmux")
async def test_a_permission_that_nobody_taps_stays_at_the_terminal(
    stage: Stage, model: ScriptedModel, program: Path
) -> None:
    """The card is closed after its time, and the terminal's dialog still stands and decides."""
    stage.config(grace_s=0, hook_bound_s=2)
    ann = await approver(stage)

    async def working(asked: Asked) -> list[dict[str, Any]]:
        if "make the file" in asked.latest:
            return [use("Bash", command="touch made.txt", description="Makes a file")]
        return [say("done")]

    model.script = working
    async with RealHost(stage, model, program).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        await screen.type("make the file")
        card = await ann.next_message(30)
        await stage.tg.wait_for(lambda: is_decided(ann, card, ""), 10)
        await screen.shows("Do you want to proceed?")
        await screen.press("Enter")
        await model.wait_for(lambda: len(model.asked) > 1)
        assert (stage.project / "made.txt").exists()


@pytest.mark.usefixtures("tmux")
async def test_a_cleared_conversation_is_still_rung_for(stage: Stage, model: ScriptedModel, program: Path) -> None:
    """/clear gives the session another id, which its servers never learn: hooks and bell go on all the same."""
    stage.config(grace_s=0, escalate_after_s=2)
    ann = stage.person()
    async with RealHost(stage, model, program, crossSessionInbound="refuse").screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        ann.send("before.")
        assert (await ann.next_message())["text"] == "got before."
        await answered(stage, 1)
        await screen.shows("done")
        await screen.type("/clear")
        await screen.shows("/clear")
        ann.send("after.")
        assert (await ann.next_message())["text"] == "got after."
        await answered(stage, 2)


@pytest.mark.usefixtures("tmux")
async def test_nothing_outlives_a_host_that_was_killed(stage: Stage, model: ScriptedModel, program: Path) -> None:
    """SIGKILL of the host: its bell and its server are gone a moment later, shells between them or not."""
    stage.person()
    async with RealHost(stage, model, program).screen() as screen:
        await stage.tg.wait_for(lambda: stage.tg.polling, 30)
        host = psutil.Process(await screen.host_pid())
        ours = [
            p for p in host.children(recursive=True) if {"serve", "bell"} & set(p.cmdline()) and "-c" not in p.cmdline()
        ]
        assert {p.cmdline()[-1] for p in ours} == {"telegram", "bell"}
        host.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, ours, 5)
        assert alive == []
