"""What somebody asks a loop to do: the prompt, at most how many rounds, and the word that the agent ends it with."""

from __future__ import annotations

import re
from typing import Self

from agent_channels.core.errors import Refused
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.messages import translate
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.text.sanitize import content, label

__all__ = ["ROUNDS", "ROUNDS_MAX", "WORD", "LoopSpec", "WrongLoop"]

ROUNDS, ROUNDS_MAX = 20, 100
WORD, WORD_MAX = "DONE", 60
# The prompt goes in again at each round, where a hook's context has room for 10,000 characters.
PROMPT_MAX = 4_000
# Phones write other quotation marks, and a long dash for two hyphens.
_QUOTES = str.maketrans("“”„‟«»「」", '""""""""')
_VALUE = r'(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s"]+))'
_OPTION = rf"(?:--|—|–)(?P<name>max|until)(?:=|\s+){_VALUE}"
_FIRST = lazy_pattern(rf"{_OPTION}(?:\s+|$)", re.IGNORECASE)
_LAST = lazy_pattern(rf"(?:^|\s+){_OPTION}$", re.IGNORECASE)
_LEFT = lazy_pattern(r"(?<!\S)(?:--|—|–)(max|until)(?![\w-])", re.IGNORECASE)


class WrongLoop(Refused):
    """The arguments of a loop are malformed; the message says what would be right."""


@frozen
class LoopSpec:
    """A loop that can be begun; made by `of` or `parse`, which check everything."""

    prompt: str
    rounds_max: int = ROUNDS
    word: str = WORD

    @classmethod
    def of(cls, prompt: str, rounds_max: str | None = None, word: str | None = None) -> Self:
        """Return the loop with these values as somebody wrote them, None for the defaults. Raises `WrongLoop`."""
        prompt = content(prompt).strip()
        if not prompt:
            raise WrongLoop(translate("loop_wrong_prompt"))
        if len(prompt.encode("utf-16-le")) // 2 > PROMPT_MAX:
            raise WrongLoop(translate("loop_wrong_length", most=PROMPT_MAX))
        return cls(prompt, ROUNDS if rounds_max is None else _rounds(rounds_max), WORD if word is None else _word(word))

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Return the loop that the argument of `/loop` describes. Raises `WrongLoop`.

        The options stand before or after the prompt, which may be in quotation marks.
        """
        text, options = argument.strip(), dict[str, str]()
        while found := _FIRST.match(text.translate(_QUOTES)) or _LAST.search(text.translate(_QUOTES)):
            name = found["name"].lower()
            if name in options:
                raise WrongLoop(translate("loop_wrong_twice", option=f"--{name}"))
            options[name] = found["bare"] if found["quoted"] is None else found["quoted"]
            text = (text[: found.start()] + text[found.end() :]).strip()
        plain = text.translate(_QUOTES)
        if plain.count('"') == 1 and plain.startswith('"'):
            raise WrongLoop(translate("loop_wrong_quote"))
        if len(plain) > 1 and plain.count('"') == 2 and plain[0] == plain[-1] == '"':
            text = text[1:-1]
        elif left := _LEFT.search(re.sub(r'"[^"]*"', '""', plain)):
            name = left[1].lower()
            raise WrongLoop(translate("loop_wrong_option", option=f"--{name}", usage=translate("loop_usage")))
        return cls.of(text, options.get("max"), options.get("until"))


def _rounds(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= ROUNDS_MAX):
        raise WrongLoop(translate("loop_wrong_max", value=label(text, 40), most=ROUNDS_MAX))
    return int(text)


def _word(text: str) -> str:
    word = text.strip()
    if not word or len(word) > WORD_MAX or content(word) != word or not re.fullmatch(r"[^<>\r\n\t]+", word):
        raise WrongLoop(translate("loop_wrong_word", value=label(word, 40), most=WORD_MAX))
    return word
