"""`channels serve`: the MCP server of one channel, over stdio."""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
from typing import TYPE_CHECKING, NoReturn, cast

from channels import __version__
from channels.cli import channel
from channels.core.ending import leave_on_signals
from channels.core.greeting import greet
from channels.core.instructions import instructions

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["run"]

# What a stdio server never uses of its libraries: two HTTP clients' command lines and a web server, 6 MB together.
_UNUSED = ("httpx._main", "httpx2._main", "uvicorn")


def run(args: argparse.Namespace) -> NoReturn:
    """Answers the host's greeting, then loads what costs a second, then serves until the session's end."""
    leave_on_signals()
    opening = greet(args.channel, __version__, instructions(args.channel))
    for unused in _UNUSED:
        # `None` makes their import fail, which the libraries that ask for them are prepared for.
        sys.modules.setdefault(unused, cast("ModuleType", None))
    # The collector would walk the libraries' objects again and again while they are being made. What one of them
    # prints meanwhile must not reach the host; later the session has stdout to itself.
    gc.disable()
    with contextlib.redirect_stdout(sys.stderr):
        from channels.core.app import run as serve

        row = channel(args.channel)
    gc.enable()
    gc.freeze()
    serve(row, opening)
