"""What this process leaves behind for others on the machine: no readable files, and no memory image."""

from __future__ import annotations

import os
import sys

__all__ = ["keep_private", "undo_for_child"]

PRIVATE = 0o077
_before: tuple[int, int] | None = None


def keep_private(*, for_good: bool) -> None:
    """Let nobody else read or write what this process creates, and write no core dump: its memory holds the token.

    Unless `for_good`, `undo_for_child` can take it back.
    """
    global _before  # noqa: PLW0603 - the process has one umask
    umask, size = os.umask(PRIVATE), 0
    if sys.platform != "win32":
        import resource

        size, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if for_good else most))
    _before = (umask, size)


def undo_for_child() -> None:
    """Give a program that takes this process's place what this one was started with."""
    if _before is None:
        return
    os.umask(_before[0])
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (_before[1], resource.getrlimit(resource.RLIMIT_CORE)[1]))
