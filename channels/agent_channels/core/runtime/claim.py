"""Whether this process may read the bot: only for a host that shows that it will hear, unless the operator decided."""

from __future__ import annotations

from agent_channels.core.host.process import evidence
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.scheduling import Wakeup

__all__ = ["ReadClaim"]


class ReadClaim:
    """The signs that a host session will show what is read for it."""

    def __init__(self, context: BotContext, flag: str | None) -> None:
        """`flag`: the host's channel flag, if its command line has one."""
        self._context, self._flag = context, flag
        self._asked = False
        self._new_sign = Wakeup()

    def record_pull(self) -> None:
        """Record that the agent asked for messages."""
        self._context.services.sessions.record_pull(self._context.link.session)
        self._context.modes.refresh()
        self._new_sign.set()

    def record_ask(self) -> None:
        """Record that the agent waits for the answer to a grid: somebody has to read it."""
        self._asked = True
        self._new_sign.set()

    def look_again(self) -> None:
        """Another process committed: a hook of this session may have shown that messages will be heard."""
        self._new_sign.set()

    async def wait_for_sign(self) -> None:
        """Return when there may be a new sign."""
        await self._new_sign.wait()

    def reason(self) -> str | None:
        """Return why this process may read the bot; None if it may not, which `refusal` explains."""
        settings = self._context.settings
        if settings.claim == "never":
            return None
        if settings.claim == "always":
            return sentence("claim is set to always")
        if settings.mode == "push":
            return sentence("mode is fixed to push")
        return self._flag or evidence(self._context.env.environ) or self._seen()

    def refusal(self) -> str:
        """Return why this process may not read the bot, and what would change that."""
        if self._context.settings.claim == "never":
            return sentence("claim is set to never")
        return sentence(
            "this host gave no sign that it shows channel messages, so the bot is not read for it; start the "
            "host with its channel flag for server:{name}, install the hooks, have the agent call "
            "wait_for_messages, or set claim: always in config.yaml (CHANNELS_CLAIM=always)",
            name=self._context.channel.name,
        )

    def _seen(self) -> str | None:
        known = self._context.services.sessions.get(self._context.link.session)
        if known and known.hooks:
            return sentence("this session runs the hooks {hooks}", hooks=", ".join(sorted(known.hooks)))
        if known and known.pulled_at:
            return sentence("the agent asks for messages")
        return sentence("the agent waits for an answer") if self._asked else None
