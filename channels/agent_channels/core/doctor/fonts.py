"""Whether this machine can render PDFs: the libraries that lay out text, and a font for every script."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from typing import NamedTuple

from agent_channels.core.contract.checks import Finding, Setup, fine, wrong
from agent_channels.core.i18n.sentences import Sentence, joined, sentence

__all__ = ["LIBRARIES", "SCRIPTS", "pdf_fonts"]

TIMEOUT_S = 10.0


class Script(NamedTuple):
    """A script, a fontconfig pattern that matches fonts with it, and a package that brings one."""

    name: Sentence
    pattern: str
    package: str


SCRIPTS = (
    Script(sentence("Chinese, Japanese and Korean"), ":charset=4e2d 9ad4 3042 ac00", "fonts-noto-cjk"),
    Script(sentence("Arabic"), ":charset=627 644 647", "fonts-dejavu-core"),
    Script(sentence("Hebrew"), ":charset=5d0 5dd", "fonts-dejavu-core"),
    Script(sentence("emoji in colour"), ":charset=1f680 1f35e:color=true", "fonts-noto-color-emoji"),
)
# The shared libraries that the renderer loads, and the package that brings each.
LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}


def pdf_fonts(_setup: Setup) -> Finding:
    """Check for the libraries and fonts that render the PDFs of /yt2pdf."""
    missing: dict[str, list[str]] = {}
    for name, package in LIBRARIES.items() if sys.platform == "linux" else ():
        if not _loads(name):
            missing.setdefault(package, []).append(name)
    if shutil.which("fc-list") is None:
        missing["fontconfig"] = ["fc-list"]
    else:
        for script in SCRIPTS:
            if not _has_font(script.pattern):
                missing.setdefault(script.package, []).append(script.name)
    if not missing:
        return fine("PDFs have a font for every script", "Pango; CJK, Arabic, Hebrew, emoji")
    return wrong(
        "PDFs cannot be rendered, or some characters would be missing",
        sentence("missing: {what}", what=joined((one for found in missing.values() for one in found), ", ")),
        sentence("run `{command}`", command=f"apt-get install {' '.join(missing)}"),
    )


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _has_font(pattern: str) -> bool:
    try:
        ran = subprocess.run(  # noqa: S603
            ["fc-list", pattern, "family"],  # noqa: S607 - whichever is on the operator's PATH
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(ran.stdout.strip())
