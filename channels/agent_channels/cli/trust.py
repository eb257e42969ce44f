"""`channels trust`: adopts a state folder that this user's program did not make, after a look at what it holds."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import add_json, can_ask
from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.log import redact
from agent_channels.core.settings.config_file import parse_config
from agent_channels.core.settings.paths import expand_home, state_dir
from agent_channels.core.settings.state_folder import StateFolder, adopt, is_trusted
from agent_channels.core.store.inspect import summarize
from agent_channels.core.text.sanitize import label
from agent_channels.registry import CHANNELS

__all__ = ["SUMMARY", "add_arguments", "offer", "run"]

SUMMARY = "adopt a state folder that came from elsewhere, after a look at what it holds"
NAMES_MAX = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the folder, --yes, --show and --json."""
    parser.add_argument(
        "folder",
        nargs="?",
        metavar="DIR",
        help="a state folder, or a project with state folders; default: this project",
    )
    parser.add_argument("--yes", action="store_true", help="adopt without asking")
    parser.add_argument("--show", action="store_true", help="only show what the folder holds")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List what each folder holds, and adopt those that are not trusted; a person at a terminal is asked first."""
    folders = _folders(args.folder)
    if not folders:
        where = args.folder or "this project"
        raise Refused(f"there is no state folder in {where}; name one, or `channels setup` makes one")
    done = []
    for folder in folders:
        known = is_trusted(folder)
        found = _describe(folder)
        if not args.json:
            print(_text(folder, found, known=known))
        adopted = not known and not args.show and (args.yes or args.json or _agrees(folder))
        if adopted:
            adopt(folder)
            if not args.json:
                print("  adopted: this program uses it from now on")
        done.append({"folder": str(folder), "trusted": known or adopted, "adopted": adopted, "holds": found})
    if args.json:
        print(json.dumps({"ok": True, "folders": done}, ensure_ascii=False))
    return 0 if args.show or all(entry["trusted"] for entry in done) else 1


def offer(folder: Path) -> bool:
    """Show a person at the terminal what an untrusted folder holds, and adopt it if they say so; return whether."""
    print(_text(folder, _describe(folder), known=False), file=sys.stderr)
    if not _agrees(folder):
        return False
    adopt(folder)
    return True


def _folders(named: str | None) -> list[Path]:
    if named is None:
        candidates = [state_dir(name) for name in CHANNELS]
    else:
        folder = expand_home(named).absolute()
        candidates = [folder / "state" / name for name in CHANNELS]
        if not any(candidate.exists() for candidate in candidates):
            candidates = [folder / name for name in CHANNELS]
        if not any(candidate.exists() for candidate in candidates):
            candidates = [folder]
    return [candidate for candidate in candidates if candidate.is_dir()]


def _agrees(folder: Path) -> bool:
    """Return whether the folder may be adopted: what a person at a terminal answers; a script has called for it."""
    if not can_ask():
        return True
    print(f"Adopt {folder}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower().startswith("y")


def _describe(folder: Path) -> dict[str, Any]:
    """Return what an untrusted folder holds, by file, in words that are safe to print."""
    with StateFolder.opened(folder) as opened:
        names = opened.names()
        found: dict[str, Any] = {"files": [label(name, 80) for name in names[:NAMES_MAX]]}
        if len(names) > NAMES_MAX:
            found["files"].append(f"and {len(names) - NAMES_MAX} more")
        for name, read in ((".env", _variables), ("config.yaml", _settings)):
            if name in names:
                try:
                    found[name] = read(opened.read_text(name), folder / name)
                except ConfigError as error:
                    found[name] = redact(str(error))
    if "channel.db" in names:
        counts = summarize(folder / "channel.db")
        found["channel.db"] = counts or "it cannot be read"
    return found


def _variables(text: str, _path: Path) -> list[str]:
    """Return the names that a .env file sets; never the values."""
    lines = (line.removeprefix("export ").partition("=") for line in text.splitlines())
    return [label(name.strip(), 80) for name, equals, _ in lines if equals and not name.lstrip().startswith("#")]


def _settings(text: str, path: Path) -> dict[str, str]:
    return {label(name, 80): redact(label(str(value), 200)) for name, value in parse_config(text, path).items()}


def _text(folder: Path, found: dict[str, Any], *, known: bool) -> str:
    lines = [f"{folder}" + (": trusted already" if known else ": not made by you on this machine")]
    lines.append(f"  files        {', '.join(found['files']) or 'none'}")
    if ".env" in found:
        lines.append(f"  .env         {_words(found['.env'], 'sets ')}")
    if "config.yaml" in found:
        lines.append(f"  config.yaml  {_words(found['config.yaml'], 'sets ')}")
    if "channel.db" in found:
        lines.append(f"  channel.db   {_words(found['channel.db'], '')}")
    return "\n".join(lines)


def _words(found: Any, verb: str) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return verb + (", ".join(found) or "nothing")
    if verb:
        return verb + (", ".join(f"{name}: {value}" for name, value in found.items()) or "nothing")
    return ", ".join(f"{count} {name}" for name, count in found.items())
