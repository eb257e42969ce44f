"""`ask`: a grid is sent, and the tool's result is what was chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from agent_channels.core.buttons.prompt_spec import Prompt, PromptSpec
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.contract.outgoing import Grid
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.messages import translate
from agent_channels.core.outbound.sender import Reply
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.runtime.status import iso_time

__all__ = ["Question", "ask"]

LEASE_S = 15.0
RENEW_EVERY_S = 4.0


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent asks in a chat."""

    chat_id: str
    text: str
    format: str
    grid: Grid
    timeout_s: float
    multi: bool = False
    other: bool = False
    thread_id: str | None = None
    tappers: Sequence[str] | None = None


async def ask(line: ChannelRuntime, question: Question) -> str:
    """Sends the question, waits, and returns the answer as JSON.

    A time-out or a cancelled call closes the question and says so to the person.
    """
    if any(b.url for row in question.grid for b in row):
        raise Refused("a url button opens a page and is never reported back, so it is no answer; drop it from ask")
    line.asking()
    holder = None if line.reader else line.lock.holder()
    if holder is not None and holder.state_dir not in {"", str(line.env.state_dir)}:
        raise Refused(f"the answer would not come here: {holder.describe()} reads this bot, with other state")
    prompts = Prompts(line.store)
    spec = PromptSpec(question.grid, multi=question.multi, other=question.other)
    prompt = prompts.create("ask", spec, session=line.session, bound_s=question.timeout_s, lease_s=LEASE_S)
    reply = Reply(
        chat_id=question.chat_id,
        text=question.text,
        format=question.format,
        thread_id=question.thread_id,
        grid=spec.shown(),
        tappers=question.tappers,
        prompt_id=prompt.id,
    )
    try:
        seen = line.shown(question.chat_id)
        await line.sender.reply(reply, lambda: line.acted(question.chat_id, seen))
        return await _answer(line, prompts, prompt)
    except BaseException:
        # Refused, failed or cancelled: nobody waits for this answer any more.
        if prompts.close(prompt.id, translate("prompt_withdrawn")):
            line.ring_due()
        raise


async def _answer(line: ChannelRuntime, prompts: Prompts, prompt: Prompt) -> str:
    while True:
        found = prompts.get(prompt.id)
        if found is None or found.state == "closed":
            return _nothing("the question was closed without an answer")
        if found.state == "answered" and found.result is not None:
            prompts.taken(prompt.id)
            result = {**found.result, "answered": True, "at": iso_time(found.result["at"])}
            return json.dumps(result, ensure_ascii=False)
        left = found.expires_at - prompts.now()
        if left <= 0:
            if prompts.close(prompt.id, translate("prompt_timed_out")):
                line.ring_due()
                return _nothing("nobody answered in time; the person was told that the question is closed")
            continue
        prompts.renew(prompt.id, LEASE_S)
        await line.changed.wait(min(RENEW_EVERY_S, left))


def _nothing(why: str) -> str:
    return json.dumps({"answered": False, "why": why}, ensure_ascii=False)
