"""What the operator reads: every sentence has its translation, and only what a person reads is translated."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import agent_channels
from agent_channels.cli import zh_tw_help
from agent_channels.cli.inbox import REPORTED
from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n import zh_tw, zh_tw_operator
from agent_channels.core.i18n.sentences import (
    Sentence,
    counted,
    first_part,
    in_language,
    joined,
    packed,
    sentence,
    unpacked,
    words_of,
)
from agent_channels.core.journal.entry import State
from agent_channels.core.log import register_secret
from agent_channels.discord import zh_tw as zh_tw_discord
from agent_channels.registry import CHANNELS, channel
from agent_channels.slack import zh_tw as zh_tw_slack
from agent_channels.telegram import zh_tw as zh_tw_telegram

SOURCE = Path(agent_channels.__file__).parent
OPERATOR = [zh_tw_operator.TEXTS, zh_tw_help.TEXTS, zh_tw_telegram.TEXTS, zh_tw_discord.TEXTS, zh_tw_slack.TEXTS]
TEXTS = {english: text for table in OPERATOR for english, text in table.items()}
# Whose texts are sentences: what a check found, and what a verb says to a person and asks of them.
FINDINGS = {"fine", "note", "skipped", "wrong", "Finding"}
DIALOGUE = {"say", "warn", "confirm", "_confirm", "choose", "ask_hidden"}
ERRORS = {
    "ConfigError", "UntrustedState", "_WrongTokenError", "Unauthorized", "Refused", "WrongUsage", "StoreError",
    "ArgumentTypeError", "ArgumentError", "_Wrong",
}  # fmt: skip
# What shows a text in the operator's language.
SHOWN = {"shown", "column"}
# Where errors, and the sentences that are given as values, are the operator's; elsewhere an agent reads them.
FOR_THE_OPERATOR = (
    "cli/",
    "core/doctor",
    "core/hub",
    "core/host/config_files.py",
    "core/people/mention_patterns.py",
    "core/people/reference_plugin.py",
    "core/runtime/status.py",
    "core/settings/state_folder.py",
    "core/store/backup.py",
    "core/store/inspect.py",
    "telegram/checks.py",
    "discord/checks.py",
    "slack/checks.py",
    "telegram/errors.py",
    "discord/errors.py",
    "slack/errors.py",
    "core/contract/clock.py",
    "core/contract/connection_errors.py",
)


# Counted for the agent alone.
UNTOLD = {"round"}


def texts_in(node: ast.AST) -> Iterator[str]:
    """The strings that an expression may turn out to be, and the constants it names."""
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.IfExp(_, body, orelse):
            yield from texts_in(body)
            yield from texts_in(orelse)
        case ast.BoolOp(_, values) | ast.List(values) | ast.Tuple(values):
            for value in values:
                yield from texts_in(value)
        case ast.Name(name) if name.strip("_").isupper():
            yield from constants().get(name, ())
        case ast.Attribute(_, name) if name.isupper():
            yield from constants().get(name, ())


@cache
def trees() -> dict[str, ast.Module]:
    return {
        path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }


@cache
def constants() -> dict[str, list[str]]:
    """The module constants of the package that are strings, by name."""
    found: dict[str, list[str]] = {}
    for tree in trees().values():
        for node in tree.body:
            match node:
                case ast.Assign([ast.Name(name)], ast.Constant(str(text))):
                    found.setdefault(name, []).append(text)
    return found


def said() -> Iterator[tuple[str, str, set[str]]]:
    """(place, English template, names of its values) of every sentence in the source."""
    for path, tree in trees().items():
        ours = path.startswith(FOR_THE_OPERATOR)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                place, given = f"{path}:{node.lineno}", {str(word.arg) for word in node.keywords}
                texts = [text for argument in node.args for text in texts_in(argument)]
                texts += [text for word in node.keywords for text in texts_in(word.value)] if ours else []
                if called == "counted" and ours and texts[0] not in UNTOLD:
                    for text in texts:
                        plural = [f"{text}s"] if len(texts) == 1 else []
                        yield from ((place, f"{{count:,}} {noun}", {"count"}) for noun in [text, *plural])
                elif called in {"sentence", "joined"} or (ours and called in FINDINGS | DIALOGUE | ERRORS | SHOWN):
                    yield from ((place, text, given) for text in texts)
    for name in CHANNELS:
        yield from ((name, text, set()) for text in (channel(name).steps, channel(name).to_hear_all) if text)


def needs_words(template: str) -> bool:
    """Whether something is left to translate beside values, commands, and names that are the same in every language."""
    bare = re.sub(r"`[^`]*`|\{[^{}]*\}", "", template)
    return re.search(r"[A-Za-z]{2}", bare) is not None


@cache
def sentences() -> list[tuple[str, str]]:
    """(template, place) of every sentence that needs a translation; found by the test that asks, not by who imports."""
    return sorted({(template, place) for place, template, _ in said() if needs_words(template)})


# Of the command line's own files, every text of several words is a sentence, unless it stands here with its reason.
WORDS = re.compile(r"[A-Za-z']{2,}[,;:.]? [A-Za-z']{2,}")
# Beside a value, a single word is enough.
WORD = re.compile(r"(?:^|(?<=\s))[a-z]{2,}[,;:.]?(?=\s|$)")
NOT_SENTENCES = {
    # What is typed.
    "uv tool", "pipx run", "pipx run --no-cache --spec", "uv tool install --force FILE", "pipx install --force FILE",
    "channels access {} approver rm {}", "{} {} channels", "git -C {} pull", "channels {}",
    "channels launch {} [--host NAME] [--unattended] [--print] [--json] [-- HOST ARGUMENTS]",
    # Keys, and what programs read.
    "by the server", "the same as in {}", "pairing refused", "open messages", "{}\n# Taken over:\n{}\n", "pid {}",
    # Nouns that are translated with their number.
    "message waits", "messages wait", "listed person", "listed people", "open message",
    # The agent reads it: a loop is begun in its session.
    "Loop begun: at most {}, this is the first. {}",
    # Hosts log it, or nothing can be imported any more.
    "serve speaks with an agent host over stdin and stdout, and one of them is closed",
    "channels: its files were removed or replaced by an update; start it again\n",
    # What other programs are told that ask the page for something, and a mistake of ours.
    "reload the page", "this page has ended", "{} is not a channel of this page", "the last try returns or raises",
    # The name of the program before what it says.
    "channels: {}",
}  # fmt: skip
# In these no text is for people, or every one of them is translated: shell scripts, and the table itself.
NO_SENTENCES_IN = {"cli/completion.py", "cli/zh_tw_help.py"}
# What argparse says itself, in every version of Python that this program runs with.
FROM_ARGPARSE = {
    "options", "positional arguments", "show this help message and exit", "show program's version number and exit",
    "expected one argument", "expected at least one argument", "expected at most one argument",
}  # fmt: skip
# Read alike in every language: what is typed, and what a server answers.
FIXED = {
    "channel.db",
    "manifest.json",
    "null",
    "no",
    "yes",
    "keep",
    "delete",
    "CHANNELS_HUB",
    "project",
    "user",
    "claim: never",
    "ipv4: true",
    "sendRichMessage: 404 Not Found: method not found",
    "apps.connections.open",
    "conversations.info",
    "https://api.slack.com/apps",
}


def fields(template: str) -> list[str]:
    """The values that a sentence takes, as they are written: with conversion and format."""
    return sorted(
        f"{name}!{conversion}:{spec}"
        for _, name, spec, conversion in string.Formatter().parse(template)
        if name is not None
    )


def strings() -> set[str]:
    """Every string of the source, and those that `counted` makes of its nouns."""
    found = {template for _, template, _ in said()}
    for tree in (tree for path, tree in trees().items() if "zh_tw" not in path):
        found |= {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    return found


def test_every_sentence_is_translated() -> None:
    """Whoever reads another language finds no English sentence in what a verb prints."""
    assert [
        (place, template) for template, place in sentences() if template not in FIXED and template not in TEXTS
    ] == []


def texts_of(path: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every string of a module that holds words, with {} for values; without docstrings."""
    tree = trees()[path]
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec:
            skipped.add(id(node.format_spec))
        if isinstance(node, ast.JoinedStr) and id(node) not in skipped:
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            skipped |= {id(part) for part in node.values}
            text = "".join(map(str, parts))
            if WORD.search(re.sub(r"`[^`]*`", "", text)):
                yield node.lineno, text
    for node in ast.walk(tree):
        match node:
            case ast.Constant(str(text)) if id(node) not in skipped and WORDS.search(re.sub(r"`[^`]*`", "", text)):
                yield node.lineno, text


