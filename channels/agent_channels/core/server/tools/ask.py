"""`ask`: send a grid and wait; the result is what was chosen."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from agent_channels.core.buttons.leases import PromptLease
from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.outgoing import Grid
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.messages import translate
from agent_channels.core.outbound.sender import Reply
from agent_channels.core.runtime.runtime import ChannelRuntime
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


async def ask(runtime: ChannelRuntime, args: AskArguments) -> str:
    """Send the question, wait, and return the answer as JSON.

    A time-out or a cancelled call closes the question and says so to the person.
    """
    context = runtime.context
    prompts, wakeups = context.services.prompts, context.wakeups
    grid = _checked_grid(args)
    chat_id = await runtime.resolve_chat(args.chat_id)
    runtime.claim.record_ask()
    _require_own_reader(runtime)
    spec = PromptSpec(grid, multi=args.multi, other=args.other)
    prompt = prompts.create("ask", spec, session=context.link.session, timeout_s=args.timeout_s, lease_s=LEASE_S)
    reply = Reply(
        chat_id=chat_id,
        text=args.text,
        format=args.format or context.adapter.capabilities.default_format,
        thread_id=args.thread_id,
        grid=spec.drawn_grid(),
        tappers=args.tappers,
        prompt_id=prompt.id,
    )
    try:
        seen = runtime.shown(chat_id)
        await runtime.sender.reply(reply, lambda: runtime.answered(chat_id, seen))
        result = await PromptLease(prompts, prompt, LEASE_S).wait(wakeups.changed.wait, RENEW_EVERY_S)
        if result is not None:
            prompts.take(prompt.id)
            return _json({**result, "answered": True, "at": epoch_iso(result["at"])})
        if prompts.close(prompt.id, translate("prompt_timed_out")):
            wakeups.outcome_due.set()
            return _json(
                {"answered": False, "why": "nobody answered in time; the person was told that the question is closed"}
            )
    except BaseException:
        # Refused, failed or cancelled: nobody waits for this answer any more.
        if prompts.close(prompt.id, translate("prompt_withdrawn")):
            wakeups.outcome_due.set()
        raise
    return _json({"answered": False, "why": "the question was closed without an answer"})


def _checked_grid(args: AskArguments) -> Grid:
    grid = to_grid(args.buttons)
    if not grid:
        raise Refused('buttons is empty; give rows of labels, such as [["Yes", "No"]]')
    if any(button.url for row in grid for button in row):
        raise Refused("a url button only opens a page and cannot be an answer; leave it out of ask")
    return grid


def _require_own_reader(runtime: ChannelRuntime) -> None:
    holder = None if runtime.reader else runtime.lock.holder()
    if holder is not None and holder.state_dir not in {"", str(runtime.context.env.state_dir)}:
        raise Refused(f"the answer would not come here: {holder.describe()} reads this bot, with other state")


def _json(result: dict[str, Any]) -> str:
    return json.dumps(result, ensure_ascii=False)
