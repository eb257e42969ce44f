"""`channels hook NAME`: what a host's hooks run. Reads the event's JSON on stdin.

A hook never fails the host and never blocks it longer than its bound: whatever is missing, broken or somebody else's
makes it transparent (exit 0, no output). It imports next to nothing, since hosts run it at every turn.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from channels.cli import CHANNELS
from channels.core.blocks import blocks
from channels.core.errors import ChannelError
from channels.core.inbox import Entry, Inbox
from channels.core.paths import env_value, state_dir
from channels.core.sessions import HostSession, Sessions
from channels.core.store import Store

__all__ = ["HOOKS", "Event", "Lines", "open_lines", "run"]

INPUT_MAX = 4 * 1024 * 1024
HANDED = 20
WAIT_LOOK_S = 0.5
WAIT_LEASE_S = 6.0


class Host:
    """The program that runs the hook: how it is known to its servers too, and whether it still lives."""

    def __init__(self) -> None:
        pid = env_value("CLAUDE_PID") or ""
        self._parent = os.getppid()
        self._pid = int(pid) if pid.isascii() and pid.isdigit() and os.name == "posix" else None
        self.keys = {key for key in (env_value("CLAUDE_CODE_MESSAGING_SOCKET"), f"pid {pid}" if pid else None) if key}

    def gone(self) -> bool:
        """Whether nobody is there any more to take what the hook says; a shell between the two may outlive the host."""
        if os.getppid() != self._parent:
            return True
        try:
            if self._pid is not None:
                os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


class Event:
    """A hook's input. Every field is checked where it is used: it comes from outside."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        session = values.get("session_id")
        self.session = session if isinstance(session, str) and session else env_value("CLAUDE_CODE_SESSION_ID") or ""
        cwd = values.get("cwd")
        self.cwd = Path(cwd) if isinstance(cwd, str) and cwd else Path.cwd()
        self.project = Path(env_value("CLAUDE_PROJECT_DIR") or self.cwd)
        self.host = Host()

    @classmethod
    def read(cls) -> Event:
        """From standard input.

        Raises ValueError for what is no JSON object, or names no session: nothing is done for it.
        """
        values = json.loads(sys.stdin.read(INPUT_MAX))
        event = cls(values) if isinstance(values, dict) else None
        if event is None or not event.session:
            raise ValueError("the input is no object that names a session")
        return event


class Lines:
    """One channel's store as a hook sees it."""

    def __init__(self, channel: str, folder: Path, store: Store, event: Event) -> None:
        self.channel, self.folder, self.store = channel, folder, store
        self.inbox, self.sessions = Inbox(store), Sessions(store)
        self._waits_until = 0.0
        self.session, self._host = event.session, event.host
        self.ours()

    def ours(self) -> bool:
        """Whether the bot is read for the session that runs this hook."""
        reader = self.store.value("SELECT value FROM health WHERE key = 'session'")
        keys = (self.store.value("SELECT value FROM health WHERE key = 'host'") or "").split("\n")
        if reader and not self._host.keys.isdisjoint(keys):
            # A host that clears its conversation goes on under a new session id; its servers keep the old one.
            self.session = reader
        return bool(self.session) and reader == self.session

    def state(self) -> HostSession | None:
        """The row of the session that runs this hook."""
        return self.sessions.get(self.session)

    def waiting(self) -> list[Entry]:
        """What is open and was not handed to this session yet."""
        return self.inbox.ready(HANDED)

    def hand_over(self) -> list[Entry]:
        """Takes what is waiting, written down as offered by a hook.

        In one transaction, since the server offers it too in another mode.
        """
        if not self.waiting():
            return []
        with self.store.write():
            offered = self.inbox.offering(self.waiting(), self.session, "hook")
            self.inbox.offered([entry.id for entry in offered])
        return offered

    def posted(self) -> bool:
        """Whether something was just posted to this session and not answered: a host that waits does not read it."""
        return bool(
            self.store.value(
                "SELECT 1 FROM inbox WHERE state IN ('offering', 'offered') AND session = ? AND mode = 'wake' "
                "AND offered_at > ? LIMIT 1",
                self.session,
                time.time() - self.setting("escalate_after_s", 15),
            )
        )

    def wait(self) -> None:
        """Tells the server, now and then, that a hook takes what comes, so that it is not offered another way too."""
        if self._waits_until < time.time() + WAIT_LEASE_S / 2:
            self._waits_until = time.time() + WAIT_LEASE_S
            self.sessions.waiting(self.session, self._waits_until)

    def wait_no_more(self) -> None:
        """Takes that back."""
        if self._waits_until:
            self.sessions.waiting(self.session, 0.0)

    def setting(self, name: str, default: float) -> float:
        """A number of config.yaml, read without the settings model, which is heavy; else the default."""
        path = self.folder / "config.yaml"
        try:
            text = path.read_text(encoding="utf-8")
            if name not in text:
                return default
            import yaml

            value = yaml.safe_load(text).get(name, default)
            return float(value) if isinstance(value, int | float) and 0 <= value <= 86_400 else default
        except Exception:  # noqa: BLE001 - a hook is transparent whatever the file holds
            return default


