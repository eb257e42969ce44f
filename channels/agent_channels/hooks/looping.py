"""The loop at the end of a turn: over, or with its next round as the reason to go on."""

from __future__ import annotations

from agent_channels.core.host.hand_over import CONTEXT_MAX
from agent_channels.core.host.inbox_address import inbox_address
from agent_channels.core.host.inbox_socket import post_text
from agent_channels.core.host.loops import Loop, round_text
from agent_channels.core.i18n.messages import set_language
from agent_channels.core.settings.paths import env_value
from agent_channels.hooks.channel import HookChannel

__all__ = ["go_on"]

# How often in a row a host lets a Stop hook go on with a turn in which no tool is used; 0: as often as it likes.
HOST_CAP = 8


def go_on(every: list[HookChannel], said: str, *, going_on: bool) -> str | None:
    """Return what the turn goes on with; "" if it ends and the next round wakes the session; None: no loop goes on.

    `said` is the agent's last message; `going_on`: this turn was let go on before.
    """
    found = [(channel, loop) for channel in every if (loop := channel.loop()) is not None]
    (channel, loop), *others = sorted(found, key=lambda one: one[1].began_at)
    for other, second in others:
        set_language(other.settings().language)
        other.loops.end(second, "second")
    set_language(channel.settings().language)
    first = not channel.has_begun(loop)
    if loop.promise in said and not channel.inbox.was_never_offered(loop.delivery_id):
        channel.loops.end(loop, "promised")
        return None
    if not first and loop.round >= loop.rounds_max:
        channel.loops.end(loop, "rounds")
        return None
    in_a_row = loop.in_a_row + 1 if going_on else 1
    if (cap := _host_cap()) and in_a_row > cap:
        return _wake_later(every, channel, loop, first=first)
    with channel.store.transaction():
        following = channel.loops.begin_round(loop, in_a_row, first=first)
        if following is None:
            return None
        text = "" if first else round_text(following)
        own = _waiting_messages(channel, CONTEXT_MAX - _size(text))
    parts = [part for part in (text, own) if part]
    for other in every:
        if other is not channel and (messages := _waiting_messages(other, CONTEXT_MAX - _size("\n\n".join(parts)))):
            parts.append(messages)
    return "\n\n".join(parts)


def _waiting_messages(channel: HookChannel, room: int) -> str:
    messages = channel.hand_over(room) if channel.is_ours() and channel.waiting() else ""
    intro = f"Messages came in by {channel.name}. Answer each with the reply tool, in its chat_id:"
    return f"{intro}\n{messages}" if messages else ""


def _wake_later(every: list[HookChannel], channel: HookChannel, loop: Loop, *, first: bool) -> str | None:
    """End the turn, which the host would end in any case, and wake the session for the next round another way."""
    inbox = inbox_address()
    rings = any((known := one.host_session()) is not None and "bell" in known.hooks for one in every)
    if inbox is None and not rings:
        channel.loops.end(loop, "blocked")
        return None
    # A host may not take what is posted: then its bell rings a little later.
    wait_s = channel.settings().escalate_after_s if inbox else 0.0
    following = channel.loops.begin_round(loop, 0, first=first, wake_after_s=wait_s if rings else None)
    if following is None:
        return None
    for one in every:
        one.end_turn("")
    if inbox and not post_text(inbox, round_text(following)):
        if not rings:
            channel.loops.end(following, "blocked")
            return None
        channel.loops.wake_now(following)
    return ""


def _host_cap() -> int:
    """Return how often the host lets a Stop hook go on; its user may have set another number."""
    text = env_value("CLAUDE_CODE_STOP_HOOK_BLOCK_CAP") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else HOST_CAP


def _size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
