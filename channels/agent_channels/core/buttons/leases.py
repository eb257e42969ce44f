"""An asker's claim on a prompt while it waits for the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.buttons.prompts import Prompts

__all__ = ["PromptLease"]


class PromptLease:
    """Tell everybody that the asker of a prompt still waits, for as long as it keeps checking.

    Once it stops, a card no longer takes an answer, and the answer to an `ask` becomes an ordinary event.
    """

    def __init__(self, prompts: Prompts, prompt: Prompt, seconds: float) -> None:
        """`seconds`: how long the claim holds after each check."""
        self._prompts, self._id, self._seconds = prompts, prompt.id, seconds

    def check(self) -> Prompt | None:
        """Return the prompt as it is now, renewing the claim while it is open; None if it was closed or is gone."""
        prompt = self._prompts.get(self._id)
        if prompt is None or prompt.state == "closed":
            return None
        if prompt.state == "open":
            self._prompts.renew(self._id, self._seconds)
        return prompt

    async def wait(self, pause: Callable[[float], Awaitable[None]], every_s: float) -> dict[str, Any] | None:
        """Return the result once the prompt is answered; None once it is closed or its time is up.

        `pause(seconds)` returns when something may have changed, at the latest after so many seconds.
        """
        while (prompt := self.check()) is not None:
            if prompt.state == "answered" and prompt.result is not None:
                return prompt.result
            left = prompt.expires_at - self._prompts.now()
            if left <= 0:
                return None
            await pause(min(every_s, left))
        return None
