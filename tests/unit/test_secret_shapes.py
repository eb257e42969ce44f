"""Credentials are found by their shapes and nothing else is."""

from __future__ import annotations

import base64
import difflib
import hashlib
import random
import sysconfig
import uuid
from pathlib import Path

import pytest

from agent_channels.core.secret_shapes import SECRET, SHAPES, find_secrets, mask_shapes
from planted_secrets import KINDS, Planted, core_of, planted

# One example of each shape that is not among those which are planted everywhere.
EXAMPLES = [
    "gh" + "p_" + "a1B2c3D4e" * 5,
    "PuTTY-User" + "-Key-File-3: ssh-ed25519\nEncryption: none\nAAAAB3NzaC1yc2EAAAADAQABAAAB",
    "-H 'Authorization: Bearer " + "x9Kd72mQpL4vT8wZ1bN6" + "'",
    "Authorization: Basic " + base64.b64encode(b"ann:s3cret-word").decode(),
    "gl" + "rt-" + "a1B2c3D4e5F6g7H8i9J0",
    "r" + "8_" + "a1B2c3D4e" * 4 + "x",
    "https://discord.example/api/v10/web" + "hooks/123456789012345678/" + "a1B2c3D4e" * 7 + "xyzab",
    "https://hooks.an-organisation-with-a-long-name.example.com/work" + "flows/T01234567/" + "a1B2c3D4e" * 4,
    "ruby" + "gems_" + "a1" * 24,
    "gl" + "sa_" + "a1B2" * 8 + "_12ab34cd",
    "sn" + "trys_" + "a1B2" * 12,
    "dc" + "kr_pat_" + "a1B2" * 7,
    "lin_" + "api_" + "a1B2" * 10,
    "nt" + "n_" + "a1B2" * 11,
    "ATA" + "TT3" + "xFfGF0a1B2" * 10,
    "PM" + "AK-" + "a1" * 12 + "-" + "a1" * 17,
    "sb" + "p_" + "a1" * 20,
]
FRAMES = [
    r"a\n{}",
    r"a\u003d{}\n",
    "x%20{}",
    "x%3D{}",
    "\x1b[32m{}",
    "\x1b[1;31m{}",
    "{}",
    "the key is {}.",
    "export X={}\n",
    '{{"x": "{}"}}',
    "<b>{}</b>",
    "`{}`",
    "a,{},b",
    "密碼是{}。",
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_of_a_known_shape_never_shows(kind: str, frame: str) -> None:
    """Wherever it stands: one of a kind, and once."""
    for secret in (KINDS[kind](Planted(seed)) for seed in range(20)):
        text = frame.format(secret)
        assert len(find_secrets(text)) == 1, secret
        masked = mask_shapes(text)
        assert core_of(secret) not in masked
        assert masked.count(SECRET) == 1


# What has a form of its own, and not only a place or a name beside it.
TOKENS = sorted(KINDS.keys() - {"password", "by name", "private key"})


@pytest.mark.parametrize("first", TOKENS)
def test_two_tokens_written_together_never_show(first: str) -> None:
    """Of whatever kinds: neither hides where the other begins or ends."""
    shown = []
    for second in TOKENS:
        for seed in range(3):
            one, two = KINDS[first](Planted(seed)), KINDS[second](Planted(seed + 50))
            masked = mask_shapes(f"{one}{two}")
            shown += [one + two for secret in (one, two) if core_of(secret) in masked]
    assert shown == []
    many = "".join(KINDS[first](Planted(seed)) for seed in range(6))
    assert [seed for seed in range(6) if core_of(KINDS[first](Planted(seed))) in mask_shapes(many)] == []


@pytest.mark.parametrize("frame", ["{}_", "{}_v2", "_{}_", "{}-", "{}\r", "{}\u200b", "\ufeff{}"])
def test_what_stands_right_beside_a_token_does_not_hide_it(frame: str) -> None:
    """An underscore, as in a file's name, or what nobody sees."""
    assert [
        kind for kind in KINDS if core_of(KINDS[kind](Planted(5))) in mask_shapes(frame.format(KINDS[kind](Planted(5))))
    ] == []


@pytest.mark.parametrize(
    "unseen",
    ["\u200b", "\u200d\u2060", "\u00ad", "\ufeff", "\ufe0f", "\r", "\0", "\u202e", "\x1b[1;31m", "\U000e0041"],
)  # fmt: skip
def test_unseen_characters_in_a_token_do_not_hide_it(unseen: str) -> None:
    """One sees the whole token, and so does whoever copies it; what stands around it stays to the character."""
    shown = []
    for kind in KINDS:
        secret = KINDS[kind](Planted(5))
        for cut in (1, 3, 8, 12, 20, -5):
            masked = mask_shapes(f"see\u200b it {secret[:cut]}{unseen}{secret[cut:]} he\u00adre")
            assert masked.startswith("see\u200b it ")
            # A key whose end is not recognised is masked to the end of the text.
            assert masked.endswith(" he\u00adre") or kind == "private key"
            shown += [(kind, cut) for _ in [0] if core_of(secret) in masked.replace(unseen, "")]
    assert shown == []


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_that_a_link_has_coded_never_shows(kind: str) -> None:
    """Letters, digits and signs that need no code hide nothing; the rest of the link stays, with its own codes."""
    secret = KINDS[kind](Planted(5))
    for at in (0, 2, len(secret) - 3):
        coded = secret[:at] + f"%{ord(secret[at]):02x}" + secret[at + 1 :]
        masked = mask_shapes(f"https://x.example/%E9%90%98?token={coded}&page=%31 ok")
        assert masked.startswith("https://x.example/%E9%90%98?token=")
        assert masked.endswith("&page=%31 ok")
        assert core_of(secret)[:12] not in masked


def test_every_shape_has_an_example() -> None:
    """A shape that is added needs a credential that it finds."""
    texts = [*EXAMPLES, *planted(10 * len(KINDS))]
    unseen = [shape for shape in SHAPES if not any(shape.compiled().search(text) for text in texts)]
    assert unseen == []
    for example in EXAMPLES:
        assert SECRET in mask_shapes(f"it is {example} here"), example


@pytest.mark.parametrize("kind", ["github", "npm", "age"])
def test_a_checksum_is_checked(kind: str) -> None:
    """A placeholder of the right length is not a token: one changed character, and nothing is masked."""
    secret = KINDS[kind](Planted(1))
    at = len(secret) - 20
    changed = secret[:at] + ("A" if secret[at] != "A" else "C") + secret[at + 1 :]
    assert find_secrets(secret)
    assert find_secrets(changed) == []


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + "x" * 36,
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "postgresql://user:password@localhost/db",
        "postgresql://user:${DB_PASSWORD}@localhost/db",
        "https://user:<token>@host/x",
        'token = "get_access_token_from_cache_2"',
        "API_KEY=550e8400-e29b-41d4-a716-446655440000",
        "cache_key = f'{user}:{project}:v2'",
        "password: str = Field(default_factory=generate_password_v2)",
        "secret_name: projects/my-project-123/secrets/db-password/versions/4",
        "sha256-" + "a1b2" * 16,
        "sk-learn-pipeline-with-feature-union-and-grid-search-2",
        "eyJub3QiOiJhIGp3dCJ9.eyJub3QiOiJhIGp3dCJ9.eyJub3QiOiJhIGp3dCJ9",
        "-----BEGIN PRIVATE KEY-----",
        "the bearer of_this_very_long_name_without_digits",
        "Bearer get_access_token_from_cache_2",
        "type: basic authentication",
        "kind: Basic YWJjZGVmZ2hpamts",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    """Placeholders, references, names, ids and hashes."""
    assert mask_shapes(text) == text


def ordinary_lines() -> list[str]:
    """Ten thousand lines: code, hashes, ids, Base64, diffs, addresses."""
    chance = random.Random(7)  # noqa: S311
    library = Path(sysconfig.get_paths()["stdlib"])
    code = [
        line
        for name in ("argparse", "typing", "subprocess", "tarfile", "inspect", "asyncio/base_events", "http/client")
        for line in (library / f"{name}.py").read_text(encoding="utf-8").splitlines()
    ][:7000]
    lines = [hashlib.sha256(bytes([n % 256, n >> 8])).hexdigest() + f"  src/file_{n}.py" for n in range(600)]
    lines += [f"commit {hashlib.sha1(bytes([n % 256, n >> 8]), usedforsecurity=False).hexdigest()}" for n in range(400)]
    lines += [f'{{"id": "{uuid.UUID(int=chance.getrandbits(128))}", "n": {n}}}' for n in range(600)]
    lines += [f"integrity sha512-{base64.b64encode(chance.randbytes(64)).decode()}" for _ in range(300)]
    lines += [f"data:image/png;base64,{base64.b64encode(chance.randbytes(120)).decode()}" for _ in range(200)]
    lines += [f"https://example.com/a/{chance.randbytes(9).hex()}?page={n}#L{n}" for n in range(300)]
    lines += difflib.unified_diff(code[:900], [line.replace("self", "this") for line in code[:900]], "a/x.py", "b/x.py")
    return [*code, *lines][:10_000]


def test_ten_thousand_ordinary_lines_are_not_masked() -> None:
    """Line by line and as one text: code, hashes, UUIDs, Base64, diffs and addresses stay as they are."""
    lines = ordinary_lines()
    assert len(lines) == 10_000
    assert [line for line in lines if find_secrets(line)] == []
    assert find_secrets("\n".join(lines)) == []


def test_a_value_counts_by_its_name_only_if_it_looks_random() -> None:
    """The name alone masks nothing in prose and code, and neither does what looks random without one."""
    random_value = "x9Kd72mQpL4vT8wZ1bN6"
    for name in ("API_KEY", "client_secret", "DB_PASSWORD", "my-token", '"accessKey"', "password"):
        assert SECRET in mask_shapes(f"{name}={random_value}")
        assert SECRET in mask_shapes(f'{name}: "{random_value}"')
        assert mask_shapes(f"{name}=some_ordinary_words_here") == f"{name}=some_ordinary_words_here"
    assert mask_shapes(f"build_id={random_value}") == f"build_id={random_value}"


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2secret", "pwd: Hunter2!x", "DB_PASSWORD=hunter2secret make", "the password: hunter2secret.",
        "**password:** hunter2secret", "Password: `hunter2!`", '{"password": "P@ssw0rd!x"}',
        "(password: hunter2secret)",
        '{\\"password\\": \\"hunter2!\\"}', "密碼：hunter2secret", "https://x.example/?token=abc12345&page=1",
        "passphrase = 'tr0ub4dor&3'", "mysql --password=hunter2secret db", "<b>secret</b>: <code>hunter2x</code>",
    ],
)  # fmt: skip
def test_a_short_value_of_a_password_is_masked(text: str) -> None:
    """Eight letters and digits behind a name that says password, secret or token; what stands around it stays."""
    (found,) = find_secrets(text)
    assert not any(sign.isspace() or sign in "\"'`*()<>{}" for sign in text[found.start : found.end])
    assert len(text[found.start : found.end]) >= 8


