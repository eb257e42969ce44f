"""One inbound event: what it is, whether the gate lets it through, and what follows from it.

Everything that an event changes is changed in one transaction; what has to be said to the platform follows afterwards,
as errands. An errand that a crash swallows is either repeated from the store (an outcome, a notice) or harmless.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import replace

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from agent_channels.core.buttons.answers import ButtonAnswers, Errand
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import (
    ChatMigrated,
    Ignored,
    Membership,
    Message,
    RawEvent,
    Tap,
    ThreadRenamed,
)
from agent_channels.core.errors import PlatformError, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.commands import Commands, Listener, answered
from agent_channels.core.inbound.grouping import MessageGrouping
from agent_channels.core.inbound.receipts import Receipts
from agent_channels.core.journal.events import message_event
from agent_channels.core.journal.group_context import GroupContext
from agent_channels.core.journal.history import History
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.journal.offers import Entry
from agent_channels.core.journal.outbox import Outbox
from agent_channels.core.log import redact
from agent_channels.core.people.access import Access, Verdict
from agent_channels.core.people.chats import Threads
from agent_channels.core.people.invites import Invites
from agent_channels.core.people.pairing import HELD_MAX, Pairing
from agent_channels.core.scheduling import Backoff, Wakeup
from agent_channels.core.text.sanitize import label

__all__ = ["InboundPipeline"]

logger = logging.getLogger(__name__)
BATCH = 100


class InboundPipeline:
    """Turns journalled raw events into open entries, pairings and presses."""

    def __init__(
        self,
        adapter: Adapter,
        inbox: Inbox,
        access: Access,
        pairing: Pairing,
        bells: tuple[Wakeup, Wakeup],
        offer: tuple[Callable[[], list[Entry]], Callable[[list[Entry]], None]],
        decided: Callable[[], None],
        pictures: Callable[[], None],
        marks: Receipts,
        errands: MemoryObjectSendStream[Errand],
        files: Files,
        listener: Callable[[], Listener],
        *,
        spoken: bool = False,
        overheard: int = 0,
    ) -> None:
        """`bells`: rung when something was journalled, or is to be said; rung by us for the delivery.

        `offer`: writes down, in our transaction, that what it made ready is offered; has it handed over after that.

        `decided` rings for whoever waits for an answer to a grid, or has to show one.

        `pictures` starts the download of pictures that just arrived; `spoken`: and of voice notes.

        `overheard`: how many messages of a group that are for others are shown with one that is for the bot.

        `listener` says who reads the bot.
        """
        self._adapter, self._inbox, self._access = adapter, inbox, access
        self._pairing = pairing
        self._arrived, self._opened = bells
        self._claim, self._hand = offer
        self._invites, self._decided = Invites(inbox.store), decided
        self._taps = ButtonAnswers(adapter, inbox, access, decided)
        self._joining = MessageGrouping(inbox, adapter.limits)
        self._history = History(inbox.store)
        self._pictures, self._marks, self._errands = pictures, marks, errands
        self._spoken = spoken
        self._overheard, self._threads = GroupContext(inbox.store, overheard), Threads(inbox.store)
        self._outbox = Outbox(inbox.store)
        self._delivered: list[Message] = []
        self._resumed = False
        self._todo = self._taps.todo
        self._commands = Commands(adapter, inbox, access, files, self._todo, listener, decided).answer

    async def run(self) -> None:
        """Works until cancelled; what a dead process left unread comes first."""
        backoff = Backoff()
        while True:
            try:
                await self._drain()
            except StoreError as error:
                logger.warning("arrivals wait: %s", error)
                await anyio.sleep(backoff.next())
                continue
            with anyio.move_on_after(due_in if (due_in := self._joining.due_in()) is not None else math.inf):
                await self._arrived.wait()

    def take(self, journal: Callable[[], int] | None = None) -> bool:
        """Sorts what was journalled, beginning with what `journal` adds, in one transaction; False when it was nothing.

        What is to be said follows from `run`. Raises `StoreError`, and nothing has changed then.
        """
        if not self._resumed:
            self._joining.resume()
            self._resumed = True
        todo, delivered = len(self._todo), len(self._delivered)
        try:
            with self._inbox.store.transaction():
                rows = self._inbox.raw(BATCH) if journal is None or journal() else []
                for entry_id, event in rows:
                    self._one(entry_id, event)
                claimed = self._claim() if rows else []
        except BaseException:
            del self._todo[todo:], self._delivered[delivered:]
            raise
        if rows:
            self._hand(claimed)
            if journal is not None:
                self._arrived.set()
        return bool(rows)

    async def _drain(self) -> None:
        self._pictures()
        await self._say_all()
        while self.take():
            self._pictures()
            await self._say_all()
            await anyio.lowlevel.checkpoint()
        if self._joining.close_due():
            self._opened.set()
            self._pictures()

    async def _say_all(self) -> None:
        delivered, self._delivered = self._delivered, []
        while self._todo:
            await self._errands.send(self._todo.pop(0))
        for errand in self._marks.received(delivered):
            # A courtesy: it never holds up what comes next.
            with contextlib.suppress(anyio.WouldBlock):
                self._errands.send_nowait(errand)

    def _one(self, entry_id: int, event: RawEvent) -> None:
        try:
            with self._inbox.store.savepoint():
                self._process(entry_id, event)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - one event that nobody foresaw must not stop all that follow
            logger.error("event %s could not be processed and is kept: %s", event.event_id, redact(repr(error)))  # noqa: TRY400
            self._inbox.fail(entry_id)

    def _process(self, entry_id: int, event: RawEvent) -> None:
        inbound = self._adapter.to_inbound(event)
        match inbound:
            case Message():
                self._message(entry_id, inbound, event.received_at)
            case Tap():
                self._taps.tap(entry_id, inbound)
            case Membership():
                self._access.seen(inbound.chat, inbound.by, present=inbound.present)
                self._inbox.drop(entry_id)
            case ChatMigrated():
                self._access.move_group(inbound.old_id, inbound.new_id)
                self._history.moved(inbound.old_id, inbound.new_id)
                self._inbox.drop(entry_id)
            case ThreadRenamed():
                self._threads.name(inbound.chat_id, inbound.thread_id, inbound.name)
                self._inbox.drop(entry_id)
            case Ignored():
                logger.info("event %s is not for the agent: %s", event.event_id, inbound.reason)
                if inbound.unreadable:
                    self._inbox.fail(entry_id)
                else:
                    self._inbox.drop(entry_id)

    # ---- messages

    def _message(self, entry_id: int, message: Message, at: float) -> None:
        before = len(self._todo)
        self._access.seen(message.chat, message.sender)
        # The bot is named in one part of an album or a long text, not in each.
        addressed = message.addressed or self._calls(message) or self._joining.continues(message, entry_id, at)
        verdict = self._access.decide(message.chat, message.sender, addressed=addressed)
        if verdict is Verdict.SILENT and not addressed:
            self._overhear(message)
        message = self._in_thread(message)
        if verdict is not Verdict.PASS and self._invited(message):
            self._inbox.drop(entry_id)
            return
        if verdict is Verdict.PAIR and not (message.reaction or message.passive):
            self._stranger(entry_id, message, at)
        elif verdict is not Verdict.PASS:
            self._inbox.drop(entry_id)
        elif message.command is None or message.edited or not self._commands(entry_id, message, message.command):
            self._deliver(entry_id, message, at)
        if message.answer_id and len(self._todo) == before:
            # Else it would be shown as being answered for ever.
            self._say(message, translate("command_passed_on") if verdict is Verdict.PASS else "")

    def _deliver(self, entry_id: int, message: Message, at: float) -> None:
        said = message_event(message, spoken=self._spoken)
        # Not with a further part of what is for the bot: with the first it was shown already.
        new = self._overheard.count and not (message.reaction or self._joining.continues(message, entry_id, at))
        if new and (context := self._overheard.take(message.chat.id, message.thread_id)):
            said.meta["context"] = context
        self._history.heard(
            said.chat_id, said.message_id, said.content, said.meta, said.thread_id, image=said.image is not None
        )
        if self._taps.typed(entry_id, message) or self._joining.open(entry_id, message, said, at):
            return
        if message.answer_id is None:
            self._delivered.append(message)

    def _calls(self, message: Message) -> bool:
        """Whether a message is for the bot though it does not name it: by pattern, or put on one of its messages."""
        if message.reaction:
            return self._outbox.holds(message.chat.id, message.message_id)
        return self._access.called(message.chat, message.text)

    def _overhear(self, message: Message) -> None:
        """Keeps what is said in an enabled group to others, by people who might as well have said it to the bot."""
        if not self._overheard.count or message.reaction or message.edited or message.chat.kind == "direct":
            return
        if self._access.decide(message.chat, message.sender, addressed=True) is Verdict.PASS:
            self._overheard.add(message, message_event(message).content)

    def _in_thread(self, message: Message) -> Message:
        """The message with the name of its thread, which the first ones may have said."""
        if message.thread_id is None:
            return message
        if message.thread_name:
            self._threads.name(message.chat.id, message.thread_id, message.thread_name, anew=False)
        name = self._threads.called(message.chat.id, message.thread_id)
        return replace(message, thread_name=name) if name else message

    def _invited(self, message: Message) -> bool:
        """Lets somebody in who sent a code that the operator made; whatever the policy, unless nobody may write."""
        if self._access.policy() == "disabled":
            return False
        if not self._invites.redeem(message, translate("paired", name=label(message.sender.name))):
            return False
        self._decided()
        return True

    def _stranger(self, entry_id: int, message: Message, at: float) -> None:
        said = message_event(message, spoken=self._spoken)
        if self._joining.continues(message, entry_id, at, held=True):
            self._joining.open(entry_id, message, said, at, held=True)
            return
        code = self._pairing.ask(message.chat, message.sender)
        # A command is for the bot, and the bot has answered it with a code.
        if message.command is None and self._pairing.keep(message.sender.id):
            self._joining.open(entry_id, message, said, at, held=True)
        else:
            self._inbox.drop(entry_id)
        if code:
            command = f"channels access {self._adapter.channel} pair {code}"
            text = translate("pairing_code", code=code, command=command, kept=HELD_MAX)
            self._say(message, text, code)
        elif self._pairing.crowded_out(message.sender.id):
            command = f"channels access {self._adapter.channel} allow {message.sender.id}"
            self._say(message, translate("pairing_queue_full", command=command))

    def _say(self, message: Message, text: str, code: str | None = None) -> None:
        self._todo.append(answered(self._adapter, message, text, code))


async def run_errand(errand: Errand) -> None:
    """Runs an errand; what the platform refuses is logged, since nobody waits for it."""
    try:
        await errand()
    except PlatformError as error:
        logger.info("not said: %s", redact(str(error)))
