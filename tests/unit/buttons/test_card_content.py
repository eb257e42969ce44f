"""A card shows what is asked: the command, or the change to a file, and what a button would allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.buttons.card_content import permission_spec, preview_input
from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.files.storage import Files

TOKEN = "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
FILE = "one\ntwo\nthree\n"


def card(project: Path, tool: str, tool_input: object, **more: Any) -> PromptSpec:
    files = Files(project / "state", environ={"CLAUDE_PROJECT_DIR": str(project)})
    read: Callable[[str], str | None] = lambda path: files.read_text(path, 1000)  # noqa: E731 - one argument of two
    spec = permission_spec(tool, tool_input, project=project, request_id="abcde", read=read, **more)
    assert PromptSpec.load(spec.dump()) == spec
    return spec


def labels(spec: PromptSpec) -> list[list[str]]:
    return [[button.label for button in row] for row in spec.grid]


def edit(path: Path, old: str, new: str, **more: Any) -> dict[str, Any]:
    return {"file_path": str(path), "old_string": old, "new_string": new, **more}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "src" / "a.txt"
    path.parent.mkdir()
    path.write_text(FILE)
    return path


def test_an_edit_is_the_diff_of_its_file(tmp_path: Path, file: Path) -> None:
    """With the lines around it and their numbers; its path is the project's."""
    spec = card(tmp_path, "Edit", edit(file, "wo", "WO"))
    assert spec.body == spec.file == "src/a.txt"
    assert (spec.language, spec.code) == ("diff", "@@ -1,3 +1,3 @@\n one\n-two\n+tWO\n three")


def test_every_place_is_shown_that_an_edit_replaces(tmp_path: Path, file: Path) -> None:
    """One without `replace_all`, all with it; several edits are one diff, each made on what the one before left."""
    file.write_text("x 1\nx 2\n")
    assert card(tmp_path, "Edit", edit(file, "x", "y")).code == "@@ -1,2 +1,2 @@\n-x 1\n+y 1\n x 2"
    every = card(tmp_path, "Edit", edit(file, "x", "y", replace_all=True))
    assert every.code == "@@ -1,2 +1,2 @@\n-x 1\n-x 2\n+y 1\n+y 2"
    both = {"file_path": str(file), "edits": [edit(file, "x", "y"), edit(file, "y", "z")]}
    assert card(tmp_path, "MultiEdit", both).code == "@@ -1,2 +1,2 @@\n-x 1\n+z 1\n x 2"


def test_an_edit_of_what_cannot_be_read_is_compared_alone(tmp_path: Path, file: Path) -> None:
    """A file that does not hold the text, or is not there: the old and the new text."""
    for given in (edit(file, "four\nfive", "four\n5"), edit(tmp_path / "none", "four\nfive", "four\n5")):
        assert card(tmp_path, "Edit", given).code == "@@\n four\n-five\n+5"
    two = {"file_path": "/nowhere/x", "edits": [edit(file, "a", "b"), edit(file, "c", "d")]}
    assert card(tmp_path, "MultiEdit", two).code == "@@\n-a\n+b\n@@\n-c\n+d"


def test_a_write_is_compared_with_the_file(tmp_path: Path, file: Path) -> None:
    """The change to a file that is there; all of a new one, which is said."""
    given = {"file_path": str(file), "content": FILE.replace("two", "2")}
    assert card(tmp_path, "Write", given).code == "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three"
    spec = card(tmp_path, "Write", {"file_path": str(tmp_path / "new.txt"), "content": "a\nb"})
    assert spec.body == "new.txt (new file)"
    assert spec.code == "@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file"
    same = card(tmp_path, "Write", {"file_path": str(file), "content": FILE})
    assert "Nothing changes" in same.body
    assert (same.code, same.file) == ("", "")


