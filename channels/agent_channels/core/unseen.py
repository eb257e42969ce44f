"""Characters that a text may have and nobody sees, and where they split a word."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

from agent_channels.core.patterns import lazy_pattern

__all__ = ["UNSEEN", "seen_places"]

# Every character except tab and line feed that moves a cursor, reorders text, or is drawn as nothing: C0 and C1
# controls, bidirectional marks, line and paragraph separators, joiners, fillers, variation selectors, tag characters
# and the rest of Unicode's Default_Ignorable_Code_Point. Text can be hidden in any of them.
UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# From where such characters begin, and without a second try: there may be millions of them.
_BETWEEN = lazy_pattern(rf"(?<=[^\s{UNSEEN}])(?:\x1b\[[0-?]*[ -/]*[@-~]|[{UNSEEN}])++(?=\S)")
# What is looked for first, because it costs a tenth: of the characters that Python counts as printable the likely ones.
_SEEN_BYTES = b"\t\n" + bytes(range(0x20, 0x7F))
_PRINTABLE = "\u034f\u115f\u1160\u3164\uffa0\ufe0e\ufe0f"


# One text is looked at for several kinds of secret.
@lru_cache(maxsize=1)
def seen_places(text: str) -> tuple[int, ...] | None:
    """Return where the characters of a text are without those that split a word unseen, such as a terminal's colours.

    None if there are none.
    """
    parts = [match.span() for match in _BETWEEN.finditer(text)] if _may_hold_unseen(text) else []
    if not parts:
        return None
    ends = [(0, 0), *parts, (len(text), 0)]
    return tuple(place for (_, start), (end, _) in pairwise(ends) for place in range(start, end))


def _may_hold_unseen(text: str) -> bool:
    others = text.encode("utf-8", "surrogatepass").translate(None, _SEEN_BYTES).decode("utf-8", "surrogatepass")
    return bool(others) and (not others.isprintable() or any(one in others for one in _PRINTABLE))
