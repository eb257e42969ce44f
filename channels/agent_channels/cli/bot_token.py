"""The part of `channels setup` that finds the bot's token or asks for it, tries it out and stores it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Any

import anyio

from agent_channels.cli.dialogue import Dialogue
from agent_channels.cli.joining import offer
from agent_channels.cli.other_projects import OtherProject
from agent_channels.cli.setup_steps import Steps
from agent_channels.core.contract.channel import Channel, Secret
from agent_channels.core.contract.checks import Finding
from agent_channels.core.contract.messages import Identity
from agent_channels.core.doctor.examine import gather, platform_findings
from agent_channels.core.errors import (
    Ambiguous,
    ConfigError,
    PlatformError,
    RateLimited,
    StoreError,
    Unauthorized,
    Unavailable,
)
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import first_part, joined, sentence, words_of
from agent_channels.core.log import register_secret
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.declared import SecretText
from agent_channels.core.settings.env_file import set_dotenv_values
from agent_channels.core.settings.paths import env_value
from agent_channels.core.store.database import Store

__all__ = ["VerifiedBot", "VerifiedToken", "known_token", "obtain_token", "store_token"]

TOKEN_TRIES = 5


@frozen
class VerifiedBot:
    """The bot of a token that works. `findings` are the platform's checks, by name."""

    identity: Identity
    invite_link: str | None
    findings: dict[str, Finding]


@frozen
class VerifiedToken:
    """A token that works, its bot, whether it is new here, and the project that it is shared with, if it is."""

    text: str
    bot: VerifiedBot
    is_new: bool
    other: OtherProject | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What belongs to it, by the end of its variable: the platform's further secrets."""


def obtain_token(
    args: argparse.Namespace,
    row: Channel,
    env: Environment,
    settings: Settings,
    projects: Sequence[OtherProject],
    dialogue: Dialogue,
) -> VerifiedToken:
    """Return a token that works. A person is offered the bots of their other projects, and asked again for a wrong one.

    Raises `ConfigError` if there is none, or it could not be tried out.
    """
    if args.token_stdin:
        token = _given(sys.stdin.readline().strip())
        return _tried(row, env, _with_secrets(row, token, settings, lambda _: sys.stdin.readline()), token, is_new=True)
    known = known_token(env) if all(_own_secret(settings, secret) for secret in row.secrets) else None
    if known and args.join is None and (not dialogue.interactive or _keeps(env, dialogue)):
        try:
            return _tried(row, env, settings, known, is_new=False)
        except _WrongTokenError as error:
            if not dialogue.interactive:
                raise
            dialogue.say("✗ {error}", error=_sentence(error))
    if (other := offer(args.join, row, projects, dialogue)) is not None:
        theirs = _with_secrets(row, other.token, settings, lambda secret: other.env.own(secret.name) or "")
        return replace(_tried(row, env, theirs, other.token, is_new=True), other=other)
    if not dialogue.interactive:
        raise ConfigError("there is no terminal to ask for the token; pipe it in with --token-stdin")
    return _ask_token(row, env, settings, dialogue)


def _ask_token(row: Channel, env: Environment, settings: Settings, dialogue: Dialogue) -> VerifiedToken:
    """Say how to get a token, and ask for it until one works. Raises `ConfigError` after a few tries."""
    if row.preparation:
        dialogue.say("\n{manifest}", manifest=row.preparation())
    dialogue.say("\n{steps}\n", steps=row.steps)
    for tries_left in reversed(range(TOKEN_TRIES)):
        token = _given(dialogue.ask_hidden(sentence("{title} bot token (not shown): ", title=row.title)))
        try:
            return _tried(
                row, env, _with_secrets(row, token, settings, partial(_ask_secret, dialogue)), token, is_new=True
            )
        except _WrongTokenError as error:
            if not tries_left:
                raise
            dialogue.say("✗ {error}. Try again, or stop with Ctrl-C.", error=_sentence(error))
    raise AssertionError("the last try returns or raises")


def _ask_secret(dialogue: Dialogue, secret: Secret) -> str:
    return dialogue.ask_hidden(sentence("{title} (not shown): ", title=secret.title))


def _own_secret(settings: Settings, secret: Secret) -> str | None:
    held: SecretText | None = getattr(settings, secret.name.lower())
    return held.value if held else None


