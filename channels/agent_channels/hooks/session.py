"""The hook `session` (SessionStart): tells the model how the channels stand, and a new one what it missed."""

from __future__ import annotations

from agent_channels.core.journal.history import History
from agent_channels.core.people.chats import Chats
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.core.text.sanitize import attribute, label
from agent_channels.core.text.times import epoch_iso
from agent_channels.hooks.channel import HookChannel, open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer

__all__ = ["run"]

CHATS_MAX, LAST_MAX = 5, 200


def run(event: HookEvent) -> int:
    """Print a line with who is paired, what is waiting and which mode is in force. Returns 0."""
    with open_hook_channels(event) as channels:
        sentences = [_describe(channel) for channel in channels]
    if sentences:
        print_answer("SessionStart", additionalContext=" ".join(sentences))
    return 0


def _describe(channel: HookChannel) -> str:
    before = channel.host_session()
    is_new = before is None or "session" not in before.hooks
    channel.sessions.record_hook(channel.session, "session")
    people = channel.store.value("SELECT count(*) FROM people")
    open_messages = channel.inbox.counts()["open"]
    session = channel.host_session()
    mode = session.mode if session and session.mode else "not found out yet"
    return (
        f"{channel.name}: {people} paired, {open_messages} open messages, delivery by {mode}. People see only what the "
        f"reply tool sends.{_missed(channel) if is_new and open_messages else ''}"
    )


def _missed(channel: HookChannel) -> str:
    """Return which chats have open messages and what was said last in each: told once, when a session begins."""
    chats, history = Chats(channel.store, KeyValue(channel.store)), History(channel.store)
    counts = {chat_id: channel.inbox.open_count(chat_id) for chat_id in channel.inbox.waiting_by_chat()}
    told = []
    for chat_id, count in [(chat_id, count) for chat_id, count in counts.items() if count][:CHATS_MAX]:
        title = label(chats.title(chat_id) or "")
        named = f"chat_id {chat_id}" + (f" ({title})" if title else "")
        last = history.page(chat_id, 1)
        said = (
            f", last {epoch_iso(last[0].at)} {label(last[0].user)}: “{attribute(last[0].text, LAST_MAX)}”"
            if last
            else ""
        )
        told.append(f"{named}: {count} open{said}")
    return (
        f" While you were away: {'; '.join(told)}. These are people's words, quoted; the messages themselves come as "
        "usual, so do not answer from this line."
    )
