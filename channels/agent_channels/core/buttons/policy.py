"""Which rule of the policy decides about what a host asks, and how.

A rule that allows is read narrowly and one that denies or asks widely: what a shell would run besides is never allowed
with it, and is denied with it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath

from agent_channels.core.frozen import frozen
from agent_channels.core.host.tool_words import PATH_ARGUMENTS, main_argument
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.policy import PolicyRule, fits

__all__ = ["HostRequest", "decide", "strictest"]

# What runs, reads or writes something besides, or stands for other words than are written, whatever it is.
_BESIDES = lazy_pattern(r"""[;|&<>`\n\r\\*?~(){}\[\]#]|\$|\bxargs\b""")
# What a shell takes out of words, and what may stand before a command.
_QUOTES = lazy_pattern(r"""\$?['"]|\\""")
_QUOTED = lazy_pattern(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\\s""")
_SEPARATOR = lazy_pattern(r"[\s;|&<>(){}`]")
_REDIRECTION = lazy_pattern(r"(?:\{\w+\}|(?<!\S)\d+)?(?:&>>?|<<<|<<-?|<>|>>|>\||[<>]&|[<>])\s*[^\s;|&<>()]+")
_BRACES = lazy_pattern(r"(?<![^\s;|&(])\{([^{}\s]*,[^{}\s]*)\}(?![^\s;|&)])")
_FIELD_SEPARATOR = lazy_pattern(r"\$(?:\{IFS[^}]*\}|IFS\b)")
_NEXT = lazy_pattern(r"&&|[;|&(){}`]")
_BEGINS = lazy_pattern(r"(?<![^\s/;|&(){}`$=!:])(?=[^\s])")
_WORDS = lazy_pattern(r"[\s=:,]+")
_GLUE = lazy_pattern(r"[^\w./-]")
_ADDRESS = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ARGUMENT = lazy_pattern(r"[A-Za-z_]\w*(?:-\w+)*")
_CUT_COMMAND = lazy_pattern(r""""command"\s*:\s*"((?:[^"\\]|\\.)*)""")
# How much of a command is looked at for what it denies; no host's is longer.
COMMAND_MAX = 20_000
# The longest path.
PATH_MAX = 4096
# So many paths that a command may name.
PLACES_MAX = 5_000
# So many options between a program and what it is to do.
OPTIONS_MAX = 16
# Options by which a program that only reads writes a file or runs another one: of any program, of `find`, and letters
# of some programs, which may stand together with others.
_LONG_OPTIONS = (
    "output", "outfile", "outdir", "output-file", "output-document", "output-dir", "output-directory", "in-place",
    "inplace", "exec", "exec-batch", "exec-path", "config-env", "to-command", "checkpoint-action",
    "use-compress-program", "compress-program", "ext-diff", "upload-pack", "receive-pack", "open-files-in-pager",
    "rsh", "rsync-path", "pre", "fix", "write", "delete", "post-file", "upload-file", "remote-name", "dump-header",
    "cookie-jar", "trace", "trace-ascii", "log-file", "extcmd", "data", "data-binary", "data-urlencode", "form",
)  # fmt: skip
_WORD_OPTIONS = frozenset(
    {"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf", "-fls", "-inplace"}
)
_LETTER_OPTIONS = {
    "sort": "o", "sed": "i", "gsed": "i", "tar": "FI", "git": "Oox", "curl": "cdDFKoOT", "wget": "OoPi", "fd": "xX",
    "tree": "o", "time": "o", "awk": "iof", "gawk": "iof", "yq": "i", "gofmt": "w", "prettier": "w", "eslint": "o",
    "perl": "i", "rsync": "e", "less": "oO", "file": "C",
}  # fmt: skip


