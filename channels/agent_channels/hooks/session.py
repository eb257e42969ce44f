"""The hook `session` (SessionStart): tells the model how the channels stand."""

from __future__ import annotations

from agent_channels.hooks.channel import HookChannel, open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer

__all__ = ["run"]


def run(event: HookEvent) -> int:
    """Print a line with who is paired, what is waiting and which mode is in force. Returns 0."""
    with open_hook_channels(event) as channels:
        sentences = [_describe(channel) for channel in channels]
    if sentences:
        print_answer("SessionStart", additionalContext=" ".join(sentences))
    return 0


def _describe(channel: HookChannel) -> str:
    channel.sessions.record_hook(channel.session, "session")
    people = channel.store.value("SELECT count(*) FROM people")
    open_messages = channel.inbox.counts()["open"]
    session = channel.host_session()
    mode = session.mode if session and session.mode else "not found out yet"
    return (
        f"{channel.name}: {people} paired, {open_messages} open messages, delivery by {mode}. People see only what the "
        "reply tool sends."
    )
