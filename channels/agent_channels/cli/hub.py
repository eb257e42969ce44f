"""`channels hub`: share one bot among several projects, on this machine or on many."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import anyio

from agent_channels.cli.arguments import (
    CHANNEL_NAMES,
    WrongUsage,
    add_channel,
    add_command,
    add_json,
    can_ask,
    set_up_channels,
)
from agent_channels.cli.dialogue import Dialogue
from agent_channels.cli.hub_install import add_install_actions, run_install_action
from agent_channels.cli.hub_keep import add_keep_actions, run_keep_action
from agent_channels.cli.hub_project import VARIABLE, HubProject, enter_hub, joined_words
from agent_channels.cli.hub_route import add_route_actions, change_routes
from agent_channels.cli.language import choose_language, shown
from agent_channels.core.errors import ConfigError, Refused, StoreError
from agent_channels.core.hub.address import HubAddress, has_password
from agent_channels.core.hub.keepers import KEEPER
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.i18n.sentences import counted, joined, sentence, words_of
from agent_channels.core.runtime.hub.member import hub_facts, state_words
from agent_channels.core.runtime.hub.tasks import hub_address
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.runtime.status import reader_state
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, config_values, load
from agent_channels.core.settings.env_file import remove_dotenv_value, set_dotenv_value
from agent_channels.core.settings.paths import env_value, project_dir
from agent_channels.core.settings.state_folder import note_project
from agent_channels.core.text.columns import columns_of
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import epoch_iso, local_time
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "share one bot among several projects, on this machine or on many"
# A server looks at its settings every second.
SERVERS_LEAVE_WITHIN_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    join = add_command(actions, "join", "let this project share the bot whose token it has")
    add_channel(join)
    join.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help="local (default), or postgresql://user@host/database?sslmode=require, without a password",
    )
    join.add_argument(
        "--address-stdin", action="store_true", help="read the address, which may hold a password, from standard input"
    )
    join.add_argument("--name", help="what people call this project; default: its folder's name")
    leave = add_command(actions, "leave", "let this project read its bot for itself alone again")
    add_channel(leave)
    status = add_command(actions, "status", "show the projects of the bot, who reads it, and what waits")
    status.add_argument(
        "channel",
        choices=CHANNELS,
        nargs="?",
        metavar="CHANNEL",
        help=sentence("{names}; default: every one that has a hub here", names=CHANNEL_NAMES),
    )
    for action in (join, leave, status):
        add_json(action)
    add_route_actions(actions)
    add_keep_actions(actions)
    add_install_actions(actions)


def run(args: argparse.Namespace) -> int:
    """Do one action. Raises `ConfigError`, `StoreError` or `Refused`."""
    if args.action in {"keep", "log"}:
        return run_keep_action(args)
    if args.action in {"install", "uninstall"}:
        return run_install_action(args)
    if args.channel is None:
        return _status_of_all(args)
    choose_language(args.channel)
    project = HubProject(args.channel)
    said, data = {"join": _join, "leave": _leave, "status": _status, "route": _route}[args.action](args, project)
    print(json.dumps(data, ensure_ascii=False) if args.json else shown(said))
    return 0


# ---- join


def _join(args: argparse.Namespace, project: HubProject) -> tuple[str, dict[str, Any]]:
    text = _given_address(args, project)
    address = HubAddress.of(text, {**project.env.dotenv, **project.env.environ})
    data = enter_hub(project, address, args.name)
    if _in_force(project) != text:
        set_dotenv_value(project.env.state_dir, VARIABLE, text)
    note_project(project.env.state_dir, project_dir().absolute())
    notice = sentence(
        "Servers that run here notice it by themselves; `channels hub status {channel}` shows who reads the bot.",
        channel=project.row.name,
    )
    return joined([joined_words(data), notice], " "), data


def _given_address(args: argparse.Namespace, project: HubProject) -> str:
    """Return the address to join. Raises `WrongUsage`, or `Refused` if something else decides."""
    if args.address_stdin:
        if args.address is not None:
            raise WrongUsage(sentence("give the address either as an argument or on standard input"))
        asked = sentence("Address of the hub (postgresql://user:password@host/database?sslmode=require), not shown: ")
        text = Dialogue(quiet=False, interactive=True).ask_hidden(asked) if can_ask() else sys.stdin.readline().strip()
        if text != "local" and "://" not in text:
            # Not repeated, as an argument would be: it may be the password alone.
            raise WrongUsage(
                sentence(
                    "what was read is not a whole address; give all of it, as in "
                    "postgresql://user:password@host/database?sslmode=require"
                )
            )
    else:
        text = args.address or _in_force(project) or "local"
        if has_password(args.address or ""):
            raise WrongUsage(
                sentence(
                    "a password in an argument can be read by every user of this machine; pass the address with "
                    "--address-stdin, or set PGPASSWORD in the state folder's .env"
                )
            )
    given = env_value(VARIABLE, project.env.environ)
    if given is not None and given != text:
        raise Refused(
            sentence(
                "the environment variable {name} names another hub, and it goes first; change it there", name=VARIABLE
            )
        )
    return text


def _in_force(project: HubProject) -> str | None:
    return None if project.settings.hub is None else project.settings.hub.get_secret_value()


# ---- leave


def _leave(args: argparse.Namespace, project: HubProject) -> tuple[str, dict[str, Any]]:
    del args
    address = project.address()
    if env_value(VARIABLE, project.env.environ):
        raise Refused(
            sentence(
                "the environment variable {name} names the hub; unset it where it is set, and run this again",
                name=VARIABLE,
            )
        )
    if config_values(project.env).get("hub"):
        raise Refused(
            sentence(
                "{path} names the hub: remove the line `hub:` there, and run this again", path=project.env.config_file
            )
        )

    async def leave(hub: ProjectHub, services: Services) -> dict[str, Any]:
        # Asked first: a hub that cannot be reached is not left.
        cursors = await hub.events.cursors()
        remove_dotenv_value(project.env.state_dir, VARIABLE)
        note_project(project.env.state_dir, None)
        await _until_servers_left(project)
        again = await hub.members.leave(hub.project)
        services.cursors.set(project.bot_id, cursors)
        return {"ok": True, "was_member": again is not None, "undecided": again or 0}

    data = project.use(address, leave)
    if not data["was_member"]:
        return sentence(
            "This project was not in the hub {address}; it reads its bot for itself.", address=address
        ), data
    left = sentence("This project has left the hub {address}, and reads its bot for itself.", address=address)
    if not data["undecided"]:
        return left, data
    waited = counted(data["undecided"], "message")
    return joined([left, sentence("{messages} that waited for it will be asked about.", messages=waited)], " "), data


async def _until_servers_left(project: HubProject) -> None:
    """Return once no server of this project works for the hub, which would join it again."""
    lock = ReaderLock(project.row.name, project.bot_id, project.env.state_dir, shared=True)
    deadline = time.monotonic() + SERVERS_LEAVE_WITHIN_S
    while lock.was_made and (holder := lock.holder()) is not None:
        if time.monotonic() > deadline:
            raise StoreError(
                sentence(
                    "{holder}, does not let go of the hub; end that session, and run `channels hub join {channel}` and "
                    "then `leave` again",
                    holder=holder.describe(),
                    channel=project.row.name,
                )
            )
        await anyio.sleep(0.1)


# ---- route


def _route(args: argparse.Namespace, project: HubProject) -> tuple[str, dict[str, Any]]:
    return change_routes(args, lambda work: project.use(project.address(), work))


# ---- status


def _status(args: argparse.Namespace, project: HubProject) -> tuple[str, dict[str, Any]]:
    del args

    async def ask(hub: ProjectHub, services: Services) -> dict[str, Any]:
        del services
        facts = await hub_facts(hub, None)
        own = next((one["name"] for one in facts["projects"] if one["project"] == hub.project), None)
        return {"ok": True, **facts, "name": own}

    data = project.use(project.address(), ask)
    return _text(data), data


def _status_of_all(args: argparse.Namespace) -> int:
    """Print the status of every channel that has a hub in this project; return 1 if one of them cannot be asked."""
    choose_language(*CHANNELS)
    found: list[tuple[str, dict[str, Any]]] = []
    for name in set_up_channels():
        env = Environment(name)
        try:
            if env.token() is None or hub_address(load(channel(name).settings, env), env) is None:
                continue
            text, data = _status(args, HubProject(name))
        except (ConfigError, StoreError) as error:
            text, data = words_of(error), {"ok": False, "problem": words_of(error)}
        found.append((text, {"channel": name, "problem": None, **data}))
    if not found:
        raise Refused(sentence("this project shares no bot with another; `channels hub join CHANNEL` does that"))
    ok = all(data["ok"] for _, data in found)
    if args.json:
        print(json.dumps({"ok": ok, "hubs": [data for _, data in found]}, ensure_ascii=False))
    else:
        print("\n\n".join(f"{channel(data['channel']).title}\n{shown(text)}" for text, data in found))
    return 0 if ok else 1


def _text(data: dict[str, Any]) -> str:
    lines = [
        _line("hub", data["address"]),
        _line(
            "this project",
            sentence("{name} (id {id})", name=label(data["name"]), id=data["project"])
            if data["name"]
            else sentence("not in the hub yet"),
        ),
        _line("read by", _reader(data["reader"])),
        _line("keeper", _keeper(data)),
    ]
    if (reader := data["reader"]) and reader["left_s"] > 0:
        state = reader_state(label(str(reader.get("state"))), label(str(reader.get("error") or "")))
        lines.append(_line("reading", state))
    if data["undecided"]:
        messages = counted(data["undecided"], "message")
        lines.append(_line("undecided", sentence("{messages}: a person is asked whose they are", messages=messages)))
    if data["unclaimed"]:
        messages = counted(data["unclaimed"], "message")
        lines.append(_line("unclaimed", sentence("{messages} from people whom no project lets in", messages=messages)))
    lines += map(_project_line, data["projects"])
    return "\n".join(lines)


def _line(name: str, text: str) -> str:
    named = shown(name)
    return f"{named}{' ' * (14 - columns_of(named))}{shown(text)}"


def _project_line(one: dict[str, Any]) -> str:
    does = state_words(one)
    if one["waiting"]:
        does = joined([does, counted(one["waiting"], "message waits", "messages wait")])
    line = sentence(
        "{does} ({folder} on {machine})", does=does, folder=label(one["folder"]), machine=label(one["machine"])
    )
    name = label(one["name"])
    return f"  {name}{' ' * (18 - columns_of(name))} {shown(line)}"


def _reader(reader: dict[str, Any] | None) -> str:
    if reader is None or reader["left_s"] <= 0:
        return sentence("nobody; what people write waits at the platform")
    return sentence(
        "the keeper, process {pid} on {machine}, since {since}; its lease ends in {seconds:.0f} s unless it renews it"
        if reader.get("project") == KEEPER
        else "process {pid} on {machine} in {folder}, since {since}; its lease ends in {seconds:.0f} s unless it "
        "renews it",
        pid=reader.get("pid"),
        machine=label(str(reader.get("machine"))),
        folder=label(str(reader.get("folder"))),
        since=local_time(epoch_iso(reader.get("since")) or ""),
        seconds=reader["left_s"],
    )


def _keeper(data: dict[str, Any]) -> str:
    if not data["keepers"]:
        return sentence("none; `channels hub install --now` has the bot read while no session does")
    return joined(
        sentence(
            "process {pid} on {machine}, may start {names}" if keeper["projects"] else "process {pid} on {machine}",
            pid=keeper["pid"],
            machine=label(keeper["machine"]),
            names=", ".join(label(one["name"]) for one in data["projects"] if one["project"] in keeper["projects"]),
        )
        for keeper in data["keepers"]
    )
