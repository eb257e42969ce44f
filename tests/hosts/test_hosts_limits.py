"""Hosts that give up long calls, cut long results and stop loops: nothing is lost there, and nothing is said twice."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import inbox_states
from harness import Stage, is_closed
from hook_runs import kept
from inbox_socket import blocks_in
from wire_host import Host

COLOURS = {"text": "Which colour?", "buttons": [["Red", {"label": "Blue", "value": "b"}], ["Green"]]}
# A host of which nothing is known.
UNKNOWN = "some-client"
PAGE = 6_000


async def host_called(stage: Stage, client: str, **env: str | None) -> Host:
    """A host that calls itself so."""
    host = await stage.start(**env)
    host.client = client
    return await host.attach()


def number_in(text: str) -> int:
    """The number that a result names for the next call."""
    found = re.search(r"\bafter:? (\d+)", text)
    assert found, text
    return int(found[1])


async def left_open(host: Host, person: TelegramPerson, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """An ask that ends before its question: its result, and the message that the person sees."""
    call = host.calling("ask", **{"chat_id": person.id, "timeout_s": 600, **COLOURS, **more})
    message = await person.next_message()
    result = json.loads((await host.answered(call)).text)
    assert (result["answered"], result["open"]) == (False, True)
    return result, message


def seen_now(person: TelegramPerson, message: dict[str, Any]) -> dict[str, Any]:
    return next(m for m in person.messages() if m["message_id"] == message["message_id"])


# ---- results that fit


async def test_a_burst_is_seen_whole_by_a_client_with_a_server_for_each_call(stage: Stage) -> None:
    """A call with the number of the last page goes on behind it; with an older one, whose page was lost, before it."""
    ann = stage.person()
    said = [f"{number} " + "x" * 3_498 for number in range(4)]
    for text in said:
        ann.send(text)

    async def called(after: int) -> tuple[list[str], int]:
        host = await host_called(stage, UNKNOWN)
        result = await host.done("wait_for_messages", timeout_s=5, after=after)
        await host.close()
        return [block.content for block in blocks_in(result)], number_in(result) if "more: true" in result else -1

    first, after = await called(0)
    assert first == said[:1]
    second, later = await called(after)
    assert second == said[1:2]
    assert later > after
    # The second page did not reach the client, as far as it says.
    again, latest = await called(after)
    assert again == said[:1]
    assert latest > later
    got, after = await called(latest)
    while after >= 0:
        page, after = await called(after)
        got += page
    assert got == said[1:]
    assert inbox_states(stage.state) == {"offered": 4}


@pytest.mark.parametrize("client", [UNKNOWN, "Cline"])
async def test_a_burst_is_seen_whole_page_by_page(stage: Stage, client: str) -> None:
    """20 messages of 3,500 characters: no result is above 6,000, none is marked that was not shown, all are shown."""
    ann = stage.person()
    said = [
        f"{number:02} " + chr(0x4E00 + number) * 1_000 + "\N{GRINNING FACE}" * 1_000 + "x" * 497 for number in range(20)
    ]
    assert all(len(text.encode("utf-16-le")) // 2 == 3_500 for text in said)
    for text in said:
        ann.send(text)
    host = await host_called(stage, client, CHANNELS_MODE="pull", CHANNELS_CLAIM="always")
    await kept(stage, 20)
    got: list[str] = []
    result, after = "more: true", 0
    while "more: true" in result:
        result = await host.done("wait_for_messages", timeout_s=5, after=after)
        assert len(result.encode("utf-16-le")) // 2 <= PAGE * (1.15 if client == "Cline" else 1)
        got += [block.content for block in blocks_in(result)]
        assert inbox_states(stage.state).get("offered", 0) == len(got)
        after = number_in(result) if "more: true" in result else after
    assert got == said
    assert await host.done("wait_for_messages", timeout_s=0, ack=["none"]) != result


async def test_a_message_longer_than_a_page_comes_in_parts(stage: Stage) -> None:
    """Every part fits, says which it is, and all of it comes; it counts as shown with the last one, to a reply too."""
    stage.config(grace_s=0, result_max=2_000)
    ann = stage.person()
    text = " ".join(f"word{number}" for number in range(430))
    ann.send(text)
    ann.send("and this")
    host = await stage.host(CHANNELS_MODE="pull", CHANNELS_CLAIM="always")
    await kept(stage, 2)
    parts: list[str] = []
    while True:
        result = await host.done("wait_for_messages", timeout_s=5)
        assert len(result) <= 2_000
        (block,) = blocks_in(result)
        parts.append(block.content)
        assert block.meta["part"] == str(len(parts))
        if block.meta["part"] == block.meta["parts"]:
            break
        # What is begun is not answered by what is said meanwhile.
        assert inbox_states(stage.state) == {"offering": 1, "ready": 1}
        await host.done("reply", chat_id=ann.id, text="reading")
        assert inbox_states(stage.state) == {"offering": 1, "ready": 1}
    assert len(parts) > 2
    assert "".join(parts) == text
    assert inbox_states(stage.state) == {"offered": 1, "ready": 1}
    (block,) = blocks_in(await host.done("wait_for_messages", timeout_s=5))
    assert (block.content, block.meta.get("part")) == ("and this", None)


async def test_the_history_and_the_status_fit_too(stage: Stage) -> None:
    """fetch_messages and channel_status hand out what is longer than a page piece by piece, and say how to go on."""
    stage.config(grace_s=0, result_max=2_000)
    ann = stage.person()
    said = [f"{number} " + "long " * 300 for number in range(3)] + ['"quoted"\n' * 300]
    for text in said:
        ann.send(text)
    host = await stage.host(CHANNELS_MODE="pull", CHANNELS_CLAIM="always")
    await kept(stage, 4)
    found: list[str] = []
    before: dict[str, Any] = {}
    while True:
        result = await host.done("fetch_messages", chat_id=ann.id, **before)
        assert len(result) <= 2_000
        page = json.loads(result)
        for line in reversed(page["messages"]):
            text = line["text"]
            for part in range(2, line.get("parts", 1) + 1):
                more = await host.done("fetch_messages", chat_id=ann.id, message_id=line["message_id"], part=part)
                assert len(more) <= 2_000
                text += json.loads(more)["message"]["text"]
            found.append(text)
        if page["older"] is None:
            break
        before = {"before": page["older"]}
    assert [text.strip() for text in found[::-1]] == [text.strip() for text in said]
    for number in range(20):
        stage.allow(9_000_000 + number, f"person{number}" * 4)
    whole, part = "", 1
    while True:
        result = await host.done("channel_status", part=part)
        assert len(result) <= 2_000
        head, body, *more = result.split("\n")
        assert head.startswith(f"Part {part} of ")
        whole += body
        if not more:
            break
        part += 1
    status = json.loads(whole)
    assert (len(status["paired"]), status["left_out"]) == (20, {"paired": 1})


# ---- calls that return in time


async def test_a_question_outlives_its_call(stage: Stage) -> None:
    """`ask` ends before its question where calls are short: both stay open, and a wait by its name has the answer."""
    stage.config(grace_s=0, call_s=1)
    ann = stage.person()
    host = await stage.host()
    result, message = await left_open(host, ann)
    assert "wait_for_messages" in result["next"]
    assert not is_closed(seen_now(ann, message))
    again = json.loads(
        await host.done("wait_for_messages", question=result["question"], after=number_in(result["next"]))
    )
    assert (again["answered"], again["open"], again["question"]) == (False, True, result["question"])
    assert number_in(again["next"]) > number_in(result["next"])
    stage.config(grace_s=0, call_s=60)
    await host.status_when(lambda status: status["problem"] is None)
    call = host.calling("wait_for_messages", question=result["question"], timeout_s=45)
    ann.tap(message["message_id"], label="Blue")
    answer = json.loads((await host.answered(call)).text)
    assert (answer["answered"], answer["value"], answer["question"]) == (True, "b", result["question"])
    await stage.tg.wait_for(lambda: is_closed(seen_now(ann, message)))
    assert "given to the agent" not in seen_now(ann, message)["text"]
    assert "<channel" not in await host.done("wait_for_messages", timeout_s=0)


async def test_a_question_ends_in_its_own_time(stage: Stage) -> None:
    """The `timeout_s` of an ask that outlives its call is kept by the calls after it: then the person is told."""
    stage.config(grace_s=0, call_s=1)
    ann = stage.person()
    host = await stage.host()
    result, message = await left_open(host, ann, timeout_s=3)
    while result.get("open"):
        assert not is_closed(seen_now(ann, message))
        result = json.loads(await host.done("wait_for_messages", question=result["question"]))
    assert "in time" in result["why"]
    await stage.tg.wait_for(lambda: "nobody answered in time" in seen_now(ann, message)["text"])
    assert "there is no question" in await host.refused("wait_for_messages", question="nothing")


@pytest.mark.parametrize("tool", ["reply", "ask", "fetch_messages", "channel_status", "wait_for_messages"])
async def test_a_tap_between_two_calls_is_in_the_next(stage: Stage, tool: str) -> None:
    """Whatever the agent calls after an ask that was left open: the answer is in that call's result, once."""
    stage.config(grace_s=0, call_s=1)
    ann, bob = stage.person(), stage.person("bob")
    host = await host_called(stage, UNKNOWN)
    result, message = await left_open(host, ann)
    ann.tap(message["message_id"], label="Blue")
    await stage.tg.wait_for(lambda: is_closed(seen_now(ann, message)))
    given: dict[str, dict[str, Any]] = {
        "reply": {"chat_id": bob.id, "text": "hello"},
        "ask": {"chat_id": bob.id, **COLOURS},
        "fetch_messages": {"chat_id": ann.id},
        "channel_status": {},
        "wait_for_messages": {"timeout_s": 5},
    }
    called = await host.done(tool, **given[tool])
    assert '"b"' in called.replace("button_value=", "")
    if tool == "wait_for_messages":
        assert [block.content for block in blocks_in(called)] == ["Blue"]
    else:
        assert f'"question": "{result["question"]}"' in called
    assert "Blue" not in await host.done("reply", chat_id=ann.id, text="ok")
    assert inbox_states(stage.state) == {"answered": 1}


async def test_an_answer_that_came_too_late_for_its_call_comes_again(stage: Stage) -> None:
    """A host gave an ask up without a word: the answer that went to the dead call is in the next call's result too."""
    stage.config(grace_s=0, call_s=60)
    ann, bob = stage.person(), stage.person("bob")
    host = await host_called(stage, UNKNOWN)
    dead = host.calling("ask", chat_id=ann.id, timeout_s=60, **COLOURS)
    message = await ann.next_message()
    # So long no unknown host is sure to wait.
    slow = json.loads(await host.done("ask", chat_id=bob.id, timeout_s=5, **COLOURS))
    assert slow["answered"] is False
    ann.tap(message["message_id"], label="Blue")
    await host.answered(dead)
    assert '"value": "b"' in await host.done("reply", chat_id=bob.id, text="still there?")
    assert '"value": "b"' not in await host.done("reply", chat_id=bob.id, text="thanks")
    assert inbox_states(stage.state) == {"answered": 1}


async def test_a_message_that_came_too_late_for_its_call_comes_again(stage: Stage) -> None:
    """The same for a message: the next wait shows it, marked, unless the agent has acted on it."""
    stage.config(grace_s=0, call_s=60)
    ann, bob = stage.person(), stage.person("bob")
    host = await host_called(stage, UNKNOWN)
    await host.done("wait_for_messages", timeout_s=0)
    dead = host.calling("wait_for_messages", timeout_s=60)
    await host.status()
    with Store.open(stage.state) as store:
        began = store.value("SELECT pulled_at FROM sessions")
    assert began
    slow = json.loads(await host.done("ask", chat_id=bob.id, timeout_s=5, **COLOURS))
    assert slow["answered"] is False
    ann.send("hello")
    (first,) = blocks_in((await host.answered(dead)).text)
    (again,) = blocks_in(await host.done("wait_for_messages", timeout_s=5))
    assert (again.content, again.meta) == ("hello", {**first.meta, "redelivered": "true"})
    assert blocks_in(await host.done("wait_for_messages", timeout_s=0)) == []


