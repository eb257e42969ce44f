"""Other people's programs for a test run: installed into a scratch folder, bounded in time, never into the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

__all__ = ["npm_package", "venv_with"]

INSTALL_WITHIN_S = 240.0


def npm_package(folder: Path, package: str) -> Path:
    """`node_modules/.bin` of a folder where the package is installed; skips the test, saying why, when it cannot be."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"{package} cannot be installed: there is no npm")
    command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder), package]
    _run(command, package, folder)
    return folder / "node_modules" / ".bin"


def venv_with(folder: Path, *packages: str, at_least: tuple[int, int] = (3, 0)) -> Path:
    """The interpreter of a virtual environment that has the packages; skips the test, saying why, when it cannot be.

    It is of our own Python, or of another one on the PATH if ours is older than `at_least`.
    """
    what = ", ".join(packages)
    _run([_interpreter(at_least, what), "-m", "venv", str(folder)], f"an environment for {what}", folder)
    python = folder / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], what, folder)
    return python


def _interpreter(at_least: tuple[int, int], what: str) -> str:
    if sys.version_info[:2] >= at_least:
        return sys.executable
    major, minor = at_least
    found = next(
        filter(None, (shutil.which(f"python{major}.{newer}") for newer in range(minor + 3, minor - 1, -1))), None
    )
    if found is None:
        pytest.skip(f"{what} cannot be installed: it needs Python {major}.{minor} or newer")
    return found


def _run(command: list[str], what: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    # What is tested here must not leak into what others install.
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTHON", "VIRTUAL_"))
    }
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            timeout=INSTALL_WITHIN_S,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{what} could not be installed within {INSTALL_WITHIN_S:.0f} s")
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()[-300:]
        pytest.skip(f"{what} could not be installed: {said or error}")