def test_no_sentence_is_forgotten() -> None:
    """What a verb prints or explains is in the tables, whether or not anybody marked it as a sentence."""
    paths = [path for path in trees() if path.startswith("cli/") and path not in NO_SENTENCES_IN]
    found = {(f"{path}:{line}", text) for path in paths for line, text in texts_of(path)}
    assert len(found) > 300
    assert sorted(one for one in found if one[1] not in NOT_SENTENCES | TEXTS.keys()) == []
    assert {text for text in NOT_SENTENCES if text not in {text for _, text in found}} == set()


def test_an_error_of_the_operator_is_a_sentence() -> None:
    """Where errors are the operator's, none is put together from pieces that no table knows."""
    found = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if path.startswith(FOR_THE_OPERATOR) and isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if called in ERRORS and any(isinstance(argument, ast.JoinedStr) for argument in node.args):
                    found.append(f"{path}:{node.lineno}")
    assert found == []


def test_states_are_told_in_words() -> None:
    """`channels inbox` lists each state that a message can have."""
    assert {REPORTED.get(state, state) for state in State} - {State.JOINED} <= TEXTS.keys()


def test_the_words_of_argparse_are_its_own() -> None:
    """What is translated of argparse is what this version of Python says."""
    source = inspect.getsource(argparse)
    assert [words for words in FROM_ARGPARSE if repr(words) not in source and f'"{words}"' not in source] == []


