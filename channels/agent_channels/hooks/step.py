"""The hook `step` (before a tool, and after it), for hosts whose hooks are commands and not calls of the server.

It shows people what the agent does, ends a turn that they stopped, and hands over what they write meanwhile.
"""

from __future__ import annotations

import time

from agent_channels.core.host.turns import Step, Turn
from agent_channels.hooks.channel import HookChannel, open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer, print_stop

__all__ = ["run"]

BEFORE, AFTER = "PreToolUse", "PostToolBatch"
WAIT_TOOL = "wait_for_messages"
FILE_MAX = 300


def run(event: HookEvent) -> int:
    """Print that the turn ends, or the messages that came; nothing for a step that just goes on. Returns 0."""
    before = event.values.get("hook_event_name") == BEFORE
    with open_hook_channels(event) as every:
        channels = [channel for channel in every if channel.is_ours()]
        for channel in channels:
            channel.sessions.record_hook(channel.session, "step")
        stopping = [_begin(channel, event) if before else _end(channel, event) for channel in channels]
        turns = [turn for turn in stopping if turn is not None]
        if turns and (before or event.ends_turns):
            by = turns[0].stop_by
            print_stop(BEFORE if before else AFTER, f"Stopped from the chat by {by}" if by else "Stopped from the chat")
            return 0
        if before or turns or event.values.get("agent_id"):
            # A subagent is not who people write to.
            return 0
        messages = "\n".join(filter(None, (channel.steer() for channel in channels)))
        if messages:
            intro = "Messages that came in by chat while you work (answer each with the reply tool):"
            print_answer(AFTER, additionalContext=f"{intro}\n{messages}")
    return 0


def _begin(channel: HookChannel, event: HookEvent) -> Turn | None:
    """Count a tool that is about to run; return the turn if it was asked to stop."""
    turn, tool = channel.turns.current(channel.session), str(event.values.get("tool_name") or "")
    if turn is not None and turn.stop_at is not None:
        if event.stops_at_once:
            channel.end_stopped(turn)
        return turn
    if tool.startswith(f"mcp__{channel.name}__"):
        if turn is not None and tool.endswith(WAIT_TOOL):
            # An agent that waits for messages is done with those it had.
            channel.turns.end(turn.id, "done")
        return None
    # What masks secrets takes longer to import than all else, and the host waits.
    from agent_channels.core.host.tool_words import describe_tool, is_writing, main_argument, masked_line

    turn = turn or channel.turn_at_work()
    _, subject = main_argument(event.values.get("tool_input"))
    file = masked_line(subject, FILE_MAX) if is_writing(tool) else ""
    call, agent = (str(event.values.get(name) or "") for name in ("tool_use_id", "agent_id"))
    turn.detail.begin_step(Step(call, describe_tool(tool, subject, event.project), time.time(), agent), file=file)
    channel.turns.save(turn)
    return None


def _end(channel: HookChannel, event: HookEvent) -> Turn | None:
    """Count what ran as done; return the turn if it was asked to stop, ended where the host lets a hook end it."""
    turn = channel.turns.current(channel.session)
    if turn is None:
        return None
    turn.detail.end_steps(str(event.values.get("agent_id") or ""))
    channel.turns.save(turn)
    if turn.stop_at is None:
        return None
    if event.ends_turns and not event.values.get("agent_id"):
        channel.end_stopped(turn)
    return turn
