"""A store in a folder of its own, and a clock that only tests move."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from agent_channels.core.i18n.messages import set_language
from agent_channels.core.store.database import Store
from clock import Clock

# A busy machine is not a failure; what has to be quick is measured in the test that says so.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def mask() -> Iterator[None]:
    """The command keeps what it makes private until its process ends; the tests' own process goes on."""
    before = os.umask(0o077)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state") as made:
        yield made


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A process works for one bot, which has one language; whatever a test sets, the next one starts with English."""
    yield
    set_language("en")
