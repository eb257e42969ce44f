"""Credentials in commands are masked, whatever they are called or look like; what is none stays readable."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.text import secret_values
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
    "models": "xai-" + "a1B2" * 9,
    "fast models": "gsk_" + "a1B2" * 13,
    "vault": "hvs." + "a1B2" * 9,
    "shop": "shpat_" + "a1B2" * 8,
    "dashboards": "glsa_" + "a1B2" * 8 + "_a1b2c3d4",
    "registry": "dckr_pat_" + "a1B2" * 7,
    "tickets": "ATATT3x" + "a1B2" * 20,
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
        ('PASSWORD="a"REST x', f'PASSWORD="{SECRET}" x'),
    ],
)
def test_what_is_called_a_secret_is_one(text: str, masked: str) -> None:
    """The name stays and the value goes."""
    assert mask_secrets(text) == masked


def commands_of(text: str) -> list[str]:
    """Return the commands of a text, one a line, without its comments."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# What stands between ⟨ and ⟩ is secret, and nothing else.
COMMANDS = [
    *commands_of(
        r"""
# The names of variables and options.
MYSQL_PWD=⟨hunter2⟩ mysql
export DB_PASS=⟨hunter2⟩
DBPASS=⟨hunter2⟩ x
STRIPE_KEY=⟨hunter2⟩ x
AUTH=⟨hunter2⟩ x
ENCRYPTION_KEY='⟨hunter2⟩' x
SIGNING_KEY=⟨hunter2⟩; x
docker run -e APP_KEY=⟨hunter2⟩ image
tool --pass ⟨hunter2⟩ x
tool --pass=⟨hunter2⟩ x
$env:TOKEN = "⟨hunter2⟩"
$env:TOKEN="⟨hunter2⟩"
password＝⟨hunter2⟩ x
password：⟨hunter2⟩
密碼：⟨hunter2⟩
AccountName=a;AccountKey=⟨aGk1bGw=⟩;EndpointSuffix=b
Server=h;Uid=a;Pwd=⟨hunter2⟩;
curl -d password%3D⟨x⟩ h
# Quotes.
curl -d "{\"password\": \"⟨hunter2⟩\"}" h
ssh h "curl -d \"{\\\"token\\\":\\\"⟨hunter2⟩\\\"}\" h"
curl -d '{"user": "ann", "password": "⟨hun\"ter 2⟩", "x": "y"}'
PASSWORD='⟨$2b$12$hunter2⟩' x
PASSWORD='⟨%hunter2⟩' x
PASSWORD=⟨$2b$12⟩ x
PASSWORD=⟨'a'\''REST b'⟩ x
PASSWORD=⟨a\ REST⟩ x
PASSWORD=⟨ab"REST"⟩ x
psql "host=h password = '⟨a REST⟩' dbname=d"
bash -c "TOKEN=⟨hunter2⟩" "x y"
f(password='⟨a⟩', user='ann')
TOKEN=$(echo ⟨hunter2⟩) x
TOKEN=`echo ⟨hunter2⟩` x
TOKEN="$(echo -n ⟨'hunter2'⟩)" x
# What only one program calls so.
sshpass -p ⟨hunter2⟩ ssh -p 22 h
sshpass -p⟨123456⟩ ssh h
docker login -u ann -p ⟨hunter2⟩ registry.example
docker login -p '⟨hunter 2⟩' -u ann && docker run -p 80:80 x
redis-cli -h h -a ⟨hunter2⟩ ping
mysql -uroot -p⟨hunter2⟩ db
mysql -p⟨hunter2⟩
mysqldump -e "a; b" -p'⟨hunter2⟩' db > x
zip -P ⟨hunter2⟩ a.zip b
zip -rP ⟨hunter2⟩ a.zip b
unzip -P ⟨hunter2⟩ a.zip
7z x -p⟨hunter2⟩ a.7z
mongosh -u a -p ⟨hunter2⟩
ldapsearch -x -w ⟨hunter2⟩ b
bash -c "mysql -p⟨hunter2⟩ db" "x"
curl -uadmin:⟨hunter2⟩ h
curl -su admin:⟨hunter2⟩ h
curl -H "A: b; c" -sSu "ad min:⟨hun ter2⟩" h
curl -x p --proxy-user u:⟨p⟩ h
curl -U u:⟨p⟩ h
http -a u:⟨p⟩ h
curl -b ⟨sid=hunter2⟩ h
npm config set //registry.example/:_authToken ⟨hunter2⟩
aws configure set aws_secret_access_key ⟨hunter2⟩
setx TOKEN ⟨hunter2⟩
# Headers.
curl -H "Authorization:  Bearer  ⟨hunter2⟩" h
curl -H 'Authorization: Bot ⟨hunter2⟩' h
curl -H 'Authorization: ⟨Signed a, b=hunter2⟩' h
curl -H 'Authorization: ApiKey ⟨hunter2⟩' h
curl -H 'Authorization: Digest ⟨username="a", response="b"⟩' h
curl -H "Authorization: Digest ⟨username=\"a\", response=\"b\"⟩" h
curl -H Authorization:\ Bearer\ ⟨hunter2⟩ h
{"Authorization": "Bearer ⟨hunter2⟩", "x": "y"}
Authorization: ⟨Signed hunter2hunter2⟩ x
curl -H 'Cookie: ⟨a=1; sid=hunter2; b=3⟩' h
Cookie: ⟨a=1; sid=hunter2⟩
curl -H 'X-Auth-Token: ⟨hunter2⟩' h
# Addresses.
psql postgres://u:⟨p@REST⟩@h/db
git clone https://⟨Zq8x7Kd0PfWm3TnRb5Yc⟩@github.example/a
curl 'https://h/?a=b&key=⟨hunter2⟩&c=d'
curl https://⟨Zq8x7Kd0PfWm3TnRb5Yc⟩:⟨basic-auth⟩@h/a
az copy 'https://h/c?sv=2022-11-02&sig=⟨hunter2⟩'
curl https://hooks.chat.example/services/⟨T0000/B0000/hunter2⟩ -d x
curl https://chat.example/api/v10/webhooks/123456789/⟨hunter2hunter2-_⟩ -d x
"""
    ),
    # Of several lines.
    "/usr/bin/mysql \\\n  -p⟨hunter2⟩ db",
    "echo '⟨-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nabc\n-----END PGP PRIVATE KEY BLOCK-----⟩' | gpg --import",
]


