"""`channels completion SHELL`: a script that completes verbs, actions, options, channels and files.

All of it is read from the command's own parser, so no script knows a word that the command does not. The scripts call
nothing: a Tab starts no program and opens no database.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field

from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.registry import CHANNELS

__all__ = ["SHELLS", "SUMMARY", "CompletionPoint", "Takes", "add_arguments", "places", "run"]

SUMMARY = "print a script that completes this command in your shell"
# By metavar: the arguments that name files and folders.
_FILES, _FOLDERS = {"FILE", "PATH"}, {"DIR"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the shell."""
    parser.add_argument(
        "shell", choices=SHELLS, metavar="SHELL", help=sentence("one of {names}", names=joined(SHELLS, ", "))
    )


def run(args: argparse.Namespace) -> int:
    """Print the script of one shell."""
    print(SHELLS[args.shell](list(places(args.build_parser()))), end="")
    return 0


# ---- what can stand where


@frozen
class Takes:
    """What an argument takes: some words with what each means, files, folders, or (none of these) any text."""

    words: Mapping[str, str] = field(default_factory=dict)
    files: bool = False
    folders: bool = False
    is_next: bool = False
    """Each of the words leads to a place of its own."""


@frozen
class Option:
    """An option by its names, in words, and what it takes; None: nothing."""

    names: tuple[str, ...]
    summary: str
    takes: Takes | None


@frozen
class CompletionPoint:
    """Where a command line can be: after `path` ("access group add"; "" is the command alone)."""

    path: str
    options: tuple[Option, ...]
    arguments: tuple[Takes, ...]
    repeats: bool
    """The last of the arguments may be given again and again."""

    def below(self, word: str) -> str:
        """Return the path of a word that leads to a place."""
        return f"{self.path} {word}".strip()


def places(parser: argparse.ArgumentParser, path: str = "") -> Iterator[CompletionPoint]:
    """Yield a parser's place and those of all parsers below it."""
    options, arguments, repeats, below = [], [], False, []
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to walk a parser
        if action.option_strings:
            takes = None if action.nargs == 0 else _takes(action)
            options.append(Option(tuple(action.option_strings), _summary(action), takes))
            continue
        arguments.append(_takes(action))
        repeats = action.nargs in {"*", "+"}
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            below = list(action.choices.items())
    place = CompletionPoint(path, tuple(options), tuple(arguments), repeats)
    yield place
    for word, parser_below in below:
        yield from places(parser_below, place.below(word))


def _takes(action: argparse.Action) -> Takes:
    if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
        summaries = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
        return Takes(summaries, is_next=True)
    if action.choices is not None:
        return Takes(dict.fromkeys(map(str, action.choices), ""))
    if action.metavar == "CHANNEL":
        return Takes(dict.fromkeys(CHANNELS, ""))
    return Takes(files=action.metavar in _FILES, folders=action.metavar in _FOLDERS)


def _summary(action: argparse.Action) -> str:
    return (action.help or "").partition(" (default")[0].partition("; default")[0]


# ---- what the three scripts share: a walk over the words before the cursor, and a table of what may follow

# Each script walks in the same way. `at` is the path of the place, `n` counts the arguments given there, and `want` is
# the option whose value comes next. What is completed is then looked up under "PATH/N", "PATH -" or "PATH --OPTION".


def _leading(found: Iterable[CompletionPoint]) -> list[str]:
    """Return "PATH/N/WORD" for every word that leads to a place."""
    return [
        f"{place.path}/{n}/{word}"
        for place in found
        for n, takes in enumerate(place.arguments)
        if takes.is_next
        for word in takes.words
    ]


def _with_value(found: Iterable[CompletionPoint]) -> list[str]:
    """Return "PATH OPTION" for every option that takes a value."""
    return [
        f"{place.path} {name}"
        for place in found
        for option in place.options
        if option.takes is not None
        for name in option.names
    ]


