"""Real agent hosts, installed by exact version and started headless: our server, a scripted model, nothing else.

Their folders are the test's, keys are made up, every address is on loopback, telemetry and updates are off.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import yaml

from gemini_model import GeminiModel
from openai_model import MODEL, OpenAIModel
from real_host import PACKAGE as CLAUDE
from responses_model import ResponsesModel
from scratch_installs import npm_package
from scripted_model import ScriptedModel

__all__ = ["HOSTS", "KEY", "CodingHost", "Launch", "Room", "handed_on", "npm_program"]

KEY = "made-up-for-tests-000000000000000000000000"
NODE = "node@24.9.0"
# Nobody listens there: what a host asks of the world outside is refused at once.
NOWHERE = "http://127.0.0.1:9"


def npm_program(package: str, program: str) -> Path:
    """A program of an npm package, `name@version`, installed once for this user; skips the test where it cannot be."""
    folder = cache_folder() / "npm" / package.replace("/", "+")
    ready = folder / ".ready"
    if not ready.exists():
        folder.mkdir(parents=True, exist_ok=True)
        npm_package(folder, package)
        ready.touch()
    return folder / "node_modules" / ".bin" / program


def cache_folder() -> Path:
    """Where other people's programs are kept between runs."""
    return Path(os.environ.get("CHANNELS_HOSTS_CACHE") or platformdirs.user_cache_path("agent-channels-tests"))


def handed_on(env: Mapping[str, str]) -> dict[str, str]:
    """The variables by which a server finds the folders of a test, as its host has to hand them on."""
    named = {"TELEGRAM_STATE_DIR", "CHANNELS_DATA_DIR", "XDG_RUNTIME_DIR"}
    return {name: value for name, value in env.items() if name in named or name.startswith("COVERAGE_")}


@dataclass(frozen=True)
class Launch:
    """How a host is started."""

    command: list[str]
    env: dict[str, str]


