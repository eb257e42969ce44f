"""`channels setup`: from a token to a bot that an agent host reads, step by step; run twice, it changes nothing."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import anyio

from agent_channels.core.contract.channel import Channel
from agent_channels.core.contract.checks import Finding
from agent_channels.core.contract.messages import Identity
from agent_channels.core.doctor import local as doctor_local
from agent_channels.core.doctor.examine import gather, platform_findings
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import enabled_plugin
from agent_channels.core.host.install import add_hooks, add_server, hooks_file, servers_file
from agent_channels.core.log import configure, keep_secret
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.config_template import config_template
from agent_channels.core.settings.paths import env_value
from agent_channels.core.settings.private_files import (
    ensure_private_file,
    ensure_state_dir,
    set_dotenv_value,
    write_new,
)
from agent_channels.core.store.database import Store
from agent_channels.registry import channel

__all__ = ["run"]


@dataclass
class _Talk:
    """What is said and asked: nothing is asked of a script, and with --json nothing is said until the end."""

    quiet: bool
    asks: bool
    done: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str) -> None:
        if not self.quiet:
            print(text, flush=True)

    def wants(self, answer: str | None, question: str, *, unsaid: bool = True) -> bool:
        """An answer given by an option, else by the person at the terminal, else no."""
        if answer is not None:
            return answer == "yes"
        if not self.asks:
            return False
        said = input(f"{question} [{'Y/n' if unsaid else 'y/N'}] ").strip().lower()
        return said.startswith("y") if said else unsaid


@dataclass(frozen=True)
class _Bot:
    me: Identity
    invite_link: str | None
    findings: dict[str, Finding]


def run(args: argparse.Namespace) -> int:
    """Goes through the steps; raises `ConfigError` at the first that fails, with what was right until then kept."""
    configure("ERROR")
    row, env = channel(args.channel), Environment(args.channel)
    talk = _Talk(quiet=args.json, asks=sys.stdin.isatty() and not args.token_stdin)
    settings = load(row.settings, env)
    _before(row, env, settings, talk)
    token, fresh = _token(args, row, env, talk)
    keep_secret(token)
    row.bot_id(token)
    bot = anyio.run(_verify, row, env, settings, token)
    talk.say(f"✓ The token works: {row.title} bot @{bot.me.username} ({bot.me.name}).")
    _store(row, env, token, talk, fresh=fresh)
    talk.done = {"ok": True, "bot": {"id": bot.me.id, "username": bot.me.username}, **talk.done}
    _tell(bot.findings, talk)
    if row.join_link:
        talk.say(f"To let the bot into a server of yours, with the permissions it needs:\n  {row.join_link(bot.me.id)}")
    _project(args, row, env, talk)
    _end(args, row, env, bot, talk)
    if args.json:
        print(json.dumps(talk.done, ensure_ascii=False))
    return 0


def _before(row: Channel, env: Environment, settings: Settings, talk: _Talk) -> None:
    """What has to be right before a token is asked for, or sent anywhere."""
    case = gather(row, env)
    way, default = row.route(env, settings), row.route(Environment(row.name, {}), row.settings.model_validate({}))
    where = doctor_local.server(case, way, default)
    if where.state == "wrong":
        raise ConfigError(f"{where.found} ({where.evidence}); nothing was sent: {where.next}")
    _make_private(env)
    for check in (doctor_local.python, doctor_local.state_folder, doctor_local.git):
        found = check(case)
        if found.state == "wrong":
            raise ConfigError(f"{found.found} ({found.evidence}); {found.next}")
        talk.say(f"✓ {found.found[0].upper()}{found.found[1:]}.")
    if where.state == "note":
        print(f"Mind: {where.found}; {where.evidence}.", file=sys.stderr)


def _make_private(env: Environment) -> None:
    """The state folder and the token's file, for their owner only."""
    folder = ensure_state_dir(env.state_dir)
    for path in (folder / ".env", *folder.glob("channel.db*")):
        try:
            if path.exists():
                ensure_private_file(path)
        except OSError as error:
            raise ConfigError(f"{path} cannot be used ({error.strerror or error}); mend its permissions") from error


