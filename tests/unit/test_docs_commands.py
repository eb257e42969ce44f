"""Every command of ours that the docs tell somebody to type is one that the program takes."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from functools import cache

from agent_channels.cli.arguments import WrongUsage
from agent_channels.cli.main import build_parser
from reference import DOCS, ROOT

PAGES = [ROOT / "README.md", ROOT / "README.zh-TW.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
# What stands for a value, and a value.
PLACEHOLDERS = {
    "CHANNEL": "telegram", "CODE": "ABCDEFGH", "DIR": "folder", "ID": "5000001", "ID,ID": "1,2", "N": "8765",
    "LINK": "https://youtu.be/dQw4w9WgXcQ",
    "REGEX": "deploy", "NAME": "claude", "ARGUMENTS": "",
}  # fmt: skip
# Not typed: what a host starts, what stands for several verbs, and a whole usage.
NOT_COMMANDS = {"channels", "channels hook"}


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every command in the pages: in a sentence, or on a line of a block."""
    for page in PAGES:
        text = re.sub(
            r"<!-- generated: command line -->.*?<!-- end -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL)
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        found = [re.sub(r"\s+", " ", span) for span in re.findall(r"`(channels [^`]+)`", prose)]
        found += [line for block in blocks for line in block.splitlines() if line.startswith("channels ")]
        yield from ((page.name, command) for command in found if command not in NOT_COMMANDS)


FOUND = sorted(set(commands()))


@cache
def parser() -> argparse.ArgumentParser:
    return build_parser()


def words_of(command: str) -> list[str]:
    words = shlex.split(re.split(r" (?:<|>|\||&&|;|#) ?", command)[0].replace("…", "").replace("...", ""))[1:]
    return [filled for word in words if (filled := PLACEHOLDERS.get(word, word))]


def refusal(words: list[str]) -> str | None:
    """Why the program does not take a command, None if it does; --help and --version end it."""
    try:
        parser().parse_args(words)
    except SystemExit as end:
        return f"it ended with {end.code}" if end.code else None
    except WrongUsage as error:
        return str(error)
    return None


def test_every_command_of_the_docs_is_taken() -> None:
    """With its verb, actions, options and values; what stands for a value is filled in.

    A command without any option may be only named, and then lacks its arguments.
    """
    for page, command in FOUND:
        words = words_of(command)
        words = words[: words.index("--")] if "--" in words else words
        refused = refusal(words) or ""
        named = "following arguments are required" in refused and not any(word.startswith("-") for word in words)
        assert not refused or named, f"{page}: {command}: {refused}"


def test_there_are_commands() -> None:
    """The docs tell people to type many, and wrong ones would be found."""
    assert len(FOUND) > 60
    assert refusal(words_of("channels access CHANNEL audit"))
