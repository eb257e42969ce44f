"""Permission prompts that the host relays to its channels: shown as cards, answered by approvers."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import MISSING
from functools import partial
from pathlib import Path

import anyio

from agent_channels.core.buttons.card_content import permission_spec, preview_input
from agent_channels.core.buttons.file_changes import READ_MAX
from agent_channels.core.buttons.policies import ChannelPolicy, decide_together, policy_of, record_decision
from agent_channels.core.buttons.policy import HostRequest
from agent_channels.core.buttons.prompt_spec import Prompt
from agent_channels.core.errors import StoreError
from agent_channels.core.host.process import host_keys
from agent_channels.core.host.protocol import VERDICT
from agent_channels.core.i18n.messages import translate
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.settings.declared import Declared, Text, declare
from agent_channels.core.settings.paths import project_dir, state_dir
from agent_channels.core.settings.policy import PolicyRule

__all__ = ["PermissionRelay", "PermissionRequest"]

logger = logging.getLogger(__name__)
# The host does not say that its prompt was answered at the terminal; after this a card is certainly stale.
TIMEOUT_S = 1800.0
LEASE_S = 15.0
RENEW_EVERY_S = 5.0


class PermissionRequest(Declared):
    """What the host sends: a five-letter id, the tool, and up to 3,500 code points a field."""

    request_id: str = declare(MISSING, Text())
    tool_name: str = declare(MISSING, Text())
    description: str = declare("", Text())
    input_preview: str = declare("", Text())


class PermissionRelay:
    """What this host process asked in this session, by whichever server process: the approvers' verdict goes back."""

    def __init__(self, context: BotContext, channels: Iterable[str] = ()) -> None:
        """`channels`: the names of all channels that the project may have."""
        self._channels = tuple(channels)
        self._context, self._prompts, self._wakeups = context, context.services.prompts, context.wakeups
        self._session, self._host = context.link.session, host_keys(context.env.environ)

    async def ask(self, request: PermissionRequest) -> None:
        """Decide by the policy, or ask the approvers; without any, say nothing. Raises `StoreError`."""
        context = self._context
        tool_input = preview_input(request.input_preview)
        project = project_dir(context.env.environ)
        asked = HostRequest(request.tool_name, tool_input, project, cwd=_working_directory())
        rule = await self._rule(asked)
        if rule is not None and rule.then != "ask":
            record_decision(context.services.audit, self._session, asked, rule)
            await context.link.push(VERDICT, {"request_id": request.request_id, "behavior": rule.then})
            return
        if not context.settings.permission_relay or not context.services.access.approvers():
            return
        spec = permission_spec(
            request.tool_name,
            tool_input,
            project=project,
            policy=rule,
            request_id=request.request_id,
            read=partial(context.files.read_text, limit=READ_MAX),
            description=request.description,
        )
        with context.services.store.transaction():
            self._prompts.replace_relayed(self._session, request.request_id)
            self._prompts.create(
                "permission",
                spec,
                session=self._session,
                timeout_s=min(TIMEOUT_S, rule.ttl_s or TIMEOUT_S) if rule else TIMEOUT_S,
                lease_s=LEASE_S,
                request_id=request.request_id,
                host=self._host,
            )
        self._wakeups.relayed.set()
        self._wakeups.card_due.set()
        self._wakeups.outcome_due.set()

    async def _rule(self, asked: HostRequest) -> PolicyRule | None:
        """Return the strictest of the rules by which the project's channels decide; None if no rule matches."""
        context = self._context
        turn = context.services.turns.current(self._session)
        policies = [ChannelPolicy(context.env.state_dir, context.settings.policy, turn.chats if turn else ())]
        for name in self._channels:
            folder = state_dir(name, context.env.environ)
            if folder != context.env.state_dir:
                # Another process may hold its database.
                beside = await anyio.to_thread.run_sync(policy_of, folder, self._session)
                policies.extend([beside] if beside else [])
        decided = decide_together(policies, asked)
        return decided[0] if decided else None

    async def run(self) -> None:
        """Pass verdicts on to the host until cancelled; begin with what an earlier process left open."""
        while True:
            try:
                while waiting := self._prompts.relayed(self._session, self._host):
                    for prompt in waiting:
                        await self._follow(prompt)
                    await self._wakeups.changed.wait(RENEW_EVERY_S)
            except StoreError as error:
                logger.warning("verdicts are passed on later: %s", error)
                await anyio.sleep(1.0)
                continue
            await self._wakeups.relayed.wait()

    async def _follow(self, prompt: Prompt) -> None:
        self._prompts.renew(prompt.id, LEASE_S)
        if prompt.state == "answered" and prompt.result is not None:
            await self._context.link.push(
                VERDICT, {"request_id": prompt.request_id, "behavior": prompt.result["value"]}
            )
            self._prompts.take(prompt.id)
        elif self._is_stopping():
            # A card that was left open would run the tool after the stop.
            await self._context.link.push(VERDICT, {"request_id": prompt.request_id, "behavior": "deny"})
            self._prompts.close(prompt.id, translate("prompt_unanswered"))
        elif prompt.expires_at > self._prompts.now() or not self._prompts.close(
            prompt.id, translate("prompt_unanswered")
        ):
            return
        self._wakeups.outcome_due.set()

    def _is_stopping(self) -> bool:
        turn = self._context.services.turns.current(self._session)
        return turn is not None and turn.stop_at is not None


def _working_directory() -> Path | None:
    """Return where the host started this process, and where its shell is unless it went elsewhere."""
    try:
        return Path.cwd()
    except OSError:
        return None
