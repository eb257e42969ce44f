"""`channels serve`: the MCP server of one channel, over stdio."""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
from typing import NoReturn

from agent_channels import __version__
from agent_channels.cli.arguments import add_channel
from agent_channels.core.server.exit import leave_on_signals
from agent_channels.core.server.handshake import answer_handshake
from agent_channels.core.server.instructions import instructions
from agent_channels.registry import channel

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "run the MCP server over stdio; an agent host starts it from .mcp.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel."""
    add_channel(parser)


def run(args: argparse.Namespace) -> NoReturn:
    """Answer the host's handshake, import the rest, which takes most of a second, then serve until the session ends."""
    leave_on_signals()
    handshake = answer_handshake(args.channel, __version__, instructions(args.channel))
    # Importing creates many objects that live forever; the collector would walk them again and again. Whatever a
    # library prints meanwhile must not reach the host; later the session has stdout to itself.
    gc.disable()
    with contextlib.redirect_stdout(sys.stderr):
        from agent_channels.core.server.slim_imports import slim_imports

        slim_imports()
        from agent_channels.core.server.app import run as serve

        row = channel(args.channel)
    gc.enable()
    gc.freeze()
    # A message leaves a few thousand objects but hardly a cycle; with the default thresholds the collector would run
    # about seven times per message, a twentieth of its cost.
    gc.set_threshold(10_000, 20, 50)
    serve(row, handshake)
