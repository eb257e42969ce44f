"""The hook `bell` (SessionStart, Stop): waits in the background and wakes the session when a message is open.

It lives as long as its host, so it must cost next to nothing while it waits.
"""

from __future__ import annotations

import sys
import time
import zlib
from pathlib import Path

from agent_channels.core.file_lock import lock_file
from agent_channels.core.host.loops import round_text
from agent_channels.core.settings.paths import env_value, runtime_dir
from agent_channels.hooks.channel import HookChannel, open_hook_channels
from agent_channels.hooks.event import HookEvent

__all__ = ["run"]

# As seldom as a person does not notice.
POLL_S = 1.0
_held: list[object] = []


def run(event: HookEvent) -> int:
    """Wait for a message that no better mode carries, then return 2 with a line on stderr: the host wakes the session.

    Returns 0 when the host is gone, or at once if a hook waits for it already.
    """
    if (env_value("CLAUDE_CODE_ENTRYPOINT") or "").startswith("sdk"):
        # A session without a screen ends after its turn; it would only wait for this hook, and cannot be woken.
        return 0
    # Preferably per host: it goes on under other session ids, and needs no second waiting process for them.
    key = min(event.host.keys, default=event.session).encode()
    name = f"{zlib.crc32(key):08x}-{zlib.adler32(key):08x}"
    if not _lock(runtime_dir() / f"bell-{name}.lock"):
        return 0
    with open_hook_channels(event) as channels:
        for channel in channels:
            channel.sessions.record_hook(channel.session, "bell")
        while channels and not event.host.is_gone():
            if (loop := next(filter(None, (channel.take_due_loop() for channel in channels)), None)) is not None:
                print(round_text(loop), file=sys.stderr)
                return 2
            waking = [channel for channel in channels if _should_wake(channel)]
            if waking:
                for channel in waking:
                    channel.inbox.announce(channel.session)
                names = " and ".join(channel.name for channel in waking)
                count = sum(len(channel.waiting()) for channel in waking)
                print(
                    f"{count} message(s) from people wait in {names}: call wait_for_messages (timeout_s 0) of that "
                    "server, do what they ask, and answer each with reply.",
                    file=sys.stderr,
                )
                return 2
            time.sleep(POLL_S)
    return 0


def _lock(path: Path) -> bool:
    """Take a lock that this process holds until it ends; return False if another process holds it."""
    try:
        unlock = lock_file(path)
    except (OSError, NotImplementedError):
        return False
    _held.append(unlock)
    return unlock is not None


def _should_wake(channel: HookChannel) -> bool:
    if not channel.inbox.unannounced(channel.session) or not channel.is_ours():
        return False
    session = channel.host_session()
    return session is not None and session.mode in {"hook", "pull"}
