"""Logging to stderr, with secrets masked in every line."""

from __future__ import annotations

import logging
import string
import sys

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.secret_shapes import classes, mask_shapes
from agent_channels.core.unseen import seen_places

__all__ = [
    "MASK",
    "configure",
    "holds_registered",
    "holds_token",
    "redact",
    "redact_tokens",
    "register_secret",
]

MASK = "[token]"
# The shapes of bot tokens, so that even an unregistered one is masked: digits, a colon and 30 or more characters (it
# appears in API URLs, right behind a word), or three base64 runs joined by dots.
_TOKEN = lazy_pattern(
    r"(?<!\d)\d{5,}(?:(?::|%3[Aa])[A-Za-z0-9_-]{30,})+|\b[A-Za-z0-9_-]{23,28}(?:\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,})+"
)
# Every one of these shapes contains a run of 27 such characters behind a colon, which may be written %3A, or a dot.
_MARKS = classes({"x": string.ascii_letters + string.digits + "_-", ":": ":.%"})
_RUN = b":" + b"x" * 27
# Longest first, because one secret may be a prefix of another.
_secrets: list[str] = []


def register_secret(value: str) -> None:
    """Mask `value` in all output from now on; values shorter than 8 characters are ignored."""
    if len(value) >= 8 and value not in _secrets:
        _secrets.append(value)
        _secrets.sort(key=len, reverse=True)


def redact(text: str) -> str:
    """Return `text` without credentials of any kind: for what people read, and for what is kept."""
    return mask_shapes(redact_tokens(text))


def redact_tokens(text: str) -> str:
    """Return `text` with every registered secret and everything shaped like a bot's token replaced by `[token]`.

    For what goes to the agent, which is told what people wrote as they wrote it, but never learns a bot's token. Where
    characters that nobody sees split one, they go too.
    """
    if places := seen_places(text):
        seen = "".join(text[place] for place in places)
        if (masked := _mask_tokens(seen)) != seen:
            return masked
    return _mask_tokens(text)


def holds_token(text: str) -> bool:
    """Return whether a text, such as a part of a file, holds a registered secret or the token of a bot."""
    return _mask_tokens(text) != text


def _mask_tokens(text: str) -> str:
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return _TOKEN.sub(MASK, text) if _may_hold_token(text) else text


def _may_hold_token(text: str) -> bool:
    """Return False only if the pattern, which costs far more, would find no token."""
    return _RUN in text.encode("latin-1", "replace").translate(_MARKS)


def holds_registered(data: bytes) -> bool:
    """Return True if bytes hold a registered secret, in UTF-8 or as Windows programs write text, in UTF-16."""
    return any(secret.encode(code, "replace") in data for secret in _secrets for code in ("utf-8", "utf-16-le"))


class _RedactingFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        trace = f" [trace {record.trace_id}]" if hasattr(record, "trace_id") else ""
        return redact(super().format(record) + trace)


def configure(level: str = "INFO", *others: logging.Handler) -> None:
    """Send this program's log to stderr, and to `others`, which mask secrets themselves.

    Libraries log from WARNING up, because their INFO lines hold request URLs.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler, *others]
    root.setLevel(logging.WARNING)
    logging.getLogger("agent_channels").setLevel(level)
    logging.captureWarnings(capture=True)
