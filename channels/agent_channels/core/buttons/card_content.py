"""What a host asks, as the content of a card: the command first, always complete."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.outgoing import Button
from agent_channels.core.i18n.messages import translate
from agent_channels.core.text.sanitize import label, scrub

__all__ = ["permission_spec", "preview_body", "question_spec", "tool_input_body"]

# Hosts' own limit for the header of a question.
HEADER_MAX = 80
# A tool's main argument stands on top of the card, in this order.
_FIRST = ("command", "file_path", "path", "url", "description")


def permission_spec(tool: str, body: str, project: str, request_id: str) -> PromptSpec:
    """Return a card with Allow and Deny."""
    allow = Button(translate("button_allow"), "allow", "success")
    deny = Button(translate("button_deny"), "deny", "danger")
    return PromptSpec(
        grid=((allow, deny),),
        head=translate("card_permission_head", tool=label(tool, 100)),
        body=scrub(body),
        foot=translate("card_permission_foot", project=label(project, 100), request_id=request_id),
    )


def tool_input_body(tool_input: object) -> str:
    """Return a tool's input for people: the command (or path, or address) on top, everything else below it."""
    if not isinstance(tool_input, dict):
        return json.dumps(tool_input, ensure_ascii=False, indent=1)
    rest: dict[str, Any] = dict(tool_input)
    lines: list[str] = [rest.pop(key) for key in _FIRST if isinstance(rest.get(key), str)]
    for key, value in rest.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
        lines.append(f"{key}: {text}")
    return "\n\n".join(lines)


def preview_body(preview: str, description: str) -> str:
    """Return the input preview that a host relays, its command on top if it has one, then the tool's description."""
    try:
        value: Any = json.loads(preview)
    except ValueError:
        value = None
    if isinstance(value, dict) and isinstance(value.get("command"), str):
        rest = {key: item for key, item in value.items() if key != "command"}
        preview = value["command"] + (f"\n\n{json.dumps(rest, ensure_ascii=False, indent=1)}" if rest else "")
    return "\n\n".join(filter(None, (preview, description)))


def question_spec(question: dict[str, Any], project: str) -> PromptSpec | None:
    """Return a card for one question of a host's multiple choice; None if it offers nothing to choose from."""
    options = [o for o in question.get("options") or () if isinstance(o, dict) and str(o.get("label", "")).strip()]
    if not options:
        return None
    described = [f"{n}. {o['label']}" + (f" – {o['description']}" if o.get("description") else "")
                 for n, o in enumerate(options, 1)]  # fmt: skip
    return PromptSpec(
        grid=tuple((Button(str(option["label"])),) for option in options),
        head=translate("card_question_head", header=label(str(question.get("header") or ""), HEADER_MAX)).strip(),
        body=scrub("\n".join([str(question.get("question", "")), "", *described])),
        foot=translate("card_question_foot", project=label(project, 100)),
        multi=bool(question.get("multiSelect")),
        other=True,
    )
