"""`channels audit`: who was let in, what was approved by whom and by which rule, and whether that record is whole."""

from __future__ import annotations

import argparse
import json
from typing import Any

from agent_channels.cli.arguments import add_channel, add_command, add_json
from agent_channels.cli.export import add_export_options, print_records
from agent_channels.cli.language import shown
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.audit import Audit
from agent_channels.core.store.database import Row, Store
from agent_channels.core.text.sanitize import attribute
from agent_channels.core.text.times import epoch_iso

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "show what was decided and changed; check or export that record"
LISTED = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the three actions, of which `show` is meant if none is named."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.set_defaults(action="show", channel=None, json=False)
    show = add_command(actions, "show", "the newest records, oldest of them first (the default)")
    verify = add_command(actions, "verify", "check that no record was changed, removed, added or moved")
    export = add_command(actions, "export", "print every record as JSON lines, oldest first")
    for action in (show, verify, export):
        add_channel(action, may_miss=True)
    for action in (show, verify):
        add_json(action)
    add_export_options(export)


def run(args: argparse.Namespace) -> int:
    """Show, verify or export the records; return 1 if they are not intact."""
    with Store.open_existing(state_dir(args.channel)) as store:
        audit = Audit(store)
        if args.action == "verify":
            return _verify(audit, args)
        rows = audit.all(args.since) if args.action == "export" else reversed(audit.latest(LISTED))
        records = map(_exported, rows)
        if args.action == "export" or args.json:
            print_records(args, "records", records)
        else:
            print("\n".join(map(_line, records)) or shown(sentence("nothing is recorded yet")))
    return 0


def _verify(audit: Audit, args: argparse.Namespace) -> int:
    found = audit.verify()
    if args.json:
        broken = [{"id": one.row_id, "why": one.why} for one in found.broken]
        facts = {"ok": not broken, "channel": args.channel, "records": found.rows, "head": found.head, "broken": broken}
        print(json.dumps(facts, ensure_ascii=False))
    elif found.broken:
        for one in found.broken:
            print(shown(sentence("record {id}: {why}", id=one.row_id, why=one.why)))
    else:
        print(
            shown(
                sentence(
                    "{count} records are intact; the newest has the hash {head}. Keep that hash somewhere else: anyone "
                    "who can write to the database can forge a new chain, but not one that ends in this hash",
                    count=f"{found.rows:,}",
                    head=found.head or "-",
                )
            )
        )
    return 1 if found.broken else 0


def _exported(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "ts": epoch_iso(row["at"]),
        "at": row["at"],
        "what": row["what"],
        "subject": row["subject"],
        "detail": row["detail"],
        "salt": row["salt"],
        "words": row["words"],
        "before": row["before"],
        "hash": row["hash"],
    }


def _line(record: dict[str, Any]) -> str:
    words = (record["what"], record["subject"] or "", record["detail"] or "")
    return f"{record['ts']}  {'  '.join(attribute(word, 200) for word in words if word)}"
