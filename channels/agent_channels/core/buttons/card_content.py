"""What a host asks, as the content of a card: a command or a change to a file as code, all else by name."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from agent_channels.core.buttons.file_changes import FileChange, Reader, file_change
from agent_channels.core.buttons.prompt_spec import ALLOW, DENY, SESSION, PromptSpec
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.host.session_rules import EDIT_TOOLS, Rule
from agent_channels.core.host.tool_words import main_argument
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.settings.policy import PolicyRule
from agent_channels.core.text.sanitize import label, reveal, scrub
from agent_channels.core.text.secret_values import mask_secrets

__all__ = ["masked", "permission_spec", "preview_input", "question_spec"]

# Hosts' own limit for the header of a question.
HEADER_MAX = 80
# A tool's main argument stands on top of the card, in this order.
_FIRST = ("file_path", "path", "url", "description")
# What is nested deeper is shown as JSON on one line: no tool means it, and each level takes room on the stack.
LEVELS_MAX = 50
# What the diff of a change shows, or its path.
_IN_CHANGE = {*EDIT_TOOLS.values(), "old_string", "new_string", "edits", "content", "new_source"}
# A path is longer only to hide where it leads; a rule of more characters is the command above it once more.
PATH_MAX, RULE_MAX = 300, 80
SUBJECT_MAX = 300


def masked(text: str) -> str:
    """Return a text for a card, without secrets. Nothing else decides what is one."""
    return mask_secrets(redact(text))


def permission_spec(
    tool: str,
    tool_input: object,
    *,
    project: Path,
    request_id: str,
    read: Reader,
    description: str = "",
    rules: Sequence[Rule] = (),
    policy: PolicyRule | None = None,
) -> PromptSpec:
    """Return a card with Allow and Deny, and if there are `rules`, with a button that allows these for the session.

    `policy`: the rule of the project's policy that has people asked; where several have to allow it, only for once.
    `tool_input` is an object, or a preview of one as text; `read` returns what a file holds that may be shown.
    """
    if _is_deep(tool_input):
        tool_input = json.dumps(tool_input, ensure_ascii=False)
    # Masked before anything is compared or cut: half a secret has another shape.
    tool_input, description = _masked_all(tool_input), masked(description)
    values: dict[str, Any] = tool_input if isinstance(tool_input, dict) else {}
    change = file_change(tool, values, lambda path: _read_masked(read, path), project)
    file, code, language, below = "", "", "", ""
    if change is not None:
        file, code, language = _relative(change.path, project), reveal(change.diff), "diff"
        body = _change_body(change, _with_target(file, change.path, project))
        below = _fields({key: value for key, value in values.items() if key not in _IN_CHANGE and value}, indent=None)
    elif isinstance(values.get("command"), str):
        others = {key: value for key, value in values.items() if key not in {"command", "description"}}
        body, below = str(values.get("description") or description), _fields(others, indent=None)
        code, language = reveal(values["command"]), "bash" if tool == "Bash" else ""
    else:
        body = _paragraphs(_fields(values) if values else _text(tool_input), description)
    approvers = policy.approvers if policy else 1
    rules = rules if approvers == 1 else ()
    by_rule = policy.describe() if policy else ""
    foot = translate("card_permission_foot", project=label(project.name, 100), request_id=request_id)
    return PromptSpec(
        grid=_permission_grid(session=bool(rules)),
        head=translate("card_permission_head", tool=label(tool, 100)),
        body=scrub(body),
        foot=scrub(_paragraphs(_session_sentence(tool, rules), _policy_sentence(by_rule, approvers), foot)),
        code=code,
        language=language,
        file=file if code else "",
        below=scrub(below),
        subject=label(f"{tool}: {main_argument(values)[1] or _text(tool_input)}", SUBJECT_MAX),
        rule=by_rule,
        approvers=approvers,
    )


def preview_input(preview: str) -> object:
    """Return the input that a host relays as a preview; if it was cut, the text as it came."""
    try:
        value: object = json.loads(preview)
    except (ValueError, RecursionError):
        return preview
    return value if isinstance(value, dict) else preview


def _permission_grid(*, session: bool) -> Grid:
    deny = Button(translate("button_deny"), DENY, "danger")
    if not session:
        return ((Button(translate("button_allow"), ALLOW, "success"), deny),)
    once = Button(translate("button_allow_once"), ALLOW, "success")
    return ((once, deny), (Button(translate("button_allow_session"), SESSION),))


def _session_sentence(tool: str, rules: Sequence[Rule]) -> str:
    """Return the sentence that says what is allowed for the session."""
    if not rules:
        return ""
    if tool in EDIT_TOOLS:
        return translate("card_session", allowed=translate("card_session_file"))
    named = ", ".join(f"{rule['toolName']}({rule['ruleContent']})" if "ruleContent" in rule else rule["toolName"]
                      for rule in rules)  # fmt: skip
    if tool == "Bash" and (len(named) > RULE_MAX or reveal(named) != named or "\n" in named):
        named = translate("card_session_command")
    return translate("card_session", allowed=masked(reveal(named)))


def _policy_sentence(rule: str, approvers: int) -> str:
    """Return the sentence that names the policy's rule, and how many people have to allow it."""
    if not rule:
        return ""
    asked = translate("card_policy", rule=masked(rule))
    return f"{asked} {translate('card_policy_several', count=approvers)}" if approvers > 1 else asked


def _change_body(change: FileChange, file: str) -> str:
    named = file if change.basis == "old" else translate(f"card_change_{change.basis}", file=file)
    return _paragraphs(named, "" if change.diff else translate("card_change_none"))


def _relative(path: str, project: Path) -> str:
    """Return a file's path for people: inside the project from there, else whole."""
    pure = PurePath(path)
    return label(str(pure.relative_to(project) if pure.is_relative_to(project) else pure), PATH_MAX)


def _with_target(file: str, path: str, project: Path) -> str:
    """Return a file's name with the path that it really leads to, if links are on the way: that is what changes."""
    inside = PurePath(path).is_relative_to(project)
    plain = Path(os.path.realpath(project)) / PurePath(path).relative_to(project) if inside else project / path
    try:
        real = os.path.realpath(project / path)
    except (OSError, ValueError):
        return file
    return file if real == os.path.normpath(plain) else f"{file} → {label(masked(real), PATH_MAX)}"


def _read_masked(read: Reader, path: str) -> str | None:
    text = read(path)
    return None if text is None else masked(text)


def _is_deep(value: object, levels: int = LEVELS_MAX) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deep(child, levels - 1) for child in children)


def _masked_all(value: object) -> object:
    """Return a JSON value with every text in it masked."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [_masked_all(one) for one in value]
    if isinstance(value, dict):
        return {masked(str(key)): _masked_all(one) for key, one in value.items()}
    return value


def _fields(values: dict[str, Any], indent: int | None = 1) -> str:
    """Return a tool's input for people: the path, address or description on top, everything else by its name."""
    first = [values[key] for key in _FIRST if isinstance(values.get(key), str)]
    others = {key: value for key, value in values.items() if key not in _FIRST or not isinstance(value, str)}
    return _paragraphs(*first, *(f"{key}: {_text(value, indent)}" for key, value in others.items()))


def _text(value: object, indent: int | None = 1) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))


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
