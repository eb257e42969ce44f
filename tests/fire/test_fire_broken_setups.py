"""Whatever is wrong with a set-up, the commands and the server end, in bounded time, and in sentences.

`CHANNELS_EXAMPLES=5000` plays that many set-ups instead of a few hundred.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import anyio
import pytest
from hypothesis import HealthCheck, given, settings

from agent_channels.cli import doctor
from agent_channels.cli.main import main
from agent_channels.core.scheduling import Backoff
from agent_channels.core.server.app import _Server
from agent_channels.core.server.config_watch import ConfigWatch
from agent_channels.core.server.protocol import McpConversation
from agent_channels.core.settings.config import Environment
from agent_channels.core.store import database
from agent_channels.registry import channel
from broken_setups import BrokenSetup, broken_setups, build, clear, pristine_database

pytestmark = pytest.mark.long

EXAMPLES = int(os.environ.get("CHANNELS_EXAMPLES", "200"))
# Nothing here waits for longer than some of the doctor's checks may take.
BOUND_S = 40
LINES: list[tuple[str, ...]] = [
    ("status",), ("status", "--json"), ("inbox",), ("inbox", "--json"), ("access", "list"), ("history",),
    ("doctor", "--json"),
]  # fmt: skip
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pristine_database(tmp_path_factory.mktemp("pristine"))


@contextlib.contextmanager
def living_in(setup: BrokenSetup, folder: Path, pristine: Path) -> Iterator[io.StringIO]:
    """The process's environment, working folder and output are those of the set-up; yields what it says."""
    folder /= str(next(NUMBERS))
    folder.mkdir()
    environ, said = build(setup, folder, pristine), io.StringIO()
    before = Path.cwd()
    os.chdir(folder / "project")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with (
            mock.patch.dict(os.environ, environ, clear=True),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            yield said
    finally:
        root.handlers[:], root.level = handlers, level
        os.chdir(before)
        clear(folder)


def leave(*, code: int = 0) -> None:
    """As the doctor leaves the process."""
    raise SystemExit(code)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "leave", leave)
    # How long another process's lock is waited for.
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 100)


ODDITIES = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True, database=None
)


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("in_process")
@given(setup=broken_setups())
@ODDITIES
def test_every_command_ends_in_sentences(setup: BrokenSetup, pristine: Path, tmp_path: Path) -> None:
    """status, inbox, access, history and doctor: an exit code and words, never an error that nobody foresaw."""
    with living_in(setup, tmp_path, pristine) as said:
        for verb, *options in LINES:
            with pytest.raises(SystemExit) as end:
                main([verb, setup.channel, *options])
            assert end.value.code in {0, 1, 2}
        assert "Traceback" not in said.getvalue()


@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("in_process")
@given(setup=broken_setups())
@ODDITIES
def test_the_server_opens_or_says_why_not(setup: BrokenSetup, pristine: Path, tmp_path: Path) -> None:
    """What a tool call would be answered is there, with a problem or without, and the log holds sentences."""

    async def serve() -> None:
        env = Environment(setup.channel)
        row = channel(setup.channel)
        server = _Server(row, env, McpConversation(setup.channel, "1", "", {}), ())
        with anyio.fail_after(BOUND_S):
            async with anyio.create_task_group() as group:
                over = anyio.Event()

                async def run() -> None:
                    await server._run_once(ConfigWatch(row, env), Backoff(first_s=1.0, cap_s=10.0))
                    over.set()

                async def opened(settled: anyio.Event) -> None:
                    await settled.wait()
                    over.set()

                group.start_soon(opened, server.current._settled)
                group.start_soon(run)
                await over.wait()
                assert json.dumps(server._status())
                group.cancel_scope.cancel()

    with living_in(setup, tmp_path, pristine) as said:
        logging.getLogger().handlers[:] = [logging.StreamHandler(said)]
        anyio.run(serve)
        assert "Traceback" not in said.getvalue()
