"""`channels setup`: takes a token from a hidden prompt or standard input, checks it, and keeps it to the owner."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import secrets
import sys
from pathlib import Path

import anyio

from channels.cli import channel
from channels.core.channel import Channel
from channels.core.config import Environment, load
from channels.core.errors import ConfigError
from channels.core.log import configure, keep_secret
from channels.core.paths import env_value, private_state
from channels.core.types import Identity

__all__ = ["run"]


def run(args: argparse.Namespace) -> int:
    """Stores the token in STATE_DIR/.env, if the platform knows it."""
    configure("WARNING")
    row, env = channel(args.channel), Environment(args.channel)
    settings = load(row.settings, env)
    token = _ask(row, stdin=args.token_stdin)
    keep_secret(token)
    row.bot_id(token)

    async def identify() -> Identity:
        async with row.connect(env, settings, token) as adapter:
            return await adapter.identify()

    me = anyio.run(identify)
    name = f"{row.name.upper()}_BOT_TOKEN"
    path = _write(env.state_dir, name, token)
    shadow = env_value(name)
    warning = ""
    if shadow and shadow != token:
        warning = f"\nThe shell variable {name} holds another token and wins over this file; unset it."
    if args.json:
        print(json.dumps({"ok": True, "bot": {"id": me.id, "username": me.username}, "stored": str(path)}))
    else:
        print(
            f"{row.title} bot @{me.username} ({me.name}): the token works and is stored in {path}, readable by you "
            f"only.{warning}\nNext: start your agent host in this project, write to @{me.username}, and let yourself "
            f"in with the code it answers:\n  channels access {row.name} pair CODE"
        )
    return 0


def _ask(row: Channel, *, stdin: bool) -> str:
    if stdin:
        token = sys.stdin.readline().strip()
    elif sys.stdin.isatty():
        token = getpass.getpass(f"{row.title} bot token (not shown): ").strip()
    else:
        raise ConfigError("there is no terminal to ask for the token; pipe it in with --token-stdin")
    if not token:
        raise ConfigError("no token was given; nothing was changed")
    return token


def _write(state: Path, name: str, token: str) -> Path:
    """Sets one line of .env and leaves the others; replaced in one step, so a crash leaves the old file."""
    path = private_state(state) / ".env"
    kept: list[str] = []
    with contextlib.suppress(FileNotFoundError):
        kept = [
            line
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.removeprefix("export ").split("=")[0].strip() != name
        ]
    draft = path.with_name(f".env.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join([*kept, f"{name}={token}"]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written ({error.strerror or error}); nothing was changed") from error
    return path
