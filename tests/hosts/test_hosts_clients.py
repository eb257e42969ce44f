"""Other MCP clients, the real ones: MCP Inspector's command line and the FastMCP client list every tool and can ask."""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from harness import COMMAND, Stage
from scratch_installs import npm_package, venv_with

TOOLS = {
    "reply",
    "react",
    "edit_message",
    "download_attachment",
    "ask",
    "wait_for_messages",
    "fetch_messages",
    "channel_status",
}
PATIENCE_S = 60.0

FASTMCP = """
import asyncio, json, os, sys
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

async def main():
    transport = StdioTransport(command=sys.argv[1], args=sys.argv[2:-1], env=dict(os.environ))
    async with Client(transport) as client:
        print(json.dumps(sorted(tool.name for tool in await client.list_tools())), flush=True)
        result = await client.call_tool("ask", json.loads(sys.argv[-1]))
        print(result.content[0].text, flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npm_package(tmp_path_factory.mktemp("inspector"), "@modelcontextprotocol/inspector") / "mcp-inspector"


@pytest.fixture(scope="session")
def fastmcp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return venv_with(tmp_path_factory.mktemp("fastmcp") / "venv", "fastmcp")


async def client(stage: Stage, *command: str) -> asyncio.subprocess.Process:
    """Starts a client program, which starts the server with what it inherits: nothing says that it will hear."""
    env = stage._env({"CLAUDE_CODE_SESSION_ID": None, "CHANNELS_CLAIM": None})
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=stage.project, env=env)


async def printed(process: asyncio.subprocess.Process) -> str:
    """What a client printed when it ended well."""
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-2000:] + out.decode()[-2000:]
    return out.decode()


@pytest.mark.timeout(400)
@pytest.mark.long
async def test_inspector_lists_every_tool_and_asks(stage: Stage, inspector: Path) -> None:
    """tools/list names them all; `ask` with buttons as JSON text prints the label that was tapped."""
    if shutil.which("node") is None:
        pytest.skip("there is no node to run the Inspector with")
    ann = stage.person()
    base = [str(inspector), "--cli", *COMMAND, "serve", "telegram", "--method"]
    listed = json.loads(await printed(await client(stage, *base, "tools/list")))
    assert {tool["name"] for tool in listed["tools"]} == TOOLS
    buttons = json.dumps([["Red", "Blue"], ["Green"]])
    arguments = [f"chat_id={ann.id}", "text=Which colour?", f"buttons={buttons}", "timeout_s=50"]
    asked = await client(
        stage, *base, "tools/call", "--tool-name", "ask", *(p for a in arguments for p in ("--tool-arg", a))
    )
    grid = await ann.next_message(PATIENCE_S)
    ann.tap(grid["message_id"], label="Blue")
    answer: dict[str, Any] = json.loads(await printed(asked))
    assert not answer.get("isError")
    assert json.loads(answer["content"][0]["text"])["label"] == "Blue"


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_fastmcp_lists_every_tool_and_asks(stage: Stage, fastmcp: Path, tmp_path: Path) -> None:
    """`list_tools` names them all; `call_tool("ask")` returns the label that was tapped."""
    ann = stage.person()
    script = tmp_path / "client.py"
    script.write_text(FASTMCP)
    question = {"chat_id": ann.id, "text": "Which colour?", "buttons": [["Red", "Blue"]], "timeout_s": 50}
    process = await client(stage, str(fastmcp), str(script), *COMMAND, "serve", "telegram", json.dumps(question))
    grid = await ann.next_message(PATIENCE_S)
    ann.tap(grid["message_id"], label="Red")
    tools, answer = (await printed(process)).strip().splitlines()
    assert set(json.loads(tools)) == TOOLS
    assert json.loads(answer)["label"] == "Red"
