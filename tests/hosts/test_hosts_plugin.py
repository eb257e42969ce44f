"""The plugin: valid, loaded by the real host with its skills, hooks and servers; and how it installs its program."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

import pytest

from agent_channels import __version__
from agent_channels.core.store.database import Store
from harness import COMMAND, Stage
from real_host import RealHost
from scripted_model import Asked, ScriptedModel, say, use

ROOT = Path(__file__).parents[2]
RUN = ROOT / ".claude-plugin" / "run.py"
PARTS = (".claude-plugin", "skills", "hooks", "channels", ".mcp.json", "pyproject.toml", "constraints.txt", "README.md")
SKILLS = {
    f"agent-channels:{name}-{verb}" for name in ("telegram", "discord", "slack") for verb in ("access", "configure")
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the plugin that was set up: its environment runs the program under test."""
    folder = tmp_path / "agent-channels"
    for part in PARTS:
        found = ROOT / part
        if found.is_dir():
            shutil.copytree(found, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(found, folder / part)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "sh").symlink_to("/bin/sh")
    quoted = " ".join(f"'{part}'" for part in COMMAND)
    program(programs / "channels", f'#!{programs}/sh\nexec {quoted} "$@"\n')
    return folder


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def claude(program: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "DISABLE_AUTOUPDATER": "1"}
    return subprocess.run([program, *words], env=env, cwd=home, capture_output=True, text=True, timeout=60, check=False)


# ---- the real host


@pytest.mark.timeout(400)
def test_the_plugin_is_valid_and_installs_from_a_clone(program: Path, clone: Path, tmp_path: Path) -> None:
    """`validate --strict` has nothing to say; the clone is a marketplace from which the plugin can be installed."""
    home = tmp_path / "home"
    home.mkdir()
    ran = claude(program, home, "plugin", "validate", "--strict", str(clone))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for words in (["marketplace", "add", str(clone)], ["install", "agent-channels@agent-channels"]):
        ran = claude(program, home, "plugin", *words)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    listed = json.loads(claude(program, home, "plugin", "list", "--json").stdout)
    assert [(one["id"], one["version"]) for one in listed] == [("agent-channels@agent-channels", __version__)]


