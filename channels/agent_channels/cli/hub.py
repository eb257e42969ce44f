"""`channels hub`: share one bot among several projects, on this machine or on many."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
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
from agent_channels.cli.hub_project import LEAVING, VARIABLE, HubProject, enter_hub, joined_words
from agent_channels.cli.hub_route import add_route_actions, change_routes, named_member
from agent_channels.cli.language import choose_language, shown
from agent_channels.core.contract.messages import RawEvent
from agent_channels.core.errors import ConfigError, HubUnavailable, Refused, StoreError
from agent_channels.core.hub.address import HubAddress, has_password
from agent_channels.core.hub.events import UNDECIDED
from agent_channels.core.hub.keepers import KEEPER
from agent_channels.core.hub.lease import lock_domain
from agent_channels.core.hub.project_hub import ProjectHub, project_id, renew_project_id
from agent_channels.core.i18n.sentences import counted, joined, sentence, words_of
from agent_channels.core.runtime.hub.member import hub_facts, state_words
from agent_channels.core.runtime.hub.tasks import hub_address
from agent_channels.core.runtime.hub.worker import HubWorker
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.runtime.status import reader_state
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, config_values, load
from agent_channels.core.settings.env_file import remove_dotenv_value, set_dotenv_value
from agent_channels.core.settings.paths import env_value, project_dir
from agent_channels.core.settings.state_folder import note_project
from agent_channels.core.store.database import Store
from agent_channels.core.store.keyvalue import KeyValue
from agent_channels.core.text.columns import columns_of
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import epoch_iso, local_time
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "share one bot among several projects, on this machine or on many"
# A server that cannot be told looks at its settings every second.
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
    join.add_argument(
        "--as-new",
        action="store_true",
        help="join as another project than the one whose state folder this one's was copied from",
    )
    leave = add_command(actions, "leave", "let this project read its bot for itself alone again")
    add_channel(leave)
    removed = add_command(actions, "rm", "take out a project whose folder or machine is gone")
    add_channel(removed)
    removed.add_argument("project", metavar="NAME", help="the project, as `channels hub status` lists it")
    status = add_command(actions, "status", "show the projects of the bot, who reads it, and what waits")
    status.add_argument(
        "channel",
        choices=CHANNELS,
        nargs="?",
        metavar="CHANNEL",
        help=sentence("{names}; default: every one that has a hub here", names=CHANNEL_NAMES),
    )
    for action in (join, leave, removed, status):
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
    said, data = {"join": _join, "leave": _leave, "rm": _remove, "status": _status, "route": _route}[args.action](
        args, project
    )
    print(json.dumps(data, ensure_ascii=False) if args.json else shown(said))
    return 0


# ---- join


def _join(args: argparse.Namespace, project: HubProject) -> tuple[str, dict[str, Any]]:
    text = _given_address(args, project)
    address = project.address_of(text)
    _require_no_other(project, address)
    with _as_new(project) if args.as_new else nullcontext():
        data = enter_hub(project, address, args.name)
    if _in_force(project) != text:
        set_dotenv_value(project.env.state_dir, VARIABLE, text)
    remove_dotenv_value(project.env.state_dir, LEAVING)
    note_project(project.env.state_dir, project_dir().absolute())
    notice = sentence(
        "Servers that run here notice it by themselves; `channels hub status {channel}` shows who reads the bot.",
        channel=project.row.name,
    )
    return joined([joined_words(data), notice], " "), data


@contextmanager
def _as_new(project: HubProject) -> Iterator[None]:
    """Give the project another id in hubs, for good if the block is left without an error.

    Raises `Refused` while a session works for it, which would go on under the earlier one.
    """
    if project.has_session():
        raise Refused(sentence("a session works for this project here; end it, and run this again"))
    with Store.open(project.env.state_dir) as store:
        key_values = KeyValue(store)
        earlier = project_id(key_values)
        renew_project_id(key_values)
        try:
            yield
        except BaseException:
            renew_project_id(key_values, earlier)
            raise


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


def _require_no_other(project: HubProject, address: HubAddress) -> None:
    """Raise `Refused` if the project is in another hub, which would go on counting it as a member."""
    named = project.named()
    earlier: HubAddress | None = None
    # One that nobody can use is none.
    with suppress(ConfigError):
        earlier = None if named is None else project.address_of(named)
    if earlier is not None and earlier.place != address.place:
        raise Refused(
            sentence(
                "this project shares its bot through the hub {address}; leave that one first, with `channels hub leave "
                "{channel}`",
                address=earlier,
                channel=project.row.name,
            )
        )


def _in_force(project: HubProject) -> str | None:
    return None if project.settings.hub is None else project.settings.hub.value


# ---- leave


def _leave(args: argparse.Namespace, project: HubProject) -> tuple[str, dict[str, Any]]:
    del args
    begun = project.env.dotenv.get(LEAVING)
    address = project.address() if project.settings.hub is not None or begun is None else project.address_of(begun)
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
        services.cursors.set(project.bot_id, await hub.events.cursors())
        if (named := project.named()) is not None:
            set_dotenv_value(project.env.state_dir, LEAVING, named)
        remove_dotenv_value(project.env.state_dir, VARIABLE)
        note_project(project.env.state_dir, None)
        lock = project.lock
        await _until_servers_left(project, lock)
        try:
            # Nobody is left who could be asked about what is undecided.
            others = [member.name for member in await hub.members.read() if member.project != hub.project]
            undecided = [] if others else [UNDECIDED]
            kept = await _keep(project, hub, services, [hub.project, *undecided])
            cursors = await hub.events.cursors()
            again = await hub.members.leave(hub.project, read_on=False)
            if again and not others:
                # The process that read the bot until now stored it in between.
                kept, again = kept + await _keep(project, hub, services, undecided), 0
        finally:
            lock.release()
        services.cursors.set(project.bot_id, cursors)
        remove_dotenv_value(project.env.state_dir, LEAVING)
        return {"ok": True, "was_member": again is not None, "kept": kept, "undecided": again or 0, "others": others}

    try:
        data = project.use(address, leave)
    except HubUnavailable as error:
        line = LEAVING
        if project.settings.hub is not None:
            line = VARIABLE
        raise HubUnavailable(
            joined(
                [
                    words_of(error),
                    sentence(
                        "a hub is left only while it can be reached, since it holds what waits for this project; if it "
                        "is gone for good, remove the line {variable}= from {path}",
                        variable=line,
                        path=project.env.state_dir / ".env",
                    ),
                ]
            )
        ) from error
    if not data["was_member"]:
        return sentence(
            "This project was not in the hub {address}; it reads its bot for itself.", address=address
        ), data
    parts = [_left_words(data["others"], address, project)]
    if data["kept"]:
        parts.append(
            sentence(
                "{messages} that waited for it: the session that reads the bot here next gets them.",
                messages=counted(data["kept"], "message"),
            )
        )
    return joined([*parts, *_asked_about(data)], " "), data


def _left_words(others: Sequence[str], address: HubAddress, project: HubProject) -> str:
    """Return that the hub is left, and what that means while other projects share the bot."""
    if not others:
        return sentence("This project has left the hub {address}, and reads its bot for itself.", address=address)
    left = sentence("This project has left the hub {address}.", address=address)
    advice = sentence(
        "{names} still share the bot, and one program at a time can read it. Give this project another one: "
        "`channels setup {channel} --token-stdin < FILE`.",
        names=", ".join(label(name) for name in others),
        channel=project.row.name,
    )
    return joined([left, advice], " ")


async def _until_servers_left(project: HubProject, lock: ReaderLock) -> None:
    """Take the project's lock, once no server of it works for the hub, which would join it again."""
    deadline = time.monotonic() + SERVERS_LEAVE_WITHIN_S
    while not lock.claim():
        if time.monotonic() > deadline and (holder := lock.holder()) is not None:
            raise StoreError(
                sentence(
                    "{holder}, does not let go of the hub; end that session, and run `channels hub leave {channel}` "
                    "again",
                    holder=holder.describe(),
                    channel=project.row.name,
                )
            )
        await anyio.sleep(0.1)


