"""The bot behind a session: it is closed and opened again while tool calls wait for something."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from functools import partial

import anyio

from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.errors import Refused, StoreError
from agent_channels.core.host.call_limits import CallLimits, call_limits
from agent_channels.core.host.hook_call import HookCall
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.scheduling import Broadcast, Wakeup

__all__ = ["CurrentRuntime"]

logger = logging.getLogger(__name__)
# How long a tool call waits for the bot to be opened.
OPEN_WITHIN_S = 20.0
# How soon a call that waits tries again after a fault of the store.
AGAIN_AFTER_S = 1.0
# A host that is still there so long after a result was written has read it; nobody acts on one any faster.
CONFIRM_AFTER_S = 1.0


class CurrentRuntime:
    """The open bot; None while it is not, and `problem` says why: "" once it is open.

    `newest_wait` is the number of the last call that waits for messages: what waits longer than it was perhaps given up
    by its host without a word. `client()` returns what the host calls itself.
    """

    def __init__(self, client: Callable[[], str] = str) -> None:
        self.open: ChannelRuntime | None = None
        self.problem = "starting"
        self.newest_wait = 0
        self._client = client
        # The agent's questions whose answers it does not have yet; those that a call waits for, and by which.
        self._asked: set[str] = set()
        self._waited_for: dict[str, int] = {}
        # The largest number that a wait without messages has named.
        self._after = 0
        # What the host called last as a hook while no bot was open.
        self.missed_hook: HookCall | None = None
        # Set while it is known whether the bot is open, or why not.
        self._settled = anyio.Event()
        self._changed = Broadcast()
        self._written: list[str] = []
        self._any_written = Wakeup()

    # ---- opening and closing

    def opened(self, runtime: ChannelRuntime) -> None:
        """From now on tool calls use this one. Raises `StoreError`."""
        if self.missed_hook is not None:
            runtime.tracker.host_has_hooks(self.missed_hook.session)
        self.open, self.problem = runtime, ""
        self.settle()

    def settle(self) -> None:
        """Tell the calls that wait that the bot is open, or why it is not."""
        self._settled.set()
        self._changed.notify_all()

    def closed(self) -> None:
        """From now on tool calls wait for the bot to be opened again, or for the reason why it is not."""
        if self.open is not None:
            # Calls that wait for something in it go on in the next one.
            self.open.context.wakeups.changed.notify_all()
        self.open = None
        if self._settled.is_set():
            self._settled = anyio.Event()

    # ---- what tool calls need

    def limits(self) -> CallLimits:
        """Return what this host takes of one call."""
        return call_limits(self._client(), None if self.open is None else self.open.context.settings)

    async def get(self) -> ChannelRuntime:
        """Return the open bot, waiting for it a little. Raises `Refused` with the problem."""
        if not self._settled.is_set():
            with anyio.move_on_after(min(OPEN_WITHIN_S, self.limits().wait_s)):
                await self._settled.wait()
        if self.open is None:
            raise Refused(self.problem)
        return self.open

    async def get_until(self, deadline: float) -> ChannelRuntime:
        """Return the open bot, waiting for it until then (`time.monotonic`). Raises `Refused` with the problem."""
        while self.open is None and (left := deadline - time.monotonic()) > 0:
            await self._changed.wait(left)
        if self.open is None:
            raise Refused(self.problem)
        return self.open

    def result_written(self, prompt_id: str) -> None:
        """Record that the result of an `ask` is in the host's pipe; `run` confirms it if the host lives on."""
        if prompt_id not in self._asked:
            self._written.append(prompt_id)
            self._any_written.set()

    async def run(self) -> None:
        """Confirm results until cancelled. What a host that ends at once may not have read becomes an event."""
        while True:
            await self._any_written.wait()
            written, self._written = self._written, []
            await anyio.sleep(CONFIRM_AFTER_S)
            await self.get_until(math.inf)
            self.change_prompts(partial(Prompts.confirm, prompt_ids=written))

    def change_prompts(self, change: Callable[[Prompts], object]) -> None:
        """Record how a wait ended; if that fails, the lease that is not renewed says the same a little later."""
        if self.open is not None:
            with contextlib.suppress(StoreError):
                change(self.open.context.services.prompts)
            self.open.context.wakeups.answer_given()

    async def wait_for_store(self, deadline: float) -> None:
        """Wait a little after a fault of the store, at most until then: it is opened again, or the disk has room."""
        await self._changed.wait(min(AGAIN_AFTER_S, max(0.0, deadline - time.monotonic())))

    def begin_wait(self, prompt_id: str | None = None) -> int:
        """Begin to wait for messages, which ends whatever waited before; return the number of this wait.

        Answers to earlier questions of the agent's become messages from now on, but for the one that it waits for.
        """
        self.newest_wait += 1
        self.hand_on_answers(except_for=prompt_id)
        if self.open is not None:
            self.open.context.wakeups.changed.notify_all()
        return self.newest_wait

    def next_after(self, given: int | None) -> int:
        """Return a number that no wait has named yet; `given` is what the agent was told, perhaps by an earlier server.

        An agent that repeats a call with the same arguments is taken for one that is caught in a loop.
        """
        self._after = max(self._after, given or 0) + 1
        return self._after

    # ---- questions that no call waits for

    def asked(self, prompt_id: str) -> None:
        """Record that the agent asked something: until it has the answer, that belongs into its next call's result."""
        self._asked.add(prompt_id)

    def hand_on_answers(self, *, except_for: str | None = None) -> None:
        """Make the answers to the agent's questions, given or still to come, ordinary messages."""
        for prompt_id in self._asked - {except_for}:
            self.change_prompts(lambda prompts, asked=prompt_id: prompts.abandon(asked))  # type: ignore[misc]

    def answer_given(self, prompt_id: str) -> None:
        """Record that a call's result holds the answer to a question."""
        self._asked.discard(prompt_id)

    def answer_lost(self, prompt_id: str) -> None:
        """Record that the agent did not get such a result after all: the answer becomes a message."""
        self._asked.add(prompt_id)
        if prompt_id in self._written:
            self._written.remove(prompt_id)
        self.change_prompts(lambda prompts: prompts.abandon(prompt_id))

    def late_answers(self, except_for: str | None = None) -> list[Prompt]:
        """Return what was answered while no call waited for it, and the agent has not been given yet.

        It counts as given from now on, and is confirmed after `result_written`.
        """
        found: list[Prompt] = []
        if self.open is None or not self._asked:
            return found
        context = self.open.context
        unproven = [] if self.limits().reads_pushes else context.modes.unproven()
        with contextlib.suppress(StoreError):
            for prompt_id in sorted(self._asked - self._waited_for.keys() - {except_for}):
                prompt = context.services.prompts.get(prompt_id)
                if prompt is not None and prompt.state == "open":
                    continue
                self._asked.discard(prompt_id)
                if prompt is not None and prompt.result and context.services.prompts.take(prompt_id, unproven):
                    found.append(prompt)
        return found

    @contextlib.contextmanager
    def waiting_for(self, prompt_id: str) -> Iterator[None]:
        """Mark a question as one that a call waits for."""
        self._waited_for[prompt_id] = self._waited_for.get(prompt_id, 0) + 1
        try:
            yield
        finally:
            self._waited_for[prompt_id] -= 1
            if not self._waited_for[prompt_id]:
                del self._waited_for[prompt_id]

    async def wait_for_answer(
        self, prompt_id: str, deadline: float, lease_s: float, renew_every_s: float
    ) -> tuple[ChannelRuntime, Prompt | None]:
        """Wait for the answer to a prompt until then (`time.monotonic`), or until a newer call waits for messages.

        Returns the prompt as it is in the end, None if it is gone, and the bot as it is open then. Raises `Refused`
        if it is not.
        """
        newest = self.newest_wait
        while True:
            runtime = await self.get_until(deadline)
            left = deadline - time.monotonic()
            try:
                prompt = runtime.context.services.prompts.check(prompt_id, lease_s)
            except StoreError as error:
                if left <= 0:
                    raise
                logger.warning("the answer is waited for all the same: %s", error)
                await self.wait_for_store(deadline)
                continue
            if prompt is None or prompt.state != "open" or left <= 0 or newest != self.newest_wait:
                return runtime, prompt
            await runtime.context.wakeups.changed.wait(min(renew_every_s, left))