def _quoted(text: str) -> str:
    """Return a text as one word of bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _patterns(keys: Iterable[str], indent: str) -> str:
    """Return the alternatives of a `case` of bash and zsh."""
    return f" |\\\n{indent}".join(map(_quoted, keys))


def _argument_keys(place: CompletionPoint) -> Iterator[tuple[str, Takes]]:
    """Yield the patterns of a place's arguments for a `case` of bash and zsh."""
    for n, takes in enumerate(place.arguments):
        is_last = n == len(place.arguments) - 1
        yield (f"{_quoted(place.path)}/*" if is_last and place.repeats else _quoted(f"{place.path}/{n}")), takes


_WALK = """\
        if [[ $word == '=' ]]; then
            continue
        elif [[ -n $want ]]; then
            want=
        elif [[ $word == -- ]]; then
            at=--
            break
        elif [[ $word == -* ]]; then
            case "$at $word" in
            {valued}) want="$at $word" ;;
            esac
        else
            case "$at/$n/$word" in
            {leading})
                at="${{at:+$at }}$word" n=0
                ;;
            *) n=$((n + 1)) ;;
            esac
        fi
"""


def _walk(found: list[CompletionPoint]) -> str:
    indent = " " * 12
    return _WALK.format(valued=_patterns(_with_value(found), indent), leading=_patterns(_leading(found), indent))


# ---- bash

_BASH = """\
# Completion of `channels` for bash 3.2 and newer.
_channels() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} at='' want='' word key words='' n=0 i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
{walk}    done
    [[ $cur == '=' ]] && cur=''
    if [[ -n $want ]]; then
        key=$want
    elif [[ $at != -- && $cur == -* ]]; then
        key="$at -"
    else
        key="$at/$n"
    fi
    case "$key" in
{cases}    --/*) return ;;
    esac
    if [[ -n $words ]]; then
        local IFS=$' \\t\\n'
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    fi
    # Where names of files are expected, bash itself completes them.
    compopt +o default 2>/dev/null
}}
complete -o default -F _channels channels
"""


def _bash(found: list[CompletionPoint]) -> str:
    cases = []
    for place in found:
        names = " ".join(name for option in place.options for name in option.names)
        cases.append(f"    {_quoted(f'{place.path} -')}) words={_quoted(names)} ;;\n")
        cases += [_bash_case(key, takes) for key, takes in _argument_keys(place)]
        cases += [
            _bash_case("|".join(_quoted(f"{place.path} {name}") for name in option.names), option.takes)
            for option in place.options
            if option.takes
        ]
    return _BASH.format(walk=_walk(found), cases="".join(filter(None, cases)))


def _bash_case(key: str, takes: Takes) -> str:
    if takes.folders:
        # With `filenames`, bash quotes what it found and puts a slash behind it.
        folders = "compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen -d -- \"$cur\")); return"
        return f"    {key}) {folders} ;;\n"
    if takes.files:
        return f"    {key}) return ;;\n"
    return f"    {key}) words={_quoted(' '.join(takes.words))} ;;\n" if takes.words else ""


# ---- zsh

_ZSH = """\
#compdef channels
# Completion of `channels` for zsh.
_channels() {{
    local cur=${{words[CURRENT]}} at='' want='' word key
    local -a found
    integer n=0 i
    for ((i = 2; i < CURRENT; i++)); do
        word=${{words[i]}}
{walk}    done
    if [[ -z $want && $at != -- && $cur == --*=* ]]; then
        want="$at ${{cur%%=*}}"
        compset -P '*='
    fi
    if [[ -n $want ]]; then
        key=$want
    elif [[ $at != -- && $cur == -* ]]; then
        key="$at -"
    else
        key="$at/$n"
    fi
    case "$key" in
{cases}    --/*) _files ;;
    esac
}}
if [[ ${{funcstack[1]}} == _channels ]]; then
    _channels "$@"
else
    # It was sourced.
    (( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit -i; }}
    compdef _channels channels
fi
"""


