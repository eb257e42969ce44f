"""What a tool would change in a file, as a diff for people."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.host.session_rules import EDIT_TOOLS
from agent_channels.core.text.diff import unified_diff

__all__ = ["READ_MAX", "FileChange", "Reader", "file_change"]

# A file is compared up to this size, in bytes: people read a diff on a phone, and a hook has to answer.
READ_MAX = 256 * 1024
# What a change makes of it, in characters; beyond, each edit is shown by itself.
GROWN_MAX = 4 * READ_MAX
Reader = Callable[[str], str | None]
"""Returns the text of the file with this path; None if it may not be shown."""


@frozen
class FileChange:
    """A change to the file `path`. `diff` are its hunks, "" if nothing changes.

    `basis` is what the new text is compared with: the text that goes, nothing as the file is new, or nothing as what it
    holds may not be shown.
    """

    path: str
    diff: str
    basis: Literal["old", "new", "unseen"]


def file_change(tool: str, tool_input: dict[str, Any], read: Reader, project: Path) -> FileChange | None:
    """Return the change that a tool asks for; None if it is not one that this module knows."""
    path = tool_input.get(EDIT_TOOLS.get(tool, ""))
    if not isinstance(path, str) or not path:
        return None
    if tool == "NotebookEdit":
        return _cell_change(path, tool_input, read)
    if tool == "Write":
        content = tool_input.get("content")
        return _whole_change(path, content, read, project) if isinstance(content, str) else None
    edits = tool_input.get("edits") if tool == "MultiEdit" else [tool_input]
    if not isinstance(edits, list) or not edits or not all(map(_is_edit, edits)):
        return None
    return _text_change(path, edits, read)


def _is_edit(edit: object) -> bool:
    return isinstance(edit, dict) and all(isinstance(edit.get(key), str) for key in ("old_string", "new_string"))


def _whole_change(path: str, content: str, read: Reader, project: Path) -> FileChange:
    before = read(path)
    if before is not None:
        return FileChange(path, unified_diff(before, content), "old")
    try:
        info = (project / path).stat()
        exists = info.st_size > 0 or not stat.S_ISREG(info.st_mode)
    except (OSError, ValueError):
        exists = False
    return FileChange(path, unified_diff("", content), "unseen" if exists else "new")


def _text_change(path: str, edits: list[dict[str, Any]], read: Reader) -> FileChange:
    before = after = read(path)
    for edit in edits:
        if after is not None:
            old, new = edit["old_string"], edit["new_string"]
            count = after.count(old) if old and edit.get("replace_all") is True else int(bool(old) and old in after)
            # A few replacements can make a text of gigabytes.
            grown = len(after) + count * (len(new) - len(old))
            after = after.replace(old, new, count) if count and grown <= GROWN_MAX else None
    if before is not None and after is not None:
        return FileChange(path, unified_diff(before, after), "old")
    diffs = (unified_diff(edit["old_string"], edit["new_string"], numbered=False) for edit in edits)
    return FileChange(path, "\n".join(filter(None, diffs)), "old")


def _cell_change(path: str, tool_input: dict[str, Any], read: Reader) -> FileChange | None:
    source, mode = tool_input.get("new_source"), tool_input.get("edit_mode") or "replace"
    if mode not in ("replace", "insert", "delete") or (mode != "delete" and not isinstance(source, str)):
        return None
    before = "" if mode == "insert" else _cell(read(path), tool_input.get("cell_id"))
    after = source if mode != "delete" and isinstance(source, str) else ""
    diff = unified_diff(before or "", after, numbered=False)
    return FileChange(path, diff, "unseen" if before is None else "old")


def _cell(notebook: str | None, cell_id: object) -> str | None:
    """Return the source of a notebook's cell; None if it cannot be found."""
    try:
        cells = json.loads(notebook or "")["cells"]
        source = next(cell["source"] for cell in cells if cell.get("id") == cell_id)
        return source if isinstance(source, str) else "".join(source)
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration, RecursionError):
        return None
