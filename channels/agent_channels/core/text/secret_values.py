"""Mask credentials in what people are shown of an agent's work: commands, paths, diffs."""

from __future__ import annotations

import re
from collections.abc import Callable

from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.secret_shapes import SECRET

__all__ = ["SECRET", "mask_secrets"]

# `max_tokens=4096` counts tokens; a secret of so few digits would be none.
COUNT_DIGITS_MAX = 6


class _Pattern:
    """A pattern that is compiled when it is first needed: all of them take 20 ms, and most commands need few.

    `signs`: every match has one of these in it. Where case is ignored they are no letters: Unicode has several of some.
    """

    def __init__(self, text: str, flags: int = 0, *, signs: str | tuple[str, ...] = "") -> None:
        self.text, self.compiled = text, lazy_pattern(text, flags)
        self._signs = (signs,) if isinstance(signs, str) else signs

    def sub(self, replacement: str | Callable[[re.Match[str]], str], text: str) -> str:
        """Return the text with each match replaced."""
        for sign in self._signs:
            if sign in text:
                return self.compiled.sub(replacement, text)
        return text


# The shapes that the services document for their credentials: a fixed prefix and a minimal length. The prefix stays,
# so that a person sees what was there.
_PREFIXED = _Pattern(
    r"""(?<![A-Za-z0-9])(?:
      (?P<github>gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}
    | (?P<gitlab>gl(?:pat|ptt|dt|rt|soat)-)[A-Za-z0-9_-]{20,}
    | (?P<xox>xox[abceprs]-|xapp-)[A-Za-z0-9-]{10,}
    | (?P<openai>sk-(?:ant-|proj-|svcacct-)?)[A-Za-z0-9_-]{20,}
    | (?P<models>xai-|gsk_|r8_)[A-Za-z0-9]{20,}
    | (?P<stripe>[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{16,}
    | (?P<aws>A(?:KIA|SIA|GPA|IDA|ROA))[A-Z0-9]{16}(?![A-Z0-9])
    | (?P<google>AIza)[A-Za-z0-9_-]{35}
    | (?P<oauth>ya29\.)[A-Za-z0-9_-]{20,}
    | (?P<npm>npm_)[A-Za-z0-9]{30,}
    | (?P<pypi>pypi-)[A-Za-z0-9_-]{50,}
    | (?P<hugging>hf_)[A-Za-z0-9]{30,}
    | (?P<sendgrid>SG\.)[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}
    | (?P<digital>do[opr]_v1_)[a-f0-9]{40,}
    | (?P<vault>hv[bsr]\.)[A-Za-z0-9_-]{20,}
    | (?P<shopify>shp(?:at|ca|pa|ss)_)[A-Za-z0-9]{20,}
    | (?P<grafana>gl(?:sa|c)_)[A-Za-z0-9_+/=-]{20,}
    | (?P<docker>dckr_(?:pat|oat)_)[A-Za-z0-9_-]{20,}
    | (?P<atlassian>ATATT3)[A-Za-z0-9_=-]{20,}
    | (?P<others>lin_api_|ntn_|sbp_|PMAK-|tskey-(?:auth|api|client)-)[A-Za-z0-9-]{20,}
    | (?P<age>AGE-SECRET-KEY-1)[A-Z0-9]{50,}
    | (?P<jwt>eyJ)[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*
    )""",
    re.VERBOSE,
    signs=("_", "-", ".", "AKIA", "ASIA", "AGPA", "AIDA", "AROA", "AIza", "ATATT3"),
)
_PRIVATE_KEY = _Pattern(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
    signs="-----BEGIN ",
)

# ---- the parts of the patterns. Every repetition is bounded, or cannot be tried again at the next character, so that
# the search stays linear in a long text without white space.

_BLANK = r"(?:[^\S\n]|\\[ ]|\\\n)"
# What a shell runs inside a value is never masked: the person who approves a command has to see it.
_RUN = r"(?:\$\([^)\n]|`[^`\n]*`)"
# A quote opens with as many backslashes as it closes: `"{\"password\": \"x\"}"`.
_QUOTED = (
    r"""(?>(?P<single>\\{0,7}')(?:(?!(?P=single)).)*+(?:(?P=single))?+"""
    rf"""|(?P<double>\\{{0,7}}")(?:(?!(?P=double)|{_RUN})(?:\\[\\"$`]|.))*+(?:(?P=double))?+)"""
)
_BARE = rf"""(?:\\[^"'\n]|(?!{_RUN})[^\s"'\\&;|<>])++"""
# What a shell joins to such a value: 'a'\''b', "a"b, a"b".
_JOINED = r"""(?:\\'(?:'[^'\n]*')?|'[\w.%+/@#!~^*-]+'|"[\w.%+/@#!~^*-]+"|[\w.%+/@#!~^*-]+)*+"""
_VALUE = rf"(?P<value>(?s:{_QUOTED}|{_BARE}))"

