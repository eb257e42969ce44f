"""No secret reaches a log line, in whatever text it is found."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from agent_channels.core import log
from agent_channels.core.log import keep_secret, may_name_secret, redact

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
BOT = st.builds(
    "{}:{}".format, st.integers(10**9, 10**10 - 1), st.text(st.sampled_from(ALPHABET), min_size=35, max_size=35)
)
DOTTED = st.builds(
    "{}.{}.{}".format,
    *(
        st.text(st.sampled_from(ALPHABET.strip("_-")), min_size=size, max_size=size)
        for size in (26, 6, 38)
    ),
)  # fmt: skip
AROUND = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(AROUND, st.one_of(BOT, DOTTED), st.sampled_from(["", " ", "/", "'", '"', "\n", "?", ")"]), AROUND)
def test_a_token_in_any_text_is_masked(before: str, token: str, after: str, rest: str) -> None:
    """A token nobody registered is known by its shape, wherever a space, a slash or a quote ends it."""
    text = f"{before} {token}{after or ' '}{rest}"
    assert token not in redact(text)
    assert "[token]" in redact(text)


@given(BOT)
def test_a_token_in_an_address_is_masked(token: str) -> None:
    """It sits right behind a word there, and its colon may be encoded."""
    for text in (
        f"https://api.example.org/bot{token}/getMe",
        f"GET /file/bot{token}/photos/file_1.jpg HTTP/1.1",
        f"/bot{token.replace(':', '%3A')}/sendMessage",
        f"bot{token.replace(':', '%3a')}",
        f"[('url', 'bot{token}')]",
    ):
        shown = redact(text)
        assert token.partition(":")[2] not in shown
        assert "[token]" in shown


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40), AROUND, AROUND)
def test_a_registered_secret_is_masked_whatever_its_shape(secret: str, before: str, after: str) -> None:
    """Any text of eight characters or more, anywhere."""
    log._secrets.clear()
    keep_secret(secret)
    try:
        assert redact(before + secret + after).count(secret) <= "[token]".count(secret)
    finally:
        log._secrets.clear()


def test_the_longer_of_two_secrets_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that begins another leaves no rest behind."""
    for secrets in (["secret-abc", "secret-abc-and-more"], ["secret-abc-and-more", "secret-abc"]):
        monkeypatch.setattr(log, "_secrets", [])
        for secret in secrets:
            keep_secret(secret)
        assert redact("x secret-abc-and-more y secret-abc z") == "x [token] y [token] z"


def test_short_words_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short value would mask half of every sentence."""
    monkeypatch.setattr(log, "_secrets", [])
    keep_secret("")
    keep_secret("short")
    assert redact("a short sentence") == "a short sentence"


# With what JSON escapes, and with letters that a regular expression takes for a k and an s.
ODD = st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\t\x7f\u212a\u017f:.')
RUN = st.text(st.sampled_from(ALPHABET + "\u212a\u017f"), min_size=8)


@given(st.text(ODD, max_size=20), BOT | DOTTED | RUN, st.text(ODD, max_size=20), st.text(ODD, max_size=20))
def test_the_quick_look_at_a_line_misses_nothing(before: str, token: str, after: str, secret: str) -> None:
    """Whatever would be masked in a value is seen in the line of JSON that holds it."""
    log._secrets.clear()
    keep_secret(secret)
    try:
        for text in (before + token + after, before + secret + after, before + token.replace(":", "%3a")):
            if redact(text) != text:
                assert may_name_secret(to_json({"key": [text]}).decode())
    finally:
        log._secrets.clear()


def test_an_ordinary_line_is_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message as it mostly is: ids, a time, a name, some words."""
    monkeypatch.setattr(log, "_secrets", ["8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGo-"])
    meta = {"chat_id": "1234567890", "ts": "2026-08-01T12:30:45Z", "delivery_id": "8123456789.870000001", "user": "ann"}
    assert not may_name_secret(to_json({"params": {"content": "deploy to production?", "meta": meta}}).decode())


@pytest.mark.parametrize(
    "text",
    [
        "at 2026-08-01T12:30:45.123Z: 12345 messages, 10:42",
        "chat -1001234567890: no answer",
        "file_id AgACAgIAAxkBAAIBOGXyZ-1234567890abcdefghijklmnopqrstuvwxyz",
        "agent_channels.core.store.database cannot be used: disk full",
        "https://example.org:8443/path.with.dots/and-dashes",
        "1234567890:short",
    ],
)
def test_ordinary_lines_stay_as_they_are(text: str) -> None:
    """Times, ids, names and addresses are no tokens."""
    assert redact(text) == text


def test_log_lines_errors_and_tracebacks_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Message, arguments and the whole traceback go to stderr without the token; libraries speak from WARNING up."""
    token = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGo-"
    root, ours = logging.getLogger(), logging.getLogger("agent_channels")
    handlers, level, own = root.handlers[:], root.level, ours.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        log.configure()
        logging.getLogger("agent_channels.sample").info("asking %s", f"/bot{token}/getMe")
        logging.getLogger("httpx").info("GET /bot%s", token)
        try:
            int(f"bot{token}")
        except ValueError:
            logging.getLogger("library").exception("failed with %r", {"token": token})
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(own)
        logging.captureWarnings(capture=False)
    said = stream.getvalue()
    assert token not in said
    assert said.count("[token]") == 3
    assert "httpx" not in said
    assert "Traceback" in said
