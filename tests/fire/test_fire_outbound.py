"""What the agent sends: complete, in order, never twice by itself, and told honestly when it is not known."""

from __future__ import annotations

import asyncio
import random
import re
import time
from typing import Any

import pytest

from agent_channels.sandbox.faults import FaultKind
from faults_harness import Note, calls_since, since
from harness import Stage

LENGTH = 24_000
LIMIT = 4096


def long_text(length: int = LENGTH) -> str:
    """Numbered words, so that a missing, swapped or doubled part shows."""
    words: list[str] = []
    size = 0
    while size < length:
        words.append(f"word{len(words):05d}")
        size += len(words[-1]) + 1
    return " ".join(words)[:length].rstrip()


def ids_in(text: str) -> list[str]:
    """The message ids that a result names."""
    found = re.search(r"(?:ids?:|so far:|sent:) ([\d, ]+)", text)
    return found[1].replace(" ", "").rstrip(",").split(",") if found else []


def posted(stage: Stage) -> list[str]:
    """What stands in ann's chat from the bot."""
    return [message["text"] for message in stage.person().inbox]


async def test_a_reply_of_24000_characters_under_a_strict_flood_rule(stage: Stage, note: Note) -> None:
    """One message a second, burst one: complete, in order, no duplicate, every id named, the waiting said."""
    ann = stage.person()
    stage.tg.set_flood(per_chat_per_s=1, burst=1)
    host = await stage.host()
    text, began = long_text(), time.perf_counter()
    result = await host.call("reply", chat_id=ann.id, text=text, within=60)
    assert not result.failed, result.text
    took = since(began)
    shown = ann.inbox
    assert " ".join(message["text"] for message in shown) == text
    assert all(len(message["text"]) <= LIMIT for message in shown)
    assert ids_in(result.text) == [str(message["message_id"]) for message in shown]
    assert "waited" in result.text
    refused = calls_since(stage.tg, 0, "sendMessage", code=429)
    assert refused
    assert len(refused) <= 2 * len(shown)
    note("outbound", f"{LENGTH} characters at 1 message/s: {len(shown)} parts, {len(refused)} 429s, {took:.1f} s")


async def test_ten_quick_replies(stage: Stage, note: Note) -> None:
    """Ten replies called at once under one message a second all succeed, each once, in the order of the calls."""
    ann = stage.person()
    stage.tg.set_flood(per_chat_per_s=1, burst=3)
    host = await stage.host()
    began = time.perf_counter()
    requests = [host.calling("reply", chat_id=ann.id, text=f"reply {n}") for n in range(10)]
    results = [await host.answered(request, 40) for request in requests]
    assert [result.text for result in results if result.failed] == []
    assert posted(stage) == [f"reply {n}" for n in range(10)]
    note("outbound", f"ten replies at once at 1 message/s (burst 3): all posted in {since(began):.1f} s")


async def test_a_long_reply_and_short_ones_are_never_interleaved(stage: Stage) -> None:
    """While the parts of one reply go out, another reply to the chat waits; other chats do not."""
    ann, bob = stage.person(), stage.person("bob")
    stage.tg.set_flood(per_chat_per_s=2, burst=1)
    host = await stage.host()
    long = host.calling("reply", chat_id=ann.id, text=long_text(9_000))
    short = host.calling("reply", chat_id=ann.id, text="short")
    other = host.calling("reply", chat_id=bob.id, text="other")
    await host.answered(other, 20)
    assert len(ann.inbox) < 4
    assert not (await host.answered(long, 20)).failed
    assert not (await host.answered(short, 20)).failed
    assert posted(stage)[-1] == "short"
    assert " ".join(posted(stage)[:-1]) == long_text(9_000)


