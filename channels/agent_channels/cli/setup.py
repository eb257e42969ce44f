"""`channels setup`: from a token to a person who has tapped a button, step by step; a second run changes nothing.

What was done is found again, and what was answered is kept until the set-up is finished: a run that was interrupted
goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from agent_channels.cli.arguments import CHANNEL_NAMES, WrongUsage, add_agent_host, add_json
from agent_channels.cli.bot_token import VerifiedBot, VerifiedToken, known_token, obtain_token, store_token
from agent_channels.cli.dialogue import Dialogue
from agent_channels.cli.host_files import write_files
from agent_channels.cli.invite import how_to_start, invite_to
from agent_channels.cli.joining import (
    add_join_arguments,
    enter,
    let_same_people_in,
    require_no_variables,
    shares_with,
    take_token,
)
from agent_channels.cli.language import choose_language, language, shown
from agent_channels.cli.other_projects import OtherProject, other_projects
from agent_channels.cli.setup_steps import Steps
from agent_channels.cli.turn_hooks import turn_hook_servers
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import Finding
from agent_channels.core.contract.messages import Identity
from agent_channels.core.doctor import local as doctor_local
from agent_channels.core.doctor.examine import gather
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import enabled_plugin
from agent_channels.core.host.install import add_hooks, add_server, hooks_file, servers_file
from agent_channels.core.host.skills import add_skills, skills_folder
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.limits import remedy
from agent_channels.core.log import configure
from agent_channels.core.program import installation
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.config_template import config_template
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.settings.private_files import ensure_private_file
from agent_channels.core.settings.state_folder import (
    discard_unused,
    is_empty,
    make_state_folder,
    require_own_file,
    write_new,
)
from agent_channels.core.store.database import Store
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "set up a bot step by step, until you have tapped a button of it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, --token-stdin, --join, --yes, --host, an option for each question, and --json."""
    parser.add_argument(
        "channel",
        choices=CHANNELS,
        nargs="?",
        metavar="CHANNEL",
        help=sentence("{names}; default: ask", names=CHANNEL_NAMES),
    )
    parser.add_argument("--token-stdin", action="store_true", help="read the token from standard input; ask nothing")
    add_join_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="ask nothing, and take every step that needs nobody")
    add_agent_host(parser, help="write the files of this agent host: {names} (default: Claude Code)")
    for option, step in (
        ("--mcp-json", "enter the server into the project's .mcp.json"),
        ("--hooks", "enter the hooks into the project's .claude/settings.local.json"),
        ("--invite", "end with an invitation"),
    ):
        explained = sentence("{step} (default: ask; without a terminal: no)", step=step)
        parser.add_argument(option, choices=("yes", "no"), help=explained)
    parser.add_argument(
        "--skills",
        choices=("project", "user", "no"),
        help="copy the skills for the agent into .claude/skills of the project, or of your home folder (default: ask; "
        "without a terminal: no)",
    )
    parser.add_argument(
        "--manifest", action="store_true", help="print what is pasted where the platform makes an app, and nothing else"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Take every step. Raises `ConfigError` at the first that fails; what was done until then stays."""
    configure("ERROR")
    if args.manifest:
        return _print_manifest(args.channel)
    if args.join is not None and args.token_stdin:
        raise WrongUsage(sentence("give either --join, which brings a token, or --token-stdin"))
    asks_nobody = args.token_stdin or args.yes or args.json
    dialogue = Dialogue(
        quiet=args.json, interactive=sys.stdin.isatty() and not asks_nobody, yes=args.yes, project=project_dir()
    )
    choose_language(*([args.channel] if args.channel else []))
    name = args.channel or _choose_channel(dialogue)
    choose_language(name)
    dialogue.again = " ".join(["channels", "setup", name, *(["--host", args.host.name] if args.host else [])])
    try:
        _take_steps(args, channel(name), Environment(name), dialogue)
    except KeyboardInterrupt:
        from agent_channels.core.server.exit import leave

        dialogue.warn("\nStopped. What was done stays: `{again}` goes on from here.", again=dialogue.again)
        sys.stdout.flush()
        # A question that waits for its answer in a thread would keep the process.
        leave(code=130)
    if args.json:
        print(json.dumps(dialogue.data, ensure_ascii=False))
    return 0


def _print_manifest(name: str | None) -> int:
    """Print a platform's manifest. Raises `WrongUsage` for a platform that has none."""
    preparation = channel(name).preparation if name else None
    if preparation is None:
        names = ", ".join(one for one in CHANNELS if channel(one).preparation)
        raise WrongUsage(sentence("--manifest goes with a platform whose apps are made from one: {names}", names=names))
    print(preparation())
    return 0


def _choose_channel(dialogue: Dialogue) -> str:
    """Ask which channel. Raises `ConfigError` where nobody can be asked."""
    if dialogue.interactive:
        return dialogue.choose(None, "Which channel?", tuple(CHANNELS), default=next(iter(CHANNELS)), script="")
    commands = " or ".join(f"`channels setup {name}`" for name in CHANNELS)
    raise ConfigError(sentence("there is no terminal to ask which channel; name it: {commands}", commands=commands))


def _take_steps(args: argparse.Namespace, row: Channel, env: Environment, dialogue: Dialogue) -> None:
    settings = load(row.settings, env)
    asked_for = args.join is not None or args.same_people or args.same_approvers or args.same_groups
    projects = other_projects(row, env.state_dir) if dialogue.interactive or asked_for else []
    with _nothing_half_kept(env):
        _check_machine(row, env, settings, dialogue)
        found = obtain_token(args, row, env, settings, projects, dialogue)
        bot = found.bot
        me = bot.identity
        dialogue.say(
            "✓ The token works: {title} bot @{username} ({name}).", title=row.title, username=me.username, name=me.name
        )
        dialogue.data = {"ok": True, "bot": {"id": me.id, "username": me.username}}
        if found.other is None:
            store_token(row, env, found, dialogue)
        else:
            _join(row, env, settings, found, found.other, dialogue)
    _write_config(row, env, dialogue)
    _show_findings(bot.findings, dialogue)
    if row.join_link:
        link = row.join_link(me.id)
        dialogue.say("To let the bot into a server of yours, with the permissions it needs:\n  {link}", link=link)
    with Store.open(env.state_dir) as store:
        steps = Steps(Services.of(store).key_values)
        if dialogue.interactive:
            steps.begin()
        env, other = Environment(row.name), found.other
        if other is None and (asked_for or not steps.finished or steps.get("join")):
            other = shares_with(row, env, projects, steps)
        if other is not None:
            let_same_people_in(args, other, Services.of(store), steps, dialogue)
        _write_host_files(args, row, env, dialogue, steps)
    if args.invite == "no" or (args.invite is None and not dialogue.interactive):
        _say_who_is_missing(row, env, bot, dialogue)
    elif dialogue.interactive:
        from agent_channels.cli.first_tap import first_tap

        first_tap(row, env, dialogue, bot.identity, invite=args.invite)
    else:
        _invite(row, env, bot, dialogue)
    # Imported late: most projects have no hub.
    from agent_channels.cli.hub_project import tell_hub

    if untold := tell_hub(row.name):
        dialogue.warn("Note: {problem}", problem=untold)


@contextmanager
def _nothing_half_kept(env: Environment) -> Iterator[None]:
    """Leave no state folder behind that holds nothing: it would be taken for a project's."""
    was_empty = is_empty(env.state_dir)
    try:
        yield
    except BaseException:
        if was_empty:
            discard_unused(env.state_dir)
        raise


def _check_machine(row: Channel, env: Environment, settings: Settings, dialogue: Dialogue) -> None:
    """Check what must be right before a token is asked for, or sent anywhere."""
    setup = gather(row, env)
    route, default = row.route(env, settings), row.route(Environment(row.name, {}), row.settings())
    destination = doctor_local.server(setup, route, default)
    if destination.state == "wrong":
        raise ConfigError(
            sentence(
                "{found} ({evidence}); nothing was sent: {next}",
                found=destination.found,
                evidence=destination.evidence,
                next=destination.next,
            )
        )
    _make_private(env)
    for check in (doctor_local.python, doctor_local.trust, doctor_local.state_folder):
        finding = check(setup)
        if finding.state == "wrong":
            raise ConfigError(
                sentence(
                    "{found} ({evidence}); {next}", found=finding.found, evidence=finding.evidence, next=finding.next
                )
            )
        dialogue.say("✓ {found}.", found=_begin(finding.found))
    if destination.state == "note":
        dialogue.warn("Note: {found}; {evidence}.", found=destination.found, evidence=destination.evidence)


def _make_private(env: Environment) -> None:
    """Restrict the state folder, the token's file and the database to their owner."""
    folder = make_state_folder(env.state_dir)
    for path in (folder / ".env", *folder.glob("channel.db*")):
        try:
            require_own_file(path)
            if path.exists():
                ensure_private_file(path)
        except OSError as error:
            raise ConfigError(
                sentence(
                    "{path} cannot be used ({error}); {remedy}",
                    path=path,
                    error=error.strerror or error,
                    remedy=remedy(error),
                )
            ) from error


# ---- the bot of another project


def _join(
    row: Channel, env: Environment, settings: Settings, found: VerifiedToken, other: OtherProject, dialogue: Dialogue
) -> None:
    """Share the bot of another project; with a bot of its own until now, this project moves."""
    require_no_variables(row, env, other)
    if _has_another_bot(row, env, found.bot.identity):
        _move(row, env, settings, found, other, dialogue)
    else:
        take_token(row, env, other, dialogue)
    if dialogue.interactive:
        # A run that is interrupted is gone on with, and asks about the same project's people.
        with Store.open(env.state_dir) as store:
            Steps(Services.of(store).key_values).set("join", str(other.env.state_dir))
    enter(row, other, dialogue)


def _move(
    row: Channel, env: Environment, settings: Settings, found: VerifiedToken, other: OtherProject, dialogue: Dialogue
) -> None:
    """Move this project from the bot that it has to that of another project. Raises `ConfigError`."""
    if settings.hub is not None:
        raise ConfigError(
            sentence(
                "this project shares the bot that it would leave; take it out first with `channels hub leave "
                "{channel}`",
                channel=row.name,
            )
        )
    question = sentence(
        "This project has a bot of its own. Move it to @{bot}? Its people, history and open messages stay; the earlier "
        "bot closes what it asked, says where to go on, and is not read any more.",
        bot=found.bot.identity.username,
    )
    if dialogue.interactive and not dialogue.confirm(None, question):
        raise ConfigError(sentence("nothing was changed: this project keeps its own bot"))
    from agent_channels.cli.moving import BotMove

    template, identity = found.bot.invite_link, found.bot.identity
    # The invitation's address without its code is the bot's own.
    link = template.partition("?")[0].format(bot=identity.username) if template else None
    take = partial(take_token, row, env, other, dialogue)
    BotMove(row, env, settings, dialogue, identity, link).run(found.text, take)


def _has_another_bot(row: Channel, env: Environment, bot: Identity) -> bool:
    """Return whether this project has worked with another bot, by the token that it has."""
    known = known_token(env)
    try:
        return known is not None and row.bot_id(known) != bot.id and (env.state_dir / "channel.db").exists()
    except ConfigError:
        return False


def _write_config(row: Channel, env: Environment, dialogue: Dialogue) -> None:
    if write_new(env.config_file, config_template(row.settings, row.title, language=language())):
        dialogue.say("✓ Every setting is explained in {path}.", path=env.config_file)


def _begin(found: str) -> str:
    """Return a finding, in the language of the terminal, as the beginning of a sentence."""
    text = shown(found)
    return f"{text[:1].upper()}{text[1:]}"


def _show_findings(findings: dict[str, Finding], dialogue: Dialogue) -> None:
    for name, finding in findings.items():
        if finding.state in {"wrong", "note"}:
            sign = "✗" if finding.state == "wrong" else "·"
            found = finding.found
            # Some findings begin with the name of their check.
            named = _begin(found) if found.startswith(name) else sentence("{name}: {found}", name=name, found=found)
            dialogue.say("{sign} {named}.\n  -> {next}", sign=sign, named=named, next=finding.next)
    wrong = [finding.to_json(name) for name, finding in findings.items() if finding.state == "wrong"]
    if wrong:
        dialogue.data |= {"ok": False, "findings": wrong}


# ---- the host's files


def _write_host_files(
    args: argparse.Namespace, row: Channel, env: Environment, dialogue: Dialogue, steps: Steps
) -> None:
    """Offer to write each of the host's files, unless the plugin brings their contents."""
    if args.host:
        _require_lasting(dialogue)
        write_files(args.host, env, dialogue)
        if not (args.mcp_json or args.hooks or args.skills):
            return
    plugin = enabled_plugin(env.environ)
    if plugin and not (args.mcp_json or args.hooks or args.skills):
        dialogue.say("✓ The plugin {plugin} brings the server, the hooks and the skills.", plugin=plugin)
        return
    if installation().passing:
        if args.mcp_json == "yes" or args.hooks == "yes" or dialogue.interactive or dialogue.yes:
            _require_lasting(dialogue)
        return
    path = servers_file(env)
    question = sentence("Enter the server into {path}, so that an agent host starts it?", path=path)
    if steps.once("mcp_json", args.mcp_json, dialogue, lambda: dialogue.confirm(args.mcp_json, question)):
        dialogue.data["mcp_json"] = add_server(row, env)
        dialogue.say("✓ {done}.", done=dialogue.data["mcp_json"])
    path = hooks_file(env)
    about = sentence(
        "Enter the hooks into {path}, so that messages and prompts reach you whatever the host's flags?", path=path
    )
    if steps.once("hooks", args.hooks, dialogue, lambda: dialogue.confirm(args.hooks, about)):
        _write_hooks(env, dialogue)
    folders = ", ".join(f"{scope}: {skills_folder(scope, env.environ)}" for scope in ("project", "user"))
    script = "project" if dialogue.yes else "no"
    where = sentence("Copy the skills for the agent ({folders})?", folders=folders)
    scope = steps.once(
        "skills",
        args.skills,
        dialogue,
        lambda: dialogue.choose(args.skills, where, ("project", "user", "no"), default="project", script=script),
    )
    if scope in {"project", "user"}:
        dialogue.data["skills"] = add_skills(row.name, "user" if scope == "user" else "project", env.environ)
        dialogue.say("✓ {done}.", done=dialogue.data["skills"])


def _require_lasting(dialogue: Dialogue) -> None:
    """Raise `ConfigError` if this program may be gone tomorrow."""
    found = installation()
    if found.passing:
        raise ConfigError(
            sentence(
                "{kind} keeps this program for the moment only, so no agent host can be told to start it; "
                "install it with `uv tool install {requirement}` (or pipx install), then run `{again}`",
                kind=found.kind,
                requirement=found.requirement,
                again=dialogue.again,
            )
        )


def _write_hooks(env: Environment, dialogue: Dialogue) -> None:
    servers = turn_hook_servers(env)
    dialogue.data["hooks"] = sentence(
        "{done}; the file is yours alone: keep it out of git", done=add_hooks(env, servers)
    )
    dialogue.say("✓ {done}.", done=dialogue.data["hooks"])
    if not servers:
        dialogue.say(
            "· The hooks that show turns in the chat are left out: they need the server in .mcp.json, and Claude "
            "Code 2.1.118 or later."
        )


# ---- somebody gets in


def _say_who_is_missing(row: Channel, env: Environment, bot: VerifiedBot, dialogue: Dialogue) -> None:
    """Say what was left out since it needs a person, and how they get in."""
    with Store.open(env.state_dir) as store:
        if Services.of(store).access.members():
            dialogue.say("Next: {start}.", start=how_to_start(env))
            return
    dialogue.say(
        "Nobody is paired yet, since that needs a person: run `{again}` in a terminal, and it goes on there.\n"
        "Or: {start}, then `channels access {name} invite` (or write to @{username} and let yourself in with the code "
        "it answers: `channels access {name} pair CODE`).",
        name=row.name,
        again=dialogue.again,
        start=how_to_start(env),
        username=bot.identity.username,
    )


def _invite(row: Channel, env: Environment, bot: VerifiedBot, dialogue: Dialogue) -> None:
    """Print an invitation, for a script that hands it on."""
    from agent_channels.core.runtime.reader_lock import ReaderLock

    with Store.open(env.state_dir) as store:
        is_read = ReaderLock(row.name, bot.identity.id, env.state_dir).is_read()
        data, text = invite_to(
            bot.identity, row, Services.of(store), bot.invite_link, qr_code=not dialogue.quiet, is_read=is_read
        )
    dialogue.data["invite"] = data
    dialogue.say("\n{invitation}", invitation=text)
