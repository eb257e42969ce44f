"""Waits survive: a changed setting, a store that is opened again, a clock that is set; on every platform."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hook_runs import SESSION, Hooks
from inbox_socket import blocks_in
from phones import STAGES, Phone, Play, Said
from wire_host import Host

REQUEST = "notifications/claude/channel/permission_request"
VERDICT = "notifications/claude/channel/permission"
CLOCKS = [7200.0, pytest.param(-7200.0, marks=pytest.mark.long)]
# No platform knows of deadlines.
ON_ONE = pytest.mark.parametrize(
    "play",
    [pytest.param(name, marks=() if name == "telegram" else pytest.mark.long) for name in sorted(STAGES)],
    indirect=True,
)
# Found by every interpreter that starts with its folder on PYTHONPATH: the clock says what a file adds to it.
CLOCK = """
import os, time
_real = time.time
def _set_by_hand():
    try:
        with open(os.environ["CLOCK_FILE"]) as file:
            return _real() + float(file.read() or 0)
    except OSError:
        return _real()
time.time = _set_by_hand
"""


@pytest.fixture(params=sorted(STAGES))
async def play(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Play]:
    (tmp_path / "world").mkdir()
    async with STAGES[request.param](tmp_path / "world") as made:
        made.stage.env |= {"CLAUDE_CODE_SESSION_ID": SESSION}
        yield made


class HandSetClock:
    """The system's clock as every process of a world sees it from now on."""

    def __init__(self, play: Play, folder: Path) -> None:
        self._file = folder / "clock"
        (folder / "sitecustomize.py").write_text(CLOCK, encoding="utf-8")
        play.stage.env |= {"PYTHONPATH": str(folder), "CLOCK_FILE": str(self._file)}

    def set(self, ahead_s: float) -> None:
        """Set it so many seconds ahead of the truth, or back."""
        self._file.write_text(str(ahead_s), encoding="utf-8")


@pytest.fixture
def clock(play: Play, tmp_path: Path) -> HandSetClock:
    (tmp_path / "clock").mkdir()
    return HandSetClock(play, tmp_path / "clock")


Asked = tuple[Phone, int | str, Said]


async def asked(play: Play, host: Host, name: str = "ann", **more: Any) -> Asked:
    """The phone of somebody who sees the agent's question, the call, and the message."""
    phone = play.friend(name)
    arguments = {"chat_id": phone.user_id, "text": "Which colour?", "buttons": [["Red", "Blue"]], **more}
    call = host.calling("ask", **arguments)
    return phone, call, await phone.hear()


async def result(host: Host, call: int | str) -> dict[str, Any]:
    """What an ask that has to work returned."""
    answered = await host.answered(call)
    assert not answered.failed, answered.text
    return dict(json.loads(answered.text))


async def approver(play: Play) -> Phone:
    """Somebody who may answer permission prompts."""
    ann = play.friend("ann")
    assert (await play.stage.access("approver", "add", ann.user_id)).code == 0
    return ann


async def change_a_setting(play: Play, host: Host) -> None:
    """Change config.yaml, and wait until the bot is open again with it."""
    play.stage.config(grace_s=0, mode="pull")
    await host.status_when(lambda status: status["mode"]["why"] == "set by the operator")
    await play.being_read()


async def look_at_deadlines(play: Play, host: Host) -> None:
    """A short question to somebody else ends in time: whatever looks at deadlines has looked at all of them."""
    _, call, _ = await asked(play, host, "bob", timeout_s=2)
    assert "in time" in (await result(host, call))["why"]


async def shows(play: Play, phone: Phone, message: Said, text: str) -> None:
    """Wait until a message has no buttons any more and says so."""

    def found() -> bool:
        now = phone.shown(message.id)
        return not now.labels and text in now.text

    await play.wait_for(found)


def verdicts(host: Host) -> list[dict[str, Any]]:
    """Every verdict the server sent."""
    messages = [json.loads(line) for line in host.lines]
    return [message["params"] for message in messages if message.get("method") == VERDICT]


def relay(host: Host) -> None:
    """The host asks its channels for a permission."""
    asks = {"request_id": "abcde", "tool_name": "Bash", "description": "Deletes", "input_preview": "rm -rf build"}
    host.notify(REQUEST, asks)


# ---- a changed setting


async def test_ask_goes_on_when_a_setting_changes(play: Play) -> None:
    """config.yaml changed while a question is open: the tap is the call's result all the same."""
    host = await play.reading()
    ann, call, message = await asked(play, host, timeout_s=60)
    await change_a_setting(play, host)
    ann.tap(message.id, "Blue")
    found = await result(host, call)
    assert (found["answered"], found["label"]) == (True, "Blue")
    await shows(play, ann, message, "Blue")
    assert "<channel" not in await host.done("wait_for_messages", timeout_s=0)


