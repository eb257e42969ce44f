"""The bell: a background hook that waits, at next to no cost, and wakes the session when a message is open."""

from __future__ import annotations

import os
import sys
import time
import zlib
from pathlib import Path

from agent_channels.core.settings.paths import env_value, runtime_dir
from agent_channels.hooks.context import HookChannel, HookEvent, open_hook_channels

__all__ = ["ring"]

# As seldom as a person does not notice.
LOOK_EVERY_S = 1.0
_HELD: list[object] = []


def ring(event: HookEvent) -> int:
    """2, with a line on stderr, when there is something to fetch; 0 when the session is gone or has a bell already."""
    if (env_value("CLAUDE_CODE_ENTRYPOINT") or "").startswith("sdk"):
        # A session without a screen ends after its turn; it would only wait for us, and there is nobody to wake.
        return 0
    # The host, where it can be told: it goes on under other session ids, and needs no second bell for them.
    who = min(event.host.keys, default=event.session).encode()
    name = f"{zlib.crc32(who):08x}-{zlib.adler32(who):08x}"
    if not _lock(runtime_dir() / f"bell-{name}.lock"):
        return 0
    with open_hook_channels(event) as lines:
        for line in lines:
            line.sessions.record_hook(line.session, "bell")
        while lines and not event.host.gone():
            found = [line for line in lines if _rings(line)]
            if found:
                for line in found:
                    line.inbox.announce(line.session)
                channels = " and ".join(line.channel for line in found)
                count = sum(len(line.waiting()) for line in found)
                print(
                    f"{count} message(s) from people wait in {channels}: call wait_for_messages (timeout_s 0) of that "
                    "server, do what they ask, and answer each with reply.",
                    file=sys.stderr,
                )
                return 2
            time.sleep(LOOK_EVERY_S)
    return 0


def _lock(path: Path) -> bool:
    """Takes a lock for as long as this process lives; False when another one holds it."""
    if sys.platform == "win32":
        from filelock import FileLock, Timeout

        lock = FileLock(str(path), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return False
        _HELD.append(lock)
        return True
    # The library would be a quarter of what a bell that waits all day keeps in memory.
    import fcntl

    try:
        fcntl.flock(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _rings(line: HookChannel) -> bool:
    if not line.inbox.unannounced(line.session) or not line.ours():
        return False
    state = line.state()
    return state is not None and state.mode in {"hook", "pull"}
