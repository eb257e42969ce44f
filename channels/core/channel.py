"""What the composition has to know of a platform before its library is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels.core.adapter import Adapter
from channels.core.config import Environment, Settings

__all__ = ["Channel"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One platform, as a row of data. Only `connect` may import the platform's library."""

    name: str
    title: str
    formats: str
    settings: type[Settings]
    bot_id: Callable[[str], str]
    """The bot's id in a token; raises `ConfigError` for what cannot be a token, never showing it."""
    connect: Callable[[Environment, Settings, str], Adapter]
    """The adapter for a token."""
    silence_s: Callable[[Settings], float]
    """How long the platform may be silent before its connection is taken for dead."""
