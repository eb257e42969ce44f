"""The status message of a turn: what runs, its last steps, its plan, and the button that stops it.

It is sent without a sound into each chat that the turn works for, edited while the turn goes on, and says at the end
how it went. Frames are dropped wherever they would be in the way of an answer; the last one is tried until it is there.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import cast

import anyio
from anyio.abc import TaskGroup

from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.buttons.turn_buttons import stop_grid
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import (
    Ambiguous,
    Forbidden,
    PlatformError,
    RateLimited,
    Refused,
    Rejected,
    StoreError,
    Unavailable,
    Unsupported,
)
from agent_channels.core.frozen import frozen
from agent_channels.core.host.loops import round_line
from agent_channels.core.host.progress_messages import ProgressMessage
from agent_channels.core.host.turn_text import DraftText, ending_line, progress_text
from agent_channels.core.host.turns import Place, Turn
from agent_channels.core.i18n.messages import translate
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.log import redact
from agent_channels.core.outbound.sender import Sender
from agent_channels.core.scheduling import Backoff, Wakeups
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Progress, Settings
from agent_channels.core.text.formatted_text import RenderedPart

__all__ = ["TurnProgress"]

logger = logging.getLogger(__name__)
# How often one message may be edited without becoming noise; here for everything that is shown in one chat.
EVERY_S = 3.0
# How often a message is edited only because time went by: of a turn that takes hours, more seldom.
TICK_S = 10.0
TICK_SHARE = 30
# While an answer is on its way into a chat, its frames wait; this often it is seen whether it has arrived.
SENDING_S = 0.5
# How often it is looked whether the hosts of other sessions are still there.
GONE_EVERY_S = 10.0
# The button works as long as its turn runs.
PANEL_TTL_S = 30 * 24 * 3600.0


@dataclass(slots=True)
class _Pace:
    """When a chat takes the next call (monotonic), whether one is on its way, and the pauses after failed ones."""

    due: float
    busy: bool = False
    faults: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, cap_s=60.0))


@frozen
class _Shown:
    """What a message shows: its text but for the time, and since when (monotonic)."""

    text: str
    at: float


@frozen
class _Job:
    """A call that is due at `at` (monotonic): the message is sent, edited, or brought to its end.

    `turn` is None if it is not known any more. `level`: what the place sees now, "off" if nothing.
    """

    at: float
    place: Place
    turn: Turn | None
    message: ProgressMessage | None
    level: Progress

    @property
    def is_last(self) -> bool:
        """Whether the message is brought to its end."""
        return self.level == "off" or self.turn is None or self.turn.ended_at is not None


class TurnProgress:
    """Show the turns of every session of the store, as the one process that reads the bot."""

    def __init__(
        self,
        adapter: Adapter,
        services: Services,
        sender: Sender,
        wakeups: Wakeups,
        settings: Settings,
        session: str,
    ) -> None:
        """`session` is the one that the bot is read for."""
        self._adapter, self._services, self._sender, self._wakeups = adapter, services, sender, wakeups
        self._level, self._after_s, self._session = settings.progress, settings.progress_after_s, session
        self._paces: dict[str, _Pace] = {}
        self._shown: dict[int, _Shown] = {}
        # What each draft shows, by its id; drafts are shown until the server turns out to know none.
        self._texts: dict[int, DraftText] = {}
        self._drafts = adapter.capabilities.drafts
        self._gone_check = 0.0
        self._faults = Backoff(first_s=0.5, cap_s=10)

    async def run(self) -> None:
        """Work until cancelled; the messages of an earlier process are gone on with."""
        async with anyio.create_task_group() as group:
            while True:
                try:
                    wait_s = self._begin_due(group)
                except StoreError as error:
                    logger.warning("progress is shown later: %s", error)
                    wait_s = self._faults.next()
                with anyio.move_on_after(wait_s):
                    await self._wakeups.turn_changed.wait()

    def _begin_due(self, group: TaskGroup) -> float:
        """Begin what is due, at most one call in each chat; return in how many seconds to look again."""
        now = time.monotonic()
        running = self._services.turns.running()
        wait_s = float("inf")
        if any(turn.session != self._session for turn in running):
            wait_s = GONE_EVERY_S
            if now >= self._gone_check:
                self._gone_check = now + GONE_EVERY_S
                if self._services.turns.end_gone(self._session):
                    running = self._services.turns.running()
        jobs: defaultdict[str, list[_Job]] = defaultdict(list)
        for job in self._jobs(running, now):
            jobs[job.place.chat_id].append(job)
        self._paces = {chat: pace for chat, pace in self._paces.items() if pace.busy or pace.due > now or chat in jobs}
        for chat_id, of_chat in jobs.items():
            pace = self._paces.get(chat_id)
            if pace is None:
                # An earlier process may have edited it just now.
                known = any(job.message for job in of_chat)
                pace = self._paces[chat_id] = _Pace(now + self._every_s(chat_id) if known else now)
            if pace.busy:
                continue
            job = min(of_chat, key=lambda job: (job.at > now, not job.is_last, job.at))
            at = max(job.at, pace.due)
            if at <= now and self._sender.is_sending(chat_id):
                at = now + SENDING_S
            if at > now:
                wait_s = min(wait_s, at - now)
                continue
            pace.busy = True
            group.start_soon(self._do, job, pace)
        return wait_s

    # ---- what there is to show

    def _jobs(self, running: list[Turn], now: float) -> list[_Job]:
        services = self._services
        open_ = services.progress_messages.open()
        self._shown = {message.id: self._shown[message.id] for message in open_ if message.id in self._shown}
        self._texts = {message.id: self._texts.get(message.id) or DraftText() for message in open_ if message.is_draft}
        turns: dict[str, Turn | None] = {turn.id: turn for turn in running}
        levels: dict[str, dict[Place, Progress]] = {}
        jobs = []
        for message in open_:
            if message.turn_id not in turns:
                turns[message.turn_id] = services.turns.get(message.turn_id)
            turn = turns[message.turn_id]
            if message.turn_id not in levels:
                levels[message.turn_id] = self._levels(turn) if turn else {}
            level = levels[message.turn_id].get(message.place, "off")
            jobs.append(_Job(self._edit_at(message, turn, level, now), message.place, turn, message, level))
        for turn in running:
            known = {message.place for message in services.progress_messages.of_turn(turn.id)}
            left_s = turn.began_at + self._after_s - time.time()
            # A clock that was set back does not put it off.
            begin_at = now + (left_s if left_s <= self._after_s else 0)
            jobs += [
                _Job(begin_at, place, turn, None, level)
                for place, level in (levels.get(turn.id) or self._levels(turn)).items()
                if place not in known
            ]
        return jobs

    def _edit_at(self, message: ProgressMessage, turn: Turn | None, level: Progress, now: float) -> float:
        """Return when a message has to be edited: at once if it says something new."""
        shown = self._shown.get(message.id)
        if message.is_draft and turn is not None and turn.ended_at is None and level != "off":
            return self._frame_at(message, turn, level, now)
        if shown is None or turn is None or turn.ended_at is not None or level == "off":
            return now
        if shown.text != self._text(turn, level, turn.began_at):
            # Of several in one chat, the one that shows the oldest comes first.
            return shown.at
        return shown.at + max(TICK_S, (time.time() - turn.began_at) / TICK_SHARE)

    def _frame_at(self, message: ProgressMessage, turn: Turn, level: Progress, now: float) -> float:
        """Return when a draft is shown again; not while it would be in somebody's way."""
        if turn.stop_at is not None:
            return math.inf
        if self._is_asked(turn, message.place):
            # Looked at again then, or when something happens.
            return now + self._adapter.limits.draft_refresh_s
        shown = self._shown.get(message.id)
        if shown is None or shown.text != self._texts[message.id].text(turn, verbose=level == "verbose"):
            return now
        return shown.at + self._adapter.limits.draft_refresh_s

    def _is_asked(self, turn: Turn, place: Place) -> bool:
        """Return whether something waits for an answer: apps may lock the button that sends one under a draft."""
        cards = self._services.prompts.open_cards(only_unsent=False)
        return self._services.panels.is_asked(place, turn.began_at) or any(
            card.session == turn.session for card in cards
        )

    def _is_for_draft(self, place: Place) -> bool:
        return self._drafts and self._services.chats.is_direct(place.chat_id)

    def _levels(self, turn: Turn) -> dict[Place, Progress]:
        """Return where a turn is shown, and how much of it: where it works, and where everything is wanted."""
        levels = {place: self._level_in(place.chat_id) for place in turn.places}
        services = self._services
        watching = [chat_id for _, chat_id in services.access.approver_chats() if chat_id]
        watching += services.chats.groups_with_progress("verbose")
        for chat_id in watching:
            if chat_id not in turn.chats and self._level_in(chat_id) == "verbose":
                levels[Place(chat_id, None)] = "verbose"
        return {
            place: level
            for place, level in levels.items()
            if level != "off" and services.access.is_target(place.chat_id)
        }

    def _level_in(self, chat_id: str) -> Progress:
        chosen = self._services.chats.progress(chat_id)
        return cast("Progress", chosen) if chosen else self._level

    def _text(self, turn: Turn, level: Progress, now: float) -> str:
        loop = self._services.loops.current(turn.session)
        lines = [round_line(loop)] if loop is not None else []
        lines.append(progress_text(turn, now, verbose=level == "verbose"))
        if any(card.session == turn.session for card in self._services.prompts.open_cards(only_unsent=False)):
            lines.append(translate("progress_asks"))
        return "\n".join(lines)

    def _every_s(self, chat_id: str) -> float:
        limits = self._adapter.limits
        direct = self._services.chats.is_direct(chat_id)
        return max(EVERY_S, limits.edit_every_s if direct else limits.group_edit_every_s)

    # ---- calls

    async def _do(self, job: _Job, pace: _Pace) -> None:
        """Make one call; whatever becomes of it, the chat is left alone for a while."""
        pause_s = EVERY_S
        try:
            pause_s = self._every_s(job.place.chat_id)
            if self._is_for_draft(job.place):
                pause_s = self._adapter.limits.draft_every_s
            await self._call(job)
        except RateLimited as error:
            pause_s = max(pause_s, error.retry_after)
        except (PlatformError, StoreError) as error:
            logger.info("progress is shown later: %s", redact(str(error)))
            pause_s = max(pause_s, pace.faults.next())
        finally:
            # Counted from its end: two calls never arrive closer together than that.
            pace.due, pace.busy = time.monotonic() + pause_s, False
            self._wakeups.turn_changed.set()

    async def _call(self, job: _Job) -> None:
        try:
            if job.message is None and self._is_for_draft(job.place):
                await self._begin_draft(job)
            elif job.message is not None and job.message.is_draft:
                await self._draw(job, job.message)
            elif job.message is None:
                await self._send(job)
            elif job.turn is None or job.is_last:
                await self._end(job, job.message)
            else:
                await self._edit(job, job.turn, job.message)
        except (Rejected, Forbidden, Refused) as error:
            # Deleted by a person, blocked, or in a topic that was closed: it cannot be shown there any more.
            logger.info("progress is not shown in %s: %s", job.place.chat_id, redact(str(error)))
            if job.message is not None:
                self._over(job.message)

    async def _begin_draft(self, job: _Job) -> None:
        if job.turn is None:
            return
        message = self._services.progress_messages.add(job.turn.id, job.place, "")
        if not self._is_asked(job.turn, job.place):
            await self._draw(job, message)

    async def _draw(self, job: _Job, message: ProgressMessage) -> None:
        """Show a frame of a draft, or in a message how its turn ended; a frame that fails is left out."""
        turn = job.turn
        if turn is None or job.is_last:
            if turn is not None and self._is_told_at_the_end(job):
                await self._tell_ending(job.place, turn)
            self._over(message, deleted=turn is not None and turn.ending in {None, "gone"})
            return
        if not self._is_for_draft(job.place):
            # Of an earlier process, or the server knows none: a message takes its place.
            self._services.progress_messages.forget(message.id)
            return
        text = self._texts.setdefault(message.id, DraftText()).text(turn, verbose=job.level == "verbose")
        self._shown[message.id] = _Shown(text, time.monotonic())
        try:
            await self._adapter.show_draft(job.place, message.id, redact(text))
        except Unsupported as error:
            logger.warning("progress is shown in messages, not in drafts: %s", redact(str(error)))
            self._drafts = False
            self._services.health.add_note(
                sentence("progress is shown in messages, not in drafts: {error}", error=words_of(error))
            )
            self._services.progress_messages.forget(message.id)
        except (Rejected, Forbidden, Refused, Ambiguous, Unavailable) as error:
            logger.info("a frame of a draft is left out: %s", redact(str(error)))

    async def _tell_ending(self, place: Place, turn: Turn) -> None:
        try:
            await self._sender.threads.send(self._outgoing(place, ending_line(turn)))
        except Ambiguous as error:
            # It may have arrived, and a second one is worse than none.
            logger.info("how a turn ended may not have been told: %s", redact(str(error)))

    def _is_told_at_the_end(self, job: _Job) -> bool:
        """Return whether the place is told how the turn ended; who stopped it is told so in a message of its own."""
        turn = job.turn
        if turn is None or turn.ended_at is None or job.level in {"off", "brief"}:
            return False
        return not (turn.ending == "stopped" and job.place in turn.places)

    async def _send(self, job: _Job) -> None:
        turn, panels, messages = job.turn, self._services.panels, self._services.progress_messages
        if turn is None:
            return
        chat_id, thread_id = job.place
        grid = stop_grid()
        with self._services.store.transaction():
            panel_id = panels.create(chat_id, grid, ttl_s=PANEL_TTL_S, thread_id=thread_id, turn_id=turn.id)
            message = messages.add(turn.id, job.place, panel_id)
        outgoing = self._outgoing(job.place, self._text(turn, job.level, time.time()))
        outgoing = replace(outgoing, keyboard=lay_out(panel_id, grid, self._adapter.limits))
        try:
            sent = await self._adapter.send(outgoing)
        except Ambiguous:
            # It may have arrived: a second one is worse than none.
            raise
        except (PlatformError, Refused) as error:
            with self._services.store.transaction():
                panels.discard(panel_id)
                if isinstance(error, (Unavailable, RateLimited)):
                    messages.forget(message.id)
                else:
                    messages.finish(message.id)
            raise
        panels.bind(panel_id, sent.message_id, sent.snapshot)
        self._remember(message, turn, job.level)

    async def _edit(self, job: _Job, turn: Turn, message: ProgressMessage) -> None:
        message_id = self._message_id(message)
        if message_id is not None:
            keyboard = None
            if turn.stop_at is None:
                keyboard = lay_out(message.panel_id, stop_grid(), self._adapter.limits)
            part = self._part(self._text(turn, job.level, time.time()))
            await self._adapter.edit(job.place.chat_id, message_id, part, keyboard)
        self._remember(message, turn, job.level)

    async def _end(self, job: _Job, message: ProgressMessage) -> None:
        """Show how the turn ended; where that is not wanted, delete the message."""
        chat_id, message_id, turn = job.place.chat_id, self._message_id(message), job.turn
        ended = turn is not None and turn.ended_at is not None
        if message_id is None:
            self._over(message)
            return
        # Who stopped it is told so in a message of its own, and need not read it twice.
        told = turn is not None and turn.ending == "stopped" and job.place in turn.places
        if told or job.level in {"off", "brief"}:
            try:
                await self._adapter.delete(chat_id, message_id)
            except (Rejected, Forbidden) as error:
                logger.info("a status message stays: %s", redact(str(error)))
            else:
                self._over(message, deleted=not ended)
                return
        if turn is None:
            await self._adapter.close_panel(chat_id, message_id, None, "", thread_id=job.place.thread_id)
        else:
            text = ending_line(turn) if ended else self._text(turn, job.level, time.time())
            await self._adapter.edit(chat_id, message_id, self._part(text), None)
        # A turn that was taken for gone may be back: it has another message then.
        self._over(message, deleted=turn is not None and turn.ending == "gone")

    def _message_id(self, message: ProgressMessage) -> str | None:
        """Return the message's id on the platform; None if it is unknown whether it was sent."""
        panel = self._services.panels.get(message.panel_id)
        return panel.message_id if panel else None

    def _over(self, message: ProgressMessage, *, deleted: bool = False) -> None:
        """Record that a message is not edited any more; one that is `deleted` may be sent again."""
        services, message_id = self._services, self._message_id(message)
        with services.store.transaction():
            if message_id is not None:
                services.panels.close_on(message.place.chat_id, message_id)
            if deleted:
                services.progress_messages.forget(message.id)
            else:
                services.progress_messages.finish(message.id)

    def _remember(self, message: ProgressMessage, turn: Turn, level: Progress) -> None:
        self._shown[message.id] = _Shown(self._text(turn, level, turn.began_at), time.monotonic())

    def _outgoing(self, place: Place, text: str) -> Outgoing:
        part = self._part(text)
        return Outgoing(
            place.chat_id,
            part.text,
            format=part.format,
            spans=part.spans,
            plain=part.plain,
            thread_id=place.thread_id,
            silent=True,
        )

    def _part(self, text: str) -> RenderedPart:
        """Return a text as the platform shows it, cut if it is longer than one message."""
        return self._adapter.render(redact(text), "text")[0]