@pytest.mark.parametrize("cut", ["drop_after", "drop_body"])
async def test_a_cut_after_execution_is_unknown_and_posted_once(stage: Stage, cut: FaultKind) -> None:
    """Cut after Telegram executed it: "unknown", posted once; so after a retry, and after a kill and a new server."""
    ann = stage.person()
    host = await stage.host()
    stage.tg.faults.add(cut, method="sendMessage", times=1)
    arguments: dict[str, Any] = {"chat_id": ann.id, "text": "once", "idempotency_key": "deploy-1"}
    first = await host.refused("reply", **arguments)
    assert first.startswith("unknown")
    assert "not sent again by itself" in " ".join(first.split())
    assert "deploy-1" in first
    assert "unknown" in (await host.call("reply", **arguments)).text
    await host.kill()
    second = await stage.host()
    assert "unknown" in (await second.call("reply", **arguments)).text
    assert posted(stage) == ["once"]


async def test_a_key_given_back_by_the_failure_goes_on(stage: Stage) -> None:
    """Without a key of the agent's own, the failure names one, and going on with it sends only what is missing."""
    ann = stage.person()
    host = await stage.host()
    text = long_text(3 * LIMIT)
    stage.tg.faults.add("delay", method="sendMessage", times=1)
    stage.tg.faults.add("error", method="sendMessage", times=1, status=400)
    told = await host.refused("reply", chat_id=ann.id, text=text)
    assert "part 2 of" in told
    assert ids_in(told) == [str(ann.inbox[0]["message_id"])]
    key = re.search(r"idempotency_key='([^']+)'", told)
    assert key
    result = await host.done("reply", chat_id=ann.id, text=text, idempotency_key=key[1])
    assert " ".join(posted(stage)) == text
    assert ids_in(result) == [str(message["message_id"]) for message in ann.inbox]


@pytest.mark.parametrize("restart", [False, True])
async def test_a_partial_failure_names_what_went_and_goes_on(stage: Stage, restart: bool) -> None:
    """Part three is refused: the ids of the first two are named; the same call goes on there, on a new server too."""
    ann = stage.person()
    host = await stage.host()
    arguments: dict[str, Any] = {
        "chat_id": ann.id,
        "text": long_text(4 * LIMIT),
        "idempotency_key": "report",
        "buttons": [["Ok"]],
    }
    stage.tg.faults.add("delay", method="sendMessage", times=2)
    stage.tg.faults.add("error", method="sendMessage", times=1, status=400)
    told = await host.refused("reply", **arguments)
    assert "part 3 of" in told
    assert "was not sent" in told
    assert ids_in(told) == [str(message["message_id"]) for message in ann.inbox]
    assert len(ann.inbox) == 2
    if restart:
        await host.kill()
        host = await stage.host()
    result = await host.done("reply", **arguments)
    assert " ".join(posted(stage)) == arguments["text"]
    assert ids_in(result) == [str(message["message_id"]) for message in ann.inbox]
    # The grid came with the last part, and works.
    assert ["reply_markup" in message for message in ann.inbox] == [False] * (len(ann.inbox) - 1) + [True]
    ann.tap(ann.inbox[-1]["message_id"], label="Ok")
    assert (await host.event()).content == "Ok"
    # Once more posts nothing.
    parts = len(ann.inbox)
    assert "already sent" in await host.done("reply", **arguments)
    assert len(ann.inbox) == parts


async def test_killed_between_two_parts_it_goes_on_after_the_unknown_one(stage: Stage) -> None:
    """SIGKILL while part two is on its way: on a new server the key sends the rest, and says which one is unknown."""
    ann = stage.person()
    host = await stage.host()
    arguments: dict[str, Any] = {"chat_id": ann.id, "text": long_text(3 * LIMIT), "idempotency_key": "long"}
    stage.tg.faults.add("delay", method="sendMessage", times=1)
    silent = stage.tg.faults.add("silence", method="sendMessage", times=1)
    host.calling("reply", **arguments)
    async with asyncio.timeout(10):
        while silent.times:
            await host.ask("ping")
    await host.kill()
    stage.tg.faults.clear()
    second = await stage.host()
    result = await second.call("reply", **arguments)
    assert "unknown: part 2" in result.text
    assert ids_in(result.text) == [str(message["message_id"]) for message in ann.inbox]
    # Part two was never executed, and is not sent again by itself.
    parts = posted(stage)
    assert len(parts) == len(set(parts)) >= 2
    assert arguments["text"].startswith(parts[0])
    assert arguments["text"].endswith(parts[-1])


