"""`channels sandbox`: chat with an agent without an account or network, on a chat page or in the terminal."""

from __future__ import annotations

import argparse

__all__ = ["run"]

PORT = 8765


def run(args: argparse.Namespace) -> int:
    """Serve the chat page until it is interrupted, or play the transcript.

    Returns the exit code: 0, or 130 when the transcript was interrupted.
    """
    if args.transcript or args.keep:
        from agent_channels.sandbox.demo import run as demo

        return demo.run(keep=args.keep, port=args.port or 0)
    from agent_channels.sandbox.page import run as page

    port = PORT if args.port is None else args.port
    return page.run(port=port, browser=not args.no_open, scripted=args.agent == "scripted")