@contextmanager
def open_lines(event: Event) -> Iterator[list[Lines]]:
    """Every channel that has state in this project; what cannot be opened is left out."""
    environ = {**os.environ, "CLAUDE_PROJECT_DIR": str(event.project)}
    lines: list[Lines] = []
    try:
        for channel in CHANNELS:
            folder = state_dir(channel, environ)
            # Never made here: a project that has no channel stays as it is.
            if (folder / "channel.db").is_file():
                try:
                    lines.append(Lines(channel, folder, Store.of(folder), event))
                except (ChannelError, OSError):
                    continue
        yield lines
    finally:
        for line in lines:
            line.store.close()


def run(args: argparse.Namespace) -> int:
    """Runs one hook; any error makes it transparent."""
    try:
        code = HOOKS[args.hook](Event.read())
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - a hook never fails its host
        if env_value("CHANNELS_DEBUG"):
            print(f"channels hook {args.hook}: {type(error).__name__}: {error}", file=sys.stderr)
        return 0
    return code


# ---- the hooks


def bell(event: Event) -> int:
    """Waits for a message that nothing better carries, then exits 2 with a line that wakes the session."""
    from channels.cli_bell import ring

    return ring(event)


def stop(event: Event) -> int:
    """Hands open messages over as the reason to go on; may wait for the next one."""
    with open_lines(event) as every:
        for line in every:
            line.sessions.hook(line.session, "stop")
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


def _continuation(line: Lines, *, going_on: bool, began: float) -> str:
    state = line.state()
    if state is None or not line.waiting():
        return ""
    count = state.loops + 1 if going_on else 1
    if count > line.setting("stop_cap", 8):
        return ""
    if state.ended_at is not None and state.ended_at > began:
        return ""
    entries = line.hand_over()
    if not entries:
        return ""
    line.sessions.loop(line.session, count)
    return (
        f"{len(entries)} message(s) came in by {line.channel}. Answer each with the reply tool, in its chat_id:\n"
        f"{blocks(line.channel, entries)}"
    )


def _may_wait(line: Lines, began: float, *, going_on: bool) -> bool:
    if time.time() >= began + line.setting("stop_wait_s", 0):
        return False
    state = line.state()
    if state is None or (going_on and state.loops >= line.setting("stop_cap", 8)) or line.posted():
        return False
    # Ended from the chat: while we wait, or while the agent worked on what we handed over before.
    since = state.loops_at if going_on and state.loops_at is not None else began
    return state.ended_at is None or state.ended_at < since


def prompt(event: Event) -> int:
    """Open messages ride along with what the user just typed."""
    handed = []
    with open_lines(event) as lines:
        for line in lines:
            line.sessions.hook(line.session, "prompt")
            entries = line.hand_over() if line.ours() else []
            if entries:
                handed.append(blocks(line.channel, entries))
    if handed:
        text = "Messages that came in by chat meanwhile (answer each with the reply tool):\n" + "\n".join(handed)
        _print_context("UserPromptSubmit", text)
    return 0


def session(event: Event) -> int:
    """One line for the model: who is paired, which mode is in force, what is waiting."""
    said = []
    with open_lines(event) as lines:
        for line in lines:
            line.sessions.hook(line.session, "session")
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


def permission(event: Event) -> int:
    """The request goes to the approvers; their decision is printed, else nothing."""
    from channels.cli_prompts import permission as ask

    return ask(event)


def question(event: Event) -> int:
    """A host's multiple choice goes to the approvers; their answers are printed, else nothing."""
    from channels.cli_prompts import question as ask

    return ask(event)


def _print_context(name: str, text: str) -> None:
    print(json.dumps({"hookSpecificOutput": {"hookEventName": name, "additionalContext": text}}, ensure_ascii=False))


HOOKS: dict[str, Callable[[Event], int]] = {
    "bell": bell,
    "stop": stop,
    "prompt": prompt,
    "session": session,
    "permission": permission,
    "question": question,
}
