"""Shell completion: every word of the command, in the real shells; nothing is run and nothing is created."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent_channels.cli.completion import SHELLS, CompletionPoint, places
from agent_channels.cli.main import build_parser
from agent_channels.registry import CHANNELS
from harness import COMMAND
from terminal import Terminal

EVERY = list(places(build_parser()))
# A walk in the command line for each place: the words before the cursor.
ASK = {
    # What `complete` calls, with the variables that it sets.
    "bash": """
        source "$SCRIPT"
        while IFS= read -r line; do
            read -ra COMP_WORDS <<< "channels $line"
            [[ $line == *' ' || -z $line ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
            _channels
            echo "${COMPREPLY[*]}"
        done
    """,
    # Zsh completes in its line editor alone: these stand for what it would show there.
    "zsh": """
        compdef() { :; }
        _describe() { local all=(${${(P)@[-1]}%%:*}); print -r -- ${(M)all:#${words[CURRENT]}*}; }
        _files() { print -r -- files; }
        source "$SCRIPT"
        while IFS= read -r line; do
            words=(channels ${=line})
            [[ $line == *' ' || -z $line ]] && words+=('')
            CURRENT=$#words
            print -r -- $(_channels)
        done
    """,
    "fish": """
        source "$SCRIPT"
        while read -l line
            echo (complete -C "channels $line" | string replace -r '\\t.*' '')
        end
    """,
}


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture(scope="module")
def printed(shell: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script, as the command prints it: into a pipe, with nothing around it."""
    folder = tmp_path_factory.mktemp("empty")
    ran = subprocess.run([*COMMAND, "completion", shell], capture_output=True, text=True, cwd=folder, check=True)
    assert ran.stderr == ""
    assert list(folder.iterdir()) == []
    return ran.stdout


@pytest.fixture
def script(shell: str, printed: str, tmp_path: Path) -> Path:
    path = tmp_path / f"script.{shell}"
    path.write_text(printed, encoding="utf-8")
    return path


def completed(shell: str, script: Path, lines: Sequence[str]) -> list[set[str]]:
    """What the shell offers at the end of each command line."""
    flags = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"], "fish": ["--no-config", "-c"]}[shell]
    ran = subprocess.run(
        [shell, *flags, ASK[shell]], input="".join(f"{line}\n" for line in lines), text=True, capture_output=True,
        env={"SCRIPT": str(script), "PATH": "/usr/bin:/bin", "HOME": str(script.parent)}, cwd=script.parent,
        timeout=60, check=True,
    )  # fmt: skip
    assert ran.stderr == ""
    found = [set(line.split()) for line in ran.stdout.split("\n")]
    return found[: len(lines)]


def reached(place: CompletionPoint) -> str:
    """A command line that ends at a place: the channel comes before the actions of `access`."""
    verb, _, actions = place.path.partition(" ")
    takes_channel_first = actions and any(
        "telegram" in one.arguments[0].words for one in EVERY if one.path == verb and one.arguments
    )
    return " ".join(filter(None, [verb, "telegram" if takes_channel_first else "", actions]))


def test_every_word_of_the_command_is_completed(shell: str, script: Path) -> None:
    """At every place: verbs and actions, channels and choices, and every option with its values."""
    asked: list[str] = []
    expected: list[set[str]] = []

    def ask(line: str, words: set[str]) -> None:
        asked.append(line.lstrip())
        expected.append(words)

    for place in EVERY:
        options = {name for option in place.options for name in option.names}
        ask(f"{reached(place)} --", {name for name in options if name.startswith("--")})
        for takes in place.arguments[:1]:
            if takes.words:
                ask(f"{reached(place)} ", set(takes.words))
        for option in place.options:
            if option.takes is not None and option.takes.words:
                ask(f"{reached(place)} {option.names[-1]} ", set(option.takes.words))
    assert len(asked) > 60
    found = dict(zip(asked, completed(shell, script, asked), strict=True))
    assert found == dict(zip(asked, expected, strict=True))


TYPED_BEFORE: dict[str, set[str]] = {
    "acc": {"access"}, "access d": {"discord"}, "access telegram approver ": {"add", "rm"},
    "access --json telegram group ": {"add", "rm"}, "setup telegram --mcp-json no --inv": {"--invite"},
    "logs -f --level debug d": {"discord"}, "launch telegram ": set(CHANNELS), "inbox telegram --drop ": set(),
    "loop start ": set(), "access telegram allow ": set(),
}  # fmt: skip


def test_what_was_typed_before_counts(shell: str, script: Path) -> None:
    """Options and their values are no arguments; where any text may stand, nothing is offered."""
    assert dict(zip(TYPED_BEFORE, completed(shell, script, list(TYPED_BEFORE)), strict=True)) == TYPED_BEFORE


PRESSED = {
    "channels acc\ttel\tapprov\ta\t5": "access telegram approver add 5",
    "channels backup my\t--with-f\t": "backup mybackup.zip --with-files",
    "channels logs --level=w\t-f": "logs --level=warning -f",
    "channels trust fol\t": "trust folder of mine",
    "channels launch telegram -- my\t": "launch telegram -- mybackup.zip",
}


async def test_a_person_presses_tab(shell: str, script: Path, tmp_path: Path) -> None:
    """In the shell as a person has it at a terminal: words are completed in place, files and folders too."""
    (tmp_path / "mybackup.zip").touch()
    (tmp_path / "folder of mine").mkdir()
    flags = {"bash": ["--norc", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}[shell]
    end = "end" if shell == "fish" else "}"
    begin = "function channels;" if shell == "fish" else "channels() {"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    async with Terminal([str(shutil.which(shell)), *flags], cwd=tmp_path, env=env) as at:
        arguments = "$argv" if shell == "fish" else "$*"
        at.type(f'source {script.name}; {begin} echo "<""{arguments}"">"; {end}; echo rea\'\'dy')
        await at.until("ready\n")
        for line, shown in PRESSED.items():
            at.type(line)
            assert (await at.until(">\n")).rpartition("<")[2].rstrip(">\n /") == shown
