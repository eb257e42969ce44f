"""Permissions and questions of a host, by its hooks: shown in full to the approvers, decided once, or not at all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Stage
from hook_runs import INPUTS, HookRun, Hooks, bound
from wire_host import Host

# A hook waits up to 300 s for a decision (hook_bound_s); one that does not wait takes as long as it takes to start.
AT_ONCE_S = 10


async def approver(stage: Stage, handle: str = "ann") -> TelegramPerson:
    """Somebody paired who may answer permission prompts."""
    person = stage.person(handle)
    assert (await stage.access("approver", "add", str(person.id))).code == 0
    return person


async def reader(stage: Stage) -> Host:
    """A server that reads the bot, so that cards are shown."""
    return await stage.reading(CHANNELS_CLAIM="always")


def now(person: TelegramPerson, message: dict[str, Any]) -> dict[str, Any]:
    return next(m for m in person.messages() if m["message_id"] == message["message_id"])


def labels(message: dict[str, Any]) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row if "disabled" not in button]


async def ends(stage: Stage, person: TelegramPerson, card: dict[str, Any], text: str, timeout: float = 8) -> None:
    """Waits until no button of the card does anything and it says so."""

    def ended() -> bool:
        found = now(person, card)
        return not labels(found) and text in found["text"]

    await stage.tg.wait_for(ended, timeout)


@pytest.mark.parametrize(("label", "behavior"), [("Allow", "allow"), ("Deny", "deny")])
async def test_a_permission_is_decided_from_the_phone(stage: Stage, hooks: Hooks, label: str, behavior: str) -> None:
    """The card has the command as code, what it does above, who asks and where; the tap is printed, and shown."""
    ann = await approver(stage)
    await reader(stage)
    run = await hooks.start("permission")
    card = await ann.next_message()
    assert labels(card) == ["Allow", "Deny"]
    head, description, command, *_ = card["text"].split("\n\n")
    assert "Bash" in head
    assert (description, command) == ("Makes a file", "touch made.txt")
    (code,) = card["entities"]
    assert (code["type"], code["length"], code["language"]) == ("pre", len(command), "bash")
    assert stage.project.name in card["text"]
    ann.tap(card["message_id"], label=label)
    specific = (await run.ran()).specific
    assert specific["hookEventName"] == "PermissionRequest"
    assert specific["decision"]["behavior"] == behavior
    assert ("message" in specific["decision"]) is (behavior == "deny")
    await ends(stage, ann, card, f"{label} · ann – passed on to the session")


async def test_no_decision_in_time_leaves_the_terminal_its_dialog(stage: Stage, hooks: Hooks) -> None:
    """Time-out: exit 0 without output, the card is closed, a late tap is told that it is gone."""
    stage.config(grace_s=0, hook_bound_s=2)
    ann = await approver(stage)
    await reader(stage)
    run = await hooks.start("permission")
    card = await ann.next_message()
    data = card["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    ran = await run.ran()
    assert ran.silent
    assert 2 <= ran.took_s < AT_ONCE_S
    await ends(stage, ann, card, "⌛")
    late = await ann.tap(card["message_id"], data=data).answered()
    assert late.show_alert
    assert "ended" in late.text


async def test_nobody_reachable_is_no_decision_at_once(stage: Stage, hooks: Hooks) -> None:
    """No approver, or no server that would show the card: exit 0, no output, not the minutes a decision may take."""
    ann = stage.person()
    host = await reader(stage)
    for name in ("permission", "question"):
        ran = await hooks.run(name)
        assert ran.silent
        assert ran.took_s < AT_ONCE_S
    await stage.access("approver", "add", str(ann.id))
    await host.kill()
    for name in ("permission", "question"):
        ran = await hooks.run(name)
        assert ran.silent
        assert ran.took_s < AT_ONCE_S
    assert ann.inbox == []


async def test_an_approver_who_blocked_the_bot_is_not_waited_for(stage: Stage, hooks: Hooks) -> None:
    """The card reached nobody: no decision, soon."""
    ann = await approver(stage)
    await reader(stage)
    ann.send("hi")
    ann.block()
    ran = await hooks.run("permission")
    assert ran.silent
    assert ran.took_s < AT_ONCE_S


@pytest.mark.parametrize("lease", ["fresh", "over"])
async def test_a_killed_hook_takes_no_decision(stage: Stage, hooks: Hooks, lease: str) -> None:
    """The hook is gone: the card ends at its deadline, and a tap never claims that anything was decided."""
    stage.config(grace_s=0, hook_bound_s=4)
    ann = await approver(stage)
    await reader(stage)
    run = await hooks.start("permission")
    card = await ann.next_message()
    await run.kill()
    if lease == "over":
        with Store.open(stage.state) as store, store.transaction() as db:
            db.execute("UPDATE prompts SET lease_until = created_at")
        told = await ann.tap(card["message_id"], label="Allow").answered()
        assert told.show_alert
        assert "ended" in told.text
        await ends(stage, ann, card, "Closed without an answer")
    else:
        ann.tap(card["message_id"], label="Allow")
        await ends(stage, ann, card, "not delivered", 12)
    assert not any("passed on" in message.get("text", "") for message in ann.messages())


@pytest.mark.parametrize("size", [9_000, 40_000])
async def test_a_long_command_is_shown_whole(stage: Stage, hooks: Hooks, size: int) -> None:
    """Above one message the card goes in parts, above a few as a file: nothing of the command is left out."""
    ann = await approver(stage)
    await reader(stage)
    command = " ".join(f"word{number}" for number in range(size // 8))
    run = await hooks.start("permission", tool_input={"command": command})
    parts: list[dict[str, Any]] = []
    while not parts or not labels(parts[-1]):
        parts.append(await ann.next_message())
    assert not any(labels(part) for part in parts[:-1])
    if size == 9_000:
        assert 1 < len(parts) <= 4
        whole = "".join(part["text"] for part in parts)
        assert command.replace(" ", "") in whole.replace(" ", "").replace("\n", "")
    else:
        (call,) = stage.tg.calls_of("sendDocument")
        assert call.params["document"].data.decode() == command
        assert "document" in parts[0]
    ann.tap(parts[-1]["message_id"], label="Deny")
    assert (await run.ran()).specific["decision"]["behavior"] == "deny"


async def test_any_tools_input_is_shown_whole(stage: Stage, hooks: Hooks) -> None:
    """Path first, then every other field by name; hidden characters do not hide anything."""
    ann = await approver(stage)
    await reader(stage)
    given = {"content": "line one\nline two\u202e", "path": "/etc/hosts", "deep": {"a": [1, 2]}}
    run = await hooks.start("permission", tool_name="Other", tool_input=given)
    card = await ann.next_message()
    body = card["text"].split("\n\n", 1)[1]
    assert body.startswith("/etc/hosts")
    assert "content: line one\nline two" in body
    assert '"a"' in body
    assert "\u202e" not in body
    ann.tap(card["message_id"], label="Allow")
    await run.ran()


async def test_typed_verdicts_name_their_request(stage: Stage, hooks: Hooks) -> None:
    """`yes abcde` decides as a tap does; the same words with another id are an ordinary message."""
    ann = await approver(stage)
    host = await reader(stage)
    run = await hooks.start("permission")
    card = await ann.next_message()
    request_id = card["text"].rpartition("no ")[2].strip(". ")
    assert len(request_id) == 5
    wrong = "zzzzz" if request_id != "zzzzz" else "yyyyy"
    ann.send(f"yes {wrong}")
    assert (await host.event()).content == f"yes {wrong}"
    ann.send(f"Yes {request_id}")
    assert (await run.ran()).specific["decision"]["behavior"] == "allow"
    await ends(stage, ann, card, "passed on")


# ---- questions


async def questions(hooks: Hooks, *given: dict[str, Any]) -> HookRun:
    """Starts the question hook with these questions."""
    return await hooks.start("question", tool_input={"questions": list(given)})


COLOUR = INPUTS["question"]["tool_input"]["questions"][0]
SIZES = {
    "question": "Which sizes?",
    "header": "Sizes",
    "multiSelect": True,
    "options": [{"label": "S"}, {"label": "M"}, {"label": "L"}],
}


async def test_a_question_is_answered_by_a_tap(stage: Stage, hooks: Hooks) -> None:
    """The options become a grid; the answer goes back with the tool's own input, and is allowed."""
    ann = await approver(stage)
    await reader(stage)
    run = await questions(hooks, COLOUR)
    card = await ann.next_message()
    assert labels(card) == ["Red", "Blue", "Other…"]
    for words in ("Colour", "Which colour?", "like a rose", "like the sea"):
        assert words in card["text"]
    ann.tap(card["message_id"], label="Blue")
    specific = (await run.ran()).specific
    assert specific == {
        "hookEventName": "PreToolUse",
        "permissionDecision": "allow",
        "updatedInput": {"questions": [COLOUR], "answers": {"Which colour?": "Blue"}},
    }
    await ends(stage, ann, card, "Blue")


