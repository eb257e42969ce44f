"""Messages handed to the agent as the context that a hook adds: once, as many as fit, recorded as offered by `hook`."""

from __future__ import annotations

import itertools

from agent_channels.core.frozen import frozen
from agent_channels.core.host.frames import channel_block, channel_blocks
from agent_channels.core.host.turns import Place, Turn, Turns
from agent_channels.core.journal.entry import Entry
from agent_channels.core.journal.inbox import Inbox

__all__ = ["ALREADY_READ", "CONTEXT_MAX", "HandedOver", "hand_over", "is_ring", "ring_text"]

ENTRIES_MAX = 20
# A host moves more than 10,000 characters of a hook's context into a file and shows the model only the beginning.
CONTEXT_MAX = 9_000
# Why a ring is refused for which nothing waits any more.
ALREADY_READ = "The messages that this is about were read already."
_RING = "Messages from people came in by "


@frozen
class HandedOver:
    """What was handed over, as the text that the model reads; "" if nothing waited. `turn` is the turn that has it."""

    text: str = ""
    entries: tuple[Entry, ...] = ()
    turn: Turn | None = None

    @property
    def new_places(self) -> list[Place]:
        """The chats from which something was handed over for the first time."""
        return list(dict.fromkeys(Place(entry.chat_id, entry.thread_id) for entry in self.entries if entry.offers == 1))


def hand_over(inbox: Inbox, turns: Turns, session: str, source: str, room: int = CONTEXT_MAX) -> HandedOver:
    """Offer the waiting messages that fit into `room` characters; `source` is our name in `<channel>` blocks.

    One transaction, since the server and a hook may offer them at the same moment.
    """
    if not inbox.any_ready():
        return HandedOver()
    with inbox.store.transaction():
        waiting = inbox.ready(ENTRIES_MAX)
        if not waiting:
            return HandedOver()
        sizes = _sizes(source, waiting)
        fitting = [entry for entry, size in zip(waiting, sizes, strict=True) if size <= room]
        offered = inbox.begin_offer(fitting, session, "hook")
        inbox.finish_offer([entry.id for entry in offered])
        places = [Place(entry.chat_id, entry.thread_id) for entry in offered]
        turn = turns.show(session, places) if places else None
    left = len(waiting) - len(offered)
    more = f"{left} more, or too long for this place: call wait_for_messages (timeout_s 0) of {source}."
    text = "\n".join(filter(None, (channel_blocks(source, offered), more if left else "")))
    return HandedOver(text, tuple(offered), turn)


def _sizes(source: str, entries: list[Entry]) -> list[int]:
    """How much of the context each entry fills together with all before it, in UTF-16 units."""
    sizes = (len(channel_block(source, entry).encode("utf-16-le")) // 2 + 25 for entry in entries)
    return list(itertools.accumulate(sizes))


def ring_text(source: str) -> str:
    """Return the words that a session is woken with; `source` is our name in the host's list of servers."""
    return (
        f"{_RING}{source}: they stand below, or wait_for_messages (timeout_s 0) of that server returns them. Do "
        "what they ask, and answer each with reply."
    )


def is_ring(prompt: object) -> bool:
    """Return whether a prompt is the words of a ring, to which nobody typed anything."""
    if not isinstance(prompt, str) or not prompt.startswith(_RING):
        return False
    return prompt.strip() == ring_text(prompt.removeprefix(_RING).partition(":")[0])