# What a name contains that is a secret's, in whatever case.
_WORD = (
    r"token|secret|passw(?:or)?d|passphrase|passcode|密[碼码]|credentials?|shared_?access_?signature"
    r"|(?:api|access|account|encryption|signing|master|private)[_-]?key"
)
# What only ends the name of a variable: STRIPE_KEY, DBPASS; not KEY_COUNT, AUTHOR, BYPASS, PUBLIC_KEY.
_VARIABLE = (
    r"(?-i:[A-Z0-9_]{0,64}(?:(?<![A-Z0-9])(?:AUTH|PASS|PWD|PW)|(?<!BY)(?<!COM)(?<!TRES)(?<!SUR)PASS"
    r"|(?<!PUBLIC)(?<!PRIMARY)(?<!FOREIGN)(?<!SORT)(?<!CACHE)(?<!PARTITION)(?<!HOST)(?<!GROUP)(?<=[A-Z0-9])_KEY))"
)
_NAME = rf"[\w.-]{{0,64}}(?:{_WORD})[\w.-]{{0,64}}"
# Blanks around it only before a quote: in a shell, what follows `TOKEN= ` is a program.
_ASSIGNED = (
    rf"""(?:(?P<equals>(?:[=＝]|%3D)(?![=\s])|{_BLANK}{{1,8}}:?=(?:(?![=\s>])|>?{_BLANK}{{1,8}}(?=\\{{0,7}}["'])))"""
    rf"""|{_BLANK}{{0,8}}(?::(?!//|=)|：){_BLANK}*+)"""
)
# `name=value`, `name: value`, `--name value`: what is called a secret is one, whatever it looks like.
_NAMED = _Pattern(
    # Most words are not followed by a value, which is found out sooner than what they contain.
    rf"""(?P<name>(?<![\w$])(?=[\w.-]{{1,160}}+\\{{0,7}}["']?{_BLANK}{{0,8}}[=＝:：%])"""
    rf"""(?:{_NAME}|{_VARIABLE}|\w{{0,32}}(?<![^\W_])(?:pass|pwd|_auth))\\{{0,7}}["']?{_ASSIGNED}"""
    rf"""|(?<![\w-])--(?:{_NAME}|pass|pwd){_BLANK}++(?!-))"""
    rf"""{_VALUE}(?P<more>(?(equals){_JOINED}))""",
    re.IGNORECASE,
    signs=("=", "＝", "%3", ":", "：", "--"),
)
# `npm config set //host/:_authToken x`, `aws configure set aws_secret_access_key x`, `setx TOKEN x`, fish's `set -x`.
_CONFIGURED = _Pattern(
    rf"(?P<name>\b(?:config(?:ure)?{_BLANK}++set|setx|set{_BLANK}++-\w{{1,4}}){_BLANK}++"
    rf"""(?:[^\s="']{{0,128}}[/:])?["']?(?:{_NAME}|{_VARIABLE}|_auth)["']?{_BLANK}++)(?P<value>(?s:{_QUOTED}|{_BARE}))""",
    re.IGNORECASE,
)
# A name whose value says where a secret is, or how it comes in, but not what it is.
_PLACE = re.compile(r"""[_-](?:file|path|dir|name|stdin)\W*$""", re.IGNORECASE)
# `TOKEN=$(echo x)`
_ECHOED = _Pattern(
    rf"""(?P<name>(?<![\w$])(?=[\w.-]{{1,160}}+=)(?:{_NAME}|{_VARIABLE})="?(?:\$\(|`){_BLANK}{{0,8}}(?:echo|printf){_BLANK}{{1,8}}(?:-n{_BLANK}{{1,8}})?)"""
    r"""(?P<value>(?P<quote>["']?)[^\s"'$`()|;&<>\\]++(?P=quote))(?=[^\S\n]*[)`])""",
    re.IGNORECASE,
    signs="=",
)

