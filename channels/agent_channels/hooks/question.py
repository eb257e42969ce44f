"""The hook `question` (PreToolUse of AskUserQuestion): asks the approvers the host's multiple-choice questions."""

from __future__ import annotations

import time

from agent_channels.core.buttons.card_content import question_spec
from agent_channels.hooks.ask import ask, channel_with_approvers, stopped_by
from agent_channels.hooks.channel import open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer

__all__ = ["run"]


def run(event: HookEvent) -> int:
    """Print the approvers' answers; nothing unless every question is answered, so that the dialog stays. Returns 0."""
    tool_input = event.values.get("tool_input")
    questions = tool_input.get("questions") if isinstance(tool_input, dict) else None
    if event.values.get("tool_name") != "AskUserQuestion" or not isinstance(questions, list) or not questions:
        return 0
    answers: dict[str, str] = {}
    with open_hook_channels(event) as channels:
        channel = channel_with_approvers(channels)
        if channel is None:
            return 0
        deadline = time.monotonic() + channel.settings().hook_bound_s
        for question in questions:
            spec = question_spec(question, event.project.name) if isinstance(question, dict) else None
            answer = None
            if spec is not None:
                left_s = deadline - time.monotonic()
                answer = ask(
                    channel, spec, "question", bound_s=left_s, stopped=lambda: stopped_by(channels) is not None
                )
            if answer is None:
                if (by := stopped_by(channels)) is not None:
                    reason = f"Stopped from the chat by {by}"
                    print_answer("PreToolUse", permissionDecision="deny", permissionDecisionReason=reason)
                return 0
            answers[str(question.get("question", ""))] = (
                answer.get("text") or answer.get("label") or ", ".join(answer.get("labels", ()))
            )
    updated = {**(tool_input if isinstance(tool_input, dict) else {}), "answers": answers}
    print_answer("PreToolUse", permissionDecision="allow", updatedInput=updated)
    return 0
