"""What the hub does itself in the process that reads the bot: commands, the question whose a message is, notices.

What it has to answer lies in the hub like any project's events, and is done in their order.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import anyio

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import ChatMigrated, Message, Tap
from agent_channels.core.errors import StoreError
from agent_channels.core.hub.events import UNDECIDED, ClaimedEvent
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.routes import HUB, RouteTarget, RoutingFacts, choose, target_of
from agent_channels.core.log import redact
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.runtime.hub.away import AwayNotices
from agent_channels.core.runtime.hub.commands import HubCommands
from agent_channels.core.runtime.hub.questions import ProjectQuestions, chosen_in
from agent_channels.core.runtime.hub.voice import HubVoice
from agent_channels.core.scheduling import Backoff, FollowUp, Wakeup

__all__ = ["HubChat"]

logger = logging.getLogger(__name__)
BATCH_MAX = 50
# How often it looks for what nobody woke it for: a project that is away, a route made at a terminal.
LOOK_EVERY_S = 3.0


class HubChat:
    """The worker of the hub itself."""

    def __init__(self, adapter: Adapter, hub: ProjectHub, threads: Threads, channel: str, claimer: str) -> None:
        """`adapter`: one whose sends are not recorded as a project's. `claimer`: as in `HubWorker`."""
        self._adapter, self._hub, self._claimer = adapter, hub, claimer
        self._voice = HubVoice(adapter)
        self._any = Wakeup()
        self.questions = ProjectQuestions(hub, self._voice, self._any)
        self._commands = HubCommands(hub, self._voice, self.questions, threads, channel)
        self._away = AwayNotices(hub, self._voice)
        # The events, by their ids in the table, that are being obeyed beside the others, and those that were obeyed and
        # are not known as done yet.
        self._begun: set[int] = set()
        self._obeyed: set[int] = set()

    def wake(self) -> None:
        """There is something to answer, or to ask."""
        self._any.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._voice.follow_ups.run)
            backoff = Backoff()
            while True:
                try:
                    await self._work()
                except StoreError as error:
                    logger.warning("the hub answers people later: %s", error)
                    await anyio.sleep(backoff.next())
                    continue
                with anyio.move_on_after(LOOK_EVERY_S):
                    await self._any.wait()

    async def _work(self) -> None:
        waiting = await self._hub.events.waiting()
        if HUB in waiting:
            last = 0
            # Who reads the bot is the only one who does this: what the reader before had begun holds people up.
            while claimed := await self._claimed():
                for one in claimed:
                    await self._voice.follow_ups.wait_for_room()
                    await self.questions.settle_between(last, one.id)
                    await self._handle_safely(one)
                    last = one.id
        await self._away.end_starts()
        await self.questions.settle(any_undecided=UNDECIDED in waiting or HUB in waiting)
        if others := [project for project in waiting if project not in {HUB, UNDECIDED}]:
            await self._away.look(others)

    async def _claimed(self) -> list[ClaimedEvent]:
        claimed = await self._hub.events.claim(HUB, self._claimer, None, BATCH_MAX)
        return [one for one in claimed if one.id not in self._begun]

    async def _handle_safely(self, claimed: ClaimedEvent) -> None:
        if claimed.id not in self._obeyed and await self._is_open_after(claimed):
            return
        self._obeyed.add(claimed.id)
        await self._hub.events.done(HUB, [claimed.event])
        self._obeyed.discard(claimed.id)

    async def _is_open_after(self, claimed: ClaimedEvent) -> bool:
        """Do what an event asks of the hub; return True if it is a project's now, or not done yet."""
        try:
            return await self._handle(claimed)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - one event that nobody foresaw must not stop all that follow
            logger.error("event %s could not be answered: %s", claimed.event.event_id, redact(repr(error)))  # noqa: TRY400
            return False

    def _begin(self, claimed: ClaimedEvent, work: FollowUp) -> None:
        """Do what takes a while beside the rest; if this process dies before, the next reader does it."""
        self._begun.add(claimed.id)
        self._voice.follow_ups.add(partial(self._finish, claimed, work))

    async def _finish(self, claimed: ClaimedEvent, work: FollowUp) -> None:
        try:
            if await self._hub.events.holds(claimed.id, self._claimer):
                await work()
                self._obeyed.add(claimed.id)
        except StoreError as error:
            logger.info("event %s is answered later: %s", claimed.event.event_id, error)
        except Exception as error:  # noqa: BLE001 - as above
            logger.error("event %s could not be answered: %s", claimed.event.event_id, redact(repr(error)))  # noqa: TRY400
            self._obeyed.add(claimed.id)
        finally:
            self._begun.discard(claimed.id)
            self._any.set()

    async def _handle(self, claimed: ClaimedEvent) -> bool:
        """Do what an event asks of the hub; return True if it was given to a project, or only begun."""
        inbound = self._adapter.to_inbound(claimed.event)
        if isinstance(inbound, ChatMigrated):
            await self._hub.routes.migrate_chats([(inbound.old_id, inbound.new_id)])
            await self.questions.migrate_chat(inbound.old_id, inbound.new_id)
        elif isinstance(inbound, Message | Tap):
            target = target_of(inbound)
            facts = await self._hub.routes.facts([target])
            facts = replace(facts, members=await self._hub.members.read())
            return await self._answer(claimed, inbound, target, facts)
        return False

    async def _answer(
        self, claimed: ClaimedEvent, inbound: Message | Tap, target: RouteTarget, facts: RoutingFacts
    ) -> bool:
        decision, work = choose(target, facts), None
        if decision.to == "hub" and isinstance(inbound, Message):
            work = await self._commands.run(inbound, target, facts)
        elif decision.to == "hub" and isinstance(inbound, Tap):
            work = await self._commands.tap(inbound, target, facts)
        elif isinstance(inbound, Message) and (project := await chosen_in(self._hub, target, inbound)) is not None:
            await self.questions.type(inbound, target, project)
        elif decision.to in {"project", "ask"}:
            # Somebody was let in, or a message became known, since it was stored.
            await self._hub.events.give(claimed.id, decision.projects[0] if decision.to == "project" else UNDECIDED)
            return True
        else:
            self._voice.refuse(inbound)
        if work is not None:
            self._begin(claimed, work)
        return work is not None
