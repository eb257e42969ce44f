"""`wait_for_messages`, for hosts without push: peek and acknowledge, never pop, so a cancelled call loses nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace

import anyio

from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.errors import Refused, StoreError
from agent_channels.core.host.call_limits import CallLimits
from agent_channels.core.host.delivery import Taken
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.current_runtime import CurrentRuntime
from agent_channels.core.server.session import CallResult
from agent_channels.core.server.tools.arguments import ID, IDS, Arguments
from agent_channels.core.server.tools.ask import LEASE_S, RENEW_EVERY_S, question_result
from agent_channels.core.settings.declared import Nullable, Number, declare

__all__ = ["DESCRIPTION", "WaitArguments", "wait_for_messages"]

# How long a process that is asked for messages is given to become the one that reads the bot.
CLAIM_WITHIN_S = 5.0
# What was shown so long ago and never answered is shown again.
SHOW_AGAIN_AFTER_S = 120.0
# The number by which the latest page said that more comes, and the entries that were shown up to there.
PAGE_KEY = "wait_page"
# What the words around the messages take of a page.
WORDS_SIZE = 500

DESCRIPTION = (
    "Returns what people wrote and nobody has answered yet, as <channel> blocks, waiting for the first if there is "
    "none. Call it again with the `after` that the result names, at once if it says more: true. A message stays open "
    "until you act in its chat (reply, react, edit, ask) or name its delivery_id in ack. part and parts: a long "
    "message in pieces; the next call has the next one."
)


class WaitArguments(Arguments):
    """Arguments of `wait_for_messages`."""

    # Several clients give up on a request after 60 s.
    timeout_s: float = declare(45, Number(0, 1500), "seconds to wait; 0 only looks")
    limit: int = declare(20, Number(1, 200, whole=True), "how many at most")
    ack: tuple[str, ...] = declare((), IDS, "delivery_ids that need no answer: they are done")
    after: int | None = declare(None, Nullable(Number(0, whole=True)), "the number that the last result named")
    question: str | None = declare(None, Nullable(ID), "a question that ask left open: its answer ends the wait, too")


async def wait_for_messages(current: CurrentRuntime, args: WaitArguments) -> CallResult:
    """Return blocks of open messages, the answer to `question`, or a sentence that there are none.

    Raises `Refused` naming the holder if another process reads the bot.
    """
    began = time.monotonic()
    runtime = await current.get()
    limits = current.limits()
    if args.question and _asked(runtime, args.question) is None:
        raise Refused(f"there is no question {args.question!r}; leave it out to wait for messages")
    acknowledged = runtime.context.services.inbox.acknowledge(args.ack) if args.ack else 0
    head = f"{acknowledged} acknowledged." if args.ack else ""
    runtime.claim.record_pull()
    number = current.begin_wait(args.question)
    with current.waiting_for(args.question) if args.question else contextlib.nullcontext():
        taken, prompt = await _wait(current, args, limits, began, number)
    heard = time.monotonic() <= began + limits.heard_s
    if taken.blocks:
        if not heard:
            taken.lost()
        words = _lines(head, *taken.blocks, *_words_after(current, args, taken, heard=heard))
        return CallResult(words, lost=taken.lost)
    if number != current.newest_wait:
        return CallResult(_lines(head, "A newer call of wait_for_messages waits instead of this one."))
    if not args.question:
        again = f"Call wait_for_messages again with after: {current.next_after(args.after)}."
        return CallResult(_lines(head, f"No messages are waiting. {again}"))
    runtime = await current.get()
    timed_out = prompt is not None and not _is_open(runtime, prompt)
    result = question_result(
        current, runtime, args.question, prompt, heard=heard, timed_out=timed_out, after=args.after
    )
    return replace(result, notes=(head,) if head else ())


async def _wait(
    current: CurrentRuntime, args: WaitArguments, limits: CallLimits, began: float, number: int
) -> tuple[Taken, Prompt | None]:
    """Wait for messages, or until the question is over or a newer call waits; return both as they are then."""
    deadline, within = began + min(args.timeout_s, limits.wait_s), began + limits.wait_s
    prompt: Prompt | None = None
    while number == current.newest_wait:
        left = deadline - time.monotonic()
        try:
            runtime = await current.get_until(deadline)
            if args.question:
                prompt = runtime.context.services.prompts.check(args.question, LEASE_S)
                if not _is_open(runtime, prompt):
                    break
            taken = await _look(current, runtime, args, limits, within, number)
        except StoreError:
            if left <= 0:
                raise
            await current.wait_for_store(deadline)
            continue
        if taken.blocks or left <= 0:
            return taken, prompt
        await _until_changed(runtime, min(left, RENEW_EVERY_S) if args.question else left)
    return Taken(), prompt


def _words_after(current: CurrentRuntime, args: WaitArguments, taken: Taken, *, heard: bool) -> Iterator[str]:
    if taken.more:
        runtime = current.open
        page, seen = _page(runtime, args.after) if runtime is not None else (0, [])
        # Numbers are unique, also across servers: one names one page.
        number = current.next_after(max(page, args.after or 0))
        if heard and runtime is not None:
            shown = " ".join(map(str, [number, *seen, *taken.shown]))
            runtime.context.services.key_values.set(PAGE_KEY, shown)
        yield f"more: true. Call wait_for_messages again now, with after: {number}; the rest comes next."
    if args.question:
        yield f"Question {args.question!r} is still open: name it again to go on waiting."


def _page(runtime: ChannelRuntime, after: int | None) -> tuple[int, list[int]]:
    """Return the number of the latest page, and the entries that an agent has seen that names it; others: none."""
    number, *seen = map(int, (runtime.context.services.key_values.get(PAGE_KEY) or "0").split())
    return number, seen if number == after else []


def _lines(*lines: str) -> str:
    return "\n".join(filter(None, lines))


def _asked(runtime: ChannelRuntime, prompt_id: str) -> Prompt | None:
    found = runtime.context.services.prompts.get(prompt_id)
    return found if found is not None and found.kind == "ask" else None


def _is_open(runtime: ChannelRuntime, prompt: Prompt | None) -> bool:
    return prompt is not None and prompt.state == "open" and prompt.expires_at > runtime.context.services.prompts.now()


async def _look(
    current: CurrentRuntime,
    runtime: ChannelRuntime,
    args: WaitArguments,
    limits: CallLimits,
    within: float,
    number: int,
) -> Taken:
    """Return what there is; until then (`time.monotonic`) this process may become the one that reads the bot."""
    with anyio.move_on_after(min(CLAIM_WITHIN_S, max(0.0, within - time.monotonic()))):
        while runtime is current.open and runtime.reader is None and runtime.lock.holder() is None:
            await runtime.context.wakeups.changed.wait(0.1)
    if runtime is not current.open or number != current.newest_wait:
        return Taken()
    if runtime.reader is None:
        if args.question:
            # Its answer comes here, whichever process reads the bot.
            return Taken()
        holder = runtime.lock.holder()
        if holder is None:
            raise Refused(f"nobody reads the bot yet: {runtime.idle_reason}")
        raise Refused(
            f"this session does not read the bot: {holder.describe()}. Its messages go there; `channels status "
            f"{runtime.context.channel.name} --release` asks it to hand over"
        )
    if seen := _page(runtime, args.after)[1]:
        runtime.reader.delivery.go_on_after(seen)
    return runtime.reader.delivery.take(args.limit, SHOW_AGAIN_AFTER_S, limits, limits.page_max - WORDS_SIZE)


async def _until_changed(runtime: ChannelRuntime, left_s: float) -> None:
    reader, wakeups = runtime.reader, runtime.context.wakeups
    if reader is not None:
        reader.delivery.waiting_calls += 1
    try:
        await wakeups.changed.wait(left_s)
    finally:
        if reader is not None:
            reader.delivery.waiting_calls -= 1
            wakeups.ready.set()
