"""What `history export` and `audit export` have in common: from when on, and as JSON lines or one object."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

from agent_channels.cli.arguments import add_json, moment

__all__ = ["add_export_options", "print_records"]


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Declare --since and --json."""
    since = "only from then on: 30m, 12h, 7d, 2w, a date or an ISO time"
    parser.add_argument("--since", metavar="WHEN", type=moment, default=0.0, help=since)
    add_json(parser, help="print one JSON object with all of them")


def print_records(args: argparse.Namespace, name: str, records: Iterable[dict[str, Any]]) -> None:
    """Print each record as a JSON object on a line of its own; with --json, one object that lists them as `name`."""
    if args.json:
        print(json.dumps({"ok": True, "channel": args.channel, name: list(records)}, ensure_ascii=False))
        return
    for record in records:
        print(json.dumps(record, ensure_ascii=False))
