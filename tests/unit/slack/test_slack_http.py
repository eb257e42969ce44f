"""Where Slack's tokens may go, and what is asked of whom."""

from __future__ import annotations

import pytest

from agent_channels.core.errors import Rejected
from agent_channels.slack.http import SlackConnections

TOKEN = "xoxb-1000000000001-1000000000002-" + "x" * 24


@pytest.mark.parametrize(
    ("url", "root", "gets_token"),
    [
        ("https://files.slack.com/files-pri/T1-F1/download/a.pdf", "https://slack.com", True),
        ("https://acme.enterprise.slack.com/files/a", "https://slack.com", True),
        ("http://127.0.0.1:8080/files/a", "http://127.0.0.1:8080", True),
        ("http://127.0.0.1:8081/files/a", "http://127.0.0.1:8080", False),
        ("http://files.slack.com/a", "https://slack.com", False),
        ("https://files.slack.com.evil.example/a", "https://slack.com", False),
        ("https://evilslack.com/a", "https://slack.com", False),
        ("https://files.slack.com@evil.example/a", "https://slack.com", False),
        ("https://docs.google.com/document/d/1", "https://slack.com", False),
        ("file:///etc/passwd", "https://slack.com", False),
    ],
)
def test_the_token_goes_to_slacks_own_hosts_alone(url: str, root: str, gets_token: bool) -> None:
    """A file that lies elsewhere is refused, whatever its address looks like."""
    connections = SlackConnections(root, TOKEN, None, ipv4=False)
    if gets_token:
        assert connections.file_headers(url) == {"Authorization": f"Bearer {TOKEN}"}
    else:
        with pytest.raises(Rejected) as refused:
            connections.file_headers(url)
        assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("wss://wss-primary.slack.com/link/?ticket=1", True),
        ("ws://127.0.0.1:8080/link/?ticket=1", True),
        ("ws://wss-primary.slack.com/link/?ticket=1", False),
        ("https://wss-primary.slack.com/", False),
    ],
)
def test_sockets_are_encrypted_or_of_this_machine(url: str, safe: bool) -> None:
    """What people say does not travel in the clear."""
    assert SlackConnections.is_safe(url, "wss", "ws") is safe
