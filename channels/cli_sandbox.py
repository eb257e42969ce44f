"""`channels sandbox`: the main job in the terminal, with no account and no network."""

from __future__ import annotations

import argparse

__all__ = ["run"]


def run(args: argparse.Namespace) -> int:
    """Plays the demo; 0 when everything in it happened, 130 when it was interrupted."""
    from channels.sandbox.demo import perform

    return perform(keep=args.keep, port=args.port)
