"""`channels uninstall`: takes what this program put into this project and this user's folders out again.

Exactly ours goes: entries that start this program, or one of its name that is gone; skills as they were copied. What
others wrote into the same files stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import add_json
from agent_channels.cli.dialogue import Dialogue
from agent_channels.cli.hub_install import remove_unit
from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.frozen import frozen
from agent_channels.core.host.config_files import config_dir, enabled_plugin, is_this_program
from agent_channels.core.host.install import backup_folder, removals, remove_if_empty
from agent_channels.core.host.skills import copies
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.program import installation
from agent_channels.core.settings.config import Environment
from agent_channels.core.settings.paths import expand_home, project_dir
from agent_channels.core.settings.state_folder import delete_state, is_trusted
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "take our servers, hooks, skills and units out of this project and your folders"
_STARTS = re.compile(r"""^\s*(?:ExecStart=[-@:+!]*\s*(?:"([^"]+)"|([^\s"]+))|<string>([^<]+)</string>)""", re.MULTILINE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --dry-run, --state, --yes and --json."""
    parser.add_argument("--dry-run", action="store_true", help="only show what would be taken out")
    parser.add_argument(
        "--state",
        choices=("keep", "delete"),
        help="what becomes of this project's state folders, with token, people and messages (default: ask; without a "
        "terminal: keep)",
    )
    parser.add_argument("--yes", action="store_true", help="do it without asking; needed where nobody can be asked")
    add_json(parser)


@frozen
class _Step:
    """One thing to take out: what and where, in words, and how."""

    what: str
    path: Path
    carry_out: Callable[[], None]


def run(args: argparse.Namespace) -> int:
    """Show what there is of ours, ask, and take it out. Raises `Refused` where nobody can be asked, without --yes."""
    asks = sys.stdin.isatty() and not (args.yes or args.json or args.dry_run)
    dialogue = Dialogue(quiet=args.json, interactive=asks, project=project_dir())
    steps, left = _plan(os.environ)
    states = [folder for name in CHANNELS if _is_ours(folder := Environment(name).state_dir)]
    _show(steps, left, states, dialogue)
    if args.dry_run:
        _report(args, steps, states if args.state == "delete" else [], left, done=False)
        return 0
    deleted = states if states and _deletes_state(args, dialogue) else []
    if (steps or deleted) and not dialogue.confirm("yes" if args.yes else None, "Take that out?", default=False):
        if dialogue.interactive:
            dialogue.say("Nothing was changed.")
            return 1
        raise Refused(
            sentence("nothing was changed: there is nobody to ask; if what is listed may go, repeat it with --yes")
        )
    if deleted:
        _refuse_while_read(deleted)
    for step in steps:
        step.carry_out()
    for name in CHANNELS:
        if Environment(name).state_dir in deleted and (problem := _leave_hub(name)):
            dialogue.warn("Note: {problem}", problem=problem)
    for folder in deleted:
        delete_state(folder)
    dialogue.say("Done." if steps or deleted else "Nothing was changed.")
    _say_what_is_left(states, deleted, dialogue)
    _report(args, steps, deleted, left, done=True)
    return 0


def _show(steps: list[_Step], left: list[Path], states: list[Path], dialogue: Dialogue) -> None:
    if not steps and not states:
        dialogue.say("There is nothing of this program in this project, nor in your folders.")
    for step in steps:
        dialogue.say("- {what} {path}", what=step.what, path=step.path)
    for path in left:
        dialogue.say("· stays, since somebody changed it: {path}", path=path)
    for folder in states:
        dialogue.say("· state, with token, people and messages: {path}", path=folder)


def _say_what_is_left(states: list[Path], deleted: list[Path], dialogue: Dialogue) -> None:
    if states and not deleted:
        dialogue.say("The state is kept; `channels uninstall --state delete` deletes it.")
    backups = backup_folder(project_dir())
    if backups.is_dir():
        dialogue.say("Files as they were before `channels setup` changed them: {path}", path=backups)
    if plugin := enabled_plugin(os.environ):
        dialogue.say("The plugin is the host's to remove:\n  claude plugin uninstall {plugin}", plugin=plugin)
    if command := installation().removed_by:
        dialogue.say("The program itself goes with:\n  {command}", command=command)


def _deletes_state(args: argparse.Namespace, dialogue: Dialogue) -> bool:
    question = "What becomes of the state?"
    chosen = dialogue.choose(args.state, question, ("keep", "delete"), default="keep", script="keep")
    return chosen == "delete"


def _report(args: argparse.Namespace, steps: list[_Step], deleted: list[Path], left: list[Path], *, done: bool) -> None:
    if args.json:
        data: dict[str, Any] = {
            "ok": True,
            "done": done,
            "removed": [{"what": step.what, "path": str(step.path)} for step in steps],
            "deleted": [str(folder) for folder in deleted],
            "kept": [str(path) for path in left],
        }
        print(json.dumps(data, ensure_ascii=False))


def _plan(environ: Mapping[str, str]) -> tuple[list[_Step], list[Path]]:
    """Return what to take out, and copies of skills that somebody changed."""
    steps = [_Step(removal.what, removal.path, removal.carry_out) for removal in removals(tuple(CHANNELS), environ)]
    ours, changed = copies(environ)
    steps += [_Step(sentence("the skill"), path.parent, _removing_skill(path)) for path in ours]
    steps += [_Step(sentence("the unit"), path, partial(remove_unit, path)) for path in _units(environ)]
    return steps, changed


def _removing_skill(path: Path) -> Callable[[], None]:
    def remove() -> None:
        _removing(path)()
        remove_if_empty(path.parent)

    return remove


def _removing(path: Path) -> Callable[[], None]:
    def remove() -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                sentence(
                    "{path} cannot be removed ({error}); remove it yourself", path=path, error=error.strerror or error
                )
            ) from error

    return remove


def _units(environ: Mapping[str, str]) -> list[Path]:
    """Return this user's units of systemd and launchd whose first command is this program."""
    home = config_dir(environ).parent if environ.get("HOME") else expand_home("~")
    config = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or home) / ".config")
    candidates = [
        *(config / "systemd" / "user").glob("*channels*.service"),
        *(Path(environ.get("HOME") or home) / "Library" / "LaunchAgents").glob("*channels*.plist"),
    ]
    return [path for path in sorted(candidates) if _starts_this_program(path, environ)]


def _starts_this_program(path: Path, environ: Mapping[str, str]) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:65536]
    except OSError:
        return False
    return any(is_this_program("".join(found), environ) for found in _STARTS.findall(text))


def _is_ours(folder: Path) -> bool:
    try:
        return is_trusted(folder)
    except ConfigError:
        return False


def _leave_hub(name: str) -> str:
    """Take this project out of the hub that it is in; return what to say if that failed."""
    from agent_channels.cli.hub_project import leave_for_good

    return leave_for_good(name)


def _refuse_while_read(states: list[Path]) -> None:
    """Raise `Refused` while a server reads a bot of a state folder that is to be deleted."""
    from agent_channels.core.runtime.reader_lock import ReaderLock

    for name in CHANNELS:
        env = Environment(name)
        token = env.token() if env.state_dir in states else None
        try:
            holder = ReaderLock(name, channel(name).bot_id(token), env.state_dir).holder() if token else None
        except ConfigError:
            continue
        if holder is not None and holder.state_dir == str(env.state_dir):
            raise Refused(
                sentence(
                    "nothing was changed: {holder} reads the bot; end that session first", holder=holder.describe()
                )
            )
