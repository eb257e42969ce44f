"""Settings, and the arguments of tools: each is declared once, with what it takes and what it is for.

Values are taken as people and models write them, so a number may be a text. A library for that takes longer to import
than all that a server does until its first message, and a fifth of its memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, Self

from agent_channels.core.frozen import frozen

__all__ = [
    "Declaration",
    "Declared",
    "Flag",
    "InvalidValue",
    "InvalidValues",
    "ListOf",
    "Nullable",
    "Number",
    "OneOf",
    "Parse",
    "SecretText",
    "Text",
    "WrongPart",
    "declare",
    "parse_json",
]

Parse = Callable[[object], Any]
"""Returns the value to use. Raises ValueError saying what would be right. Its `schema`, if any, is in JSON Schema."""
_TRUE, _FALSE = {"true", "on", "yes", "y", "t", "1"}, {"false", "off", "no", "n", "f", "0"}


class Declaration(NamedTuple):
    """What is known of a value; `default` is `MISSING` if it must be given."""

    default: Any
    parse: Parse
    description: str

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING


class InvalidValue(NamedTuple):
    """What is wrong with a value; `name` is empty if it is about several together, and the reason says which."""

    name: str
    kind: Literal["unknown", "missing", "wrong"]
    value: object = None
    reason: str = ""


class InvalidValues(ValueError):
    """Values that were refused, with everything that is wrong."""

    def __init__(self, problems: Sequence[InvalidValue]) -> None:
        super().__init__("; ".join(f"{one.name}: {one.reason or one.kind}" for one in problems))
        self.problems = problems


class WrongPart(ValueError):
    """Says what would be right in a part of a value; `place` is where it is, such as `0.2`."""

    def __init__(self, place: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.place, self.value = place, value


def declare(default: Any, parse: Parse, description: str = "") -> Any:
    """Return what a `Declared` class says of one of its values; `MISSING` is the default of what must be given."""
    return Declaration(default, parse, description)


class Declared:
    """Values that were declared with `declare` and are read with `of`."""

    # Not a dataclass, which takes a millisecond to make: what it would generate is here, once for all of them.
    _declared: ClassVar[Mapping[str, Declaration]] = MappingProxyType({})

    def __init_subclass__(cls) -> None:
        own = {name: one for name, one in vars(cls).items() if isinstance(one, Declaration)}
        cls._declared = MappingProxyType({**cls._declared, **own})

    def __init__(self, **values: Any) -> None:
        for name, one in self._declared.items():
            value = values.pop(name, one.default)
            if value is MISSING:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, value)
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def __setattr__(self, name: str, _: object) -> None:
        raise AttributeError(f"{name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    @classmethod
    def declared(cls) -> Mapping[str, Declaration]:
        """Return what is declared, by name, in order."""
        return cls._declared

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Return an object with these values. Raises `InvalidValues`."""
        declared, given, problems = cls.declared(), dict[str, Any](), list[InvalidValue]()
        for name, one in declared.items():
            if name not in values:
                problems += [InvalidValue(name, "missing")] if one.required else []
                continue
            try:
                given[name] = cls.checked(one, values[name])
            except WrongPart as error:
                problems.append(InvalidValue(f"{name}.{error.place}", "wrong", error.value, str(error)))
            except ValueError as error:
                problems.append(InvalidValue(name, "wrong", values[name], str(error)))
        problems += [InvalidValue(name, "unknown", value) for name, value in values.items() if name not in declared]
        if problems:
            raise InvalidValues(problems)
        made = cls(**given)
        try:
            made.check()
        except ValueError as error:
            raise InvalidValues([InvalidValue("", "wrong", None, str(error))]) from None
        return made

    @classmethod
    def checked(cls, declaration: Declaration, value: object) -> Any:
        """Return what is used for a value. Raises ValueError saying what would be right."""
        return declaration.parse(value)

    def replace(self, **changes: Any) -> Self:
        """Return the same with other values of these attributes, which are taken as they are."""
        return type(self)(**{**vars(self), **changes})

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""


