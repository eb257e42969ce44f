"""`channels import CHANNEL DIR`: takes over what the reference plugin knows, and says what it could not."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError
from agent_channels.core.log import keep_secret
from agent_channels.core.people.reference_plugin import ReferenceSetup, apply, read
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.config_template import config_template
from agent_channels.core.settings.private_files import set_dotenv_value, write_new
from agent_channels.core.store.database import Store
from agent_channels.registry import channel

__all__ = ["run"]

# The reference's delivery settings, by our names where we have such.
_OURS = {
    "replyToMode": "reply_to_mode",
    "textChunkLimit": "text_chunk_limit",
    "chunkMode": "chunk_mode",
}


def run(args: argparse.Namespace) -> int:
    """Takes over; running it again changes nothing."""
    row, env = channel(args.channel), Environment(args.channel)
    name = f"{row.name.upper()}_BOT_TOKEN"
    found = read(Path(args.folder).expanduser(), name)
    if found.token:
        keep_secret(found.token)
    with Store.open(env.state_dir) as store:
        took = apply(found, Services.of(store).access)
    new, there = took["new"], took["there"]
    _take_token(args, row, env, found, (new, there))
    _take_settings(row, env, found, (new, there))
    if args.json:
        print(json.dumps({"ok": True, "taken": new, "already": there, "left": found.left}, ensure_ascii=False))
    else:
        print("\n".join(_words(env, new, there, found.left)))
    return 0


def _words(env: Environment, new: list[str], there: list[str], left: list[str]) -> list[str]:
    lines = [f"Into {env.state_dir}:"]
    lines += [f"  + {what}" for what in new] or ["  nothing new"]
    lines += [f"  = {what} (was there already)" for what in there]
    lines += ["Not taken over:", *(f"  - {what}" for what in left)] if left else []
    return [*lines, f"Next: `channels doctor {env.channel}`."]


def _take_token(
    args: argparse.Namespace, row: Channel, env: Environment, found: ReferenceSetup, told: tuple[list[str], list[str]]
) -> None:
    name, (new, there) = f"{row.name.upper()}_BOT_TOKEN", told
    if not found.token:
        found.left.append("the token: there is none")
        return
    try:
        row.bot_id(found.token)
    except ConfigError as error:
        found.left.append(f"the token: {error}")
        return
    known = (env.dotenv.get(name) or "").strip()
    if known == found.token:
        there.append("the token")
    elif not known or _replace(args, row):
        set_dotenv_value(env.state_dir, name, found.token)
        new.append("the token")
    else:
        found.left.append("the token: another one is set already; --token yes replaces it")


def _replace(args: argparse.Namespace, row: Channel) -> bool:
    if args.token is not None:
        return bool(args.token == "yes")  # noqa: S105 - an answer
    if args.json or not sys.stdin.isatty():
        return False
    return input(f"Another token of {row.title} is set here. Replace it? [y/N] ").strip().lower().startswith("y")


def _take_settings(row: Channel, env: Environment, found: ReferenceSetup, told: tuple[list[str], list[str]]) -> None:
    """Delivery settings go into a config.yaml of their own; one that a person wrote is never rewritten."""
    values = _settings(row.settings, found)
    if not values:
        return
    import yaml

    path = env.state_dir / "config.yaml"
    lines = yaml.safe_dump(values, allow_unicode=True, sort_keys=False).strip()
    if write_new(path, f"{config_template(row.settings, row.title)}\n# Taken over:\n{lines}\n"):
        told[0].extend(f"setting {name}" for name in values)
        return
    try:
        standing = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError):
        standing = {}
    if isinstance(standing, dict) and all(standing.get(name) == value for name, value in values.items()):
        told[1].extend(f"setting {name}" for name in values)
    else:
        found.left.append(
            f"settings: {path} is yours; add these lines yourself:\n      " + lines.replace("\n", "\n      ")
        )


def _settings(model: type[Settings], found: ReferenceSetup) -> dict[str, Any]:
    """What of the delivery settings can be said in ours; the others are left, with the reason."""
    values: dict[str, Any] = {}
    for name, value in found.delivery.items():
        if name == "ackReaction":
            if value == "":
                values["receipts"] = False
            elif value != "👀":
                found.left.append(f"ackReaction {value!r}: a message that was received is marked with 👀 here")
        elif (ours := _OURS[name]) in model.model_fields:
            values[ours] = value
        elif not _same(name, value):
            found.left.append(f"{name} {value!r}: {_WHY[name]}")
    try:
        model.model_validate(values)
    except ValueError:
        found.left.append(f"delivery settings that are not right: {values!r}")
        return {}
    return values


_WHY = {
    "replyToMode": "the agent says which part answers which message",
    "textChunkLimit": "a part is as long as the platform allows",
    "chunkMode": "text is cut at paragraphs, lists and sentences",
}


def _same(name: str, value: object) -> bool:
    """Whether the value asks for what is done here anyway."""
    return value in {"replyToMode": ("first",), "textChunkLimit": (4096, 2000), "chunkMode": ("newline",)}.get(
        name, ([],)
    )
