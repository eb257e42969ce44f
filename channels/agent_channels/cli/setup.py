"""`channels setup`: from a token to a bot that an agent host reads, step by step; a second run changes nothing."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from agent_channels.cli.arguments import add_channel, add_json
from agent_channels.cli.invite import how_to_start, invite_to
from agent_channels.cli.turn_hooks import turn_hook_servers
from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import Finding
from agent_channels.core.contract.messages import Identity
from agent_channels.core.doctor import local as doctor_local
from agent_channels.core.doctor.examine import gather, platform_findings
from agent_channels.core.errors import Ambiguous, ConfigError, PlatformError, Unavailable
from agent_channels.core.host.config_files import enabled_plugin
from agent_channels.core.host.install import add_hooks, add_server, add_turn_hooks, hooks_file, servers_file
from agent_channels.core.log import configure, register_secret
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.config_template import config_template
from agent_channels.core.settings.paths import env_value, project_dir
from agent_channels.core.settings.private_files import ensure_private_file
from agent_channels.core.settings.state_folder import make_state_folder, require_own_file, set_dotenv_value, write_new
from agent_channels.core.store.database import Store
from agent_channels.registry import channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "set up a bot step by step: its token, the host's files, the first invitation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, --token-stdin, an option for each question, and --json."""
    add_channel(parser)
    parser.add_argument("--token-stdin", action="store_true", help="read the token from standard input; ask nothing")
    for option, step in (
        ("--mcp-json", "enter the server into the project's .mcp.json"),
        ("--hooks", "enter the hooks into the project's .claude/settings.json"),
        ("--invite", "end with an invitation"),
    ):
        parser.add_argument(option, choices=("yes", "no"), help=f"{step} (default: ask; without a terminal: no)")
    add_json(parser)