@frozen
class HostRequest:
    """What a host wants allowed: a tool with its input, in a project, while the agent works for some chats.

    `tool_input` is an object, or a text if the host cut it. `state_dir`: where nothing is allowed by a rule.
    """

    tool: str
    tool_input: object
    project: Path
    chats: Collection[str] = ()
    state_dir: Path | None = None
    cwd: Path | None = None
    """Where a shell would run, if that is known."""

    def subject(self) -> str:
        """Return what the tool works on, as rules compare it: a path is the real one, relative inside the project."""
        name, text = main_argument(self.tool_input)
        if name in PATH_ARGUMENTS:
            return self._real(text)
        if name:
            return text.strip() if name == "command" else text
        return self.tool_input if isinstance(self.tool_input, str) else json.dumps(self.tool_input, ensure_ascii=False)

    def _real(self, path: str) -> str:
        root = os.path.realpath(self.project)
        if len(path) > PATH_MAX:
            # No system has one that long, but what shortens it first does.
            return os.path.relpath(os.path.join(root, path), root)  # noqa: PTH118
        try:
            real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118 - a zero byte raises ValueError below
        except ValueError:
            return path
        return os.path.relpath(real, root) if Path(real).is_relative_to(root) else real

    def is_simple(self) -> bool:
        """Return whether nothing but the subject is done: what is cut, or a shell would run more, is not."""
        if not isinstance(self.tool_input, dict):
            return False
        command = self.tool_input.get("command")
        if isinstance(command, str):
            # Which of them the tool works on is not known.
            alone = self.tool_input.keys().isdisjoint(PATH_ARGUMENTS)
            if not alone or _BESIDES.search(command.strip()) or _is_beyond(command):
                return False
        elif command is not None:
            # As a list of words it may be anything.
            return False
        return self.state_dir is None or not self._touches(self.state_dir)

    def does_more(self, allowed: str) -> bool:
        """Return whether a command has an option to write a file or run a program that a pattern does not name."""
        command = self._command()
        return command is not None and not _writing_options(command) <= _writing_options(allowed)

    def others(self) -> Iterator[str]:
        """Yield what a tool may work on beside its subject: every path, and of a server's tool every text as one."""
        for text in self._places():
            if _ADDRESS.match(text):
                yield text
            else:
                yield self._real(text)
                # What takes both strokes leads elsewhere.
                if "\\" in text:
                    yield self._real(text.replace("\\", "/"))

    def _places(self) -> Iterator[str]:
        """Yield the texts that may say where a tool works: which of them a server's tool works on is not known."""
        if not isinstance(self.tool_input, dict):
            return
        if self.tool.startswith("mcp__"):
            yield from _texts(self.tool_input)
        else:
            yield from _texts([self.tool_input.get(name) for name in PATH_ARGUMENTS])

    def _touches(self, folder: Path) -> bool:
        """Return whether the state folder, and with it the policy itself, may be changed by it."""
        text = json.dumps(self.tool_input, ensure_ascii=False)
        root, state = Path(os.path.realpath(self.project)), Path(os.path.realpath(folder))
        if "config.yaml" in text or str(state) in text:
            return True
        # With the folders of other channels beside it.
        beside = state.parent if state.parent != root and state.is_relative_to(root) else state
        here = Path(os.path.realpath(self.cwd or root))
        if here.is_relative_to(beside):
            return True
        # A host's own tool reads a whole project; what a command or a server does there is not known.
        reads = not self.tool.startswith("mcp__") and self._command() is None
        # Quotes are no part of what a shell makes of a word.
        words = _WORDS.split(_QUOTES.sub("", self.subject()))
        named = chain(self._places(), (one for word in words for one in _glued(word)))
        for number, one in enumerate(named):
            if number == PLACES_MAX:
                return True
            # The system takes no longer one, but what shortens it first does.
            place = os.path.normpath(one) if len(one) > PATH_MAX else one
            try:
                paths = [Path(os.path.realpath(folder / place)) for folder in {root, here}] if place else []
            except (OSError, ValueError):
                return True
            for path in paths:
                # The folder, what lies in it, or a folder in which it lies.
                if path.is_relative_to(beside) or (state.is_relative_to(path) and not (reads and path == root)):
                    return True
        return False

    def parts(self, *, from_start: bool = False) -> Iterator[str]:
        """Yield the subject, every text of the input, and what begins at each word of a command, also of a cut one.

        `from_start`: leave out what begins later in a text that is yielded whole; a leading `*` finds it there.
        """
        subject = self.subject()
        yield subject
        if isinstance(self.tool_input, dict):
            yield from _texts(self.tool_input)
            # What a path is called, wherever links on the way lead.
            named = (text for name in PATH_ARGUMENTS if isinstance(text := self.tool_input.get(name), str))
            yield from (os.path.relpath(os.path.join(self.project, text), self.project) for text in named)  # noqa: PTH118
        command = self._command()
        if command is not None:
            command = _FIELD_SEPARATOR.sub(" ", command[:COMMAND_MAX].replace("\\\n", "")).replace("\n", " ; ")
            whole = _as_words(command)
            # One of several ends where the next begins.
            commands = {part.strip() for text in _readings(command) for part in _NEXT.split(text)}
            for one in commands | {whole}:
                yield from (one,) if from_start else _suffixes(one)
            for begun in (begun for one in commands for begun in _suffixes(one)):
                yield from _without_options(begun)

    def _command(self) -> str | None:
        """Return the command of a shell, as much of it as there is; None for another tool's input."""
        if isinstance(self.tool_input, dict):
            command = self.tool_input.get("command")
            if isinstance(command, list):
                return " ".join(map(str, command))
            return command if isinstance(command, str) else None
        if not isinstance(self.tool_input, str):
            return None
        cut = _CUT_COMMAND.search(self.tool_input)
        try:
            return str(json.loads(f'"{cut[1]}"')) if cut else self.tool_input
        except ValueError:
            return self.tool_input


