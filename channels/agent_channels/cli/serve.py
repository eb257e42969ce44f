"""`channels serve`: the MCP server of one channel, over stdio."""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
from typing import NoReturn

from agent_channels import __version__
from agent_channels.core.server.exit import leave_on_signals
from agent_channels.core.server.handshake import greet
from agent_channels.core.server.instructions import instructions
from agent_channels.registry import channel

__all__ = ["run"]


def run(args: argparse.Namespace) -> NoReturn:
    """Answers the host's greeting, then loads what costs a second, then serves until the session's end."""
    leave_on_signals()
    opening = greet(args.channel, __version__, instructions(args.channel))
    # The collector would walk the libraries' objects again and again while they are being made. What one of them
    # prints meanwhile must not reach the host; later the session has stdout to itself.
    gc.disable()
    with contextlib.redirect_stdout(sys.stderr):
        from agent_channels.core.server.slim_imports import lean

        lean()
        from agent_channels.core.server.app import run as serve

        row = channel(args.channel)
    gc.enable()
    gc.freeze()
    # A message leaves a few thousand objects and hardly a cycle: looking for some seven times costs a twentieth of it.
    gc.set_threshold(10_000, 20, 50)
    serve(row, opening)
