"""The part of `channels setup` that makes this project share the bot of another one, and lets the same people in."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from agent_channels.cli.dialogue import Dialogue
from agent_channels.cli.hub_project import VARIABLE, HubProject, enter_hub, joined_words
from agent_channels.cli.other_projects import OtherProject, named
from agent_channels.cli.setup_steps import Steps
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import ConfigError, StoreError
from agent_channels.core.hub.address import VARIABLES, HubAddress
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.people.access import Member
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.settings.env_file import set_dotenv_value, set_dotenv_values
from agent_channels.core.settings.paths import env_value, project_dir
from agent_channels.core.settings.state_folder import note_project
from agent_channels.core.text.sanitize import label

__all__ = [
    "add_join_arguments",
    "enter",
    "let_same_people_in",
    "offer",
    "require_no_variables",
    "shares_with",
    "take_token",
]

LOCAL = "local"


def add_join_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --join, and what is copied from the project that it names."""
    parser.add_argument(
        "--join",
        metavar="PROJECT",
        help="share the bot of another project of yours, by its name or folder, instead of giving a token",
    )
    for option, what in (
        ("--same-people", "let the people of the project whose bot is shared in here too"),
        ("--same-approvers", "let those who approve there approve here too; with --same-people"),
        ("--same-groups", "enable the groups of the project whose bot is shared here too"),
    ):
        parser.add_argument(option, action="store_true", help=what)


# ---- which bot


def offer(join: str | None, row: Channel, projects: Sequence[OtherProject], dialogue: Dialogue) -> OtherProject | None:
    """Return the project whose bot is shared: the option's, else the one that a person chooses; None for none.

    Raises `ConfigError` for an option that names none.
    """
    if join is not None:
        return named(join, projects, row.name)
    if not dialogue.interactive or not projects:
        return None
    if len(projects) == 1:
        (only,) = projects
        question = sentence(
            "Use {bot} of project {name} ({folder}) here too? It needs no second token, and each message reaches the "
            "project that it is for.",
            bot=only.bot,
            name=label(only.name),
            folder=only.folder,
        )
        return only if dialogue.confirm(None, question) else None
    dialogue.say("Bots of your other projects, which this one can share without a second token:")
    for number, one in enumerate(projects, 1):
        dialogue.say(
            "  {number}  {bot} of project {name} ({folder})",
            number=number,
            bot=one.bot,
            name=label(one.name),
            folder=one.folder,
        )
    numbers = [str(number) for number in range(1, len(projects) + 1)]
    # As where there is one project: the bot is the same, and the project says whose people are let in here next.
    usual = "1" if len({one.bot_id for one in projects}) == 1 else "no"
    chosen = dialogue.choose(None, "Share one of them?", (*numbers, "no"), default=usual, script="no")
    return None if chosen == "no" else projects[int(chosen) - 1]


def shares_with(row: Channel, env: Environment, projects: Sequence[OtherProject], steps: Steps) -> OtherProject | None:
    """Return the project whose bot this one shares already: the one that was chosen, else any with people."""
    if load(row.settings, env).hub is None or (token := env.token()) is None:
        return None
    same = [one for one in projects if one.bot_id == row.bot_id(token) and one.hub is not None]
    chosen = [one for one in same if str(one.env.state_dir) == steps.get("join")]
    return next((one for one in (*chosen, *same) if one.members), None)


# ---- the hub


def require_no_variables(row: Channel, env: Environment, other: OtherProject) -> None:
    """Raise `ConfigError` if the environment has another token or hub, which goes before what is written here."""
    for variable, value in _shared_values(row, other).items():
        if (given := env_value(variable, env.environ)) is not None and given != value:
            raise ConfigError(
                sentence(
                    "the environment variable {name} says something else, and it goes first; unset it where it is "
                    "set, and run this again",
                    name=variable,
                )
            )


def take_token(row: Channel, env: Environment, other: OtherProject, dialogue: Dialogue) -> None:
    """Give this project the token of the other one's bot, and the bot a hub. Raises `ConfigError`.

    What was done until then stays, and is found done the next time.
    """
    # The other one first: a hub of one project changes nothing.
    if other.hub is None:
        set_dotenv_value(other.env.state_dir, VARIABLE, LOCAL)
        dialogue.say(
            "✓ Project {name} shares its bot from now on: {path} says so, and its servers notice it by themselves.",
            name=label(other.name),
            path=other.env.state_dir / ".env",
        )
    # At once: with the token alone the two projects would take the bot away from each other.
    set_dotenv_values(env.state_dir, _shared_values(row, other))
    path = env.state_dir / ".env"
    dialogue.say("✓ The token of {bot} is copied into {path}, readable by you only.", bot=other.bot, path=path)


