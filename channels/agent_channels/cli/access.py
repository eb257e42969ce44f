"""`channels access`: who may talk to the agent.

Each action is one transaction, safe beside a running server and effective at once.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from agent_channels.cli.arguments import (
    CHANNEL_NAMES,
    Subparsers,
    WrongUsage,
    add_command,
    add_json,
    platform_id,
)
from agent_channels.cli.dialogue import listed_person, person_line
from agent_channels.cli.language import column, shown
from agent_channels.core.errors import ChannelError, Refused
from agent_channels.core.i18n.messages import set_language, translate
from agent_channels.core.i18n.sentences import counted, joined, sentence, words_of
from agent_channels.core.people.access import Access, Policy
from agent_channels.core.people.mention_patterns import checked
from agent_channels.core.people.pairing import LENGTH, Applicant, Pairing, is_code
from agent_channels.core.services import Services
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "Result", "add_arguments", "pair", "run"]

SUMMARY = "manage who may talk to the agent: people, groups, approvers"
NOTIFY_WITHIN_S = 5.0
POLICIES: dict[Policy, str] = {
    "pairing": "Strangers get a code that you can approve.",
    "allowlist": "Strangers get no answer at all.",
    "disabled": "Nobody can write directly; enabled groups still work.",
}
_NOTIFIED = {
    "by the server": "The running server will tell them.",
    "now": "They have been told.",
    "later": "They will be told when a server next reads this bot.",
}
# What an action did: as data for --json, and as text.
Result = tuple[dict[str, Any], str]
Action = Callable[[argparse.Namespace, Services], Result]


# ---- the command line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, which may be left out (see `cli/main.py`), and every action."""
    explained = sentence("{names}; default: the one that is set up here", names=CHANNEL_NAMES)
    parser.add_argument("channel", choices=CHANNELS, metavar="CHANNEL", help=explained)
    add_json(parser)
    parser.set_defaults(action=_status)
    actions = parser.add_subparsers(metavar="ACTION")
    _add(actions, "status", "list people, groups and who is waiting (the default)", _status)
    code = "the 8 characters the person was shown"
    _add(actions, "pair", "let the person with this code in", _pair, code=code)
    _add(actions, "deny", "turn the person with this code away", _deny, code=code)
    invite = _add(actions, "invite", "create a link and QR code for one person; 10 minutes, one use", _invite)
    invite.add_argument("--no-qr", action="store_true", help="print the link only")
    _add(actions, "allow", "let a person in by id", _allow, id="the person's numeric id")
    _add(actions, "remove", "take a person off every list", _remove, id="the person's numeric id")
    policy = _add(actions, "policy", "set the rule for direct messages", _policy)
    policies = sentence("one of {names}", names=joined(POLICIES, ", "))
    policy.add_argument("mode", choices=POLICIES, metavar="POLICY", help=policies)
    roles = _add_actions(actions, "approver", "choose who may answer permission prompts")
    _add(roles, "add", "give a paired person the role", _approver, id="the person's numeric id").set_defaults(add=True)
    _add(roles, "rm", "take the role away", _approver, id="the person's numeric id").set_defaults(add=False)
    groups = _add_actions(actions, "group", "enable or disable a group")
    group = _add(
        groups, "add", "enable a group, or change its rule", _enable_group, id="the group's id; negative as it is"
    )
    group.add_argument("--no-mention", action="store_true", help="every message counts, not only those to the bot")
    group.add_argument(
        "--pattern", action="append", default=[], metavar="REGEX", help="messages that match count as to the bot"
    )
    group.add_argument("--allow", metavar="IDS", help="comma-separated ids of those who may speak; default: everybody")
    _add(groups, "rm", "disable a group", _disable_group, id="the group's id")


def _add(
    into: Subparsers[argparse.ArgumentParser], name: str, summary: str, action: Action, **arguments: str
) -> argparse.ArgumentParser:
    parser = add_command(into, name, summary)
    for argument, text in arguments.items():
        parser.add_argument(argument, help=text)
    # --json is on the verb and on each action; without it here, one given before the action stays in force.
    add_json(parser, default=argparse.SUPPRESS)
    parser.set_defaults(action=action)
    return parser