def _zsh(found: list[CompletionPoint]) -> str:
    cases = []
    for place in found:
        options = {name: option.summary for option in place.options for name in option.names}
        cases.append(f"    {_quoted(f'{place.path} -')}) {_zsh_words(options, 'option', '-o ')} ;;\n")
        cases += [_zsh_case(key, takes) for key, takes in _argument_keys(place)]
        cases += [
            _zsh_case("|".join(_quoted(f"{place.path} {name}") for name in option.names), option.takes)
            for option in place.options
            if option.takes
        ]
    return _ZSH.format(walk=_walk(found), cases="".join(filter(None, cases)))


def _zsh_case(key: str, takes: Takes) -> str:
    if takes.files or takes.folders:
        return f"    {key}) _files{' -/' if takes.folders else ''} ;;\n"
    return f"    {key}) {_zsh_words(takes.words, 'argument')} ;;\n" if takes.words else ""


def _zsh_words(words: Mapping[str, str], kind: str, flags: str = "") -> str:
    listed = " ".join(_quoted(f"{word}:{summary}" if summary else word) for word, summary in words.items())
    return f"found=({listed}); _describe {flags}{kind} found"


# ---- fish

_FISH = """\
# Completion of `channels` for fish 3.0 and newer.
function __channels_at
    set -l at ''
    set -l n 0
    set -l want 0
    set -l before (commandline -opc)
    for word in $before[2..-1]
        if test $want = 1
            set want 0
            continue
        end
        switch $word
            case --
                echo --/0
                return
            case '-*'
                contains -- "$at $word" {valued}
                and set want 1
            case '*'
                if contains -- "$at/$n/$word" {leading}
                    set at (string trim -- "$at $word")
                    set n 0
                else
                    set n (math $n + 1)
                end
        end
    end
    echo "$at/$n"
end
function __channels_is
    contains -- (__channels_at) $argv
end
function __channels_in
    string match -q -- "$argv[1]/*" (__channels_at)
end
complete -c channels -f
complete -c channels -n '__channels_in --' -F
{lines}"""


def _fish(found: list[CompletionPoint]) -> str:
    lines = [line for place in found for line in _fish_lines(place)]
    valued, leading = (" ".join(map(_fish_quoted, keys)) for keys in (_with_value(found), _leading(found)))
    return _FISH.format(valued=valued, leading=leading, lines="\n".join(lines) + "\n")


def _fish_lines(place: CompletionPoint) -> Iterator[str]:
    for n, takes in enumerate(place.arguments):
        repeated = n == len(place.arguments) - 1 and place.repeats
        at_place, at_argument = _fish_quoted(place.path), _fish_quoted(f"{place.path}/{n}")
        key = f"__channels_in {at_place}" if repeated else f"__channels_is {at_argument}"
        begin = f"complete -c channels -n {_fish_quoted(key)}"
        if takes.files or takes.folders:
            yield f"{begin} {_fish_files(takes)}"
        for word, summary in takes.words.items():
            yield f"{begin} -a {_fish_quoted(word)}" + (f" -d {_fish_quoted(summary)}" if summary else "")
    begin = f"complete -c channels -n {_fish_quoted(f'__channels_in {_fish_quoted(place.path)}')}"
    for option in place.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        takes_value = f" {_fish_value(option.takes)}" if option.takes else ""
        yield f"{begin} {names}{takes_value} -d {_fish_quoted(option.summary)}"


def _fish_value(takes: Takes) -> str:
    if takes.files or takes.folders:
        return f"-r {_fish_files(takes)}"
    return f"-x -a {_fish_quoted(' '.join(takes.words))}" if takes.words else "-x"


def _fish_files(takes: Takes) -> str:
    return "-a '(__fish_complete_directories)'" if takes.folders else "-F"


def _fish_quoted(text: str) -> str:
    """Return a text as one word of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SHELLS: dict[str, Callable[[list[CompletionPoint]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
