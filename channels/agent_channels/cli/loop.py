"""`channels loop`: has the agent of this session work in rounds until it is done; says how that stands, or ends it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import WrongUsage, add_command, add_json
from agent_channels.cli.language import language, shown
from agent_channels.core.errors import Refused
from agent_channels.core.host.inbox_address import inbox_address
from agent_channels.core.host.loop_spec import ROUNDS, ROUNDS_MAX, WORD, LoopSpec, WrongLoop
from agent_channels.core.host.loops import Loop, how_to_end
from agent_channels.core.i18n.messages import set_language
from agent_channels.core.i18n.sentences import counted, sentence
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.services import Services
from agent_channels.core.settings.hook_settings import load_hook_settings
from agent_channels.core.settings.paths import env_value, state_dir
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import attribute
from agent_channels.core.text.times import epoch_iso
from agent_channels.registry import CHANNELS

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "have this session's agent work in rounds until it is done"
TERMINAL = "the terminal"
NONE_RUNS = sentence("No loop is running.")
TEXT_MAX = 60


class _ProjectStore:
    """The store of one channel of this project."""

    def __init__(self, name: str, folder: Path, store: Store) -> None:
        self.name, self.folder = name, folder
        self.services = Services.of(store)

    def is_read(self) -> bool:
        """Return whether a process reads the bot for this store."""
        bot_id = self.services.health.get("bot_id")
        return bot_id is not None and ReaderLock(self.name, bot_id, self.folder).is_read()

    def session(self) -> str:
        """Return the id by which the servers know the session that runs this command; "" outside of one."""
        health = self.services.health
        keys = set((health.get("host") or "").split("\n"))
        known = not keys.isdisjoint(_host_keys()) and health.get("session")
        # A host that clears its conversation goes on under a new id; its servers keep the old one.
        return known or env_value("CLAUDE_CODE_SESSION_ID") or ""

    def has_hooks(self, session: str) -> bool:
        """Return whether our hooks ran in a session."""
        known = self.services.sessions.get(session)
        return known is not None and bool(known.hooks)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the three actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    start = add_command(actions, "start", "begin a loop in the session that runs this command")
    start.add_argument("prompt", metavar="TEXT", help="what the agent should do, in one argument")
    rounds = sentence("at most so many rounds: 1 to {most} (default {rounds})", most=ROUNDS_MAX, rounds=ROUNDS)
    start.add_argument("--max", metavar="N", help=rounds)
    word = sentence("the word by which the agent promises the end ({word})", word=WORD)
    start.add_argument("--until", metavar="WORD", help=word)
    stop = add_command(actions, "stop", "end this session's loop; outside of a session, every loop of the project")
    status = add_command(actions, "status", "list the loops that run in this project")
    for action in (start, stop, status):
        add_json(action)


def run(args: argparse.Namespace) -> int:
    """Begin, end or list loops."""
    with _project_stores() as stores:
        match args.action:
            case "start":
                _start(args, stores)
            case "stop":
                _stop(args, stores)
            case _:
                _status(args, stores)
    return 0


def _start(args: argparse.Namespace, stores: list[_ProjectStore]) -> None:
    # What is wrong with a loop is told in the chat too, by keys of its language; programs get English.
    set_language("en" if args.json else language())
    try:
        spec = LoopSpec.of(args.prompt, args.max, args.until)
    except WrongLoop as error:
        raise WrongUsage(str(error)) from None
    if not env_value("CLAUDE_CODE_SESSION_ID"):
        raise Refused(
            sentence("a loop belongs to an agent's session: run this in one (CLAUDE_CODE_SESSION_ID is not set)")
        )
    if not stores:
        raise Refused(sentence("this project has no channel yet; run `channels setup`"))
    for store in stores:
        if running := store.services.loops.current(store.session()):
            raise Refused(
                sentence(
                    "a loop runs in this session already ({place}, {round}); `channels loop stop` ends it",
                    place=_place_words(running, store),
                    round=_round_words(running),
                )
            )
    # What begins the rounds is the Stop hook, and it looks into every store of the project.
    if not any(store.has_hooks(store.session()) for store in stores):
        raise Refused(
            sentence("no hook of ours has run in this session, so nothing would begin the rounds; run `channels setup`")
        )
    store = next((store for store in stores if store.is_read()), stores[0])
    loop = store.services.loops.start(spec, store.session(), "\n".join(_host_keys()), (None, TERMINAL))
    if loop is None:
        raise Refused(sentence("a loop runs in this session already; `channels loop stop` ends it"))
    if args.json:
        print(json.dumps({"ok": True, "loop": _facts(loop, store)}, ensure_ascii=False))
    else:
        # The agent reads this, whatever the operator's language is.
        print(f"Loop begun: at most {counted(loop.rounds_max, 'round')}, this is the first. {how_to_end(loop.word)}")


def _stop(args: argparse.Namespace, stores: list[_ProjectStore]) -> None:
    inside = env_value("CLAUDE_CODE_SESSION_ID") is not None
    stopped: list[dict[str, Any]] = []
    for store in stores:
        loops = store.services.loops
        mine = [loop for loop in loops.running() if not inside or loop.session == store.session()]
        # People read in their chat that it ended.
        set_language(load_hook_settings(store.folder / "config.yaml")[0].language)
        stopped += [_facts(loop, store) for loop in loops.stop(mine, (None, TERMINAL))]
    if args.json:
        print(json.dumps({"ok": True, "stopped": stopped}, ensure_ascii=False))
    else:
        ended = sentence("{loops} stopped.", loops=counted(len(stopped), "loop"))
        print(shown(ended if stopped else NONE_RUNS))


def _status(args: argparse.Namespace, stores: list[_ProjectStore]) -> None:
    found = [(loop, store) for store in stores for loop in store.services.loops.running()]
    if args.json:
        print(json.dumps({"ok": True, "loops": [_facts(*one) for one in found]}, ensure_ascii=False))
        return
    lines = [f"{shown(_round_words(loop))}  {shown(_place_words(loop, store))}: {_text(loop)}" for loop, store in found]
    print("\n".join(lines) or shown(NONE_RUNS))


@contextmanager
def _project_stores() -> Iterator[list[_ProjectStore]]:
    """Open the stores that this project has; one that cannot be used fails the command."""
    with ExitStack() as stack:
        folders = [(name, state_dir(name)) for name in CHANNELS]
        yield [
            _ProjectStore(name, folder, stack.enter_context(Store.open(folder)))
            for name, folder in folders
            if (folder / "channel.db").is_file()
        ]


def _host_keys() -> list[str]:
    """Return what the session's host is known by, as it tells its commands."""
    pid, inbox = env_value("CLAUDE_PID"), inbox_address()
    return [*([inbox.path] if inbox else []), *([f"pid {pid}"] if pid else [])]


def _facts(loop: Loop, store: _ProjectStore) -> dict[str, Any]:
    return {
        "channel": store.name,
        "session": loop.session,
        "chat_id": loop.place.chat_id if loop.place else None,
        "thread_id": loop.place.thread_id if loop.place else None,
        "begun_by": loop.begun_by,
        "began_at": epoch_iso(loop.began_at),
        "round": loop.round,
        "max": loop.rounds_max,
        "until": loop.word,
        "prompt": loop.prompt,
    }


def _round_words(loop: Loop) -> str:
    return sentence("round {round} of {most}", round=loop.round, most=loop.rounds_max)


def _place_words(loop: Loop, store: _ProjectStore) -> str:
    # Of the terminal it is a word of ours, which is translated.
    who = attribute(loop.begun_by)
    if loop.place is None:
        return sentence("begun by {who}", who=who)
    return sentence("begun by {who} in {channel} chat {chat}", who=who, channel=store.name, chat=loop.place.chat_id)


def _text(loop: Loop) -> str:
    return attribute(loop.prompt, TEXT_MAX)
