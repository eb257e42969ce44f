"""Credentials in commands are masked, whatever they are called or look like; what is none stays readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.text.secret_values import SECRET, mask_secrets

SECRETS = {
    "github": "ghp_" + "a1B2" * 9,
    "github fine": "github_pat_" + "a1B2" * 9,
    "gitlab": "glpat-" + "a1B2-" * 5,
    "slack": "xoxb-123456789012-abcdefABCDEF",
    "openai": "sk-proj-" + "a1B2" * 10,
    "anthropic": "sk-ant-api03-" + "a1B2" * 10,
    "stripe": "sk_live_" + "a1B2" * 6,
    "aws": "AKIA" + "A1B2" * 4,
    "google": "AIza" + "a1B2_" * 7,
    "npm": "npm_" + "a1B2" * 9,
    "hugging face": "hf_" + "a1B2" * 8,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
}
FRAMES = [
    "{}",
    "export TOKEN={}",
    "curl -H 'Authorization: Bearer {}' https://x",
    'KEY="{}" make',
    "echo {} | sh",
    "a={};b",
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("name", SECRETS)
def test_known_shapes_never_show(name: str, frame: str) -> None:
    """Wherever a credential of a known shape stands, nothing of its random part is left."""
    secret = SECRETS[name]
    masked = mask_secrets(frame.format(secret))
    assert secret[-12:] not in masked
    assert SECRET in masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("psql postgres://u:pw@h/db", f"psql postgres://u:{SECRET}@h/db"),
        ("curl -u bob:hunter2 http://x", f"curl -u bob:{SECRET} http://x"),
        ("mytool --password hunter2 --verbose", f"mytool --password {SECRET} --verbose"),
        ('MY_API_KEY="a b c" make', f'MY_API_KEY="{SECRET}" make'),
        ("PGPASSWORD=x psql", f"PGPASSWORD={SECRET} psql"),
        ("client_secret: hunter2", f"client_secret: {SECRET}"),
    ],
)
def test_what_is_called_a_secret_is_one(text: str, masked: str) -> None:
    """The name stays and the value goes."""
    assert mask_secrets(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "npm test", "git log --oneline", "echo $TOKEN", "TOKEN=$OTHER run", "max_tokens=4096", "cat secrets.yaml",
        "https://example.org/a:b@c", "grep -rn password src", "sk-learn", "https://user@host/path", "",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    """References, counts and names are left as they are."""
    assert mask_secrets(text) == text


@given(st.text(max_size=300))
def test_any_text_is_masked_once_and_for_all(text: str) -> None:
    """What was masked is not changed by masking it again."""
    once = mask_secrets(text)
    assert mask_secrets(once) == once


@given(st.sampled_from(sorted(SECRETS)), st.text(alphabet=" ='\":;/\n", max_size=6), st.text(" ='\":;/\n", max_size=6))
def test_no_frame_brings_one_out(name: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    assert SECRETS[name][-12:] not in mask_secrets(f"{before}{SECRETS[name]}{after}")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["token", "token=", "a:", "-u a:", "://a:", "eyJa.", "x" * 30 + ":", '"', "password "])
def test_no_text_is_searched_forever(part: str) -> None:
    """A hundred thousand characters of any pattern are masked before anybody waits for it."""
    assert mask_secrets(part * (100_000 // len(part)))