async def test_a_question_is_answered_by_typing(stage: Stage, hooks: Hooks) -> None:
    """A label, or free text after Other."""
    ann = await approver(stage)
    await reader(stage)
    run = await questions(hooks, COLOUR)
    await bound(stage, await ann.next_message())
    ann.send("red")
    assert (await run.ran()).specific["updatedInput"]["answers"] == {"Which colour?": "Red"}
    run = await questions(hooks, COLOUR)
    card = await ann.next_message()
    await ann.tap(card["message_id"], label="Other…").answered()
    ann.send("as dark as the night")
    assert (await run.ran()).specific["updatedInput"]["answers"] == {"Which colour?": "as dark as the night"}


async def test_several_questions_come_one_after_the_other(stage: Stage, hooks: Hooks) -> None:
    """Single and multiple choice in one call: all answers in one output, keyed by their questions."""
    ann = await approver(stage)
    await reader(stage)
    run = await questions(hooks, COLOUR, SIZES)
    first = await ann.next_message()
    ann.tap(first["message_id"], label="Red")
    second = await ann.next_message()
    assert labels(second) == ["☐ S", "☐ M", "☐ L", "Other…", "Done"]
    for place in (0, 2):
        before = labels(now(ann, second))
        tap = ann.tap(second["message_id"], place, 0)
        await stage.tg.wait_for(lambda before=before: labels(now(ann, second)) != before)
        await tap.answered()
    ann.tap(second["message_id"], label="Done")
    ran = await run.ran()
    assert ran.specific["updatedInput"]["answers"] == {"Which colour?": "Red", "Which sizes?": "S, L"}
    assert ran.specific["updatedInput"]["questions"] == [COLOUR, SIZES]


