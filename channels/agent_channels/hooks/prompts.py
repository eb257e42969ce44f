"""The hooks that ask people: a permission, and a host's multiple choice. Whoever reads the bot shows the cards."""

from __future__ import annotations

import json
import time
from typing import Any

from agent_channels.core.buttons.card_content import permission_spec, question_spec, tool_input_body
from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.i18n.messages import translate
from agent_channels.core.runtime.reader_lock import ReaderLock
from agent_channels.core.services import Services
from agent_channels.hooks.context import HookChannel, HookEvent, open_hook_channels

__all__ = ["permission", "question"]

BOUND_S = 300.0
# Some seconds under the time-out that hooks.json gives these hooks.
MARGIN_S = 5.0
LEASE_S = 6.0
LOOK_EVERY_S = 0.3
# A reader that does not send the card in this time is not there.
SENT_WITHIN_S = 10.0


def permission(event: HookEvent) -> int:
    """Prints an approver's decision; nothing when there is none, so that the terminal's dialog stands."""
    tool, given = event.values.get("tool_name"), event.values.get("tool_input")
    if not isinstance(tool, str):
        return 0
    with open_hook_channels(event) as lines:
        line = _reachable(lines)
        if line is None:
            return 0
        line.set_language()
        prompts = Services.of(line.store).prompts
        request_id = _letters()
        spec = permission_spec(tool, tool_input_body(given), event.project.name, request_id)
        result = _ask(line, prompts, spec, "permission", line.setting("hook_bound_s", BOUND_S), request_id)
    if result is not None:
        decision: dict[str, Any] = {"behavior": result["value"]}
        if result["value"] == "deny":
            decision["message"] = f"Denied from the phone by {result['user']}."
        _print({"hookEventName": "PermissionRequest", "decision": decision})
    return 0


def question(event: HookEvent) -> int:
    """Prints the answers to a host's questions; nothing when one of them is not answered."""
    given = event.values.get("tool_input")
    questions = given.get("questions") if isinstance(given, dict) else None
    if event.values.get("tool_name") != "AskUserQuestion" or not isinstance(questions, list) or not questions:
        return 0
    answers: dict[str, str] = {}
    with open_hook_channels(event) as lines:
        line = _reachable(lines)
        if line is None:
            return 0
        line.set_language()
        prompts = Services.of(line.store).prompts
        until = time.time() + line.setting("hook_bound_s", BOUND_S)
        for one in questions:
            spec = question_spec(one, event.project.name) if isinstance(one, dict) else None
            result = _ask(line, prompts, spec, "question", until - time.time(), None) if spec else None
            if result is None:
                return 0
            answers[str(one.get("question", ""))] = (
                result.get("text") or result.get("label") or ", ".join(result.get("labels", ()))
            )
    updated = {**(given if isinstance(given, dict) else {}), "answers": answers}
    _print({"hookEventName": "PreToolUse", "permissionDecision": "allow", "updatedInput": updated})
    return 0


def _reachable(lines: list[HookChannel]) -> HookChannel | None:
    """The first channel with somebody who may answer, and a process that reads it and shows the cards."""
    return next((line for line in lines if Services.of(line.store).access.approvers() and _read(line)), None)


def _read(line: HookChannel) -> bool:
    bot_id = line.health.get("bot_id")
    holder = ReaderLock(line.channel, bot_id, line.folder).holder() if bot_id else None
    return holder is not None and holder.state_dir == str(line.folder)


def _ask(
    line: HookChannel, prompts: Prompts, spec: PromptSpec, kind: str, bound_s: float, request_id: str | None
) -> dict[str, Any] | None:
    bound_s = max(1.0, bound_s - MARGIN_S if bound_s > 2 * MARGIN_S else bound_s)
    prompt = prompts.create(
        "permission" if kind == "permission" else "question",
        spec,
        session=line.session,
        timeout_s=bound_s,
        lease_s=LEASE_S,
        request_id=request_id,
    )
    began = time.time()
    try:
        while True:
            found = prompts.get(prompt.id)
            if found is None or found.state == "closed":
                return None
            if found.state == "answered":
                prompts.take(prompt.id)
                return found.result
            now = time.time()
            if now >= began + bound_s or (not found.sent and now >= began + SENT_WITHIN_S):
                return None
            prompts.renew(prompt.id, LEASE_S)
            time.sleep(LOOK_EVERY_S)
    finally:
        prompts.close(prompt.id, translate("prompt_unanswered"))


def _letters() -> str:
    import secrets

    from agent_channels.core.buttons.prompt_spec import LETTERS

    return "".join(secrets.choice(LETTERS) for _ in range(5))


def _print(output: dict[str, Any]) -> None:
    print(json.dumps({"hookSpecificOutput": output}))