def masked_of(marked: str) -> tuple[str, str]:
    """Return a command, and what people may see of it."""
    shown = re.sub(r"⟨([\"']?)[^⟩]*?(\1)⟩", rf"\1{SECRET}\2", marked)
    return re.sub("[⟨⟩]", "", marked), shown


@pytest.mark.parametrize("marked", COMMANDS)
def test_a_command_loses_its_secret_and_nothing_else(marked: str) -> None:
    """Also where it stands in a line of several."""
    command, shown = masked_of(marked)
    assert mask_secrets(command) == shown
    assert mask_secrets(shown) == shown
    assert mask_secrets(f"cd src && {command}\nmake -p 1") == f"cd src && {shown}\nmake -p 1"


# Commands and code that look a little like one with a secret.
ORDINARY = commands_of(
    r"""
git commit -m 'Sign in by a key'
ls -a
tar -p
mkdir -p x
grep -p x
tool --passthrough x
tool --passing x
KEY_COUNT=3 x
AUTHOR=me x
pytest -p no:cacheprovider
docker run -p 80:80 x
docker run -u 1000:1000 x
docker compose -p name up
docker login -u ann --password-stdin registry.example
docker login x && docker run -p 80:80 y
ssh -p 22 h
sshpass -e ssh -p 22 h
mysql -u root -p db
mysql -u root -P 3306
redis-cli ping
unzip -p a.zip x
zip -r a.zip b
7z x -o/tmp a.7z
curl -b cookies.txt h
sort --key 2 x
PWD=/tmp make
PUBLIC_KEY=ssh-ed25519 x
BYPASS=1 x
COMPASS=north x
CACHE_KEY=v1 x
TOKEN_FILE=/run/x y
if token == "x":
if token=="x":
first_pass = compute()
token := read()
tool --password --verbose
tool --auth-type basic x
AUTH=basic x
TOKEN=$1 x
PASSWORD=%PASSWORD% x
TOKEN=${TOKEN:-} x
TOKEN="$OTHER" x
PASSWORD="$(pass show x)" y
token: '${{ secrets.X }}'
mysql -p$PASSWORD db
sshpass -p "$PASSWORD" ssh h
curl -u "ann:$PASSWORD" h
psql postgres://$U:$P@h/db
curl -H "Authorization: Bearer $TOKEN" h
curl -H "Authorization: Bearer $(gcloud auth print-access-token)" h
curl -H 'Accept: a; b' https://h:8080/a@b
curl https://a-service-0.production.example:8080/x
git clone https://my-organisation-name@h/x
curl 'https://h/?keys=a&signal=b&key=3'
git checkout -b auth
kubectl get secret x -o yaml
npm config set registry https://h
git config set user.name Ann
sudo -u postgres psql
ffuf -u https://h/x -w list
docker login -u ann && mkdir -p x
make KEY=1
gpg --armor --export x
"""
)
JOINTS = [" && ", "; ", " | ", "\n", " || "]


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_command_stays_whole(text: str) -> None:
    """Masking would hide what is approved."""
    assert mask_secrets(text) == text


