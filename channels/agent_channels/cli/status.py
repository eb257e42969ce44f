"""`channels status`: the facts that the tool `channel_status` gives, in any shell."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import add_channel, add_json
from agent_channels.cli.language import column, shown
from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.runtime.reader_lock import HandoverRequests, ReaderLock
from agent_channels.core.runtime.status import fact_lines, facts
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.registry import channel

__all__ = ["SUMMARY", "add_arguments", "known_facts", "run"]

SUMMARY = "show who reads the bot, who is paired and what is waiting"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, --json and --release."""
    add_channel(parser, may_miss=True)
    add_json(parser)
    parser.add_argument("--release", action="store_true", help="ask the process that reads the bot to hand it over")


def run(args: argparse.Namespace) -> int:
    """Print the facts; return 1 if a setting or the token cannot be used."""
    env = Environment(args.channel)
    if args.release:
        return _release(args, env, _bot(env)[0])
    with Store.open_existing(env.state_dir) as store:
        known = known_facts(env, Services.of(store))
    print(json.dumps({"ok": not known["problem"], **known}, ensure_ascii=False) if args.json else _text(known))
    return 1 if known["problem"] else 0


def known_facts(env: Environment, services: Services) -> dict[str, Any]:
    """Return the facts of a channel's state, whatever its settings are worth, and where its token comes from."""
    bot_id, problem = _bot(env)
    known = facts(env.channel, env.state_dir, services, bot_id, problem)
    return {**known, "token_from": env.token_source()}


def _bot(env: Environment) -> tuple[str | None, str | None]:
    """Return the bot's id, if there is a token of one, and what is wrong with the settings or the token."""
    row = channel(env.channel)
    try:
        load(row.settings, env)
        token = env.token()
        if token is None:
            return None, sentence("no token is set; run `channels setup {channel}`", channel=env.channel)
        return row.bot_id(token), None
    except ConfigError as error:
        return None, words_of(error)


def _release(args: argparse.Namespace, env: Environment, bot_id: str | None) -> int:
    """Ask the process that reads the bot, in any project, to hand it over."""
    holder = ReaderLock(args.channel, bot_id, env.state_dir).holder() if bot_id else None
    if holder is None:
        raise Refused(sentence("nobody reads this bot, so there is nothing to hand over"))
    # Imported here: it brings in all that reading a bot takes.
    from agent_channels.core.runtime.runtime import STAND_BACK_S

    # The request goes where the holder looks for it: into its own state folder.
    with Store.open(Path(holder.state_dir) if holder.state_dir else env.state_dir) as store:
        HandoverRequests(KeyValue(store)).request()
    text = sentence(
        "Asked {holder}, to hand the bot over. Another server that waits for it takes over within seconds; without "
        "one, nobody reads the bot for {seconds:.0f} seconds, and then that process goes on.",
        holder=holder.describe(),
        seconds=STAND_BACK_S,
    )
    print(json.dumps({"ok": True, "asked": holder.pid}) if args.json else shown(text))
    return 0


def _text(known: dict[str, Any]) -> str:
    return "\n".join([known["channel"], *(f"  {column(name, 13)} {shown(text)}" for name, text in fact_lines(known))])
