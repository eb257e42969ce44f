"""Telegram's settings and tokens, known without importing its library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.config import Environment, load
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.telegram.channel import CHANNEL
from agent_channels.telegram.settings import TelegramSettings, bot_id

TOKEN = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"


@pytest.mark.parametrize("token", [TOKEN, "123456:" + "A" * 35, "12345678901:" + "a-b_" * 10])
def test_a_token_begins_with_the_bots_id(token: str) -> None:
    """The digits before the colon."""
    assert bot_id(token) == token.partition(":")[0]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        TOKEN.replace(":", ""),
        f"{TOKEN} ",
        f"bot{TOKEN}",
        f"{TOKEN}\n",
        TOKEN[:20],
        f"{TOKEN}/x",
        f"'{TOKEN}'",
    ],
)
def test_what_is_no_token_is_refused_without_showing_it(token: str) -> None:
    """The sentence tells its length and the command that sets it, never a part of it."""
    with pytest.raises(ConfigError, match=rf"it has {len(token)} characters.*channels setup telegram") as refused:
        bot_id(token)
    assert TOKEN[11:20] not in str(refused.value)


def test_its_settings_come_from_the_environment(tmp_path: Path) -> None:
    """The names of the contract, over the file's."""
    make_state_folder(tmp_path)
    (tmp_path / "config.yaml").write_text("poll_timeout_s: 5\nproxy: http://127.0.0.1:3128\n")
    environ = {
        "TELEGRAM_STATE_DIR": str(tmp_path),
        "TELEGRAM_API_ROOT": "http://127.0.0.1:8081/",
        "TELEGRAM_POLL_TIMEOUT_S": "7",
        "TELEGRAM_PROXY": "${TELEGRAM_PROXY}",
    }
    settings = load(TelegramSettings, Environment("telegram", environ))
    assert settings.api_root == "http://127.0.0.1:8081"
    assert settings.poll_timeout_s == 7
    assert settings.proxy == "http://127.0.0.1:3128"
    assert TelegramSettings().api_root == "https://api.telegram.org"
    assert CHANNEL.silence_s(settings) > settings.poll_timeout_s + 10


@pytest.mark.parametrize("root", ["http://api.telegram.org", "http://10.0.0.1:8081", "ftp://x", "api.telegram.org"])
def test_a_root_that_would_show_the_token_is_refused(tmp_path: Path, root: str) -> None:
    """The refusal names the setting and what would be right."""
    environ = {"TELEGRAM_STATE_DIR": str(tmp_path), "TELEGRAM_API_ROOT": root}
    with pytest.raises(ConfigError, match=r"setting 'api_root' is .*https"):
        load(TelegramSettings, Environment("telegram", environ))


@pytest.mark.parametrize("seconds", ["-1", "51", "soon"])
def test_a_poll_is_as_long_as_telegram_allows(tmp_path: Path, seconds: str) -> None:
    """At most fifty seconds."""
    environ = {"TELEGRAM_STATE_DIR": str(tmp_path), "TELEGRAM_POLL_TIMEOUT_S": seconds}
    with pytest.raises(ConfigError, match="setting 'poll_timeout_s'"):
        load(TelegramSettings, Environment("telegram", environ))


def imported_by(module: str) -> set[str]:
    """Every module that a process has after it imported this one."""
    script = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True)
    return set(ran.stdout.split())


def test_the_row_of_data_does_not_import_the_library() -> None:
    """The handshake is answered before the library is there."""
    assert not {"aiohttp", "ssl"} & imported_by("agent_channels.telegram.channel")


def test_the_adapter_imports_what_reads_answers_and_nothing_beyond() -> None:
    """Start and memory are budgets: no library of the Bot API, and no HTTP client before a file or a proxy needs it."""
    modules = {name.partition(".")[0] for name in imported_by("agent_channels.telegram.adapter")}
    assert "httptools" in modules
    unwanted = {"telegram", "aiohttp", "aiohttp_socks", "yarl", "httpx", "httpx2", "requests", "discord", "slack_sdk"}
    assert not unwanted & modules
