"""Changes to JSON text: the meaning is as wanted, and what did not change keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.host.json_text import comments_in, edited, without_comments

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=5)


@given(OBJECTS, OBJECTS, st.sampled_from([None, 2, 4, "\t"]))
def test_the_text_means_what_is_wanted(before: Any, after: Any, indent: Any) -> None:
    """Whatever it was, and however it was written."""
    assert json.loads(edited(json.dumps(before, indent=indent), after)) == after


@given(OBJECTS, st.sampled_from([None, 2, "\t"]), st.booleans())
def test_what_was_added_goes_without_a_trace(before: Any, indent: Any, sort: bool) -> None:
    """A key and an item that are put in and taken out again leave the very bytes, unless the object was empty."""
    before = {**before, "mine": {"kept": [1]}}
    text = json.dumps(before, indent=indent, sort_keys=sort)
    added = {**before, "ours": {"x": 1}, "mine": {"kept": [1, {"y": 2}], "more": True}}
    assert edited(edited(text, added), before) == text


@pytest.mark.parametrize(
    ("text", "after", "wanted"),
    [
        ("", {"a": 1}, '{\n  "a": 1\n}\n'),
        ("{}", {"a": 1}, '{\n  "a": 1\n}'),
        ('{"b":2 , "c":[1,2]}\n', {"b": 2}, '{"b":2}\n'),
        ('{"b":2 , "c":[1,2]}\n', {"c": [1, 2]}, '{"c":[1,2]}\n'),
        ('{"c":[1,2 , 3]}', {"c": [1, 3]}, '{"c":[1 , 3]}'),
        ('{\r\n\t"b": "ü"\r\n}', {"b": "ü", "a": {"x": 1}}, '{\r\n\t"b": "ü",\r\n\t"a": {\r\n\t\t"x": 1\r\n\t}\r\n}'),
        ('{"a": 1, "a": 2}', {"a": 3}, '{"a": 3, "a": 3}'),
    ],
)
def test_how_it_is_written(text: str, after: Any, wanted: str) -> None:
    """As the file is: its indentation, its line ends, its blanks."""
    assert edited(text, after) == wanted


COMMENTED = """{
  // theirs, and "quoted"
  "a": 1, /* one, ]
  two */
  "url": "https://example.org/* none */,}",
  "list": [1, 2, ], // last
}
// the end
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_comments_stay_in_their_places(newline: str) -> None:
    """And a comma behind the last item; what looks like either within a string is none."""
    text = COMMENTED.replace("\n", newline)
    before = json.loads(without_comments(text))
    assert before == {"a": 1, "url": "https://example.org/* none */,}", "list": [1, 2]}
    assert len(without_comments(text)) == len(text)
    after = {**before, "ours": {"x": 1}, "list": [1, 2, 3]}
    added = edited(text, after, comments=True)
    assert json.loads(without_comments(added)) == after
    assert comments_in(added) == comments_in(text)
    assert len(comments_in(text)) == 4
    assert edited(added, before, comments=True) == text


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["/*", '"/*', "//", ",", ", ", '"', "\\"])
def test_a_hostile_file_is_searched_once(text: str) -> None:
    """It may come with a repository, and set-up, the doctor and `status` look at it."""
    long = text * 500_000
    assert len(without_comments(long)) == len(long)


def test_what_is_not_an_object_is_refused() -> None:
    """The callers have read the file before, so this is a fault of ours."""
    with pytest.raises(TypeError):
        edited("[]", {})
