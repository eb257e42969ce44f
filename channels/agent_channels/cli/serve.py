"""`channels serve`: the MCP server of one channel, over stdio."""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
from typing import NoReturn

from agent_channels import __version__
from agent_channels.core.server.exit import leave_on_signals
from agent_channels.core.server.handshake import answer_handshake
from agent_channels.core.server.instructions import instructions
from agent_channels.registry import channel

__all__ = ["run"]


def run(args: argparse.Namespace) -> NoReturn:
    """Answer the host's `initialize`, then import what takes a second, then serve until the session ends."""
    leave_on_signals()
    opening = answer_handshake(args.channel, __version__, instructions(args.channel))
    # The garbage collector would walk the libraries' objects again and again while they are being imported. What a
    # library prints meanwhile must not reach the host; later the session has stdout to itself.
    gc.disable()
    with contextlib.redirect_stdout(sys.stderr):
        from agent_channels.core.server.slim_imports import slim_imports

        slim_imports()
        from agent_channels.core.server.app import run as serve

        row = channel(args.channel)
    gc.enable()
    gc.freeze()
    # A message leaves a few thousand objects and hardly a cycle. At the default thresholds the collector would run
    # seven times for it, a twentieth of the time that it takes.
    gc.set_threshold(10_000, 20, 50)
    serve(row, opening)
