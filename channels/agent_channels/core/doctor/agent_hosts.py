"""Checks of an agent host other than Claude Code: its program, the files that start this server, and its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial

from agent_channels.core.contract.checks import Finding, Setup, fine, note, wrong
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import AgentHost
from agent_channels.core.host.config_files import read_text
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.settings.config import Environment

__all__ = ["checks_of", "hosts_set_up"]


def checks_of(agent_host: AgentHost) -> dict[str, Callable[[Setup], Finding]]:
    """Return the checks of a host, by name."""
    own = {name: partial(_own, check) for name, check in agent_host.checks.items()}
    return {"program": partial(_program, agent_host), "files": partial(_files, agent_host), **own}


def hosts_set_up(env: Environment) -> list[AgentHost]:
    """Return the known hosts into whose files ours were entered for this channel."""
    from agent_channels.core.host.agents.registry import AGENT_HOSTS

    return [found for found in AGENT_HOSTS.values() if found.files and _has_ours(found, env)]


def _has_ours(agent_host: AgentHost, env: Environment) -> bool:
    try:
        files = agent_host.files([env]) if agent_host.files else []
        texts = [(file, read_text(file.path)) for file in files]
        return any(text and file.remove(text) != text for file, text in texts)
    except ConfigError:
        return False


def _own(check: Callable[[Environment], Finding], setup: Setup) -> Finding:
    return check(setup.env)


def _program(agent_host: AgentHost, setup: Setup) -> Finding:
    """Check that the host is installed."""
    found = shutil.which(agent_host.program, path=setup.env.environ.get("PATH"))
    if found:
        return fine(sentence("{title} is installed", title=agent_host.title), found)
    return note(
        sentence("{title} is not on the PATH of this shell", title=agent_host.title),
        sentence("no program {name!r}", name=agent_host.program),
        "install it, or start it where it is on the PATH",
    )


def _files(agent_host: AgentHost, setup: Setup) -> Finding:
    """Check that ours are in each of the host's files, and up to date."""
    if agent_host.files is None:
        return note(
            sentence("which files {title} reads is not known to this program", title=agent_host.title),
            "",
            sentence(
                "enter the server there yourself, as its own documentation says: `channels serve {channel}`",
                channel=setup.env.channel,
            ),
        )
    lacking: list[str] = []
    files = agent_host.files([setup.env])
    for file in files:
        try:
            text = read_text(file.path)
            if file.add(text) != text:
                lacking.append(sentence("{path} lacks {what}", path=file.path, what=file.what))
        except ConfigError as error:
            return wrong("a file of the host cannot be read", words_of(error), "fix that file")
    if lacking:
        return wrong(
            sentence("{title} is not set up to start this server with all that it needs", title=agent_host.title),
            joined(lacking),
            sentence(
                "`channels setup {channel} --host {host}` adds it", channel=setup.env.channel, host=agent_host.name
            ),
        )
    return fine(
        sentence("{title} is set up to start this server", title=agent_host.title),
        ", ".join(str(file.path) for file in files),
    )
