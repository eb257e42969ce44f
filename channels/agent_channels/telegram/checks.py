"""Checks of a set-up that only Telegram has: webhook, second poller, privacy mode, topics, rich messages, clock."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

from agent_channels.core.contract.checks import Check, Finding, Setup, fine, note, skipped, wrong
from agent_channels.core.contract.clock import skew
from agent_channels.core.errors import Conflict, Rejected, Unsupported
from agent_channels.core.i18n.sentences import counted, sentence, words_of
from agent_channels.telegram import threads
from agent_channels.telegram.adapter import TelegramAdapter
from agent_channels.telegram.errors import translated
from agent_channels.telegram.outbound import RICH_UNKNOWN
from agent_channels.telegram.settings import PRIVACY_MODE_OFF, TelegramSettings

__all__ = ["checks"]

# Seconds: another poller that our poll displaced polls again sooner than that, and displaces ours.
POLL_S = 3


def checks(adapter: TelegramAdapter, setup: Setup) -> Mapping[str, Check]:
    """Return the checks by name."""
    named = {
        "webhook": webhook,
        "second poller": second_poller,
        "privacy mode": privacy,
        "topics": topics_in_private,
        "rich messages": rich,
        "clock": clock,
    }
    return {name: partial(check, adapter, setup) for name, check in named.items()}


async def webhook(adapter: TelegramAdapter, _setup: Setup) -> Finding:
    """GetWebhookInfo: while a webhook is set, nothing can be polled."""
    info = await adapter.api.call("getWebhookInfo")
    with translated():
        url, waiting = str(info["url"]), int(info["pending_update_count"])
    pending = counted(waiting, "update waits at Telegram", "updates wait at Telegram")
    if not url:
        return fine("no webhook is set", pending)
    host = url.partition("://")[2].partition("/")[0]
    return wrong(
        "a webhook is set for this bot, so it cannot be polled",
        sentence("it leads to {host}; {pending}", host=host, pending=pending),
        (
            "a server that reads this bot removes it on its own; if it comes back, another program sets it: "
            "find that program, or give this one a bot of its own"
        ),
    )


async def second_poller(adapter: TelegramAdapter, setup: Setup) -> Finding:
    """A short poll, which confirms nothing: another program's polls and ours end each other with a conflict."""
    if (shared := setup.hub_reader) is not None:
        if shared.get("state") == "conflict":
            return _another_poller(
                sentence(
                    "the hub's reader (process {pid}) reports it: {error}",
                    pid=shared.get("pid"),
                    error=shared.get("error"),
                )
            )
        return fine(
            "the hub's reader meets no other",
            sentence("process {pid} on {host}", pid=shared.get("pid"), host=shared.get("machine")),
        )
    if setup.holder is not None:
        reader = setup.facts["reader"]
        if reader["state"] == "conflict":
            return _another_poller(
                sentence(
                    "our reader (process {pid}) reports it: {error}", pid=setup.holder["pid"], error=reader["error"]
                )
            )
        return fine(
            "our reader meets no other",
            sentence("process {pid} on {host}", pid=setup.holder["pid"], host=setup.holder["host"]),
        )
    if not setup.disturb:
        return skipped("not checked here, since it interrupts the other for a moment; run `channels doctor`")
    # No longer than the reader's polls: a proxy may cut longer ones.
    seconds = max(1, min(POLL_S, cast("TelegramSettings", setup.settings).poll_timeout_s))
    try:
        await adapter.polls.call("getUpdates", within_s=2 * POLL_S, limit=1, timeout=seconds)
    except Conflict as error:
        if "webhook" in str(error):
            return skipped("cannot be found out while a webhook is set")
        return _another_poller(
            "a poll of ours ended with 409 Conflict, and no program of this user's holds the bot's lock"
        )
    return fine("nobody else polls this bot", sentence("a poll of {seconds} s met no other", seconds=seconds))


def _another_poller(evidence: str) -> Finding:
    return wrong(
        "another program polls this bot, so each gets only a part of the messages",
        evidence,
        (
            "end the other program (another machine, another user, another bot framework with this token); "
            "if it cannot be found, revoke the token with @BotFather (/revoke) and set the new one with "
            "`channels setup telegram`"
        ),
    )


async def privacy(adapter: TelegramAdapter, setup: Setup) -> Finding:
    """GetMe's can_read_all_group_messages, against the groups in which other messages count too."""
    me = await threads.get_me(adapter.api)
    if me.get("can_read_all_group_messages"):
        return fine("privacy mode is off: the bot sees every message of its groups")
    evidence = "getMe: can_read_all_group_messages is false"
    affected = [group.label for group in setup.groups if group.reads_unaddressed]
    if affected:
        return wrong(
            sentence(
                "privacy mode is on, and messages that do not name the bot shall count in {affected}: Telegram "
                "passes on only mentions, replies and commands",
                affected=", ".join(affected),
            ),
            evidence,
            PRIVACY_MODE_OFF,
        )
    return note(
        "privacy mode is on: in groups the bot sees mentions, replies and commands only",
        evidence,
        sentence(
            "fine as it is, unless other messages of a group should count too: then `channels access telegram group "
            "add ID --no-mention` (or `--pattern REGEX` in its place), and {how}",
            how=PRIVACY_MODE_OFF,
        ),
    )


async def rich(adapter: TelegramAdapter, setup: Setup) -> Finding:
    """A sendRichMessage to nobody, which does nothing: a server that knows the method misses the chat."""
    if setup.settings is not None and setup.settings.rich == "off":
        return fine("tables and task lists are sent as text: rich is off")
    try:
        await adapter.api.call("sendRichMessage")
    except Unsupported:
        return note(
            RICH_UNKNOWN,
            "sendRichMessage: 404 Not Found: method not found",
            "update the Bot API server that api_root names, or set `rich: off`",
        )
    except Rejected as error:
        return fine("the server knows rich messages", words_of(error))
    return fine("the server knows rich messages")


async def topics_in_private(adapter: TelegramAdapter, _setup: Setup) -> Finding:
    """GetMe's has_topics_enabled, and what follows from it."""
    me = await threads.get_me(adapter.api)
    evidence = sentence("getMe: has_topics_enabled is {enabled}", enabled=str(threads.has_topics(me)).lower())
    if threads.has_topics(me):
        return note(threads.OUTSIDE, evidence, "answers stay in their topic; write inside one to go on there")
    if adapter.wants_topics:
        return wrong(
            "topics: on is set, but private chats with the bot have no topics",
            sentence(
                "{evidence}; the Bot API server refused to switch them on, or is older than Bot API 10.5",
                evidence=evidence,
            ),
            threads.BY_HAND,
        )
    return fine(
        "private chats with the bot have no topics",
        sentence("{evidence}; `topics: on` in config.yaml switches them on", evidence=evidence),
    )


async def clock(adapter: TelegramAdapter, _setup: Setup) -> Finding:
    """The date on an answer, against this machine's clock."""
    return skew(await adapter.date())
