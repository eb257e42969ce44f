"""Writes the generated parts of the docs, and the list of tools, from the program itself.

Run it by `python -m tests.support.reference`. A generated part stands between `<!-- generated: NAME -->` and
`<!-- end -->`; what is written there by hand is lost.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import runpy
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from agent_channels.cli.main import build_parser
from agent_channels.core.server.protocol import LISTED
from agent_channels.core.server.session import Tool
from agent_channels.core.server.tools.table import tool_table
from agent_channels.core.settings.config import Settings
from agent_channels.core.settings.config_template import as_yaml
from agent_channels.core.settings.declared import Declaration
from agent_channels.core.store.database import Store
from agent_channels.registry import CHANNELS, channel

__all__ = [
    "COMMAND",
    "DOCS",
    "LISTED_TOOLS",
    "PACKAGE",
    "PARTS",
    "READMES",
    "ROOT",
    "all_parsers",
    "fill",
    "listed_tools",
    "table_owners",
]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
READMES = (ROOT / "README.md", ROOT / "README.zh-TW.md")
PACKAGE = ROOT / "channels" / "agent_channels"
LISTED_TOOLS = PACKAGE / "core" / "server" / LISTED
COMMAND = "python -m tests.support.reference"
HELP_WIDTH = 100
# As pytest has it, for the modules that are imported late: they bring the harness along.
sys.path.append(str(Path(__file__).parent))
_WRITES = re.compile(r"\b(?:INSERT(?: OR \w+)? INTO|UPDATE(?: OR \w+)?|DELETE FROM) ([a-z_]+)\b")
_PART = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser and all below it, in the order of `--help`."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from all_parsers(below)


def command_line() -> str:
    """Return the `--help` of every verb and of its actions."""
    sections = []
    for parser in all_parsers(build_parser()):
        # The same text in every terminal and with every Python.
        parser.formatter_class = partial(argparse.HelpFormatter, width=HELP_WIDTH)
        parser.color = False
        level = "##" if len(parser.prog.split()) <= 2 else "###"
        sections.append(f"{level} {parser.prog}\n\n```text\n{parser.format_help()}```\n")
    return "\n".join(sections)


def settings() -> str:
    """Return a table of the settings of every channel, and one of each platform's own."""
    sections = [_settings_table("Every channel", Settings, frozenset())]
    for name in CHANNELS:
        row = channel(name)
        sections.append(_settings_table(row.title, row.settings, frozenset(Settings.declared())))
    return "\n".join(sections)


def _settings_table(title: str, model: type[Settings], known: frozenset[str]) -> str:
    rows = [
        f"| `{name}` | `{_plain(as_yaml(one.default))}` | {_cell(one.description)} |"
        for name, one in model.declared().items()
        if name not in known
    ]
    return "\n".join([f"## {title}", "", "| setting | default | meaning |", "|---|---|---|", *rows, ""])


def _plain(value: str) -> str:
    """Return a value without the quotes that readers of YAML 1.1 need around `on`; config.yaml takes it without."""
    return value.strip("'")


def tools() -> str:
    """Return a section for each tool: its description and a table of its arguments."""

    async def closed() -> Any:
        raise AssertionError("only the declarations are read")

    return "\n".join(_tool_section(tool) for tool in tool_table(closed, dict, "markdown (default), text, …"))


def listed_tools() -> str:
    """Return the list of tools as the server has it: it answers without their models, which take long to import."""

    async def closed() -> Any:
        raise AssertionError("only the declarations are read")

    tools = tool_table(closed, dict, "{formats}")
    return json.dumps([_declaration(tool) for tool in tools], indent=1, ensure_ascii=False) + "\n"


def _declaration(tool: Tool) -> dict[str, Any]:
    """Return a tool as `tools/list` shows it."""
    schema = _for_strict_clients(tool.model.declared(), getattr(tool.model, "empty_means", ()))
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": schema,
        "annotations": {"readOnlyHint": tool.read_only},
    }


def _for_strict_clients(declared: Mapping[str, Declaration], empty_means: Collection[str]) -> dict[str, Any]:
    """Return the schema of a tool's arguments in the part of JSON Schema that strict clients take.

    Those make every argument required, so whatever may be left out may be null; for a list, an empty one does, but for
    those in `empty_means`. Limits and defaults are not among what they take: a wrong value is answered by a sentence,
    and a default is told in the description.
    """
    required, properties = [name for name, one in declared.items() if one.required], {}
    for name, one in declared.items():
        schema = getattr(one.parse, "schema")  # noqa: B009 - not every parser has one, but those of arguments
        never_null = one.required or (schema.get("type") == "array" and name not in empty_means)
        properties[name] = _property(one, schema, never_null=never_null)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(one: Declaration, schema: Mapping[str, Any], *, never_null: bool) -> dict[str, Any]:
    default = "" if one.required or one.default in (None, "", (), False) else f"default {one.default}"
    described = "; ".join(filter(None, (one.description, default)))
    kinds = list(schema.get("anyOf", [schema]))
    if not never_null and {"type": "null"} not in kinds:
        kinds.append({"type": "null"})
    return {**(kinds[0] if len(kinds) == 1 else {"anyOf": kinds}), **({"description": described} if described else {})}


