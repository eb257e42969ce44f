"""Several messages that a person meant as one become one event: an album, a text that the client split because of its
length, and a forward with its comment.

Nothing else is grouped, and a text is held back only if it is so long that more of it may follow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Message
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.incoming import IncomingMessage
from agent_channels.core.journal.entry import AgentEvent
from agent_channels.core.journal.events import VOICE, add_files, describe_files
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.pending_groups import GroupedMessage, PendingGroup
from agent_channels.core.text.sanitize import CAPS, attribute, content
from agent_channels.core.text.units import length

__all__ = ["ALBUM_S", "FORWARD_S", "SPLIT_S", "MessageGrouping"]

# How long the next message may take. The parts of an album come within about 500 ms; a client uploads the
# parts of a text one after the other.
ALBUM_S = 0.6
SPLIT_S = 1.0
FORWARD_S = 0.6
# A backlog comes all at once, so the platform's own time decides too; some platforms tell it in whole seconds.
APART_S = 3.0
MESSAGES_MAX = 20


class MessageGrouping:
    """Decide, in the transaction of each message, whether it belongs to the one before."""

    def __init__(self, inbox: Inbox, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._inbox, self._limits, self._clock = inbox, limits, clock
        # False: no group waits, so nothing has to be looked up.
        self.pending = False

    def resume(self) -> None:
        """At the start: give groups of an earlier process time, since the platform repeats what that one missed."""
        self._inbox.postpone_groups(self._clock() + SPLIT_S)
        self.pending = True

    # ---- deciding

    def find(self, incoming: IncomingMessage, *, held: bool = False) -> PendingGroup | None:
        """Return the group that a message continues; `held`: its sender is not paired yet."""
        message = incoming.message
        if not (self.pending or held or message.forward_from):
            return None
        grouped = self._grouped(message)
        if grouped.plain and (message.reply or message.command):
            # Only the first of what belongs together replies to something.
            return None
        place = (message.chat.id, message.sender.id, message.thread_id)
        group = self._inbox.pending_group(*place) if self.pending or held else None
        if group is not None:
            in_time = group.held or incoming.received_at <= group.until
            return group if in_time and _belongs(group, grouped) else None
        if grouped.forward is None:
            return None
        group = self._inbox.last_plain_text(*place, incoming.entry_id)
        return group if group is not None and _belongs(group, grouped) else None

    def open(self, incoming: IncomingMessage, *, held: bool = False) -> bool:
        """Make an entry of a message, or a part of the group it continues; return True if it became such a part."""
        if incoming.group is None and not held:
            self._complete_other(incoming.message)
        wait_s = self._wait_s(incoming.message)
        if incoming.group is None and not wait_s:
            self._inbox.open(incoming.entry_id, incoming.event, held=held)
            return False
        grouped = replace(
            self._grouped(incoming.message, incoming.event),
            delivery_id=self._inbox.delivery_id(incoming.entry_id),
        )
        self.pending = True
        if incoming.group is not None:
            self._join(incoming.group, incoming, grouped, wait_s)
            return True
        self._inbox.begin_group(incoming.entry_id, incoming.event, grouped, incoming.received_at + wait_s, held=held)
        return False

    def _join(self, group: PendingGroup, incoming: IncomingMessage, grouped: GroupedMessage, wait_s: float) -> None:
        # A comment after its forward, or the short end of a text, completes the group.
        complete = not wait_s or (grouped.plain and not grouped.near_limit)
        grown = replace(
            group,
            messages=(*group.messages, grouped),
            downloads=(*group.downloads, *incoming.event.files_to_fetch),
            until=0.0 if complete else max(group.until, incoming.received_at + wait_s),
        )
        self._inbox.join_group(
            grown, incoming.entry_id, incoming.event, compose_text(grown.messages), _compose_meta(grown, incoming.event)
        )
        if complete:
            self._inbox.complete_group(group.id)

    def _complete_other(self, message: Message) -> None:
        """Whatever else its sender says completes a group, and so comes after it."""
        if self.pending:
            group = self._inbox.pending_group(message.chat.id, message.sender.id, message.thread_id)
            if group is not None:
                self._inbox.complete_group(group.id)

    def _grouped(self, message: Message, event: AgentEvent | None = None) -> GroupedMessage:
        """Return a message as a part of a group; `event`: the message's, if there is one yet."""
        size = self._split_size(message)
        return GroupedMessage(
            delivery_id="",
            message_id=message.message_id,
            # The event of a file without a text says what it is.
            text=event.content if event is not None and not message.files else content(message.text),
            said_at=message.ts.timestamp(),
            plain=_is_plain(message),
            near_limit=size > 0,
            # One unit less where the last character would have been cut in two.
            at_limit=size >= self._limits.text - 1,
            forward=message.forward_from if not message.edited else None,
            album=message.album_id if not message.edited else None,
            files=message.files,
        )

    def _wait_s(self, message: Message) -> float:
        """Return how long to wait for what may follow a message, in seconds; 0: nothing can."""
        if message.edited:
            return 0.0
        if message.album_id:
            return ALBUM_S
        if self._split_size(message):
            return SPLIT_S
        return FORWARD_S if message.forward_from else 0.0

    def _split_size(self, message: Message) -> int:
        """Return the length of a plain text that may be a part of a longer one, in the platform's unit; else 0."""
        near = self._limits.paste
        # A character has at most two units: most texts need not be measured.
        if near is None or 2 * len(message.text) < near or not _is_plain(message):
            return 0
        size = length(message.text, self._limits.unit)
        return size if size >= near else 0

    # ---- waiting

    def complete_due(self) -> int:
        """Complete the groups that waited long enough; return how many events are complete."""
        if not self.pending:
            return 0
        completed = self._inbox.complete_groups(self._clock())
        self.pending = self._inbox.next_group_due() is not None
        return completed

    def due_in(self) -> float | None:
        """Return in how many seconds a group is complete; None if none waits."""
        due = self._inbox.next_group_due() if self.pending else None
        return None if due is None else min(max(0.0, due - self._clock()), SPLIT_S)