def test_each_sentence_is_given_its_values() -> None:
    """No sentence fails when somebody is to read it, and there are hundreds."""
    for place, template, given in said():
        assert {name for _, name, _, _ in string.Formatter().parse(template) if name} <= given, place
    assert len(sentences()) > 300


def test_a_translation_says_the_same() -> None:
    """It takes the same values, repeats the commands to type, and differs from the English sentence."""
    alike = {"Python {version}", "id {id}", "shell", "the token: {error}", "mentionPatterns: {error}"}
    # In these the Chinese words stand inside the marks.
    described = {"{path} must hold `name: value` lines, such as `language: en`; it holds {value}"}
    commands = re.compile(r"`[^`\n]+`")
    for template, translation in TEXTS.items():
        assert set(fields(translation)) == set(fields(template)), template
        if template not in described:
            assert set(commands.findall(translation)) == set(commands.findall(template)), template
        assert translation != template or template in alike or not needs_words(template), template


def test_no_translation_is_left_over() -> None:
    """Each English sentence of the table stands in the source."""
    assert set(TEXTS) - strings() - FROM_ARGPARSE == set()
    assert sum(map(len, OPERATOR)) == len(TEXTS), "a sentence stands in two tables"


@pytest.mark.parametrize("table", [zh_tw.TEXTS, TEXTS], ids=["chat", "operator"])
def test_characters_are_traditional(table: dict[str, str]) -> None:
    """Every Chinese character is one that Big5 has, which simplified forms are not."""
    text = "".join(table.values())
    assert [char for char in sorted(set(text)) if "一" <= char <= "鿿" and not is_traditional(char)] == []


def is_traditional(char: str) -> bool:
    try:
        return bool(char.encode("big5"))
    except UnicodeEncodeError:
        return False


def test_simplified_characters_are_found() -> None:
    """The check above fails for them."""
    assert not any(map(is_traditional, "们这说设"))
    assert all(map(is_traditional, "們這說設群裡"))


# ---- how a sentence is made and read


def test_programs_read_english() -> None:
    """A sentence is a string like any other for JSON, logs and comparisons."""
    made = sentence("the name {host} does not resolve", host="a.b")
    assert made == "the name a.b does not resolve"
    assert json.dumps({"found": made}) == '{"found": "the name a.b does not resolve"}'
    assert f"{made}" == "the name a.b does not resolve"


def test_a_person_reads_their_language() -> None:
    """With the same values; values that are sentences are translated too, and what a person wrote stays."""
    made = joined([sentence("in {folder}", folder="/{x}"), "not yet", counted(2, "group"), "written by Ann"])
    assert in_language(made, "zh-TW") == "在 /{x}；還沒有；2 個群組；written by Ann"
    assert in_language(made, "en") == made == "in /{x}; not yet; 2 groups; written by Ann"


def test_the_first_part_is_what_happened() -> None:
    """An advice that follows can be left out, however often sentences were joined."""
    what = sentence("in {folder}", folder="/x")
    assert first_part(joined([joined([what, "fix that file"]), "not yet"])) is what
    assert first_part("plain; text") == "plain; text"


def test_an_error_keeps_its_sentence_and_no_secret() -> None:
    """An error that was raised with a sentence can be translated; one that holds a token is masked."""
    error = ConfigError(sentence("in {folder}", folder="/x"))
    assert in_language(words_of(error), "zh-TW") == "在 /x"
    assert words_of(ValueError("plain")) == "plain"
    register_secret("7000000001:" + "A" * 35)
    assert "AAAA" not in words_of(ConfigError(sentence("in {folder}", folder="7000000001:" + "A" * 35)))


def test_a_sentence_can_be_stored() -> None:
    """What one process records, another one tells in its reader's language; a text of an older version stays a text."""
    why = joined([sentence("process {pid} on {host}", pid=7, host="{x}"), sentence("{hours:.0f} h", hours=1.6), "Ann"])
    read = unpacked(packed(why))
    assert isinstance(read, Sentence)
    assert (read, in_language(read, "zh-TW")) == (why, in_language(why, "zh-TW"))
    for plain in ("", "in /x", '{"sentence": broken', '{"sentence": "{name}", "values": {}}'):
        assert packed(plain) == plain
        assert unpacked(plain) is plain
