"""`channels hook NAME`: runs one of the agent host's hooks. The event's JSON is read from standard input.

A hook never fails the host and never blocks it longer than its bound: if anything is missing, broken or meant for
another session, it has no effect (exit code 0, no output).

A new hook is one module with `run(event)`, which returns the exit code, and one entry in `HOOKS`; hooks/hooks.json
ties it to an event of the host. A host whose hooks speak another JSON than Claude Code's is one module in hooks/hosts,
which `--host` names.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys

from agent_channels.core.settings.paths import env_value
from agent_channels.hooks.event import HookEvent, speak

__all__ = ["HOOKS", "SUMMARY", "add_arguments", "run"]

SUMMARY = "run one of the agent host's hooks (hooks/hooks.json)"
# Each is a module of this package.
HOOKS = {
    "bell": "wakes the session for a message",
    "stop": "hands messages over at the end of a turn",
    "prompt": "adds messages to what the user typed",
    "session": "tells the model how the channels stand",
    "step": "shows what the agent does, stops it, hands messages over while it works",
    "dialog": "tells approvers that a dialog waits at the terminal",
    "permission": "asks approvers for a permission",
    "question": "asks approvers a multiple-choice question",
    "end": "tells people that the session is over",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the hook's name, and --host."""
    hooks = "; ".join(f"{name}: {effect}" for name, effect in HOOKS.items())
    parser.add_argument(
        "hook", choices=HOOKS, metavar="HOOK", help=f"{hooks}. The event's JSON is read from standard input"
    )
    parser.add_argument("--host", metavar="NAME", help="the host whose JSON is read and written (default: claude)")


def run(args: argparse.Namespace) -> int:
    """Run one hook and return its exit code; after any error 0, so that the host goes on as if there were no hook."""
    if not args.host and env_value("COPILOT_PROJECT_DIR") and not env_value("CLAUDE_PID"):
        # Copilot CLI runs the hooks of .claude/settings.local.json too; those for it name it.
        return 0
    try:
        if args.host:
            speak(importlib.import_module(f"agent_channels.hooks.hosts.{args.host}"))
            from agent_channels.core.host.outer_session import without_outer_session

            kept = without_outer_session(os.environ, args.host)
            for name in os.environ.keys() - kept.keys():
                del os.environ[name]
        event = HookEvent.read()
        code: int = importlib.import_module(f"agent_channels.hooks.{args.hook}").run(event)
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - a hook never fails its host
        if env_value("CHANNELS_DEBUG"):
            print(f"channels hook {args.hook}: {type(error).__name__}: {error}", file=sys.stderr)
        _log(args.hook)
        return 0
    return code


def _log(hook: str) -> None:
    """Write the error that is being handled into the log of each channel of the project."""
    import traceback

    from agent_channels.core.settings.log_file import LogFile
    from agent_channels.core.settings.paths import state_dir
    from agent_channels.registry import CHANNELS

    text = f"the hook failed\n{traceback.format_exc()}"
    for name in CHANNELS:
        # Nothing that goes wrong here is worth more than the host's going on.
        with contextlib.suppress(Exception):
            LogFile(state_dir(name), f"hook {hook}").write("ERROR", __name__, text)
