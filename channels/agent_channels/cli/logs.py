"""`channels logs`: what servers and hooks logged, from the files in the state folders; follows them too."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import CHANNEL_NAMES, add_json, moment
from agent_channels.core.settings.log_file import LogReader, log_path
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.settings.state_folder import StateFolder
from agent_channels.core.text.sanitize import reveal
from agent_channels.core.text.times import local_time
from agent_channels.registry import CHANNELS

__all__ = ["SUMMARY", "add_arguments", "add_filters", "run", "show_records"]

SUMMARY = "show what servers and hooks logged"
# How soon a new line is shown.
LOOK_EVERY_S = 0.25
LEVELS = ("debug", "info", "warning", "error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, which may be left out, and the filters."""
    parser.add_argument(
        "channel", choices=CHANNELS, nargs="?", metavar="CHANNEL", help=f"{CHANNEL_NAMES}; default: every channel"
    )
    add_filters(parser)


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


def run(args: argparse.Namespace) -> int:
    """Print the records, oldest first: as text in this machine's time, or as JSON lines with UTC times."""
    names = [args.channel] if args.channel else list(CHANNELS)
    with ExitStack() as opened:
        places = ", ".join(str(log_path(state_dir(name))) for name in names)
        return show_records(_Logs(names, opened).read, args, several=len(names) > 1, places=places)


def show_records(
    read: Callable[[], list[dict[str, Any]]], args: argparse.Namespace, *, several: bool, places: str
) -> int:
    """Print the records that `read` returns, each time those since the last, as the filters say; return 0.

    `several`: each line says which channel it is about. `places`: where there could be records, for a person.
    """
    found = _print(read(), args, several)
    if not found and not args.follow and sys.stderr.isatty():
        print(f"nothing is logged in {places}", file=sys.stderr)
    while args.follow:
        time.sleep(LOOK_EVERY_S)
        _print(read(), args, several)
    return 0


class _Logs:
    """The logs of some channels, merged; one whose state folder is not there yet is looked for again."""

    def __init__(self, names: list[str], opened: ExitStack) -> None:
        self._waiting = {name: state_dir(name) for name in names}
        self._readers: dict[str, LogReader] = {}
        self._opened = opened

    def read(self) -> list[dict[str, Any]]:
        for name, path in list(self._waiting.items()):
            if (folder := self._open(path)) is not None:
                del self._waiting[name]
                self._readers[name] = LogReader(folder)
                self._opened.callback(self._readers[name].close)
        found = [{"channel": name, **record} for name, reader in self._readers.items() for record in reader.read()]
        # All of them are in UTC, so that text sorts as time does.
        return sorted(found, key=lambda record: record["at"])

    def _open(self, path: Path) -> StateFolder | None:
        try:
            folder = self._opened.enter_context(StateFolder.opened(path))
        except FileNotFoundError:
            return None
        folder.require_known()
        return folder


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
