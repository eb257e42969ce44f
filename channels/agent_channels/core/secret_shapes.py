"""What credentials look like: the shapes that services document, as data, and a search that is cheap in other text.

A shape is anchored in fixed characters and has a length; where the service adds a checksum, it is checked. What has no
shape counts only as the value of a name that says so, `API_KEY=…`, and only if it looks random.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import string
import zlib
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.unseen import seen_places

__all__ = ["BY_NAME", "SECRET", "SHAPES", "FoundSecret", "Shape", "classes", "find_secrets", "mask_shapes"]

SECRET = "[secret]"  # noqa: S105
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
# A secret that begins behind a letter or digit is a part of something longer, unless that ends an escape: \n and
# \u003d of JSON, %20 of a URL, the colour of a terminal.
_START = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})|(?<=%[0-9A-Fa-f]{2})"
    r"|(?<=\x1b\[[0-9]m)|(?<=\x1b\[[0-9]{2}m)|(?<=;[0-9]m)|(?<=;[0-9]{2}m))"
)


class Shape(NamedTuple):
    """One kind of credential: which fixed texts it has, how it looks, and what else has to be true of it.

    The group `shown` of the pattern stays when it is masked; `secret`, if there is one, is what is checked. `<end>` in
    it: there it is over, or the next one begins. `anywhere`: it need not have a long run of letters and digits.
    """

    kind: str
    anchors: tuple[str, ...]
    pattern: str
    check: Callable[[str], bool] | None = None
    anywhere: bool = False

    def compiled(self) -> re.Pattern[str]:
        """Return the pattern, which few processes need: compiling all of them takes longer than a start may."""
        return _compiled(self.pattern)


class FoundSecret(NamedTuple):
    """Where in a text a credential's secret part is, and of what kind it is, such as `a GitHub token`."""

    start: int
    end: int
    kind: str


# ---- checksums


def _crc_matches(token: str) -> bool:
    """Return whether the last 6 of 36 characters are the CRC-32 of those before them."""
    body = token.rpartition("_")[2]
    number, digits = zlib.crc32(body[:30].encode()), ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(6, "0") == body[30:]


def _bech32_matches(key: str) -> bool:
    """Return whether the checksum of a Bech32 text (BIP 173) is right."""
    prefix, _, data = key.lower().rpartition("1")
    values = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    checksum = 1
    for value in values + [_BECH32.find(letter) for letter in data]:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ max(value, 0)
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum == 1


def _is_jwt(token: str) -> bool:
    """Return whether the first part says how the token is signed."""
    head = token.partition(".")[0]
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, TypeError):
        return False


def _is_login(coded: str) -> bool:
    """Return whether Base64 holds a name and a password, as a header has them."""
    try:
        return re.fullmatch(rb"[^\s:]+:[^\s]{4,}", base64.b64decode(coded, validate=True)) is not None
    except (binascii.Error, ValueError):
        return False


def _has_key(text: str) -> bool:
    """Return whether a key follows its first line, which alone stands in many programs."""
    return re.search(r"[A-Za-z0-9+/=]{16}", text.partition("KEY")[2]) is not None


def _is_mixed(token: str) -> bool:
    """Return whether a text has digits and letters, as random ones do, and names do not."""
    return any(letter.isdigit() for letter in token) and any(letter.isalpha() for letter in token)


_STAND_INS = frozenset(
    {"password", "passwd", "secret", "example", "changeme", "hunter", "username", "pass", "token", "redacted"}
)


def _is_password(value: str) -> bool:
    """Return whether what stands where a URL has its password is one, and not a placeholder or a reference."""
    if value.lower().strip("_-") in _STAND_INS or value[0] in "$<{[%*.":
        return False
    return len(set(value)) > 3 and not value.isdigit()


_UUID = lazy_pattern(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PARTS = lazy_pattern(r"[._/~-]+")
_CHANGES_MIN, _BITS_MIN = 4, 3.2


def _looks_random(value: str) -> bool:
    """Return whether a value is neither words, nor a name with dots, a path, a version or an id."""
    longest = max(_PARTS.split(value.rstrip("=")), key=len)
    if len(longest) < _RUN_MIN or _UUID.fullmatch(value) or not _is_mixed(longest):
        return False
    # In names, digits stand together; in what is random they are strewn among the letters.
    changes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(longest))
    counts = Counter(longest).values()
    bits = -sum(n / len(longest) * math.log2(n / len(longest)) for n in counts)
    return changes >= _CHANGES_MIN and bits >= _BITS_MIN


