"""One turn of the scripted host: what a host's hooks tell the server at every step, and how it obeys their answers.

Hooks that call the running server go through its own connection; the command hooks are real processes.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from agent_channels.sandbox.agent.host import ChannelEvent, ScriptedHost, ToolCall, events_in
from agent_channels.sandbox.agent.processes import run_hook

__all__ = ["AgentSession", "HostTurn", "TurnStopped"]

Steered: TypeAlias = Callable[[Sequence[ChannelEvent]], Awaitable[None]]


class TurnStopped(Exception):
    """A hook ended the turn; the text is the reason that a host shows on its screen."""


# What a host offers instead of asking again; only then does a card offer to allow something for the session.
SUGGESTIONS = [{"type": "setMode", "mode": "acceptEdits", "destination": "session"}]


@dataclass(frozen=True, slots=True)
class AgentSession:
    """The host session that a server belongs to: `server` is its name there, `environ` that of the host's programs.

    `project` is what the agent begins its answers with, where several share one bot. `allowed` holds the rules by which
    tools are not asked for again, as (tool, what it may do).
    """

    id: str
    server: str
    environ: Mapping[str, str]
    folder: Path
    project: str = ""
    allowed: set[tuple[str, str]] = field(default_factory=set)

    @property
    def state_dir(self) -> Path:
        """The server's STATE_DIR."""
        return Path(self.environ[f"{self.server.upper()}_STATE_DIR"])

    @classmethod
    def begin(cls, server: str, environ: Mapping[str, str], folder: Path, project: str = "") -> AgentSession:
        """Return a new session, whose id its programs find in their environment."""
        session_id = str(uuid.uuid4())
        ours = {"CLAUDE_CODE_SESSION_ID": session_id, "CLAUDE_PROJECT_DIR": str(folder)}
        return cls(session_id, server, {**environ, **ours}, folder, project)


class HostTurn:
    """A turn from its prompt to its end. Every method raises `StepFailed` when the server has ended.

    `steered` gets the messages that reach the agent meanwhile.
    """

    def __init__(self, host: ScriptedHost, session: AgentSession, steered: Steered) -> None:
        self.id = str(uuid.uuid4())
        # The hooks that were called, each with the event's own fields and the answer.
        self.log: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.session, self._host, self._steered = session, host, steered
        self._calls = 0

    async def begin(self, prompt: str) -> None:
        """Submit the prompt."""
        await self._take(await self.hook("UserPromptSubmit", prompt=prompt))

    async def use(
        self, tool: str, tool_input: Mapping[str, Any], run: Callable[[], Awaitable[object]], *, ask: bool = False
    ) -> bool:
        """Use a tool, which is what `run` does; return False if a hook denied it, or an approver who is asked.

        Raises `TurnStopped`.
        """
        self._calls += 1
        call_id = f"toolu_{self._calls}"
        answer = await self.hook("PreToolUse", tool_name=tool, tool_input=dict(tool_input), tool_use_id=call_id)
        allowed: bool = answer.get("hookSpecificOutput", {}).get("permissionDecision") != "deny"
        if allowed and ask:
            # The host asks for a permission once its other hooks have let the tool pass.
            allowed = await self._is_permitted(tool, tool_input)
        if allowed:
            # As in a real host, a turn that is told to end still runs the tool, unless that is denied too.
            await run()
        _obey(answer)
        await self._take(await self.hook("PostToolBatch"))
        return allowed

    async def reply(self, arguments: Mapping[str, Any]) -> None:
        """Call the tool `reply`, of which the hooks are told as of any other. Raises `TurnStopped`."""
        name = f"mcp__{self.session.server}__reply"
        _obey(await self.hook("PreToolUse", tool_name=name, tool_input=dict(arguments), tool_use_id="toolu_reply"))
        await self._host.call(ToolCall("reply", dict(arguments)))
        await self._take(await self.hook("PostToolBatch"))

    async def _is_permitted(self, tool: str, tool_input: Mapping[str, Any]) -> bool:
        """Return whether an approver allows a tool; False too if nobody decides in time."""
        rule = (tool, tool_input["command"]) if tool == "Bash" else (tool, f"/{tool_input['file_path']}")
        if rule in self.session.allowed:
            return True
        about = {"tool_name": tool, "tool_input": dict(tool_input), "permission_suggestions": SUGGESTIONS}
        answer = await self._command("permission", "PermissionRequest", **about)
        decision = answer.get("hookSpecificOutput", {}).get("decision", {})
        rules = [one for update in decision.get("updatedPermissions", ()) for one in update["rules"]]
        self.session.allowed.update((one["toolName"], one["ruleContent"]) for one in rules)
        return bool(decision.get("behavior") == "allow")

    async def end(self, said: str, *, going_on: bool = False) -> str:
        """End the turn with the agent's last words; return what it is given to go on with, "" if it has ended."""
        answer = await self._command("stop", "Stop", last_assistant_message=said, stop_hook_active=going_on)
        await self._take(answer)
        return str(answer.get("hookSpecificOutput", {}).get("additionalContext", ""))

    async def hook(self, event: str, **values: Any) -> dict[str, Any]:
        """Call the hook for an event with these fields of it; return the answer."""
        common = {"session_id": self.session.id, "prompt_id": self.id, "hook_event_name": event}
        answer = await self._host.call_hook(self.session.server, event, {**common, **values})
        self.log.append((event, values, answer))
        return answer

    async def _command(self, name: str, event: str, **values: Any) -> dict[str, Any]:
        common = {"session_id": self.session.id, "cwd": str(self.session.folder), "hook_event_name": event}
        return await run_hook(name, {**common, **values}, self.session.environ, self.session.folder)

    async def _take(self, answer: dict[str, Any]) -> None:
        """Obey an answer, and hand on the messages that it adds."""
        _obey(answer)
        if events := events_in(answer.get("hookSpecificOutput", {}).get("additionalContext", "")):
            await self._steered(events)


def _obey(answer: Mapping[str, Any]) -> None:
    if answer.get("continue") is False:
        raise TurnStopped(answer.get("stopReason", ""))
