"""`channels hub route`: which project gets what is said in a thread or a chat, by a person, or by a stranger."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agent_channels.cli.arguments import Subparsers, WrongUsage, add_channel, add_command, add_json, platform_id
from agent_channels.core.errors import Refused
from agent_channels.core.hub.members import ProjectMember
from agent_channels.core.hub.project_hub import ProjectHub
from agent_channels.core.hub.route_table import HubRoute
from agent_channels.core.hub.routes import RouteKind
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.runtime.hub.words import find_project, name_of, names
from agent_channels.core.services import Services
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import epoch_iso, local_time
from agent_channels.registry import channel

__all__ = ["add_route_actions", "change_routes", "named_member"]

OPERATOR = "operator"
Work = Callable[[ProjectHub, Services], Awaitable[dict[str, Any]]]
_WORDS: dict[RouteKind, str] = {
    "thread": "thread {key}",
    "chat": "chat {key}",
    "person": "person {key}",
    "default": "strangers, and whatever fits several projects",
}


def add_route_actions(actions: Subparsers[argparse.ArgumentParser]) -> None:
    """Declare `route` and its actions."""
    summary = "show or change which project gets what"
    ways = add_command(actions, "route", summary).add_subparsers(dest="way", metavar="ACTION", required=True)
    shown = add_command(ways, "list", "show every route, the most specific kinds first")
    added = add_command(ways, "add", "give a thread, a chat, a person, or everything else to a project")
    removed = add_command(ways, "rm", "remove a route")
    for way in (shown, added, removed):
        add_channel(way)
    for way in (added, removed):
        way.add_argument("--chat", metavar="ID", type=platform_id, help="a chat: of a person, a group or a channel")
        way.add_argument(
            "--thread", metavar="ID", type=platform_id, help="a thread of --chat, or one that is a chat of its own"
        )
        way.add_argument(
            "--person", metavar="ID", type=platform_id, help="what this person says where nothing else fits"
        )
        way.add_argument("--default", action="store_true", help="strangers, who then pair there, and what fits several")
    added.add_argument("project", metavar="NAME", help="the project that gets it")
    for way in (shown, added, removed):
        add_json(way)


def change_routes(args: argparse.Namespace, use: Callable[[Work], dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Do one action; return what to say, and the same as data. `use` opens the hub for some work.

    Raises `StoreError`, `Refused` or `WrongUsage`.
    """
    if args.way == "list":
        data = use(_list)
        none = sentence("No routes: people whom several projects let in are asked which one they mean.")
        return joined(map(_line, data["routes"]), "\n") if data["routes"] else none, data
    kind, key = _wanted(args)

    async def add(hub: ProjectHub, _: Services) -> dict[str, Any]:
        member = named_member(await hub.members.read(), args.project)
        await hub.routes.set(kind, key, member.project, OPERATOR)
        return {"ok": True, "kind": kind, "key": key, "project": member.project, "name": member.name}

    async def remove(hub: ProjectHub, _: Services) -> dict[str, Any]:
        if not await hub.routes.remove(kind, key):
            raise Refused(
                sentence(
                    "there is no route for {what}; `channels hub route list {channel}` shows all",
                    what=_words(kind, key),
                    channel=args.channel,
                )
            )
        return {"ok": True, "kind": kind, "key": key}

    data = use(add if args.way == "add" else remove)
    if args.way == "add":
        return sentence("{name} now gets: {what}.", name=label(data["name"]), what=_words(kind, key)), data
    return sentence("Removed: {what}.", what=_words(kind, key)), data


async def _list(hub: ProjectHub, _: Services) -> dict[str, Any]:
    members = await hub.members.read()
    routes = sorted(await hub.routes.all(), key=lambda route: list(_WORDS).index(route.kind))
    return {"routes": [_data(route, members) for route in routes]}


def _data(route: HubRoute, members: Sequence[ProjectMember]) -> dict[str, Any]:
    return {
        "kind": route.kind,
        "key": route.key,
        "project": route.project,
        "name": name_of(members, route.project),
        "made_by": route.made_by,
        "made_at": epoch_iso(route.made_at),
    }


def _line(route: dict[str, Any]) -> str:
    by = label(route["made_by"])
    return sentence(
        "{name:<18} {what} (made at a terminal, {since})"
        if route["made_by"] == OPERATOR
        else "{name:<18} {what} (made by {by}, {since})",
        name=route["name"],
        what=_words(route["kind"], route["key"]),
        by=by,
        since=local_time(route["made_at"] or ""),
    )


def _words(kind: RouteKind, key: str) -> str:
    return sentence(_WORDS[kind], key=label(key))


def _wanted(args: argparse.Namespace) -> tuple[RouteKind, str]:
    """Return the kind and key that the options name. Raises `WrongUsage`."""
    place = args.thread is not None or args.chat is not None
    if place + (args.person is not None) + args.default != 1:
        raise WrongUsage(
            sentence("name one of --chat ID, --thread ID (with --chat where it needs one), --person ID, --default")
        )
    if args.thread is not None:
        row = channel(args.channel)
        if args.chat is None and args.way == "add" and not row.threads_are_chats:
            raise WrongUsage(
                sentence(
                    "on {platform} a thread is named with its chat: --chat ID --thread {thread}",
                    platform=row.title,
                    thread=args.thread,
                )
            )
        return "thread", args.thread if args.chat is None or row.threads_are_chats else f"{args.chat}/{args.thread}"
    if args.chat is not None:
        return "chat", args.chat
    return ("default", "") if args.default else ("person", args.person)


def named_member(members: Sequence[ProjectMember], name: str) -> ProjectMember:
    """Return the project that is named. Raises `Refused`."""
    if (member := find_project(members, name)) is None:
        raise Refused(
            sentence("no project of this bot is called {name!r}; there are: {names}", name=name, names=names(members))
        )
    return member
