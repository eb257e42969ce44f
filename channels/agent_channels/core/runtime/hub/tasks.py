"""What runs in the process that works for one project of a shared bot."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Self

from agent_channels.core.errors import ConfigError
from agent_channels.core.frozen import frozen
from agent_channels.core.hub.address import HubAddress, has_password
from agent_channels.core.hub.lease import lock_domain
from agent_channels.core.hub.project_hub import ProjectHub, bot_key, project_id
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.inbound.listening import Source
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.process import server_pid
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.runtime.hub.chat import HubChat
from agent_channels.core.runtime.hub.member import HubMember
from agent_channels.core.runtime.hub.reader import HubReader
from agent_channels.core.runtime.hub.router import Router
from agent_channels.core.runtime.hub.sent import unwatched
from agent_channels.core.runtime.hub.worker import SILENCE_S, HubWorker
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["HubTasks", "hub_address", "open_hub"]


def hub_address(settings: Settings, env: Environment) -> HubAddress | None:
    """Return where the hub is; None if the bot is not shared. Raises `ConfigError`, which never shows the password."""
    if settings.hub is None:
        return None
    text = settings.hub.value
    if has_password(text) and env.get("CHANNELS_HUB") is None:
        raise ConfigError(
            sentence(
                "{path} holds the hub's password, and goes into backups; move the address into the state folder's "
                ".env with `channels hub join {channel} --address-stdin`, and remove the line `hub:`",
                path=env.config_file,
                channel=env.channel,
            )
        )
    return HubAddress.of(text, {**env.dotenv, **env.environ})


def open_hub(
    settings: Settings, env: Environment, channel: str, bot_id: str, key_values: KeyValue
) -> ProjectHub | None:
    """Return the hub of a project; None if its bot is not shared. Nothing is connected yet. Raises `ConfigError`."""
    address = hub_address(settings, env)
    return None if address is None else ProjectHub.of(address, bot_key(channel, bot_id), project_id(key_values))


@frozen
class HubTasks:
    """Where the project's events come from, and the tasks that run once it is known who the bot is."""

    source: Source
    silence_s: float
    tasks: tuple[Callable[[], Coroutine[Any, Any, None]], ...]

    @classmethod
    def of(cls, context: BotContext, hub: ProjectHub) -> Self:
        """Return them; the caller holds the project's lock while they run."""
        domain = lock_domain()
        claimer = f"{domain}:{server_pid()}"
        worker = HubWorker(hub, domain, claimer)
        adapter, services = unwatched(context.adapter), context.services
        threads = Threads(adapter, services.chats, services.access)
        chat = HubChat(adapter, hub, threads, context.channel.name, claimer)
        lock = ReaderLock(context.channel.name, context.bot_id, context.env.state_dir)
        reader = HubReader(context, hub, Router(adapter, hub, chat), domain, lock, str(project_dir()))
        member = HubMember(context, hub, domain)
        return cls(worker.listen, SILENCE_S, (hub.wakeups.run, member.run, member.show, reader.run))
