"""The shape of the program: who may import whom, read from the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "channels"
CORE = sorted((PACKAGE / "core").glob("*.py"))
SOURCES = sorted(PACKAGE.rglob("*.py"))
PLATFORMS = ("telegram", "discord")
WORDS = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(PLATFORMS)})(?![A-Za-z])", re.IGNORECASE)
# Libraries that belong to one platform.
FOREIGN = {"telegram", "discord", "httpx", "aiogram"}

# DESIGN section 1, from the ground up. Whatever is not named here is a flow.
GROUND = {
    "types",
    "limits",
    "spans",
    "adapter",
    "channel",
    "finding",
    "network",
    "wire",
    "errors",
    "config",
    "paths",
    "store",
    "migrations",
    "log",
    "host",
    "tasks",
}
PURE = {
    "triggers",
    "markdown",
    "markdown_inline",
    "markdown_rules",
    "markdown_tables",
    "rich",
    "cutting",
    "chunking",
    "wording",
    "wording_en",
    "wording_zh",
    "sanitize",
    "said",
}
SERVICES = {
    "inbox",
    "bundles",
    "overheard",
    "offers",
    "access",
    "chats",
    "pairing",
    "invites",
    "panels",
    "grids",
    "prompts",
    "questions",
    "outbox",
    "files",
    "history",
    "health",
    "sessions",
    "ownership",
}
COMPOSITION = {"app"}


def imports(path: Path) -> set[str]:
    """Every module a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    """The modules of core that a file of core imports."""
    names = {name.split(".")[2] for name in imports(path) if name.startswith("channels.core.")}
    return names & {file.stem for file in CORE}


def layer(name: str) -> int:
    """Ground 0, pure functions 1, services on the store 2, flows 3, composition 4."""
    low = next((number for number, names in enumerate((GROUND, PURE, SERVICES)) if name in names), 3)
    return 4 if name in COMPOSITION else low


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CORE, ids=shown)
def test_core_knows_no_platform(path: Path) -> None:
    """Neither an import nor a word of it, not even in a comment."""
    for name in imports(path):
        assert name.split(".")[0] not in FOREIGN
        assert not re.match(rf"channels\.({'|'.join(PLATFORMS)}|sandbox)\b", name)
    found = re.findall(
        rf"(?<![A-Za-z])(?:{'|'.join(PLATFORMS)})(?![A-Za-z])", path.read_text(encoding="utf-8"), re.IGNORECASE
    )
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_platforms_never_meet(path: Path) -> None:
    """A platform imports core and itself; its library is imported in its own folder only."""
    folder = path.relative_to(PACKAGE).parts[0]
    for name in imports(path):
        top = name.split(".")[0]
        if top in PLATFORMS:
            assert folder == top
        for platform in PLATFORMS:
            if folder in PLATFORMS and folder != platform:
                assert not name.startswith(f"channels.{platform}")
        if folder in PLATFORMS:
            assert not name.startswith(("channels.sandbox", "channels.cli"))


@pytest.mark.parametrize("path", [path for path in CORE if path.stem != "__init__"], ids=shown)
def test_core_imports_downwards(path: Path) -> None:
    """A file of core imports from its own layer or from those below it."""
    assert [name for name in ours(path) if layer(name) > layer(path.stem)] == []


def test_platforms_are_built_alike() -> None:
    """Whoever knows one platform's folder finds his way in the other's: the same files in both."""
    first, *others = ({path.name for path in (PACKAGE / name).glob("*.py")} for name in PLATFORMS)
    assert all(other == first for other in others)


def test_core_has_no_circle() -> None:
    """Within a layer too, imports never lead back."""
    graph = {path.stem: ours(path) for path in CORE}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above, name))
        if name not in done:
            for below in graph[name]:
                visit(below, (*above, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", SOURCES, ids=shown)
def test_files_fit_a_glance(path: Path) -> None:
    """Around 300 lines at most: split by noun before that."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 320


def test_tests_are_no_package() -> None:
    """A package called tests/telegram would hide the library of that name."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_test_modules_have_names_of_their_own() -> None:
    """Two modules of one name are told apart by nobody who reads a failure."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
