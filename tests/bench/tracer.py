"""Run a program and record, between two files' appearance, which of its modules are entered and what SQL it runs.

python tracer.py FOLDER PACKAGE MODULE:FUNCTION [ARGUMENT ...]

Recording starts when FOLDER/start appears and ends when FOLDER/stop does; FOLDER/trace.json then holds
{modules: [name, ...] in the order of first entry, statements: [sql, ...]}. It imports nothing of ours, so that it
traces any version of the program.
"""

from __future__ import annotations

import importlib
import json
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

LOOK_EVERY_S = 0.002


class Trace:
    """What was seen while recording."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder, self.package = folder, package
        self.active = False
        self.modules: dict[str, None] = {}
        self.statements: list[str] = []

    def watch(self) -> None:
        """Wait for the two files, then write the result."""
        for name, active in (("start", True), ("stop", False)):
            while not (self.folder / name).exists():
                time.sleep(LOOK_EVERY_S)
            self.active = active
        result = {"modules": list(self.modules), "statements": self.statements}
        (self.folder / "trace.tmp").write_text(json.dumps(result))
        (self.folder / "trace.tmp").rename(self.folder / "trace.json")

    def profile(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Note the module of every function that is called."""
        if self.active and event == "call":
            name = frame.f_globals.get("__name__", "")
            if name.startswith(self.package):
                self.modules.setdefault(name)

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """`sqlite3.connect`, with every statement noted."""
        connection = _connect(*arguments, **options)
        connection.set_trace_callback(lambda sql: self.statements.append(sql) if self.active else None)
        return connection


_connect = sqlite3.connect


def main() -> None:
    folder, package, entry, *arguments = sys.argv[1:]
    trace = Trace(Path(folder), package)
    sqlite3.connect = trace.connect  # type: ignore[assignment]
    # The server is a process that the program forks; a thread does not live on in it.
    os.register_at_fork(after_in_child=lambda: threading.Thread(target=trace.watch, daemon=True).start())
    threading.setprofile(trace.profile)
    sys.setprofile(trace.profile)
    sys.argv = ["channels", *arguments]
    module, _, function = entry.partition(":")
    getattr(importlib.import_module(module), function)()


if __name__ == "__main__":
    main()