@pytest.mark.timeout(400)
async def test_a_session_has_the_skills_the_hooks_and_the_servers(stage: Stage, program: Path, clone: Path) -> None:
    """Skills are slash commands and run without a permission prompt, a hook reaches the model, the bot is read."""
    stage.state = stage.project / "state" / "telegram"
    stage.state.mkdir(parents=True, mode=0o700)
    with Store.open(stage.state):
        pass

    async def script(asked: Asked) -> list[dict[str, Any]]:
        run = re.search(r"^python3 \S+run\.py --data \S+$", asked.latest, re.MULTILINE)
        if run is None:
            # A session without a screen waits for no server: it ends once the bot is read.
            await stage.tg.wait_for(lambda: stage.tg.polling, 60)
            return [say("done")]
        return [use("Bash", command=f"{run[0]} access telegram --json", description="Shows who has access")]

    async with ScriptedModel(script) as model:
        host = RealHost(stage, model, program, hooks=False)
        # Only what a user has: the state stays in the project, with nothing that names it.
        host.env = {name: value for name, value in host.env.items() if name != "TELEGRAM_STATE_DIR"}
        server = {name: stage.env[name] for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ROOT")}
        process = await asyncio.create_subprocess_exec(
            program, "--plugin-dir", str(clone), "--permission-mode", "default", "--output-format", "stream-json",
            "--verbose", "-p", "/agent-channels:telegram-access", cwd=stage.project,
            env={**host.env, **server, "CHANNELS_CLAIM": "always"}, stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 90)
        finally:
            if process.returncode is None:
                process.kill()
        assert model.failed == []
    said = [json.loads(line) for line in out.splitlines()]
    begun = next(one for one in said if one.get("subtype") == "init")
    assert set(begun["slash_commands"]) >= SKILLS
    servers = {one["name"] for one in begun["mcp_servers"]}
    assert servers >= {"plugin:agent-channels:telegram", "plugin:agent-channels:discord"}
    # The skill's own command ran, and showed what is in this project's state.
    results = [asked.latest for asked in model.asked if '"policy": "pairing"' in asked.latest]
    assert results, [asked.latest for asked in model.asked]
    assert any("People see only what the reply tool sends" in asked.text for asked in model.asked)


# ---- how the program gets there


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A plugin whose program has no dependencies and prints its arguments."""
    folder = tmp_path / "small"
    (folder / "channels").mkdir(parents=True)
    (folder / ".claude-plugin").mkdir()
    shutil.copy2(RUN, folder / ".claude-plugin" / "run.py")
    (folder / "channels" / "__init__.py").write_text("import sys\ndef main(): print('ran', *sys.argv[1:])\n")
    (folder / "constraints.txt").write_text("")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "made"\nbackend-path = ["."]\n'
    )
    (folder / "made.py").write_text(
        "import zipfile\n"
        "def build_wheel(folder, *_):\n"
        "    name = 'small-1-py3-none-any.whl'\n"
        "    info = 'small-1.dist-info/'\n"
        "    with zipfile.ZipFile(f'{folder}/{name}', 'w') as wheel:\n"
        "        wheel.write('channels/__init__.py')\n"
        "        wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n')\n"
        "        wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        wheel.writestr(info + 'entry_points.txt', '[console_scripts]\\nchannels = channels:main\\n')\n"
        "        wheel.writestr(info + 'RECORD', '')\n"
        "    return name\n"
    )
    return folder


async def begin(plugin: Path, data: Path, *words: str, **more: str) -> Process:
    """Start it as a host does. Only the plugin's own files can be found, and no package index."""
    env = {"PATH": os.environ["PATH"], "HOME": str(data.parent), "CLAUDE_PLUGIN_DATA": str(data), "PIP_NO_INDEX": "1"}
    return await asyncio.create_subprocess_exec(
        *command_of(plugin, more.pop("PYTHON", sys.executable)), *words, env={**env, **more}, cwd="/", stdout=PIPE,
        stderr=PIPE,
    )  # fmt: skip


def command_of(plugin: Path, python: str) -> list[str]:
    """How a host starts the plugin's servers and hooks: the manifest's command, with the user's Python in it."""
    server = json.loads((ROOT / ".claude-plugin" / "plugin.json").read_text())["mcpServers"]["telegram"]
    words = [server["command"], *server["args"][:1]]
    return [
        word.replace("${user_config.python}", python).replace("${CLAUDE_PLUGIN_ROOT}", str(plugin)) for word in words
    ]


async def told(plugin: Path, data: Path, **env: str) -> str:
    """What a person reads at the start of a session, as the plugin's own hook says it."""
    out, err = await done(await begin(plugin, data, "hook", "session", **env))
    assert err == ""
    return str(json.loads(out)["systemMessage"])


async def done(process: Process) -> tuple[str, str]:
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return out.decode(), err.decode()


async def test_it_installs_itself_once(small: Path, tmp_path: Path) -> None:
    """Two servers that start together create one environment; the next start creates none; new source another one.

    It is created by any command: the one that a session is told for the token can be copied as it is.
    """
    data = tmp_path / "the data"
    both = [await begin(small, data, "serve", name) for name in ("telegram", "discord")]
    assert [(await done(one))[0] for one in both] == ["ran serve telegram\n", "ran serve discord\n"]
    assert (data / "install.log").read_text().count("Successfully installed") == 1
    assert await done(await begin(small, data, "serve", "telegram")) == ("ran serve telegram\n", "")

    (small / "channels" / "__init__.py").write_text("import sys\ndef main(): print('newer', *sys.argv[1:])\n")
    said = await told(small, data)
    assert "in a terminal of your own and never here" in said
    words = shlex.split(said.partition("never here: ")[2])
    assert words[-1] == "setup"
    ran = await asyncio.create_subprocess_exec(*words, env={"PATH": os.environ["PATH"]}, stdout=PIPE, stderr=PIPE)
    assert (await done(ran))[0] == "newer setup\n"
    assert len(list(data.glob("env-*"))) == 2


@pytest.mark.long
async def test_an_impatient_host_does_not_stop_the_installation(small: Path, tmp_path: Path) -> None:
    """The server is ended while it installs: the installation completes, and the next start finds it."""
    data = tmp_path / "data"
    first = await begin(small, data, "serve", "telegram")
    assert first.stderr is not None
    assert b"installing" in await asyncio.wait_for(first.stderr.readline(), 30)
    first.send_signal(signal.SIGTERM)
    await first.wait()
    assert (await done(await begin(small, data, "serve", "telegram")))[0] == "ran serve telegram\n"
    assert (data / "install.log").read_text().count("Successfully installed") == 1


async def test_hooks_never_install(small: Path, tmp_path: Path) -> None:
    """Before the installation a hook has no effect; only the start of a session is told about it."""
    data = tmp_path / "data"
    for name in ("bell", "stop", "prompt", "permission", "question"):
        assert await done(await begin(small, data, "hook", name)) == ("", "")
    assert "Reconnect" in await told(small, data)
    assert not data.exists()


# A Python that says it is 3.9, as that of an older system: the rest of it is this one.
OLD = """#!{python}
import runpy, sys
sys.version_info, sys.executable = (3, 9, 18, "final", 0), __file__
sys.argv = [word for word in sys.argv[1:] if word != "-I"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.long
async def test_only_an_old_python(small: Path, tmp_path: Path) -> None:
    """The server and the next session name what is there, what is needed and what to do; hooks stay silent."""
    programs = tmp_path / "bin"
    programs.mkdir()
    old = str(program(programs / "python3", OLD.format(python=sys.executable)))
    env, data = {"PYTHON": old, "PATH": str(programs)}, tmp_path / "data"
    expected = f"It needs Python 3.11 or newer; {old} is 3.9, and no newer one is on the PATH."
    process = await begin(small, data, "serve", "telegram", **env)
    _, err = await done(process)
    assert process.returncode == 1
    assert expected in err
    said = await told(small, data, **env)
    assert said.startswith(f"Agent Channels does not run. {expected} Install one, or name it in the plugin's settings")
    assert await done(await begin(small, data, "hook", "stop", **env)) == ("", "")
    # The settings name a newer one: nothing of the failure is left.
    assert "installs itself once" in await told(small, data)
    assert (await done(await begin(small, data, "serve", "telegram")))[0] == "ran serve telegram\n"


@pytest.mark.long
async def test_a_newer_python_beside_the_old_one_is_taken(small: Path, tmp_path: Path) -> None:
    """Where `python3` is old and `python3.11` is there, nobody has to name it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    old = str(program(programs / "python3", OLD.format(python=sys.executable)))
    (programs / f"python3.{sys.version_info.minor}").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    process = await begin(small, tmp_path / "data", "serve", "telegram", PYTHON=old, PATH=str(programs))
    assert (await done(process))[0] == "ran serve telegram\n"


@pytest.mark.long
async def test_the_next_session_has_pips_last_line(small: Path, tmp_path: Path) -> None:
    """Also where the log is, and that it is tried again; once it works, nothing of it is left."""
    data, recipe = tmp_path / "data", (small / "pyproject.toml").read_text()
    (small / "pyproject.toml").write_text(recipe.replace("requires = []", 'requires = ["no-such-thing-of-ours"]'))
    _, err = await done(await begin(small, data, "serve", "telegram"))
    log = data / "install.log"
    last = next(line for line in reversed(log.read_text().splitlines()) if "pip failed: " in line)
    assert last in err
    assert "no-such-thing-of-ours" in log.read_text()
    said = await told(small, data)
    assert said.startswith(f"Agent Channels could not install itself: {last} (all of it: {log})")
    assert "Reconnect in /mcp" in said
    # Of another source it is not known yet whether it can be installed.
    (small / "pyproject.toml").write_text(recipe)
    assert "installs itself once" in await told(small, data)
    assert (await done(await begin(small, data, "serve", "telegram")))[0] == "ran serve telegram\n"
    assert not (data / "failed").exists()


def test_the_starter_runs_on_an_old_python() -> None:
    """Its syntax is that of Python 3.8, or an old Python would say SyntaxError instead of what is needed."""
    ast.parse(RUN.read_text(), feature_version=(3, 8))


@pytest.mark.long
async def test_a_failed_installation_is_told_and_tried_again(small: Path, tmp_path: Path) -> None:
    """Exit code 1 and the path of the log; the next start removes the failed installation."""
    data, recipe = tmp_path / "data", (small / "pyproject.toml").read_text()
    (small / "pyproject.toml").write_text(recipe + '[project]\nname = "small"\nversion = "nonsense!"\n')
    (small / "made.py").rename(small / "gone.py")
    process = await begin(small, data, "serve", "telegram")
    _, err = await done(process)
    assert process.returncode == 1
    assert str(data / "install.log") in err
    (small / "gone.py").rename(small / "made.py")
    assert (await done(await begin(small, data, "serve", "telegram")))[0] == "ran serve telegram\n"


async def test_a_clones_own_environment_is_used(clone: Path, tmp_path: Path) -> None:
    """The one that the README sets up is used; one that was copied along from another folder is not."""
    assert await done(await begin(clone, tmp_path / "data", "--version")) == (f"channels {__version__}\n", "")
    moved = tmp_path / "copied"
    await asyncio.to_thread(clone.rename, moved)
    assert await done(await begin(moved, tmp_path / "data", "hook", "stop")) == ("", "")


def test_the_manifest_is_of_this_version() -> None:
    """Its version is the program's, and its servers get the environment that the project's .mcp.json gives them."""
    manifest = json.loads((ROOT / ".claude-plugin" / "plugin.json").read_text())
    assert manifest["version"] == __version__
    shared = json.loads((ROOT / ".mcp.json").read_text())["mcpServers"]
    assert {name: one["env"] for name, one in manifest["mcpServers"].items()} == {
        name: one["env"] for name, one in shared.items()
    }
