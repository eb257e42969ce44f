"""The docs: generated parts are current, links lead somewhere, and named files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_channels.cli.inbox import REPORTED
from agent_channels.core.journal.entry import OPEN, State
from agent_channels.core.store.migrations import MIGRATIONS
from licences import EXTRAS, dependencies
from reference import COMMAND, DOCS, PACKAGE, PARTS, READMES, ROOT, fill

PAGES = [*READMES, ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
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


def commands_of(page: Path) -> list[str]:
    """The blocks of commands on a page."""
    return re.findall(r"```bash\n(.+?)\n```", page.read_text(encoding="utf-8"), re.DOTALL)


def typed(page: Path) -> list[str]:
    """The commands that are named inside sentences."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"`((?:channels|apt-get) [^`]+)`", text.partition("<img")[0])


@pytest.mark.parametrize("page", READMES, ids=[page.name for page in READMES])
def test_the_checks_run_the_readmes_command(page: Path) -> None:
    """What runs for every change is what a newcomer is told to run, in either language."""
    commands = commands_of(page)
    assert len(commands) == 3
    assert commands[2] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_both_readmes_say_the_same() -> None:
    """They hold the same commands in the same order, lead to the same pages and pictures, and to each other."""
    english, chinese = READMES
    assert commands_of(english) == commands_of(chinese)
    assert typed(english) == typed(chinese)
    leads = re.compile(r"\]\(([^)]+)\)|src=\"([^\"]+)\"")
    ours, theirs = (
        ["".join(found) for found in leads.findall(page.read_text(encoding="utf-8"))] for page in (english, chinese)
    )
    # Set-up in the reader's language is shown to those who would not find it in English.
    theirs = [one for one in theirs if not one.endswith("-zh-TW.png")]
    assert [one for one in ours if one != chinese.name] == [one for one in theirs if one != english.name]
    assert chinese.name in ours
    assert english.name in theirs


def test_the_chinese_readme_is_traditional() -> None:
    """Every Chinese character is one that Big5 has."""
    text = READMES[1].read_text(encoding="utf-8")
    "".join(char for char in text if "一" <= char <= "鿿").encode("big5")


@pytest.mark.parametrize("page", READMES, ids=[page.name for page in READMES])
def test_the_readme_is_read_in_a_minute(page: Path) -> None:
    """About forty lines; everything else is a link."""
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 50


def test_what_is_stored_is_told() -> None:
    """The page of what is kept for how long names every table that there is, and no other."""
    made: set[str] = set()
    for statement in (one for migration in MIGRATIONS for one in migration):
        if created := re.match(r"CREATE TABLE (\w+)", statement):
            made.add(created[1])
        elif renamed := re.match(r"ALTER TABLE (\w+) RENAME TO (\w+)", statement):
            made = made - {renamed[1]} | {renamed[2]}
    page = (DOCS / "state.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"\| table of `channel.db` .+?\n\n", page, re.DOTALL)
    told = [name for row in table.strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(told) == sorted(made)


def test_no_page_names_a_machine() -> None:
    """Transcripts and pictures are made by a script, and nothing of where it ran stands in them."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"/t[m]p/\w|/root\b|/private/var", text) == [], page.name
