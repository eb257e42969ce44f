"""Import from the reference channel plugins: their folder is read without trusting it.

access.json: {dmPolicy, allowFrom [ids], groups {id: {requireMention, allowFrom [ids], threadId?}}, pending {code:
{...}}, mentionPatterns [regexes], ackReaction, replyToMode, textChunkLimit, chunkMode}; all of it optional. .env: the
token under this channel's own name. approved/: one file per person who has not been told of their approval yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_channels.core.errors import ConfigError, Refused
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.people.access import Access, Group, Policy
from agent_channels.core.people.mention_patterns import checked
from agent_channels.core.settings.validation import json_kind

__all__ = ["ReferenceSetup", "apply", "read"]

_ID = lazy_pattern(r"-?[0-9]{1,20}")
MAX_BYTES = 4 * 1024 * 1024
_POLICIES: dict[str, Policy] = {"pairing": "pairing", "allowlist": "allowlist", "disabled": "disabled"}
DELIVERY = ("ackReaction", "replyToMode", "textChunkLimit", "chunkMode")


@dataclass(slots=True)
class ReferenceSetup:
    """What the folder holds. `left` says, in sentences, what cannot be imported."""

    token: str | None = None
    policy: Policy | None = None
    people: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    delivery: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def read(folder: Path, token_name: str) -> ReferenceSetup:
    """Read such a folder. Raises `ConfigError` if there is none, or its access.json is not valid."""
    if not folder.is_dir():
        raise ConfigError(
            sentence("{folder} is not a folder; name the one that holds access.json and .env", folder=folder)
        )
    found = ReferenceSetup(token=_token(folder / ".env", token_name))
    access = _access(folder / "access.json")
    if access is None and found.token is None:
        raise ConfigError(
            sentence(
                "{folder} holds neither access.json nor a .env with {token_name}; is it the right folder?",
                folder=folder,
                token_name=token_name,
            )
        )
    _people(found, access or {}, folder / "approved")
    _groups(found, (access or {}).get("groups"), _patterns(found, (access or {}).get("mentionPatterns")))
    _policy(found, (access or {}).get("dmPolicy"))
    _rest(found, access or {})
    return found


def _token(path: Path, name: str) -> str | None:
    if not path.is_file():
        return None
    from dotenv import dotenv_values

    try:
        return (dotenv_values(path, interpolate=False).get(name) or "").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            sentence("{path} cannot be read ({error}); nothing was changed", path=path, error=error)
        ) from error


def _access(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                sentence(
                    "{path} is larger than {max_bytes:,} bytes; nothing was changed", path=path, max_bytes=MAX_BYTES
                )
            )
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(
            sentence("{path} cannot be read ({error}); nothing was changed", path=path, error=error)
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(
            sentence(
                "{path} must hold a JSON object; it holds {value}; nothing was changed",
                path=path,
                value=json_kind(found),
            )
        )
    return found


def _ids(value: object, where: str, left: list[str]) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list):
        left.append(sentence("{where}: it is not a list", where=where))
        return []
    ids = [str(one) for one in value if not isinstance(one, bool) and _ID.fullmatch(str(one))]
    odd = [str(one)[:40] for one in value if isinstance(one, bool) or not _ID.fullmatch(str(one))]
    if odd:
        left.append(
            sentence(
                "{where}: {ids} (only numeric ids decide here, since names change hands)",
                where=where,
                ids=joined(map(repr, odd), ", "),
            )
        )
    return [str(int(one)) for one in ids]


def _people(found: ReferenceSetup, access: Mapping[str, Any], approved: Path) -> None:
    people = _ids(access.get("allowFrom"), "allowFrom", found.left)
    if approved.is_dir():
        people += _ids(sorted(path.name for path in approved.iterdir() if path.is_file()), "approved/", found.left)
    for person in dict.fromkeys(people):
        if int(person) > 0:
            found.people.append(person)
        else:
            found.left.append(sentence("allowFrom: {person} is not a person's id", person=person))
    pending = access.get("pending")
    if isinstance(pending, dict) and pending:
        found.left.append(
            sentence(
                "pending: {count} people who wait for approval; they get a new code when they write", count=len(pending)
            )
        )


def _patterns(found: ReferenceSetup, patterns: object) -> tuple[str, ...]:
    """Return the patterns that address the bot: one list for every group there, a part of each group's rule here."""
    good: list[str] = []
    for pattern in patterns if isinstance(patterns, list) else ():
        try:
            good = list(checked([*good, str(pattern)]))
        except Refused as error:
            found.left.append(sentence("mentionPatterns: {error}", error=words_of(error)))
    return tuple(good)


def _groups(found: ReferenceSetup, groups: object, patterns: tuple[str, ...]) -> None:
    if groups is None:
        return
    if not isinstance(groups, dict):
        found.left.append(sentence("groups: it is not an object"))
        return
    for key, rule in groups.items():
        if not _ID.fullmatch(str(key)) or not isinstance(rule, dict):
            found.left.append(sentence("groups: {key!r} (not a numeric id with a rule)", key=str(key)[:40]))
            continue
        listed = _ids(rule.get("allowFrom"), f"groups.{key}.allowFrom", found.left)
        if rule.get("allowFrom") and not listed:
            # Nobody on the list can be imported; letting everybody in instead would open what was closed.
            found.left.append(sentence("groups: {key}, since nobody on its list has a numeric id", key=key))
            continue
        if rule.get("threadId") is not None:
            found.left.append(
                sentence(
                    "groups.{key}.threadId: the rule holds for the whole group here, with all of its topics", key=key
                )
            )
        mention = rule.get("requireMention") is not False
        found.groups.append(Group(str(int(key)), mention, frozenset(listed) or None, None, patterns))


def _policy(found: ReferenceSetup, policy: object) -> None:
    if policy is None:
        return
    found.policy = _POLICIES.get(str(policy))
    if found.policy is None:
        found.policy = "disabled"
        found.left.append(
            sentence(
                "dmPolicy: {policy!r} is unknown; direct messages are disabled until you choose one",
                policy=str(policy)[:40],
            )
        )
    elif found.policy == "disabled" and found.groups:
        found.left.append(sentence("dmPolicy disabled closes groups too there; here it closes direct messages only"))


def _rest(found: ReferenceSetup, access: Mapping[str, Any]) -> None:
    known = {"dmPolicy", "allowFrom", "groups", "pending", "mentionPatterns", *DELIVERY}
    found.delivery = {name: access[name] for name in DELIVERY if name in access}
    found.left += [sentence("{name}: not known here", name=str(name)[:40]) for name in access if name not in known]


def apply(found: ReferenceSetup, access: Access) -> dict[str, list[str]]:
    """Let in and enable what was found, in one transaction; return what is new and what was there already.

    Nobody is taken off a list, and a policy or a group's rule that the operator set here stays.
    """
    new: list[str] = []
    there: list[str] = []
    with access.store.transaction():
        for person in found.people:
            (new if access.allow(person, by="import") else there).append(sentence("person {person}", person=person))
        for group in found.groups:
            if access.group(group.chat_id) is None:
                access.add_group(
                    group.chat_id,
                    require_mention=group.require_mention,
                    senders=group.senders,
                    patterns=group.patterns,
                )
                new.append(sentence("group {chat_id}", chat_id=group.chat_id))
            else:
                there.append(sentence("group {chat_id}", chat_id=group.chat_id))
        if found.policy is not None:
            if access.has_policy():
                there.append(sentence("policy {policy}", policy=access.policy()))
            else:
                access.set_policy(found.policy)
                new.append(sentence("policy {policy}", policy=found.policy))
    return {"new": new, "there": there}
