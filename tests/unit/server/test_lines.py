"""Lines between host and server: cut and sorted the same however their bytes arrive, and never held without bound."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.server import lines
from agent_channels.core.server.lines import ENDS, HELD_MAX, HostLine, Lines, response_to, sort, sort_long

IDS = st.one_of(st.integers(-(10**20), 10**20), st.text(max_size=50))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.binary(max_size=40).map(lambda part: part.replace(b"\n", b""))), st.data())
def test_lines_are_the_same_in_any_pieces(parts: list[bytes], data: st.DataObject) -> None:
    """However a stream is cut, each line comes whole, once and in order; a line without an end does not come."""
    stream, cutter, found = b"\n".join(parts), Lines(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += list(cutter.feed(stream[:size]))
        stream = stream[size:]
    assert found == [(part + b"\n", True, True) for part in parts[:-1]]
    assert cutter.unfinished == bool(parts and parts[-1])


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=60))
def test_a_long_line_comes_in_pieces(writes: list[tuple[int, bool]]) -> None:
    """Nothing is lost of it, its begin and end are told, and no more than the bound is kept."""
    cutter, written, found, inside = Lines(), b"", b"", False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "HELD_MAX", 50)
        for size, ends in writes:
            data = b"x" * size + b"\n" * ends
            written += data
            for part, first, last in cutter.feed(data):
                assert first is not inside
                inside = not last
                found += part
            assert len(cutter._rest) <= 50
    assert written.startswith(found)
    assert cutter.torn is inside


def test_a_line_that_breaks_off_is_forgotten() -> None:
    """What a dead process had begun never comes, neither whole nor in pieces."""
    cutter = Lines()
    assert [*cutter.feed(b"half")] == []
    cutter.drop()
    assert [*cutter.feed(b"x" * (HELD_MAX + 1))] == [(b"x" * (HELD_MAX + 1), True, False)]
    cutter.drop()
    assert [*cutter.feed(b"whole\n")] == [(b"whole\n", True, True)]


@given(IDS, VALUES, st.booleans())
def test_a_response_is_known_by_its_id(request_id: int | str, value: object, compact: bool) -> None:
    """In whatever order a server writes it; what is no response is none."""
    separators = (",", ":") if compact else None
    for kind in ("result", "error"):
        message = {"jsonrpc": "2.0", "id": request_id, kind: value}
        for shown in (message, dict(reversed(message.items()))):
            line = json.dumps(shown, separators=separators, ensure_ascii=compact).encode(errors="replace")
            assert response_to(line) == (request_id, kind == "result") or "?" in line.decode(errors="replace")
    for other in ({"method": "m", "params": value}, {"id": request_id, "method": "m"}):
        assert response_to(json.dumps({"jsonrpc": "2.0", **other}).encode()) == (None, False)


@given(IDS, VALUES)
def test_a_long_request_is_known_by_its_ends(request_id: int | str, value: object) -> None:
    """Its id is found where the SDKs write it, and nothing that is within its arguments is taken for it."""
    padding = "x" * 2 * ENDS
    call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "reply", "arguments": [value, {"id": 7}]}}
    for message in (
        {"jsonrpc": "2.0", "id": request_id, **call, "padding": padding},
        {"padding": padding, **call, "id": request_id},
    ):
        line = json.dumps(message).encode() + b"\n"
        assert sort_long(line[:ENDS], line[-ENDS:]) == HostLine(b"", "call", request_id)
    line = json.dumps({"padding": padding, **call}).encode()
    assert sort_long(line[:ENDS], line[-ENDS:]).id is None


CALL = {"method": "tools/call", "params": {"name": "reply"}}
HOOK = {"method": "tools/call", "params": {"name": "hook"}}


@pytest.mark.parametrize(
    ("message", "kind", "request_id"),
    [
        ({"id": 1, **CALL}, "call", 1),
        ({"id": "a", **HOOK}, "hook", "a"),
        ({"id": 0, "method": "tools/call", "params": [1]}, "call", 0),
        ({"id": 1, "method": "initialize"}, "initialize", 1),
        ({"id": 1, "method": "tools/list"}, "question", 1),
        ({"method": "notifications/initialized"}, "initialized", None),
        ({"method": "notifications/cancelled", "params": {"requestId": 4}}, "cancelled", 4),
        ({"method": "notifications/cancelled"}, "other", None),
        ({"id": True, **CALL}, "other", None),
        ({"id": None, **CALL}, "other", None),
        ({"id": 1, "result": {}}, "other", None),
        ({"id": 1, "method": 5}, "other", None),
        ([], "other", None),
    ],
)
def test_a_line_of_the_host_is_sorted(message: Any, kind: str, request_id: int | str | None) -> None:
    """What has to be answered if its server dies is told from what has not."""
    line = json.dumps(message).encode()
    assert sort(line) == (line, kind, request_id)


@pytest.mark.parametrize("line", [b"", b"\n", b"{", b"\xff\xfe", b"[" * 100_000, b'{"id": 1'])
def test_what_is_no_message_is_passed_on(line: bytes) -> None:
    """The server says what is wrong with it."""
    assert sort(line) == (line, "other", None)
    assert response_to(line) == (None, False)