async def _keep(project: HubProject, hub: ProjectHub, services: Services, waiting: Sequence[str]) -> int:
    """Journal here what waits in the hub for some projects; return how many events were not here yet.

    The caller holds the project's lock.
    """
    kept, domain = 0, lock_domain()

    async def journal(events: Sequence[RawEvent]) -> None:
        nonlocal kept
        kept += len(services.inbox.put(project.bot_id, events))
        await services.store.sync()

    await HubWorker(hub, domain, f"{domain}:{os.getpid()}").take_all(waiting, journal)
    return kept


# ---- rm


def _remove(args: argparse.Namespace, project: HubProject) -> tuple[str, dict[str, Any]]:
    async def remove(hub: ProjectHub, services: Services) -> dict[str, Any]:
        del services
        member = named_member(await hub.members.read(), args.project)
        if member.project == hub.project:
            raise Refused(
                sentence(
                    "{name} is this project; `channels hub leave {channel}` takes it out",
                    name=label(member.name),
                    channel=project.row.name,
                )
            )
        if not member.is_unattended:
            raise Refused(
                sentence(
                    "a session works on {name}, in {folder} on {machine}; run `channels hub leave {channel}` there",
                    name=label(member.name),
                    folder=label(member.folder),
                    machine=label(member.machine),
                    channel=project.row.name,
                )
            )
        undecided = await hub.members.leave(member.project) or 0
        return {"ok": True, "project": member.project, "name": member.name, "undecided": undecided}

    data = project.use(project.address(), remove)
    parts = [
        sentence(
            "{name} is out of the hub; if a session starts there once more, it joins again.", name=label(data["name"])
        )
    ]
    return joined([*parts, *_asked_about(data)], " "), data


def _asked_about(data: dict[str, Any]) -> list[str]:
    if not data["undecided"]:
        return []
    waited = counted(data["undecided"], "message")
    return [sentence("{messages} that waited for it will be asked about.", messages=waited)]


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
