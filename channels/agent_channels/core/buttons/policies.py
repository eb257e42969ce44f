"""The policies of a project's channels: each of them decides, and the strictest decision holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from agent_channels.core.buttons.card_content import masked
from agent_channels.core.buttons.policy import HostRequest, decide, strictest
from agent_channels.core.errors import ChannelError
from agent_channels.core.frozen import frozen
from agent_channels.core.host.turns import Turns
from agent_channels.core.settings.hook_settings import load_hook_settings
from agent_channels.core.settings.policy import PolicyRule, unreadable_policy
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label

__all__ = ["ChannelPolicy", "decide_together", "policy_of", "record_decision"]


@frozen
class ChannelPolicy:
    """The rules of one channel, its state folder, and the chats of it that the agent works for."""

    folder: Path
    rules: Sequence[PolicyRule]
    chats: Collection[str] = ()


def policy_of(folder: Path, session: str) -> ChannelPolicy | None:
    """Return the policy of a channel of the project as it is on the disk; None if there is no such channel.

    One that cannot be read allows nothing, since it may deny it.
    """
    try:
        rules = load_hook_settings(folder / "config.yaml")[0].policy
        try:
            (folder / "channel.db").lstat()
        except (FileNotFoundError, NotADirectoryError):
            # Without its database nobody knows whose folder it is.
            return ChannelPolicy(folder, unreadable_policy(folder)) if rules else None
        with Store.open(folder) as store:
            turn = Turns(store).current(session)
            return ChannelPolicy(folder, rules, turn.chats if turn else ())
    except (ChannelError, OSError):
        return ChannelPolicy(folder, unreadable_policy(folder))


def decide_together(policies: Iterable[ChannelPolicy], asked: HostRequest) -> tuple[PolicyRule, ChannelPolicy] | None:
    """Return the strictest of the rules by which the policies decide, and whose it is; None if no rule matches."""
    decided = [
        (rule, policy)
        for policy in policies
        if (rule := decide(policy.rules, replace(asked, chats=policy.chats, state_dir=policy.folder))) is not None
    ]
    strict = strictest([rule for rule, _ in decided])
    return next((found for found in decided if found[0] is strict), None)


def record_decision(audit: Audit, session: str, asked: HostRequest, rule: PolicyRule) -> None:
    """Record what a rule decides without anybody being asked."""
    subject = label(f"{asked.tool}: {masked(asked.subject())}", 300)
    audit.add(f"policy {rule.then}", session, f"{subject}; {rule.describe()}")
