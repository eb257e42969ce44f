"""What the command line of the agent host, or of any ancestor process, says about channels."""

from __future__ import annotations

import pytest

from agent_channels.core.host.process import ancestors, opted_in


@pytest.mark.parametrize(
    ("command_line", "found"),
    [
        ("claude --channels server:sample", "--channels server:sample"),
        ("claude --channels=server:sample", "--channels server:sample"),
        ("claude --channels server:other server:sample", "--channels server:sample"),
        ("claude --channels server:other,server:sample -p hi", "--channels server:sample"),
        ("node cli.js --dangerously-load-development-channels server:sample", None),
        ("claude --channels plugin:sample@market", "--channels plugin:sample@market"),
        ("claude --channels server:other --channels server:sample", "--channels server:sample"),
        ("claude --channels server:other", None),
        ("claude --channels server:sample2", None),
        ("claude --channels sample", None),
        ("claude --channels", None),
        ("claude --channels -p server:sample", None),
        ("claude -p --channels-are-fun server:sample", None),
        ("claude mcp list", None),
        ("", None),
    ],
)
def test_the_hosts_command_line_says_whether_it_opted_in(command_line: str, found: str | None) -> None:
    """Only a channel flag that names this server or a plugin counts."""
    expected = found
    if "development" in command_line:
        expected = "--dangerously-load-development-channels server:sample"
    assert opted_in(command_line.split(), "sample") == expected


def test_the_ancestors_command_lines_can_be_read() -> None:
    """Nearest first, at most eight; none where the system does not show them."""
    lines = list(ancestors())
    assert all(isinstance(word, str) for line in lines for word in line)
    assert len(lines) <= 8
