"""`channels restore`: the state of a backup in place of what this project has, which is kept beside it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import sqlite3
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_channels.cli.arguments import add_json, can_ask
from agent_channels.cli.hub_copies import separate_copy
from agent_channels.cli.language import shown
from agent_channels.cli.progress import ProgressLine
from agent_channels.core.errors import ConfigError, Refused, StoreError
from agent_channels.core.i18n.sentences import counted, joined, sentence
from agent_channels.core.log import redact
from agent_channels.core.services import Services
from agent_channels.core.settings.paths import expand_home, state_dir
from agent_channels.core.settings.private_files import write_atomically
from agent_channels.core.settings.state_folder import (
    StateFolder,
    adopt,
    forget,
    is_empty,
    make_state_folder,
    read_state_file,
)
from agent_channels.core.store.backup import DATABASE, BackupReader, check_database
from agent_channels.core.store.database import Store
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import local_time
from agent_channels.registry import CHANNELS

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "bring the state of a backup back, into a project whose servers are stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file, --yes and --json."""
    parser.add_argument("file", metavar="FILE", help="what `channels backup` wrote")
    parser.add_argument("--yes", action="store_true", help="restore without asking; needed where nobody can be asked")
    add_json(parser)


@dataclass(slots=True)
class _Restored:
    """One channel: the folder that its backup was unpacked into, its place, and where what was there is kept."""

    channel: str
    staged: Path
    target: Path
    kept: Path | None = None
    open_messages: int = 0
    # What to say of a backup of another project that is still here.
    copy_words: str = ""
    # Whether the token is this project's own, as the backup holds none.
    own_token: bool = False


def run(args: argparse.Namespace) -> int:
    """Check everything, ask, and then put each folder in its place; on any error all is as it was."""
    path = expand_home(args.file).absolute()
    with contextlib.ExitStack() as stack, ProgressLine() as progress:
        try:
            backup = stack.enter_context(BackupReader.opened(path, CHANNELS))
        except OSError as error:
            raise ConfigError(
                sentence("{path} cannot be read ({error})", path=path, error=error.strerror or error)
            ) from error
        made: list[_Restored] = []
        stack.callback(_clear, made)
        for channel in dict.fromkeys(stored.channel for stored in backup.stored):
            progress.what = shown(sentence("unpacking {channel}", channel=channel))
            _stage(backup, channel, made, progress)
        if not _agreed(args, backup, made):
            print(shown("Nothing was changed."), file=sys.stderr)
            return 1
        _swap(made)
        _report(args, made)
    return 0


def _stage(backup: BackupReader, channel: str, made: list[_Restored], progress: ProgressLine) -> None:
    """Unpack and check one channel in a new folder beside its place."""
    target = state_dir(channel)
    if not is_empty(target):
        with StateFolder.opened(target) as folder:
            folder.require_known()
        with _locked(target, channel):
            pass
    staged = target.with_name(f"{target.name}.restore-{secrets.token_hex(4)}")
    restored = _Restored(channel, make_state_folder(staged), target)
    made.append(restored)
    backup.extract(channel, staged, progress)
    if (staged / DATABASE).exists():
        check_database(staged / DATABASE)
        with Store(staged / DATABASE) as store:
            restored.open_messages = Services.of(store).inbox.mark_restored()
        restored.copy_words = separate_copy(staged, replaced=target)
    # A backup without the token leaves this project's own in force.
    if not (staged / ".env").stat().st_size and (token := read_state_file(target / ".env")):
        write_atomically(staged / ".env", token)
        restored.own_token = True


