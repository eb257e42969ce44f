"""What a server does not need is not imported, and an SDK that is built in another way is imported whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

LEAN = """
import sys
from agent_channels.core.server.slim_imports import slim_imports
slim_imports()
import agent_channels.core.server.session
unwanted = [name for name in ("mcp.client", "mcp.server.mcpserver", "httpx2", "uvicorn") if sys.modules.get(name)]
sys.exit(", ".join(unwanted) or 0)
"""
# As if the session's parts asked for what the packages' own code defines.
OTHER = """
import importlib
from agent_channels.core.server.slim_imports import slim_imports
ordinary = importlib.import_module
def refusing(name, package=None):
    if name == "mcp.server.runner":
        raise {error}("another version")
    return ordinary(name, package)
importlib.import_module = refusing
slim_imports()
import mcp
from mcp.server import Server
import agent_channels.core.server.session
assert mcp.ClientSession
assert agent_channels.core.server.session.Server is Server
"""


@pytest.mark.parametrize("script", [LEAN, OTHER.format(error="ImportError"), OTHER.format(error="AttributeError")])
def test_a_session_imports_no_more_than_it_needs(script: str) -> None:
    """Neither the SDK's client nor its web transports; and where the SDK cannot do without them, all of it."""
    ran = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
