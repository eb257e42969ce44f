"""Patterns are compiled late; that they can be is found out here."""

from __future__ import annotations

import importlib
import pkgutil
import re

import agent_channels
from agent_channels.core.patterns import lazy_pattern


def test_a_pattern_does_what_a_compiled_one_does() -> None:
    """Its flags count, and it may be of bytes."""
    pattern = lazy_pattern("a(b)", re.IGNORECASE)
    assert [match[1] for match in pattern.finditer("AB ab")] == ["B", "b"]
    assert pattern.sub("-", "xABx") == "x-x"
    assert lazy_pattern(rb"\d").search(b"a1") is not None


def test_every_pattern_can_be_compiled() -> None:
    """A mistake in one is found before somebody needs it."""
    kind, found = type(lazy_pattern("")), 0
    for info in pkgutil.walk_packages(agent_channels.__path__, "agent_channels."):
        if info.name.split(".")[1] in {"core", "cli", "telegram", "discord", "slack"}:
            for constant in vars(importlib.import_module(info.name)).values():
                if isinstance(constant, kind):
                    assert isinstance(constant.groups, int), info.name
                    found += 1
    assert found > 100
