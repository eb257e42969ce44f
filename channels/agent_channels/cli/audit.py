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

__all__ = ["SUMMARY", "add_arguments", "exported", "line", "run"]

SUMMARY = "show what was decided and changed; check or export that record"
LISTED = 50
_TEXTS = ("what", "subject", "detail", "salt", "words", "before", "hash")


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
        rows = audit.all(args.since or None) if args.action == "export" else reversed(audit.latest(LISTED))
        if args.action == "export" or args.json:
            print_records(args, "records", map(exported, rows))
        else:
            print("\n".join(map(line, rows)) or shown(sentence("nothing is recorded yet")))
    return 0


def _verify(audit: Audit, args: argparse.Namespace) -> int:
    found = audit.verify()
    if args.json:
        broken = [{"id": one.row_id, "why": one.why} for one in found.broken]
        facts = {"ok": not broken, "channel": args.channel, "records": found.rows, "since": _moment(found.since)}
        facts |= {"head": found.head, "broken": broken}
        print(json.dumps(facts, ensure_ascii=False))
    elif found.broken:
        for one in found.broken:
            print(shown(sentence("record {id}: {why}", id=one.row_id, why=one.why)))
    else:
        print(
            shown(
                sentence(
                    "{count} records are intact, from {since} on; the newest has the hash {head}. Keep that hash "
                    "somewhere else: anyone who can write to the database can forge a new chain, but not one that "
                    "ends in this hash. Older records are deleted after keep_days and above keep_rows; that somebody "
                    "deleted them before is not seen here: keep an export if you need them",
                    count=f"{found.rows:,}",
                    since=_moment(found.since) or "-",
                    head=found.head or "-",
                )
            )
        )
    return 1 if found.broken else 0


def exported(row: Row) -> dict[str, Any]:
    """Return a record for a program; `unreadable` names what is of the wrong kind."""
    moment = _moment(row["at"])
    record = {"id": row["id"], "ts": moment, **{name: row[name] for name in ("at", *_TEXTS)}}
    unreadable = ["at"] if moment is None else []
    unreadable += [name for name in _TEXTS if not isinstance(record[name], str | None)]
    # What this program never wrote is shown as well as it can be: JSON has neither bytes nor infinity.
    record |= {name: _as_text(record[name]) for name in unreadable}
    return record | ({"unreadable": unreadable} if unreadable else {})


def _moment(at: Any) -> str | None:
    try:
        return epoch_iso(at)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _as_text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def line(row: Row) -> str:
    """Return a record as a line for people."""
    record = exported(row)
    words = (record["what"], record["subject"] or "", record["detail"] or "")
    text = f"{record['ts'] or record['at']}  {'  '.join(attribute(word, 200) for word in words if word)}"
    if "unreadable" in record:
        names = ", ".join(record["unreadable"])
        why = sentence(
            "record {id}: another program wrote a value that is of the wrong kind ({names})",
            id=record["id"],
            names=names,
        )
        return f"{attribute(text, 700)}  [{shown(why)}]"
    return text
