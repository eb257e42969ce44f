"""The bot behind a session: it is closed and opened again while tool calls wait for something."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable
from functools import partial

import anyio

from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.errors import Refused, StoreError
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
    by its host without a word.
    """

    def __init__(self) -> None:
        self.open: ChannelRuntime | None = None
        self.problem = "starting"
        self.newest_wait = 0
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

    async def get(self) -> ChannelRuntime:
        """Return the open bot, waiting for it a little. Raises `Refused` with the problem."""
        if not self._settled.is_set():
            with anyio.move_on_after(OPEN_WITHIN_S):
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

    def begin_wait(self) -> int:
        """Begin to wait for messages, which ends whatever waited before; return the number of this wait."""
        self.newest_wait += 1
        if self.open is not None:
            self.open.context.wakeups.changed.notify_all()
        return self.newest_wait

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
