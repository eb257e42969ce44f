"""`ask`: send a grid and wait; the result is what was chosen."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import MISSING
from typing import Any

import anyio

from agent_channels.core.buttons.prompt_spec import Prompt, PromptSpec
from agent_channels.core.contract.outgoing import Grid
from agent_channels.core.errors import Refused
from agent_channels.core.host.call_limits import CallLimits
from agent_channels.core.i18n.messages import translate
from agent_channels.core.outbound.sender import Reply
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.current_runtime import CurrentRuntime
from agent_channels.core.server.session import CallResult
from agent_channels.core.server.tools.arguments import (
    BUTTON_ROWS,
    BUTTONS,
    FORMAT,
    FORMATS,
    ID,
    IDS,
    Arguments,
    Buttons,
    to_grid,
)
from agent_channels.core.settings.declared import Flag, Nullable, Number, Text, declare
from agent_channels.core.text.times import epoch_iso

__all__ = [
    "DESCRIPTION",
    "LEASE_S",
    "RENEW_EVERY_S",
    "AskArguments",
    "answer_result",
    "ask",
    "question_result",
]

LEASE_S = 15.0
RENEW_EVERY_S = 4.0
# A label is not cut below this.
CUT_MIN = 16
DESCRIPTION = (
    "Asks in a chat with a grid of buttons and waits: the result is what was chosen, as JSON (label, value, user and "
    "time; labels for multi; text for a free answer). Typing a label or its number counts too. If it returns before "
    "anybody answered, the result says how to go on waiting; never ask again what is still open. Use it when you "
    "cannot go on without the answer; otherwise reply with buttons, whose tap comes as an event."
)


class AskArguments(Arguments):
    """Arguments of `ask`."""

    chat_id: str = declare(MISSING, ID)
    text: str = declare(MISSING, Text(1, 200_000))
    buttons: Buttons = declare(MISSING, BUTTON_ROWS, BUTTONS)
    timeout_s: float = declare(300, Number(1, 3600), "seconds until the question is closed")
    multi: bool = declare(False, Flag(), "several choices, then Done")  # noqa: FBT003
    other: bool = declare(False, Flag(), "free text is an answer too")  # noqa: FBT003
    format: str = declare("", FORMAT, FORMATS)
    thread_id: str | None = declare(None, Nullable(ID))
    tappers: tuple[str, ...] | None = declare(
        None, Nullable(IDS), "user_ids who may answer; default: everybody allowed in the chat"
    )


async def ask(current: CurrentRuntime, args: AskArguments) -> CallResult:
    """Send the question, wait, and return the answer as JSON.

    At the question's time-out it is closed, and the person is told. Where the host takes no call that long, the result
    says before that it is still open; its answer then comes with a later call or as an event, as after a cancelled one.
    """
    began = time.monotonic()
    deadline = began + args.timeout_s
    runtime = await current.get()
    context = runtime.context
    limits = current.limits()
    grid = _checked_grid(args)
    chat_id = await runtime.resolve_chat(args.chat_id)
    runtime.claim.record_ask()
    _require_own_reader(runtime)
    spec = PromptSpec(grid, multi=args.multi, other=args.other)
    prompt_id = context.services.prompts.create(
        "ask", spec, session=context.link.session, timeout_s=args.timeout_s, lease_s=LEASE_S
    ).id
    reply = Reply(
        chat_id=chat_id,
        text=args.text,
        format=args.format or context.adapter.capabilities.default_format,
        thread_id=args.thread_id,
        grid=spec.drawn_grid(),
        tappers=args.tappers,
        prompt_id=prompt_id,
    )
    try:
        with current.waiting_for(prompt_id):
            seen = runtime.shown(chat_id)
            await runtime.sender.reply(reply, lambda: runtime.answered(chat_id, seen))
            current.asked(prompt_id)
            newest = current.newest_wait
            until = min(deadline, began + limits.wait_s)
            runtime, prompt = await current.wait_for_answer(prompt_id, until, LEASE_S, RENEW_EVERY_S)
    except anyio.get_cancelled_exc_class():
        # The agent never hears of this call again: what people choose becomes an event.
        current.asked(prompt_id)
        current.change_prompts(lambda prompts: prompts.abandon(prompt_id))
        raise
    except BaseException:
        current.change_prompts(lambda prompts: prompts.close(prompt_id, translate("prompt_withdrawn")))
        raise
    if newest != current.newest_wait:
        runtime.context.services.prompts.abandon(prompt_id)
        return _no_answer(prompt_id, "a newer call waits in this session, so the answer comes as a message")
    heard = time.monotonic() <= began + limits.heard_s
    timed_out = time.monotonic() >= deadline
    return question_result(current, runtime, prompt_id, prompt, heard=heard, timed_out=timed_out, named=False)


def question_result(
    current: CurrentRuntime,
    runtime: ChannelRuntime,
    prompt_id: str,
    prompt: Prompt | None,
    *,
    heard: bool,
    timed_out: bool,
    after: int | None = None,
    named: bool = True,
) -> CallResult:
    """Return what became of a question, for the agent; one that timed out is closed, and the person is told.

    `heard`: the host surely still waits for this call; otherwise the answer is given once more. `named`: the answer
    says to which question.
    """
    prompts = runtime.context.services.prompts
    if prompt is not None and prompt.result is not None:
        if prompt.state == "answered" and not heard:
            prompts.repeat(prompt_id)
            return CallResult(_answer_text(prompt, current.limits(), named=named), question=prompt_id)
        if prompts.take(prompt_id):
            return answer_result(current, [prompt], named=named)
        current.answer_given(prompt_id)
        return _no_answer(prompt_id, "it was answered while nobody seemed to wait for it: the answer came as a message")
    if prompt is None or prompt.state == "closed":
        current.answer_given(prompt_id)
        return _no_answer(prompt_id, "the question was closed without an answer")
    if timed_out:
        if prompts.close(prompt_id, translate("prompt_timed_out")):
            current.answer_given(prompt_id)
            runtime.context.wakeups.outcome_due.set()
            return _no_answer(prompt_id, "nobody answered in time; the person was told that the question is closed")
        return question_result(current, runtime, prompt_id, prompts.get(prompt_id), heard=heard, timed_out=False)
    left_s = max(1, round(prompt.expires_at - prompts.now()))
    number = current.next_after(after)
    return _no_answer(
        prompt_id,
        f"nobody has answered yet; the question stays open for {left_s} s more",
        open=True,
        next=f"to go on waiting, call wait_for_messages with question {prompt_id!r} and after {number}; if you do "
        "something else, the answer comes with the result of a later call, or as a message",
    )


def answer_result(current: CurrentRuntime, prompts: Sequence[Prompt], *, named: bool = True) -> CallResult:
    """Return the answers to questions that were taken, one a line; they are confirmed once the host has them."""
    ids = [prompt.id for prompt in prompts]
    for prompt_id in ids:
        current.answer_given(prompt_id)

    def written() -> None:
        for prompt_id in ids:
            current.result_written(prompt_id)

    def lost() -> None:
        for prompt_id in ids:
            current.answer_lost(prompt_id)

    limits = current.limits()
    texts = [_answer_text(prompt, limits, named=named) for prompt in prompts]
    return CallResult("\n".join(texts), written, lost, ids[0])


def _answer_text(prompt: Prompt, limits: CallLimits, *, named: bool) -> str:
    """Return the answer to a question as JSON; labels and values that would fill a page are cut."""
    result = dict(prompt.result or {})
    found = {**result, "answered": True, "at": epoch_iso(result["at"])}
    if named:
        found["question"] = prompt.id
    text = _json(found)
    most = limits.page_max // 2
    while not limits.fits(text, limits.page_max // 2) and most > CUT_MIN:
        most //= 2
        text = _json({name: _cut(value, most) for name, value in found.items()} | {"cut": True})
    return text


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, list):
        return [_cut(one, max(CUT_MIN, most // len(value))) for one in value]
    return f"{value[: most - 1]}…" if isinstance(value, str) and len(value) > most else value


def _no_answer(prompt_id: str, why: str, **more: object) -> CallResult:
    return CallResult(_json({"answered": False, "why": why, "question": prompt_id, **more}), question=prompt_id)


def _json(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False)


def _checked_grid(args: AskArguments) -> Grid:
    grid = to_grid(args.buttons)
    if not grid:
        raise Refused('buttons is empty; give rows of labels, such as [["Yes", "No"]]')
    if any(button.url for row in grid for button in row):
        raise Refused("a url button only opens a page and cannot be an answer; leave it out of ask")
    if not any(button.answers for row in grid for button in row):
        raise Refused("a copy button only copies and cannot be an answer; add one that can")
    return grid


def _require_own_reader(runtime: ChannelRuntime) -> None:
    holder = None if runtime.reader else runtime.lock.holder()
    if holder is not None and holder.state_dir not in {"", str(runtime.context.env.state_dir)}:
        raise Refused(f"the answer would not come here: {holder.describe()} reads this bot, with other state")
