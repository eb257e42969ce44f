"""The docs: generated parts are current, links lead somewhere, and named files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_channels.cli.inbox import REPORTED
from agent_channels.core.journal.entry import OPEN, State
from licences import EXTRAS, dependencies
from reference import COMMAND, DOCS, PACKAGE, PARTS, ROOT, fill

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@EVERY_PAGE
def test_generated_parts_are_current(page: Path) -> None:
    """The docs say what the program does now."""
    text = page.read_text(encoding="utf-8")
    assert text == fill(text), f"{page.name} is stale; run: {COMMAND}"


def test_every_generated_part_is_on_a_page() -> None:
    """The command line, the settings, the tools and the data model can be looked up."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert sorted(re.findall(r"<!-- generated: ([a-z ]+) -->", text)) == sorted(PARTS)


@EVERY_PAGE
def test_a_page_has_one_title(page: Path) -> None:
    """Its sections are below it."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    """No link to a file or a heading is dead."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text):
        link = "".join(target)
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), link
        assert not anchor or anchor in headings(linked), link


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/ARCHITECTURE.md"])
def test_named_files_exist(name: str) -> None:
    """Every path of a source file that a contributor is sent to."""
    text = (ROOT / name).read_text(encoding="utf-8")
    paths = set(re.findall(r"(?<![\w/.])((?:\w+/)+\w+\.(?:py|json))(?!\w)", text))
    assert paths
    roots = (PACKAGE, PACKAGE / "core", ROOT)
    assert [path for path in paths if not any((root / path).exists() for root in roots)] == []


def test_twelve_questions_are_answered_by_a_file() -> None:
    """The table "Where is …?" has twelve rows, and each names a file."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| `([^`]+\.py)` \|$", text, re.MULTILINE)
    assert len(rows) >= 12
    assert all((PACKAGE / path).is_file() for _, path in rows)


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_dependency_has_its_licence(extra: str) -> None:
    """Everything that an installation brings along is on the page; what is installed here states its licence."""
    page = (DOCS / "licences.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[([^]]+)\]\(\S+\) \| ([^|]+) \|", page, re.MULTILINE))
    needed = dependencies(extra)
    assert needed
    assert [name for name in needed if name not in rows] == []
    assert [name for name in needed if rows[name] == "not stated"] == []


def test_every_state_of_a_message_is_explained() -> None:
    """The states that `channels inbox` and the counts of `status` can show, with which of them are open."""
    page = (DOCS / "state.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| (yes|no) \|", page, re.MULTILINE))
    listed = [state for state in State if state not in {State.DROPPED, State.JOINED}]
    assert rows == {REPORTED.get(state, state.value): "yes" if state in OPEN else "no" for state in listed}


def test_the_checks_run_the_readmes_command() -> None:
    """What runs for every change is what a newcomer is told to run."""
    commands = re.findall(r"```bash\n(.+?)\n```", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(commands) == 3
    assert commands[2] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_readme_is_read_in_a_minute() -> None:
    """About thirty lines; everything else is a link."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 40