@contextlib.contextmanager
def _locked(folder: Path, channel: str) -> Any:
    """Keep every program out of a folder's database. Raises `Refused` if one has it open."""
    with contextlib.ExitStack() as stack:
        alone = True
        try:
            if (folder / DATABASE).exists():
                alone = stack.enter_context(Store(folder / DATABASE, migrations=None)).lock_out_others()
        except StoreError as error:
            # Nothing runs on a database that is damaged, and that is what backups are for.
            if type(error.__cause__) is not sqlite3.DatabaseError:
                raise
        if not alone:
            raise Refused(
                sentence(
                    "a server or a hook has the state of {channel} open, so nothing was changed; end the agent's "
                    "sessions in this project, and `channels open`, first (`channels status {channel}` says who reads "
                    "the bot)",
                    channel=channel,
                )
            )
        yield


def _agreed(args: argparse.Namespace, backup: BackupReader, made: list[_Restored]) -> bool:
    """Show what would be restored, and who would be let in by it; return whether that is wanted."""
    if not args.json:
        from agent_channels.cli.trust import describe, lines

        made_by = sentence(
            "a backup of {made_at}, by version {version}:",
            made_at=label(local_time(backup.made_at)),
            version=label(backup.version),
        )
        print(shown(made_by))
        for one in made:
            place = sentence("{channel}: what {folder} will hold", channel=one.channel, folder=one.target)
            holds = describe(one.staged)
            if one.own_token:
                holds[".env"] = sentence("not in the backup: this project's own stays")
            print(redact("\n".join([shown(place), *lines(holds)])), flush=True)
    if args.yes:
        return True
    if args.json or not can_ask():
        raise Refused(sentence("nothing was changed: there is nobody to ask; repeat the command with --yes"))
    print(f"{shown('Restore it?')} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _swap(made: list[_Restored]) -> None:
    """Put the new folders in their places; what was there is renamed, and renamed back if anything fails."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    with contextlib.ExitStack() as locks:
        done: list[_Restored] = []
        try:
            for one in made:
                locks.enter_context(_locked(one.target, one.channel))
                if os.name != "posix":
                    # A file that is open keeps its folder in its place.
                    locks.close()
                done.append(one)
                if one.target.exists():
                    kept = one.target.with_name(f"{one.target.name}.before-{stamp}-{secrets.token_hex(2)}")
                    one.target.rename(kept)
                    one.kept = kept
                one.staged.rename(one.target)
                # Some file systems know a folder by its path alone.
                adopt(one.target)
                Store.open(one.target).close()
        except BaseException as error:
            for one in reversed(done):
                _undo(one)
            if isinstance(error, OSError):
                raise ConfigError(
                    sentence(
                        "{path} cannot be renamed ({error}); all is as it was",
                        path=error.filename,
                        error=error.strerror or error,
                    )
                ) from error
            raise


def _undo(one: _Restored) -> None:
    if not one.staged.exists() and one.target.exists():
        one.target.rename(one.staged)
    if one.kept is not None:
        one.kept.rename(one.target)
        one.kept = None


def _clear(made: list[_Restored]) -> None:
    """Remove what was unpacked and is not in its place."""
    for one in made:
        if one.staged.exists():
            with contextlib.suppress(OSError, ConfigError):
                forget(one.staged)
            shutil.rmtree(one.staged, ignore_errors=True)


def _report(args: argparse.Namespace, made: list[_Restored]) -> None:
    if args.json:
        restored = [
            {
                "channel": one.channel,
                "folder": str(one.target),
                "kept": str(one.kept) if one.kept else None,
                "open_messages": one.open_messages,
            }
            for one in made
        ]
        print(json.dumps({"ok": True, "restored": restored}, ensure_ascii=False))
        return
    for one in made:
        said = [sentence("{channel}: restored into {folder}", channel=one.channel, folder=one.target)]
        if one.open_messages:
            messages = counted(one.open_messages, "open message")
            said.append(sentence("{messages} will be offered again", messages=messages))
        print(shown(joined(said)))
        if one.copy_words:
            print(shown(one.copy_words))
        if one.kept:
            kept = sentence(
                "  what was there before is in {folder}: remove it once you do not need it", folder=one.kept
            )
            print(shown(kept))
        if not read_state_file(one.target / ".env"):
            print(shown(sentence("  it has no token: run `channels setup {channel}`", channel=one.channel)))
