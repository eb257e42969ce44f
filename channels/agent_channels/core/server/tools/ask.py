"""`ask`: send a grid and wait; the result is what was chosen."""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
from pydantic import Field

from agent_channels.core.buttons.prompt_spec import Prompt, PromptSpec
from agent_channels.core.contract.outgoing import Grid
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.messages import translate
from agent_channels.core.outbound.sender import Reply
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.server.current_runtime import CurrentRuntime
from agent_channels.core.server.session import CallResult
from agent_channels.core.server.tools.arguments import Arguments, Buttons, Format, Id, Ids, to_grid
from agent_channels.core.text.times import epoch_iso

__all__ = ["DESCRIPTION", "AskArguments", "ask"]

LEASE_S = 15.0
RENEW_EVERY_S = 4.0
DESCRIPTION = (
    "Asks in a chat with a grid of buttons and waits: the result is what was chosen, as JSON (label, value, user and "
    "time; labels for multi; text for a free answer). Typing a label or its number counts too. Use it when you cannot "
    "go on without the answer; otherwise reply with buttons, whose tap comes as an event."
)


class AskArguments(Arguments):
    """Arguments of `ask`."""

    chat_id: Id
    text: str = Field(min_length=1, max_length=200_000)
    buttons: Buttons
    timeout_s: float = Field(300, ge=1, le=3600, description="seconds to wait for the answer")
    multi: bool = Field(False, description="several choices, then Done")  # noqa: FBT003
    other: bool = Field(False, description="free text is an answer too")  # noqa: FBT003
    format: Format = ""
    thread_id: Id | None = None
    tappers: Ids | None = Field(None, description="user_ids who may answer; default: everybody allowed in the chat")


async def ask(current: CurrentRuntime, args: AskArguments) -> CallResult:
    """Send the question, wait, and return the answer as JSON.

    A time-out closes the question and says so to the person. After a cancelled call the answer comes as an event.
    """
    deadline = time.monotonic() + args.timeout_s
    runtime = await current.get()
    context = runtime.context
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
        seen = runtime.shown(chat_id)
        await runtime.sender.reply(reply, lambda: runtime.answered(chat_id, seen))
        runtime, prompt = await current.wait_for_answer(prompt_id, deadline, LEASE_S, RENEW_EVERY_S)
        return _result(current, runtime, prompt, timed_out=time.monotonic() >= deadline)
    except anyio.get_cancelled_exc_class():
        # The agent never hears of this call again: what people choose becomes an event.
        current.change_prompts(lambda prompts: prompts.abandon(prompt_id))
        raise
    except BaseException:
        current.change_prompts(lambda prompts: prompts.close(prompt_id, translate("prompt_withdrawn")))
        raise


def _result(current: CurrentRuntime, runtime: ChannelRuntime, prompt: Prompt | None, *, timed_out: bool) -> CallResult:
    prompts = runtime.context.services.prompts
    if prompt is not None and prompt.result is not None and prompts.take(prompt.id):
        text = _json({**prompt.result, "answered": True, "at": epoch_iso(prompt.result["at"])})
        return CallResult(text, lambda: current.result_written(prompt.id))
    if prompt is None or prompt.state == "closed":
        return _no_answer("the question was closed without an answer")
    if timed_out and prompts.close(prompt.id, translate("prompt_timed_out")):
        runtime.context.wakeups.outcome_due.set()
        return _no_answer("nobody answered in time; the person was told that the question is closed")
    if prompt.state == "open":
        prompts.abandon(prompt.id)
        return _no_answer("a newer call waits in this session, so the answer comes as a message")
    return _no_answer("there was an answer while nobody seemed to wait for it, so it comes as a message")


def _no_answer(why: str) -> CallResult:
    return CallResult(_json({"answered": False, "why": why}))


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
