"""What the shells are told to complete: read from the command's own parser."""

from __future__ import annotations

from agent_channels.cli.completion import places
from agent_channels.cli.main import VERBS, build_parser

EVERY = list(places(build_parser()))


def test_every_verb_has_its_place() -> None:
    """What is walked is the command's own parser, so a new verb is completed as soon as it is there."""
    assert {place.path.split(" ")[0] for place in EVERY if place.path} == set(VERBS)


def test_arguments_that_name_files_are_known() -> None:
    """Files and folders are completed where the verbs take them."""
    found = {place.path: takes for place in EVERY for takes in place.arguments if takes.files or takes.folders}
    assert {path: "folders" if takes.folders else "files" for path, takes in found.items()} == {
        "import": "folders", "backup": "files", "restore": "files", "trust": "folders", "yt2pdf check": "files",
        "yt2pdf pdf": "files",
    }  # fmt: skip
