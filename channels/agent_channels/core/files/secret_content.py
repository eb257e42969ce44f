"""What shows that a file holds a credential, whatever it is called: the text in it, also coded or packed otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from agent_channels.core.log import holds_registered, holds_token
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.secret_shapes import find_secrets, mask_shapes

__all__ = ["OVERLAP", "PART", "masked_text", "secret_content", "secret_in_parts"]

# A file is searched in parts of this size, each with so much of the one before it. No token is longer.
PART, OVERLAP = 1024 * 1024, 1024

# A file with one of these is a key, though only its beginning may be there.
# The first text is looked for before the pattern, because it costs far less.
_KEYS = {
    "a private key": (b"PRIVATE KEY", lazy_pattern(rb"-----BEGIN (?:[A-Z0-9 ]{1,30} )?PRIVATE KEY(?: BLOCK)?-----")),
    "a PuTTY key": (b"PuTTY-User-Key-File-", lazy_pattern(rb"(?<![A-Za-z0-9])PuTTY-User-Key-File-\d")),
    "an age key": (b"AGE-SECRET-KEY-1", lazy_pattern(rb"(?<![A-Za-z0-9])AGE-SECRET-KEY-1[A-Z0-9]")),
}
# In a text they are masked; a file that cannot be masked may be sent with them: they are names, or in every document.
_LET_THROUGH = frozenset({"a password in an address", "a signed token", "an AWS key id"})
# A copy of a database of ours, under whatever name.
_SQLITE = b"SQLite format 3\0"
_OUR_TABLES = (b"CREATE TABLE inbox (", b"CREATE TABLE pairings (")


def secret_content(data: bytes) -> str | None:
    """Return which kind of secret a part of a file holds, in any coding of ASCII; None if none was found."""
    if (key := _key_in(data)) is not None:
        return key
    if data.startswith(_SQLITE) and all(table in data for table in _OUR_TABLES):
        return "the database of a channel"
    for text in _readings(data):
        if holds_token(text):
            return "the token of a bot"
        secrets = find_secrets(text, by_name=False, unseen=False)
        found = next((one.kind for one in secrets if one.kind not in _LET_THROUGH), None)
        if found:
            return found
    return None


def _key_in(data: bytes) -> str | None:
    return next((kind for kind, (text, head) in _KEYS.items() if text in data and head.search(data)), None)


def _readings(data: bytes) -> list[str]:
    """Return a part of a file as text: as it is, and as UTF-16 or UTF-32, in which ASCII stands between zero bytes."""
    without_zeros = data.replace(b"\0", b"")
    return [one.decode("latin-1") for one in ([data] if len(without_zeros) == len(data) else [data, without_zeros])]


def secret_in_parts(parts: Iterable[bytes]) -> str | None:
    """Return which kind of secret the parts of a file hold together; takes none after the one where it is found."""
    before = b""
    for part in parts:
        if found := _secret_part(before + part) if before else secret_content(part):
            return found
        before = part[-OVERLAP:]
    return None


def _secret_part(data: bytes) -> str | None:
    """As `secret_content`, for a part far from the beginning of a file: of a binary one only for keys and tokens."""
    if b"\0" not in data:
        return secret_content(data)
    return _key_in(data) or ("the token of a bot" if holds_registered(data) else None)


def masked_text(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return a text file without the credentials that are masked in any text, and their kinds; any other as it is."""
    coding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    try:
        text = data.decode(coding)
    except ValueError:
        return data, ()
    found = find_secrets(text) if "\0" not in text and _key_in(data) is None else []
    if not found:
        return data, ()
    return mask_shapes(text, found).encode(coding), tuple(one.kind for one in found)
