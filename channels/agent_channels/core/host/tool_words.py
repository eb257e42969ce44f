"""What a tool does: the argument that says it, and a line for people, never with the contents of a file."""

from __future__ import annotations

import os
from pathlib import PurePath

from agent_channels.core.host.session_rules import EDIT_TOOLS
from agent_channels.core.log import redact
from agent_channels.core.text.sanitize import label, scrub
from agent_channels.core.text.secret_values import mask_secrets

__all__ = ["PATH_ARGUMENTS", "WORDS_MAX", "describe_tool", "is_writing", "main_argument", "masked_line"]

# As much of a command or path as a chat is shown, in characters: a line or two of a phone.
WORDS_MAX = 80
# Masking takes some milliseconds for this many characters, while the host waits.
READ_MAX = 4_000
# The arguments by which hosts' tools name a file or folder, and all that say what a tool works on, the first one found.
PATH_ARGUMENTS = ("file_path", "absolute_path", "notebook_path", "path")
_ARGUMENTS = ("command", *PATH_ARGUMENTS, "url", "query", "skill", "pattern")


def is_writing(tool: str) -> bool:
    """Return whether a tool changes the file that it names."""
    return tool in EDIT_TOOLS


def main_argument(tool_input: object) -> tuple[str, str]:
    """Return the name and the text of the argument that a tool works on; two empty texts if it has none."""
    values = tool_input if isinstance(tool_input, dict) else {}
    found = ((name, text) for name in _ARGUMENTS if isinstance(text := values.get(name), str) and text)
    return next(found, ("", ""))


def describe_tool(tool: str, subject: str, project: PurePath | None = None) -> str:
    """Return `Bash: npm test`, `Edit: src/app.py`, `github: create_issue`; `subject` is its command, path or query.

    Paths are shown relative to the project. Secrets are masked before the line is cut, so half of one never shows.
    """
    name = label(_plain_name(tool), 40)
    prefix = f"{project}{os.sep}" if project is not None else ""
    if prefix and subject.startswith(prefix):
        subject = subject[len(prefix) :]
    words = masked_line(subject, WORDS_MAX)
    return f"{name}: {words}" if words else name


def masked_line(text: str, cap: int) -> str:
    """Return a text as one line of at most `cap` code points, with secrets masked.

    Invisible characters go first: with one in its middle, a secret would look like none. The cut comes last; of a text
    that nobody would read to its end, the beginning is looked at, up to a whole word.
    """
    if len(text) > READ_MAX:
        text = text[:READ_MAX].rpartition(" ")[0]
    return label(mask_secrets(redact(scrub(text))), cap)


def _plain_name(tool: str) -> str:
    """Return `server: tool` for a tool of an MCP server, which hosts call `mcp__server__tool`."""
    if not tool.startswith("mcp__"):
        return tool
    server, _, name = tool.removeprefix("mcp__").partition("__")
    return f"{server}: {name}" if name else server