@given(st.lists(st.tuples(st.sampled_from([*ORDINARY, *COMMANDS]), st.sampled_from(JOINTS)), max_size=6))
def test_what_is_not_a_secret_survives(parts: list[tuple[str, str]]) -> None:
    """Of several commands on a line, each is masked as if it stood alone."""
    # Without quotes, an assignment behind a cookie is another cookie.
    parts = [(text, "\n" if text.startswith("Cookie:") else joint) for text, joint in parts]
    pairs = [(*masked_of(text), joint) for text, joint in parts]
    assert mask_secrets("".join(f"{text}{joint}" for text, _, joint in pairs)) == "".join(
        f"{shown}{joint}" for _, shown, joint in pairs
    )


WORDS = st.text(alphabet="abcdefghijklmnoqrstuvwxyz0123456789./", min_size=1, max_size=12)


@given(
    st.lists(st.one_of(WORDS, WORDS.map("-{}".format), WORDS.map("'{}'".format)), max_size=12),
    st.sampled_from(COMMANDS),
)
def test_the_words_around_a_secret_survive(words: list[str], marked: str) -> None:
    """Whatever comes before a command with a secret and after it."""
    command, shown = masked_of(marked)
    line = " ".join(words)
    assert mask_secrets(f"echo {line}\n{command}\necho {line}") == f"echo {line}\n{shown}\necho {line}"


@pytest.mark.parametrize("run", ["$(rm -rf ~)", "`rm -rf ~`"])
@pytest.mark.parametrize(
    "frame",
    [
        'PASSWORD="a{}"',
        "PASSWORD=a{}",
        'curl -H "Authorization: Bearer a{}"',
        'curl -u "a:b{}"',
        'mysql -p"a{}"',
        "PASSWORD={}",
    ],
)
def test_what_a_shell_runs_is_never_hidden(frame: str, run: str) -> None:
    """A command in the middle of a secret is part of what is approved."""
    assert run in mask_secrets(frame.format(run))


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


HARD = [
    "token=", "a:", "-u a:", "://a:", "eyJa.", "x" * 30 + ":", '"', "password ", "docker login -p", 'mysql "',
    "curl 'a ", 'curl -u "', 'redis-cli "\\"', "--user=", "sshpass -e ", "\\", 'token = \\"', "'a'\\''",
    "Authorization: a ",
    "'Authorization: ", 'token="$(', "TOKEN=`echo ", "://a@", "PASS_KEY", "config set a/", "x-", " ", "a\\\n",
]  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["token", *HARD])
def test_no_text_is_searched_forever(part: str) -> None:
    """A hundred thousand characters of any pattern are masked before anybody waits for it."""
    assert mask_secrets(part * (100_000 // len(part)))


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("echo 'password:\"' && rm -rf x", "rm -rf x"),
        ("echo 'password:\"'; rm -rf x # \"", "rm -rf x"),
        ("echo 'password:\"'\nrm -rf x", "rm -rf x"),
        ('echo password:"abc def; rm -rf x', "rm -rf x"),
        ('x --token "abc\' | sh -x" y', "sh -x"),
    ],
)
def test_a_quote_hides_no_command_that_follows_it(command: str, shown: str) -> None:
    """Who approves a command sees what else it runs, whatever quote stands behind a word such as `password`."""
    assert shown in mask_secrets(command)


def test_a_value_that_was_cut_off_is_masked_to_its_end() -> None:
    """A host's preview may end within the quotes."""
    assert mask_secrets('{"password": "correct horse') == f'{{"password": "{SECRET}'


PIECES = [
    *SECRETS.values(), *HARD, "token", "PASSWORD", "DB_KEY", "DBPASS", "_auth", "=", "＝", "%3D", "%3d", ":=", ":",
    "：", "--token ", "--user ", "-u ", "-p", "-P ", "-w ", "-a ", "sshpass ", "mysql ", "zip ", "redis-cli ",
    "docker login ", "curl ", "--cookie ", "ldapsearch ", "https ", "https://", "a:b@", "?sig=", "/webhooks/1/",
    "hooks.x.y/services/", "authorization", "Cookie", "ſet-cookie", "Bearer ", "basic ", "setx ", "set -x ", "$(echo ",
    "`printf ", ")", "`", "-----BEGIN PRIVATE KEY-----", "'", '"', '\\"',
    "\u00a0", "\n", "x", "a1B2c3D4e5F6g7H8", "ı", "K",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_pattern_is_left_out_where_it_matches(text: str) -> None:
    """A pattern is tried only in a text that has one of its signs, and finds there whatever it would find anyway."""
    for pattern in (secret_values._PRIVATE_KEY, secret_values._PREFIXED, *secret_values._PATTERNS):
        assert pattern.sub("[]", text) == pattern.compiled.sub("[]", text)