async def test_more_waiting_than_allowed_says_so(stage: Stage) -> None:
    """A 429 that asks for more than the bound fails at once, names the seconds, and leaves a way to go on."""
    ann = stage.person()
    stage.config(grace_s=0, rate_wait_s=2)
    host = await stage.reading()
    stage.tg.faults.add("flood", method="sendMessage", retry_after=45, times=1)
    began = time.perf_counter()
    told = await host.refused("reply", chat_id=ann.id, text="patience", idempotency_key="slow")
    assert since(began) < 40
    assert "45 s" in told
    assert "more than is waited for" in told
    assert posted(stage) == []
    await host.done("reply", chat_id=ann.id, text="patience", idempotency_key="slow")
    assert posted(stage) == ["patience"]


async def test_several_waits_together_stay_inside_the_bound(stage: Stage) -> None:
    """The bound is for the whole reply: waits add up, and the result says how long it was."""
    ann = stage.person()
    stage.config(grace_s=0, rate_wait_s=2)
    host = await stage.reading()
    stage.tg.faults.add("flood", method="sendMessage", retry_after=1, times=4)
    told = await host.refused("reply", chat_id=ann.id, text="patience", idempotency_key="slow")
    assert len(stage.tg.calls_of("sendMessage")) == 3
    assert "more than is waited for" in told
    result = await host.done("reply", chat_id=ann.id, text="patience", idempotency_key="slow")
    assert "waited 1 s" in result
    assert posted(stage) == ["patience"]


@pytest.mark.parametrize("kind", ["error", "html"])
async def test_faults_before_execution_are_tried_again(stage: Stage, kind: FaultKind) -> None:
    """Two fault codes in a row, and the reply still goes out once; with faults that do not end, it says so."""
    ann = stage.person()
    host = await stage.host()
    stage.tg.faults.add(kind, method="sendMessage", times=2, status=502)
    await host.done("reply", chat_id=ann.id, text="through")
    assert posted(stage) == ["through"]
    stage.tg.faults.add(kind, method="sendMessage", status=502)
    told = await host.refused("reply", chat_id=ann.id, text="not through", idempotency_key="k")
    assert "Telegram has a fault" in told
    stage.tg.faults.clear()
    await host.done("reply", chat_id=ann.id, text="not through", idempotency_key="k")
    assert posted(stage) == ["through", "not through"]


async def test_a_key_names_one_message(stage: Stage) -> None:
    """The same key returns the first result, across restarts; for another text it is refused; two at once send once."""
    ann = stage.person()
    host = await stage.host()
    both = [host.calling("reply", chat_id=ann.id, text="hello", idempotency_key="k") for _ in range(2)]
    first, second = [await host.answered(request) for request in both]
    assert not first.failed
    assert "already sent" in second.text
    assert ids_in(first.text) == ids_in(second.text)
    assert "another message" in await host.refused("reply", chat_id=ann.id, text="other", idempotency_key="k")
    await host.kill()
    host = await stage.host()
    assert ids_in(await host.done("reply", chat_id=ann.id, text="hello", idempotency_key="k")) == ids_in(first.text)
    assert posted(stage) == ["hello"]


async def test_a_storm_of_faults_posts_every_reply_once_or_says_so(stage: Stage) -> None:
    """Thirty replies through random faults: each is posted once, or reported as unknown or not sent."""
    ann = stage.person()
    host = await stage.host()
    dice = random.Random(11)  # noqa: S311 - any numbers, the same every time
    kinds: list[FaultKind] = ["error", "html", "drop_before", "drop_after", "drop_body", "flood"]
    for _ in range(14):
        stage.tg.faults.add("delay", method="sendMessage", times=dice.randrange(3))
        stage.tg.faults.add(dice.choice(kinds), method="sendMessage", times=1, retry_after=0)
    results = {}
    for number in range(30):
        results[f"r{number}"] = await host.call("reply", chat_id=ann.id, text=f"r{number}", within=20)
    assert len(posted(stage)) == len(set(posted(stage)))
    for text, result in results.items():
        assert posted(stage).count(text) == 1 if not result.failed else result.text.startswith(("unknown", "part 1"))
