"""`channels hub install` and `uninstall`: the unit that runs the keeper, and who is asked to run it."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_channels.core.program import called
from agent_channels.core.runtime.hub import unit as units
from agent_channels.core.runtime.hub.unit import KeeperUnit, keeper_unit

OURS = Path(sysconfig.get_path("scripts")) / "channels"
UNIT = Path(".config/systemd/user/agent-channels-keeper.service")
SECRET = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels) -> Iterator[Path]:
    """A home, a systemctl that notes what it is asked, and fails if told to; and secrets in the environment."""
    made, programs = tmp_path / "my home", tmp_path / "programs"
    made.mkdir()
    programs.mkdir()
    systemctl = programs / "systemctl"
    systemctl.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ ! -e {tmp_path}/broken ] || {{ echo "no bus" >&2; exit 1; }}\n'
    )
    systemctl.chmod(0o755)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.setenv("PATH", f"{programs}:relative:/usr/bin:/bin")
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data 100%"))
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:correct-horse@proxy:1")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    # How this program is called is looked up once, on a PATH that is this test's alone.
    called.cache_clear()
    yield made
    called.cache_clear()


def asked(home: Path) -> list[str]:
    path = home.parent / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_a_unit_of_systemd_is_written(home: Path, channels) -> None:
    """It runs this program, finds programs where this terminal does, holds no secret; nothing is run unasked."""
    ran = channels("hub", "install")
    assert ran.code == 0, ran.err
    path = home / UNIT
    lines = path.read_text().splitlines()
    assert f"ExecStart={OURS} hub keep" in lines
    assert f"Environment=PATH={OURS.parent}:{home.parent}/programs:/usr/bin:/bin" in lines
    assert f'Environment="CHANNELS_DATA_DIR={home.parent}/data 100%%"' in lines
    assert "KillMode=process" in lines
    assert SECRET not in path.read_text()
    assert "correct-horse" not in path.read_text()
    assert asked(home) == []
    assert "`systemctl --user daemon-reload && systemctl --user enable --now agent-channels-keeper.service`" in ran.out
    assert "loginctl enable-linger" in ran.out
    before = path.read_bytes()
    assert json.loads(channels("hub", "install", "--json").out) == {
        "ok": True,
        "manager": "systemd",
        "path": str(path),
        "started": False,
        "commands": [
            "systemctl --user daemon-reload",
            "systemctl --user enable --now agent-channels-keeper.service",
        ],
    }
    assert path.read_bytes() == before


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("folder", ["plain", "with space", "odd $x %h"])
def test_systemd_takes_the_unit(home: Path, tmp_path: Path, folder: str) -> None:
    """Whatever the program's path is."""
    program = tmp_path / folder / "channels"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = keeper_unit(os.environ)
    assert unit is not None
    path = tmp_path / unit.path.name
    path.write_bytes(unit.text(program, os.environ))
    ran = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(path)],
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


def test_now_puts_it_to_work_and_uninstall_ends_it(home: Path, channels) -> None:
    """By the manager's own commands; what it says is told if one fails, and the file goes all the same."""
    ran = channels("hub", "install", "--now")
    assert ran.code == 0, ran.err
    assert "It was started" in ran.out
    assert asked(home) == ["--user daemon-reload", "--user enable --now agent-channels-keeper.service"]
    (home.parent / "broken").touch()
    ran = channels("hub", "install", "--now")
    assert ran.code == 1
    assert "`systemctl --user daemon-reload` failed: no bus" in ran.err
    ran = channels("hub", "uninstall")
    assert ran.code == 0
    assert "disable --now agent-channels-keeper.service` failed: no bus" in ran.err
    assert not (home / UNIT).exists()
    again = channels("hub", "uninstall", "--json")
    assert json.loads(again.out) == {"ok": True, "path": str(home / UNIT), "removed": False}


def test_uninstalling_the_program_ends_the_keeper(home: Path, channels) -> None:
    """The unit is stopped, not only removed, also where its path needs quotes."""
    assert channels("hub", "install").code == 0
    quoted = (home / UNIT).read_text().replace(f"ExecStart={OURS} ", f'ExecStart="{OURS}" ')
    (home / UNIT).write_text(quoted)
    assert f"- the unit my home/{UNIT}" in channels("uninstall", "--dry-run").out
    assert channels("uninstall", "--yes").code == 0
    assert asked(home) == ["--user disable --now agent-channels-keeper.service"]
    assert not (home / UNIT).exists()


def test_an_agent_of_launchd_is_written(home: Path, channels, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, as a property list that launchd reads; the commands are launchctl's."""
    monkeypatch.setattr(units.sys, "platform", "darwin")
    unit = keeper_unit(os.environ)
    assert isinstance(unit, KeeperUnit)
    assert unit.path == home / "Library" / "LaunchAgents" / "agent-channels.keeper.plist"
    found = plistlib.loads(unit.text(OURS, os.environ))
    assert found["ProgramArguments"] == [str(OURS), "hub", "keep"]
    assert found["EnvironmentVariables"] == {
        "PATH": f"{OURS.parent}:{home.parent}/programs:/usr/bin:/bin",
        "CHANNELS_DATA_DIR": f"{home.parent}/data 100%",
    }
    assert found["RunAtLoad"] is found["AbandonProcessGroup"] is True
    assert [command[:2] for command in (*unit.begin, *unit.end)] == [
        ("launchctl", "bootstrap"),
        ("launchctl", "bootout"),
    ]


def test_where_nothing_runs_units_that_is_said(home: Path, channels, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do instead; nothing is written."""
    monkeypatch.setenv("PATH", str(home))
    for verb in ("install", "uninstall"):
        ran = channels("hub", verb)
        assert ran.code == 1
        assert "neither systemd nor launchd" in ran.err
        assert "`" in ran.err
    assert not (home / UNIT).exists()


def test_a_path_that_no_unit_can_hold(home: Path, channels, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break would be another line of the unit; systemd takes no program with quotation marks."""
    unit = keeper_unit(os.environ)
    assert unit is not None
    with pytest.raises(ValueError, match="quotation marks"):
        unit.text(Path('/opt/"odd"/channels'), os.environ)
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/bad\nExecStartPre=/bin/false")
    ran = channels("hub", "install")
    assert ran.code == 1
    assert "control character" in ran.err
    assert not (home / UNIT).exists()