@dataclass
class _Dialogue:
    """What setup says and asks. A script is asked nothing; with --json nothing is said but `data` at the end."""

    quiet: bool
    interactive: bool
    data: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        if not self.quiet:
            print(text, flush=True)

    def confirm(self, option: str | None, question: str, *, default: bool = True) -> bool:
        """Return the option's yes or no if it was given, else the person's answer, else no."""
        if option is not None:
            return option == "yes"
        if not self.interactive:
            return False
        answer = input(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
        return answer.startswith("y") if answer else default


@dataclass(frozen=True)
class _Bot:
    """The bot of a token that works. `findings` are the platform's checks, by name."""

    identity: Identity
    invite_link: str | None
    findings: dict[str, Finding]


def run(args: argparse.Namespace) -> int:
    """Take every step. Raises `ConfigError` at the first that fails; what was done until then stays."""
    configure("ERROR")
    row, env = channel(args.channel), Environment(args.channel)
    dialogue = _Dialogue(quiet=args.json, interactive=sys.stdin.isatty() and not args.token_stdin)
    settings = load(row.settings, env)
    _name_project(env, dialogue)
    _check_machine(row, env, settings, dialogue)
    token, is_new = _obtain_token(args, row, env, dialogue)
    register_secret(token)
    row.bot_id(token)
    try:
        bot = anyio.run(_verify, row, env, settings, token)
    except PlatformError as error:
        raise _not_verified(error, row, is_new=is_new) from error
    me = bot.identity
    dialogue.say(f"✓ The token works: {row.title} bot @{me.username} ({me.name}).")
    dialogue.data = {"ok": True, "bot": {"id": me.id, "username": me.username}}
    _store_token(row, env, token, dialogue, is_new=is_new)
    _write_config(row, env, dialogue)
    _show_findings(bot.findings, dialogue)
    if row.join_link:
        link = row.join_link(me.id)
        dialogue.say(f"To let the bot into a server of yours, with the permissions it needs:\n  {link}")
    _write_host_files(args, row, env, dialogue)
    _invite(args, row, env, bot, dialogue)
    if args.json:
        print(json.dumps(dialogue.data, ensure_ascii=False))
    return 0


def _name_project(env: Environment, dialogue: _Dialogue) -> None:
    """Say where the files go, if that is not the folder that the person is in."""
    project = project_dir(env.environ)
    if project.resolve() != Path.cwd():
        dialogue.say(f"The project is {project}: its files are written there, not in {Path.cwd()}.")


def _not_verified(error: PlatformError, row: Channel, *, is_new: bool) -> ConfigError:
    """Return why the token could not be tried out, what became of it, and what to do."""
    kept = "the token was not stored" if is_new else "the token stays as it was"
    if isinstance(error, (Unavailable, Ambiguous)):
        return ConfigError(
            f"{error}; {kept}. Check that this machine is online (`channels doctor {row.name}` checks the way to the "
            "platform), then run this again"
        )
    return ConfigError(f"{error}; {kept}")


def _check_machine(row: Channel, env: Environment, settings: Settings, dialogue: _Dialogue) -> None:
    """Check what must be right before a token is asked for, or sent anywhere."""
    setup = gather(row, env)
    route, default = row.route(env, settings), row.route(Environment(row.name, {}), row.settings.model_validate({}))
    destination = doctor_local.server(setup, route, default)
    if destination.state == "wrong":
        raise ConfigError(f"{destination.found} ({destination.evidence}); nothing was sent: {destination.next}")
    _make_private(env)
    for check in (doctor_local.python, doctor_local.trust, doctor_local.state_folder):
        finding = check(setup)
        if finding.state == "wrong":
            raise ConfigError(f"{finding.found} ({finding.evidence}); {finding.next}")
        dialogue.say(f"✓ {finding.found[0].upper()}{finding.found[1:]}.")
    if destination.state == "note":
        print(f"Note: {destination.found}; {destination.evidence}.", file=sys.stderr)


def _make_private(env: Environment) -> None:
    """Restrict the state folder, the token's file and the database to their owner."""
    folder = make_state_folder(env.state_dir)
    for path in (folder / ".env", *folder.glob("channel.db*")):
        try:
            require_own_file(path)
            if path.exists():
                ensure_private_file(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be used ({error.strerror or error}); fix its permissions") from error


def _obtain_token(args: argparse.Namespace, row: Channel, env: Environment, dialogue: _Dialogue) -> tuple[str, bool]:
    """Return the token, and whether it is new. Raises `ConfigError` if there is none."""
    known = env.token()
    if args.token_stdin:
        token = sys.stdin.readline().strip()
    elif dialogue.interactive:
        if known and dialogue.confirm(None, f"Keep the token from {env.token_source()}?"):
            return known, False
        dialogue.say(f"\n{row.steps}\n")
        token = getpass.getpass(f"{row.title} bot token (not shown): ").strip()
    elif known:
        return known, False
    else:
        raise ConfigError("there is no terminal to ask for the token; pipe it in with --token-stdin")
    if not token:
        raise ConfigError("no token was given; nothing was changed")
    return token, True


async def _verify(row: Channel, env: Environment, settings: Settings, token: str) -> _Bot:
    """Ask the platform who the bot is, and run its checks."""
    async with row.connect(env, settings, token) as adapter:
        identity = await adapter.identify()
        setup = gather(row, env, disturb=False)
        findings = await platform_findings(row, adapter, setup, bot_id=identity.id)
        return _Bot(identity, adapter.capabilities.invite_link, findings)


def _store_token(row: Channel, env: Environment, token: str, dialogue: _Dialogue, *, is_new: bool) -> None:
    name = f"{row.name.upper()}_BOT_TOKEN"
    path = env.state_dir / ".env"
    if is_new:
        set_dotenv_value(env.state_dir, name, token)
        dialogue.say(f"✓ It is stored in {path}, readable by you only.")
    else:
        dialogue.say(f"✓ It stays where it is: {env.token_source()}.")
    dialogue.data["stored"] = str(path) if is_new or env.dotenv.get(name) == token else None
    shadowing = env_value(name, env.environ)
    if shadowing and shadowing != token:
        print(f"The shell variable {name} holds another token and wins over this file; unset it.", file=sys.stderr)


def _write_config(row: Channel, env: Environment, dialogue: _Dialogue) -> None:
    if write_new(env.config_file, config_template(row.settings, row.title)):
        dialogue.say(f"✓ Every setting is explained in {env.config_file}.")


def _show_findings(findings: dict[str, Finding], dialogue: _Dialogue) -> None:
    for name, finding in findings.items():
        if finding.state in {"wrong", "note"}:
            sign = "✗" if finding.state == "wrong" else "·"
            found = finding.found
            # Some findings begin with the name of their check.
            named = f"{found[0].upper()}{found[1:]}" if found.startswith(name) else f"{name}: {found}"
            dialogue.say(f"{sign} {named}.\n  -> {finding.next}")
    wrong = [finding.to_json(name) for name, finding in findings.items() if finding.state == "wrong"]
    if wrong:
        dialogue.data |= {"ok": False, "findings": wrong}


def _write_host_files(args: argparse.Namespace, row: Channel, env: Environment, dialogue: _Dialogue) -> None:
    """Offer to write each of the host's files, unless the plugin brings their contents."""
    plugin = enabled_plugin(env.environ)
    if plugin and not (args.mcp_json or args.hooks):
        dialogue.say(f"✓ The plugin {plugin} brings the server and the hooks.")
        return
    path = servers_file(env)
    kept = " (a backup is kept beside it)" if path.exists() else ""
    if dialogue.confirm(args.mcp_json, f"Enter the server into {path}{kept}, so that an agent host starts it?"):
        dialogue.data["mcp_json"] = add_server(row, env)
        dialogue.say(f"✓ {dialogue.data['mcp_json']}.")
    path = hooks_file(env)
    question = f"Enter the hooks into {path}, so that messages and prompts reach you whatever the host's flags?"
    if dialogue.confirm(args.hooks, question):
        servers = turn_hook_servers(env)
        dialogue.data["hooks"] = add_hooks(env, calls_servers=bool(servers))
        dialogue.say(f"✓ {dialogue.data['hooks']}.")
        if servers:
            dialogue.data["turn_hooks"] = f"{add_turn_hooks(env, servers)}; the file is yours: keep it out of git"
            dialogue.say(f"✓ {dialogue.data['turn_hooks']}.")
        else:
            add_turn_hooks(env, [])
            dialogue.say(
                "· The hooks that show turns in the chat are left out: they need the server in .mcp.json, and Claude "
                "Code 2.1.118 or later."
            )


def _invite(args: argparse.Namespace, row: Channel, env: Environment, bot: _Bot, dialogue: _Dialogue) -> None:
    """Offer an invitation; without one, say how to get in."""
    with Store.open(env.state_dir) as store:
        services = Services.of(store)
        nobody_paired = not services.access.members()
        if dialogue.confirm(args.invite, "Invite somebody now?", default=nobody_paired):
            from agent_channels.core.runtime.reader_lock import ReaderLock

            is_read = ReaderLock(row.name, bot.identity.id, env.state_dir).holder() is not None
            data, text = invite_to(bot.identity, row, services, bot.invite_link, qr_code=not args.json, is_read=is_read)
            dialogue.data["invite"] = data
            dialogue.say(f"\n{text}")
            return
    bot_name = f"@{bot.identity.username}"
    dialogue.say(
        f"Next: {how_to_start(env)}, then `channels access {row.name} invite` (or write to {bot_name} and let yourself "
        f"in with the code it answers: `channels access {row.name} pair CODE`)."
    )
