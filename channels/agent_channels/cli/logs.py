"""`channels logs`: what servers and hooks logged, from the files in the state folders; follows them too."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import CHANNEL_NAMES, set_up_channels
from agent_channels.cli.log_records import add_filters, show_records
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.log_file import LogReader, log_path
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.settings.state_folder import StateFolder
from agent_channels.registry import CHANNELS

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "show what servers and hooks logged"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, which may be left out, and the filters."""
    parser.add_argument(
        "channel",
        choices=CHANNELS,
        nargs="?",
        metavar="CHANNEL",
        help=sentence("{names}; default: every channel", names=CHANNEL_NAMES),
    )
    add_filters(parser)


def run(args: argparse.Namespace) -> int:
    """Print the records, oldest first: as text in this machine's time, or as JSON lines with UTC times."""
    names = [args.channel] if args.channel else list(CHANNELS)
    with ExitStack() as opened:
        # What is set up later is shown too, and not named before.
        known = set_up_channels()
        named = [name for name in names if name in known] or names
        places = ", ".join(str(log_path(state_dir(name))) for name in named)
        return show_records(_Logs(names, opened).read, args, several=len(names) > 1, places=places)


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
