"""Logging to stderr, with every secret taken out before a line is written."""

from __future__ import annotations

import logging
import re
import sys

__all__ = ["configure", "keep_secret", "may_name_secret", "redact"]

MASK = "[token]"
# Shapes of bot tokens, so that one is masked even where nobody registered it: digits, a colon and 30 or more
# characters (it sits in API URLs, right behind a word), or three dot-separated base64 runs.
_SHAPES = re.compile(
    r"(?<!\d)\d{5,}(?::|%3A)[A-Za-z0-9_-]{30,}|\b[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}",
    re.IGNORECASE,
)
# What every one of these shapes has in it.
_RUN = re.compile(r"[A-Za-z0-9_-]{27}", re.IGNORECASE)
# What JSON writes otherwise.
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
# The longest first: a secret may begin another one.
_secrets: list[str] = []


def keep_secret(value: str) -> None:
    """Registers a value which must never be written anywhere; values shorter than 8 characters are not maskable."""
    if len(value) >= 8 and value not in _secrets:
        _secrets.append(value)
        _secrets.sort(key=len, reverse=True)


def redact(text: str) -> str:
    """`text` with every registered secret, and whatever has a token's shape, replaced by `[token]`."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return _SHAPES.sub(MASK, text) if ":" in text or "." in text or "%3" in text else text


def may_name_secret(line: str) -> bool:
    """Whether `redact` could find anything in the strings of a line of JSON; a quick look, which errs on that side.

    The line itself is not to be redacted: the letter of an escape would count as a part of what follows it.
    """
    if _RUN.search(line):
        return True
    return any(secret in line or not secret.isascii() or _ESCAPED.search(secret) for secret in _secrets)


class _Redacted(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(level: str = "INFO") -> None:
    """Sends the program's log to stderr; libraries speak from WARNING up (their INFO lines carry request URLs)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacted("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("agent_channels").setLevel(level)
    logging.captureWarnings(capture=True)
