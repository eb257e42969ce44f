"""What the tools' arguments have in common: lenient ids and arrays, the text format, rows of buttons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.log import redact

__all__ = ["Arguments", "ButtonArgument", "Buttons", "Format", "Id", "Ids", "Paths", "to_grid"]


def _to_id(value: object) -> object:
    # Some clients send ids as numbers; a boolean is a mistake even though it is a number in Python.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _to_array(value: object) -> object:
    # Some clients send an array as its JSON text.
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


class Arguments(BaseModel):
    """A tool's arguments: the model is the schema an agent sees and the value the tool gets."""

    # Built at the first call: a start waits for none of them.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    # Optional arguments with the empty value that says something there.
    empty_means: ClassVar[Mapping[str, object]] = MappingProxyType({})

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: object) -> object:
        """Drop what a model fills in for an argument that it leaves out: null, and an empty text or list."""
        if not isinstance(given, dict):
            return given
        required = {field.alias or name for name, field in cls.model_fields.items() if field.is_required()}
        return {
            name: value
            for name, value in given.items()
            if value is not None and (name in required or value not in ("", []) or cls.empty_means.get(name) == value)
        }


class ButtonArgument(Arguments):
    """A button with more than a label."""

    # Refused: a text to copy was meant.
    empty_means = MappingProxyType({"copy": ""})

    label: str
    value: str | None = Field(None, description="what comes back as button_value; default: the label")
    style: Literal["primary", "secondary", "success", "danger"] | None = None
    url: str | None = Field(None, description="opens a page instead of coming back as a tap")
    # Not `copy`, which is a method of every model.
    copies: str | None = Field(None, alias="copy", description="copies this text instead of coming back as a tap")


Id = Annotated[str, BeforeValidator(_to_id), Field(min_length=1, max_length=64), WithJsonSchema({"type": "string"})]
Ids = Annotated[list[Id], BeforeValidator(_to_array)]
Paths = Annotated[list[str], BeforeValidator(_to_array)]
Format = Annotated[
    str, Field(description="markdown (default), text, or the platform's own: see the tool's description", max_length=32)
]
_BUTTONS = 'rows of labels, [["Yes","No"],["Later"]], or of {label, value?, style?, url?, copy?}; copy: a text to copy'
_TEXT_OR_NULL = {"anyOf": [{"type": "string"}, {"type": "null"}]}
Buttons = Annotated[
    list[list[str | ButtonArgument]] | None,
    BeforeValidator(_to_array),
    Field(description=_BUTTONS),
    # Written out: the schema that the model gives costs the agent three times as much context.
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"type": "string"},
                        {
                            "type": "object",
                            "properties": {
                                "label": {"type": "string"},
                                "value": _TEXT_OR_NULL,
                                "style": {
                                    "anyOf": [
                                        {"type": "string", "enum": ["primary", "secondary", "success", "danger"]},
                                        {"type": "null"},
                                    ]
                                },
                                "url": _TEXT_OR_NULL,
                                "copy": _TEXT_OR_NULL,
                            },
                            "required": ["label"],
                            "additionalProperties": False,
                        },
                    ]
                },
            },
            "description": _BUTTONS,
        }
    ),
]


def to_grid(buttons: Sequence[Sequence[str | ButtonArgument]] | None) -> Grid | None:
    """Return the grid of an argument without its empty rows; None if it was left out or empty.

    A grid is kept until long after it was sent, so it holds no credential from the beginning.
    """
    if not buttons:
        return None
    return tuple(tuple(map(_to_button, row)) for row in buttons if row)


def _to_button(given: str | ButtonArgument) -> Button:
    if isinstance(given, str):
        return Button(redact(given))
    value = None if given.value is None else redact(given.value)
    return Button(redact(given.label), value, given.style, given.url, copy=given.copies)