def _add_actions(
    into: Subparsers[argparse.ArgumentParser], name: str, summary: str
) -> Subparsers[argparse.ArgumentParser]:
    return add_command(into, name, summary).add_subparsers(dest="step", required=True, metavar="ACTION")


def run(args: argparse.Namespace) -> int:
    """Run one action; print what it did, as text or as JSON."""
    if args.action is _invite:
        from agent_channels.cli.invite import require_token

        require_token(args.channel)
    # What looks, or changes what is there, has nothing to do where there is no state, and creates none.
    begins = args.action in {_allow, _policy, _enable_group, _invite}
    with (Store.open if begins else Store.open_existing)(state_dir(args.channel)) as store:
        data, text = args.action(args, Services.of(store))
    if args.action not in {_status, _invite} and (untold := _tell_hub(args.channel)):
        data, text = {**data, "hub_problem": untold}, joined([text, untold], "\n")
    print(json.dumps({"ok": True, **data}, ensure_ascii=False) if args.json else shown(text))
    return 0


def _tell_hub(channel_name: str) -> str:
    """Have the hub of a shared bot know whom this project lets in by now; see `tell_hub`."""
    # Imported late: most projects have none.
    from agent_channels.cli.hub_project import tell_hub

    return tell_hub(channel_name)


# ---- people


def pair(channel_name: str, services: Services, code: str, *, may_send: bool = True) -> Result:
    """Let the person with this code in, and have them told: by a server that reads the bot, or if `may_send`, at once.

    Raises `WrongUsage` for what is not a code, and `Refused` for a wrong or expired one, or while locked out.
    """
    _use_bot_language(channel_name)
    applicant = services.pairing.approve(_checked(code), _paired_notice)
    notified = _notify(channel_name, services, may_send=may_send)
    hint = _hint(channel_name, services.access, services.pairing)
    paired = sentence("Paired {who}. {told}", who=_named(applicant), told=sentence(_NOTIFIED[notified]))
    text = joined([paired, *hint], "\n")
    return {"paired": _person(applicant), "told": notified}, text


def _pair(args: argparse.Namespace, services: Services) -> Result:
    return pair(args.channel, services, args.code)


def _checked(code: str) -> str:
    if not is_code(code):
        raise WrongUsage(
            sentence(
                "{code!r} is not a pairing code; a code has {length} characters, such as ABCD2345",
                code=code,
                length=LENGTH,
            )
        )
    return code


def _deny(args: argparse.Namespace, services: Services) -> Result:
    applicant = services.pairing.deny(_checked(args.code))
    text = sentence("Denied {who}; what they wrote was dropped.", who=_named(applicant))
    return {"denied": _person(applicant)}, text


def _invite(args: argparse.Namespace, services: Services) -> Result:
    from agent_channels.cli.invite import invite

    return invite(args.channel, services, qr_code=not args.no_qr and not args.json)


def _allow(args: argparse.Namespace, services: Services) -> Result:
    user_id = platform_id(args.id, args.channel)
    if not re.fullmatch(channel(args.channel).person_ids, user_id):
        raise WrongUsage(
            sentence(
                "{user_id} is not a person's id; people's ids are above zero (groups: `group add`)", user_id=user_id
            )
            if user_id.lstrip("-").isdigit()
            else sentence("{user_id} is not a person's id, but a chat's (groups: `group add`)", user_id=user_id)
        )
    if services.access.member(user_id):
        return {"allowed": user_id, "changed": False}, sentence("{user_id} could write already.", user_id=user_id)
    _use_bot_language(args.channel)
    applicant = services.pairing.admit(user_id, _paired_notice)
    if applicant is not None:
        notified = _notify(args.channel, services)
        text = sentence("{who} may write now. {told}", who=_named(applicant), told=sentence(_NOTIFIED[notified]))
        return {"allowed": user_id, "changed": True, "told": notified}, text
    services.access.allow(user_id, by="operator")
    return {"allowed": user_id, "changed": True}, sentence("{user_id} may write to the bot now.", user_id=user_id)


def _remove(args: argparse.Namespace, services: Services) -> Result:
    if not services.access.remove(platform_id(args.id, args.channel)):
        raise Refused(
            sentence(
                "nobody with the id {user_id} is on a list; `channels access {channel}` shows who is",
                user_id=args.id,
                channel=args.channel,
            )
        )
    return {"removed": args.id}, sentence("Removed {user_id} from every list.", user_id=args.id)


