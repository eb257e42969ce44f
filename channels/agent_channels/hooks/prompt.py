"""The hook `prompt` (UserPromptSubmit): adds open messages to what the user just typed."""

from __future__ import annotations

from agent_channels.core.host.hand_over import ALREADY_READ, is_ring
from agent_channels.hooks.channel import open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer, print_refusal

__all__ = ["run"]


def run(event: HookEvent) -> int:
    """Print the open messages; nothing if there are none, but a ring for nothing is refused. Returns 0."""
    messages = []
    with open_hook_channels(event) as channels:
        for channel in channels:
            channel.prompted()
            messages.append(channel.hand_over() if channel.is_ours() else "")
    if any(messages):
        text = "\n".join(filter(None, messages))
        intro = "Messages that came in by chat meanwhile (answer each with the reply tool):"
        print_answer("UserPromptSubmit", additionalContext=f"{intro}\n{text}")
    elif is_ring(event.values.get("prompt")):
        # What it rang for was handed over at the end of the turn that was going on.
        print_refusal(ALREADY_READ)
    return 0
