"""The hook `permission` (PermissionRequest): asks the approvers whether the agent may use a tool."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from agent_channels.core.buttons.card_content import permission_spec
from agent_channels.core.buttons.file_changes import READ_MAX
from agent_channels.core.buttons.policies import ChannelPolicy, decide_together, policy_of, record_decision
from agent_channels.core.buttons.policy import HostRequest
from agent_channels.core.buttons.prompt_spec import LETTERS, SESSION
from agent_channels.core.files.storage import Files
from agent_channels.core.host.session_rules import Rule, permission_update, session_rules
from agent_channels.core.settings.policy import PolicyRule
from agent_channels.core.store.audit import Audit
from agent_channels.hooks.ask import ask, channel_with_approvers, stopped_by
from agent_channels.hooks.channel import HookChannel, channel_folders, open_hook_channels
from agent_channels.hooks.event import HookEvent, print_answer

__all__ = ["run"]


def run(event: HookEvent) -> int:
    """Print an approver's decision; nothing if there is none, so that the terminal's dialog stays. Returns 0."""
    tool, tool_input = event.values.get("tool_name"), event.values.get("tool_input")
    if not isinstance(tool, str):
        return 0
    with open_hook_channels(event) as channels:
        for ours in channels if event.tells_steps else ():
            if ours.is_ours():
                ours.turn_at_work()
        channel = channel_with_approvers(channels)
        by = stopped_by(channels)
        if by is not None:
            print_answer("PermissionRequest", decision=_stopped(by))
            return 0
        rule = _rule(channels, tool, tool_input, event)
        decision = _without_asking(rule, tool, channels, event)
        if decision is not None:
            print_answer("PermissionRequest", decision=decision)
            return 0
        if channel is None or (event.asks_first and not _begun_by_chat(channels, event)):
            return 0
        request_id = "".join(secrets.choice(LETTERS) for _ in range(5))
        suggested = event.values.get("permission_suggestions")
        rules = session_rules(tool, tool_input, suggested, event.cwd) if event.takes_session_rules else []
        files = Files(channel.folder, environ={"CLAUDE_PROJECT_DIR": str(event.project)})
        spec = permission_spec(
            tool,
            tool_input,
            project=event.project,
            request_id=request_id,
            read=partial(files.read_text, limit=READ_MAX),
            rules=rules,
            policy=rule,
        )
        bound_s = min(channel.settings().hook_bound_s, event.wait_max_s)
        if rule is not None and rule.ttl_s:
            bound_s = min(bound_s, rule.ttl_s)
        answer = ask(
            channel,
            spec,
            "permission",
            bound_s=bound_s,
            request_id=request_id,
            stopped=lambda: stopped_by(channels) is not None,
        )
        by = None if answer else stopped_by(channels)
    if answer is not None:
        print_answer("PermissionRequest", decision=_decision(answer, rules))
    elif by is not None:
        # A card that was left open would run the tool after the stop.
        print_answer("PermissionRequest", decision=_stopped(by))
    return 0


def _without_asking(
    rule: PolicyRule | None, tool: str, channels: list[HookChannel], event: HookEvent
) -> dict[str, Any] | None:
    """Return what a rule decides, and that without one our own tools are allowed; None if people are asked."""
    if rule is not None:
        return None if rule.then == "ask" else _by_rule(rule)
    ours = any(channel.serves_host() and tool.startswith(f"mcp__{channel.name}__") for channel in channels)
    return {"behavior": "allow"} if event.asks_first and ours else None


def _begun_by_chat(channels: list[HookChannel], event: HookEvent) -> bool:
    """Return whether people in a chat wait for the turn, and the host was not started so that it asks for nothing."""
    turns = (channel.turns.current(channel.session) for channel in channels)
    return any(turn is not None and turn.places for turn in turns) and not event.allows_all(event.host.options())


def _rule(channels: list[HookChannel], tool: str, tool_input: object, event: HookEvent) -> PolicyRule | None:
    """Return the rule that decides, of all the channels' policies the strictest; record what nobody is asked about."""
    policies = []
    for channel in channels:
        turn = channel.turns.current(channel.session)
        policies.append(ChannelPolicy(channel.folder, channel.settings().policy, turn.chats if turn else ()))
    opened = {channel.folder for channel in channels}
    beside = (policy_of(folder, event.session) for folder in channel_folders(event).values() if folder not in opened)
    policies.extend(policy for policy in beside if policy is not None)
    asked = HostRequest(tool, tool_input, event.project, cwd=event.cwd)
    decided = decide_together(policies, asked)
    if decided is None:
        return None
    rule, policy = decided
    if rule.then != "ask" and channels:
        channel = next((channel for channel in channels if channel.folder == policy.folder), channels[0])
        record_decision(Audit(channel.store), channel.session, asked, rule)
    return rule


def _by_rule(rule: PolicyRule) -> dict[str, Any]:
    if rule.then == "deny":
        return {"behavior": "deny", "message": f"Denied by {rule.describe()} of the project's policy."}
    return {"behavior": "allow"}


def _stopped(by: str) -> dict[str, Any]:
    return {"behavior": "deny", "message": f"Stopped from the chat by {by}."}


def _decision(answer: dict[str, Any], rules: list[Rule]) -> dict[str, Any]:
    if answer["value"] == SESSION:
        return {"behavior": "allow", "updatedPermissions": [permission_update(rules)]}
    if answer["value"] == "deny":
        return {"behavior": "deny", "message": f"Denied from the phone by {answer['user']}."}
    return {"behavior": answer["value"]}
