"""`channels backup`: the project's state in one private file, while servers run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import time

from agent_channels import __version__
from agent_channels.cli.arguments import add_json
from agent_channels.cli.language import shown
from agent_channels.cli.progress import ProgressLine
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.sentences import counted, joined, sentence
from agent_channels.core.settings.paths import expand_home, state_dir
from agent_channels.core.settings.state_folder import is_empty
from agent_channels.core.store.backup import Stored, write_backup
from agent_channels.core.text.times import epoch_iso
from agent_channels.registry import CHANNELS

__all__ = ["SUMMARY", "add_arguments", "run", "size_words"]

SUMMARY = "copy the project's state into one file, while servers run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file and what it holds."""
    parser.add_argument("file", metavar="FILE", help="the file to write, such as backup.zip; it must not exist")
    parser.add_argument("--with-files", action="store_true", help="also what people sent as files")
    parser.add_argument("--with-secrets", action="store_true", help="also the bots' tokens (.env)")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the backup and say what is in it."""
    target = expand_home(args.file).absolute()
    folders = {name: state_dir(name) for name in CHANNELS}
    folders = {name: path for name, path in folders.items() if not is_empty(path)}
    if not folders:
        raise Refused(sentence("this project has no state yet; run `channels setup`"))
    with ProgressLine() as progress:
        progress.what = shown(sentence("copying to {file}", file=target.name))
        stored = write_backup(
            target,
            folders,
            __version__,
            str(epoch_iso(time())),
            files=args.with_files,
            secrets=args.with_secrets,
            tell=progress,
        )
    size = target.stat().st_size
    if args.json:
        data = {"ok": True, "file": str(target), "bytes": size, "with_secrets": args.with_secrets}
        listed = [{"channel": one.channel, "name": one.name, "bytes": one.size} for one in stored]
        print(json.dumps({**data, "holds": listed}, ensure_ascii=False))
    else:
        advice = shown(_advice(secrets=args.with_secrets))
        print("\n".join([f"{target}: {shown(size_words(size))}", *_lines(stored, folders), advice]))
    return 0


def size_words(size: int) -> str:
    """Return a size for a person."""
    for unit, bytes_ in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return counted(size, "byte")


def _with_size(name: str, size: int) -> str:
    return sentence("{name} ({size})", name=name, size=size_words(size))


def _lines(stored: list[Stored], folders: dict[str, Path]) -> list[str]:
    lines = []
    for channel in folders:
        mine = [one for one in stored if one.channel == channel]
        single = [_with_size(one.name, one.size) for one in mine if not one.name.startswith("files/")]
        files = [one.size for one in mine if one.name.startswith("files/")]
        single += [_with_size(counted(len(files), "file"), sum(files))] if files else []
        lines.append(f"  {channel:<12} {shown(joined(single, ', ') if single else 'nothing')}")
    return lines


def _advice(*, secrets: bool) -> str:
    return sentence(
        "It holds what people wrote, and the bots' tokens are in it. `channels restore` brings it back."
        if secrets
        else "It holds what people wrote, and the bots' tokens are not in it. `channels restore` brings it back."
    )