async def test_an_unanswered_question_is_left_to_the_terminal(stage: Stage, hooks: Hooks) -> None:
    """One of two is not answered in time: no output."""
    stage.config(grace_s=0, hook_bound_s=3)
    ann = await approver(stage)
    await reader(stage)
    run = await questions(hooks, COLOUR, SIZES)
    ann.tap((await ann.next_message())["message_id"], label="Red")
    card = await ann.next_message()
    assert (await run.ran()).silent
    await ends(stage, ann, card, "⌛")


async def test_only_approvers_are_asked_and_only_they_answer(stage: Stage, hooks: Hooks) -> None:
    """Somebody paired sees no card; who is no longer an approver is told so, and what they type is a message."""
    ann, bob = await approver(stage), stage.person("bob")
    host = await reader(stage)
    run = await questions(hooks, COLOUR)
    card = await ann.next_message()
    bob.send("Red")
    assert (await host.event()).content == "Red"
    assert (await stage.access("approver", "add", str(bob.id))).code == 0
    assert (await stage.access("approver", "rm", str(ann.id))).code == 0
    refused = await ann.tap(card["message_id"], label="Red").answered()
    assert refused.show_alert
    assert "not allowed" in refused.text
    ann.send("blue")
    assert (await host.event()).content == "blue"
    assert bob.inbox == []
    assert (await stage.access("approver", "add", str(ann.id))).code == 0
    ann.tap(card["message_id"], label="Red")
    assert (await run.ran()).specific["updatedInput"]["answers"] == {"Which colour?": "Red"}


async def test_all_copies_are_cleaned_up(stage: Stage, hooks: Hooks) -> None:
    """Two approvers: one answers, the other's card ends too and says who decided."""
    ann, bob = await approver(stage), await approver(stage, "bob")
    await reader(stage)
    run = await hooks.start("permission")
    cards = await asyncio.gather(ann.next_message(), bob.next_message())
    bob.tap(cards[1]["message_id"], label="Deny")
    assert "bob" in (await run.ran()).specific["decision"]["message"]
    await ends(stage, ann, cards[0], "Deny · bob")
    await ends(stage, bob, cards[1], "Deny · bob")


async def test_a_card_speaks_the_bots_language(stage: Stage, hooks: Hooks) -> None:
    """A permission that a hook asks for is asked in Chinese where the bot speaks it, and its outcome is told so."""
    stage.config(grace_s=0, language="zh-TW")
    ann = await approver(stage)
    await reader(stage)
    run = await hooks.start("permission")
    card = await ann.next_message()
    assert card["text"].startswith("🔐 代理請求許可：Bash")
    assert labels(card) == ["允許", "拒絕"]
    ann.tap(card["message_id"], label="允許")
    assert (await run.ran()).specific["decision"]["behavior"] == "allow"
    await ends(stage, ann, card, "允許 · ann – 已轉交給工作階段")