def _policy(args: argparse.Namespace, services: Services) -> Result:
    services.access.set_policy(args.mode)
    meaning = sentence(POLICIES[args.mode])
    text = sentence("Policy for direct messages: {policy}. {meaning}", policy=args.mode, meaning=meaning)
    return {"policy": args.mode}, text


def _approver(args: argparse.Namespace, services: Services) -> Result:
    user_id = platform_id(args.id, args.channel)
    if not services.access.set_approver(user_id, approver=args.add) and not args.add:
        raise Refused(
            sentence(
                "{user_id} is not an approver; `channels access {channel}` shows who is",
                user_id=user_id,
                channel=args.channel,
            )
        )
    text = sentence(
        "{user_id} may answer permission prompts now."
        if args.add
        else "{user_id} no longer answers permission prompts.",
        user_id=user_id,
    )
    return {"approver": user_id, "is": args.add}, text


# ---- groups


def _enable_group(args: argparse.Namespace, services: Services) -> Result:
    group_id = platform_id(args.id, args.channel)
    senders = None
    if args.allow is not None:
        senders = frozenset(platform_id(part.strip(), args.channel) for part in args.allow.split(",") if part.strip())
        if not senders:
            raise WrongUsage(
                sentence("--allow names nobody; give comma-separated ids, or leave it out for every member")
            )
    try:
        checked(args.pattern)
    except Refused as error:
        raise WrongUsage(words_of(error)) from error
    services.access.add_group(group_id, require_mention=not args.no_mention, senders=senders, patterns=args.pattern)
    who = _senders(senders)
    when = _messages(require_mention=not args.no_mention, patterns=args.pattern)
    text = sentence(
        "Group {group_id} is enabled. The agent gets {when} from {who}.", group_id=group_id, when=when, who=who
    )
    if steps := channel(args.channel).to_hear_all if args.no_mention or args.pattern else "":
        hint = sentence("For the bot to hear messages that do not name it: {steps}.", steps=steps)
        text = joined([text, hint], "\n")
    data = {
        "group": group_id,
        "enabled": True,
        "require_mention": not args.no_mention,
        "senders": None if senders is None else sorted(senders),
        "patterns": args.pattern,
    }
    return data, text


def _disable_group(args: argparse.Namespace, services: Services) -> Result:
    group_id = platform_id(args.id, args.channel)
    if not services.access.remove_group(group_id):
        raise Refused(
            sentence(
                "the group {group_id} is not enabled; `channels access {channel}` shows which are",
                group_id=group_id,
                channel=args.channel,
            )
        )
    return {"group": group_id, "enabled": False}, sentence("Group {group_id} is disabled.", group_id=group_id)


# ---- status


def _status(args: argparse.Namespace, services: Services) -> Result:
    from agent_channels.core.runtime.status import facts

    known = facts(args.channel, state_dir(args.channel), services, None)
    kept = ("channel", "state_dir", "policy", "paired", "pending", "groups", "groups_not_enabled")
    data = {key: known[key] for key in kept}
    policy = sentence(
        "{channel}: policy {policy} ({folder})",
        channel=args.channel,
        policy=data["policy"],
        folder=data["state_dir"],
    )
    refused = services.audit.count("pairing refused", since=time.time() - 3600)
    more = sentence("  {count} more asked in the last hour while three were waiting, and got no code", count=refused)
    lines = [f"  {column(name, 8)} {shown(text)}" for name, text in _status_lines(args.channel, data)]
    return data, "\n".join([shown(policy), *lines, *([shown(more)] if refused else [])])