def _is_plain(message: Message) -> bool:
    """Return True if a message is a text and nothing else."""
    return not (message.files or message.forward_from or message.edited or message.reaction)


def _belongs(group: PendingGroup, grouped: GroupedMessage) -> bool:
    first, last = group.messages[0], group.messages[-1]
    size = sum(len(message.text) for message in group.messages) + len(grouped.text)
    if len(group.messages) >= MESSAGES_MAX or size > CAPS["content"]:
        return False
    if abs(grouped.said_at - last.said_at) > APART_S:
        return False
    if grouped.album and grouped.album == last.album:
        return True
    if last.near_limit and last.plain and grouped.plain:
        return True
    # A comment comes before the forward it is about, or after it: clients differ.
    if first.plain:
        return grouped.forward is not None
    return grouped.plain and all(message.forward for message in group.messages)


# ---- the event of a group


def compose_text(messages: tuple[GroupedMessage, ...]) -> str:
    """Return every text in order, with the author's name where a comment stands beside a forward."""
    mixed = any(message.forward is None for message in messages)
    text, before, author = "", None, None
    for message in messages:
        part = message.text if message.text.strip() else ""
        if mixed and message.forward and message.forward != author:
            author = message.forward
            head = translate("forwarded", name=attribute(author))
            part = f"{head}\n{part or describe_files(message.files)}"
        if not part:
            continue
        text += _separator(before, message) + part if before else part
        before = message
    if not text.strip():
        text = describe_files([file for message in messages for file in message.files])
    # Again: what is harmless at the end of one text may open a tag together with the next.
    return content(text)


def _separator(before: GroupedMessage, message: GroupedMessage) -> str:
    if message.forward != before.forward:
        return "\n\n"
    # A client cuts at white space and drops it, unless there was none.
    return "" if before.at_limit and before.plain and message.plain else "\n"


def _compose_meta(group: PendingGroup, event: AgentEvent) -> dict[str, str]:
    meta = {key: value for key, value in group.meta.items() if not key.startswith("attachment")}
    if "forward_from" in event.meta:
        meta.setdefault("forward_from", event.meta["forward_from"])
    files = [file for message in group.messages for file in message.files]
    add_files(meta, files, next((file for file in files if file in group.downloads and file.kind != VOICE), None))
    meta["message_ids"] = json.dumps([message.message_id for message in group.messages])
    meta["delivery_ids"] = json.dumps([message.delivery_id for message in group.messages[1:]])
    return meta
