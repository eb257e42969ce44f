"""The error tree in the docstring of core/errors.py is the real one."""

from __future__ import annotations

import re

from agent_channels.core import errors
from agent_channels.core.errors import ChannelError

# "│   ├── NotModified     nobody: the message ...": indentation, name, sentence.
LINE = re.compile(r"^(?P<indent>[ │├└─]*)(?P<name>[A-Z]\w+) {2,}(?P<sentence>\S.*)$")


def drawn() -> list[tuple[str, int, str]]:
    """(class name, depth, sentence) of every line of the drawn tree."""
    matches = [LINE.match(line) for line in str(errors.__doc__).splitlines()]
    return [(match["name"], len(match["indent"]) // 4, match["sentence"]) for match in matches if match]


def children(error: type[ChannelError], depth: int = 0) -> list[tuple[str, int]]:
    """(class name, depth) of a class and its subclasses in errors.py, in the order of the file."""
    below = [pair for child in error.__subclasses__() if child.__module__ == errors.__name__
             for pair in children(child, depth + 1)]  # fmt: skip
    return [(error.__name__, depth), *below]


def test_the_docstring_draws_the_class_tree() -> None:
    """Every class stands under its base class, in the order of the file."""
    assert [(name, depth) for name, depth, _ in drawn()] == children(ChannelError)


def test_every_class_says_who_sees_it_and_what_happened() -> None:
    """One line each: the reader, a colon, the condition; and the class has a sentence of its own."""
    for name, _, sentence in drawn():
        assert re.fullmatch(r"[a-z, ]+: .+[^.]", sentence), name
        assert str(getattr(errors, name).__doc__).endswith("."), name


def test_every_class_is_public() -> None:
    """`__all__` lists the whole tree."""
    assert sorted(name for name, _, _ in drawn()) == errors.__all__
