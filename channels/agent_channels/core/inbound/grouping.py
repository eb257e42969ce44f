"""What a client sent as several messages and a person meant as one becomes one event.

That is an album; a text so long that the client split it; and a forward with its comment. Nothing else is joined, and a
text is held back only where it is itself so long that more of it may follow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.messages import Message
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.bundles import GroupedMessage, PendingGroup, PendingGroups
from agent_channels.core.journal.events import VOICE, add_files, described
from agent_channels.core.journal.inbox import Event, Inbox
from agent_channels.core.text.sanitize import CAPS, attribute, content
from agent_channels.core.text.units import length

__all__ = ["ALBUM_S", "FORWARD_S", "PASTE_S", "MessageGrouping"]

# How long the next piece may take. The parts of an album come within about 500 ms (DESIGN 11); a client uploads the
# parts of a text one after the other.
ALBUM_S = 0.6
PASTE_S = 1.0
FORWARD_S = 0.6
# A backlog comes all at once, so the platform's own time decides too; some tell it in whole seconds.
APART_S = 3.0
PIECES_MAX = 20


class MessageGrouping:
    """Decides, in the transaction of each message, whether it belongs to the one before."""

    def __init__(self, inbox: Inbox, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._inbox, self._limits, self._clock = inbox, limits, clock
        self._bundles = PendingGroups(inbox)
        self._waiting = False

    def resume(self) -> None:
        """At the start: what an earlier process was still joining waits for the platform to repeat the rest."""
        self._bundles.wait_anew(self._clock() + PASTE_S)
        self._waiting = True

    def continues(self, message: Message, before: int, received_at: float, *, held: bool = False) -> bool:
        """Whether a message is the next piece of what its sender is sending; `before` is its entry's id."""
        look = self._waiting or held
        return self._found(message, self._piece(message), before, received_at, look=look) is not None

    def open(self, entry_id: int, message: Message, event: Event, received_at: float, *, held: bool = False) -> bool:
        """Makes an entry of a message and its event, or a part of the one before; True when it is such a part."""
        piece = self._piece(message, event)
        bundle = self._found(message, piece, entry_id, received_at, look=self._waiting or held)
        wait_s = _window(piece)
        if bundle is not None or wait_s:
            piece = replace(piece, delivery_id=self._bundles.delivery_id(entry_id))
        if bundle is not None:
            self._add(bundle, entry_id, event, piece, received_at)
            return True
        if not held:
            self._end(message)
        self._inbox.open(entry_id, event, held=held)
        if wait_s:
            self._bundles.begin(entry_id, piece, received_at + wait_s)
            self._waiting = True
        return False

    def close_due(self) -> int:
        """Ends what waited long enough; returns how many events are complete now."""
        if not self._waiting:
            return 0
        closed = self._bundles.close(self._clock())
        self._waiting = self._bundles.next_due() is not None
        return closed

    def due_in(self) -> float | None:
        """How many seconds until `close_due` has something to do; None while nothing waits."""
        due = self._bundles.next_due() if self._waiting else None
        return None if due is None else min(max(0.0, due - self._clock()), PASTE_S)

    # ---- deciding

    def _found(
        self, message: Message, piece: GroupedMessage, before: int, received_at: float, *, look: bool
    ) -> PendingGroup | None:
        if piece.plain and (message.reply or message.command):
            # Only the first of what belongs together answers something.
            return None
        place = (message.chat.id, message.sender.id, message.thread_id)
        bundle = self._bundles.current(*place) if look else None
        if bundle is not None:
            in_time = bundle.held or received_at <= bundle.until
            return bundle if in_time and _belongs(bundle, piece) else None
        if piece.forward is None:
            return None
        bundle = self._bundles.unoffered(*place, before)
        return bundle if bundle is not None and _belongs(bundle, piece) else None

    def _end(self, message: Message) -> None:
        """Whatever else its sender says ends a bundle, and so comes after it."""
        if self._waiting:
            bundle = self._bundles.current(message.chat.id, message.sender.id, message.thread_id)
            if bundle is not None:
                self._bundles.close(0.0, bundle.id)

    def _add(
        self, bundle: PendingGroup, entry_id: int, event: Event, piece: GroupedMessage, received_at: float
    ) -> None:
        pieces = (*bundle.pieces, piece)
        fetch = (*bundle.fetch, *([event.image] if event.image else []), *event.fetch)
        # A comment after its forward, or the short end of a text: then it is complete.
        wait_s = 0.0 if piece.plain and not piece.near else _window(piece)
        until = max(bundle.until, received_at + wait_s) if wait_s else 0.0
        grown = replace(bundle, pieces=pieces, fetch=fetch, until=until)
        self._bundles.add(grown, entry_id, event, composed(pieces), _meta(grown, event))
        self._waiting = True
        if not wait_s:
            self._bundles.close(0.0, bundle.id)

    def _piece(self, message: Message, event: Event | None = None) -> GroupedMessage:
        """`event`: the message's, if there is one yet."""
        plain = not (message.files or message.forward_from or message.edited or message.reaction)
        paste = self._limits.paste
        size = length(message.text, self._limits.unit) if plain and paste is not None else 0
        return GroupedMessage(
            delivery_id="",
            message_id=message.message_id,
            # Of a file without a word, an event says what it is.
            text=event.content if event is not None and not message.files else content(message.text),
            said_at=message.ts.timestamp(),
            plain=plain,
            near=paste is not None and size >= paste,
            # One unit less where the last sign would have been cut in two.
            full=paste is not None and size >= self._limits.text - 1,
            forward=message.forward_from if not message.edited else None,
            album=message.album_id if not message.edited else None,
            files=message.files,
        )


