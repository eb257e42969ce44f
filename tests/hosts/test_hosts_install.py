"""Installed as people install tools: everything is there, from any folder, and goes again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from agent_channels.cli.main import VERBS
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from harness import TOKEN
from scratch_installs import venv_with

pytestmark = [pytest.mark.long, pytest.mark.cold, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 300.0


@dataclass(frozen=True)
class Installed:
    """One way to install. `command` starts the program; `says` is what `update --json` calls the way."""

    command: list[str]
    says: str
    environ: dict[str, str]

    def run(self, *words: str, cwd: Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words],
            cwd=cwd, env={**self.environ, **env}, input=stdin,
            capture_output=True, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Installed]:
    """Every way to install; the first of pytest's processes that needs them makes them for all."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return install(tmp_path_factory.mktemp("install"))
    shared = tmp_path_factory.getbasetemp().parent
    known = shared / "installs.json"
    with FileLock(f"{known}.lock"):
        if not known.exists():
            found = install(Path(tempfile.mkdtemp(prefix="install-", dir=shared)))
            known.write_text(json.dumps([asdict(one) for one in found.values()]))
        return {one["says"]: Installed(**one) for one in json.loads(known.read_text())}


def install(base: Path) -> dict[str, Installed]:
    """The wheel, built once, and installed by pip, uv and pipx at the same time; skips where they cannot be had."""
    tools = venv_with(base / "tools", "uv", "pipx", "hatchling").parent
    # The machine's own way to its package index; nothing of these tests.
    ours = ("CHANNELS_", "COVERAGE_", "PYTHON", "VIRTUAL_", "TELEGRAM_", "DISCORD_", "CLAUDE", "UV_", "XDG_")
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        "PATH": f"{base / 'bin'}{os.pathsep}{tools}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(base / "home"),
        "CHANNELS_DATA_DIR": str(base / "data"),
        "XDG_RUNTIME_DIR": str(base / "run"),
        "UV_CACHE_DIR": str(base / "uv"),
        "UV_TOOL_DIR": str(base / "uv-tools"),
        "UV_TOOL_BIN_DIR": str(base / "bin"),
        "UV_PYTHON": sys.executable,
        "UV_LINK_MODE": "hardlink",
        "PIPX_HOME": str(base / "pipx"),
        "PIPX_BIN_DIR": str(base / "pipx-bin"),
    }
    for folder in ("home", "run"):
        (base / folder).mkdir(mode=0o700)

    def call(*command: object) -> None:
        ran = subprocess.run(
            list(map(str, command)), cwd=base, env=env, capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr

    subprocess.run([tools / "hatchling", "build", "-t", "wheel", "-d", base], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = base.glob("*.whl")

    def pip() -> Installed:
        call(tools / "uv", "venv", "-q", base / "venv")
        call(tools / "uv", "pip", "install", "-q", "--python", base / "venv", wheel)
        return Installed([str(base / "venv" / "bin" / "channels")], "pip", env)

    def uv() -> Installed:
        call(tools / "uv", "tool", "install", "-q", wheel)
        return Installed([str(base / "bin" / "channels")], "uv tool", env)

    def pipx() -> Installed:
        call(tools / "pipx", "install", "-q", wheel)
        return Installed([str(base / "pipx-bin" / "channels")], "pipx", env)

    def uvx() -> Installed:
        # With no tool installed, or uvx takes that.
        aside = {**env, "UV_TOOL_DIR": str(base / "none")}
        command = Installed([str(tools / "uvx"), "-q", "--from", str(wheel), "channels"], "uvx", aside)
        assert command.run("--version", cwd=base).returncode == 0
        return command

    # The first fills the cache that the others take from.
    found = {"pip": pip()}
    with ThreadPoolExecutor(2) as pool:
        others: list[Callable[[], Installed]] = [uv, pipx, uvx]
        for made in pool.map(lambda make: make(), others):
            found[made.says] = made
    return found


@pytest.mark.parametrize("way", ["pip", "uv tool", "pipx", "uvx"])
def test_every_verb_is_there(installs: dict[str, Installed], way: str, tmp_path: Path) -> None:
    """From an empty folder: each verb explains itself, `channels` alone shows them all, nothing is left behind."""
    installed = installs[way]
    alone = installed.run(cwd=tmp_path)
    assert (alone.returncode, alone.stderr) == (0, "")
    with ThreadPoolExecutor(2) as pool:
        for verb, ran in zip(
            VERBS, pool.map(lambda verb: installed.run(verb, "--help", cwd=tmp_path), VERBS), strict=True
        ):
            assert verb in alone.stdout
            assert (ran.returncode, ran.stderr) == (0, ""), verb
            assert ran.stdout.startswith(f"usage: channels {verb}")
    assert json.loads(installed.run("update", "--json", cwd=tmp_path).stdout)["installed_by"] == installed.says
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["pip", "uv tool", "pipx"])
async def test_set_up_and_taken_out_again(installs: dict[str, Installed], way: str, tmp_path: Path) -> None:
    """Server, hooks and skills are written from what came with the wheel; uninstall leaves the project as it was."""
    installed = installs[way]
    theirs = '{"mcpServers": {"other": {"command":"x"}}}'
    (tmp_path / ".mcp.json").write_text(theirs)
    async with TelegramSandbox(TOKEN) as tg:
        ran = await asyncio.to_thread(
            installed.run, "setup", "telegram", "--yes", "--token-stdin",
            cwd=tmp_path, stdin=tg.token, TELEGRAM_API_ROOT=tg.root,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    entry = json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["telegram"]
    # Of these, uv's folder is on the PATH; another's path is named.
    on_path = way == "uv tool"
    assert (entry["command"] == "channels") is on_path
    hooks = (tmp_path / ".claude" / "settings.local.json").read_text()
    assert " hook stop" in hooks
    skill = (tmp_path / ".claude" / "skills" / "telegram-access" / "SKILL.md").read_text()
    assert ("Bash(channels access telegram *)" in skill) is on_path
    assert "CLAUDE_PLUGIN_ROOT" not in skill
    shown = await asyncio.to_thread(installed.run, "uninstall", "--dry-run", "--json", cwd=tmp_path)
    assert len(json.loads(shown.stdout)["removed"]) == 5
    assert (tmp_path / ".claude" / "skills" / "loop").is_dir()
    name = "channels" if on_path else installed.command[0]
    ran = await asyncio.to_thread(installed.run, "status", "discord", cwd=tmp_path)
    assert f"`{name} setup discord`" in ran.stdout
    gone = await asyncio.to_thread(installed.run, "uninstall", "--yes", "--state", "delete", cwd=tmp_path)
    assert gone.returncode == 0, gone.stderr
    assert "agent-channels" in gone.stdout
    assert (tmp_path / ".mcp.json").read_text() == theirs
    assert os.listdir(tmp_path) == [".mcp.json"]  # noqa: PTH208 - not a blocking call of pathlib


def test_a_passing_environment_is_not_told_to_a_host(installs: dict[str, Installed], tmp_path: Path) -> None:
    """Under uvx, hints begin with its words, and set-up says how to install before it writes a path of the cache."""
    ran = installs["uvx"].run("status", "telegram", cwd=tmp_path)
    assert "`uvx --from" in ran.stdout
    assert "channels setup telegram`" in ran.stdout


async def test_the_sandbox_page_is_served(installs: dict[str, Installed], tmp_path: Path) -> None:
    """With everything that it shows, and its secret; from the tool that leaves the command on the PATH."""
    installed = installs["uv tool"]
    process = await asyncio.create_subprocess_exec(
        *installed.command, "sandbox", "--no-open", "--port", "0", "--agent", "none",
        cwd=tmp_path, env=installed.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(120):
            while "http://" not in (line := (await process.stdout.readline()).decode()):
                assert line, (await process.stderr.read()).decode() if process.stderr else ""
        address = next(word for word in line.split() if word.startswith("http://"))

        import aiohttp

        async with aiohttp.ClientSession() as session, session.get(address) as page:
            assert page.status == 200
            assert "sandbox.js" in await page.text()
    finally:
        process.terminate()
        await process.wait()
