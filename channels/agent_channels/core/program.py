"""How this program was installed, and by which words a person at a terminal calls it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from agent_channels.core.frozen import frozen
from agent_channels.core.patterns import lazy_pattern

__all__ = [
    "DISTRIBUTION",
    "Installation",
    "called",
    "in_hints",
    "install_command",
    "installation",
    "is_on_path",
    "own_script",
]

DISTRIBUTION = "agent-channels"
Kind = Literal["uv tool", "uvx", "pipx", "pipx run", "clone", "plugin", "pip"]
# Where a command stands in a sentence, or on a line of its own.
_HINT = lazy_pattern(r"(`|^ +)channels (?=[a-z])", re.MULTILINE)
# The folders of uv's cache that hold the environments which `uvx` makes.
_UVX = lazy_pattern(r"(archive|environments)-v\d+")
_PLUGIN = lazy_pattern(r"env-[0-9a-f]{16}")


@frozen
class Installation:
    """What put this program here. `prefix` is its environment; `source` a path or URL, None for the package index."""

    kind: Kind
    prefix: Path
    source: str | None

    @property
    def passing(self) -> bool:
        """Whether the environment may be gone tomorrow, so that no host can be told to start it."""
        return self.kind in {"uvx", "pipx run"}

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return self.prefix / ("python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def removed_by(self) -> str:
        """The command that removes the program; empty where nothing of it stays."""
        return {
            "uv tool": f"uv tool uninstall {DISTRIBUTION}",
            "pipx": f"pipx uninstall {DISTRIBUTION}",
            "plugin": f"claude plugin uninstall {DISTRIBUTION}",
            "pip": f"{shlex.quote(str(self.python))} -m pip uninstall {DISTRIBUTION}",
            "clone": f"{shlex.quote(str(self.python))} -m pip uninstall {DISTRIBUTION}",
        }.get(self.kind, "")

    @property
    def requirement(self) -> str:
        """What an installer is given to install the same again, quoted for a shell."""
        return shlex.quote(self.source or DISTRIBUTION)


def installation() -> Installation:
    """Return how the program that runs now was installed, by what the installer left in its environment."""
    prefix = Path(sys.prefix)
    source, editable = _source()
    return Installation(_kind(prefix, editable=editable), prefix, source)


def _kind(prefix: Path, *, editable: bool) -> Kind:
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool"
    if _UVX.fullmatch(prefix.parent.name) and (prefix.parents[1] / "CACHEDIR.TAG").is_file():
        return "uvx"
    if {"pipx", ".cache"} <= set(prefix.parts) or {"pipx", "Caches"} <= set(prefix.parts):
        return "pipx run"
    if (prefix / "pipx_metadata.json").is_file():
        return "pipx"
    if _PLUGIN.fullmatch(prefix.name) and (prefix / "ready").is_file():
        return "plugin"
    return "clone" if editable else "pip"


def _source() -> tuple[str | None, bool]:
    """Return the path or URL that was installed, None for the package index, and whether it is an editable clone."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        text = distribution(DISTRIBUTION).read_text("direct_url.json")
        found = json.loads(text or "{}")
        url = str(found.get("url") or "")
        parts = urlsplit(url)
    except (PackageNotFoundError, ValueError, AttributeError, OSError):
        return None, False
    editable = bool((found.get("dir_info") or {}).get("editable"))
    if parts.scheme == "file":
        return unquote(parts.path), editable
    vcs = (found.get("vcs_info") or {}).get("vcs")
    return (f"{vcs}+{url}" if vcs else url) or None, editable


def install_command(*extras: str) -> str:
    """Return the command that installs this program with extras, in place of the one that runs now."""
    here = installation()
    wanted = f"[{','.join(extras)}]"
    if here.source is None:
        wanted = DISTRIBUTION + wanted
    else:
        wanted = f"{DISTRIBUTION}{wanted} @ {here.source}" if "://" in here.source else here.source + wanted
    quoted = shlex.quote(wanted)
    if here.kind in {"uv tool", "uvx"}:
        return f"uv tool install {quoted}"
    if here.kind in {"pipx", "pipx run"}:
        return f"pipx install --force {quoted}"
    return f"{shlex.quote(str(here.python))} -m pip install {'-e ' if here.kind == 'clone' else ''}{quoted}"


def own_script() -> Path:
    """Return the command that starts this program: the one in its environment, or the one that was called."""
    script = Path(sysconfig.get_path("scripts")) / ("channels.exe" if sys.platform == "win32" else "channels")
    return script if script.exists() else Path(shutil.which("channels") or sys.argv[0]).absolute()


def is_on_path(environ: Mapping[str, str]) -> bool:
    """Return whether `channels` alone starts this program in any terminal of the user's.

    What an environment that is activated here puts on the PATH is not there in the next terminal.
    """
    found, script = shutil.which("channels", path=environ.get("PATH")), own_script()
    active = environ.get("VIRTUAL_ENV")
    if found is None or (active and Path(active) in Path(found).absolute().parents):
        return False
    return os.path.realpath(found) == os.path.realpath(script)


@cache
def called() -> str:
    """Return the words by which a person in this folder calls this program: `channels`, a path, or a runner's line."""
    runs = {"uvx": "uvx --from", "pipx run": "pipx run --spec"}
    kind = _kind(Path(sys.prefix), editable=False)
    if kind in runs:
        return f"{runs[kind]} {installation().requirement} channels"
    script = own_script()
    found = shutil.which("channels")
    if found is not None and os.path.realpath(found) == os.path.realpath(script):
        return "channels"
    # A link that an installer made for it, where that is what was called.
    typed = Path(sys.argv[0]).absolute()
    script = typed if os.path.realpath(typed) == os.path.realpath(script) else script
    below = script.relative_to(Path.cwd()) if Path.cwd() in script.parents else script
    return shlex.quote(str(below))


def in_hints(text: str) -> str:
    """Return a text in which each command begins with the words that start this program here."""
    if "channels " not in text or not _HINT.search(text):
        return text
    name = called()
    return text if name == "channels" else _HINT.sub(lambda match: f"{match[1]}{name} ", text)