def enter(row: Channel, other: OtherProject, dialogue: Dialogue) -> None:
    """Make both projects members of the hub. Raises `ConfigError` or `StoreError`."""
    own = HubProject(row.name)
    address = HubAddress.of(other.hub or LOCAL, {**own.env.dotenv, **own.env.environ})
    # Else its own server makes it a member when it starts.
    with suppress(StoreError):
        enter_hub(HubProject(row.name, other.env), address, folder=other.folder)
    data = enter_hub(own, address)
    note_project(own.env.state_dir, project_dir().absolute())
    dialogue.say("✓ {joined}", joined=joined_words(data))
    dialogue.data["hub"] = {"address": data["address"], "name": data["name"]}


def _shared_values(row: Channel, other: OtherProject) -> dict[str, str]:
    """Return the variables that the two projects have in common: the token, and how the hub is reached."""
    reach = {key: value for key, value in other.env.dotenv.items() if key in VARIABLES and value is not None}
    upper = row.name.upper()
    secrets = {f"{upper}_{one.name}": value for one in row.secrets if (value := other.env.own(one.name))}
    return {**reach, **secrets, f"{upper}_BOT_TOKEN": other.token, VARIABLE: other.hub or LOCAL}


# ---- the same people


def let_same_people_in(
    args: argparse.Namespace, other: OtherProject, services: Services, steps: Steps, dialogue: Dialogue
) -> None:
    """Ask who of the other project is let in here too, and who of them approves; do it. Groups only if asked for."""
    missing = [member for member in other.members if services.access.member(member.user_id) is None]
    ask = partial(_ask_people, args, missing, dialogue)
    if missing and steps.once("people", _option(args.same_people), dialogue, ask):
        with other.services() as theirs, services.store.transaction():
            for member in missing:
                _let_in(member, theirs, services, other.name)
        dialogue.say("✓ Let in here too: {names}.", names=_names(missing))
    dialogue.data["let_in"] = [one.user_id for one in other.members if services.access.member(one.user_id) is not None]
    _same_approvers(args, other, services, steps, dialogue)
    _same_groups(args, other, services, dialogue)


def _ask_people(args: argparse.Namespace, missing: Sequence[Member], dialogue: Dialogue) -> bool:
    question = sentence("Let the same people in here ({names})?", names=_names(missing))
    return _flag(args.same_people, dialogue, lambda: dialogue.confirm(None, question))


def _same_approvers(
    args: argparse.Namespace, other: OtherProject, services: Services, steps: Steps, dialogue: Dialogue
) -> None:
    access = services.access
    found = [
        one
        for one in other.members
        if one.user_id in other.approvers and access.member(one.user_id) and not access.is_approver(one.user_id)
    ]
    if not found:
        return
    question = sentence(
        "May {names} answer here too, as in project {project}, what the agent asks permission for?",
        names=_names(found),
        project=label(other.name),
    )
    if steps.once(
        "approvers",
        _option(args.same_approvers),
        dialogue,
        lambda: _flag(args.same_approvers, dialogue, lambda: dialogue.confirm(None, question)),
    ):
        for one in found:
            access.set_approver(one.user_id, approver=True)
        dialogue.say("✓ They may: {names}.", names=_names(found))


def _same_groups(args: argparse.Namespace, other: OtherProject, services: Services, dialogue: Dialogue) -> None:
    groups = [group for group in other.groups if services.access.group(group.chat_id) is None]
    if not groups:
        return
    if not args.same_groups:
        dialogue.say(
            "· Groups are not copied: {names} stay with project {project} alone; --same-groups enables them here too.",
            names=", ".join(label(group.title or "") or group.chat_id for group in groups),
            project=label(other.name),
        )
        return
    for group in groups:
        services.access.add_group(
            group.chat_id, require_mention=group.require_mention, senders=group.senders, patterns=group.patterns
        )
    names = ", ".join(label(group.title or "") or group.chat_id for group in groups)
    dialogue.say("✓ Enabled here too: {names}.", names=names)


def _let_in(member: Member, theirs: Services, services: Services, project: str) -> None:
    """Let a person of another project in; their direct chat with the bot is the same one."""
    services.access.allow(member.user_id, by=f"the same as in {project}", name=member.name, username=member.username)
    _, chat_id = theirs.access.direct_chat(member.user_id)
    if chat_id is not None and not theirs.chats.has_blocked(member.user_id):
        services.chats.record(Chat(chat_id, "direct"), Person(member.user_id, member.name, member.username))


def _option(flag: bool) -> str | None:  # noqa: FBT001 - an option of the command line
    return "yes" if flag else None


def _flag(flag: bool, dialogue: Dialogue, ask: Callable[[], bool]) -> bool:  # noqa: FBT001 - as above
    """Return True if an option says so, else what a person answers; a script lets nobody in without the option."""
    return flag or (dialogue.interactive and ask())


def _names(people: Sequence[Member]) -> str:
    return ", ".join(label(one.name) or one.user_id for one in people)
