"""Validation errors as sentences: what is wrong, with which value, and what would be right."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.settings.declared import InvalidValue
from agent_channels.core.settings.network import shown_url
from agent_channels.core.text.nearest import nearest

__all__ = ["explain_problem", "invalid_value", "json_kind", "shorten_value", "unknown_name"]

VALUE_MAX = 120
_NONE: Mapping[str, str] = MappingProxyType({})


def explain_problem(
    problem: InvalidValue,
    kind: str,
    known: Collection[str],
    renamed: Mapping[str, str] = _NONE,
    written: Collection[str] = (),
) -> str:
    """Return what is wrong with a value as a sentence.

    `kind` is the word for what the names are of, such as "setting"; `known` are the names that there are. `renamed`
    maps old ones that are still accepted to those; of them, those in `written` are what the person wrote, and are named
    too.
    """
    name, value = problem.name, problem.value
    if problem.kind == "unknown":
        return unknown_name(kind, name, known, renamed)
    if problem.kind == "missing":
        return sentence("{kind} {name!r} is missing", kind=kind, name=name)
    if not name:
        # About several fields together; the reason says which.
        return problem.reason
    # A password in a URL is nobody's business.
    value = shown_url(value) if isinstance(value, str) and "://" in value else value
    for old in written:
        if renamed.get(old) == name:
            invalid = invalid_value(kind, old, value, problem.reason)
            return sentence("{problem} (its new name is {name!r})", problem=invalid, name=name)
    return invalid_value(kind, name, value, problem.reason)


def unknown_name(kind: str, name: str, known: Collection[str], renamed: Mapping[str, str] = _NONE) -> str:
    """Return the sentence about a name that nobody knows, with what was perhaps meant."""
    return sentence(
        "unknown {kind} {name}; {hint}", kind=kind, name=shorten_value(name), hint=_hint(name, known, renamed)
    )


def _hint(name: str, known: Collection[str], renamed: Mapping[str, str]) -> str:
    """Return what to write instead of an unknown name."""
    if not known:
        return sentence("it takes none")
    found = nearest(name, [*known, *renamed])
    if found is None:
        return sentence("there are {names}", names=joined(known, ", "))
    if found in renamed:
        return sentence("did you mean {name!r}, formerly {old!r}?", name=renamed[found], old=found)
    return sentence("did you mean {near!r}?", near=found)


def invalid_value(kind: str, name: str, value: object, reason: str) -> str:
    """Return the sentence that refuses a value."""
    return sentence(
        "{kind} {name!r} is {value}: {reason}", kind=kind, name=name, value=shorten_value(value), reason=reason
    )


def shorten_value(value: object) -> str:
    """Return the value's `repr`, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}…"


def json_kind(value: object) -> str:
    """Return what kind of JSON a value is, in words; for one that is not an object."""
    kinds = {
        list: sentence("a list"),
        str: sentence("a text"),
        bool: sentence("true or false"),
        type(None): sentence("null"),
    }
    return kinds.get(type(value), sentence("a number"))
