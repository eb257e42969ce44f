"""Who may import whom, read from the source.

Late imports and those for type checkers count like any other, and so does a module that is named in a string.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from agent_channels.registry import CHANNELS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "channels"
PACKAGE = "agent_channels"
CORE = f"{PACKAGE}.core"
PLATFORMS = tuple(CHANNELS)

# A room of core may use itself and the rooms before it on this line.
LINE = (
    "errors file_lock frozen patterns unseen secret_shapes log tracing process program scheduling | text i18n limits | "
    "settings | contract store | journal | hub | people files host | buttons | services outbound | inbound | runtime | "
    "doctor | server"
).replace("|", "").split()  # fmt: skip
# What the rooms outside core may use beside themselves and the package's version. The longest name that fits decides.
FOR_PLATFORMS = ("errors", "frozen", "patterns", "log", "scheduling", "text", "i18n", "settings", "contract", "files")
MAY_USE = {
    # Its strings name the platforms.
    "registry": [f"{CORE}.contract", *(f"{PACKAGE}.{name}" for name in PLATFORMS)],
    "hooks": [CORE, f"{PACKAGE}.registry"],
    "cli": [CORE, f"{PACKAGE}.registry"],
    "cli.main": [CORE, f"{PACKAGE}.registry", f"{PACKAGE}.cli", f"{PACKAGE}.hooks"],
    "cli.open": [CORE, f"{PACKAGE}.registry", f"{PACKAGE}.cli", f"{PACKAGE}.page"],
    "cli.sandbox": [f"{CORE}.i18n", f"{PACKAGE}.cli", f"{PACKAGE}.sandbox"],
    "cli.yt2pdf": [CORE, f"{PACKAGE}.registry", f"{PACKAGE}.cli", f"{PACKAGE}.recipes"],
    "recipes": [CORE],
    "page": [CORE],
    "sandbox": [CORE, f"{PACKAGE}.registry", f"{PACKAGE}.page", *(f"{PACKAGE}.{name}" for name in PLATFORMS)],
}
# Who may talk to a server on loopback, and its JSON: of neither platform, and used by both and by the page.
LOOPBACK = [f"{PACKAGE}.page.guard", f"{PACKAGE}.page.json_api"]
for module in LOOPBACK:
    MAY_USE[module.removeprefix(f"{PACKAGE}.")] = LOOPBACK
# A stand-in that shares code with the product would share its mistakes: the fake platforms, and the modules that lie
# directly in sandbox/ for them, use nothing but those modules, and what serves on loopback.
FAKES = [f"{PACKAGE}.sandbox.{path.stem}" for path in (SOURCE / PACKAGE / "sandbox").glob("[!_]*.py")]
for module in FAKES:
    MAY_USE[module.removeprefix(f"{PACKAGE}.")] = [*FAKES, *LOOPBACK]
for name in PLATFORMS:
    MAY_USE[name] = [f"{CORE}.{room}" for room in FOR_PLATFORMS]
    MAY_USE[f"sandbox.{name}"] = [*FAKES, *LOOPBACK]
# The functions that import a module by its name, and the modules that may pass them a name that they did not write out.
BY_NAME = {"import_module", "__import__", "find_spec", "resolve_name", "run_module"}
MAY_CHOOSE = {
    "registry",
    "cli.main",
    "hooks.run",
    "core.doctor.local",
    "core.host.agents.registry",
    "core.i18n.messages",
    "core.i18n.sentences",
    "core.settings.extras",
}
# What a module names in order to start it as a process of its own, which imports nothing.
MAY_START = {f"{PACKAGE}.sandbox.agent.processes": {f"{PACKAGE}.cli.main"}}
# Libraries that belong to one platform's folder, or to the recipes'.
LIBRARIES = {"telegram": "telegram", "discord": "discord", "aiogram": "tests", "slack_sdk": "slack"} | dict.fromkeys(
    ("boto3", "nh3", "opencc", "weasyprint", "youtube_transcript_api", "yt_dlp"), "recipes"
)


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> frozenset[str]:
    """Every module that a module imports or names, wherever in its text."""
    found = imports_in(parsed(module), may_choose=module.removeprefix(f"{PACKAGE}.") in MAY_CHOOSE)
    return found - MAY_START.get(module, set())


def imports_in(tree: ast.Module, *, may_choose: bool = False) -> frozenset[str]:
    found: set[str] = set()
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in full}
        elif isinstance(node, ast.Call) and function_name(node) in BY_NAME:
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant):
                assert not str(name.value).startswith("."), "relative import"
                found.add(str(name.value))
            else:
                assert may_choose, f"{ast.unparse(node)}: an import whose module is not written out"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            found |= {known_module(name) for name in re.findall(rf"\b{PACKAGE}(?:\.\w+)+", node.value)}
    return frozenset(found)


def function_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def known_module(name: str) -> str:
    """The longest beginning of a dotted name that is a module."""
    while name not in FILES:
        name = name.rpartition(".")[0]
    return name


def ours(module: str) -> list[str]:
    return sorted(name for name in imports(module) if name.split(".")[0] == PACKAGE)


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def room_of(module: str) -> str:
    """The room outside core that a module lies in: a key of MAY_USE."""
    inside = module.removeprefix(f"{PACKAGE}.")
    return max((key for key in MAY_USE if within(inside, key)), key=len)


def test_core_imports_along_the_line() -> None:
    """A room of core uses itself and the rooms before it; the version is all it takes from outside core."""
    wrong = []
    for module in FILES:
        if within(module, CORE) and module != CORE:
            allowed = {f"{CORE}.{name}" for name in LINE[: LINE.index(module.split(".")[2]) + 1]}
            found = [name for name in ours(module) if name != PACKAGE and ".".join(name.split(".")[:3]) not in allowed]
            wrong += [(module, name) for name in found]
    assert wrong == []


def test_rooms_outside_core_import_what_they_may() -> None:
    """Platforms never meet, hooks and verbs stand on core, and one verb alone reaches the sandbox, and one the page."""
    wrong = []
    for module in FILES:
        if not within(module, CORE) and module != PACKAGE:
            room = room_of(module)
            allowed = (PACKAGE, f"{PACKAGE}.{room}", *MAY_USE[room])
            found = [name for name in ours(module) if name not in allowed]
            wrong += [(module, name) for name in found if not any(within(name, prefix) for prefix in allowed[1:])]
    assert wrong == []


@pytest.mark.parametrize(
    "source",
    [
        "import agent_channels.core.server.app",
        "def late():\n    from agent_channels.core.server import app",
        "importlib.import_module('agent_channels.core.server.app')",
        "__import__('agent_channels.core.server.app')",
        "ENTRY = {'key': 'agent_channels.core.server.app'}",
        "pkgutil.resolve_name('agent_channels.core.server.app:main')",
        "subprocess.run([sys.executable, '-m', 'agent_channels.core.server.app'])",
        "code = f'from agent_channels.core.server.app import {name}'",
    ],
)
def test_every_way_to_name_a_module_counts(source: str) -> None:
    """An import that a rule forbids is not hidden by a string."""
    assert "agent_channels.core.server.app" in imports_in(ast.parse(source), may_choose=True)


@pytest.mark.parametrize(
    "source", ["importlib.import_module(name)", "import_module(PREFIX + '.app')", "import_module('.app', __package__)"]
)
def test_a_module_is_chosen_in_few_places(source: str) -> None:
    """Elsewhere the module is written out, so that it can be found and checked."""
    with pytest.raises(AssertionError, match="import"):
        imports_in(ast.parse(source))


def test_prose_is_not_an_import() -> None:
    """A docstring may mention any module."""
    source = '"""See agent_channels.core.server.app."""\nx = 1\n"agent_channels.core.server.app"'
    assert imports_in(ast.parse(source)) == frozenset()


def test_a_platforms_library_stays_in_its_folder() -> None:
    """Replacing a platform's library touches one folder."""
    for module in FILES:
        for name in imports(module):
            owner = LIBRARIES.get(name.split(".")[0])
            assert owner is None or module.split(".")[1] == owner, (module, name)


