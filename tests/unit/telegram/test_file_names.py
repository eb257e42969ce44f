"""Names of files are drawn as code, because Telegram would make links of them; sites stay links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.sandbox.telegram.entities import format_text
from agent_channels.telegram.formatting import entities, render


def shown(text: str, format_: str) -> list[tuple[str, str]]:
    """(kind, text) of what the server draws, of every part."""
    found = []
    for part in render(text, format_):
        given = entities(part.text, part.spans)
        drawn, kept = format_text(part.text, "", given, lambda _: None)
        units = drawn.encode("utf-16-le")
        for entity in kept:
            start, length = entity["offset"], entity["length"]
            found.append((entity["type"], units[2 * start : 2 * (start + length)].decode("utf-16-le")))
    return found


@pytest.mark.parametrize("format_", ["markdown", "text"])
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I updated README.md, backup.sh and utils.py.", ["README.md", "backup.sh", "utils.py"]),
        ("see src/main.rs:12 (or lib.so)", ["src/main.rs", "lib.so"]),
        ("我更新了README.md和backup.sh。", ["README.md", "backup.sh"]),
        ("說明.md", ["說明.md"]),
        ("foo.bar() sets self.name; obj.link too", ["foo.bar", "self.name", "obj.link"]),
        ("README.MD? setup.PY!", ["README.MD", "setup.PY"]),
        ("~/work/site.com and C:\\tools\\run.app", ["~/work/site.com", "run.app"]),
        ("my-script.v2.pl", ["my-script.v2.pl"]),
        ("notes.md\nrun.sh", ["notes.md", "run.sh"]),
    ],
)
def test_a_file_name_is_code_and_no_link(format_: str, text: str, names: list[str]) -> None:
    """In either format every name is code, and nothing is a link."""
    drawn = shown(text, format_)
    assert [name for kind, name in drawn if kind == "code"] == names
    assert not [name for kind, name in drawn if kind == "url"]


@pytest.mark.parametrize(
    "text",
    ["see https://x.com/README.md", "see example.com", "see docs.rs/serde", "www.example.md", "(https://a.b/c.py)"],
)
def test_an_address_stays_a_link(text: str) -> None:
    """Addresses and sites are not drawn as code."""
    for format_ in ("markdown", "text"):
        assert not [name for kind, name in shown(text, format_) if kind == "code"]


def test_code_links_and_mails_stay_what_they_are() -> None:
    """A name that is code or a link's label already, or part of a mail address, gets nothing more."""
    drawn = shown("`a.py` [b.py](https://x.com/) c@d.md **e.sh** **f**.md", "markdown")
    assert [item for item in drawn if item[0] != "bold"] == [
        ("code", "a.py"),
        ("text_link", "b.py"),
        ("email", "c@d.md"),
        ("code", "e.sh"),
        ("code", "f.md"),
    ]


@given(
    st.lists(
        st.sampled_from(["a.py", "b.sh", "日本.md", "**x**", "https://a.b/c.md", "`q.rs`", "\n\n", "c d"]), max_size=300
    )
)
def test_however_many_names_there_are_none_is_a_link(words: list[str]) -> None:
    """A long list of names is split, since Telegram draws no more than 100 entities in a message."""
    for format_ in ("markdown", "text"):
        links = [name for kind, name in shown(" ".join(words), format_) if kind == "url"]
        assert all(name.startswith("https://a.b/c.md") for name in links)
        assert all(len(entities(part.text, part.spans)) <= 100 for part in render(" ".join(words), format_))
