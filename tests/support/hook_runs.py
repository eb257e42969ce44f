"""`channels hook NAME` as a host runs it: the recorded shape of each event's input as JSON on stdin."""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import Process
from dataclasses import dataclass
from typing import Any, Self

from agent_channels.core.store.database import Store
from faults_harness import inbox_states
from harness import COMMAND, Stage, World
from wire_host import Host, eventually

__all__ = ["INPUTS", "SESSION", "HookRan", "HookRun", "Hooks", "bound", "hooked", "kept"]

SESSION = "5c4f2b1e-6f0a-4a53-9d0e-2f6f7c1f9a11"
# What every event's input holds, and what each adds, as the host sent them.
COMMON = {"transcript_path": "/nowhere/transcript.jsonl", "permission_mode": "default"}
INPUTS: dict[str, dict[str, Any]] = {
    "session": {"hook_event_name": "SessionStart", "source": "startup", "model": "a-model"},
    "prompt": {"hook_event_name": "UserPromptSubmit", "prompt": "go on"},
    "stop": {"hook_event_name": "Stop", "stop_hook_active": False, "last_assistant_message": ""},
    "end": {"hook_event_name": "SessionEnd", "reason": "prompt_input_exit"},
    "bell": {"hook_event_name": "SessionStart", "source": "startup"},
    "permission": {
        "hook_event_name": "PermissionRequest",
        "tool_name": "Bash",
        "tool_input": {"command": "touch made.txt", "description": "Makes a file"},
    },
    "step": {
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": "npm test"},
        "tool_use_id": "toolu_2",
    },
    "question": {
        "hook_event_name": "PreToolUse",
        "tool_name": "AskUserQuestion",
        "tool_input": {
            "questions": [
                {
                    "question": "Which colour?",
                    "header": "Colour",
                    "multiSelect": False,
                    "options": [
                        {"label": "Red", "description": "like a rose"},
                        {"label": "Blue", "description": "like the sea"},
                    ],
                }
            ]
        },
        "tool_use_id": "toolu_1",
    },
}


@dataclass(frozen=True)
class HookRan:
    """The result of a hook. `took_s`: wall time from start to end."""

    code: int
    out: str
    err: str
    took_s: float

    @property
    def silent(self) -> bool:
        """Return whether the host sees nothing of it."""
        return self.code == 0 and not self.out and not self.err

    @property
    def json(self) -> Any:
        """Return its output as JSON."""
        return json.loads(self.out)

    @property
    def specific(self) -> dict[str, Any]:
        """Return its hookSpecificOutput."""
        return dict(self.json["hookSpecificOutput"])


class HookRun:
    """A hook that is running."""

    def __init__(self, process: Process, began: float) -> None:
        self.process, self._began = process, began
        self._end = asyncio.create_task(process.communicate())

    async def ran(self, timeout: float = 20) -> HookRan:
        """Wait for its end."""
        async with asyncio.timeout(timeout):
            out, err = await asyncio.shield(self._end)
        return HookRan(self.process.returncode or 0, out.decode(), err.decode(), time.perf_counter() - self._began)

    async def kill(self) -> None:
        """Send SIGKILL, as a host may do after its time-out."""
        if self.process.returncode is None:
            self.process.kill()
        await self._end


class Hooks:
    """Runs hooks of one host session in a stage; leaving the block ends those that still run."""

    def __init__(self, stage: World, session: str = SESSION) -> None:
        self.stage, self.session = stage, session
        self.running: list[HookRun] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for run in self.running:
            await run.kill()

    def text(self, name: str, **changes: Any) -> str:
        """Return the input of a hook as the host writes it."""
        values = {"session_id": self.session, "cwd": str(self.stage.project), **COMMON, **INPUTS[name], **changes}
        return json.dumps(values)

    async def start(
        self,
        name: str,
        *,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
        cold: bool = False,
        **changes: Any,
    ) -> HookRun:
        """Start a hook; `stdin` replaces its input, `changes` single fields of it; `cold`: see `World.start`."""
        environ = self.stage._env({"CLAUDE_CODE_SESSION_ID": None, "CHANNELS_CLAIM": None, **(env or {})})
        began = time.perf_counter()
        process = await self.stage.spawn([*COMMAND, "hook", name], environ, cold=cold)
        assert process.stdin is not None
        process.stdin.write((self.text(name, **changes) if stdin is None else stdin).encode())
        process.stdin.close()
        self.running.append(HookRun(process, began))
        return self.running[-1]

    async def run(self, name: str, *, within: float = 20, **options: Any) -> HookRan:
        """Run a hook to its end."""
        return await (await self.start(name, **options)).ran(within)


async def bound(stage: World, message: dict[str, Any]) -> None:
    """Wait until the server knows in which message a grid is: nobody types as fast as a test."""

    def known() -> bool:
        with Store.open(stage.state) as store:
            return bool(store.value("SELECT 1 FROM panels WHERE message_id = ?", str(message["message_id"])))

    await eventually(known, "the grid's message")


async def hooked(stage: Stage, hooks: Hooks) -> Host:
    """Return a host whose session runs the hooks and whose server reads the bot."""
    # Somebody is paired: hooks never make a store where there is none.
    stage.person()
    assert (await hooks.run("session")).code == 0
    await hooks.run("prompt")
    host = await stage.reading()
    status = await host.status_when(lambda s: s["mode"]["name"] == "hook")
    assert "prompt" in status["mode"]["why"]
    return host


async def kept(stage: Stage, count: int = 1) -> None:
    """Wait until so many messages are ready to be handed over."""
    await eventually(lambda: inbox_states(stage.state)["ready"] >= count, f"{count} messages that are ready")
