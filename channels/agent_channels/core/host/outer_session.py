"""What a host that was started in another one's session passes on of that session is taken out here."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["without_outer_session"]

# What hosts tell the programs that they start about their session, by the hosts' names.
_TOLD = {
    ("opencode", "kilo"): {"CHANNELS_HOST_SOCKET", "CHANNELS_HOST_TOKEN"},
    ("claude",): {
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_MESSAGING_SOCKET",
        "CLAUDE_CODE_MESSAGING_TOKEN",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_PID",
    },
    ("qwen",): {"QWEN_CODE_MESSAGING_SOCKET", "QWEN_CODE_MESSAGING_TOKEN", "QWEN_CODE_SESSION_ID"},
}


def without_outer_session(environ: Mapping[str, str], host: str = "") -> dict[str, str]:
    """Return the environment without what hosts say of their sessions, except the one that this program is of."""
    outer = {name for hosts, names in _TOLD.items() if host not in hosts for name in names}
    return {name: value for name, value in environ.items() if name not in outer}
