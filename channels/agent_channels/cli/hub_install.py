"""`channels hub install` and `uninstall`: have systemd, or launchd on macOS, run the keeper for this user."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import Subparsers, add_command, add_json
from agent_channels.cli.language import choose_language, shown
from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.limits import remedy
from agent_channels.core.log import redact
from agent_channels.core.program import installation, own_script
from agent_channels.core.runtime.hub.unit import KeeperUnit, keeper_unit
from agent_channels.core.settings.private_files import write_atomically

__all__ = ["add_install_actions", "remove_unit", "run_install_action"]

MANAGER_WITHIN_S = 60.0


def add_install_actions(actions: Subparsers[argparse.ArgumentParser]) -> None:
    """Declare `install` and `uninstall`."""
    install = add_command(actions, "install", "write a unit of systemd, or launchd, that runs the keeper for you")
    install.add_argument("--now", action="store_true", help="run the commands that put it to work too")
    uninstall = add_command(actions, "uninstall", "stop that unit and remove it")
    for action in (install, uninstall):
        add_json(action)
        action.set_defaults(of_user=True)


def run_install_action(args: argparse.Namespace) -> int:
    """Do one action. Raises `Refused` where there is nothing that runs units, and `ConfigError`."""
    choose_language()
    said, data = {"install": _install, "uninstall": _uninstall}[args.action](args)
    print(json.dumps(data, ensure_ascii=False) if args.json else shown(said))
    return 0


def _unit() -> KeeperUnit:
    unit = keeper_unit(os.environ)
    if unit is None:
        raise Refused(
            sentence(
                "there is neither systemd nor launchd here; have whatever starts programs on this machine run "
                "`channels hub keep`"
            )
        )
    return unit


def _install(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    unit, program = _unit(), _program()
    try:
        text = unit.text(program, os.environ)
        unit.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(unit.path, text.decode(), 0o644)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            sentence(
                "{path} cannot be written ({error}); {remedy}",
                path=unit.path,
                error=reason,
                remedy=remedy(error) if isinstance(error, OSError) else sentence("fix PATH or HOME"),
            )
        ) from error
    if args.now:
        _run(unit.begin)
    said = [sentence("The unit {path} runs `channels hub keep`.", path=unit.path)]
    if args.now:
        said.append(sentence("It was started; `channels hub log` shows what it does."))
    else:
        said.append(sentence("This puts it to work: {commands}", commands=_shell(unit.begin)))
    if unit.manager == "systemd":
        said.append(sentence("It ends when you log out, unless you run `loginctl enable-linger`."))
    data = {"ok": True, "manager": unit.manager, "path": str(unit.path), "started": args.now}
    return joined(said, "\n"), {**data, "commands": list(map(shlex.join, unit.begin))}


def _program() -> Path:
    """Return the command that the unit runs: as it was called, if that is this program. Raises `Refused`."""
    if installation().passing:
        raise Refused(
            sentence(
                "this program was only fetched to be run once, so no unit can run it tomorrow; install it first, with "
                "`uv tool install` or `pipx install`"
            )
        )
    script, called = own_script(), Path(sys.argv[0]).absolute()
    return called if os.path.realpath(called) == os.path.realpath(script) else script


def _uninstall(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    del args
    unit = _unit()
    there = unit.path.exists()
    if there:
        remove_unit(unit.path)
    said = sentence("The unit {path} is stopped and removed.", path=unit.path)
    if not there:
        said = sentence("There is no unit {path}.", path=unit.path)
    return said, {"ok": True, "path": str(unit.path), "removed": there}


def remove_unit(path: Path) -> None:
    """Stop a unit, if it is the keeper's, and remove its file. Raises `ConfigError` if that cannot be removed."""
    unit = keeper_unit(os.environ)
    if unit is not None and unit.path == path:
        try:
            _run(unit.end)
        except Refused as error:
            # It may not run at all; the file goes whatever the manager says.
            print(f"channels: {error}", file=sys.stderr)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            sentence("{path} cannot be removed ({error}); remove it yourself", path=path, error=error.strerror or error)
        ) from error


def _run(commands: Sequence[Sequence[str]]) -> None:
    """Run the manager's commands. Raises `Refused` with what it says if one fails."""
    for command in commands:
        try:
            ran = subprocess.run(  # noqa: S603 - written out in `keeper_unit`
                command, capture_output=True, text=True, timeout=MANAGER_WITHIN_S, check=False, stdin=subprocess.DEVNULL
            )
            failed, said = ran.returncode != 0, f"{ran.stderr} {ran.stdout}"
        except (OSError, subprocess.SubprocessError) as error:
            failed, said = True, str(error)
        if failed:
            raise Refused(
                sentence(
                    "`{command}` failed: {reason}; run it yourself once that is fixed",
                    command=shlex.join(command),
                    reason=" ".join(redact(said).split()) or sentence("it said nothing"),
                )
            )


def _shell(commands: Sequence[Sequence[str]]) -> str:
    return f"`{' && '.join(map(shlex.join, commands))}`"
