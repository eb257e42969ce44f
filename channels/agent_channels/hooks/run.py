"""`channels hook NAME`: what a host's hooks run. Reads the event's JSON on stdin.

A hook never fails the host and never blocks it longer than its bound: whatever is missing, broken or somebody else's
makes it transparent (exit 0, no output). It imports next to nothing, since hosts run it at every turn.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from agent_channels.core.settings.paths import env_value
from agent_channels.hooks.context import HookChannel, HookEvent, open_hook_channels

__all__ = ["HOOKS", "SUMMARY", "add_arguments", "run"]

SUMMARY = "run one of the agent host's hooks (hooks/hooks.json)"

WAIT_LOOK_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the hook's name."""
    parser.add_argument(
        "hook",
        choices=HOOKS,
        metavar="HOOK",
        help="bell: wakes the session for a message; stop, prompt: hand messages over; session: tells the model how "
        "the channels stand; permission, question: ask people. The event's JSON is read from standard input",
    )


def run(args: argparse.Namespace) -> int:
    """Runs one hook; any error makes it transparent."""
    try:
        code = HOOKS[args.hook](HookEvent.read())
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - a hook never fails its host
        if env_value("CHANNELS_DEBUG"):
            print(f"channels hook {args.hook}: {type(error).__name__}: {error}", file=sys.stderr)
        return 0
    return code


# ---- the hooks


def bell(event: HookEvent) -> int:
    """Waits for a message that nothing better carries, then exits 2 with a line that wakes the session."""
    from agent_channels.hooks.bell import ring

    return ring(event)


def stop(event: HookEvent) -> int:
    """Hands open messages over as the reason to go on; may wait for the next one."""
    with open_hook_channels(event) as every:
        for line in every:
            line.sessions.record_hook(line.session, "stop")
        lines = [line for line in every if line.ours()]
        if not lines:
            return 0
        going_on = event.values.get("stop_hook_active") is True
        began = time.time()
        try:
            while not event.host.gone():
                for line in lines:
                    reason = _continuation(line, going_on=going_on, began=began)
                    if reason:
                        _print_context("Stop", reason)
                        return 0
                waits = [line for line in lines if _may_wait(line, began, going_on=going_on)]
                if not waits:
                    return 0
                for line in waits:
                    line.wait()
                time.sleep(WAIT_LOOK_S)
        finally:
            for line in lines:
                line.wait_no_more()
        return 0


def _continuation(line: HookChannel, *, going_on: bool, began: float) -> str:
    state = line.state()
    if state is None or not line.waiting():
        return ""
    count = state.loops + 1 if going_on else 1
    if count > line.setting("stop_cap", 8):
        return ""
    if state.ended_at is not None and state.ended_at > began:
        return ""
    handed = line.hand_over()
    if not handed:
        return ""
    line.sessions.set_loops(line.session, count)
    return f"Messages came in by {line.channel}. Answer each with the reply tool, in its chat_id:\n{handed}"


def _may_wait(line: HookChannel, began: float, *, going_on: bool) -> bool:
    if time.time() >= began + line.setting("stop_wait_s", 0):
        return False
    state = line.state()
    if state is None or (going_on and state.loops >= line.setting("stop_cap", 8)) or line.posted():
        return False
    # Ended from the chat: while we wait, or while the agent worked on what we handed over before.
    since = state.loops_at if going_on and state.loops_at is not None else began
    return state.ended_at is None or state.ended_at < since


def prompt(event: HookEvent) -> int:
    """Open messages ride along with what the user just typed."""
    handed = []
    with open_hook_channels(event) as lines:
        for line in lines:
            line.sessions.record_hook(line.session, "prompt")
            handed.append(line.hand_over() if line.ours() else "")
    if any(handed):
        text = "\n".join(filter(None, handed))
        words = "Messages that came in by chat meanwhile (answer each with the reply tool):"
        _print_context("UserPromptSubmit", f"{words}\n{text}")
    return 0


def session(event: HookEvent) -> int:
    """One line for the model: who is paired, which mode is in force, what is waiting."""
    said = []
    with open_hook_channels(event) as lines:
        for line in lines:
            line.sessions.record_hook(line.session, "session")
            people = line.store.value("SELECT count(*) FROM people")
            counts = line.inbox.counts()
            state = line.state()
            mode = state.mode if state and state.mode else "not found out yet"
            said.append(
                f"{line.channel}: {people} paired, {counts['open']} open messages, delivery by {mode}. People see only "
                "what the reply tool sends."
            )
    if said:
        _print_context("SessionStart", " ".join(said))
    return 0


def permission(event: HookEvent) -> int:
    """The request goes to the approvers; their decision is printed, else nothing."""
    from agent_channels.hooks.prompts import permission as ask

    return ask(event)


def question(event: HookEvent) -> int:
    """A host's multiple choice goes to the approvers; their answers are printed, else nothing."""
    from agent_channels.hooks.prompts import question as ask

    return ask(event)


def _print_context(name: str, text: str) -> None:
    print(json.dumps({"hookSpecificOutput": {"hookEventName": name, "additionalContext": text}}))


HOOKS: dict[str, Callable[[HookEvent], int]] = {
    "bell": bell,
    "stop": stop,
    "prompt": prompt,
    "session": session,
    "permission": permission,
    "question": question,
}
