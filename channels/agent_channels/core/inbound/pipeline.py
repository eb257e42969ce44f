"""From a journalled event to an open entry: an ordered list of stages, all in one transaction.

Calls to the platform follow after the commit.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
import anyio.lowlevel

from agent_channels.core import tracing
from agent_channels.core.buttons.answers import ButtonAnswers
from agent_channels.core.buttons.secret_offers import offer_deletion
from agent_channels.core.buttons.turn_buttons import TurnButtons, stopping_words
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import (
    Chat,
    ChatMigrated,
    DraftStopped,
    Ignored,
    Joined,
    Membership,
    Message,
    Place,
    RawEvent,
    Tap,
    ThreadRenamed,
)
from agent_channels.core.errors import Refused, StoreError
from agent_channels.core.files.storage import Files
from agent_channels.core.host.delivery import Delivery
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.commands import PAIR, Commands
from agent_channels.core.inbound.follow_ups import FollowUps
from agent_channels.core.inbound.forgetting import Forgetting
from agent_channels.core.inbound.group_rules import GroupRules
from agent_channels.core.inbound.grouping import MessageGrouping
from agent_channels.core.inbound.incoming import IncomingMessage, Stage, answer_with
from agent_channels.core.inbound.receipts import Receipts
from agent_channels.core.inbound.strangers import Strangers
from agent_channels.core.inbound.video_requests import VideoRequests
from agent_channels.core.journal.entry import Entry
from agent_channels.core.journal.traces import ReceivedTrace
from agent_channels.core.log import redact
from agent_channels.core.outbound.threads import Threads, first_words
from agent_channels.core.people.access import Verdict
from agent_channels.core.people.chats import UNNAMED
from agent_channels.core.scheduling import Backoff, Courtesy, FollowUp, Wakeups
from agent_channels.core.secret_shapes import find_secrets
from agent_channels.core.services import Services

__all__ = ["Batch", "InboundPipeline", "Unsortable"]

logger = logging.getLogger(__name__)
BATCH_MAX = 100


class Unsortable(Exception):
    """An event could not be processed, for a reason that nobody foresaw."""


@dataclass(slots=True)
class Batch:
    """What one transaction of sorting leaves to do once it is committed."""

    claimed: list[Entry] = field(default_factory=list)
    opened: list[Message] = field(default_factory=list)
    follow_ups: list[FollowUp] = field(default_factory=list)
    downloads: bool = False
    traces: list[ReceivedTrace] = field(default_factory=list)
    is_full: bool = False
    """As many events as one transaction takes were sorted; more may wait."""


class InboundPipeline:
    """Sort journalled events."""

    def __init__(
        self,
        adapter: Adapter,
        services: Services,
        commands: Commands,
        delivery: Delivery,
        receipts: Receipts,
        wakeups: Wakeups,
        files: Files,
        *,
        context_count: int = 0,
        transcribe: bool = False,
        videos: VideoRequests | None = None,
    ) -> None:
        """`context_count`: how many messages to others are shown with one to the bot; `transcribe`: voice notes are.

        `videos`: summaries of videos can be asked for.
        """
        self._videos = videos
        self._adapter, self._services, self._commands, self._delivery = adapter, services, commands, delivery
        self._receipts, self._wakeups, self._transcribe = receipts, wakeups, transcribe
        self.follow_ups = FollowUps()
        self._turn_buttons = TurnButtons(services.turns, services.final_answers, services.loops, services.audit)
        self._answers = ButtonAnswers(
            adapter,
            services.inbox,
            services.history,
            services.access,
            services.prompts,
            services.panels,
            self._turn_buttons,
            files,
            Forgetting(services),
        )
        self._threads = Threads(adapter, services.chats, services.access)
        self._grouping = MessageGrouping(services.inbox, adapter.limits)
        self._groups = GroupRules(services, context_count)
        self._strangers = Strangers(adapter, services, self._grouping)
        self._resumed = False
        # Whether everything that was journalled before is sorted, so that new events need not be looked for.
        self._caught_up = False
        self._stages: tuple[Stage, ...] = (
            self._follow_migration,
            self._drop_copy,
            self._name_thread,
            self._find_addressee,
            self._decide_access,
            self._record_chat,
            self._keep_context,
            self._redeem_invite,
            self._pair_stranger,
            self._ignore,
            self._run_command,
            self._title_thread,
            self._add_to_history,
            self._answer_question,
            self._open,
        )

    # ---- sorting

    async def run(self) -> None:
        """Sort what was journalled without being sorted, and complete groups, until cancelled."""
        backoff = Backoff()
        while True:
            try:
                await self._sort_all()
            except StoreError as error:
                logger.warning("events are sorted later: %s", error)
                await anyio.sleep(backoff.next())
                continue
            due_in = self._grouping.due_in()
            with anyio.move_on_after(math.inf if due_in is None else due_in):
                await self._wakeups.unsorted.wait()

    async def _sort_all(self) -> None:
        while (batch := self.sort(await self._match_patterns())) is not None:
            await self.dispatch(batch)
            await self.follow_ups.wait_for_room()
            await anyio.lowlevel.checkpoint()
        if self._grouping.complete_due():
            self._wakeups.ready.set()
            self._wakeups.download_due.set()

    @property
    def sorts_later(self) -> bool:
        """Whether patterns have to be matched first, so that only this pipeline's own task can sort."""
        return self._services.access.any_patterns()

    async def _match_patterns(self) -> int:
        """Match patterns for the events that are sorted next; return how many these are."""
        if not self.sorts_later:
            return BATCH_MAX
        events = self._services.inbox.unsorted(BATCH_MAX)
        inbound = [self._adapter.to_inbound(event) for _, event in events]
        await self._groups.match_patterns(message for message in inbound if isinstance(message, Message))
        return len(events)

    async def close(self) -> None:
        """End the process that matches patterns."""
        await self._groups.matcher.close()

    def leave_for_later(self) -> None:
        """Have this pipeline's task sort what was journalled and is not sorted."""
        self._caught_up = False
        self._wakeups.unsorted.set()

    def sort_new(self, new: Sequence[tuple[int, RawEvent]]) -> Batch | None:
        """Sort what was just journalled, in that transaction; see `sort`.

        An event that cannot be processed undoes it all, so that the others need no savepoint each. Raises `Unsortable`
        then: sorted later, it fails alone.
        """
        if not self._caught_up or len(new) > BATCH_MAX or tracing.is_on():
            return self.sort()
        batch = Batch()
        try:
            for entry_id, event in new:
                self._process(entry_id, event, batch)
        except StoreError:
            raise
        except Exception as error:
            raise Unsortable(redact(repr(error))) from error
        batch.claimed = self._delivery.claim()
        return batch

    def sort(self, limit: int = BATCH_MAX) -> Batch | None:
        """Sort the oldest journalled events in one transaction, or in the caller's; None if there are none.

        Once it is committed, `dispatch` the batch. Raises `StoreError`; nothing has changed then.
        """
        if not self._resumed:
            self._grouping.resume()
            self._resumed = True
        self._caught_up = False
        with self._services.store.transaction():
            events = self._services.inbox.unsorted(limit)
            batch = Batch(is_full=len(events) == BATCH_MAX)
            sort = self._sort_traced if tracing.is_on() else self._sort_event
            for entry_id, event in events:
                sort(entry_id, event, batch)
            if events:
                batch.claimed = self._delivery.claim()
        self._caught_up = len(events) < limit
        return batch if events else None

    async def dispatch(self, batch: Batch) -> None:
        """Hand over what a committed batch claimed, and then queue the calls to the platform."""
        for trace in batch.traces:
            trace.record()
        self._delivery.hand_over(batch.claimed)
        try:
            if batch.claimed:
                # The host is told before anything else follows, which would slow the push: it takes one turn of the
                # event loop. No event is awaited: a host that does not read must not hold the journal up.
                await anyio.lowlevel.checkpoint()
        finally:
            for follow_up in batch.follow_ups:
                self.follow_ups.add(follow_up)
            for receipt in self._receipts.for_received(batch.opened):
                self.follow_ups.add_courtesy(receipt)
            if batch.downloads:
                self._wakeups.download_due.set()
            if batch.is_full or self._grouping.pending:
                # The task that sorts the rest also completes groups, and has a new deadline.
                self._wakeups.unsorted.set()

    def _sort_traced(self, entry_id: int, event: RawEvent, batch: Batch) -> None:
        inbox = self._services.inbox
        with tracing.within(tracing.message_place(inbox.delivery_id(entry_id))):
            error = self._sort_event(entry_id, event, batch)
        batch.traces.append(ReceivedTrace.of(inbox, self._adapter.channel, entry_id, event.received_at, error))

    def _sort_event(self, entry_id: int, event: RawEvent, batch: Batch) -> str | None:
        """Sort one event; return the class of the error if it could not be processed."""
        try:
            with self._services.store.savepoint():
                self._process(entry_id, event, batch)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - one event that nobody foresaw must not stop all that follow
            logger.error("event %s could not be processed and is kept: %s", event.event_id, redact(repr(error)))  # noqa: TRY400
            self._services.inbox.fail(entry_id)
            return type(error).__name__
        return None

    def _process(self, entry_id: int, event: RawEvent, batch: Batch) -> None:
        inbound, services = self._adapter.to_inbound(event), self._services
        match inbound:
            case Message():
                self._process_message(IncomingMessage(entry_id, inbound, event.received_at, self._transcribe), batch)
                return
            case Tap():
                self._process_tap(entry_id, inbound, batch)
                return
            case Membership():
                self._process_membership(inbound)
            case Joined():
                self._process_join(inbound)
            case ChatMigrated():
                services.access.migrate_group(inbound.old_id, inbound.new_id)
                services.history.migrate_chat(inbound.old_id, inbound.new_id)
            case ThreadRenamed():
                self._process_rename(inbound)
            case DraftStopped():
                self._process_draft_stopped(inbound)
            case Ignored():
                logger.info("event %s is not for the agent: %s", event.event_id, inbound.reason)
                if inbound.unreadable:
                    services.inbox.fail(entry_id)
                    return
        services.inbox.end(entry_id)

    def _process_membership(self, change: Membership) -> None:
        if change.chat.kind == "group" or self._services.access.member(change.by.id) is not None:
            self._services.chats.record(change.chat, change.by, present=change.present)

    def _process_rename(self, renamed: ThreadRenamed) -> None:
        services, key = self._services, _unnamed(renamed.chat_id, renamed.thread_id)
        services.chats.name_thread(renamed.chat_id, renamed.thread_id, renamed.name)
        if renamed.implicit and services.access.is_target(renamed.chat_id):
            services.key_values.set(key, str(time.time()))
        else:
            services.key_values.delete(key)

    def _process_draft_stopped(self, stopped: DraftStopped) -> None:
        """Stop the turn that a draft shows, as its message's button would."""
        services = self._services
        draft = services.progress_messages.draft(stopped.draft_id)
        allowed = services.access.decide(stopped.chat, stopped.by, addressed=True) is Verdict.PASS
        if draft is None or draft.place.chat_id != stopped.chat.id or not allowed:
            return
        stopping = self._turn_buttons.stop([draft.turn_id], stopped.by)
        text = stopping_words(stopping) if stopping else self._turn_buttons.stop_feedback(draft.turn_id)
        services.notices.add(draft.place.chat_id, text, thread_id=draft.place.thread_id, silent=True)
        self._wakeups.stop_asked.set()
        self._wakeups.turn_changed.set()
        self._wakeups.outcome_due.set()

    def _process_join(self, joined: Joined) -> None:
        services = self._services
        # In a group that nobody ever enabled nothing is kept that could be read.
        if services.access.group_of(joined.chat) is not None or services.history.since(joined.chat.id) is not None:
            services.chats.record_join(joined.chat.id, joined.user_ids, services.history.last_id())

    def _process_tap(self, entry_id: int, tap: Tap, batch: Batch) -> None:
        # A tap needs no mention: it is always addressed to the bot.
        follow_ups: list[FollowUp] = []
        if self._services.access.decide(tap.chat, tap.sender, addressed=True) is not Verdict.PASS:
            self._answers.refuse_tap(entry_id, tap, follow_ups)
        else:
            self._services.chats.record(tap.chat, tap.sender)
            if self._answers.tap(entry_id, tap, follow_ups):
                self._wakeups.answer_given()
                self._wakeups.stop_asked.set()
                self._wakeups.turn_changed.set()
                self._wakeups.answer_due.set()
        batch.follow_ups += follow_ups

    def _process_message(self, incoming: IncomingMessage, batch: Batch) -> None:
        for stage in self._stages:
            if stage(incoming):
                break
        if incoming.message.answer_id and not incoming.follow_ups:
            # Otherwise the platform would go on showing the command as being answered.
            text = translate("command_passed_on") if incoming.verdict is Verdict.PASS else ""
            incoming.follow_ups.append(answer_with(self._adapter, incoming.message, text))
        batch.follow_ups += incoming.follow_ups
        if incoming.opened:
            # A message may also have completed a group before it, with files.
            batch.downloads |= bool(incoming.event.files_to_fetch) or self._grouping.pending
            if incoming.group is None and incoming.message.answer_id is None:
                batch.opened.append(incoming.message)

    # ---- the stages, in order; each returns True if the message needs no further one

    def _follow_migration(self, incoming: IncomingMessage) -> bool:
        """Have a message be from the id that its group has today: on a shared bot it may come after the group moved."""
        chat, access = incoming.message.chat, self._services.access
        if chat.kind == "group" and access.group_of(chat) is None and (now := access.current_id(chat.id)) != chat.id:
            incoming.message = replace(incoming.message, chat=replace(chat, id=now))
        return False

    def _drop_copy(self, incoming: IncomingMessage) -> bool:
        """Drop the copy of a message that the agent is shown where it was written."""
        original, services = incoming.message.copy_of, self._services
        if original is None or services.access.group(original) is None or not services.chats.is_present(original):
            return False
        services.inbox.end(incoming.entry_id)
        return True

    def _name_thread(self, incoming: IncomingMessage) -> bool:
        """Add the thread's name, which only its first messages may say."""
        message, chats = incoming.message, self._services.chats
        if message.thread_id is None:
            return False
        if message.thread_name:
            chats.name_thread(message.chat.id, message.thread_id, message.thread_name, replace=False)
        name = chats.thread_name(message.chat.id, message.thread_id)
        if name:
            incoming.message = replace(message, thread_name=name)
        return False

    def _find_addressee(self, incoming: IncomingMessage) -> bool:
        """Find what the message continues; the bot is named in one part of an album or a long text, not in each."""
        incoming.group = self._grouping.find(incoming)
        message = incoming.message
        incoming.addressed = not message.for_another_bot and (
            message.addressed or incoming.group is not None or self._groups.addresses_bot(message)
        )
        return False

    def _decide_access(self, incoming: IncomingMessage) -> bool:
        message = incoming.message
        if not message.for_another_bot:
            # Who asks privately to be let in is asked no more in a group than in their direct chat.
            asks = message.command is not None and message.command.name == PAIR and message.private
            chat = Chat(message.sender.id, "direct") if asks else message.chat
            incoming.verdict = self._services.access.decide(chat, message.sender, addressed=incoming.addressed)
        return False

    def _record_chat(self, incoming: IncomingMessage) -> bool:
        """Remember where people who may speak do so, and in which groups the bot is; not each stranger's own chat."""
        if incoming.verdict is Verdict.PASS or incoming.message.chat.kind == "group":
            self._services.chats.record(incoming.message.chat, incoming.message.sender)
        return False

    def _keep_context(self, incoming: IncomingMessage) -> bool:
        if incoming.verdict is Verdict.SILENT and not incoming.addressed:
            self._groups.keep_context(incoming)
        return False

    def _redeem_invite(self, incoming: IncomingMessage) -> bool:
        if incoming.verdict is Verdict.PASS or not self._strangers.redeem_invite(incoming):
            return False
        self._wakeups.answer_given()
        return True

    def _pair_stranger(self, incoming: IncomingMessage) -> bool:
        if incoming.verdict is not Verdict.PAIR or incoming.message.reaction or incoming.message.passive:
            return False
        self._strangers.pair(incoming)
        return True

    def _ignore(self, incoming: IncomingMessage) -> bool:
        if incoming.verdict is Verdict.PASS:
            return False
        self._services.inbox.end(incoming.entry_id)
        return True

    def _run_command(self, incoming: IncomingMessage) -> bool:
        message = incoming.message
        # A forwarded command is somebody else's.
        if message.command is None or message.edited or message.forward_from:
            return False
        return self._commands.run(incoming, message.command)

    def _title_thread(self, incoming: IncomingMessage) -> bool:
        """Name a thread that the platform named after the first words in it, once; a person's name for it stays."""
        message = incoming.message
        if message.thread_id is not None and not message.edited and (title := first_words(message.text)):
            place = Place(message.chat.id, message.thread_id)
            if self._services.key_values.delete(_unnamed(*place)):
                incoming.follow_ups.append(partial(self._rename, place, title))
        return False

    async def _rename(self, place: Place, title: str) -> None:
        try:
            await self._threads.rename(place, title)
        except (StoreError, Refused) as error:
            logger.info("a thread keeps the name that the platform gave it: %s", error)

    def _add_to_history(self, incoming: IncomingMessage) -> bool:
        event = incoming.event
        if incoming.message.ephemeral:
            # Others in the group read the history, in an export.
            return False
        self._services.history.add_received(
            event.chat_id, event.message_id, event.content, event.meta, event.thread_id, image=event.image is not None
        )
        return False

    def _answer_question(self, incoming: IncomingMessage) -> bool:
        if not self._answers.type(incoming.entry_id, incoming.message, incoming.follow_ups):
            return False
        self._wakeups.answer_given()
        return True

    def _open(self, incoming: IncomingMessage) -> bool:
        if incoming.message.chat.kind == "group":
            self._groups.add_context(incoming)
        self._grouping.open(incoming)
        incoming.opened = True
        self._look_for_secrets(incoming)
        if self._videos is not None:
            self._videos.offer(incoming)
        return True

    def _look_for_secrets(self, incoming: IncomingMessage) -> None:
        """Offer to delete a message with a credential: the agent is told it, but what is kept of it is masked."""
        message, services = incoming.message, self._services
        texts = [incoming.event.content, *(file.name for file in message.files if file.name)]
        found = [] if message.ephemeral or message.copy_of else find_secrets("\n".join(texts))
        if found:
            kinds = ", ".join(dict.fromkeys(one.kind for one in found))
            services.audit.add("secret received", message.sender.id, f"{kinds}; chat {message.chat.id}")
            offer = partial(offer_deletion, self._adapter, services.panels, message)
            incoming.follow_ups.append(Courtesy(offer, message.sender.id))


def _unnamed(chat_id: str, thread_id: str | None) -> str:
    return f"{UNNAMED}{chat_id}:{thread_id}"
