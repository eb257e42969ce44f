"""OpenAI's Agents SDK, the real one: strict schemas, and five seconds for a call."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from harness import COMMAND, Stage
from scratch_installs import venv_with

PATIENCE_S = 90.0
# A model that asks, and goes on waiting as each result says, filling in null for whatever it leaves out.
SCRIPT = """
import asyncio, json, os, re, sys
from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStdio
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

class Scripted(Model):
    def __init__(self):
        self.calls, self.asking = 0, None
    async def get_response(self, system_instructions, input, model_settings, tools, **more):
        known = {tool.name: tool for tool in tools}
        if self.calls == 0:
            print(json.dumps({name: tool.strict_json_schema for name, tool in known.items()}), flush=True)
            return self.call(known["channel_status"])
        said = str(input[-1]["output"]).replace("\\\\", "")
        print(said, flush=True)
        if self.asking is None:
            if "starting" in said:
                return self.call(known["channel_status"])
            self.asking = True
            return self.call(known["ask"], chat_id=sys.argv[-1], text="Which?", buttons=[["Red", "Blue"]], timeout_s=60)
        if found := re.search(r"question '([^']+)' and after (\\d+)", said):
            return self.call(known["wait_for_messages"], question=found[1], after=found[2])
        text = ResponseOutputText(text="done", type="output_text", annotations=[])
        return self.answer(ResponseOutputMessage(
            id="m", content=[text], role="assistant", status="completed", type="message"))
    def call(self, tool, **given):
        self.calls += 1
        arguments = {name: None for name in tool.params_json_schema["properties"]} | given
        return self.answer(ResponseFunctionToolCall(
            arguments=json.dumps(arguments), call_id=f"c{self.calls}", name=tool.name, type="function_call"))
    def answer(self, item):
        return ModelResponse(output=[item], usage=Usage(), response_id=None)
    async def stream_response(self, *given, **more):
        raise NotImplementedError

async def main():
    set_tracing_disabled(True)
    params = {"command": sys.argv[1], "args": sys.argv[2:-1], "env": dict(os.environ)}
    async with MCPServerStdio(params=params) as server:
        agent = Agent(name="a", model=Scripted(), mcp_servers=[server], mcp_config={"convert_schemas_to_strict": True})
        print((await Runner.run(agent, "go", max_turns=40)).final_output, flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return venv_with(tmp_path_factory.mktemp("agents") / "venv", "openai-agents==0.24.0")


@pytest.mark.long
@pytest.mark.timeout(500)
async def test_a_question_outlives_five_seconds_with_strict_schemas(stage: Stage, sdk: Path, tmp_path: Path) -> None:
    """Every tool is strict there; an ask goes on over several calls of the real client, and the tap is its answer."""
    stage.config(grace_s=0, call_s=2)
    ann = stage.person()
    script = tmp_path / "client.py"
    script.write_text(SCRIPT)
    env = stage._env({"CLAUDE_CODE_SESSION_ID": None, "CHANNELS_CLAIM": None, "OPENAI_API_KEY": "none"})
    process = await asyncio.create_subprocess_exec(
        sdk, script, *COMMAND, "serve", "telegram", str(ann.id), stdout=PIPE, stderr=PIPE, cwd=stage.project, env=env
    )
    assert process.stdout is not None
    message = await ann.next_message(PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        strict = json.loads(await process.stdout.readline())
        assert len(strict) == 8
        assert set(strict.values()) == {True}
        opened = 0
        while opened < 2:
            opened += '"open": true' in (await process.stdout.readline()).decode()
        ann.tap(message["message_id"], label="Blue")
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-2000:]
    *_, answer, done = out.decode().strip().splitlines()
    assert done == "done"
    assert '"label": "Blue"' in answer