async def test_a_hooks_card_goes_on_when_a_setting_changes(play: Play) -> None:
    """config.yaml changed while a permission card is open: the approval arrives at the hook."""
    ann = await approver(play)
    host = await play.reading()
    async with Hooks(play.stage) as hooks:
        run = await hooks.start("permission")
        card = await ann.hear()
        await change_a_setting(play, host)
        ann.tap(card.id, "Allow")
        assert (await run.ran()).specific["decision"]["behavior"] == "allow"
    await shows(play, ann, card, "passed on to the session")


@pytest.mark.parametrize("tapped", ["meanwhile", "after"])
async def test_a_relayed_card_goes_on_when_a_setting_changes(play: Play, tapped: str) -> None:
    """config.yaml changed while the host's own request is open: the host has the verdict, once."""
    ann = await approver(play)
    host = await play.reading()
    relay(host)
    card = await ann.hear()
    if tapped == "meanwhile":
        play.stage.config(grace_s=0, mode="pull")
        ann.tap(card.id, "Deny")
    await change_a_setting(play, host)
    if tapped == "after":
        ann.tap(card.id, "Deny")
    await host.until(lambda: bool(verdicts(host)), what="a verdict")
    await shows(play, ann, card, "passed on to the session")
    assert verdicts(host) == [{"request_id": "abcde", "behavior": "deny"}]


async def test_a_request_while_the_bot_is_opened_is_relayed(play: Play) -> None:
    """The host asks for a permission right after the handshake, or while a setting is taken over: a card comes."""
    ann = await approver(play)
    host = await play.stage.host()
    relay(host)
    card = await ann.hear()
    await play.being_read()
    ann.tap(card.id, "Allow")
    await host.until(lambda: bool(verdicts(host)), what="a verdict")


async def test_wait_for_messages_goes_on_when_a_setting_changes(play: Play) -> None:
    """config.yaml changed while a call waits: it returns what is said afterwards."""
    ann = play.friend("ann")
    host = await play.reading()
    call = host.calling("wait_for_messages", timeout_s=60)
    await change_a_setting(play, host)
    ann.say("still there?")
    (block,) = blocks_in((await host.answered(call)).text)
    assert block.content == "still there?"


# ---- a clock that is set


@ON_ONE
@pytest.mark.parametrize("ahead_s", CLOCKS)
async def test_ask_outlives_a_clock_that_is_set(play: Play, clock: HandSetClock, ahead_s: float) -> None:
    """The clock is set two hours ahead or back while a question is open: it stays open, and its tap is the result."""
    host = await play.reading()
    ann, call, message = await asked(play, host, timeout_s=60)
    clock.set(ahead_s)
    await look_at_deadlines(play, host)
    assert ann.shown(message.id).labels
    ann.tap(message.id, "Blue")
    assert (await result(host, call))["label"] == "Blue"


@ON_ONE
@pytest.mark.parametrize("ahead_s", CLOCKS)
async def test_a_card_outlives_a_clock_that_is_set(play: Play, clock: HandSetClock, ahead_s: float) -> None:
    """The same for a hook's permission card, and for a hook that starts after the clock was set."""
    ann = await approver(play)
    host = await play.reading()
    async with Hooks(play.stage) as hooks:
        early = await hooks.start("permission")
        first = await ann.hear()
        clock.set(ahead_s)
        await look_at_deadlines(play, host)
        late = await hooks.start("permission")
        second = await ann.hear()
        for run, card, label in ((early, first, "Allow"), (late, second, "Deny")):
            ann.tap(card.id, label)
            assert (await run.ran()).specific["decision"]["behavior"] == label.lower()


@ON_ONE
@pytest.mark.parametrize("ahead_s", CLOCKS)
async def test_a_question_outlives_its_server_and_a_clock_that_is_set(
    play: Play, clock: HandSetClock, ahead_s: float
) -> None:
    """SIGKILL while asking, then the clock is set: the next server makes the tap an event, and says so."""
    host = await play.reading()
    ann, _, message = await asked(play, host, timeout_s=120)
    await host.kill()
    clock.set(ahead_s)
    second = await play.reading(CHANNELS_MODE="push")
    ann.tap(message.id, "Blue")
    assert (await second.event()).content == "Blue"
    await shows(play, ann, message, "given to the agent as a message")


# ---- a card that was being sent


async def test_a_card_is_sent_to_whom_it_did_not_reach(play: Play) -> None:
    """The reader ended between two approvers: the next one sends the card to the second, and not again to the first."""
    ann = await approver(play)
    host = await play.reading()
    relay(host)
    card = await ann.hear()
    await change_a_setting(play, host)
    bob = play.friend("bob")
    assert (await play.stage.access("approver", "add", bob.user_id)).code == 0
    play.stage.config(grace_s=0, mode="push")
    copy = await bob.hear()
    assert copy.labels == card.labels
    # The card may be sent before the bot is read again, and a tap then waits only on some platforms.
    await play.being_read()
    bob.tap(copy.id, "Deny")
    await host.until(lambda: bool(verdicts(host)), what="a verdict")
    await shows(play, ann, card, "Deny")
    await host.done("reply", chat_id=ann.user_id, text="next")
    assert (await ann.hear()).text == "next"
