"""A folder and a moment in which file permissions count, whoever runs the tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["unprivileged"]

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[Path]:
    """A new folder of an ordinary user; while it lasts this process has that user's rights only."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        if root:
            os.chown(name, NOBODY, NOBODY)
            # The saved id stays, to come back with.
            os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield Path(name)
        finally:
            if root:
                os.setresuid(0, 0, 0)
            for folder in Path(name).rglob("*"):
                folder.chmod(0o700)
