"""What the host is told is always a line that it can read, and names no secret."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core import log
from agent_channels.core.log import redact, register_secret
from agent_channels.core.server.stdio import HostWriter, to_line
from agent_channels.core.server.stdout import Stdout
from agent_channels.core.text.sanitize import well_formed

TOKEN = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGo-"
ODD = 'pass"word\\1'
TEXT = st.one_of(
    st.text(st.characters(), max_size=30),
    st.sampled_from([TOKEN, f"\n{TOKEN}", f'"{TOKEN}"', "\ud83d", "a \udc00 b", ODD, "plain"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)


def cleaned(value: Any) -> Any:
    """What may be said of a value."""
    match value:
        case str():
            return redact(well_formed(value))
        case dict():
            return {cleaned(key): cleaned(item) for key, item in value.items()}
        case list():
            return [cleaned(item) for item in value]
    return value


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_every_value_is_fit_to_be_said(params: dict[str, Any]) -> None:
    """Lone surrogates are replaced and secrets masked, wherever they stand; everything else arrives as it was."""
    before = log._secrets[:]
    log._secrets.clear()
    register_secret(ODD)
    try:
        for message in (
            {"jsonrpc": "2.0", "method": "x", "params": params},
            {"jsonrpc": "2.0", "id": 1, "result": params},
        ):
            said = json.loads(to_line(message))
            assert said.get("params", said.get("result")) == cleaned(params)
    finally:
        log._secrets[:] = before


def test_an_error_is_cleaned_too() -> None:
    """The text of an error may be anything."""
    error = {"code": 0, "message": f"\ud800 {TOKEN}", "data": {"of": TOKEN}}
    said = json.loads(to_line({"jsonrpc": "2.0", "id": 1, "error": error}))
    assert said["error"] == {"code": 0, "message": "\ufffd [token]", "data": {"of": "[token]"}}


async def test_a_message_is_one_line() -> None:
    """Line feeds in it are escaped."""
    reading, writing = os.pipe()
    out = Stdout(writing)
    text = "one\ntwo\u2028three"
    await HostWriter(out).send(to_line({"jsonrpc": "2.0", "method": "x", "params": {"text": text}}))
    out.close()
    with os.fdopen(reading, "rb") as read:
        (line,) = read.readlines()
    assert json.loads(line)["params"]["text"] == text