def test_core_names_no_platform() -> None:
    """Not even in a comment: what differs between platforms is data."""
    words = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(PLATFORMS)})(?![A-Za-z])", re.IGNORECASE)
    core = {module: path.read_text(encoding="utf-8") for module, path in FILES.items() if within(module, CORE)}
    assert {module: found for module, text in core.items() if (found := words.findall(text))} == {}


def test_no_import_leads_in_a_circle() -> None:
    """Any file can be read from the bottom up."""
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above, module))
        if module not in done:
            for below in ours(module):
                if below in FILES and below != PACKAGE:
                    visit(below, (*above, module))
            done.add(module)

    for module in FILES:
        visit(module, ())


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    """Entering a room must not import all of it: start-up is a budget. The package itself also says its version."""
    for module, path in FILES.items():
        if path.name == "__init__.py":
            body = parsed(module).body
            assert isinstance(body[0], ast.Expr), module
            assert len(body) == (2 if module == PACKAGE else 1), module


def test_platforms_are_built_alike() -> None:
    """Knowing one platform's folder is knowing the others': the same files, but for how it is read and what it adds."""
    names = [{path.name for path in (SOURCE / PACKAGE / name).glob("*.py")} for name in PLATFORMS]
    assert [sorted(found ^ set.intersection(*names)) for found in names] == [
        ["call_pool.py", "polling.py", "rich_blocks.py"],
        ["gateway.py"],
        ["catch_up.py", "emoji.py", "gateway.py", "raw_events.py"],
    ]


def test_no_two_classes_have_one_name() -> None:
    """One word, one meaning."""
    homes: dict[str, list[str]] = {}
    for module in FILES:
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(module)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_tests_are_no_package() -> None:
    """A package called tests/telegram would hide the library of that name."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_test_modules_have_names_of_their_own() -> None:
    """A failure's file name says which file it is."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []
