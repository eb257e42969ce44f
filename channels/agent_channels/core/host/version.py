"""The version of the host's program, which decides what its settings may hold."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping

__all__ = ["TURN_HOOKS_SINCE", "takes_turn_hooks"]

# The first version that knows hooks of the type `mcp_tool`. An older one ignores every hook in a file that has one, its
# commands too; tried with 2.1.117, 2.1.118, 2.1.150, 2.1.200 and 2.1.328.
TURN_HOOKS_SINCE = (2, 1, 118)
ANSWERS_WITHIN_S = 10.0
# What a program needs to start at all; it is given no credential.
_PASSED_ON = ("PATH", "HOME", "LANG", "SYSTEMROOT", "USERPROFILE")


def takes_turn_hooks(program: str | None, environ: Mapping[str, str]) -> bool:
    """Return whether the host whose program this is takes hooks that call a running server.

    None, and a program that does not say its version, count as a current one: hosts update themselves.
    """
    version = _version(program, environ) if program else None
    return version is None or version >= TURN_HOOKS_SINCE


def _version(program: str, environ: Mapping[str, str]) -> tuple[int, ...] | None:
    env = {name: environ[name] for name in _PASSED_ON if name in environ}
    try:
        ran = subprocess.run(  # noqa: S603 - what the person named, or `claude`
            [program, "--version"],
            env=env,
            cwd=os.sep,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWERS_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(rb"\s*(\d{1,6})\.(\d{1,6})\.(\d{1,6})\b", ran.stdout)
    return tuple(map(int, found.groups())) if found else None
