"""What everything around one open bot shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.channel import Channel
from agent_channels.core.files.storage import Files
from agent_channels.core.frozen import frozen
from agent_channels.core.host.delivery import HostLink
from agent_channels.core.host.modes import Modes
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings

if TYPE_CHECKING:
    from agent_channels.core.hub.project_hub import ProjectHub

__all__ = ["BotContext", "OpenBot"]


@frozen
class OpenBot:
    """One bot, its platform, and the store of the project that it is opened for."""

    channel: Channel
    env: Environment
    settings: Settings
    bot_id: str
    adapter: Adapter
    services: Services


@frozen
class BotContext(OpenBot):
    """A bot that is opened for a host session."""

    files: Files
    link: HostLink
    modes: Modes
    wakeups: Wakeups
    hub: ProjectHub | None = None
    """The hub that shares the bot's reading; None: this process reads for its own project alone."""
