"""The scripted agent of the sandbox: its turns tell the server what a real host's hooks do, and obey the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_channels.core.host.hook_call import EVENTS, HookCall, hook_entry
from agent_channels.core.host.turns import Turn
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.agent.host import ChannelEvent, ScriptedHost, ToolCall, ToolResult, events_in
from agent_channels.sandbox.agent.tasks import FAKE_TOKEN
from agent_channels.sandbox.agent.turn import AgentSession, HostTurn, TurnStopped
from agent_channels.sandbox.page import channel_server
from agent_channels.sandbox.page.run import Page, open_page
from agent_channels.sandbox.telegram.people import TelegramPerson

pytestmark = [pytest.mark.long, pytest.mark.cold]

PATIENCE_S = 60


class Answering(ScriptedHost):
    """A host whose server gives the answers of a script; `calls` are the hooks that it was told of."""

    def __init__(self, answers: Mapping[str, dict[str, Any]]) -> None:
        self.answers, self.calls = dict(answers), []

    async def call_hook(self, server: str, event: str, values: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((f"{server}: {event}", values))
        return self.answers.get(event, {})

    async def call(self, call: ToolCall) -> ToolResult:
        self.calls.append((call.tool, call.arguments))
        return ToolResult(call, "sent", failed=False)


def turn_of(tmp_path: Any, answers: Mapping[str, dict[str, Any]]) -> tuple[HostTurn, list[str], list[str], Any]:
    """Return a turn with these answers, what steered it, what ran, and a tool."""
    steered: list[str] = []
    ran: list[str] = []

    async def steer(events: Any) -> None:
        steered.extend(event.content for event in events)

    async def run() -> None:
        ran.append("ran")

    host = Answering(answers)
    return HostTurn(host, AgentSession.begin("telegram", {}, tmp_path), steer), steered, ran, run


STOP = {"continue": False, "stopReason": "Stopped from the chat"}
DENIED = {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny"}}


async def test_a_turn_obeys_as_a_real_host(tmp_path: Any) -> None:
    """What is denied does not run; a turn told to end still runs its tool, and nothing after it; context is taken."""
    turn, _, ran, run = turn_of(tmp_path, {"PreToolUse": DENIED})
    assert await turn.use("Bash", {"command": "x"}, run) is False
    assert ran == []
    turn, _, ran, run = turn_of(tmp_path, {"PreToolUse": STOP | DENIED})
    with pytest.raises(TurnStopped, match="Stopped from the chat"):
        await turn.use("Bash", {"command": "x"}, run)
    assert ran == []
    turn, _, ran, run = turn_of(tmp_path, {"PreToolUse": STOP})
    with pytest.raises(TurnStopped):
        await turn.use("Bash", {"command": "x"}, run)
    assert ran == ["ran"]
    turn, _, ran, run = turn_of(tmp_path, {"PostToolBatch": STOP})
    with pytest.raises(TurnStopped):
        await turn.use("Bash", {"command": "x"}, run)
    assert ran == ["ran"]
    block = ChannelEvent("use tabs", {"chat_id": "1"}).block("telegram")
    added = {"hookSpecificOutput": {"hookEventName": "PostToolBatch", "additionalContext": f"While you work:\n{block}"}}
    turn, steered, ran, run = turn_of(tmp_path, {"PostToolBatch": added})
    assert await turn.use("Bash", {"command": "x"}, run) is True
    assert (steered, ran) == (["use tabs"], ["ran"])
    turn, _, _, _ = turn_of(tmp_path, {"PreToolUse": STOP})
    with pytest.raises(TurnStopped):
        await turn.reply({"chat_id": "1", "text": "never sent"})
    assert [name for name, _ in turn._host.calls] == ["telegram: PreToolUse"]  # type: ignore[attr-defined]


def test_a_message_is_read_as_it_was_shown() -> None:
    """A block gives back the message that it was made of, whatever stands in it."""
    for content, meta in (
        ("two\nlines", {"chat_id": "1", "user": 'Ann "the boss" & co'}),
        ("", {}),
        ("<b>not</b> a frame", {"button_label": "<Yes>", "delivery_id": "7.8"}),
    ):
        event = ChannelEvent(content, meta)
        assert events_in(f"before {event.block('telegram')} after\n{event.block('telegram')}") == [event, event]


@pytest.mark.parametrize("event", EVENTS)
def test_the_hook_that_settings_hold_is_understood(event: str) -> None:
    """Every entry, filled in from an event's JSON, is a call that the server knows."""
    assert HookCall.of({**hook_entry(event, "telegram")["input"]}) is not None


