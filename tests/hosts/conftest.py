"""Every test gets its own sandbox and folders; hosts are believed only as far as they show that they hear."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN, Stage
from hook_runs import SESSION, Hooks
from inbox_socket import InboxSocket
from real_host import PACKAGE
from scratch_installs import npm_package

SOCKET_TOKEN = "a-session-token-of-the-host"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The host itself, from its package; one for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "host"
    with FileLock(f"{folder}.lock"):
        done = folder / "node_modules" / ".bin"
        found = (done if done.exists() else npm_package(folder, PACKAGE)) / "claude"
    if not found.exists():
        pytest.skip(f"{PACKAGE} was installed without its program for this system")
    return found


@pytest.fixture
def tmux() -> None:
    if shutil.which("tmux") is None:
        pytest.skip("there is no tmux to show an interactive session in")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with TelegramSandbox(TOKEN) as tg:
        async with Stage(tg, tmp_path) as made:
            made.env |= {"CHANNELS_CLAIM": "auto", "CLAUDE_CODE_SESSION_ID": SESSION}
            yield made
        assert made.impure() == []
        assert tg.token not in made.everything_said()


@pytest.fixture
async def hooks(stage: Stage) -> AsyncIterator[Hooks]:
    """Hooks of the session that the stage's hosts are in."""
    async with Hooks(stage) as made:
        yield made


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a short name: a Unix socket's path may have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ac-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def inbox(stage: Stage, sockets: Path) -> AsyncIterator[InboxSocket]:
    """The session's inbox socket, named in the environment of every server of the stage."""
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(InboxSocket(sockets / "inbox.sock"))
        stage.env |= {"CLAUDE_CODE_MESSAGING_SOCKET": str(made.path), "CLAUDE_CODE_MESSAGING_TOKEN": SOCKET_TOKEN}
        yield made
