"""Asking approvers from a hook: the hook writes the prompt down, and the process that reads the bot shows its card."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.i18n.messages import set_language, translate
from agent_channels.core.services import Services
from agent_channels.hooks.channel import HookChannel

__all__ = ["ask", "channel_with_approvers", "stopped_by"]

# A hook ends this long before the time-out that hooks.json gives it.
MARGIN_S = 5.0
LEASE_S = 6.0
POLL_S = 0.3
# A reader that does not send the card within this time is not there.
SEND_WITHIN_S = 10.0


def channel_with_approvers(channels: list[HookChannel]) -> HookChannel | None:
    """Return a channel that has approvers and a process that can show them cards; speak its language.

    That is the one whose chat the turn works for, else the first.
    """
    able = [c for c in channels if Services.of(c.store).access.approvers() and c.is_read()]
    found = next((c for c in able if (turn := c.turns.current(c.session)) and turn.places), next(iter(able), None))
    if found is not None:
        set_language(found.settings().language)
    return found


def stopped_by(channels: list[HookChannel]) -> str | None:
    """Return who asked the session's turn to stop; None if nobody did."""
    turns = (channel.turns.current(channel.session) for channel in channels)
    return next((turn.stop_by or "" for turn in turns if turn is not None and turn.stop_at is not None), None)


def ask(
    channel: HookChannel,
    spec: PromptSpec,
    kind: Literal["permission", "question"],
    *,
    bound_s: float,
    request_id: str | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Ask the approvers and wait for an answer; return it as `Prompts` stores it, None if there is none in time.

    Nor is there one once `stopped()` is true: the turn that it is for was asked to stop.
    """
    prompts = Services.of(channel.store).prompts
    bound_s = max(1.0, bound_s - MARGIN_S if bound_s > 2 * MARGIN_S else bound_s)
    began = time.monotonic()
    prompt = prompts.create(
        kind, spec, session=channel.session, timeout_s=bound_s, lease_s=LEASE_S, request_id=request_id
    )
    try:
        while True:
            current = prompts.check(prompt.id, LEASE_S)
            if current is None or current.state == "closed":
                return None
            if current.state == "answered":
                prompts.take(prompt.id)
                return current.result
            now = time.monotonic()
            if stopped() or now >= began + bound_s or (not current.sent and now >= began + SEND_WITHIN_S):
                return None
            time.sleep(POLL_S)
    finally:
        prompts.close(prompt.id, translate("prompt_unanswered"))