@pytest.mark.parametrize("kind", ["secret", "outside", "link", "large", "binary", "pipe"])
def test_what_a_file_holds_is_shown_only_if_the_file_might_be_sent(tmp_path: Path, kind: str) -> None:
    """Not of a file of secrets, outside the project, behind a link, too large, or no text; the card says so."""
    import os

    project = tmp_path / "project"
    project.mkdir()
    path = project / "a.txt"
    outside = tmp_path / "outside.txt"
    outside.write_text("HIDDEN\n")
    if kind == "secret":
        path = project / ".env"
        path.write_text("KEY=HIDDEN\n")
    elif kind == "outside":
        path = outside
    elif kind == "link":
        path.symlink_to(outside)
    elif kind == "large":
        path.write_text("HIDDEN\n" * 1000)
    elif kind == "binary":
        path.write_bytes(b"HIDDEN\0")
    else:
        os.mkfifo(path)
    spec = card(project, "Write", {"file_path": str(path), "content": "new\n"})
    assert "HIDDEN" not in spec.dump()
    assert spec.code == "@@ -0,0 +1 @@\n+new"
    if kind != "pipe":
        assert "what it holds now is not shown" in spec.body


def test_a_cell_is_compared_with_what_it_holds(tmp_path: Path) -> None:
    """Replaced, inserted, deleted; a cell that cannot be found is shown as it will be."""
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"cells": [{"id": "c1", "source": ["a\n", "b"]}]}))
    given = {"notebook_path": str(path), "cell_id": "c1", "new_source": "a\nc"}
    assert card(tmp_path, "NotebookEdit", given).code == "@@\n a\n-b\n+c"
    assert card(tmp_path, "NotebookEdit", {**given, "edit_mode": "insert"}).code == "@@\n+a\n+c"
    deleted = card(tmp_path, "NotebookEdit", {**given, "edit_mode": "delete"})
    assert deleted.code == "@@\n-a\n-b"
    assert deleted.below == "cell_id: c1\n\nedit_mode: delete"
    unknown = card(tmp_path, "NotebookEdit", {**given, "cell_id": "c2"})
    assert unknown.code == "@@\n+a\n+c"
    assert "not shown" in unknown.body


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("Edit", {"file_path": "/x", "old_string": 1, "new_string": "y"}),
        ("Edit", {"old_string": "HERE", "new_string": "y"}),
        ("MultiEdit", {"file_path": "/x", "edits": []}),
        ("MultiEdit", {"file_path": "/x", "edits": ["y"]}),
        ("Write", {"file_path": "/x", "content": ["y"]}),
        ("NotebookEdit", {"notebook_path": "/x", "edit_mode": "odd", "new_source": "y"}),
        ("NotebookEdit", {"notebook_path": "/x", "edit_mode": ["odd"], "new_source": "y"}),
    ],
)
def test_an_input_of_another_shape_is_shown_by_name(tmp_path: Path, tool: str, given: dict[str, Any]) -> None:
    """Nothing is left out."""
    spec = card(tmp_path, tool, given)
    assert spec.code == ""
    for key, value in given.items():
        assert key in spec.body or str(value) in spec.body


def test_an_input_that_is_nested_without_end_is_shown_whole(tmp_path: Path) -> None:
    """As one line of JSON, from the hook and from the relay."""
    text = '{"a": ' + "[" * 400 + '"x"' + "]" * 400 + "}"
    assert card(tmp_path, "Other", preview_input(text)).body == text
    assert card(tmp_path, "Bash", json.loads(text) | {"command": "ls"}).body == text[:-1] + ', "command": "ls"}'
    assert card(tmp_path, "Other", preview_input("[" * 3500)).body == "[" * 3500


def test_a_command_stands_alone_below_its_description(tmp_path: Path) -> None:
    """What the agent says of it is above, every other argument below; the relay's own description counts too."""
    spec = card(tmp_path, "Bash", {"command": "npm test", "description": "Runs the tests", "timeout": 5})
    assert (spec.body, spec.code, spec.language) == ("Runs the tests", "npm test", "bash")
    assert spec.below == "timeout: 5"
    relayed = card(tmp_path, "Bash", preview_input('{"command": "npm test"}'), description="Runs the tests")
    assert (relayed.body, relayed.code) == ("Runs the tests", "npm test")
    assert (
        card(tmp_path, "Bash", preview_input('{"command": "npm te…'), description="x").body
        == '{"command": "npm te…\n\nx'
    )