def _status_lines(channel_name: str, data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what each person or group is, and who it is."""
    for person in data["paired"]:
        yield sentence("paired"), listed_person(person)
    if not data["paired"]:
        yield sentence("paired"), sentence("nobody yet")
    for person in data["pending"]:
        yield (
            sentence("waiting"),
            sentence(
                "{who}, since {since}: ask them for their code; `channels access {channel} pair CODE` lets them in",
                who=person_line(person),
                since=person["since"],
                channel=channel_name,
            ),
        )
    for group in data["groups"]:
        yield (
            sentence("group"),
            sentence(
                "{group}: {messages} from {senders}",
                group=_group(group),
                messages=_messages(require_mention=group["require_mention"], patterns=group["patterns"]),
                senders=_senders(group["senders"]),
            ),
        )
    for group in data["groups_not_enabled"]:
        yield (
            sentence("seen"),
            sentence(
                "{group} (not enabled; `channels access {channel} group add {group_id}`)",
                group=_group(group),
                channel=channel_name,
                group_id=group["id"],
            ),
        )


def _group(group: dict[str, Any]) -> str:
    return f"{group['id']} {group['title']}"


def _messages(*, require_mention: bool, patterns: Sequence[str]) -> str:
    """Return which messages of a group the agent gets, in words."""
    if not require_mention:
        return sentence("every message")
    if patterns:
        return sentence(
            "messages that mention the bot or reply to it, and those that match {patterns}",
            patterns=joined(map(repr, patterns), " or "),
        )
    return sentence("messages that mention the bot or reply to it")


def _senders(ids: Collection[str] | None) -> str:
    """Return whose messages of a group the agent gets, in words; None stands for everybody's."""
    if ids is None:
        return sentence("every member")
    return counted(len(ids), "listed person", "listed people")


# ---- what the actions share


def _person(applicant: Applicant) -> dict[str, Any]:
    return {"id": applicant.user_id, "name": label(applicant.name), "username": applicant.username}


def _named(applicant: Applicant) -> str:
    name = label(applicant.name) or applicant.user_id
    if applicant.username:
        return sentence("{name} (id {id}, @{username})", name=name, id=applicant.user_id, username=applicant.username)
    return sentence("{name} (id {id})", name=name, id=applicant.user_id)


def _paired_notice(applicant: Applicant) -> str:
    return translate("paired", name=label(applicant.name))


def _use_bot_language(channel_name: str) -> None:
    """Write notices in the bot's language; letting somebody in does not fail because of a wrong setting."""
    import contextlib

    from agent_channels.core.settings.config import Environment, load

    with contextlib.suppress(ChannelError):
        set_language(load(channel(channel_name).settings, Environment(channel_name)).language)


def _notify(channel_name: str, services: Services, *, may_send: bool = True) -> str:
    """Send new notices, unless a server that reads the bot does it; return by whom or when: a key of `_NOTIFIED`."""
    from agent_channels.core.runtime.reader_lock import ReaderLock
    from agent_channels.core.settings.config import Environment, load
    from agent_channels.core.settings.log_file import LogFileHandler

    row, env = channel(channel_name), Environment(channel_name)
    try:
        token = env.token()
        if token is None:
            return "later"
        if ReaderLock(channel_name, row.bot_id(token), env.state_dir).is_read():
            return "by the server"
        if not may_send:
            return "later"
        settings = load(row.settings, env)
    except ChannelError:
        return "later"

    import anyio

    from agent_channels.core.log import configure
    from agent_channels.core.outbound.outcomes import Outcomes
    from agent_channels.core.outbound.threads import Threads
    from agent_channels.core.scheduling import Wakeups

    async def send() -> bool:
        with anyio.move_on_after(NOTIFY_WITHIN_S):
            async with row.connect(env, settings, token) as adapter:
                outcomes = Outcomes(
                    adapter,
                    services.panels,
                    services.notices,
                    Threads(adapter, services.chats, services.access),
                    Wakeups(),
                )
                return not await outcomes.do_all_due()
        return False

    configure("ERROR", LogFileHandler(env.state_dir, "access"))
    return "now" if anyio.run(send) else "later"


def _hint(name: str, access: Access, pairing: Pairing) -> list[str]:
    """What to do next after somebody was let in, if anything."""
    members = access.members()
    if len(members) == 1 and not access.approvers():
        return [
            sentence(
                "The first person in. Nobody may answer permission prompts from chat yet; if this is you:\n"
                "  channels access {channel} approver add {user_id}",
                channel=name,
                user_id=members[0].user_id,
            )
        ]
    if access.policy() == "pairing" and not pairing.pending():
        return [
            sentence(
                "When everybody is in: `channels access {channel} policy allowlist` gives strangers no answer at all.",
                channel=name,
            )
        ]
    return []