def _tool_section(tool: Tool) -> str:
    declared = tool.model.declared()
    rows = [f"| `{name}` | {_default(one)} | {_cell(one.description)} |" for name, one in declared.items()]
    table = ["", "| argument | default | meaning |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"### {tool.name}", "", tool.description, *table, ""])


def _default(one: Declaration) -> str:
    if one.required:
        return "required"
    return "" if one.default in (None, "", ()) else f"`{as_yaml(one.default)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def tables() -> str:
    """Return a table of the database's tables as every migration leaves them: owner and columns."""
    lines = ["| table | written by | columns |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        owners = table_owners()
        names = store.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for name in sorted(row["name"] for row in names):
            columns = ", ".join(
                f"**{column['name']}**" if column["pk"] else column["name"]
                for column in store.rows(f"PRAGMA table_info({name})")
            )
            lines.append(f"| `{name}` | `{'`, `'.join(sorted(owners[name]))}` | {columns} |")
    return "\n".join(lines) + "\n"


def table_owners() -> dict[str, set[str]]:
    """Return the modules of the product that write each table of a state folder, as paths below the package."""
    owners: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        if path.name != "migrations.py" and not {"sandbox", "hub"} & set(path.parts):
            for table in _WRITES.findall(_statements(path)):
                owners[table].add(path.relative_to(PACKAGE).as_posix())
    return owners


def _statements(path: Path) -> str:
    """Return every string of a module that begins like a statement, so that prose is not taken for SQL."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "_" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return "\n".join(text for text in texts if text.lstrip()[:6] in {"INSERT", "UPDATE", "DELETE"})


def kinds() -> str:
    """Return a table of what people send and what the agent reads for each platform, as the tests have them."""
    found = runpy.run_path(str(Path(__file__).with_name("inbound_kinds.py")))
    sections = [_kinds_table(channel(name).title, found[name.upper()]) for name in CHANNELS]
    rows = [f"| {_cell(kind.name)} | {_code(kind.reads)} |" for kind in found["SERVICE"]]
    return "\n".join(
        [*sections, "## What Telegram says itself", "", "| what happened | in a reply to it |", "|---|---|", *rows, ""]
    )


def _kinds_table(title: str, found: Sequence[Any]) -> str:
    rows = [
        f"| {_cell(kind.name)} | {_code(kind.reads)} | {_cell(kind.files)} | {_code(kind.replied or '')} |"
        for kind in found
    ]
    head = ["| what people send | what the agent reads | files | `reply_to_text` |", "|---|---|---|---|"]
    return "\n".join([f"## {title}", "", *head, *rows, ""])


def _code(text: str) -> str:
    """Return a text as code, its lines one after the other."""
    if not text:
        return ""
    mark = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in {text[0], text[-1]} else ""
    return f"{mark}{space}{_cell(text.replace(chr(10), ' ⏎ '))}{space}{mark}"


def failures() -> str:
    """Return a section for each sentence that the program says at the door, with what to do."""
    from doors import DOORS

    sections: dict[str, list[str]] = {}
    for door in DOORS:
        told = sections.setdefault(door.says, [])
        advice = door.advice.rstrip(".")
        line = f"{advice[0].upper()}{advice[1:]}."
        if line not in told:
            told.append(line)
    checks = {door.says: door.check for door in DOORS}
    return "\n".join(
        f"### {_upper_first(says)}\n\n{' '.join(lines)}"
        + (f" `channels doctor` checks it as `{checks[says]}`.\n" if checks[says] else "\n")
        for says, lines in sections.items()
    )


def _upper_first(text: str) -> str:
    return text[0].upper() + text[1:]


def licences() -> str:
    """Return a table of what is installed with the program, and under which licence."""
    from licences import licences as tables

    return tables()


def speed() -> str:
    """Return the table of speed and size beside another program."""
    from speed_tables import beside

    return beside()


def hosts_measured() -> str:
    """Return the table of the journey in each host and client."""
    from hosts_table import measured

    return measured()


def host_abilities() -> str:
    """Return the table of what each host does by its own ways."""
    from hosts_table import abilities

    return abilities()


def hosts_in_short() -> str:
    """Return the README's table of hosts."""
    from hosts_table import in_short

    return in_short()


def hosts_in_chinese() -> str:
    """Return the same table for the Chinese README."""
    from hosts_table import in_short

    return in_short(chinese=True)


PARTS = {
    "command line": command_line,
    "settings": settings,
    "tools": tools,
    "tables": tables,
    "kinds": kinds,
    "failures": failures,
    "licences": licences,
    "speed": speed,
    "hosts measured": hosts_measured,
    "host abilities": host_abilities,
    "hosts in short": hosts_in_short,
    "hosts in chinese": hosts_in_chinese,
}


def fill(text: str) -> str:
    """Return a page with its generated parts as the program has them now."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[3]}", text)


if __name__ == "__main__":
    argparse.ArgumentParser(prog=COMMAND, description="Write the generated parts of the docs.").parse_args()
    for path in (*READMES, *sorted(DOCS.glob("*.md"))):
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
    LISTED_TOOLS.write_text(listed_tools(), encoding="utf-8")
