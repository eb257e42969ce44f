"""Sending through a platform that fails: waited for, tried again, never posted twice, and always said."""

from __future__ import annotations

import re

from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Stage, is_closed

LONG = "word " * 2000  # three parts


def seen(person: TelegramPerson) -> list[str]:
    return [str(message["text"]) for message in person.inbox]


async def test_a_rate_limit_is_waited_for_and_told(stage: Stage) -> None:
    """429 with retry_after: the reply waits that long, arrives once, and says that it waited."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("flood", method="sendMessage", times=1, retry_after=1)
    answer = await host.done("reply", chat_id=ann.id, text="slow down")
    assert "waited 1 s" in answer
    assert seen(ann) == ["slow down"]
    first, second = (call.at for call in stage.tg.calls_of("sendMessage"))
    assert second - first >= 1


async def test_a_rate_limit_above_the_bound_is_told_at_once(stage: Stage) -> None:
    """A wait longer than rate_wait_s is not waited for: the error names it."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("flood", method="sendMessage", retry_after=900)
    reason = await host.refused("reply", chat_id=ann.id, text="x")
    assert "900 s" in reason
    assert len(stage.tg.calls_of("sendMessage")) == 1


async def test_server_faults_are_tried_again(stage: Stage) -> None:
    """500s and a gateway's web page are surely not executed: the reply is tried again and arrives once."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("error", method="sendMessage", status=500, times=1)
    stage.tg.faults.add("html", method="sendMessage", status=502, times=1)
    await host.done("reply", chat_id=ann.id, text="through")
    assert seen(ann) == ["through"]
    assert len(stage.tg.calls_of("sendMessage")) == 3


async def test_a_lasting_server_fault_is_told(stage: Stage) -> None:
    """When it does not end, the error says what was tried and how to go on; going on then sends it once."""
    ann = stage.person()
    host = await stage.reading()
    fault = stage.tg.faults.add("error", method="sendMessage", status=500)
    reason = await host.call("reply", chat_id=ann.id, text="later", within=20)
    assert reason.failed
    key = re.search("idempotency_key='([^']+)'", reason.text)
    assert key
    assert 1 < len(stage.tg.calls_of("sendMessage")) < 8
    fault.times = 0
    await host.done("reply", chat_id=ann.id, text="later", idempotency_key=key[1])
    assert seen(ann) == ["later"]


async def test_a_cut_after_the_platform_executed_posts_once(stage: Stage) -> None:
    """The connection ends after the message was posted: the result says "unknown", and nothing is sent again."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("drop_after", method="sendMessage", times=1)
    result = await host.call("reply", chat_id=ann.id, text="once", idempotency_key="k1")
    assert "unknown" in result.text
    assert seen(ann) == ["once"]
    again = await host.call("reply", chat_id=ann.id, text="once", idempotency_key="k1")
    assert "unknown" in again.text
    assert seen(ann) == ["once"]


async def test_half_an_answer_posts_once(stage: Stage) -> None:
    """An answer that breaks off in the middle is as unknown as none."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("drop_body", method="sendMessage", times=1)
    result = await host.call("reply", chat_id=ann.id, text="once")
    assert "unknown" in result.text
    assert seen(ann) == ["once"]


async def test_a_cut_before_the_platform_executed_never_posts_twice(stage: Stage) -> None:
    """A connection that ends without an answer cannot be told from the above: never posted twice, and said."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("drop_before", method="sendMessage", times=1)
    result = await host.call("reply", chat_id=ann.id, text="maybe")
    assert len(stage.tg.calls_of("sendMessage")) <= 2
    assert seen(ann) == ([] if "unknown" in result.text else ["maybe"])
    # A later message is not held up by it.
    await host.done("reply", chat_id=ann.id, text="next")
    assert seen(ann)[-1] == "next"


async def test_a_grid_whose_fate_is_unknown_still_counts(stage: Stage) -> None:
    """When the cut came after the grid was posted, a tap on it is understood all the same."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("drop_after", method="sendMessage", times=1)
    result = await host.call("reply", chat_id=ann.id, text="Ship?", buttons=[["Yes"]])
    assert "unknown" in result.text
    grid = await ann.next_message()
    ann.tap(grid["message_id"], label="Yes")
    event = await host.event()
    assert event.meta["button_value"] == "Yes"
    assert event.meta["message_id"] == str(grid["message_id"])
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[-1]))
    assert ann.messages()[-1]["text"].startswith("Ship?")


async def test_a_grid_of_an_edit_whose_fate_is_unknown_counts(stage: Stage) -> None:
    """When the cut came after the message was edited, a tap on its new buttons is understood all the same."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="Wait", buttons=[["Stop"]])
    message_id = (await ann.next_message())["message_id"]
    stage.tg.faults.add("drop_after", method="editMessageText", times=1)
    told = await host.call("edit_message", chat_id=ann.id, message_id=str(message_id), text="Ship?", buttons=[["Yes"]])
    assert told.failed
    ann.tap(message_id, label="Yes")
    event = await host.event()
    assert (event.meta["button_value"], event.meta["message_id"]) == ("Yes", str(message_id))
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[-1]))


async def test_the_same_key_gives_the_same_result(stage: Stage) -> None:
    """The same key and arguments: sent once, the same ids, also after a kill; other arguments are refused."""
    ann = stage.person()
    host = await stage.reading()
    arguments = {"chat_id": ann.id, "text": LONG, "idempotency_key": "report-1"}
    first = await host.done("reply", **arguments)
    ids = re.findall(r"\d+", first.split("ids:")[1])
    assert len(ids) == 3
    for restart in (False, True):
        if restart:
            await host.kill()
            host = await stage.reading()
        again = await host.done("reply", **arguments)
        assert re.findall(r"\d+", again.split("ids:")[1])[:3] == ids
        assert len(stage.tg.calls_of("sendMessage")) == 3
    reason = await host.refused("reply", **{**arguments, "text": "something else"})
    assert "report-1" in reason
    assert len(stage.tg.calls_of("sendMessage")) == 3


async def test_a_partial_failure_names_the_ids_and_goes_on_with_the_key(stage: Stage) -> None:
    """A reply that stopped half-way names what was sent; the same call with the key sends only the rest."""
    stage.config(grace_s=0, rate_wait_s=0)
    ann = stage.person()
    host = await stage.reading()
    stage.tg.set_flood(0.001, burst=1)
    reason = await host.refused("reply", chat_id=ann.id, text=LONG, idempotency_key="k", buttons=[["Ok"]])
    sent = await ann.next_message()
    assert "part 2 of 3" in reason
    assert str(sent["message_id"]) in reason
    assert "'k'" in reason
    stage.tg.set_flood(None)
    answer = await host.done("reply", chat_id=ann.id, text=LONG, idempotency_key="k", buttons=[["Ok"]])
    rest = [await ann.next_message() for _ in range(2)]
    assert len(ann.inbox) == 3
    assert all(str(message["message_id"]) in answer for message in (sent, *rest))
    assert " ".join(seen(ann)).split() == LONG.split()
    assert ["reply_markup" in message for message in (sent, *rest)] == [False, False, True]


async def test_killed_while_sending_is_never_posted_twice(stage: Stage) -> None:
    """Killed between a part and its answer: the next use of the key says unknown, and sends the rest."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("delay", method="sendMessage", times=1, seconds=60)
    host.calling("reply", chat_id=ann.id, text=LONG, idempotency_key="k")
    await stage.tg.wait_for(lambda: stage.tg.faults.rules[0].times == 0)
    await host.kill()
    host = await stage.reading()
    result = await host.call("reply", chat_id=ann.id, text=LONG, idempotency_key="k")
    assert "unknown" in result.text
    assert len(ann.inbox) in {2, 3}
    assert len({message["text"] for message in ann.inbox[1:]}) <= 2


async def test_what_will_never_work_is_told_at_once(stage: Stage) -> None:
    """Blocked, never started, gone: one request, and a sentence that says who can mend it."""
    ann = stage.person()
    host = await stage.reading()
    ann.block()
    assert "blocked" in await host.refused("reply", chat_id=ann.id, text="x")
    bob = stage.person("bob")
    bob.dm.started = False
    reason = await host.refused("reply", chat_id=bob.id, text="x")
    assert "started" in reason or "never met" in reason
    assert (await stage.access("allow", "42")).code == 0
    assert "never met" in await host.refused("reply", chat_id=42, text="x")
    assert len(stage.tg.calls_of("sendMessage")) == 3


async def test_replies_to_one_chat_never_interleave(stage: Stage) -> None:
    """Two long replies called at once arrive one after the other; another chat does not wait for them."""
    ann, bob = stage.person("ann"), stage.person("bob")
    host = await stage.reading()
    stage.tg.faults.add("delay", method="sendMessage", chat=ann.id, seconds=0.05)
    calls = [host.calling("reply", chat_id=ann.id, text=f"{word} " * 3000) for word in ("one", "two")]
    await host.done("reply", chat_id=bob.id, text="quick")
    assert len(ann.inbox) < 6
    for call in calls:
        assert not (await host.answered(call)).failed
    order = [text.split()[0] for text in seen(ann)]
    assert order == sorted(order)
    assert len(order) == 6
