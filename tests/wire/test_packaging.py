"""The wheel, installed as a user would."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from agent_channels import __version__
from scratch_installs import venv_with

ROOT = Path(__file__).resolve().parents[2]
OTHER = "channels==4.3.2"
# Every file that pip wrote for a distribution is there, as it was written.
WHOLE = (
    "import base64, hashlib, importlib.metadata, sys\n"
    "files = [f for f in importlib.metadata.files(sys.argv[1]) if f.hash]\n"
    "bad = [str(f) for f in files if base64.urlsafe_b64encode(hashlib.new(f.hash.mode, f.read_binary()).digest())"
    ".rstrip(b'=').decode() != f.hash.value]\n"
    "print(len(files), bad)\n"
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def test_beside_django_channels(tmp_path: Path) -> None:
    """Both can be imported, each stays whole when the other is removed, and the command works."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    python = venv_with(tmp_path / "venv", OTHER)
    pip = (python, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run(*pip, "install", "-c", ROOT / "constraints.txt", wheel)
    imported = run(python, "-c", "import channels.layers, agent_channels; print(channels.__version__)")
    assert imported.strip() == OTHER.partition("==")[2]
    assert run(python.with_name("channels"), "--version").split() == ["channels", __version__]
    run(*pip, "uninstall", "--yes", "agent-channels")
    count, bad = run(python, "-c", WHOLE, "channels").split(maxsplit=1)
    assert (int(count) > 20, bad.strip()) == (True, "[]")
    run(*pip, "install", "--no-deps", wheel)
    run(*pip, "uninstall", "--yes", "channels")
    count, bad = run(python, "-c", WHOLE, "agent-channels").split(maxsplit=1)
    assert (int(count) > 200, bad.strip()) == (True, "[]")
    assert run(python.with_name("channels"), "--version").split() == ["channels", __version__]
