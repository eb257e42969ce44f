"""No secret reaches a log line, whatever text it is part of."""

from __future__ import annotations

import io
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core import log
from agent_channels.core.log import redact, redact_tokens, register_secret

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
COLON_TOKENS = st.builds(
    "{}:{}".format, st.integers(10**9, 10**10 - 1), st.text(st.sampled_from(ALPHABET), min_size=35, max_size=35)
)
DOTTED_TOKENS = st.builds(
    "{}.{}.{}".format,
    *(
        st.text(st.sampled_from(ALPHABET.strip("_-")), min_size=size, max_size=size)
        for size in (26, 6, 38)
    ),
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test has masked stays in no other's texts."""
    monkeypatch.setattr("agent_channels.core.log._secrets", [])


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, st.one_of(COLON_TOKENS, DOTTED_TOKENS), st.sampled_from(["", " ", "/", "'", '"', "\n", "?", ")"]), TEXTS)
def test_a_token_in_any_text_is_masked(before: str, token: str, delimiter: str, after: str) -> None:
    """An unregistered token is recognised by its shape, whether a space, a slash or a quote ends it."""
    text = f"{before} {token}{delimiter or ' '}{after}"
    assert token not in redact(text)
    assert "[token]" in redact(text)


@pytest.mark.parametrize("first", ["a" * 40 + " and ", "https-//" + "b" * 27 + "/", "9" * 30 + "\n"])
@given(token=st.one_of(COLON_TOKENS, DOTTED_TOKENS))
def test_a_token_behind_another_long_word_is_masked(first: str, token: str) -> None:
    """A text that begins with a hash, an id or a long name hides no token after it."""
    assert redact_tokens(first + token) == first + "[token]"


@pytest.mark.parametrize(
    "token", ["1234567890:" + "aB3d" * 8 + "xyz", "aB3d" * 6 + "aB.aB3dE6." + "aB3d" * 9 + "xy"], ids=["colon", "dots"]
)  # fmt: skip
def test_two_tokens_written_together_and_split_ones_are_masked(token: str) -> None:
    """Neither hides the other, and nothing that is not drawn hides one."""
    assert "aB3d" not in redact_tokens(f"see {token}{token} here")
    for unseen in ("\u200b", "\u00ad", "\r", "\x1b[0m"):
        assert redact_tokens(f"see {token[:20]}{unseen}{token[20:]} here") == "see [token] here"
    register_secret("some thing private")
    assert redact_tokens("is some th\u200bing private?") == "is [token]?"


@pytest.mark.parametrize("size", [27, 28])
def test_a_token_whose_first_part_is_long_is_masked(size: int) -> None:
    """Also where the text begins with it."""
    assert redact_tokens(f"{'aB3d' * 7}"[:size] + ".aB3dE6." + "aB3d" * 10) == "[token]"


@given(COLON_TOKENS)
def test_a_token_in_a_url_is_masked(token: str) -> None:
    """There it follows a word without a break, and its colon may be percent-encoded."""
    for text in (
        f"https://api.example.org/bot{token}/getMe",
        f"GET /file/bot{token}/photos/file_1.jpg HTTP/1.1",
        f"/bot{token.replace(':', '%3A')}/sendMessage",
        f"bot{token.replace(':', '%3a')}",
        f"[('url', 'bot{token}')]",
    ):
        redacted = redact(text)
        assert token.partition(":")[2] not in redacted
        assert "[token]" in redacted


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=40), TEXTS, TEXTS)
def test_a_registered_secret_is_masked_whatever_its_shape(secret: str, before: str, after: str) -> None:
    """Any value of eight characters or more, anywhere in a text."""
    log._secrets.clear()
    register_secret(secret)
    try:
        assert redact(before + secret + after).count(secret) <= "[token]".count(secret)
    finally:
        log._secrets.clear()


def test_the_longer_of_two_secrets_is_masked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is a prefix of another leaves no remainder of the longer one."""
    for secrets in (["secret-abc", "secret-abc-and-more"], ["secret-abc-and-more", "secret-abc"]):
        monkeypatch.setattr(log, "_secrets", [])
        for secret in secrets:
            register_secret(secret)
        assert redact("x secret-abc-and-more y secret-abc z") == "x [token] y [token] z"


def test_short_values_are_not_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of a few letters would mask parts of every sentence."""
    monkeypatch.setattr(log, "_secrets", [])
    register_secret("")
    register_secret("short")
    assert redact("a short sentence") == "a short sentence"


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
def test_ordinary_lines_are_not_changed(text: str) -> None:
    """Times, ids, names and addresses are not taken for tokens."""
    assert redact(text) == text


def test_log_lines_errors_and_tracebacks_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Message, arguments and traceback reach stderr without the token; libraries log from WARNING up."""
    token = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGo-"
    root, package = logging.getLogger(), logging.getLogger("agent_channels")
    handlers, root_level, package_level = root.handlers[:], root.level, package.level
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
        root.setLevel(root_level)
        package.setLevel(package_level)
        logging.captureWarnings(capture=False)
    output = stream.getvalue()
    assert token not in output
    assert output.count("[token]") == 3
    assert "httpx" not in output
    assert "Traceback" in output
