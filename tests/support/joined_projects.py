"""Two projects of one user with a bot each, both bots on one sandbox: the stages of a move from two bots to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Generic, TypeVar

from agent_channels.core.services import Services
from agent_channels.core.settings.env_file import set_dotenv_value
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.discord.sandbox import random_token as discord_token
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.sandbox.telegram.sandbox import random_token as telegram_token
from harness import DiscordStage, Stage, World

__all__ = ["TwoBots", "dotenv", "lie_as_users_do", "two_discord_bots", "two_telegram_bots"]

W = TypeVar("W", bound=World)
S = TypeVar("S")


def lie_as_users_do(stage: World, project: Path, token: str | None) -> None:
    """Gives a stage the folders that a user has: state/CHANNEL in the project, with the token in its .env."""
    name = stage.channel.upper()
    project.mkdir(mode=0o700, exist_ok=True)
    stage.project, stage.state = project, project / "state" / stage.channel
    for variable in (f"{name}_STATE_DIR", f"{name}_BOT_TOKEN"):
        del stage.env[variable]
    stage.env |= {"CLAUDE_PROJECT_DIR": str(project), "XDG_RUNTIME_DIR": str(project.parent / "run")}
    (project.parent / "run").mkdir(mode=0o700, exist_ok=True)
    if token is not None:
        make_state_folder(stage.state)
        stage.config(grace_s=0, wait_notice_after_s=0, progress="off")
        set_dotenv_value(stage.state, f"{name}_BOT_TOKEN", token)
        Store.open(stage.state).close()


def dotenv(stage: World) -> dict[str, str]:
    """What a project's .env sets."""
    lines = (stage.state / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


class TwoBots(Generic[W, S]):
    """Project api with the first bot, and project web with the second one."""

    def __init__(self, api: W, web: W, first: S, second: S) -> None:
        self.api, self.web, self.first, self.second = api, web, first, second

    def open_entries(self, stage: W) -> int:
        """How many messages a project has not answered."""
        with Store.open(stage.state) as store:
            return int(Services.of(store).inbox.counts()["open"])

    def people(self, stage: W) -> set[str]:
        """The ids of those whom a project lets in."""
        with Store.open(stage.state) as store:
            return {member.user_id for member in Services.of(store).access.members()}


@asynccontextmanager
async def _two(made: TwoBots[W, S], folder: Path, tokens: tuple[str, str]) -> AsyncIterator[TwoBots[W, S]]:
    lie_as_users_do(made.api, folder / "api", tokens[0])
    lie_as_users_do(made.web, folder / "web", tokens[1])
    yield made
    await asyncio.gather(*(stage.__aexit__(None, None, None) for stage in (made.api, made.web)))
    for stage in (made.api, made.web):
        assert stage.impure() == []
        assert not any(token in stage.everything_said() for token in tokens)


@asynccontextmanager
async def two_telegram_bots(folder: Path) -> AsyncIterator[TwoBots[Stage, TelegramSandbox]]:
    """On one Telegram, where a person has the same id for both, and must have pressed Start with each."""
    async with TelegramSandbox(telegram_token(), "first_bot") as first:
        second = first.beside(telegram_token(), "second_bot")
        made = TwoBots(Stage(first, _folder(folder, "a")), Stage(first, _folder(folder, "b")), first, second)
        async with _two(made, folder, (first.token, second.token)):
            yield made


@asynccontextmanager
async def two_discord_bots(folder: Path) -> AsyncIterator[TwoBots[DiscordStage, DiscordSandbox]]:
    """On one Discord, where a person has a direct chat of another id with each."""
    async with DiscordSandbox(discord_token(), "first-bot") as first:
        second = first.beside(discord_token(), "second-bot")
        stages = (DiscordStage(first, _folder(folder, "a")), DiscordStage(first, _folder(folder, "b")))
        async with _two(TwoBots(*stages, first, second), folder, (first.token, second.token)) as made:
            yield made


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
