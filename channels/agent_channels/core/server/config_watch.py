"""Notice that the token or a setting changed while the server runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import anyio

from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError
from agent_channels.core.scheduling import RARELY_S, Wakeup, seconds_to_tick
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.paths import KEY_FILE

__all__ = ["ConfigWatch"]

logger = logging.getLogger(__name__)
# While the bot cannot be opened, somebody is about to put that right; or no other process can tell of a change.
LOOK_EVERY_S = 1.0
# A folder whose permissions were fixed changes none of its files, so they are also tried now and then.
AGAIN_EVERY_S = 15.0


class ConfigWatch:
    """Watch the files of a state folder that say how its bot is opened."""

    def __init__(self, channel: Channel, env: Environment) -> None:
        self._channel, self._env = channel, env
        self._stamp = self._read_stamp()

    async def until_changed(
        self,
        token: str | None,
        settings: Settings,
        report: Callable[[str], None],
        replaced: Wakeup,
        is_told: Callable[[], bool],
    ) -> None:
        """Return when the token or a setting differs from the given ones.

        `replaced` is set when another process of ours may have changed a file, while `is_told` returns True; what is
        edited by hand is found later.

        What is wrong in the files meanwhile goes to `report`, "" once it is right again: somebody may be away with only
        a phone, so the settings from before stay in force.
        """
        while True:
            every_s = RARELY_S if is_told() else LOOK_EVERY_S
            with anyio.move_on_after(seconds_to_tick(every_s, time.monotonic())):
                await replaced.wait()
            if (stamp := self._read_stamp()) == self._stamp:
                continue
            self._stamp = stamp
            env = Environment(self._channel.name, self._env.environ)
            try:
                if env.token() != token or load(self._channel.settings, env) != settings:
                    return
                report("")
            except ConfigError as error:
                problem = f"{error}; the settings from before stay in force"
                logger.warning("%s", problem)
                report(problem)

    async def until_touched(self) -> None:
        """Return when one of the files changed, at the latest after a while."""
        with anyio.move_on_after(AGAIN_EVERY_S):
            while self._read_stamp() == self._stamp:  # noqa: ASYNC110 - another program writes them
                await anyio.sleep(LOOK_EVERY_S)

    def _read_stamp(self) -> list[int]:
        return [_modified_ns(self._env.state_dir / name) for name in (KEY_FILE, ".env", "config.yaml")]


def _modified_ns(path: Path) -> int:
    """Return when a file was last changed, in nanoseconds; 0 if it cannot be looked at."""
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0
