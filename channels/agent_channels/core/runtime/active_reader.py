"""The tasks of the one process that reads a bot: read, sort, deliver, show outcomes, tell people, prune."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import anyio

from agent_channels import __version__
from agent_channels.core.buttons.approval_cards import ApprovalCards
from agent_channels.core.files.downloads import Downloads
from agent_channels.core.files.transcribe import Transcriber
from agent_channels.core.host.delivery import Delivery
from agent_channels.core.host.session_bell import Doorbell
from agent_channels.core.host.typing_indicator import TypingIndicator
from agent_channels.core.i18n.messages import translate
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.inbound.command_menu import publish_command_menu
from agent_channels.core.inbound.commands import Commands, ListeningSession
from agent_channels.core.inbound.pipeline import InboundPipeline
from agent_channels.core.inbound.reader import Reader
from agent_channels.core.inbound.receipts import Receipts
from agent_channels.core.inbound.video_requests import VideoRequests
from agent_channels.core.inbound.wait_notices import WaitNotices
from agent_channels.core.journal.entry import Entry
from agent_channels.core.outbound.outcomes import Outcomes
from agent_channels.core.outbound.progress import TurnProgress
from agent_channels.core.outbound.sender import Sender
from agent_channels.core.outbound.terminal_answers import TerminalAnswers
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.runtime.retention import Retention
from agent_channels.core.runtime.turn_tracker import TurnTracker
from agent_channels.core.settings.extras import YT2PDF, is_installed

if TYPE_CHECKING:
    from agent_channels.core.runtime.hub.tasks import HubTasks

__all__ = ["ActiveReader"]

STALLED_S = 10.0
# How long messages wait for the answers that an earlier session gave at its terminal to be sent.
SETTLE_WITHIN_S = 5.0


class ActiveReader:
    """Everything that runs while this process holds the bot's lock."""

    def __init__(
        self,
        context: BotContext,
        sender: Sender,
        tracker: TurnTracker,
        seen_elsewhere: frozenset[str],
        hub: HubTasks | None = None,
    ) -> None:
        """`seen_elsewhere`: what another project's agent was shown before this process took over.

        `hub`: where events come from if the bot is shared, instead of the platform.
        """
        self._hub = hub
        adapter, services, settings = context.adapter, context.services, context.settings
        wakeups = context.wakeups
        self._context, self._since = context, time.time()
        self._group = anyio.create_task_group()
        self._typing = TypingIndicator(
            adapter,
            self._group,
            settings.typing_cap_s,
            services.progress_messages.has_draft if adapter.capabilities.drafts else None,
        )
        self._receipts = Receipts(adapter, services.inbox, sender.reactions, enabled=settings.receipts)
        self._wait_notices = WaitNotices(
            services.inbox, services.notices, self._receipts, wakeups, settings.wait_notice_after_s
        )
        self._tracker = tracker
        doorbell = None
        if (bell := context.link.bell) is not None:
            doorbell = Doorbell(
                bell, services.inbox, services.sessions, context.modes, context.link.session, context.link.source
            )
        self.delivery = Delivery(
            services.inbox, context.link, context.modes, self._typing, wakeups, self._before_offer, doorbell
        )
        transcriber = Transcriber(settings.transcribe, settings.transcribe_s, os.environ)
        self._downloads = Downloads(adapter, services.inbox, context.files, wakeups, transcriber)
        self._offers_videos = settings.yt2pdf and is_installed(YT2PDF)
        videos = VideoRequests(adapter, services, wakeups) if self._offers_videos else None
        self._pipeline = InboundPipeline(
            adapter,
            services,
            Commands(
                adapter,
                services,
                context.files,
                wakeups,
                self._session,
                settings.progress,
                sender.rich,
                shared=hub is not None,
                videos=videos,
            ),
            self.delivery,
            self._receipts,
            wakeups,
            context.files,
            context_count=settings.group_context,
            transcribe=transcriber.enabled,
            videos=videos,
        )
        self._reader = Reader(
            adapter,
            context.bot_id,
            services,
            self._pipeline,
            wakeups,
            silence_s=hub.silence_s if hub else context.channel.silence_s(settings),
            source=hub.source if hub else None,
            seen_elsewhere=seen_elsewhere,
        )
        self._outcomes = Outcomes(adapter, services.panels, services.notices, sender.threads, wakeups)
        self._cards = ApprovalCards(
            adapter, services.access, services.prompts, services.panels, services.turns, context.files, wakeups
        )
        self._terminal_answers = TerminalAnswers(adapter, services, sender, wakeups, settings.answers)
        self._progress = TurnProgress(adapter, services, sender, wakeups, settings, context.link.session)
        self._retention = Retention(services, context.files, settings)

    async def run(self) -> None:
        """Work until cancelled, or until one of the tasks fails."""
        services = self._context.services
        services.turns.end_gone(self._context.link.session)
        services.loops.end_gone(self._context.link.session)
        # What an earlier session answered is not asked of this one.
        with anyio.move_on_after(SETTLE_WITHIN_S):
            await self._terminal_answers.settle()
        async with self._group as group:
            for task in (
                self.delivery.run,
                self.delivery.escalate,
                self._downloads.run,
                self._pipeline.follow_ups.run,
                self._outcomes.run,
                self._cards.run,
                self._cards.sweep,
                self._terminal_answers.run,
                self._progress.run,
                self._retention.run,
            ):
                group.start_soon(task)
            group.start_soon(self._wait_notices.run, self.why_waiting)
            self._retry_failed()
            await self._reader.identify()
            for work in self._hub.tasks if self._hub else ():
                group.start_soon(work)
            group.start_soon(self._publish_menu)
            group.start_soon(self._pipeline.run)
            try:
                await self._reader.run()
            finally:
                await self._pipeline.close()

    async def _publish_menu(self) -> None:
        context = self._context
        await publish_command_menu(
            context.adapter,
            context.services.key_values,
            context.bot_id,
            hub=self._hub is not None,
            videos=self._offers_videos,
        )

    def _retry_failed(self) -> None:
        """Sort again, once for each version of this program, what an earlier one could not process."""
        services = self._context.services
        with services.store.transaction():
            if services.key_values.get("version") != __version__:
                services.key_values.set("version", __version__)
                services.inbox.retry_failed()

    def _session(self) -> ListeningSession:
        known = self._context.services.sessions.get(self._context.link.session)
        mode, why = self._context.modes.current()
        project = self._context.files.roots[0].name
        session = self._context.link.session
        return ListeningSession(session, known.client if known else "", project, mode, why, self._since)

    def _before_offer(self, entries: Sequence[Entry], mode: str) -> None:
        self._wait_notices.before_offer(entries)
        self._tracker.offered(entries, mode)

    # ---- the agent acts

    def before_answer(self, modes: Iterable[str]) -> None:
        """Record what went through before an answer is counted; `modes` carried what it answers."""
        self.delivery.record_through()
        if self._context.modes.acted(modes):
            # What another mode held back may go now.
            self._context.wakeups.ready.set()

    def after_answer(self, chat_id: str) -> None:
        """Stop what shows that a chat waits for the agent."""
        self._typing.stop(chat_id)
        if waiting := self._receipts.take_waiting(chat_id):
            self._group.start_soon(self._receipts.restore, chat_id, waiting)

    # ---- status

    def mode(self) -> tuple[str, str]:
        """Return the delivery mode in force, and why."""
        name, why = self._context.modes.publish()
        stalled = self.delivery.stalled_s()
        if stalled > STALLED_S:
            return name, sentence(
                "the host has not read for {seconds:.0f} s; messages are kept until it does", seconds=stalled
            )
        return name, why

    def why_waiting(self) -> str:
        """Return why nobody picks messages up, for a person; empty if unknown."""
        stalled = self.delivery.stalled_s()
        if stalled > STALLED_S:
            return translate("reason_not_reading", seconds=f"{stalled:.0f}")
        return translate("reason_next_turn") if self._context.modes.current()[0] in {"hook", "pull"} else ""