def _shape(
    kind: str,
    anchors: str,
    pattern: str,
    check: Callable[[str], bool] | None = None,
    *,
    begin: str = _START,
    anywhere: bool = False,
) -> Shape:
    return Shape(kind, tuple(anchors.split()), begin + pattern, check, anywhere)


SHAPES: tuple[Shape, ...] = (
    _shape("a private key", "-----BEGIN", r"(?P<shown>-----BEGIN (?:[A-Z0-9 ]{1,30} )?PRIVATE KEY(?: BLOCK)?-----)"
           r".*?(?:(?=-----END (?:[A-Z0-9 ]{1,30} )?PRIVATE KEY(?: BLOCK)?-----)|\Z)", _has_key, begin="",
           anywhere=True),
    _shape("a PuTTY key", "PuTTY-User", r"(?P<shown>PuTTY-User-Key-File-\d)(?=\W).*\Z", anywhere=True),
    _shape("an age key", "AGE-SECRET", r"(?P<shown>AGE-SECRET-KEY-1)[A-Z0-9]{58}", _bech32_matches),
    _shape("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"(?P<shown>gh[pousr]_)[A-Za-z0-9]{36}", _crc_matches,
           begin=""),
    _shape("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"(?P<shown>gh[pousr]_)[A-Za-z0-9]{37,255}<end>"),
    _shape("a GitHub token", "github_pat_", r"(?P<shown>github_pat_)[A-Za-z0-9]{22}_[A-Za-z0-9]{40,64}"),
    _shape("a GitLab token", "glpat- glptt- gldt- glrt- glsoat- glcbt-",
           r"(?P<shown>gl(?:pat|ptt|dt|rt|soat|cbt)-)[A-Za-z0-9_-]{20,300}", _is_mixed),
    _shape("an Anthropic key", "sk-ant-", r"(?P<shown>sk-ant-[a-z0-9]{3,10}-)[A-Za-z0-9_-]{40,}"),
    _shape("an OpenAI key", "sk-proj- sk-svcacct- sk-admin-",
           r"(?P<shown>sk-(?:proj|svcacct|admin)-)[A-Za-z0-9_-]{40,}"),
    _shape("an OpenAI key", "T3BlbkFJ", r"(?P<shown>sk-)[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    _shape("an AI provider's key", "sk-or-v1- gsk_ xai- pplx-",
           r"(?P<shown>sk-or-v1-|gsk_|xai-|pplx-)[A-Za-z0-9]{48,100}<end>", _is_mixed),
    _shape("a Hugging Face token", "hf_", r"(?P<shown>hf_)[A-Za-z0-9]{34,40}<end>"),
    _shape("a Replicate token", "r8_", r"(?P<shown>r8_)[A-Za-z0-9]{37,40}<end>"),
    _shape("a Google API key", "AIza", r"(?P<shown>AIza)[A-Za-z0-9_-]{35}<end>"),
    _shape("a Google token", "ya29. GOCSPX-", r"(?P<shown>ya29\.|GOCSPX-)[A-Za-z0-9_-]{28,}"),
    _shape("an AWS key id", "AKIA ASIA", r"(?P<shown>A(?:KIA|SIA))[A-Z2-7]{16}<end>", _is_mixed),
    _shape("an AWS key", "ecretAccessKey ecret_access_key ECRET_ACCESS_KEY",
           r"(?P<shown>[Ss](?:ecretAccessKey|ecret_access_key|ECRET_ACCESS_KEY)[\"'\s:=]{1,8})[A-Za-z0-9/+]{40}<end>",
           begin=""),
    _shape("a workspace token", "xoxa- xoxb- xoxe- xoxp- xoxr- xoxs- xapp-",
           r"(?P<shown>xox[abeprs]-|xapp-)[0-9]{1,20}-[A-Za-z0-9-]{20,}"),
    _shape("a webhook", "/services/ /workflows/ /triggers/",
           r"(?P<shown>hooks\.[\w.-]{1,64}/(?:services|workflows|triggers)/)[A-Za-z0-9/]{30,}"),
    _shape("a webhook", "/webhooks/", r"(?P<shown>/api/(?:v\d+/)?webhooks/\d{16,20}/)[A-Za-z0-9_-]{60,80}", begin=""),
    _shape("a Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_ whsec_",
           r"(?P<shown>[rs]k_(?:live|test)_|whsec_)[A-Za-z0-9+/=]{24,}", _is_mixed),
    _shape("an npm token", "npm_", r"(?P<shown>npm_)[A-Za-z0-9]{36}", _crc_matches, begin=""),
    _shape("a PyPI token", "pypi-AgE", r"(?P<shown>pypi-)AgE[A-Za-z0-9_-]{50,}"),
    _shape("a RubyGems key", "rubygems_", r"(?P<shown>rubygems_)[a-f0-9]{48}"),
    _shape("a SendGrid key", "SG.", r"(?P<shown>SG\.)[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _shape("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", r"(?P<shown>do[opr]_v1_)[a-f0-9]{64}"),
    _shape("an Azure key", "AccountKey=", r"(?P<shown>AccountKey=)[A-Za-z0-9+/]{86}==", begin=""),
    _shape("a Vault token", "hvs. hvb. hvr.", r"(?P<shown>hv[bsr]\.)[A-Za-z0-9_-]{24,}"),
    _shape("a Terraform token", ".atlasv1.", r"(?P<shown>[A-Za-z0-9]{14}\.atlasv1\.)[A-Za-z0-9_-]{60,}"),
    _shape("a Tailscale key", "tskey-", r"(?P<shown>tskey-[a-z]{3,10}-)[A-Za-z0-9]{10,20}-[A-Za-z0-9]{16,}"),
    _shape("a Grafana token", "glsa_ glc_", r"(?P<shown>gl(?:sa|c)_)[A-Za-z0-9+/=]{32,}(?:_[A-Fa-f0-9]{8})?"),
    _shape("a Sentry token", "sntry", r"(?P<shown>sntry[su]_)[A-Za-z0-9_+/=]{40,}"),
    _shape("a Shopify token", "shpat_ shpca_ shppa_ shpss_", r"(?P<shown>shp(?:at|ca|pa|ss)_)[a-fA-F0-9]{32}"),
    _shape("a Docker token", "dckr_", r"(?P<shown>dckr_(?:pat|oat)_)[A-Za-z0-9_-]{27,}"),
    _shape("a Linear key", "lin_api_", r"(?P<shown>lin_api_)[A-Za-z0-9]{40}"),
    _shape("a Notion token", "ntn_", r"(?P<shown>ntn_)[A-Za-z0-9]{40,}"),
    _shape("an Atlassian token", "ATATT3", r"(?P<shown>ATATT3)[A-Za-z0-9_=-]{60,}"),
    _shape("a Postman key", "PMAK-", r"(?P<shown>PMAK-)[a-f0-9]{24}-[a-f0-9]{34}"),
    _shape("a Supabase token", "sbp_", r"(?P<shown>sbp_)[a-f0-9]{40}"),
    _shape("a signed token", "eyJ", r"(?P<shown>)eyJ[A-Za-z0-9_-]{10,1024}+\.[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{16,}",
           _is_jwt),
    _shape("a bearer token", "earer ", r"(?P<shown>[Bb]earer )(?P<secret>[A-Za-z0-9._~+/-]{20,512}={0,2})",
           _looks_random),
    _shape("a password in a header", "asic ", r"(?P<shown>: ?[Bb]asic )(?P<secret>[A-Za-z0-9+/]{12,256}={0,2})",
           _is_login, begin="", anywhere=True),
    _shape("a password in an address", "://", r"(?P<shown>://[^\s/:@\"'<>]{0,256}:)"
           r"(?P<secret>[^\s/@:\"'<>(),;]{6,256})(?=@[\w.\[-])", _is_password, begin="", anywhere=True),
)  # fmt: skip

# ---- what has no shape: `API_KEY=…`, `"client_secret": "…"`

BY_NAME = "a value called secret"
_SENSITIVE = lazy_pattern(
    r"(?:token|secret|passw(?:or)?d|passphrase|credential|(?:api|access|auth|private|account|signing|encryption|master)"
    r"[ _-]?key|_key|_pass|_pwd|_auth|密[碼码鑰钥]|[金私]鑰|私钥|權杖|令牌|口令)s?"
    # Formatting may end there.
    r"(?:\\?[\"']|[*_`~|]{1,3}|</\w{1,10}>){0,3}\s{0,3}$"
)
# One of these is in every such name; looking for them is cheaper.
_WORDS = (
    "token", "secret", "pass", "credential", "key", "_pwd", "_auth", "密", "鑰", "钥", "權杖", "令牌", "口令",
)  # fmt: skip
_NAME_MAX, _BEFORE_MAX = 40, 160
_BEFORE_VALUE = frozenset("=:>\"'` \t.~*|：＝")
# What stands between a name and its value: also a table's line. No more than so many of them, and of what is around
# them, are gone back over.
_SEPARATORS, _SEPARATORS_MAX, _BETWEEN_MAX = "=:|：＝", 4, 64
# Formatting may begin before the value: marks of Markdown, or tags.
_ASSIGNED = lazy_pattern(
    r"[=:|：＝]>?(?:[ \t*|]|</?\w[^<>\n]{0,40}>){0,8}(?P<quote>\\?[\"'`]?)(?P<value>[A-Za-z0-9+/_.~-]{16,512}={0,2})"
)


def _find_by_name(text: str, start: int, end: int) -> Iterator[FoundSecret]:
    """Yield the value that a run of letters and digits is, or is a part of, if its name says that it is secret."""
    before = text[max(0, start - _BEFORE_MAX) : start]
    at = len(before)
    for _ in range(_SEPARATORS_MAX):
        at = max(before.rfind(one, 0, at) for one in _SEPARATORS)
        if at < 0 or len(before) - at > _BETWEEN_MAX:
            return
        name = before[max(0, at - _NAME_MAX) : at].lower()
        if any(word in name for word in _WORDS) and _SENSITIVE.search(name):
            break
    else:
        return
    match = _ASSIGNED.match(text, start - len(before) + at)
    if match is None or match.end("value") < end:
        return
    quote, after = match["quote"], text[match.end() : match.end() + len(match["quote"] or " ")]
    # The whole value, and not the beginning of a call or of a path.
    whole = after == quote if quote else not after or after > "\x7f" or after in " \t\r\n;,&|*'\"`)}]\\<"
    if whole and _looks_random(match["value"]):
        yield FoundSecret(match.start("value"), match.end("value"), BY_NAME)


# Shorter ones count if the name says password, secret or token: in prose, in settings, in the arguments of a program.
_PASSWORD_WORDS = (b"pass", b"pwd", b"secret", b"token")
_PASSWORD = lazy_pattern(
    # Behind a colon it is a part of a resource's name.
    r"(?<!:)(?:(?i:passw(?:or)?d|passphrase|pwd|secret|token)|密[碼码])(?i:s)?"
    r"(?:\\?[\"']|[*_`~]{1,3}|</\w{1,10}>){0,3}[ \t]{0,3}(?:=(?!=)|:(?![:/=])|[：＝])>?"
    r"(?:[ \t]|\*{1,2}|</?\w[^<>\n]{0,40}>){0,8}"
    r"(?:(?P<quote>\\?[\"'`])(?P<quoted>[^\s\"'`\\<>{}()\[\]$,;:/.]{8,64})(?P=quote)"
    r"|(?P<bare>[A-Za-z0-9!@#%^_+~?-]{8,64})(?=[\s,;\"'`|&)}\]<*\\]|\.(?:\s|\Z)|[^\x00-\x7f]|\Z))"
)
# Such values are names in code, of types and of other values, or numbers.
_NAME_LIKE = lazy_pattern(
    r"[a-z_]*(?:passw(?:or)?d|passphrase|pwd|secret|token|key)s?_?\d*|[a-z]+\d*(?:[_-](?:[a-z]+\d*|\d+))+|0x[0-9a-f]+"
    r"|.*(?:ed25519|x509|base\d\d|sha\d|oauth\d|utf_?\d|int\d|float\d|uuid|argon2|pbkdf2|aes\d|[rhe]s256|md5).*",
    re.IGNORECASE,
)
_LETTERS_MIN, _DIFFERENT_MIN = 3, 5


def _find_passwords(text: str, data: bytes) -> Iterator[FoundSecret]:
    """Yield the values that stand behind a name which says password, secret or token; `data`: the same, as bytes."""
    if b"=" not in data and b":" not in data and text.isascii():
        return
    find, places = data.lower().find, list[int]()
    for word in _PASSWORD_WORDS:
        at = find(word)
        while at >= 0:
            places.append(at)
            at = find(word, at + 1)
    if "密" in text:
        places += [match.start() for match in re.finditer("密[碼码]", text)]
    for place in places:
        if match := _PASSWORD.match(text, place):
            part = "bare" if match["quoted"] is None else "quoted"
            if _is_short_password(match[part]):
                yield FoundSecret(match.start(part), match.end(part), BY_NAME)


def _is_short_password(value: str) -> bool:
    letters = sum(letter.isalpha() for letter in value)
    if letters < _LETTERS_MIN or not any(letter.isdigit() for letter in value) or len(set(value)) < _DIFFERENT_MIN:
        return False
    return not _NAME_LIKE.fullmatch(value) and not _UUID.fullmatch(value)


# ---- the search

# What a link may have as it is, but has coded.
_CODED = lazy_pattern(r"%(?:2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")


def classes(signs: dict[str, str]) -> bytes:
    """Return a table that turns characters into the sign of their class, the last that has them, others into blanks."""
    table = bytearray(b" " * 256)
    for sign, characters in signs.items():
        for character in characters:
            table[ord(character)] = ord(sign)
    return bytes(table)


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of all these words, which is three times as fast with those together that begin alike."""
    rests: dict[str, list[str]] = {}
    for word in sorted(words):
        rests.setdefault(word[0], []).append(re.escape(word[1:]))
    return lazy_pattern("|".join(f"{re.escape(first)}(?:{'|'.join(after)})" for first, after in rests.items()))


# Nearly every credential has a run of so many of these characters, which ordinary text seldom has. Looking for runs
# first costs a tenth of looking for each shape.
_RUN_MIN, _RUN_SIGNS = 16, "_+/-"
_RUN = b"x" * _RUN_MIN
# How far before a run the anchor of a shape may begin.
_BEFORE = 32
# What of a run may be a hash or an id, and what may not; an id as one sees it there.
_KINDS = classes({"x": string.ascii_letters + _RUN_SIGNS, "0": string.digits + "abcdef", "-": "-"})
_MARKS = bytes.maketrans(b"0-", b"xx")
_ID = b"00000000-0000-0000-0000-000000000000 "
_ID_LENGTH = len(_ID)
_DIGITS = string.digits.encode()
_ANYWHERE = tuple((anchor, shape) for shape in SHAPES if shape.anywhere for anchor in shape.anchors)
_IN_RUNS = tuple((anchor, shape) for shape in SHAPES if not shape.anywhere for anchor in shape.anchors)
_ANCHOR_IN_RUN = _any_of({anchor for anchor, _ in _IN_RUNS})
# How one begins; some of them before their fixed text.
_BEGINNINGS = "|".join(
    ["sk-", "aws_s", "https?://", r"[A-Za-z0-9]{14}\.atlasv1", *(re.escape(one) for one, _ in _ANYWHERE + _IN_RUNS)]
)
_END = f"(?:(?![A-Za-z0-9])|(?={_BEGINNINGS}))"
# No credential that follows another without a sign between them is longer.
_GLUED_MAX = 4096


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("<end>", _END), re.DOTALL)


def find_secrets(text: str, *, by_name: bool = True, unseen: bool = True) -> list[FoundSecret]:
    """Return every credential in a text, in order; none overlaps another.

    `by_name`: also random values of names such as API_KEY. `unseen`: also what is split by characters that nobody sees.
    """
    found = _search(text, by_name=by_name)
    if unseen and (places := seen_places(text)):
        seen = "".join(text[place] for place in places)
        found += [
            FoundSecret(places[one.start], places[one.end - 1] + 1, one.kind) for one in _search(seen, by_name=by_name)
        ]
    if "%" in text and _CODED.search(text):
        plain, starts = _uncoded(text)
        found += [FoundSecret(starts[one.start], starts[one.end], one.kind) for one in _search(plain, by_name=by_name)]
    return _apart(found) if len(found) > 1 else found


def _uncoded(text: str) -> tuple[str, Sequence[int]]:
    """Return a text with the letters that a link has coded, and where each of its characters begins in the given one.

    One place more says where it ends.
    """
    parts, places, at = [], list[int](), 0
    for match in _CODED.finditer(text):
        parts.append(text[at : match.start()] + chr(int(match[0][1:], 16)))
        places += range(at, match.start() + 1)
        at = match.end()
    return "".join([*parts, text[at:]]), [*places, *range(at, len(text) + 1)]


def _search(text: str, *, by_name: bool) -> list[FoundSecret]:
    found = [one for anchor, shape in _ANYWHERE if anchor in text for one in _find(shape, text)]
    near: list[str] = []
    data = text.encode("latin-1", "replace") + b" "
    # There may be thousands of ids and hashes, and of names in code.
    kinds = data.translate(_KINDS)
    find, find_kind, end = kinds.translate(_MARKS).find, kinds.find, 0
    while (start := find(_RUN, end)) >= 0:
        end = start + _ID_LENGTH
        if kinds[start:end] == _ID:
            continue
        end = find(b" ", start)
        is_hex = find_kind(b"x", start, end) < 0
        # Behind anything else a run is no value.
        may_be_value = by_name and text[start - 1 : start] in _BEFORE_VALUE
        if is_hex and not may_be_value:
            continue
        run = data[start:end]
        has_digits = run.translate(None, _DIGITS) != run
        if not is_hex and (has_digits or not (run.islower() or run.isupper())):
            near.append(text[max(0, start - _BEFORE) : end])
        if has_digits and may_be_value:
            found += _find_by_name(text, start, end)
    if near:
        found += _find_in_runs(text, "\n".join(near))
        found += _find_glued(found, text)
    if by_name and (passwords := list(_find_passwords(text, data))):
        # What has a shape is told by that.
        apart = _apart(found)
        found += [one for one in passwords if not (at := bisect(apart, (one.end,))) or apart[at - 1].end <= one.start]
    return found


def _find_in_runs(text: str, runs: str) -> Iterator[FoundSecret]:
    if _ANCHOR_IN_RUN.search(runs):
        for anchor, shape in _IN_RUNS:
            if anchor in runs:
                yield from _find(shape, text)


def _find(shape: Shape, text: str) -> Iterator[FoundSecret]:
    return _checked(shape, shape.compiled().finditer(text))


def _checked(shape: Shape, matches: Iterable[re.Match[str]], at: int = 0) -> Iterator[FoundSecret]:
    for match in matches:
        if shape.check is None or shape.check(match.groupdict().get("secret") or match[0]):
            yield FoundSecret(at + match.end("shown"), at + match.end(), shape.kind)


def _find_glued(found: Iterable[FoundSecret], text: str) -> list[FoundSecret]:
    """Return the credentials that begin where another one ends, or before it does, if it took their beginning too."""
    waiting, seen, glued = list(found), set[int](), list[FoundSecret]()
    while waiting:
        one = waiting.pop()
        begun = _compiled(_BEGINNINGS).finditer(text, one.start, one.end + _BEFORE)
        starts = {match.start() for match in begun if match.start() < one.end}
        for at in sorted((starts | {one.end}) - seen):
            seen.add(at)
            # Cut off there, nothing stands before it.
            rest = text[at : at + _GLUED_MAX]
            new = [secret for shape in _beginning(rest) for secret in _checked(shape, _first(shape, rest), at)]
            glued += new
            waiting += new
    return glued


def _beginning(text: str) -> list[Shape]:
    """Return the shapes that a text may begin with."""
    head = text[: 2 * _BEFORE]
    return [shape for anchor, shape in _ANYWHERE + _IN_RUNS if anchor in head] if head[:1].isalnum() else []


def _first(shape: Shape, text: str) -> list[re.Match[str]]:
    match = shape.compiled().match(text)
    return [match] if match else []


def _apart(found: Iterable[FoundSecret]) -> list[FoundSecret]:
    apart: list[FoundSecret] = []
    for one in sorted(found):
        if apart and one.start < apart[-1].end:
            last = apart.pop()
            one = FoundSecret(last.start, max(last.end, one.end), last.kind)  # noqa: PLW2901
        apart.append(one)
    return apart


def mask_shapes(text: str, found: list[FoundSecret] | None = None) -> str:
    """Return a text with every credential, or those `found` in it, replaced by `[secret]`."""
    found = find_secrets(text) if found is None else found
    if not found:
        return text
    pieces, at = [], 0
    for one in found:
        pieces += [text[at : one.start], SECRET]
        at = one.end
    return "".join([*pieces, text[at:]])
