"""What the tools' arguments have in common: lenient ids and arrays, the text format, rows of buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.log import redact
from agent_channels.core.settings.declared import (
    Declared,
    InvalidValue,
    InvalidValues,
    ListOf,
    Nullable,
    OneOf,
    Text,
    declare,
    parse_json,
)
from agent_channels.core.settings.validation import shorten_value

__all__ = [
    "BUTTONS",
    "BUTTON_ROWS",
    "FORMAT",
    "FORMATS",
    "ID",
    "IDS",
    "Arguments",
    "ButtonArgument",
    "Buttons",
    "to_grid",
]

Buttons = tuple[tuple["str | ButtonArgument", ...], ...]
BUTTONS = 'rows of labels, [["Yes","No"],["Later"]], or of {label, value?, style?, url?, copy?}; copy: a text to copy'
FORMATS = "markdown (default), text, or the platform's own: see the tool's description"
_TEXT = Text()


class Arguments(Declared):
    """A tool's arguments."""

    # Optional arguments with the empty value that says something there.
    empty_means: ClassVar[Mapping[str, object]] = MappingProxyType({})

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Return the arguments that an agent gave. Raises `InvalidValues`.

        What a model fills in for one that it leaves out is as if it were not there: null, and an empty text or list.
        """
        declared = cls.declared()
        return super().of(
            {
                name: value
                for name, value in values.items()
                if value is not None
                and (
                    (name in declared and declared[name].required)
                    or value not in ("", [])
                    or cls.empty_means.get(name) == value
                )
            }
        )


class ButtonArgument(Arguments):
    """A button with more than a label."""

    # Refused: a text to copy was meant.
    empty_means = MappingProxyType({"copy": ""})

    label: str = declare(MISSING, _TEXT)
    value: str | None = declare(None, Nullable(_TEXT))
    style: Literal["primary", "secondary", "success", "danger"] | None = declare(
        None, Nullable(OneOf("primary", "secondary", "success", "danger"))
    )
    url: str | None = declare(None, Nullable(_TEXT))
    copy: str | None = declare(None, Nullable(_TEXT))


class _Id(Text):
    """An id; some clients send it as a number."""

    def __call__(self, value: object) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        # A boolean is a mistake even though it is a number in Python.
        return super().__call__(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


class _ButtonRows:
    """Rows of labels and buttons, which may be written as JSON."""

    shape = (
        'it must be rows of labels, such as [["Yes", "No"], ["Later"]], or of objects with label and '
        "optionally value, style (primary, secondary, success, danger) and url"
    )

    @property
    def schema(self) -> dict[str, Any]:
        """The rows in JSON Schema."""
        button = {
            "additionalProperties": False,
            "properties": {name: one.parse.schema for name, one in ButtonArgument.declared().items()},  # type: ignore[attr-defined]
            "required": ["label"],
            "type": "object",
        }
        return {
            "items": {"items": {"anyOf": [{"type": "string"}, button]}, "type": "array"},
            "type": "array",
        }

    def __call__(self, value: object) -> Buttons:
        return tuple(
            tuple(self._cell(cell, f" at row {number}, column {at}") for at, cell in enumerate(self._list(row)))
            for number, row in enumerate(self._list(parse_json(value)))
        )

    def _list(self, value: object) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError(f"{self.shape}; here: {shorten_value(value)}")  # noqa: TRY004 - as every wrong value
        return value

    def _cell(self, cell: object, where: str) -> str | ButtonArgument:
        try:
            return ButtonArgument.of(cell) if isinstance(cell, dict) else _TEXT(cell)
        except InvalidValues as error:
            what = _what_is_wrong(error.problems)
        except ValueError:
            what = shorten_value(cell)
        raise ValueError(f"{self.shape}; here{where}: {what}")


def _what_is_wrong(problems: Sequence[InvalidValue]) -> str:
    # A field that nobody knows says more than one that is missing because of it.
    problem = max(problems, key=lambda one: ("wrong", "missing", "unknown").index(one.kind))
    if problem.kind == "wrong":
        return shorten_value(problem.value)
    return f"{problem.name!r} is {'not known' if problem.kind == 'unknown' else 'missing'}"


ID, FORMAT, BUTTON_ROWS = _Id(1, 64), Text(most=32), _ButtonRows()
IDS = ListOf(ID)


def to_grid(rows: Sequence[Sequence[str | ButtonArgument]] | None) -> Grid | None:
    """Return the grid of an argument without its empty rows; None if it was left out or empty.

    A grid is kept until long after it was sent, so it holds no credential from the beginning.
    """
    if not rows:
        return None
    return tuple(tuple(map(_to_button, row)) for row in rows if row)


def _to_button(given: str | ButtonArgument) -> Button:
    if isinstance(given, str):
        return Button(redact(given))
    value = None if given.value is None else redact(given.value)
    return Button(redact(given.label), value, given.style, given.url, copy=given.copy)
