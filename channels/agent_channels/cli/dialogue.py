"""What a verb says to a person and asks of them; a script is asked nothing."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_channels.cli.language import shown
from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import joined, sentence

__all__ = ["Dialogue", "listed_person", "person_line"]


@dataclass
class Dialogue:
    """Sentences and questions; with `quiet` (--json) nothing is said but `data` at the end, by the verb itself.

    `yes`: where a script has no option for a question, the answer is yes. `project` was named before: the files in it
    are called by their place in it. `again` is the command that goes on with what is left undone.
    """

    quiet: bool
    interactive: bool
    yes: bool = False
    project: Path | None = None
    again: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str, **values: object) -> None:
        """Print a sentence with its values, unless nothing is to be said."""
        if not self.quiet:
            print(self._shortened(sentence(text, **values) if values else text), flush=True)

    def warn(self, text: str, **values: object) -> None:
        """Print a sentence to stderr, also where nothing else is said."""
        print(shown(sentence(text, **values)), file=sys.stderr)

    def _shortened(self, text: str) -> str:
        text = shown(text)
        return text.replace(f"{self.project.absolute()}{os.sep}", "") if self.project else text

    def confirm(self, option: str | None, question: str, *, default: bool = True) -> bool:
        """Return the option's yes or no if it was given, else the person's answer, else `yes`."""
        if option is not None:
            return option == "yes"
        if not self.interactive:
            return self.yes
        while True:
            answer = self.ask(f"{shown(question)} [{'Y/n' if default else 'y/N'}] ").lower()
            if not answer:
                return default
            if "yes".startswith(answer) or "no".startswith(answer):
                return "yes".startswith(answer)
            # Not repeated: it may be a token, given a question too early.
            self.say("  answer y or n")

    def choose(self, option: str | None, question: str, choices: Sequence[str], *, default: str, script: str) -> str:
        """Return the option if it was given, else what the person chooses by a word or its beginning, else `script`."""
        if option is not None or not self.interactive:
            return option or script
        while True:
            hint = sentence("[{choices}; Return: {default}] ", choices="/".join(choices), default=default)
            answer = self.ask(f"{shown(question)} {shown(hint)}").lower()
            found = [choice for choice in choices if choice.startswith(answer)]
            if not answer or len(found) == 1:
                return found[0] if answer else default
            self.say("  {answer!r} is none of them: answer {choices}", answer=answer, choices=joined(choices, " or "))

    def ask(self, prompt: str) -> str:
        """Return what the person types. Raises `ConfigError` where the terminal ends."""
        try:
            # Printed, and not left to `input`, which goes around what guards the output.
            print(self._shortened(prompt), end="", flush=True)
            return input().strip()
        except EOFError:
            raise _no_answer() from None

    def ask_hidden(self, prompt: str) -> str:
        """As `ask`, without showing what is typed."""
        try:
            return getpass.getpass(shown(prompt)).strip()
        except EOFError:
            raise _no_answer() from None


def person_line(person: dict[str, Any]) -> str:
    """Return a person's id, name and username, as far as they are known."""
    username = f"@{person['username']}" if person["username"] else ""
    return " ".join(filter(None, (person["id"], person["name"], username)))


def listed_person(person: dict[str, Any]) -> str:
    """Return who is paired: id, name, username, and whether they may approve."""
    named = person_line(person)
    return sentence("{who} (approver)", who=named) if person["approver"] else named


def _no_answer() -> ConfigError:
    return ConfigError("the terminal ended before the answer; run the same command again, it goes on from here")