@asynccontextmanager
async def page_of(monkeypatch: pytest.MonkeyPatch, step_s: float) -> AsyncIterator[Page]:
    """The sandbox, with tools that take so long."""
    made = channel_server.ScriptedAgent

    def agent(host: ScriptedHost, session: AgentSession) -> Any:
        return made(host, session, step_s=step_s)

    monkeypatch.setattr(channel_server, "ScriptedAgent", agent)
    async with open_page(0, scripted=True, channels=("telegram",)) as up:
        yield up


def turns(page: Page) -> list[Turn]:
    """The turns in which tools were used, newest first."""
    with Store.open_read_only(page.scene.server("telegram").state_dir / "channel.db") as store:
        return [turn for turn in Services.of(store).turns.newest(50) if turn.detail.steps]


def working(page: Page) -> bool:
    """Whether any turn goes on."""
    with Store.open_read_only(page.scene.server("telegram").state_dir / "channel.db") as store:
        return bool(Services.of(store).turns.running())


async def until(page: Page, expected: Callable[[list[Turn]], bool]) -> list[Turn]:
    """Return the turns once they are as expected."""
    async with asyncio.timeout(PATIENCE_S):
        while not expected(found := turns(page)):  # noqa: ASYNC110
            # Another process's commits send no signal.
            await asyncio.sleep(0.05)
    return found


async def told(person: TelegramPerson, words: str) -> str:
    """Return the next message to a person that has these words."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            text = str((await person.next_message(PATIENCE_S)).get("text", ""))
            if words in text:
                return text


async def test_a_longer_task_is_played_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps, plan, files and a masked secret are known to the server; the answer comes by `reply`, and only once."""
    async with page_of(monkeypatch, 0.01) as page:
        ann = page.scene.tg.people["ann"]
        ann.send("fix the tests")
        assert "Every test passes." in await told(ann, "Every test passes.")
        (turn,) = await until(page, lambda found: bool(found) and found[0].ended_at is not None)
        assert (turn.ending, turn.detail.steps, len(turn.detail.files)) == ("done", 8, 2)
        assert all(done for _, _, done in turn.detail.plan)
        assert "Bash: export NPM_TOKEN=[secret] && npm test -- --all" in turn.detail.recent
        texts = [message.get("text", "") for message in ann.messages()]
        assert not [text for text in texts if FAKE_TOKEN in text or "Said at the terminal" in text]


async def test_a_short_answer_ends_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once somebody has it, nothing is worked on any more."""
    async with page_of(monkeypatch, 0.01) as page:
        ann = page.scene.tg.people["ann"]
        ann.send("hello")
        await told(ann, "scripted agent")
        await until(page, lambda _: not working(page))


async def test_rich_answers_can_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task list that is ticked off in place, and output that folds."""
    async with page_of(monkeypatch, 0.01) as page:
        tg, ann = page.scene.tg, page.scene.tg.people["ann"]

        def rich() -> str:
            return str([message["rich_message"]["blocks"] for message in ann.messages() if "rich_message" in message])

        ann.send("task list")
        await tg.wait_for(lambda: rich().count("'is_checked': True") == 3, PATIENCE_S)
        ann.send("long output")
        await tg.wait_for(lambda: "details" in rich(), PATIENCE_S)
        assert len([message for message in ann.messages() if "rich_message" in message]) == 2