# ---- what values are


class Number:
    """A number from `minimum` to `maximum`, with both; `above`: without the first. `whole`: an integer."""

    def __init__(
        self, minimum: float = -math.inf, maximum: float = math.inf, *, whole: bool = False, above: bool = False
    ) -> None:
        self._minimum, self._maximum, self._whole, self._above = minimum, maximum, whole, above
        self.schema: Mapping[str, Any] = {"type": "integer" if whole else "number"}

    def __call__(self, value: object) -> float:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        low = number > self._minimum if self._above else number >= self._minimum
        if not (low and number <= self._maximum) or (self._whole and not number.is_integer()):
            raise ValueError(f"it must be a {'whole ' if self._whole else ''}number{self._allowed()}")
        return int(number) if self._whole else number

    def _allowed(self) -> str:
        if self._minimum == -math.inf:
            return ""
        if self._above:
            most = "" if self._maximum == math.inf else f" and at most {self._maximum:g}"
            return f" above {self._minimum:g}{most}"
        if self._maximum == math.inf:
            return f" of at least {self._minimum:g}"
        return f" from {self._minimum:g} to {self._maximum:g}"


class Text:
    """A text of `least` to `most` characters."""

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        self._least, self._most = least, most
        self.schema: Mapping[str, Any] = {"type": "string"}

    def __call__(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("it must be a text")  # noqa: TRY004 - as every other value that is wrong
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise ValueError("it holds half of a character, which nobody can read") from None
        if len(value) < self._least:
            raise ValueError("it must not be empty" if self._least == 1 else f"it must have {self._least} characters")
        if self._most is not None and len(value) > self._most:
            raise ValueError(f"it must have at most {self._most:,} characters; it has {len(value):,}")
        return value


class Flag:
    """True or false, also as the words that people use for it."""

    def __init__(self) -> None:
        self.schema: Mapping[str, Any] = {"type": "boolean"}

    def __call__(self, value: object) -> bool:
        word = str(value).lower() if isinstance(value, str | bool | int | float) else ""
        if word in _TRUE or word == "1.0":
            return True
        if word in _FALSE or word == "0.0":
            return False
        raise ValueError("it must be true or false")


class OneOf:
    """One of some words."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.schema: Mapping[str, Any] = {"type": "string", "enum": list(words)}

    def __call__(self, value: object) -> str:
        # YAML reads an unquoted on or off as a truth value.
        if isinstance(value, bool) and "off" in self._words:
            value = "on" if value else "off"
        if not isinstance(value, str) or value not in self._words:
            *others, last = self._words
            raise ValueError(f"it must be {', '.join(others)} or {last}")
        return value


class ListOf:
    """A list, of at most `most`; it may be written as JSON."""

    def __init__(self, parse: Parse, most: int | None = None) -> None:
        self._parse, self._most = parse, most
        self.schema: Mapping[str, Any] = {"type": "array", "items": getattr(parse, "schema", {})}

    def __call__(self, value: object) -> tuple[Any, ...]:
        given = parse_json(value)
        if not isinstance(given, list | tuple):
            raise ValueError("it must be a list")  # noqa: TRY004 - as above
        if self._most is not None and len(given) > self._most:
            raise ValueError(f"it must have at most {self._most}; it has {len(given)}")
        found = []
        for place, one in enumerate(given):
            try:
                found.append(self._parse(one))
            except WrongPart as error:
                raise WrongPart(f"{place}.{error.place}", error.value, str(error)) from None
            except ValueError as error:
                raise WrongPart(str(place), one, str(error)) from None
        return tuple(found)


class Nullable:
    """What may also be null."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self.schema: Mapping[str, Any] = {"anyOf": [getattr(parse, "schema", {}), {"type": "null"}]}

    def __call__(self, value: object) -> Any:
        return None if value is None else self._parse(value)


def parse_json(value: object) -> object:
    """Return what a text is as JSON, if it is that: some clients send an array as its text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


@frozen
class SecretText:
    """A text that is not shown where the object that holds it is."""

    value: str = field(repr=False)