@dataclass(frozen=True)
class Room:
    """What a host is given: folders of its own, the servers to start, and the model to ask."""

    program: Path
    home: Path
    project: Path
    servers: Mapping[str, Mapping[str, Any]]
    model: ScriptedModel
    prompt: str
    # After how many seconds the host is to give up a tool call; None: as it does by itself.
    call_s: float | None = None

    @property
    def call_ms(self) -> int | None:
        """The same in milliseconds, as most hosts have it."""
        return None if self.call_s is None else int(self.call_s * 1000)

    def call_bound(self, name: str, *, in_seconds: bool = False) -> dict[str, Any]:
        """The setting by which a host is told so; {} where it is not told."""
        if self.call_s is None:
            return {}
        return {name: int(self.call_s) if in_seconds else self.call_ms}

    @property
    def env(self) -> dict[str, str]:
        """An environment without anything of the user's."""
        home = str(self.home)
        return {
            "PATH": os.environ["PATH"],
            "HOME": home,
            **{f"XDG_{name}_HOME": f"{home}/xdg-{name.lower()}" for name in ("CONFIG", "DATA", "STATE", "CACHE")},
            "TMPDIR": tempfile.gettempdir(),
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "CI": "1",
            "DO_NOT_TRACK": "1",
            **{f"{scheme}_PROXY": NOWHERE for scheme in ("HTTP", "HTTPS", "ALL")},
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def write(self, path: str | Path, content: Any) -> Path:
        """Writes a file in the home, or at an absolute path; what is not text becomes JSON."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return file


@dataclass(frozen=True)
class CodingHost:
    """One host: where it comes from, which API it asks its model by, and how it is started without a screen."""

    name: str
    package: str
    executable: str
    model: type[ScriptedModel]
    launch: Callable[[Room], Launch]
    # A Node.js of its own, where the host needs a newer one than a system may have.
    node: str = ""

    @property
    def version(self) -> str:
        """The version that is installed."""
        return self.package.rpartition("@")[2]

    def program(self) -> Path:
        """Its program, installed."""
        return npm_program(self.package, self.executable)

    def started(self, room: Room) -> Launch:
        """How it is started."""
        launch = self.launch(room)
        if self.node:
            node = npm_program(self.node, "node")
            launch.env["PATH"] = os.pathsep.join([str(node.parent), launch.env["PATH"]])
        return launch


def mcp_servers(room: Room, **more: Any) -> dict[str, Any]:
    """The entries as most hosts write them, each with `more`."""
    return {"mcpServers": {name: {**entry, **more} for name, entry in room.servers.items()}}


def _copilot(room: Room) -> Launch:
    if room.servers:
        room.write(
            ".copilot/mcp-config.json", mcp_servers(room, type="local", tools=["*"], **room.call_bound("timeout"))
        )
    room.write(".copilot/config.json", {"trusted_folders": [str(room.project)]})
    model = {"BASE_URL": _base_url(room), "TYPE": "openai", "API_KEY": KEY}
    env = {
        **room.env,
        **{f"COPILOT_PROVIDER_{name}": value for name, value in model.items()},
        "COPILOT_MODEL": MODEL,
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
    }
    return Launch([str(room.program), "-p", room.prompt, "--allow-all-tools", "--no-color"], env)


def _cline(room: Room) -> Launch:
    data = room.home / ".cline" / "data"
    if room.servers:
        room.write(
            data / "settings" / "cline_mcp_settings.json",
            mcp_servers(room, **room.call_bound("timeout", in_seconds=True)),
        )
    provider = "openai-compatible"
    settings = {"provider": provider, "apiKey": KEY, "model": MODEL, "baseUrl": _base_url(room)}
    # As `cline auth` writes it.
    stored = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    known = {"version": 1, "lastUsedProvider": provider, "modes": {}, "providers": {provider: stored}}
    room.write(data / "settings" / "providers.json", known)
    env = {**room.env, "CLINE_SESSION_BACKEND_MODE": "local"}
    options = ["--json", "--autoapprove", "true", "-P", provider, "-m", MODEL]
    return Launch([str(room.program), *options, room.prompt], env)


def _continue(room: Room) -> Launch:
    model = {"name": "Scripted", "provider": "openai", "model": MODEL, "apiKey": KEY, "apiBase": _base_url(room)}
    config = {
        "name": "Tests",
        "version": "1.0.0",
        "schema": "v1",
        "models": [{**model, "roles": ["chat"], "capabilities": ["tool_use"]}],
        **({"mcpServers": [{"name": name, **entry} for name, entry in room.servers.items()]} if room.servers else {}),
    }
    path = room.write(".continue/config.yaml", yaml.safe_dump(config))
    env = {**room.env, "CONTINUE_TELEMETRY_ENABLED": "0"}
    return Launch([str(room.program), "-p", room.prompt, "--config", str(path), "--auto"], env)


def _kimi(room: Room) -> Launch:
    folder = room.home / ".kimi-code"
    room.write(folder / "mcp.json", mcp_servers(room, **room.call_bound("toolTimeoutMs")))
    model = {"NAME": MODEL, "API_KEY": KEY, "PROVIDER_TYPE": "openai", "BASE_URL": _base_url(room)}
    env = {
        **room.env,
        **{f"KIMI_MODEL_{name}": value for name, value in model.items()},
        "KIMI_CODE_HOME": str(folder),
        "KIMI_DISABLE_TELEMETRY": "1",
    }
    return Launch([str(room.program), "-p", room.prompt], env)


def _qwen(room: Room) -> Launch:
    servers = mcp_servers(room, trust=True, **room.call_bound("timeout"))
    room.write(".qwen/settings.json", {**servers, "privacy": {"usageStatisticsEnabled": False}})
    env = {**room.env, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": _base_url(room), "OPENAI_MODEL": MODEL}
    return Launch([str(room.program), "--auth-type", "openai", "--yolo", "-p", room.prompt], env)


def _opencode(room: Room) -> Launch:
    provider = {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": _base_url(room), "apiKey": KEY}}
    config = {
        "provider": {"tests": {**provider, "models": {MODEL: {"name": "Scripted", "tool_call": True}}}},
        "model": f"tests/{MODEL}",
        "autoupdate": False,
        "share": "disabled",
        "mcp": {name: _opencode_server(room, entry) for name, entry in room.servers.items()},
    }
    path = room.write("opencode.json", config)
    named = {f"{product}_CONFIG": str(path) for product in ("OPENCODE", "KILO")}
    off = {
        f"{product}_DISABLE_{what}": "1"
        for product in ("OPENCODE", "KILO")
        for what in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "SHARE")
    }
    return Launch([str(room.program), "run", room.prompt], {**room.env, **named, **off})


def _opencode_server(room: Room, entry: Mapping[str, Any]) -> dict[str, Any]:
    command = [entry["command"], *entry["args"]]
    server = {"type": "local", "command": command, "environment": entry["env"], "enabled": True}
    return {**server, **room.call_bound("timeout")}


def _codex(room: Room) -> Launch:
    def text(value: object) -> str:
        return json.dumps(value)

    lines = [
        f"model = {text(MODEL)}",
        'model_provider = "tests"',
        "check_for_update_on_startup = false",
        'approval_policy = "never"',
        'sandbox_mode = "danger-full-access"',
        "[model_providers.tests]",
        'name = "tests"',
        f"base_url = {text(f'{room.model.root}/v1')}",
        'wire_api = "responses"',
        'env_key = "SCRIPTED_KEY"',
        "requires_openai_auth = false",
        "supports_websockets = false",
        f"[projects.{text(str(room.project))}]",
        'trust_level = "trusted"',
        "[analytics]",
        "enabled = false",
    ]
    for name, entry in room.servers.items():
        lines += [f"[mcp_servers.{name}]", f"command = {text(entry['command'])}", f"args = {text(entry['args'])}"]
        lines += ["required = true", f"tool_timeout_sec = {room.call_s or 600}"]
        lines += [f"[mcp_servers.{name}.env]", *(f"{key} = {text(value)}" for key, value in entry["env"].items())]
    room.write(".codex/config.toml", "\n".join(lines))
    command = [str(room.program), "exec", "--skip-git-repo-check", room.prompt]
    return Launch(command, {**room.env, "CODEX_HOME": str(room.home / ".codex"), "SCRIPTED_KEY": KEY})


def _gemini(room: Room) -> Launch:
    settings = {
        **mcp_servers(room, trust=True, **room.call_bound("timeout")),
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
    }
    room.write(".gemini/settings.json", settings)
    env = {
        **room.env,
        "GEMINI_API_KEY": KEY,
        "GOOGLE_GEMINI_BASE_URL": room.model.root,
        "GEMINI_CLI_SYSTEM_SETTINGS_PATH": str(room.home / "none.json"),
        "GEMINI_CLI_NO_RELAUNCH": "true",
    }
    return Launch([str(room.program), "--model", "gemini-2.5-flash", "--yolo", "-p", room.prompt], env)


def _claude(room: Room) -> Launch:
    config = room.write("mcp.json", mcp_servers(room, alwaysLoad=True))
    allowed = ",".join(f"mcp__{name}" for name in room.servers)
    wired = ["--mcp-config", str(config), "--strict-mcp-config", "--allowedTools", allowed]
    env = {**room.env, "ANTHROPIC_BASE_URL": room.model.root, "ANTHROPIC_API_KEY": KEY, "DISABLE_AUTOUPDATER": "1"}
    if room.call_s is not None:
        env["MCP_TOOL_TIMEOUT"] = str(room.call_ms)
    return Launch([str(room.program), *wired, "-p", room.prompt], env)


def _base_url(room: Room) -> str:
    assert isinstance(room.model, OpenAIModel)
    return room.model.base_url


_ALL: Sequence[CodingHost] = (
    CodingHost("claude", CLAUDE, "claude", ScriptedModel, _claude),
    CodingHost("codex", "@openai/codex@0.171.0", "codex", ResponsesModel, _codex),
    CodingHost("gemini", "@google/gemini-cli@0.61.0", "gemini", GeminiModel, _gemini),
    CodingHost("copilot", "@github/copilot@1.0.102", "copilot", OpenAIModel, _copilot),
    CodingHost("cline", "cline@3.0.65", "cline", OpenAIModel, _cline),
    CodingHost("continue", "@continuedev/cli@1.5.47", "cn", OpenAIModel, _continue),
    CodingHost("kimi", "@moonshot-ai/kimi-code@2.1.0", "kimi", OpenAIModel, _kimi, NODE),
    CodingHost("qwen", "@qwen-code/qwen-code@0.24.4", "qwen", OpenAIModel, _qwen),
    CodingHost("opencode", "opencode-ai@1.18.33", "opencode", OpenAIModel, _opencode),
    CodingHost("kilo", "@kilocode/cli@7.7.7", "kilo", OpenAIModel, _opencode),
)
HOSTS = {host.name: host for host in _ALL}