# The kind of credential stays.
_SCHEME = rf"(?:(?:bearer|basic|token|digest|bot|api-?key|negotiate|ntlm|aws4-hmac-sha256){_BLANK}++)?+"
_HEADER_NAME = r"(?<![\w-])(?:(?:proxy-)?authorization|(?:x-)?api-key|private-token|x-auth-token|(?:set-)?cookie)"
_HEADER_REST = rf"(?:(?!(?P=quote)|{_RUN})(?:\\[\\\"]|[^\n]))++"
# All of it, up to the end of the quotes around the header or its value.
_HEADER = _Pattern(
    rf"""(?P<name>(?P<quote>\\{{0,7}}["']){_HEADER_NAME}{_BLANK}*+[:=]{_BLANK}*+{_SCHEME})(?P<value>{_HEADER_REST})""",
    re.IGNORECASE,
    signs=(":", "="),
)
_HEADER_VALUE = _Pattern(
    rf"""(?P<name>{_HEADER_NAME}(?:\\{{0,7}}["'])?{_BLANK}*+[:=]{_BLANK}*+[bfru]?(?P<quote>\\{{0,7}}["']){_SCHEME})"""
    rf"""(?P<value>{_HEADER_REST})""",
    re.IGNORECASE,
    signs=(":", "="),
)
# Without quotes: a word, which another may introduce, or cookies.
_HEADER_BARE = _Pattern(
    rf"""(?P<name>{_HEADER_NAME}{_BLANK}*+[:=]{_BLANK}*+{_SCHEME})"""
    rf"""(?P<value>(?:[a-z][\w-]{{0,30}}{_BLANK}++(?=[^\s"'&;|<>]{{8}}))?{_BARE}"""
    rf"""(?:;{_BLANK}{{0,8}}[\w.-]{{1,64}}=[^\s"'&;|<>]++)*+)""",
    re.IGNORECASE,
    signs=(":", "="),
)
_BEARER = _Pattern(rf"(?P<name>\bbearer{_BLANK}++)(?P<value>[A-Za-z0-9._~+/=-]{{12,}})", re.IGNORECASE)

# An address: its password, in which an @ may stand; a token in place of the user; what is signed, and webhooks.
_USERINFO = _Pattern(
    r"(?P<name>(?<![a-zA-Z0-9])[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s/:@]{0,256}:)"
    r"""(?P<value>[^\s/@]++(?:@[^\s/@"'<>,;&|?#()]++)*)(?=@)""",
    signs="://",
)
_USER_TOKEN = _Pattern(
    r"(?P<name>(?<![a-zA-Z0-9])[a-zA-Z][a-zA-Z0-9+.-]{0,30}://)"
    r"(?P<value>(?=[a-zA-Z_.~-]{0,256}\d)[\w.~-]{20,256})(?=(?::[^\s/@]*)?@)",
    signs="://",
)
_QUERY = _Pattern(
    r"(?P<name>[?&](?:key|sig|signature|x-(?:amz|goog)-signature|auth|pass|pwd)=)(?P<value>[^\s\"'&#;|<>\\]++)",
    re.IGNORECASE,
    signs="=",
)
_WEBHOOK = _Pattern(
    r"(?P<name>(?:\bhooks\.[\w.-]{1,64}/(?:services|workflows|triggers)|/webhooks?/\d{1,32})/)(?P<value>[\w/-]{16,})",
    re.IGNORECASE,
    signs="/",
)

# ---- options that are a secret's in some programs only

# A word of a command line; so many may stand between a program and its option.
_ARGUMENT = r"""(?>(?:"(?:[^"\\]|\\.)*+"|'[^']*+'|\\.|[^\s"'\\&;|<>()])++)"""
_ARGUMENTS = rf"(?:{_BLANK}++{_ARGUMENT}){{0,40}}?"
_SEPARATE, _ATTACHED, _EITHER = rf"{_BLANK}++", "", rf"{_BLANK}*+"
_REGISTRIES = rf"docker|podman|nerdctl|buildah|skopeo|(?:helm|oras){_BLANK}++registry|oras|az|oc|cf"
_PROGRAMS = (
    # Its own options alone: what stands behind them is another program's.
    rf"sshpass(?:{_BLANK}++-[^\s\"'&;|<>p]*+){{0,8}}{_BLANK}++-p{_EITHER}",
    rf"(?:{_REGISTRIES}){_BLANK}++login{_ARGUMENTS}{_BLANK}++-p{_SEPARATE}",
    rf"(?:redis|valkey|keydb)-cli{_ARGUMENTS}{_BLANK}++-a{_SEPARATE}",
    rf"(?:mysql|mariadb)[\w-]{{0,16}}{_ARGUMENTS}{_BLANK}++-p{_ATTACHED}",
    rf"(?:mongo|mongo(?:sh|dump|restore|export|import)){_ARGUMENTS}{_BLANK}++-p{_SEPARATE}",
    rf"(?:zip|unzip|zipcloak){_ARGUMENTS}{_BLANK}++-[a-zA-Z]{{0,8}}P{_EITHER}",
    rf"(?:7z[arz]?|(?:un)?rar){_ARGUMENTS}{_BLANK}++-h?p{_ATTACHED}",
    # A file of cookies has no `=` in its name.
    rf"curl{_ARGUMENTS}{_BLANK}++(?:-b{_EITHER}|--cookie(?:=|{_SEPARATE}))(?=[\"']?[\w.-]{{1,64}}=)",
    rf"ldap(?:search|add|modify|delete|passwd|whoami){_ARGUMENTS}{_BLANK}++-w{_EITHER}",
)
_OPTION = _Pattern(rf"(?P<name>(?<![\w.-])(?:{'|'.join(_PROGRAMS)})){_VALUE}", signs="-")
# `-u user:password` of curl and others, and curl's short options written as one.
_USER = _Pattern(
    rf"""(?P<name>(?:(?<=\s)-u(?:=|{_BLANK}++)|--(?:proxy-)?user(?:=|{_BLANK}++)"""
    rf"""|(?<![\w.-])(?:curl{_ARGUMENTS}{_BLANK}++-[a-zA-Z#]{{0,12}}[uU]|(?:https?|xh){_ARGUMENTS}{_BLANK}++(?:-a|--auth)){_BLANK}*+)"""
    # Two numbers are ids.
    r"""(?!\d{1,10}:\d{1,10}(?:\s|$))(?:(?P<quote>\\{0,7}["'])(?:(?!(?P=quote))[^:\n]){0,256}+|[^\s:"']{1,256}+):(?!//))"""
    rf"""(?P<value>(?(quote)(?:(?!(?P=quote)|{_RUN})[^\n])++|{_BARE}))""",
    signs=":",
)
_PATTERNS = (
    _USERINFO, _USER_TOKEN, _QUERY, _WEBHOOK, _HEADER, _HEADER_VALUE, _HEADER_BARE, _BEARER, _USER, _OPTION,
    _CONFIGURED, _ECHOED, _NAMED,
)  # fmt: skip

