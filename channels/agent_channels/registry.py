"""The platforms: a name each, and the module that holds its `CHANNEL`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_channels.core.contract.channel import Channel

__all__ = ["CHANNELS", "channel"]

# A further platform is one more line here: its name, and the module that holds its CHANNEL.
CHANNELS = {"telegram": "agent_channels.telegram.channel", "discord": "agent_channels.discord.channel"}


def channel(name: str) -> Channel:
    """The platform called `name`, as a row of data."""
    found: Channel = importlib.import_module(CHANNELS[name]).CHANNEL
    return found