async def test_a_cancel_that_crosses_the_result_loses_nothing(stage: Stage) -> None:
    """The host cancelled a call whose result was on its way, and dropped it: the next call has it again, marked."""
    ann = stage.person()
    host = await stage.host(CHANNELS_MODE="pull", CHANNELS_CLAIM="always")
    call = host.calling("ask", chat_id=ann.id, timeout_s=60, **COLOURS)
    message = await ann.next_message()
    ann.tap(message["message_id"], label="Blue")
    await host.answered(call)
    host.notify("notifications/cancelled", {"requestId": call})
    (block,) = blocks_in(await host.done("wait_for_messages", timeout_s=5))
    assert (block.content, block.meta["redelivered"]) == ("Blue", "true")
    await host.done("reply", chat_id=ann.id, text="ok")
    call = host.calling("wait_for_messages", timeout_s=30)
    ann.send("hello")
    await host.answered(call)
    host.notify("notifications/cancelled", {"requestId": call})
    (block,) = blocks_in(await host.done("wait_for_messages", timeout_s=5))
    assert (block.content, block.meta["redelivered"]) == ("hello", "true")


async def test_a_host_that_cancels_what_it_has_read_is_not_shown_it_again(stage: Stage) -> None:
    """OpenCode cancels each call once it has the result: the rest of a burst follows, and nothing is marked."""
    stage.config(grace_s=0, result_max=2_000)
    ann = stage.person()
    host = await host_called(stage, "opencode")
    await host.done("wait_for_messages", timeout_s=0)
    said = [f"{number} {'x' * 500}" for number in range(4)]
    for text in said:
        ann.send(text)
    heard = []
    while len(heard) < len(said):
        call = host.calling("wait_for_messages", timeout_s=30)
        heard += blocks_in((await host.answered(call)).text)
        host.notify("notifications/cancelled", {"requestId": call})
    assert [block.content for block in heard] == said
    assert not any("redelivered" in block.meta for block in heard)


