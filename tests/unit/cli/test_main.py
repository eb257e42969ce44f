"""`channels` itself: a verb is started without the others, and errors become exit codes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_channels.cli import main as command
from agent_channels.core.errors import ConfigError
from agent_channels.core.server import supervisor


def modules_of(*lines: str) -> list[set[str]]:
    """The modules that are imported once a command line is parsed, for each line; what is common is imported once."""
    code = (
        "import os, sys; from agent_channels.cli import main\n"
        "for line in sys.argv[1:]:\n"
        "    if os.fork() == 0:\n"
        "        main.build_parser(main._needed(line.split()))\n"
        "        print(*sys.modules, flush=True)\n"
        "        os._exit(0)\n"
        "    os.wait()"
    )
    ran = subprocess.run([sys.executable, "-c", code, *lines], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in ran.stdout.splitlines()]


def test_a_verb_is_started_without_the_others() -> None:
    """Hosts run `serve` and `hook` all the time; neither pays for what another verb needs."""
    found = modules_of(*(f"{verb} telegram" for verb in command.VERBS))
    for verb, modules in zip(command.VERBS, found, strict=True):
        others = {module for name, module in command.VERBS.items() if name != verb}
        if verb == "launch":
            # It starts with the doctor's report.
            others.remove(command.VERBS["doctor"])
        assert command.VERBS[verb] in modules
        assert (verb, modules & others) == (verb, set())
        if verb in {"serve", "hook"}:
            assert modules & {"yaml", "anyio", "mcp"} == set()


def test_the_version_needs_no_verb() -> None:
    """It is asked for by scripts."""
    for modules in modules_of("--version", "--version serve"):
        assert modules & set(command.VERBS.values()) == set()


@pytest.mark.parametrize(("words", "code"), [
    ((), 0), (("nope",), 2), (("serve",), 2), (("serve", "nope"), 2), (("inbox", "telegram", "--limit", "0"), 2),
    (("hook",), 1), (("hook", "nope"), 1), (("hook", "stop", "extra"), 1), (("hook", "--help"), 0), (("--help",), 0),
])  # fmt: skip
def test_exit_codes_of_wrong_usage(words: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """2, but for hooks: a hook that exits with 2 blocks its host."""
    with pytest.raises(SystemExit) as end:
        command.main(words)
    assert end.value.code == code
    out, err = capsys.readouterr()
    assert (bool(out), bool(err)) == (code == 0, code != 0)


@pytest.mark.parametrize(("word", "meant"), [("stauts", "status"), ("set-up", "setup"), ("banana", None)])
def test_a_verb_that_is_misspelt(word: str, meant: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence with the nearest verb, if one is near."""
    with pytest.raises(SystemExit) as end:
        command.main([word])
    assert end.value.code == 2
    guess = f"did you mean `channels {meant}`? " if meant else ""
    assert capsys.readouterr().err == f"channels: there is no verb {word!r}; {guess}`channels --help` lists them\n"


def test_errors_become_sentences_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit code 1 and one line on stderr; a token in it, or in what was typed, is masked."""
    token = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"

    def fail(_: Path) -> None:
        raise ConfigError(f"{token} is not a folder")

    monkeypatch.setattr("agent_channels.cli.inbox.Store.open_existing", fail)
    with pytest.raises(SystemExit) as end:
        command.main(["inbox", "telegram"])
    assert (end.value.code, capsys.readouterr()) == (
        1,
        ("", f"Project {Path.cwd()}\nchannels: [token] is not a folder\n"),
    )
    with pytest.raises(SystemExit) as end:
        command.main(["setup", "telegram", token])
    assert end.value.code == 2
    assert token not in capsys.readouterr().err


def test_arguments_for_the_host_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows `--` goes to the host as it is, options and a second `--` too; only for `launch`."""
    seen = []

    def launch(args: object) -> int:
        seen.append(vars(args))
        return 7

    monkeypatch.setattr("agent_channels.cli.launch.run", launch)
    with pytest.raises(SystemExit) as end:
        command.main(["launch", "telegram", "--", "-p", "hi", "--", "--help"])
    assert end.value.code == 7
    assert (seen[0]["channels"], seen[0]["host_arguments"]) == (["telegram"], ["-p", "hi", "--", "--help"])


# `open` goes on until it is interrupted; tests/wire/test_wire_open.py reads its first line.
@pytest.mark.parametrize(
    "verb", sorted(command.OF_A_PROJECT - {"setup", "import", "launch", "loop", "history", "doctor", "open"})
)
@pytest.mark.parametrize("machine", [False, True])
def test_the_project_is_named_first(verb: str, machine: bool, channels) -> None:
    """In the first line, on stderr where stdout is for machines; a verb that only reads leaves nothing behind."""
    words = (
        [verb] if verb in {"doctor", "trust"} else [verb, "--dry-run"] if verb == "uninstall" else [verb, "telegram"]
    )
    named = {
        "hub": ["hub", "status", "telegram"],
        "audit": ["audit", "show", "telegram"],
        "yt2pdf": ["yt2pdf", "metadata", "dQw4w9WgXcQ", "--channel", "telegram"],
    }
    words = named.get(verb, words)
    ran = channels(*words, *(["--json"] if machine else []))
    assert ran.project == str(Path(os.environ["CLAUDE_PROJECT_DIR"]))
    assert list(Path(ran.project).iterdir()) == []


def test_what_is_said_after_the_programs_files_are_gone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An update may remove them under a running process: nothing is shown unredacted, the supervisor still speaks."""
    written = io.StringIO()
    monkeypatch.setitem(sys.modules, "agent_channels.core.log", None)
    monkeypatch.setattr(sys, "stderr", command._RedactedOutput(written, hints=False))
    for line in ("Traceback", "ModuleNotFoundError"):
        print(line, file=sys.stderr)
    assert written.getvalue() == "channels: its files were removed or replaced by an update; start it again\n"
    supervisor._say("the server ended")
    assert capfd.readouterr().err == "channels: the server ended\n"
