"""Where a host takes messages for its session, in its own words, and never another session's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent_channels.core.host.inbox_address import INBOX_VARIABLES, InboxAddress, inbox_address
from agent_channels.core.host.inbox_socket import BURST_MAX, REFILL_S, InboxSocket
from agent_channels.core.host.outer_session import without_outer_session

CLAUDE = {"CLAUDE_CODE_MESSAGING_SOCKET": "/c.sock", "CLAUDE_CODE_MESSAGING_TOKEN": "c", "CLAUDE_CODE_SESSION_ID": "1"}
QWEN = {"QWEN_CODE_MESSAGING_SOCKET": "/q.sock", "QWEN_CODE_MESSAGING_TOKEN": "q"}


@pytest.mark.parametrize(
    ("host", "path", "prefix"), [("claude", "/c.sock", "CLAUDE_CODE"), ("qwen", "/q.sock", "QWEN_CODE")]
)
def test_each_host_has_its_own(host: str, path: str, prefix: str) -> None:
    """Of two sessions, one started in the other, the address is that of the host whose program this is."""
    kept = without_outer_session({**CLAUDE, **QWEN, "PATH": "/bin"}, host)
    assert inbox_address(kept) == InboxAddress(path, path[1], prefix)
    assert kept["PATH"] == "/bin"


def test_a_host_without_one_has_none() -> None:
    """What an outer session said is not taken for this one's, nor is what the user has set for a host left out."""
    limit = "CLAUDE_CODE_MAX_OUTPUT_TOKENS"
    assert without_outer_session({**CLAUDE, **QWEN, limit: "1"}, "gemini") == {limit: "1"}
    assert inbox_address({limit: "1"}) is None
    assert set(INBOX_VARIABLES["QWEN_CODE"]) == set(QWEN)


def test_each_host_is_written_to_in_its_own_words() -> None:
    """The names of the fields, and the version where one is asked for; a host without a token gets no first line."""
    claude, qwen = InboxAddress("/c", "c"), InboxAddress("/q", "q", "QWEN_CODE")
    assert claude.auth() == {"type": "auth", "token": "c"}
    assert qwen.auth() == {"msgV": 1, "type": "auth", "token": "q"}
    assert InboxAddress("/c", None).auth() is None
    lines: list[dict[str, Any]] = [json.loads(json.dumps(one.message("hello"))) for one in (claude, qwen)]
    assert [line["message"] for line in lines] == [{"role": "user", "content": "hello"}] * 2
    assert set(lines[0]) == {"type", "msg_id", "message"}
    assert set(lines[1]) == {"msgV", "type", "msgId", "message"}


def test_posts_are_no_more_than_a_host_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many at once as the host lets through, then one each time that it allows another."""
    now = [100.0]
    monkeypatch.setattr("agent_channels.core.host.inbox_socket.time.monotonic", lambda: now[0])
    socket = InboxSocket(InboxAddress("/q", "q", "QWEN_CODE"))
    for _ in range(BURST_MAX):
        assert socket.pause_s() == 0
        socket.count_post()
    assert socket.pause_s() == REFILL_S
    now[0] += REFILL_S
    assert socket.pause_s() == 0
    socket.count_post()
    assert socket.pause_s() == REFILL_S