async def test_the_answer_for_an_asker_whose_host_left_waits_for_nothing(stage: Stage) -> None:
    """The host closed its end after an ask that was left open: the answer is in the next server's first wait."""
    stage.config(grace_s=0, call_s=1)
    ann = stage.person()
    host = await host_called(stage, UNKNOWN, CLAUDE_CODE_SESSION_ID=None)
    _, message = await left_open(host, ann)
    host.close_stdin()
    await host.wait()
    second = await host_called(stage, UNKNOWN, CLAUDE_CODE_SESSION_ID=None)
    await second.done("wait_for_messages", timeout_s=0)
    ann.tap(message["message_id"], label="Green")
    (block,) = blocks_in(await second.done("wait_for_messages", timeout_s=30))
    assert (block.content, block.meta["button"]) == ("Green", "true")


async def test_who_does_not_read_the_bot_can_wait_for_its_question(stage: Stage) -> None:
    """Two servers on one state: the one that does not poll asks, and waits for its question; the tap is its own."""
    stage.config(grace_s=0, call_s=1)
    ann = stage.person()
    reader = await stage.reading(CHANNELS_CLAIM="always")
    asker = await stage.host(CLAUDE_CODE_SESSION_ID="another")
    await asker.status_when(lambda status: status["owner"] is not None)
    result, message = await left_open(asker, ann)
    ann.tap(message["message_id"], label="Red")
    await stage.tg.wait_for(lambda: is_closed(seen_now(ann, message)))
    answer = json.loads(await asker.done("wait_for_messages", question=result["question"]))
    assert (answer["answered"], answer["label"]) == (True, "Red")
    assert reader.events == []


async def test_no_two_waits_are_the_same_call(stage: Stage) -> None:
    """Hosts end a turn after four equal calls: each empty wait names a number that was not named before."""
    stage.person()
    host = await host_called(stage, "gemini-cli-mcp-client")
    arguments: dict[str, Any] = {"timeout_s": 0}
    asked = []
    for _ in range(6):
        asked.append(json.dumps(arguments))
        result = await host.done("wait_for_messages", **arguments)
        assert "No messages are waiting" in result
        arguments = {"timeout_s": 0, "after": number_in(result)}
    assert len(set(asked)) == 6
    await host.kill()
    second = await host_called(stage, "gemini-cli-mcp-client")
    assert number_in(await second.done("wait_for_messages", **arguments)) > arguments["after"]
