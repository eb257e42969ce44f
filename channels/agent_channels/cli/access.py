"""`channels access`: the operator's verbs. Each is one transaction, safe beside a running server, in force at once."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from agent_channels.core.errors import ChannelError, Refused
from agent_channels.core.i18n.messages import set_language, translate
from agent_channels.core.people.access import Access, Policy
from agent_channels.core.people.pairing import Applicant, Pairing
from agent_channels.core.services import Services
from agent_channels.core.settings.paths import state_dir
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label

__all__ = ["run"]

_ID = re.compile(r"-?[0-9]{1,20}")
TELL_WITHIN_S = 5.0
POLICIES: tuple[Policy, ...] = ("pairing", "allowlist", "disabled")


class WrongUsage(ChannelError):
    """The command was written wrongly; exit code 2."""


def run(args: argparse.Namespace) -> int:
    """Runs one action; prints what was done as a sentence, or as JSON."""
    try:
        with Store.open(state_dir(args.channel)) as store:
            done, words = _act(args, store)
    except WrongUsage as error:
        return _failed(args, error, 2)
    except ChannelError as error:
        return _failed(args, error, 1)
    print(json.dumps({"ok": True, **done}, ensure_ascii=False) if args.json else words)
    return 0


def _failed(args: argparse.Namespace, error: ChannelError, code: int) -> int:
    import sys

    from agent_channels.core.log import redact

    # What was typed is shown back, and a token may have been typed in the wrong place.
    text = redact(str(error))
    if args.json:
        print(json.dumps({"ok": False, "error": text}, ensure_ascii=False))
    print(f"channels: {text}", file=sys.stderr)
    return code


def _act(args: argparse.Namespace, store: Store) -> tuple[dict[str, Any], str]:
    services = Services.of(store)
    access, pairing = services.access, services.pairing
    match args.action or "status":
        case "pair":
            _speak(args.channel)
            asker = pairing.approve(args.code, lambda a: translate("paired", name=label(a.name)))
            told = _tell(args.channel, store)
            more = _lockdown_hint(args.channel, access, pairing)
            return {"paired": _who(asker), "told": told}, f"Paired {_named(asker)}. {_TOLD[told]}{more}"
        case "invite":
            from agent_channels.cli.invite import invite

            return invite(args.channel, store, picture=not args.no_qr and not args.json)
        case "deny":
            asker = pairing.deny(args.code)
            return {"denied": _who(asker)}, f"Denied {_named(asker)}; what they wrote was dropped."
        case "allow":
            return _allow(args.channel, access, pairing, _checked(args.id))
        case "remove":
            if not access.remove(_checked(args.id)):
                raise Refused(
                    f"nobody with the id {args.id} is on a list; `channels access {args.channel}` shows who is"
                )
            return {"removed": args.id}, f"Removed {args.id} from every list."
        case "policy":
            return _policy(args, access)
        case "approver":
            return _approver(args, access)
        case "group":
            return _group(args, access)
        case _:
            return _status(args, store)


_POLICY = {
    "pairing": "Strangers get a code which you can approve.",
    "allowlist": "Strangers get no answer at all.",
    "disabled": "Nobody can write directly; enabled groups go on.",
}


_TOLD = {
    "by the server": "The running server tells them.",
    "now": "They have been told.",
    "later": "They are told when a server next reads this bot.",
}


def _speak(channel_name: str) -> None:
    """Has people told things in the bot's language; letting somebody in does not fail for a wrong setting."""
    import contextlib

    from agent_channels.core.settings.config import Environment, load
    from agent_channels.registry import channel

    with contextlib.suppress(ChannelError):
        set_language(load(channel(channel_name).settings, Environment(channel_name)).language)


def _tell(channel_name: str, store: Store) -> str:
    """Has new notices said: by the server that reads the bot, else by us, else whenever one reads it again."""
    from agent_channels.core.runtime.reader_lock import ReaderLock
    from agent_channels.core.settings.config import Environment, load
    from agent_channels.registry import channel

    row, env = channel(channel_name), Environment(channel_name)
    try:
        token = env.token()
        if token is None:
            return "later"
        if ReaderLock(channel_name, row.bot_id(token), env.state_dir).holder():
            return "by the server"
        settings = load(row.settings, env)
    except ChannelError:
        return "later"

    import anyio

    from agent_channels.core.log import configure
    from agent_channels.core.outbound.outcomes import Outcomes
    from agent_channels.core.scheduling import Wakeups

    async def say_it() -> bool:
        with anyio.move_on_after(TELL_WITHIN_S):
            async with row.connect(env, settings, token) as adapter:
                services = Services.of(store)
                outcomes = Outcomes(adapter, services.panels, services.notices, Wakeups())
                return not await outcomes.do_all_due()
        return False

    configure("ERROR")
    return "now" if anyio.run(say_it) else "later"


def _allow(channel_name: str, access: Access, pairing: Pairing, user_id: str) -> tuple[dict[str, Any], str]:
    if int(user_id) <= 0:
        raise WrongUsage(f"{user_id} is not a person's id; people's ids are above zero (groups: `group add`)")
    if access.member(user_id):
        return {"allowed": user_id, "changed": False}, f"{user_id} could write already."
    _speak(channel_name)
    asker = pairing.admit(user_id, lambda a: translate("paired", name=label(a.name)))
    if asker is not None:
        told = _tell(channel_name, pairing.store)
        return {"allowed": user_id, "changed": True, "told": told}, f"{_named(asker)} may write now. {_TOLD[told]}"
    access.allow(user_id, by="operator")
    return {"allowed": user_id, "changed": True}, f"{user_id} may write to the bot now."


