"""Less to import: a stdio server needs a tenth of what its libraries bring along."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["lean"]

# Two HTTP clients' command lines, a web server, and what only passports and signed tokens need: 13 MB together.
_UNUSED = ("httpx._main", "httpx2._main", "uvicorn", "cryptography")
# Importing any part of the SDK runs what these hold, which imports its client, its web transports and a second HTTP
# client: 12 MB and a tenth of a second.
_HOLLOW = ("mcp", "mcp.server")
# What a session is made of; whether the SDK can do without the rest shows here.
_NEEDED = ("mcp.types", "mcp.server.lowlevel", "mcp.server.runner", "mcp.shared.message")


def lean() -> None:
    """Keeps what is not needed from being imported. To be called before anything of the SDK is."""
    for name in _UNUSED:
        # `None` makes their import fail, which the libraries that ask for them are prepared for.
        sys.modules.setdefault(name, cast("ModuleType", None))
    try:
        for name in _HOLLOW:
            _hollow(name)
        for name in _NEEDED:
            importlib.import_module(name)
    except (ImportError, AttributeError):
        # Another version of the SDK may be built in another way: then it is imported whole, with all that it may need.
        for name in _UNUSED:
            sys.modules.pop(name, None)
        for name in [name for name in sys.modules if name.partition(".")[0] == "mcp"]:
            del sys.modules[name]


def _hollow(name: str) -> None:
    """Enters a package whose own code is not run; its modules are found as ever."""
    spec = importlib.util.find_spec(name)
    if spec is None or name in sys.modules:
        return
    package = sys.modules[name] = importlib.util.module_from_spec(spec)
    parent, _, leaf = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], leaf, package)