def _token(args: argparse.Namespace, row: Channel, env: Environment, talk: _Talk) -> tuple[str, bool]:
    """The token, and whether it was given just now."""
    known = env.token()
    if args.token_stdin:
        token = sys.stdin.readline().strip()
    elif talk.asks:
        if known and talk.wants(None, f"Keep the token from {env.token_source()}?"):
            return known, False
        talk.say(f"\n{row.steps}\n")
        token = getpass.getpass(f"{row.title} bot token (not shown): ").strip()
    elif known:
        return known, False
    else:
        raise ConfigError("there is no terminal to ask for the token; pipe it in with --token-stdin")
    if not token:
        raise ConfigError("no token was given; nothing was changed")
    return token, True


async def _verify(row: Channel, env: Environment, settings: Settings, token: str) -> _Bot:
    async with row.connect(env, settings, token) as adapter:
        me = await adapter.identify()
        case = gather(row, env, disturb=False)
        findings = await platform_findings(row, adapter, case, bot_id=me.id)
        return _Bot(me, adapter.capabilities.invite_link, findings)


def _store(row: Channel, env: Environment, token: str, talk: _Talk, *, fresh: bool) -> None:
    name = f"{row.name.upper()}_BOT_TOKEN"
    path = env.state_dir / ".env"
    if fresh:
        set_dotenv_value(env.state_dir, name, token)
        talk.say(f"✓ It is stored in {path}, readable by you only.")
    else:
        talk.say(f"✓ It stays where it is: {env.token_source()}.")
    talk.done["stored"] = str(path) if fresh or env.dotenv.get(name) == token else None
    shadow = env_value(name, env.environ)
    if shadow and shadow != token:
        print(f"The shell variable {name} holds another token and wins over this file; unset it.", file=sys.stderr)
    config = env.state_dir / "config.yaml"
    if write_new(config, config_template(row.settings, row.title)):
        talk.say(f"✓ Every setting is explained in {config}.")


def _tell(findings: dict[str, Finding], talk: _Talk) -> None:
    for name, found in findings.items():
        if found.state in {"wrong", "note"}:
            talk.say(f"{'✗' if found.state == 'wrong' else '·'} {name}: {found.found}.\n  -> {found.next}")
    wrong = [found.shape(name) for name, found in findings.items() if found.state == "wrong"]
    if wrong:
        talk.done["findings"] = wrong


def _project(args: argparse.Namespace, row: Channel, env: Environment, talk: _Talk) -> None:
    """The host's files; each is asked for, unless the plugin brings what they would hold."""
    plugin = enabled_plugin(env.environ)
    if plugin and not (args.mcp_json or args.hooks):
        talk.say(f"✓ The plugin {plugin} brings the server and the hooks.")
        return
    path = servers_file(env)
    kept = " (what it was is kept beside it)" if path.exists() else ""
    if talk.wants(args.mcp_json, f"Enter the server into {path}{kept}, so that an agent host starts it?"):
        talk.done["mcp_json"] = add_server(row, env)
        talk.say(f"✓ {talk.done['mcp_json']}.")
    path = hooks_file(env)
    question = f"Enter the hooks into {path}, so that messages and prompts reach you whatever the host's flags?"
    if talk.wants(args.hooks, question):
        talk.done["hooks"] = add_hooks(env)
        talk.say(f"✓ {talk.done['hooks']}.")


def _end(args: argparse.Namespace, row: Channel, env: Environment, bot: _Bot, talk: _Talk) -> None:
    """The invitation, or how to get in without."""
    with Store.open(env.state_dir) as store:
        nobody = not Services.of(store).access.members()
        if talk.wants(args.invite, "Invite somebody now?", unsaid=nobody):
            from agent_channels.cli.invite import offer
            from agent_channels.core.runtime.reader_lock import ReaderLock

            read = ReaderLock(row.name, bot.me.id, env.state_dir).holder() is not None
            done, words = offer(row, store, bot.me, bot.invite_link, picture=not args.json, read=read)
            talk.done["invite"] = done
            talk.say(f"\n{words}")
            return
    talk.say(
        f"Next: start your agent host in this project, then `channels access {row.name} invite` (or write to "
        f"@{bot.me.username} and let yourself in with the code it answers: `channels access {row.name} pair CODE`)."
    )