@pytest.mark.parametrize(
    "text",
    [
        "password=password", "password = get_password()", "password: str", "token: Ed25519PrivateKey", "pwd=short1",
        "token = token_urlsafe32", "password=new_password2, x", "password == hunter2secret", "secret: db-password-v2",
        "password=$PASS1234", "password: ${{ secrets.DB2PASS }}", "token=0xdeadbeef99", "password=xxxxxxx1",
        "token: 550e8400-e29b-41d4-a716-446655440000", "token = tokens2[index1]", "max_tokens=4096",
        "arn:aws:secretsmanager:*:*:secret:A4BNetworkProfile*", "tokens: 12345678", "secret://abcd1234x",
        "password: /run/secrets/db1", "password_file=hunter2secret", "password hunter2secret",
    ],
)  # fmt: skip
def test_code_around_passwords_stays(text: str) -> None:
    """Types, calls, names of other values, references, ids, numbers and places."""
    assert mask_shapes(text) == text


@pytest.mark.parametrize(
    "frame",
    [
        "**API_KEY:** {}", "**API_KEY**: {}", "`API_KEY` = `{}`", "| API_KEY | {} |", "|API_KEY|{}|",
        "| `API_KEY` | `{}` |",
        "- **API key**: `{}`", "API_KEY=**{}**", "API_KEY=<b>{}</b>", "<b>API_KEY</b>: <code>{}</code>",
        '<td>API_KEY:</td><td class="x">{}</td>', "API_KEY：{}", "密碼：{}", "金鑰＝{}", "API_KEY: ||{}||",
        "*password*: *{}*",
    ],
)  # fmt: skip
def test_formatting_between_a_name_and_its_value_hides_nothing(frame: str) -> None:
    """Neither Markdown's marks, a table, tags nor full-width signs; what is ordinary there stays."""
    masked = mask_shapes(frame.format("x9Kd72mQpL4vT8wZ1bN6"))
    assert masked == frame.format(SECRET)
    assert mask_shapes(frame.format("some_ordinary_words_here")) == frame.format("some_ordinary_words_here")


def test_several_secrets_in_one_text_are_counted_each() -> None:
    """A thousand in one text, and what stands between them stays."""
    secrets = planted(1000)
    text = "\nbetween\n".join(secrets)
    masked = mask_shapes(text)
    assert masked.count("\nbetween\n") == 999
    assert len(find_secrets(text)) == 1000
    assert [secret for secret in secrets if core_of(secret) in masked] == []
