"""`channels sandbox`: the main job with no account and no network, on a chat page or in the terminal."""

from __future__ import annotations

import argparse

__all__ = ["run"]

PORT = 8765


def run(args: argparse.Namespace) -> int:
    """Serves the chat page until it is interrupted, or plays the transcript.

    0 when all went well; 130 when the transcript was interrupted.
    """
    if args.transcript or args.keep:
        from agent_channels.sandbox.demo import run as demo

        return demo.perform(keep=args.keep, port=args.port or 0)
    from agent_channels.sandbox.page import run as page_run

    port = PORT if args.port is None else args.port
    return page_run.perform(port=port, browser=not args.no_open, scripted=args.agent == "scripted")
