"""The hook `end` (SessionEnd): tells people whose messages wait, or whose loop runs, that the session is over.

The session's server ends within a tenth of a second and could not; it is over, or about to be, when this runs.
"""

from __future__ import annotations

import os

from agent_channels.core.journal.inbox import WaitingChat
from agent_channels.hooks.channel import HookChannel, open_hook_channels
from agent_channels.hooks.event import HookEvent

__all__ = ["run"]

# The host goes on under another session id.
GOES_ON = ("clear", "resume")
SEND_WITHIN_S = 6.0


def run(event: HookEvent) -> int:
    """End the session's turn and loop, and tell each chat with open messages, and the loop's. Returns 0."""
    if event.values.get("reason") in GOES_ON:
        return 0
    with open_hook_channels(event) as channels:
        for channel in channels:
            ours, looped = channel.is_ours(), channel.end_loop()
            if ours and (turn := channel.turns.current(channel.session)) is not None:
                channel.turns.end(turn.id, "gone")
            waiting = channel.inbox.overdue(channel.inbox.now()) if ours else []
            if waiting or looped:
                _tell(channel, waiting)
    return 0


def _tell(channel: HookChannel, waiting: list[WaitingChat]) -> None:
    # Heavy, and seldom needed: most sessions leave nothing open.
    import anyio

    from agent_channels.core.contract.outgoing import Outgoing
    from agent_channels.core.errors import PlatformError
    from agent_channels.core.i18n.messages import set_language, translate
    from agent_channels.core.settings.config import Environment, load
    from agent_channels.registry import channel as channel_row

    row = channel_row(channel.name)
    env = Environment(channel.name, {**os.environ, "CLAUDE_PROJECT_DIR": str(channel.project)})
    settings, token = load(row.settings, env), env.token()
    if token is None:
        return
    set_language(settings.language)

    async def send() -> None:
        with anyio.move_on_after(SEND_WITHIN_S):
            async with row.connect(env, settings, token) as adapter:
                for chat in waiting:
                    key = "session_ended_one" if chat.count == 1 else "session_ended_many"
                    text = translate(key, count=chat.count, project=channel.project.name)
                    try:
                        await adapter.send(Outgoing(chat.chat_id, text, thread_id=chat.thread_id))
                    except PlatformError:
                        # Blocked, removed, or not reachable: the others may be.
                        continue
                # What says that the loop ended; a reader that is still there, or the next one, sends the rest.
                while (notice := channel.notices.claim()) is not None:
                    try:
                        await adapter.send(Outgoing(notice.chat_id, notice.text, thread_id=notice.thread_id))
                    except PlatformError:
                        break
                    channel.notices.delete(notice)

    anyio.run(send)