def test_nothing_hides_in_code(tmp_path: Path) -> None:
    """Characters that are not drawn, or that reorder a line, are written out; emoji and letters stay whole."""
    spec = card(tmp_path, "Bash", {"command": "rm a\u202e \x1b[8m\u200b -rf ❤\ufe0f 👩\u200d💻 é"})
    assert spec.code == "rm a\\u202e \\x1b[8m\\u200b -rf ❤\ufe0f 👩\u200d💻 é"
    written = card(tmp_path, "Write", {"file_path": str(tmp_path / "a"), "content": "x\u2066y\n"})
    assert "+x\\u2066y" in written.code


def test_a_secret_is_masked_before_anything_is_compared(tmp_path: Path, file: Path) -> None:
    """In commands, changes, files, names and rules."""
    file.write_text(f"key {TOKEN}\nb\n")
    rules = [{"toolName": "Bash", "ruleContent": f"x {TOKEN}"}]
    cards = [
        card(tmp_path, "Bash", {"command": f"x {TOKEN}", "env": {TOKEN: [TOKEN]}}, rules=rules, description=TOKEN),
        card(tmp_path, "Edit", edit(file, "b", f"c {TOKEN}")),
        card(tmp_path, "Other", {"a": TOKEN}),
        card(tmp_path, "Other", TOKEN),
    ]
    for spec in cards:
        assert TOKEN[10:] not in spec.dump()
        assert "[token]" in spec.dump()


def test_a_secret_of_many_lines_is_masked_in_a_diff(tmp_path: Path, file: Path) -> None:
    """A private key, whose lines each have a sign before them; and a value whose name stands before it."""
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\nAAAA\n-----END PRIVATE KEY-----\n"
    spec = card(tmp_path, "Write", {"file_path": str(file), "content": f"{FILE}{key}PASSWORD=hunter22\n"})
    assert spec.code == "@@ -1,3 +1,5 @@\n one\n two\n three\n+[secret]\n+PASSWORD=[secret]"


def test_the_session_button_says_what_it_allows(tmp_path: Path, file: Path) -> None:
    """Only where there are rules; a long command is named as the one above."""
    assert labels(card(tmp_path, "Bash", {"command": "x"})) == [["Allow", "Deny"]]
    rules = [{"toolName": "Bash", "ruleContent": "npm test"}]
    spec = card(tmp_path, "Bash", {"command": "npm test"}, rules=rules)
    assert labels(spec) == [["Allow once", "Deny"], ["Allow for this session"]]
    assert "“Allow for this session” allows Bash(npm test), and nothing else." in spec.foot
    for command in ("x " * 100, "a\nb", "a\u202eb"):
        long = card(tmp_path, "Bash", {"command": command}, rules=[{"toolName": "Bash", "ruleContent": command}])
        assert "allows exactly this command," in long.foot
    change = card(tmp_path, "Edit", edit(file, "one", "1"), rules=[{"toolName": "Edit", "ruleContent": f"/{file}"}])
    assert "allows every change to this file," in change.foot
    web = card(tmp_path, "WebSearch", {"query": "x"}, rules=[{"toolName": "WebSearch"}])
    assert "allows WebSearch, and" in web.foot


def test_a_link_is_shown_with_what_it_leads_to(tmp_path: Path) -> None:
    """What is asked for is a change to another file than the one that is named."""
    target = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    target.write_text(FILE)
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "plain").write_text(FILE)
    assert f"link → {target}" in card(tmp_path, "Edit", edit(tmp_path / "link", "two", "2")).body
    assert f"link → {target}" in card(tmp_path, "Write", {"file_path": "link", "content": "2"}).body
    assert "→" not in card(tmp_path, "Edit", edit(tmp_path / "plain", "two", "2")).body


def test_a_device_is_not_a_new_file(tmp_path: Path) -> None:
    """What is there and can hold something is not called new, whatever its size."""
    assert "new file" not in card(tmp_path, "Write", {"file_path": "/dev/null", "content": "x"}).body


def test_replacements_that_grow_without_end_are_shown_by_themselves(tmp_path: Path) -> None:
    """A few of them would make a text of gigabytes of a small file."""
    (tmp_path / "a").write_text("a")
    grows = {"old_string": "a", "new_string": "a" * 50, "replace_all": True}
    code = card(tmp_path, "MultiEdit", {"file_path": str(tmp_path / "a"), "edits": [grows] * 12}).code
    assert code.count("@@") == 12
