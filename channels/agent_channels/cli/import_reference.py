"""`channels import CHANNEL DIR`: take over the reference plugin's data, and name what cannot be taken over."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from agent_channels.cli.arguments import add_channel, add_json
from agent_channels.cli.language import shown
from agent_channels.core.contract.channel import Channel
from agent_channels.core.errors import ConfigError
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import joined, sentence, words_of
from agent_channels.core.log import register_secret
from agent_channels.core.people.reference_plugin import apply, read
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, config_values
from agent_channels.core.settings.config_template import config_template
from agent_channels.core.settings.env_file import set_dotenv_value
from agent_channels.core.settings.paths import expand_home
from agent_channels.core.settings.state_folder import write_new
from agent_channels.core.store.database import Store
from agent_channels.registry import channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "import the token, people, groups and settings of the reference plugin"
# The reference's delivery settings that a channel may have too, by our names.
_NAMES = {"replyToMode": "reply_to_mode", "textChunkLimit": "text_chunk_limit", "chunkMode": "chunk_mode"}
# The values of the others that ask for what happens here anyway, and what to say about any other value.
_BUILT_IN: dict[str, tuple[object, ...]] = {
    "replyToMode": ("first",),
    "textChunkLimit": (4096, 2000),
    "chunkMode": ("newline",),
}
_WHY_NOT = {
    "replyToMode": "the agent says which part answers which message",
    "textChunkLimit": "a part is as long as the platform allows",
    "chunkMode": "text is cut at paragraphs, lists and sentences",
}


@frozen
class _Report:
    """What was imported now, what existed already, and what was left out; a few words for each."""

    new: list[str]
    present: list[str]
    left: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel, the plugin's folder, --token and --json."""
    add_channel(parser)
    parser.add_argument("folder", metavar="DIR", help="its folder, such as ~/.claude/channels/telegram")
    parser.add_argument("--token", choices=("yes", "no"), help="replace a token that is set already (default: ask)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Import what can be imported; a second run changes nothing."""
    row, env = channel(args.channel), Environment(args.channel)
    found = read(expand_home(args.folder), _token_name(row))
    if found.token:
        register_secret(found.token)
    with Store.open(env.state_dir) as store:
        applied = apply(found, Services.of(store).access)
    report = _Report(applied["new"], applied["there"], found.left)
    _import_token(found.token, args, row, env, report)
    _import_settings(found.delivery, row, env, report)
    if args.json:
        data = {"ok": True, "taken": report.new, "already": report.present, "left": report.left}
        print(json.dumps(data, ensure_ascii=False))
    else:
        print(shown(_text(env, report)))
    return 0


def _text(env: Environment, report: _Report) -> str:
    lines = [sentence("Into {folder}:", folder=env.state_dir)]
    lines += [sentence("  + {item}", item=item) for item in report.new] or [sentence("  nothing new")]
    lines += [sentence("  = {item} (was there already)", item=item) for item in report.present]
    if report.left:
        lines += [sentence("Not taken over:"), *(sentence("  - {item}", item=item) for item in report.left)]
    return joined([*lines, sentence("Next: `channels doctor {channel}`.", channel=env.channel)], "\n")


# ---- the token


def _token_name(row: Channel) -> str:
    return f"{row.name.upper()}_BOT_TOKEN"


def _import_token(token: str | None, args: argparse.Namespace, row: Channel, env: Environment, report: _Report) -> None:
    if not token:
        report.left.append(sentence("the token: there is none"))
        return
    try:
        row.bot_id(token)
    except ConfigError as error:
        report.left.append(sentence("the token: {error}", error=words_of(error)))
        return
    current = (env.dotenv.get(_token_name(row)) or "").strip()
    if current == token:
        report.present.append(sentence("the token"))
    elif not current or _may_replace(args, row):
        set_dotenv_value(env.state_dir, _token_name(row), token)
        report.new.append(sentence("the token"))
    else:
        report.left.append(sentence("the token: another one is set already; --token yes replaces it"))


def _may_replace(args: argparse.Namespace, row: Channel) -> bool:
    if args.token is not None:
        return bool(args.token == "yes")  # noqa: S105 - an answer
    if args.json or not sys.stdin.isatty():
        return False
    question = sentence("Another token of {title} is set here. Replace it?", title=row.title)
    return input(f"{shown(question)} [y/N] ").strip().lower().startswith("y")


# ---- the settings


def _import_settings(delivery: Mapping[str, Any], row: Channel, env: Environment, report: _Report) -> None:
    """Write the delivery settings into a new config.yaml; an existing one belongs to a person and stays as it is."""
    values = _translated(delivery, row.settings, report.left)
    if not values:
        return
    import yaml

    lines = yaml.safe_dump(values, allow_unicode=True, sort_keys=False).strip()
    if write_new(env.config_file, f"{config_template(row.settings, row.title)}\n# Taken over:\n{lines}\n"):
        report.new.extend(sentence("setting {name}", name=name) for name in values)
        return
    try:
        current = config_values(env)
    except ConfigError:
        current = {}
    if all(current.get(name) == value for name, value in values.items()):
        report.present.extend(sentence("setting {name}", name=name) for name in values)
    else:
        indented = lines.replace("\n", "\n      ")
        report.left.append(
            sentence(
                "settings: {path} is yours; add these lines yourself:\n      {lines}",
                path=env.config_file,
                lines=indented,
            )
        )


def _translated(delivery: Mapping[str, Any], model: type[Settings], left: list[str]) -> dict[str, Any]:
    """Return the delivery settings as ours; add those that have no counterpart to `left`, with the reason."""
    values: dict[str, Any] = {}
    for name, value in delivery.items():
        if name == "ackReaction":
            if value == "":
                values["receipts"] = False
            elif value != "👀":
                left.append(
                    sentence("ackReaction {value!r}: a message that was received is marked with 👀 here", value=value)
                )
        elif _NAMES[name] in model.declared():
            values[_NAMES[name]] = value
        elif value not in _BUILT_IN[name]:
            left.append(sentence("{name} {value!r}: {why}", name=name, value=value, why=sentence(_WHY_NOT[name])))
    try:
        model.of(values)
    except ValueError:
        left.append(sentence("delivery settings that are not valid: {values!r}", values=values))
        return {}
    return values
