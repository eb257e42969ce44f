"""What only Telegram can be asked about a set-up: webhook, another poller, privacy mode, its clock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from agent_channels.core.contract.checks import Check, Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.contract.clock import skew
from agent_channels.core.errors import Conflict
from agent_channels.telegram.adapter import TelegramAdapter
from agent_channels.telegram.errors import translated

__all__ = ["checks"]

# Another poller that we displaced asks again within seconds, and then displaces us.
POLL_S = 3
BOTFATHER = (
    "in Telegram, write /setprivacy to @BotFather, choose the bot, Disable; then remove it from the group and add it "
    "again"
)


def checks(adapter: TelegramAdapter, case: Setup) -> Mapping[str, Check]:
    """Each check by its name."""
    found = {"webhook": webhook, "second poller": second_poller, "privacy mode": privacy, "clock": clock}
    return {name: partial(check, adapter, case) for name, check in found.items()}


async def webhook(adapter: TelegramAdapter, _case: Setup) -> Finding:
    """GetWebhookInfo: while one is set, nothing can be polled."""
    with translated():
        info = await adapter.bot.get_webhook_info()
    waiting = f"{info.pending_update_count} updates wait at Telegram"
    if not info.url:
        return fine("no webhook is set", waiting)
    host = info.url.partition("://")[2].partition("/")[0]
    return wrong(
        "a webhook is set for this bot, so it cannot be polled",
        f"it leads to {host}; {waiting}",
        "a server that reads this bot removes it by itself; if it comes back, another program sets it: find that "
        "program, or give this one a bot of its own",
    )


async def second_poller(adapter: TelegramAdapter, case: Setup) -> Finding:
    """A short poll, which confirms nothing: another program's polls and ours end each other with a conflict."""
    if case.holder is not None:
        reader = case.facts["reader"]
        if reader["state"] == "conflict":
            return _second(f"our reader (process {case.holder['pid']}) is told so: {reader['error']}")
        return fine("our reader meets no other", f"process {case.holder['pid']} on {case.holder['host']}")
    if not case.disturb:
        return skipped("not looked for here: it disturbs the other for a moment; run `channels doctor`")
    try:
        with translated():
            await adapter.updates.api("getUpdates", within_s=2 * POLL_S, limit=1, timeout=POLL_S)
    except Conflict as error:
        if "webhook" in str(error):
            return skipped("cannot be told while a webhook is set")
        return _second("a poll of ours ended with 409 Conflict, and no program of this user's holds the bot's lock")
    return fine("nobody else polls this bot", f"a poll of {POLL_S} s met no other")


def _second(evidence: str) -> Finding:
    return wrong(
        "another program polls this bot, so each gets only a part of the messages",
        evidence,
        "end the other program (another machine, another user, another bot framework with this token); if it cannot be "
        "found, revoke the token with @BotFather (/revoke) and set the new one with `channels setup telegram`",
    )


async def privacy(adapter: TelegramAdapter, case: Setup) -> Finding:
    """What getMe says of can_read_all_group_messages, against the groups whose every message shall count."""
    with translated():
        me = await adapter.bot.get_me()
    if me.can_read_all_group_messages:
        return fine("privacy mode is off: the bot sees every message of its groups")
    evidence = "getMe: can_read_all_group_messages is false"
    deaf = [place.shown for place in case.places if place.overhears]
    if deaf:
        return wrong(
            f"privacy mode is on, and messages that do not name the bot shall count in {', '.join(deaf)}: Telegram "
            "passes on only mentions, replies and commands",
            evidence,
            BOTFATHER,
        )
    return note(
        "privacy mode is on: in groups the bot sees mentions, replies and commands only",
        evidence,
        "right as it is, unless other messages of a group shall count too (`group add ID --no-mention`, `--pattern`); "
        f"then {BOTFATHER}",
    )


async def clock(adapter: TelegramAdapter, _case: Setup) -> Finding:
    """The Date of an answer, against this machine's clock."""
    return skew(await adapter.date())
