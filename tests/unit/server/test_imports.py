"""A server's start is mostly the import of libraries: so they are a budget of modules, not of time."""

from __future__ import annotations

import json
import subprocess
import sys

# What a server imports, in its order: up to the answer to `initialize`, to the loop that takes tool calls, and to the
# first call of a tool.
STAGES = """
import json, sys
def libraries():
    names = {name.partition(".")[0] for name in sys.modules if sys.modules[name] is not None}
    return sorted({name for name in names if name[0] != "_"} - set(sys.stdlib_module_names) - BEFORE)
BEFORE = {name.partition(".")[0] for name in sys.modules}
import agent_channels.cli.main, agent_channels.cli.serve
import agent_channels.core.server.handshake, agent_channels.core.server.instructions
found = [libraries()]
import agent_channels.core.server.app
found.append(libraries())
import agent_channels.core.doctor.examine
found.append(libraries())
print(json.dumps(found))
"""


def test_a_server_imports_no_more_than_it_needs() -> None:
    """Nothing but itself for the handshake, no MCP SDK at all, and no library of a platform's before it connects."""
    ran = subprocess.run([sys.executable, "-c", STAGES], check=True, capture_output=True, text=True, timeout=60)
    greeting, serving, called = map(set, json.loads(ran.stdout))
    assert greeting == {"agent_channels"}
    assert serving - greeting <= {"anyio", "typing_extensions"}
    assert called == serving
