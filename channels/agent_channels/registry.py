"""The platforms: the name of each, and the module that holds its `CHANNEL`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_channels.core.contract.channel import Channel

__all__ = ["CHANNELS", "channel"]

# A new platform adds one entry.
CHANNELS = {
    "telegram": "agent_channels.telegram.channel",
    "discord": "agent_channels.discord.channel",
    "slack": "agent_channels.slack.channel",
}


def channel(name: str) -> Channel:
    """Import a platform and return its `CHANNEL`. Raises KeyError for an unknown name."""
    found: Channel = importlib.import_module(CHANNELS[name]).CHANNEL
    return found
