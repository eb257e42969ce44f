"""`channels update`: what is installed, how it was installed, and the one command that brings a newer version."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from agent_channels import __version__
from agent_channels.cli.arguments import add_json
from agent_channels.cli.dialogue import Dialogue
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.program import DISTRIBUTION, Installation, installation

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "say how this program was installed, and bring a newer version"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --yes and --json."""
    parser.add_argument("--yes", action="store_true", help="run the command without asking")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show the installation; run its command with --yes or a person's yes, and return that command's exit code."""
    found = installation()
    command, why_not = _update_command(found)
    data: dict[str, Any] = {
        "version": __version__,
        "installed_by": found.kind,
        "environment": str(found.prefix),
        "source": found.source,
        "command": shlex.join(command) if command else None,
    }
    dialogue = Dialogue(quiet=args.json, interactive=sys.stdin.isatty() and not args.json and not args.yes)
    dialogue.say(
        "Agent Channels {version}, installed by {installer}, in {folder}.",
        version=__version__,
        installer=_words(found),
        folder=found.prefix,
    )
    dialogue.say(
        sentence("A newer version comes with:\n  {command}", command=shlex.join(command)) if command else why_not
    )
    code = 0
    if command and dialogue.confirm("yes" if args.yes else None, "Run it now?"):
        code = _bring(command, dialogue)
    if args.json:
        error = sentence("`{command}` failed; its exit code is {code}", command=shlex.join(command), code=code)
        failed = {"error": error} if code else {}
        print(json.dumps({"ok": not code, **data, "note": why_not or None, **failed}, ensure_ascii=False))
    return code


def _bring(command: list[str], dialogue: Dialogue) -> int:
    """Run the command and return its exit code. Raises `Refused` if there is no such program here."""
    program = shutil.which(command[0])
    if program is None:
        raise Refused(
            sentence("{program!r} is not on the PATH here; run the command above where it is", program=command[0])
        )
    # With --json, stdout holds nothing but JSON.
    code = subprocess.call([program, *command[1:]], stdout=sys.stderr if dialogue.quiet else None)  # noqa: S603 - shown
    if code == 0:
        dialogue.say("Now end and start your agent's sessions again: a running server goes on with the old version.")
    return code


def _words(found: Installation) -> str:
    return {
        "uv tool": sentence("`uv tool install`"),
        "pipx": sentence("`pipx install`"),
        "uvx": sentence("uvx, for the moment"),
        "pipx run": sentence("`pipx run`, for the moment"),
        "clone": sentence("pip from the clone {source}", source=found.source),
        "plugin": sentence("the plugin of Claude Code"),
        "pip": sentence("pip from {source}", source=found.source or sentence("the package index")),
    }[found.kind]


def _update_command(found: Installation) -> tuple[list[str], str]:
    """Return the command; an empty one with what to do instead where none is known to be right."""
    source, python = found.source, str(found.python)
    if found.kind == "plugin":
        return [], sentence("The plugin brings its own: `claude plugin update agent-channels`, then a new session.")
    if found.kind == "clone":
        pull = f"git -C {shlex.quote(str(source))} pull"
        if not source or not Path(source).is_dir():
            return [], sentence("The clone {source} is gone: install the program again.", source=source)
        # What the new version needs may be new too.
        return [], sentence(
            "It is the clone itself, so pull there, and install what the new version needs:\n  {pull}\n  {install}",
            pull=pull,
            install=shlex.join([python, "-m", "pip", "install", "-c", f"{source}/constraints.txt", "-e", str(source)]),
        )
    if found.passing:
        refreshed = {"uvx": "uvx --refresh --from", "pipx run": "pipx run --no-cache --spec"}[found.kind]
        return [], sentence(
            "It is kept for the moment only; the newest one runs with:\n  {command}",
            command=f"{refreshed} {found.requirement} channels",
        )
    if source and source.endswith((".whl", ".tar.gz")) and "://" not in source:
        again = {
            "uv tool": "uv tool install --force FILE",
            "pipx": "pipx install --force FILE",
            "pip": f"{shlex.join([python, '-m', 'pip', 'install', '--upgrade'])} FILE",
        }[found.kind]
        return [], sentence(
            "It came from the file {source}, which gets no newer. With a newer file:\n  {command}",
            source=source,
            command=again,
        )
    if found.kind == "uv tool":
        # A folder is looked at again only if it is built again.
        return ["uv", "tool", "upgrade", *(["--reinstall"] if source else []), DISTRIBUTION], ""
    if found.kind == "pipx":
        return ["pipx", "upgrade", DISTRIBUTION], ""
    return [python, "-m", "pip", "install", "--upgrade", source or DISTRIBUTION], ""