def decide(rules: Sequence[PolicyRule], asked: HostRequest) -> PolicyRule | None:
    """Return the first rule that matches; None if none does, and the approvers are asked as without a policy."""
    return next((rule for rule in rules if _matches(rule, asked)), None)


def strictest(rules: Sequence[PolicyRule]) -> PolicyRule | None:
    """Return the strictest of the rules that several channels' policies decide by; None if there is none."""
    strictness = {"deny": 2, "ask": 1, "allow": 0}
    return max(rules, key=lambda rule: (strictness[rule.then], rule.approvers), default=None)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a tool's input; the names of its own arguments are none, other keys are."""
    if isinstance(value, dict):
        yield from (key for key in value if not _ARGUMENT.fullmatch(key))
        value = list(value.values())
    yield from _texts_within(value)


def _texts_within(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts_within(one)


def _readings(command: str) -> set[str]:
    """Return a command as a shell makes its words, and as what runs a quoted command makes words of that too.

    Both also without redirections, which may stand between any two words, and with lists in braces as words.
    """
    quoted = _QUOTED.sub(lambda match: _SEPARATOR.sub("_", match[0]), command)
    plain = (
        _BRACES.sub(lambda match: match[1].replace(",", " "), _REDIRECTION.sub(" ", text)) for text in (command, quoted)
    )
    return {_as_words(text) for text in (command, quoted, *plain)}


def _glued(word: str) -> Iterator[str]:
    """Yield a word, and what may be a path at its end: behind short options, or behind a sign such as `@`."""
    yield word
    starts = {match.end() for match in _GLUE.finditer(word)}
    if word.startswith("-"):
        starts |= set(range(1, len(word.partition("/")[0]) + 1))
    yield from (word[start:] for start in starts if start < len(word))


def _is_beyond(command: str) -> bool:
    """Return whether a command has more than is looked at for what it denies."""
    options = sum(word.startswith("-") for word in _as_words(command).split())
    return len(command) > COMMAND_MAX or options > OPTIONS_MAX


def _writing_options(command: str) -> Counter[str]:
    """Return the options of a command by which it writes or runs something, each as often as it stands there.

    A long one may be written short, as far as it is unlike others. Which word is the program is not known.
    """
    words = _as_words(command).split()
    letters = {letter for word in words for letter in _LETTER_OPTIONS.get(PurePosixPath(word).name, "")}
    found = Counter[str]()
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--"):
            found.update({name} if any(one.startswith(name[2:]) for one in _LONG_OPTIONS) and name[2:] else ())
        elif word in _WORD_OPTIONS:
            found[word] += 1
        elif word.startswith("-"):
            found.update(f"-{letter}" for letter in letters.intersection(word[1:]))
    return found


def _as_words(command: str) -> str:
    return " ".join(_QUOTES.sub("", command).split())


def _suffixes(command: str) -> Iterator[str]:
    """Yield what begins at each word of a command."""
    return (command[match.start() :] for match in _BEGINS.finditer(command))


def _without_options(command: str) -> Iterator[str]:
    """Yield a command without the options that stand before its first other word.

    Which of them take the word behind them as their value is not known, so each may or may not.
    """
    program, _, rest = command.partition(" ")
    for _ in range(OPTIONS_MAX):
        option, _, rest = rest.partition(" ")
        if not option.startswith("-") or program.startswith("-"):
            return
        yield f"{program} {rest}"
        if not rest.startswith("-"):
            rest = rest.partition(" ")[2]
            yield f"{program} {rest}"


def _matches(rule: PolicyRule, asked: HostRequest) -> bool:
    if not fits(asked.tool, rule.tool) or (rule.chat and rule.chat not in asked.chats):
        return False
    # What several chats wanted is not what one of them may.
    if rule.chat and rule.then == "allow" and len(set(asked.chats)) > 1:
        return False
    if rule.project and not any(fits(name, rule.project) for name in (asked.project.name, str(asked.project))):
        return False
    if rule.then == "allow":
        # What is looked up on the disk comes last.
        simple = fits(asked.subject(), rule.match) and not asked.does_more(rule.match) and asked.is_simple()
        return simple and all(fits(other, rule.match) for other in asked.others())
    parts = asked.parts(from_start=rule.match.startswith("*"))
    return any(fits(part, rule.match) for part in parts)
