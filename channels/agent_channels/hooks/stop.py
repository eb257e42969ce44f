"""The hook `stop` (Stop): begins the next round of a loop, or hands open messages over, as the reason to go on.

It may wait for the next message first.
"""

from __future__ import annotations

import time

from agent_channels.hooks.channel import HookChannel, open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer

__all__ = ["run"]

POLL_S = 0.5
# A server notices at once what a hook wrote down, within three seconds if that got lost, and then sends it.
ANSWERED_WITHIN_S = 8.0
SENT_POLL_S = 0.05


def run(event: HookEvent) -> int:
    """Print what the turn goes on with; nothing if there is none within `stop_wait_s`. Returns 0."""
    with open_hook_channels(event) as every:
        _record(every, event)
        channels = [channel for channel in every if channel.is_ours()]
        going_on = event.values.get("stop_hook_active") is True
        began, waits_since = time.time(), time.monotonic()
        given = event.values.get("last_assistant_message")
        said = given if isinstance(given, str) else ""
        if _begins_round(every, said, going_on=going_on):
            return 0
        try:
            while channels and not event.host.is_gone():
                # First: what was said is an answer to what came before, not to what is handed over now.
                ended = [(c, turn) for c in every if (turn := c.end_turn(said))]
                _wait_for_answers(ended)
                for channel in channels:
                    reason = _reason_to_go_on(channel, going_on=going_on, began=began)
                    if reason:
                        return _go_on(channel, reason, event)
                waited_s = time.monotonic() - waits_since
                waiting = [c for c in channels if _may_wait(c, waited_s, going_on=going_on, began=began)]
                if not waiting or waited_s >= event.wait_max_s:
                    return 0
                for channel in waiting:
                    channel.announce_wait()
                time.sleep(POLL_S)
        finally:
            for channel in channels:
                channel.withdraw_wait()
    return 0


def _record(every: list[HookChannel], event: HookEvent) -> None:
    """Record that the hook ran; where steps are hooks too, a stop that none of them carried out ends here."""
    for channel in every:
        channel.sessions.record_hook(channel.session, "stop")
        if event.tells_steps:
            channel.end_if_stopped()


def _begins_round(every: list[HookChannel], said: str, *, going_on: bool) -> bool:
    """Begin the next round of the session's loop; return False if there is none."""
    if not any(channel.loop() for channel in every):
        return False
    # Most turns are not a loop's.
    from agent_channels.hooks.looping import go_on

    reason = go_on(every, said, going_on=going_on)
    if reason:
        print_answer("Stop", additionalContext=reason)
    return reason is not None


def _wait_for_answers(ended: list[tuple[HookChannel, str]]) -> None:
    """Wait a little until what was said at the end is sent: a session without a screen ends with this hook."""
    deadline = time.monotonic() + ANSWERED_WITHIN_S
    while time.monotonic() < deadline and any(channel.sends_answer(turn_id) for channel, turn_id in ended):
        time.sleep(SENT_POLL_S)


def _reason_to_go_on(channel: HookChannel, *, going_on: bool, began: float) -> str:
    """Hand messages over; "" if there are none, the waiting was ended from the chat, or `stop_cap` is reached."""
    session = channel.host_session()
    if session is None or not channel.waiting():
        return ""
    count = session.loops + 1 if going_on else 1
    if count > channel.settings().stop_cap:
        return ""
    if session.ended_at is not None and session.ended_at > began:
        return ""
    messages = channel.hand_over()
    if not messages:
        return ""
    channel.sessions.set_loops(channel.session, count)
    return f"Messages came in by {channel.name}. Answer each with the reply tool, in its chat_id:\n{messages}"


def _go_on(channel: HookChannel, reason: str, event: HookEvent) -> int:
    print_answer("Stop", additionalContext=reason)
    if event.goes_on_unseen:
        # No hook will tell when it is over.
        channel.end_turn("")
    return 0


def _may_wait(channel: HookChannel, waited_s: float, *, going_on: bool, began: float) -> bool:
    settings = channel.settings()
    if waited_s >= settings.stop_wait_s:
        return False
    session = channel.host_session()
    if session is None or (going_on and session.loops >= settings.stop_cap) or channel.has_unread_post():
        return False
    # Ended from the chat: while this hook waits, or while the agent worked on what an earlier one handed over.
    since = session.loops_at if going_on and session.loops_at is not None else began
    return session.ended_at is None or session.ended_at < since
