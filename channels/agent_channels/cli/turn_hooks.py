"""Which servers the hooks of turns call in this project: those that the host starts, and no others."""

from __future__ import annotations

import shutil

from agent_channels.core.doctor.host import entry_names
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.version import takes_turn_hooks
from agent_channels.core.settings.config import Environment
from agent_channels.registry import CHANNELS

__all__ = ["turn_hook_servers"]


def turn_hook_servers(env: Environment, program: str | None = None) -> list[str]:
    """Return our names in the host's list of servers, of every channel; empty for a host too old to call them.

    `program` is the host's, which is asked for its version; by default `claude`, if there is one; "": none is asked.
    """
    if program is None:
        program = shutil.which("claude", path=env.environ.get("PATH"))
    if not takes_turn_hooks(program, env.environ):
        return []
    names: list[str] = []
    for channel in CHANNELS:
        try:
            names += entry_names(Environment(channel, env.environ))
        except ConfigError:
            # The doctor's check `entry` names the file.
            continue
    return list(dict.fromkeys(names))
