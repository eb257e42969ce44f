"""What is installed along with this program, and under which licence, from the installed packages' own metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["DISTRIBUTION", "EXTRAS", "dependencies", "licence_of", "licences"]

DISTRIBUTION = "agent-channels"
# Which of our extras are for users. The tests run without the first, whose model library is large.
EXTRAS = ("voice", "yt2pdf", "yt2pdf-s3", "otel")
NOT_HERE = "see its page; it is not part of the tested set"
# What packages write that came before SPDX expressions.
_SPDX = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "BSD License": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "The Unlicense (Unlicense)": "Unlicense",
}


def dependencies(extra: str = "") -> dict[str, set[str]]:
    """Return what the program needs at run time, by name, each with what needs it; with an extra, what that adds."""
    base = {} if not extra else dependencies()
    found: dict[str, set[str]] = {}
    waiting = [(DISTRIBUTION, extra)]
    while waiting:
        name, wanted = waiting.pop()
        for requirement in _needs(name, wanted):
            needed = canonicalize_name(requirement.name)
            if needed in base:
                continue
            known = needed in found
            found.setdefault(needed, set()).add(name)
            if not known:
                waiting.append((needed, ""))
            waiting += [(needed, more) for more in requirement.extras if not known]
    return found


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None:
            if not extra:
                yield requirement
        elif requirement.marker.evaluate({"extra": extra}) and (
            not extra or not requirement.marker.evaluate({"extra": ""})
        ):
            yield requirement


def licence_of(name: str) -> str | None:
    """Return a package's licence as SPDX where it says so; None if the package is not installed."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return None
    if expression := found.get("License-Expression"):
        return str(expression)
    classifiers = [
        text.rpartition(" :: ")[2] for text in found.get_all("Classifier") or [] if text.startswith("License")
    ]
    named = [_SPDX.get(one, one) for one in classifiers if one != "OSI Approved"]
    if named:
        return " OR ".join(sorted(set(named)))
    text = (found.get("License") or "").strip()
    line = re.split(r"\n", text, maxsplit=1)[0][:60]
    return _SPDX.get(line, line) or "not stated"


def licences() -> str:
    """Return a table of everything that is installed with the program, and one of what each extra adds."""
    sections = [_table("With the program", dependencies())]
    sections += [_table(f"With the extra `{extra}`", dependencies(extra)) for extra in EXTRAS]
    return "\n".join(sections)


def _table(title: str, found: dict[str, set[str]]) -> str:
    rows = [
        f"| [{name}](https://pypi.org/project/{name}/) | {licence_of(name) or NOT_HERE} | {', '.join(sorted(by))} |"
        for name, by in sorted(found.items())
    ]
    return "\n".join([f"## {title}", "", "| package | licence | needed by |", "|---|---|---|", *rows, ""])
