"""The step of set-up that writes the files of an agent host other than Claude Code."""

from __future__ import annotations

from agent_channels.cli.dialogue import Dialogue
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.agents.agent_host import AgentHost
from agent_channels.core.host.install import add_to_file, is_in_project
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.config import Environment

__all__ = ["write_files"]


def write_files(agent_host: AgentHost, env: Environment, dialogue: Dialogue) -> None:
    """Enter this channel into the host's files: in the project at once, in the user's home after a question.

    Raises `ConfigError` if it is not known which files the host reads, or one cannot be changed.
    """
    if agent_host.files is None:
        raise ConfigError(
            sentence(
                "which files {title} reads is not known to this program; enter the server there yourself, as its own "
                "documentation says: `channels serve {channel}`",
                title=agent_host.title,
                channel=env.channel,
            )
        )
    files: list[str] = []
    for file in agent_host.files([env]):
        if not is_in_project(file.path, env.environ):
            question = sentence(
                "Enter {what} into {path}, which {title} reads for all your projects?",
                what=file.what,
                path=file.path,
                title=agent_host.title,
            )
            if not dialogue.confirm(None, question):
                dialogue.say(
                    "· Left out: {what} in {path}, since the file is outside of the project. `channels setup {channel} "
                    "--host {host} --yes` enters it.",
                    what=file.what,
                    path=file.path,
                    channel=env.channel,
                    host=agent_host.name,
                )
                continue
        done = add_to_file(file, env.environ)
        files.append(done)
        dialogue.say("✓ {done}.", done=done)
    dialogue.data["host"] = {"name": agent_host.name, "files": files}
