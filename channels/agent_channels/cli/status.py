"""`channels status`: the facts that the tool `channel_status` gives, in any shell."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import add_channel, add_json
from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.i18n.sentences import counted
from agent_channels.core.runtime.reader_lock import HandoverRequests, ReaderLock
from agent_channels.core.runtime.status import facts, message_counts
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.core.text.times import local_time
from agent_channels.registry import channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "show who reads the bot, who is paired and what is waiting"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, --json and --release."""
    add_channel(parser)
    add_json(parser)
    parser.add_argument("--release", action="store_true", help="ask the process that reads the bot to hand it over")


def run(args: argparse.Namespace) -> int:
    """Print the facts; return 1 if a setting or the token cannot be used."""
    row, env = channel(args.channel), Environment(args.channel)
    bot_id, problem = None, None
    try:
        load(row.settings, env)
        token = env.token()
        if token is None:
            problem = f"no token is set; run `channels setup {args.channel}`"
        else:
            bot_id = row.bot_id(token)
    except ConfigError as error:
        problem = str(error)
    if args.release:
        return _release(args, env, bot_id)
    with Store.open_existing(env.state_dir) as store:
        known = facts(args.channel, env.state_dir, Services.of(store), bot_id, problem)
    known["token_from"] = env.token_source()
    print(json.dumps(known, ensure_ascii=False) if args.json else _text(known))
    return 1 if known["problem"] else 0


def _release(args: argparse.Namespace, env: Environment, bot_id: str | None) -> int:
    """Ask the process that reads the bot, in any project, to hand it over."""
    holder = ReaderLock(args.channel, bot_id, env.state_dir).holder() if bot_id else None
    if holder is None:
        raise Refused("nobody reads this bot, so there is nothing to hand over")
    # Imported here: it brings in all that reading a bot takes.
    from agent_channels.core.runtime.runtime import STAND_BACK_S

    # The request goes where the holder looks for it: into its own state folder.
    with Store.open(Path(holder.state_dir) if holder.state_dir else env.state_dir) as store:
        HandoverRequests(KeyValue(store)).request()
    text = (
        f"Asked {holder.describe()}, to hand the bot over. Another server that waits for it takes over within seconds; "
        f"without one, nobody reads the bot for {STAND_BACK_S:.0f} seconds, and then that process goes on."
    )
    print(json.dumps({"ok": True, "asked": holder.pid}) if args.json else text)
    return 0


def _text(known: dict[str, Any]) -> str:
    bot, reader = known["bot"], known["reader"]
    named = f"@{bot['username']} (id {bot['id']})" if bot and bot["username"] else f"id {bot['id']}" if bot else "none"
    counts = (
        f"{len(known['paired'])} paired",
        f"{len(known['pending'])} waiting",
        counted(len(known["groups"]), "group"),
    )
    lines = [
        f"{known['channel']}",
        f"  state folder  {known['state_dir']}",
        f"  bot           {named}" + (f", token from {known['token_from']}" if known["token_from"] else ""),
        f"  policy        {known['policy']}: {', '.join(counts)}",
        f"  read by       {_reader(known['owner'])}",
        f"  reading       {reader['state']}" + (f": {reader['error']}" if reader["error"] else ""),
        f"  last poll     {local_time(known['last_poll_ok']) if known['last_poll_ok'] else 'never'}",
        f"  delivery      {known['mode']['name']} ({known['mode']['why']})",
        f"  messages      {message_counts(known['inbox'])}"
        + (f"; the oldest open since {local_time(known['oldest_open'])}" if known["oldest_open"] else ""),
    ]
    if again := known["restarts"]:
        lines.append(f"  restarted     {counted(again['count'], 'time')}, the last at {again['last']}: {again['why']}")
    lines += [f"  working       {_working(turn)}" for turn in known["working"]]
    lines += [f"  group seen    {g['id']} {g['title']} (not enabled)" for g in known["groups_not_enabled"]]
    lines += [f"  blocked by    {user_id}: only they can unblock the bot" for user_id in known["blocked_by"]]
    lines += [f"  plain text    {known['plain_only']}"] if known["plain_only"] else []
    lines += [f"  remark        {known['remark']}"] if known["remark"] else []
    lines += [f"  note          {reader['note']}"] if reader["note"] else []
    lines += [f"  problem       {known['problem']}"] if known["problem"] else []
    return "\n".join(lines)


def _reader(owner: dict[str, Any] | None) -> str:
    if owner is None:
        return "nobody"
    return f"process {owner['pid']} on {owner['host']} for {owner['project']}, since {local_time(owner['since'])}"


def _working(turn: dict[str, Any]) -> str:
    running = "; ".join(turn["running"]) or "thinking"
    stopping = ", asked to stop" if turn["stopping"] else ""
    return f"since {local_time(turn['since'])}: {running} ({counted(turn['steps'], 'step')}{stopping})"
