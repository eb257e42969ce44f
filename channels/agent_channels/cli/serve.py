"""`channels serve`: the MCP server of one channel, over stdio."""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
from typing import NoReturn

from agent_channels import __version__
from agent_channels.cli.arguments import add_channel
from agent_channels.core.server.supervisor import supervise
from agent_channels.registry import CHANNELS, channel

__all__ = ["SUMMARY", "add_arguments", "run", "serve"]

SUMMARY = "run the MCP server over stdio; an agent host starts it from .mcp.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the channel."""
    add_channel(parser)


def run(args: argparse.Namespace) -> NoReturn:
    """Supervise a process that serves, and in that one: `serve`."""
    supervise()
    serve(args.channel)


def serve(name: str) -> NoReturn:
    """Answer the host's handshake, import the rest, which takes longer, then serve until the session ends."""
    # Imported here: the supervisor needs none of it.
    from agent_channels.core.server.exit import leave_on_signals
    from agent_channels.core.server.handshake import answer_handshake
    from agent_channels.core.server.instructions import PROMPTS, instructions
    from agent_channels.core.server.protocol import McpConversation

    leave_on_signals()
    handshake = answer_handshake(McpConversation(name, __version__, instructions(name), PROMPTS))
    # Importing creates many objects that live forever; the collector would walk them again and again. Whatever a
    # library prints meanwhile must not reach the host; later the session has stdout to itself.
    gc.disable()
    with contextlib.redirect_stdout(sys.stderr):
        row = channel(name)
        handshake.list_tools_with(row.formats)
        from agent_channels.core.settings.certificates import read_ahead

        read_ahead()
        from agent_channels.core.server.app import run as serve_channel

    gc.enable()
    gc.freeze()
    # A message leaves a few thousand objects but hardly a cycle; with the default thresholds the collector would run
    # about seven times per message, a twentieth of its cost.
    gc.set_threshold(10_000, 20, 50)
    serve_channel(row, handshake, tuple(CHANNELS))