def _with_secrets(row: Channel, token: str, settings: Settings, take: Callable[[Secret], str]) -> Settings:
    """Return the settings with the platform's further secrets, each from `take`.

    Raises `ConfigError` if one, or the token that they belong to, is missing or malformed.
    """
    _require_shape(row, token)
    for secret in row.secrets:
        given = _given(take(secret).strip())
        register_secret(given)
        if problem := secret.problem(given):
            raise _WrongTokenError(problem)
        changed: dict[str, Any] = {secret.name.lower(): SecretText(given)}
        settings = settings.replace(**changed)
    return settings


def known_token(env: Environment) -> str | None:
    try:
        return env.token()
    except ConfigError:
        # It is asked for here, and written in place of what cannot be read.
        return None


class _WrongTokenError(ConfigError):
    """The token is malformed, or the platform refuses it: another one may work."""


def _given(token: str) -> str:
    if not token:
        raise ConfigError("no token was given; nothing was changed")
    return token


def _keeps(env: Environment, dialogue: Dialogue) -> bool:
    """Return whether a token that is set is used: no question of a set-up that is only being continued."""
    source = env.token_source()
    if _is_unfinished(env):
        dialogue.say("Going on where the last run stopped, with the token from {source}.", source=source)
        return True
    return dialogue.confirm(None, sentence("Keep the token from {source}?", source=source))


def _is_unfinished(env: Environment) -> bool:
    if not (env.state_dir / "channel.db").exists():
        return True
    try:
        with Store.open_existing(env.state_dir) as store:
            return Steps(Services.of(store).key_values).under_way
    except StoreError:
        return False


def _tried(row: Channel, env: Environment, settings: Settings, token: str, *, is_new: bool) -> VerifiedToken:
    _require_shape(row, token)
    try:
        bot = anyio.run(_verify, row, env, settings, token)
    except PlatformError as error:
        why = _not_verified(error, is_new=is_new)
        raise _WrongTokenError(words_of(why)) if isinstance(error, Unauthorized) else why from error
    for secret in row.secrets:
        finding = bot.findings[secret.check]
        if finding.state == "wrong":
            raise _WrongTokenError(joined([finding.found, finding.next]))
    secrets = {secret.name: value for secret in row.secrets if (value := _own_secret(settings, secret))}
    return VerifiedToken(token, bot, is_new, secrets=secrets)


def _require_shape(row: Channel, token: str) -> None:
    register_secret(token)
    try:
        row.bot_id(token)
    except ConfigError as error:
        raise _WrongTokenError(words_of(error)) from error


def _sentence(error: ConfigError) -> str:
    """Return what an error says, without the advice to run this very command."""
    return first_part(words_of(error))


async def _verify(row: Channel, env: Environment, settings: Settings, token: str) -> VerifiedBot:
    """Ask the platform who the bot is, and run its checks."""
    async with row.connect(env, settings, token) as adapter:
        identity = await adapter.identify()
        setup = gather(row, env, disturb=False)
        findings = await platform_findings(row, adapter, setup, bot_id=identity.id)
        return VerifiedBot(identity, adapter.capabilities.invite_link, findings)


def store_token(row: Channel, env: Environment, found: VerifiedToken, dialogue: Dialogue) -> None:
    upper = row.name.upper()
    name, path = f"{upper}_BOT_TOKEN", env.state_dir / ".env"
    values = {name: found.text, **{f"{upper}_{end}": value for end, value in found.secrets.items()}}
    if found.is_new:
        set_dotenv_values(env.state_dir, values)
        dialogue.say("✓ It is stored in {path}, readable by you only.", path=path)
    else:
        dialogue.say("✓ It stays where it is: {source}.", source=env.token_source())
    dialogue.data["stored"] = str(path) if found.is_new or env.dotenv.get(name) == found.text else None
    for variable, value in values.items():
        if (env_value(variable, env.environ) or value) != value:
            dialogue.warn(
                "The shell variable {name} holds another token and wins over this file; unset it.", name=variable
            )


def _not_verified(error: PlatformError, *, is_new: bool) -> ConfigError:
    """Return why the token could not be tried out, what became of it, and what to do."""
    kept = sentence("the token was not stored") if is_new else sentence("the token stays as it was")
    if isinstance(error, (Unavailable, Ambiguous, RateLimited)):
        return ConfigError(sentence("{error}; {kept}, so run this again after that", error=words_of(error), kept=kept))
    return ConfigError(joined([words_of(error), kept]))