# `$TOKEN`, `${TOKEN}`, `$(pass show x)`, `$1`, `%TOKEN%`, `%s`, `{token}`; `$2b$12$…` is a hash.
_REFERENCE = re.compile(r"\$(?:[A-Za-z_{(]|[\d@*#?](?![\w$]))|%(?:\w+%|[({]|[srd]\b)|`")
# What a workflow puts in, also between single quotes: `${{ secrets.TOKEN }}`.
_EXPRESSION = re.compile(r"\$\{\{[^{}]*\}\}")
_WORDS = frozenset({"true", "false", "none", "null", "yes", "no", "basic", "digest", "bearer"})
_OPENING = re.compile(r"""\\*["']""")
# Where the value that a quote begins ends at the latest, because a command goes on there: `echo 'password:"' && rm x`.
_GOES_ON = re.compile(r"""["']\s*(?:[;|&\n]|$)""")
_WORD_BEFORE_MORE = re.compile(r"(?P<word>[^\s;|&]*+)[^;|&\n]*+[;|&\n]")


def mask_secrets(text: str) -> str:
    """Return the text with every credential in it replaced by `[secret]`; what it is called stays.

    A value that is a reference, such as `$TOKEN`, is not one.
    """
    text = _PRIVATE_KEY.sub(SECRET, text)
    text = _PREFIXED.sub(lambda match: f"{match[match.lastgroup or 0]}{SECRET}", text)
    for pattern in _PATTERNS:
        text = pattern.sub(_mask_value, text)
    return text


def _mask_value(match: re.Match[str]) -> str:
    groups = match.groupdict()
    value = groups["value"]
    opening = _OPENING.match(value)
    quote = opening[0] if opening else ""
    closed = len(value) >= 2 * len(quote) and value.endswith(quote)
    bare = value[len(quote) : len(value) - len(quote)] if closed else value[len(quote) :]
    rest = ""
    if quote and (cut := _cut(bare, closed=closed)) < len(bare):
        rest, bare, closed = value[len(quote) + cut :] + groups.get("more", ""), bare[:cut], False
    literal = (quote or groups.get("quote") or "").endswith("'")
    if not bare or bare.startswith(SECRET) or bare.lower() in _WORDS or _EXPRESSION.fullmatch(bare):
        return match[0]
    if _REFERENCE.match(bare) and not literal:
        return match[0]
    if match.re.pattern in {_NAMED.text, _QUERY.text} and (_is_count(bare) or _PLACE.search(groups["name"])):
        return match[0]
    # The shell's own name of the folder that it is in.
    if groups["name"] in {"PWD=", "OLDPWD="} and bare.startswith("/"):
        return match[0]
    return f"{groups['name']}{quote}{SECRET}{quote if closed else ''}{rest}"


def _cut(bare: str, *, closed: bool) -> int:
    """Return how much of what follows a quote is its value: what a shell would run after it is shown on the card."""
    found = _GOES_ON.search(bare)
    end = len(bare) if found is None else found.start()
    word = None if closed else _WORD_BEFORE_MORE.match(bare)
    # Nothing closes the quote, so it opens no more than a word if a command may follow.
    return end if word is None else min(end, word.end("word"))


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= COUNT_DIGITS_MAX
