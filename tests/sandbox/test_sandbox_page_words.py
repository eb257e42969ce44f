"""The pages' own words in each language, read from their sources."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import agent_channels
from agent_channels.core.host.turn_text import summary
from agent_channels.core.host.turns import Detail, Turn
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.entry import State
from agent_channels.page.lives import staged_life

PACKAGE = Path(agent_channels.__file__).parent
STATIC = PACKAGE / "page" / "static"
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
    """Every text that the pages say: in their documents, by `say`, and by the names of states and stages."""
    document = Words()
    for name in ("sandbox.html", "open.html"):
        document.feed((STATIC / name).read_text(encoding="utf-8"))
    found = set(document.found)
    for path in STATIC.glob("*.js"):
        if path == TABLE:
            continue
        text = path.read_text(encoding="utf-8")
        # Up to the values: the texts of a call stand before its first brace or closing bracket.
        for call in re.finditer(r"\bsay(?:Line)?\(((?:[^(){}\"]|" + QUOTED + r")*)", text):
            found |= set(re.findall(QUOTED, call[1]))
        for name in ("STATES", "TURNS", "FILES", "LINES", "LIGHTS"):
            for values in re.findall(rf"const {name} = [{{\[](.+?)[}}\]];", text, re.DOTALL):
                found |= set(re.findall(QUOTED, values))
    return {text for text in found if re.search(r"[a-z]{2}", text, re.IGNORECASE)} - FIXED


def test_everything_that_the_page_says_is_translated() -> None:
    """A reader of Chinese finds no English label."""
    assert len(said()) > 150
    # In a call these only tell two cases apart.
    told_apart = {"telegram", "messages"}
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
        (PACKAGE / "sandbox" / "page" / name).read_text(encoding="utf-8")
        for name in ("scene.py", "telegram_view.py", "discord_view.py", "slack_view.py")
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


def told_by_the_page(row: dict[str, object], idle: str | None) -> set[str]:
    life = staged_life(row, idle)
    stages = {text for stage in life["stages"] for text in (stage["name"], stage["note"])}
    return (stages | {life["why"] or ""}) - {""}


def test_what_became_of_a_message_is_known() -> None:
    """Each stage of a message, its note, and why it waits, in every state that an entry of the inbox can have."""
    told: set[str] = set()
    for state, content, offers, prompt, idle in product(
        State, (None, "Hello"), (0, 1, 3), (None, "p1"), (None, "idle")
    ):
        row = dict.fromkeys(("answered_at", "mode", "message_id", "meta")) | {
            "state": state, "content": content, "offers": offers, "prompt_id": prompt, "delivery_id": "d",
            "received_at": 1.0, "offered_at": 2.0 if offers else None,
        }  # fmt: skip
        told |= told_by_the_page(row, idle) | told_by_the_page({**row, "answered_at": 3.0}, idle)
    assert len(told) > 15
    assert [text for text in sorted(told) if not is_known(text)] == []


def test_what_a_turn_did_is_known() -> None:
    """The parts of its summary, which the page takes apart, and what its host does in the middle of it."""
    turn = Turn("t", "s", 1.0, detail=Detail(steps=6, files=["a", "b"]))
    one = Turn("t", "s", 1.0, detail=Detail(steps=1, files=["a"]))
    parts = [part for each in (turn, one) for part in summary(each, 2.0).split(", ")[1:]]
    assert parts == ["6 steps", "2 files", "1 step", "1 file"]
    assert [text for text in (*parts, translate("turn_compacting")) if not is_known(text)] == []


def is_known(text: str) -> bool:
    """Whether the page has a translation: of the text, or of a line that it is with its values."""
    words = (STATIC / "words.js").read_text(encoding="utf-8")
    lines = re.findall(QUOTED, words[words.index("const LINES") : words.index("];", words.index("const LINES"))])
    patterns = (re.sub(r"\\\{\w+\\\}", ".+", re.escape(line)) for line in lines)
    return text in translations() or any(re.fullmatch(pattern, text) for pattern in patterns)
