"""What PDFs are drawn with: what is missing is named, with the command that brings it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_channels.core.contract.checks import Setup
from agent_channels.core.doctor import fonts, local
from agent_channels.core.settings import extras
from agent_channels.core.settings.config import Environment, Settings

SETUP = Setup(Environment("mychat", {}), settings=Settings(yt2pdf=True))


def a_list_of_fonts(folder: Path, *missing: str) -> None:
    """A program in the place of fontconfig's that knows fonts for everything but these characters."""
    cases = "".join(f"*{character}*) ;; " for character in missing)
    program = folder / "fc-list"
    program.write_text(f'#!/bin/sh\ncase "$1" in {cases}*) echo Some Font ;; esac\n')
    program.chmod(0o755)


def test_this_machine_has_them() -> None:
    """The tests of the PDFs need them all."""
    assert fonts.pdf_fonts(SETUP).state == "ok"


@pytest.mark.parametrize(("missing", "named", "package"), [
    ("4e2d", "Chinese, Japanese and Korean", "fonts-noto-cjk"),
    ("627", "Arabic", "fonts-dejavu-core"),
    ("5d0", "Hebrew", "fonts-dejavu-core"),
    ("1f680", "emoji in colour", "fonts-noto-color-emoji"),
])  # fmt: skip
def test_a_missing_font_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, named: str, package: str
) -> None:
    """By its script, with the package to install."""
    a_list_of_fonts(tmp_path, missing)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    found = fonts.pdf_fonts(SETUP)
    assert (found.state, found.evidence, found.next) == (
        "wrong", f"missing: {named}", f"run `apt-get install {package}`"
    )  # fmt: skip


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one command for all that is missing."""
    a_list_of_fonts(tmp_path, "627", "5d0")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    monkeypatch.setitem(fonts.LIBRARIES, "libnowhere.so.7", "libnowhere7")
    assert fonts.pdf_fonts(SETUP).next == "run `apt-get install libnowhere7 fonts-dejavu-core`"
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "fontconfig" in fonts.pdf_fonts(SETUP).next


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both, with what is lost without them; nothing is said where the recipe is off."""
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    asked = Setup(SETUP.env, settings=Settings(yt2pdf=True, yt2pdf_s3="s3://bucket"))
    found = local.extras(asked)
    assert (found.state, "agent-channels[yt2pdf,yt2pdf-s3]" in found.next) == ("note", True)
    assert local.extras(Setup(SETUP.env, settings=Settings())).state == "ok"