def _policy(args: argparse.Namespace, access: Access) -> tuple[dict[str, Any], str]:
    if args.mode not in POLICIES:
        raise WrongUsage(f"there is no policy {args.mode!r}; there are {', '.join(POLICIES)}")
    access.set_policy(args.mode)
    return {"policy": args.mode}, f"Policy for direct messages: {args.mode}. {_POLICY[args.mode]}"


def _approver(args: argparse.Namespace, access: Access) -> tuple[dict[str, Any], str]:
    user_id, add = _checked(args.id), args.step == "add"
    if not access.set_approver(user_id, approver=add) and not add:
        raise Refused(f"{user_id} is not an approver; `channels access {args.channel}` shows who is")
    words = (
        f"{user_id} may answer permission prompts now." if add else f"{user_id} no longer answers permission prompts."
    )
    return {"approver": user_id, "is": add}, words


def _group(args: argparse.Namespace, access: Access) -> tuple[dict[str, Any], str]:
    group_id = _checked(args.id)
    if args.step == "rm":
        if not access.remove_group(group_id):
            raise Refused(f"the group {group_id} is not enabled; `channels access {args.channel}` shows which are")
        return {"group": group_id, "enabled": False}, f"Group {group_id} is disabled."
    senders = None
    if args.allow is not None:
        senders = frozenset(_checked(part.strip()) for part in args.allow.split(",") if part.strip())
        if not senders:
            raise WrongUsage("--allow names nobody; give comma-separated ids, or leave it out for every member")
    access.add_group(group_id, require_mention=not args.no_mention, senders=senders, patterns=args.pattern)
    who = "every member" if senders is None else f"{len(senders)} listed people"
    when = "every message" if args.no_mention else "messages that mention the bot or reply to it"
    if args.pattern and not args.no_mention:
        when += f", or match {' or '.join(map(repr, args.pattern))}"
    wide = args.no_mention or args.pattern
    hint = " Switch the bot's privacy mode off and add it again, or it sees only mentions." if wide else ""
    done = {
        "group": group_id,
        "enabled": True,
        "require_mention": not args.no_mention,
        "senders": None if senders is None else sorted(senders),
        "patterns": args.pattern,
    }
    return done, f"Group {group_id} is enabled for {who}, {when}.{hint}"


def _status(args: argparse.Namespace, store: Store) -> tuple[dict[str, Any], str]:
    from agent_channels.core.runtime.status import facts

    known = facts(args.channel, state_dir(args.channel), Services.of(store), None)
    kept = {
        key: known[key]
        for key in ("channel", "state_dir", "policy", "paired", "pending", "groups", "groups_not_enabled")
    }
    lines = [f"{args.channel}: policy {kept['policy']} ({kept['state_dir']})"]
    lines += [
        f"  paired   {_line(person)}" + (" (approver)" if person["approver"] else "") for person in kept["paired"]
    ] or ["  paired   nobody yet"]
    lines += [f"  waiting  {_line(p)}, since {p['since']}: ask them for their code" for p in kept["pending"]]
    for group in kept["groups"]:
        who = "every member" if group["senders"] is None else f"{len(group['senders'])} listed"
        patterns = f", patterns {' '.join(map(repr, group['patterns']))}" if group["patterns"] else ""
        lines.append(f"  group    {group['id']} {group['title']} ({who}, mention {group['require_mention']}{patterns})")
    enable = f"channels access {args.channel} group add"
    lines += [
        f"  seen     {g['id']} {g['title']} (not enabled; `{enable} {g['id']}`)" for g in kept["groups_not_enabled"]
    ]
    turned_away = store.value(
        "SELECT count(*) FROM audit WHERE what = 'pairing refused' AND at > strftime('%s') - 3600"
    )
    if turned_away:
        lines.append(f"  {turned_away} more asked in the last hour while three were waiting, and got no code")
    return kept, "\n".join(lines)


def _line(person: dict[str, Any]) -> str:
    return " ".join(
        filter(None, (person["id"], person["name"], f"@{person['username']}" if person["username"] else ""))
    )


def _checked(value: str) -> str:
    if not _ID.fullmatch(value):
        raise WrongUsage(
            f"{value!r} is not an id: a number of at most 20 digits (names can change hands, so they never decide)"
        )
    return str(int(value))


def _who(asker: Applicant) -> dict[str, Any]:
    return {"id": asker.user_id, "name": label(asker.name), "username": asker.username}


def _named(asker: Applicant) -> str:
    handle = f", @{asker.username}" if asker.username else ""
    return f"{label(asker.name) or asker.user_id} (id {asker.user_id}{handle})"


def _lockdown_hint(channel: str, access: Access, pairing: Pairing) -> str:
    if len(access.members()) == 1 and not access.approvers():
        only = access.members()[0].user_id
        return (
            f"\nThe first one in. Nobody may answer permission prompts from chat yet; if this is you:\n"
            f"  channels access {channel} approver add {only}"
        )
    if access.policy() == "pairing" and not pairing.pending():
        return f"\nWhen everybody is in: `channels access {channel} policy allowlist` gives strangers no answer at all."
    return ""
