"""Rich messages (Bot API 10.1 to 10.5): the kinds of blocks, and how many are allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["BLOCKS", "CHARACTERS_MAX", "check_blocks", "rich_nodes", "rich_words"]

# "Rich Message Limits"
CHARACTERS_MAX, BLOCKS_MAX, LEVELS_MAX, FILES_MAX, COLUMNS_MAX, BUTTONS_MAX = 32_768, 500, 16, 50, 20, 8
FILES = frozenset({"photo", "video", "animation", "audio", "voice_note", "document"})
# Type of a block -> the fields that it must have. 10.5 has `blocks` where 10.3 had `text` in an expandable quote.
BLOCKS = {
    "paragraph": ("text",),
    "heading": ("text", "size"),
    "pre": ("text",),
    "footer": ("text",),
    "divider": (),
    "mathematical_expression": ("expression",),
    "anchor": ("name",),
    "list": ("items",),
    "blockquote": ("blocks",),
    "pullquote": ("text",),
    "expandable_blockquote": ("blocks",),
    "table": ("cells",),
    "details": ("summary", "blocks"),
    "collage": ("blocks",),
    "slideshow": ("blocks",),
    "map": ("location", "zoom", "width", "height"),
    "buttons": ("buttons",),
    **{kind: (kind,) for kind in FILES},
}
TEXTS = frozenset({"text", "summary", "caption", "credit", "alternative_text", "expression", "label"})


def check_blocks(blocks: Any) -> None:
    """Raise ValueError with the reason for blocks that no message has."""
    if not isinstance(blocks, list) or not blocks:
        raise ValueError("a rich message has a list of blocks")
    found = list(_blocks(blocks, 1))
    for level, block in found:
        _check_block(block, level)
    parts = sum(len(block.get("items", ())) + len(block.get("cells", ())) for _, block in found)
    if len(found) + parts > BLOCKS_MAX:
        raise ValueError(f"a message has at most {BLOCKS_MAX} blocks, items and rows")
    if sum(block["type"] in FILES for _, block in found) > FILES_MAX:
        raise ValueError(f"a message has at most {FILES_MAX} files")
    if len(rich_words(blocks)) > CHARACTERS_MAX:
        raise ValueError(f"a message has at most {CHARACTERS_MAX} characters")


def _check_block(block: Any, level: int) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in BLOCKS:
        raise ValueError(f"no type of block {kind!r}: use one of {', '.join(BLOCKS)}")
    if missing := [name for name in BLOCKS[kind] if name not in block]:
        raise ValueError(f"a {kind} needs {', '.join(missing)}")
    if level > LEVELS_MAX:
        raise ValueError(f"blocks are at most {LEVELS_MAX} levels deep")
    if any(len(row) > COLUMNS_MAX for row in block.get("cells", ())):
        raise ValueError(f"a table has at most {COLUMNS_MAX} columns")
    if len(block.get("buttons", ())) > BUTTONS_MAX:
        raise ValueError(f"a row has at most {BUTTONS_MAX} buttons")


def _blocks(blocks: list[Any], level: int) -> Iterator[tuple[int, Any]]:
    for block in blocks:
        yield level, block
        if isinstance(block, dict):
            inside = [block, *(item for item in block.get("items", ()) if isinstance(item, dict))]
            for holder in inside:
                yield from _blocks(holder.get("blocks", []), level + 1)


def rich_nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a tree of blocks, in order."""
    if isinstance(value, dict):
        yield value
        for inside in value.values():
            yield from rich_nodes(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from rich_nodes(inside)


def rich_words(value: Any, *, shown: bool = False) -> str:
    """Return what a tree of blocks says, without its form."""
    if isinstance(value, str):
        return value if shown else ""
    if isinstance(value, list):
        return "".join(rich_words(inside, shown=shown) for inside in value)
    if isinstance(value, dict):
        return "".join(rich_words(inside, shown=key in TEXTS) for key, inside in value.items())
    return ""
