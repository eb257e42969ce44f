"""The command's parser: `--help` and errors in the language of the person at the terminal, each with the next step."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from agent_channels.cli.arguments import WrongUsage, did_you_mean
from agent_channels.cli.language import shown
from agent_channels.core.i18n.sentences import sentence, words_of
from agent_channels.core.patterns import lazy_pattern

__all__ = ["Parser", "UnparsedError"]

# What argparse says with values in it: our template, and the words that it stands for.
_WITH_VALUES = {
    template: lazy_pattern(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template)))
    for template in (
        "the following arguments are required: {names}",
        "not allowed with argument {other}",
        "ignored explicit argument {value}",
        "ambiguous option: {option} could match {matches}",
    )
}


class UnparsedError(WrongUsage):
    """Arguments that do not fit; `usage` is the verb's usage with its name below."""

    def __init__(self, reason: str, usage: str) -> None:
        super().__init__(reason)
        self.usage = usage


class _HelpFormatter(argparse.HelpFormatter):
    """Translates what is explained; names and what is typed stay."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, shown("usage: ") if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        super().start_section(heading and shown(heading))

    def add_text(self, text: str | None) -> None:
        super().add_text(text and shown(text))

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help and shown(action.help)

    # argparse counts characters, of which some are two columns wide: such lines are broken where they are printed.
    def _split_lines(self, text: str, width: int) -> list[str]:
        return super()._split_lines(text, width) if text.isascii() else [text]

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return super()._fill_text(text, width, indent) if text.isascii() else indent + text


class Parser(argparse.ArgumentParser):
    """Raises `WrongUsage` with the nearest word that is known, instead of ending the process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": _HelpFormatter, "exit_on_error": False, **options})

    def error(self, message: str) -> NoReturn:
        raise UnparsedError(_as_sentence(message), f"{self.format_usage()}{self.prog}")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        # Each verb refuses here what it does not know: the parser above it knows none of its options.
        try:
            found, unknown = super().parse_known_args(args, namespace)
        except argparse.ArgumentError as error:
            self.error(_words_of(error))
        if unknown:
            self.error(self._unknown(unknown))
        return found, unknown

    def _unknown(self, words: Sequence[str]) -> str:
        option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        if option is None:
            return sentence(
                "nothing is expected where {word!r} stands; a text of several words needs quotes", word=words[0]
            )
        known = did_you_mean(option, self._option_string_actions)
        return sentence("there is no option {option} here; {known}", option=option, known=known)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = did_you_mean(str(value), action.choices)
        if action.option_strings:
            raise argparse.ArgumentError(
                action, sentence("{value!r} is not one of its values; {known}", value=value, known=known)
            )
        kind = str(action.metavar or action.dest).lower()
        raise argparse.ArgumentError(
            None, sentence("there is no {kind} {value!r}; {known}", kind=kind, value=value, known=known)
        )


def _words_of(error: argparse.ArgumentError) -> str:
    """Return what is wrong with an argument, as the sentence that it was refused with."""
    # argparse makes a plain text of what an argument's `type` raised.
    refused = error.__context__
    problem = words_of(refused) if isinstance(refused, argparse.ArgumentTypeError) else _as_sentence(error.message)
    if error.argument_name is None:
        return problem
    return sentence("argument {name}: {problem}", name=error.argument_name, problem=problem)


def _as_sentence(message: str) -> str:
    """Return words of argparse as a sentence; those without values are one, and so is what was one before."""
    for template, pattern in _WITH_VALUES.items():
        if type(message) is str and (found := pattern.fullmatch(message)):
            return sentence(template, **found.groupdict())
    return message