async def test_it_is_steered_and_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written in the middle is taken up, and the agent says so; /stop ends the turn, which does not answer."""
    async with page_of(monkeypatch, 1.0) as page:
        ann = page.scene.tg.people["ann"]
        ann.send("fix the tests")
        await until(page, bool)
        ann.send("use tabs")
        assert await told(ann, "take it up") == "I read this in the middle of my work, and take it up: use tabs"
        ann.send("/stop")
        await told(ann, "Stopped by")
        ann.send("hello again")
        await told(ann, "You said: hello again")
        (turn,) = turns(page)
        assert turn.ending == "stopped"
        assert not [text for m in ann.messages() if "Every test" in (text := m.get("text", ""))]


async def test_work_asked_for_meanwhile_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second task waits for the first; that a dialog waits at the terminal is told in its own turn."""
    async with page_of(monkeypatch, 0.5) as page:
        ann = page.scene.tg.people["ann"]
        ann.send("fix the tests")
        await until(page, bool)
        ann.send("dialog")
        await told(ann, "Every test passes.")
        await told(ann, "waiting for somebody at the terminal")
        await told(ann, "Somebody answered at the terminal")
        await until(page, lambda found: [turn.ending for turn in found] == ["done", "done"])


async def test_an_answer_at_the_terminal_is_forwarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent says nothing in the chat: its last words are sent there, marked, once."""
    async with page_of(monkeypatch, 0.01) as page:
        ann = page.scene.tg.people["ann"]
        ann.send("at the terminal")
        assert "41 seconds" in await told(ann, "Said at the terminal")
        ann.send("hello")
        await told(ann, "scripted agent")
        assert sum("41 seconds" in message.get("text", "") for message in ann.messages()) == 1


async def test_the_limit_is_told_and_the_message_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """StopFailure: the chat is told in words, and the message comes again to the next server, where it is done."""
    async with page_of(monkeypatch, 0.01) as page:
        ann = page.scene.tg.people["ann"]
        ann.send("usage limit")
        assert "resets at 3pm" in await told(ann, "usage limit")
        assert turns(page)[0].ending == "failed"
        await page.servers["telegram"].kill()
        await page.servers["telegram"].start()
        await told(ann, "I can work again: done.")


def card(person: TelegramPerson, words: str, label: str) -> int | None:
    """The id of the newest message with these words and a button with this label; None if there is none."""
    for message in reversed(person.inbox):
        keys = [key for row in message.get("reply_markup", {}).get("inline_keyboard", []) for key in row]
        if words in message.get("text", "") and label in [key["text"] for key in keys]:
            return int(message["message_id"])
    return None


async def tap(page: Page, person: TelegramPerson, words: str, label: str) -> None:
    """Waits for a card with these words and this button, and taps it."""
    found = await page.scene.tg.wait_for(lambda: card(person, words, label), 30)
    person.tap(found, label=label)


async def test_permissions_are_asked_by_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit and a command are asked for on cards; what is denied does not happen; the session's rules are kept."""
    async with page_of(monkeypatch, 0.01) as page:
        ann = page.scene.tg.people["ann"]
        ann.send("edit a file")
        await told(ann, "for permission: Edit")
        # The newest message may be the one that shows the turn.
        await tap(page, ann, "for permission: Edit", "Allow for this session")
        assert "git push origin main" in await told(ann, "for permission: Bash")
        await tap(page, ann, "for permission: Bash", "Deny")
        await told(ann, "it is not published")
        done = ["Read: src/price.py", "Edit: src/price.py", "Bash: git push origin main"]
        await until(page, lambda found: bool(found) and found[0].detail.recent == done)
        ann.send("edit a file")
        # The edit is not asked for again.
        assert "for permission: Bash" in await told(ann, "for permission")
        await tap(page, ann, "for permission: Bash", "Allow once")
        await told(ann, "The correction is published.")
        await until(page, lambda found: bool(found) and found[0].detail.recent == done)
