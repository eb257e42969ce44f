"""`channels trust`: adopts a state folder that this user's program did not make, after a look at what it holds."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import add_json, can_ask
from agent_channels.cli.dialogue import listed_person
from agent_channels.cli.hub_copies import separate_copy
from agent_channels.cli.language import column, shown
from agent_channels.core.errors import ConfigError, Refused, UntrustedState
from agent_channels.core.i18n.sentences import counted, joined, sentence, words_of
from agent_channels.core.log import redact
from agent_channels.core.settings.config import RENAMED
from agent_channels.core.settings.config_file import parse_config
from agent_channels.core.settings.network import shown_url
from agent_channels.core.settings.paths import KEY_FILE, env_value, expand_home, state_dir
from agent_channels.core.settings.state_folder import StateFolder, adopt, forget, is_ours_by_name, is_trusted
from agent_channels.core.store.inspect import DATABASE_FILES, summarize
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.secret_values import mask_secrets
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "describe", "lines", "offer", "run"]

SUMMARY = "adopt a state folder that came from elsewhere, after a look at what it holds"
NAMES_MAX = 20
_ADDRESSES = frozenset({"proxy", "api_root", "hub"})
NOBODY_TO_ASK = sentence(
    "nothing was changed: there is nobody to ask; if what is listed is yours, repeat the command with --yes"
)
_COUNTED: dict[str, Callable[[int], str]] = {
    "people": lambda count: counted(count, "person", "people"),
    "approvers": lambda count: counted(count, "approver"),
    "groups": lambda count: counted(count, "group"),
    "open messages": lambda count: counted(count, "open message"),
}
# Nobody's state lies there, whatever the folder holds.
_SYSTEM = ("/bin", "/boot", "/etc", "/lib", "/lib64", "/sbin", "/usr", "/System")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the folder, what to do, and --json."""
    parser.add_argument(
        "folder",
        nargs="?",
        metavar="DIR",
        help="a state folder, or a project with state folders; default: this project",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--yes", action="store_true", help="adopt without asking; needed where nobody can be asked")
    action.add_argument("--show", action="store_true", help="only show what the folder holds")
    action.add_argument("--forget", action="store_true", help="undo an adoption: the folder is not used any more")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List what each folder holds, and adopt those that are not trusted; a person at a terminal is asked first."""
    folders = _folders(args.folder)
    if not folders:
        where = args.folder or sentence("this project")
        raise Refused(
            sentence("there is no state folder in {where}; name one, or `channels setup` makes one", where=where)
        )
    if args.forget:
        return _forget(folders, as_json=args.json)
    done = [_look_and_adopt(folder, args) for folder in folders]
    is_done = args.show or all(entry["trusted"] for entry in done)
    nobody_asked = not is_done and not all(entry["trusted"] or entry["objection"] for entry in done) and not _asks(args)
    if args.json:
        objections = [
            sentence("{folder} cannot be adopted: {objection}", folder=one["folder"], objection=one["objection"])
            for one in done
            if one["objection"]
        ]
        told = {} if is_done else {"error": NOBODY_TO_ASK if nobody_asked else "; ".join(objections)}
        print(json.dumps({"ok": is_done, "folders": done, **told}, ensure_ascii=False))
        if nobody_asked:
            print(f"channels: {shown(NOBODY_TO_ASK)}", file=sys.stderr)
    elif nobody_asked:
        raise Refused(NOBODY_TO_ASK)
    return 0 if is_done else 1


def offer(folder: Path) -> bool:
    """Show a person at the terminal what an untrusted folder holds, and adopt it if they say so; return whether."""
    if objection := _objection(folder):
        raise UntrustedState(
            sentence(
                "the state folder {folder} cannot be adopted, and nothing in it was read: {objection}",
                folder=folder,
                objection=objection,
            )
        )
    print(_text(folder, describe(folder), known=False), file=sys.stderr)
    if not _agrees(folder):
        return False
    adopt(folder)
    if words := separate_copy(folder):
        print(shown(words), file=sys.stderr)
    return True


def _look_and_adopt(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Show a folder, adopt it if that is wanted and possible, and return what was found and done."""
    known = is_trusted(folder)
    found, objection = describe(folder), "" if known else _objection(folder)
    if not args.json:
        if objection:
            print(shown(sentence("{folder} cannot be adopted: {objection}", folder=folder, objection=objection)))
        if args.show or not objection:
            print(_text(folder, found, known=known), flush=True)
    wanted = not (known or args.show or objection)
    adopted = wanted and (args.yes or (_asks(args) and _agrees(folder)))
    if adopted:
        adopt(folder)
        words = separate_copy(folder)
        if not args.json:
            done = sentence(
                "  adopted: this program uses it from now on; `channels trust --forget {folder}` undoes that",
                folder=folder,
            )
            print(shown(done))
            if words:
                print(shown(words))
    entry = {"folder": str(folder), "trusted": known or adopted, "adopted": adopted, "holds": found}
    return {**entry, "objection": objection or None}


def _asks(args: argparse.Namespace) -> bool:
    return can_ask() and not args.json


def _forget(folders: list[Path], *, as_json: bool) -> int:
    forgotten = [str(folder) for folder in folders if forget(folder)]
    if not forgotten:
        names = joined(map(str, folders), ", ")
        raise Refused(sentence("{names}: not adopted, so there is nothing to undo", names=names))
    if as_json:
        print(json.dumps({"ok": True, "forgotten": forgotten}, ensure_ascii=False))
    else:
        for name in forgotten:
            done = sentence("{folder}: forgotten; its files stay, and nothing in it is used any more", folder=name)
            print(shown(done))
    return 0


def _folders(named: str | None) -> list[Path]:
    if named is None:
        candidates = [state_dir(name) for name in CHANNELS]
    else:
        folder = expand_home(named).absolute()
        candidates = [folder / "state" / name for name in CHANNELS]
        if not any(candidate.exists() for candidate in candidates):
            candidates = [folder / name for name in CHANNELS]
        if not any(candidate.exists() for candidate in candidates):
            candidates = [folder]
    return [candidate for candidate in candidates if candidate.is_dir()]


def _agrees(folder: Path) -> bool:
    """Return whether a person at the terminal says that the folder may be adopted."""
    question = shown(sentence("Adopt {folder}?", folder=folder))
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    print(shown("Nothing was changed."), file=sys.stderr)
    return False


def _objection(folder: Path) -> str:
    """Return why this is not a state folder that could be adopted, naming what is there; "" if it is one."""
    place = folder.resolve()
    home, project = expand_home("~").resolve(), env_value("CLAUDE_PROJECT_DIR")
    if place in (home, *home.parents):
        return sentence("it is your home folder" if place == home else "your home folder lies in it")
    if os.name == "posix" and any(place.is_relative_to(system) for system in _SYSTEM):
        return sentence("it is a folder of the system")
    if project and place == expand_home(project).resolve():
        return sentence("it is the project's own folder; its state folders lie below it")
    with StateFolder.opened(folder) as opened:
        names = opened.names()
        foreign = [label(name, 80) for name in names if not is_ours_by_name(name)]
        if foreign:
            shortened = [*map(repr, foreign[:5]), *_more(len(foreign) - 5)]
            return sentence(
                "it also holds {names}, which this program does not make; name the state folder itself, or move those "
                "files out of it first",
                names=joined(shortened, ", "),
            )
        if not {KEY_FILE, "channel.db"} & set(names) and not _has_our_words(opened):
            return sentence("it holds nothing of this program; `channels setup` makes a state folder")
    return ""


def _more(count: int) -> list[str]:
    """Return what a list ends with that leaves out so many."""
    return [sentence("and {count} more", count=count)] if count > 0 else []


def _has_our_words(opened: StateFolder) -> bool:
    """Return whether a folder without a database has a .env or a config.yaml of this program."""
    variables, settings = _read(opened, ".env", _variables), _read(opened, "config.yaml", _settings)
    prefixes = tuple(f"{name.upper()}_" for name in (*CHANNELS, "channels"))
    if isinstance(variables, list) and any(name.startswith(prefixes) for name in variables):
        return True
    known = {*RENAMED, *(key for row in map(channel, CHANNELS) for key in row.settings.declared())}
    return isinstance(settings, dict) and bool(known & settings.keys())


def describe(folder: Path) -> dict[str, Any]:
    """Return what an untrusted folder holds, by file, in words that are safe to print."""
    with StateFolder.opened(folder) as opened:
        # Our own files come first, so that they are listed however many others there are.
        names = sorted(opened.names(), key=lambda name: (not is_ours_by_name(name), name))
        found: dict[str, Any] = {"files": [label(name, 80) for name in names[:NAMES_MAX]]}
        found["files"] += _more(len(names) - NAMES_MAX)
        for name, read in ((".env", _variables), ("config.yaml", _settings)):
            if name in names:
                found[name] = _read(opened, name, read)
        if set(DATABASE_FILES) & set(names):
            found["channel.db"] = summarize(opened)
    return found


def _read(opened: StateFolder, name: str, read: Callable[[str, Path], Any]) -> Any:
    """Return what a file of the folder says, or in words why it cannot be read."""
    try:
        return read(opened.read_text(name), opened.path / name)
    except ConfigError as error:
        return words_of(error)


def _variables(text: str, _path: Path) -> list[str]:
    """Return the names that a .env file sets; never the values."""
    from dotenv import dotenv_values

    found = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return [label(name, 80) for name, value in found.items() if value is not None]


def _settings(text: str, path: Path) -> dict[str, str]:
    return {label(name, 80): _shown_setting(name, value) for name, value in parse_config(text, path).items()}


def _shown_setting(name: str, value: object) -> str:
    """Return a value for people. Of an address, the user and the password go, with a scheme or without one."""
    text = str(value)
    if isinstance(value, str) and (name in _ADDRESSES or "://" in text):
        text = shown_url(text)
    # Masked before it is cut: half a secret has another shape.
    return label(mask_secrets(redact(f"{name}: {text}")).removeprefix(f"{name}: "), 200)


def _text(folder: Path, found: dict[str, Any], *, known: bool) -> str:
    head = sentence(
        "{folder}: trusted already" if known else "{folder}: not made by you on this machine", folder=folder
    )
    return "\n".join([shown(head), *lines(found)])


def lines(found: dict[str, Any]) -> list[str]:
    """Return what a folder holds, as `describe` found it, in lines for a person."""
    told = [("files", joined(found["files"], ", ") if found["files"] else "none")]
    for name, words in ((".env", _variable_words), ("config.yaml", _setting_words), ("channel.db", _count_words)):
        if name in found:
            # A text says why the file cannot be read.
            told.append((name, found[name] if isinstance(found[name], str) else words(found[name])))
    if isinstance(counts := found.get("channel.db"), dict):
        told += _named(counts)
    return [f"  {column(name, 13)}{shown(text)}" for name, text in told]


def _variable_words(names: list[str]) -> str:
    return sentence("sets {names}", names=joined(names, ", ")) if names else sentence("sets nothing")


def _setting_words(values: dict[str, str]) -> str:
    return _variable_words([f"{name}: {value}" for name, value in values.items()])


def _count_words(counts: dict[str, Any]) -> str:
    return joined((words(counts[name]) for name, words in _COUNTED.items()), ", ")


def _named(counts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what each person or group is, and who, a line each: a name could look like several."""
    people, groups = counts["named"]["people"], counts["named"]["groups"]
    return [
        *((sentence("paired"), listed_person(person)) for person in people),
        *((sentence("paired"), more) for more in _more(counts["people"] - len(people))),
        *((sentence("group"), f"{group['id']} {group['title']}") for group in groups),
        *((sentence("group"), more) for more in _more(counts["groups"] - len(groups))),
    ]
