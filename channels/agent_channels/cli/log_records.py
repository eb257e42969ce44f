"""Records of a log at the terminal: which of them are shown, as text or as JSON, and those that come."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from agent_channels.cli.arguments import add_json, moment
from agent_channels.cli.language import shown
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.text.sanitize import reveal
from agent_channels.core.text.times import local_time

__all__ = ["add_filters", "show_records"]

# How soon a new line is shown.
LOOK_EVERY_S = 0.25
LEVELS = ("debug", "info", "warning", "error")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Declare which records are shown, and how."""
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is logged from now on")
    parser.add_argument(
        "--since",
        metavar="WHEN",
        type=moment,
        default=0.0,
        help="only from then on: 30m, 12h, 7d, 2w, a date or an ISO time",
    )
    parser.add_argument("--level", choices=LEVELS, default="debug", help="only from this level up")
    add_json(parser, help="print each as a line of JSON, with the time in UTC")


def show_records(
    read: Callable[[], list[dict[str, Any]]], args: argparse.Namespace, *, several: bool, places: str
) -> int:
    """Print the records that `read` returns, each time those since the last, as the filters say; return 0.

    `several`: each line says which channel it is about. `places`: where there could be records, for a person.
    """
    found = _print(read(), args, several)
    if not found and not args.follow and sys.stderr.isatty():
        print(shown(sentence("nothing is logged in {places}", places=places)), file=sys.stderr)
    while args.follow:
        time.sleep(LOOK_EVERY_S)
        _print(read(), args, several)
    return 0


def _print(records: list[dict[str, Any]], args: argparse.Namespace, several: bool) -> bool:  # noqa: FBT001
    lowest = logging.getLevelNamesMapping()[args.level.upper()]
    chosen = [record for record in records if _level(record) >= lowest and _at(record) >= args.since]
    for record in chosen:
        print(json.dumps(record, ensure_ascii=False) if args.json else _text(record, several))
    sys.stdout.flush()
    return bool(chosen)


def _level(record: dict[str, Any]) -> int:
    return logging.getLevelNamesMapping().get(record["level"], logging.INFO)


def _at(record: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(record["at"]).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _text(record: dict[str, Any], several: bool) -> str:  # noqa: FBT001
    channel = f"{record['channel']} " if several and record["channel"] else ""
    trace = f" [trace {record['trace']}]" if record.get("trace") else ""
    process = f"{record['process']}[{record.get('pid', '?')}]"
    # A terminal obeys what is hidden in a text.
    return reveal(f"{local_time(record['at'])} {record['level']:<7} {channel}{process}: {record['text']}{trace}")