def _window(piece: GroupedMessage) -> float:
    """How long to wait for what may follow a piece, in seconds; 0: nothing can."""
    if piece.album:
        return ALBUM_S
    if piece.near:
        return PASTE_S
    return FORWARD_S if piece.forward else 0.0


def _belongs(bundle: PendingGroup, piece: GroupedMessage) -> bool:
    first, last = bundle.pieces[0], bundle.pieces[-1]
    size = sum(len(one.text) for one in bundle.pieces) + len(piece.text)
    if len(bundle.pieces) >= PIECES_MAX or size > CAPS["content"] or abs(piece.said_at - last.said_at) > APART_S:
        return False
    if piece.album and piece.album == last.album:
        return True
    if last.near and last.plain and piece.plain:
        return True
    # A comment comes before what it is about, or after it, as the client has it.
    return piece.forward is not None if first.plain else piece.plain and all(one.forward for one in bundle.pieces)


# ---- the event


def composed(pieces: tuple[GroupedMessage, ...]) -> str:
    """The text of a joined event: every text in order, and whose it is where a comment stands beside a forward."""
    mixed = any(one.forward is None for one in pieces)
    text, before, told = "", None, None
    for piece in pieces:
        said = piece.text if piece.text.strip() else ""
        if mixed and piece.forward and piece.forward != told:
            head, told = translate("forwarded", name=attribute(piece.forward)), piece.forward
            said = f"{head}\n{said or described(piece.files)}"
        if not said:
            continue
        text += _between(before, piece) + said if before else said
        before = piece
    if not text.strip():
        text = described([file for piece in pieces for file in piece.files])
    # Again: what is harmless at the end of one piece may open a tag together with the next.
    return content(text)


def _between(before: GroupedMessage, piece: GroupedMessage) -> str:
    if piece.forward != before.forward:
        return "\n\n"
    # A client cuts at white space and drops it, unless there was none.
    return "" if before.full and before.plain and piece.plain else "\n"


def _meta(bundle: PendingGroup, event: Event) -> dict[str, str]:
    meta = {key: value for key, value in bundle.meta.items() if not key.startswith("attachment")}
    if "forward_from" in event.meta:
        meta.setdefault("forward_from", event.meta["forward_from"])
    files = [file for piece in bundle.pieces for file in piece.files]
    add_files(meta, files, next((file for file in files if file in bundle.fetch and file.kind != VOICE), None))
    meta["message_ids"] = json.dumps([piece.message_id for piece in bundle.pieces])
    meta["delivery_ids"] = json.dumps([piece.delivery_id for piece in bundle.pieces[1:]])
    return meta
