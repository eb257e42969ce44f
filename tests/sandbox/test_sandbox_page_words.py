"""The chat page's own words in each language, read from its sources."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import agent_channels

pytestmark = pytest.mark.measured

STATIC = Path(agent_channels.__file__).parent / "sandbox" / "page" / "static"
TABLE = STATIC / "words_zh_tw.js"
QUOTED = r'"((?:[^"\\]|\\.)*)"'
# Names of the product and of the platforms.
FIXED = {"Agent Channels"}


def translations() -> dict[str, str]:
    """The table as the page imports it: a JavaScript object of strings is JSON but for comments and a last comma."""
    text = re.sub(r"^\s*//.*$", "", TABLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    body = text[text.index("{") : text.rindex("}") + 1]
    found: dict[str, str] = json.loads(re.sub(r",\s*}$", "}", body))
    return found


class Words(HTMLParser):
    """The texts of a document, and those of its attributes that people read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if value and name in {"aria-label", "title", "placeholder"}}

    def handle_data(self, data: str) -> None:
        self.found |= {data.strip()} - {""}


def said() -> set[str]:
    """Every text that the page says: in its document, by `say`, and by the names of states and stages."""
    document = Words()
    document.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    found = set(document.found)
    for path in STATIC.glob("*.js"):
        if path == TABLE:
            continue
        text = path.read_text(encoding="utf-8")
        # Up to the values: the texts of a call stand before its first brace or closing bracket.
        for call in re.finditer(r"\bsay(?:Line)?\(((?:[^(){}\"]|" + QUOTED + r")*)", text):
            found |= set(re.findall(QUOTED, call[1]))
        for name in ("STATES", "TURNS", "FILES", "LINES"):
            for values in re.findall(rf"const {name} = [{{\[](.+?)[}}\]];", text, re.DOTALL):
                found |= set(re.findall(QUOTED, values))
    return {text for text in found if re.search(r"[a-z]{2}", text, re.IGNORECASE)} - FIXED


def test_everything_that_the_page_says_is_translated() -> None:
    """A reader of Chinese finds no English label."""
    assert len(said()) > 100
    # In a call these only tell two cases apart.
    told_apart = {"discord", "messages"}
    assert sorted(said() - set(translations()) - told_apart) == []


def test_a_translation_takes_the_same_values() -> None:
    """It differs from the English text, holds its values, and is written in traditional characters."""
    for english, chinese in translations().items():
        assert chinese != english
        assert sorted(re.findall(r"\{\w+\}", chinese)) == sorted(re.findall(r"\{\w+\}", english)), english
        assert re.findall(r"`[^`]+`", chinese) == re.findall(r"`[^`]+`", english), english
        # A simplified form has no place in Big5.
        "".join(char for char in chinese if "一" <= char <= "鿿").encode("big5")


def test_what_the_sandbox_says_of_its_chats_is_known() -> None:
    """The descriptions of chats, and the lines of what happened in them, come with their values."""
    sources = "\n".join(
        (STATIC.parent / name).read_text(encoding="utf-8")
        for name in ("scene.py", "telegram_view.py", "discord_view.py")
    )
    told = re.compile(
        r"""return f"(\{.+\} [^"\n]+|\{name\}[^"\n]+)"|"service": f?"([^"\n]+?)"|about(?:, actors)? = f?"([^"\n]+?)"|"""
        r"""return "(a stranger[^"\n]*|paired[^"\n]*)"|else "(paired)\""""
    )
    texts = {"".join(groups) for groups in told.findall(sources)}
    # In the source a value is an expression, in the table a name.
    named = {re.sub(r"\{(?:[^{}']|'[^']*')*\}", "{}", text) for text in texts}
    assert len(named) > 10
    assert named - {re.sub(r"\{\w+\}", "{}", text) for text in translations()} == set()
