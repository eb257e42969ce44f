"""Mask credentials in what people are shown of an agent's work: commands, paths, diffs."""

from __future__ import annotations

import re

__all__ = ["SECRET", "mask_secrets"]

SECRET = "[secret]"  # noqa: S105
# `max_tokens=4096` counts tokens; a secret of so few digits would be none.
COUNT_DIGITS_MAX = 6

# The shapes that the services document for their credentials: a fixed prefix and a minimal length. The prefix stays,
# so that a person sees what was there.
_PREFIXED = re.compile(
    r"""(?<![A-Za-z0-9])(?:
      (?P<github>gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}
    | (?P<gitlab>gl(?:pat|ptt|dt|rt|soat)-)[A-Za-z0-9_-]{20,}
    | (?P<xox>xox[abceprs]-|xapp-)[A-Za-z0-9-]{10,}
    | (?P<openai>sk-(?:ant-|proj-|svcacct-)?)[A-Za-z0-9_-]{20,}
    | (?P<stripe>[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{16,}
    | (?P<aws>A(?:KIA|SIA|GPA|IDA|ROA))[A-Z0-9]{16}(?![A-Z0-9])
    | (?P<google>AIza)[A-Za-z0-9_-]{35}
    | (?P<oauth>ya29\.)[A-Za-z0-9_-]{20,}
    | (?P<npm>npm_)[A-Za-z0-9]{30,}
    | (?P<pypi>pypi-)[A-Za-z0-9_-]{50,}
    | (?P<hugging>hf_)[A-Za-z0-9]{30,}
    | (?P<sendgrid>SG\.)[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}
    | (?P<digital>do[opr]_v1_)[a-f0-9]{40,}
    | (?P<age>AGE-SECRET-KEY-1)[A-Z0-9]{50,}
    | (?P<jwt>eyJ)[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*
    )""",
    re.VERBOSE,
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# `name=value`, `name: value`, `--name value`: what is called a secret is one, whatever it looks like.
_WORD = r"token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credentials?"
# Bounds keep the search linear in a long text without white space.
_NAME = rf"[\w.-]{{0,64}}(?:{_WORD})[\w.-]{{0,64}}"
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s"'&;|<>]+)"""
_NAMED = re.compile(
    rf"""(?P<name>(?<![\w$])(?:{_NAME}|pass|pwd)["']?\s*(?:=|:(?!//)\s*)|(?<![\w-])--{_NAME}\s+)(?P<value>{_VALUE})""",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"""(?P<name>\b(?:authorization|x-api-key|private-token|cookie)["']?\s*[:=]\s*"""
    r"""(?:bearer |basic |token )?)[^\s"']+""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<name>\bbearer\s+)[A-Za-z0-9._~+/=-]{12,}", re.IGNORECASE)
# curl's and others' `-u user:password`, and the same in an address.
_USER = re.compile(r"""(?P<name>(?:\s-u|--user)[ =]["']?[^\s:"']+:)[^\s"']+""")
_USERINFO = re.compile(r"(?P<name>(?<![a-zA-Z0-9])[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s/:@]{0,256}:)[^\s/@]+(?=@)")


def mask_secrets(text: str) -> str:
    """Return the text with every credential in it replaced by `[secret]`; what it is called stays.

    A value that is a reference, such as `$TOKEN`, is not one.
    """
    text = _PRIVATE_KEY.sub(SECRET, text)
    text = _PREFIXED.sub(lambda match: f"{match[match.lastgroup or 0]}{SECRET}", text)
    text = _USERINFO.sub(rf"\g<name>{SECRET}", text)
    text = _HEADER.sub(rf"\g<name>{SECRET}", text)
    text = _BEARER.sub(rf"\g<name>{SECRET}", text)
    text = _USER.sub(rf"\g<name>{SECRET}", text)
    return _NAMED.sub(_mask_value, text)


def _mask_value(match: re.Match[str]) -> str:
    value = match["value"]
    bare = value.strip("\"'")
    counted = bare.isascii() and bare.isdigit() and len(bare) <= COUNT_DIGITS_MAX
    if not bare or counted or bare.startswith(("$", "%", SECRET)) or bare.lower() in {"true", "false", "none", "null"}:
        return match[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{match['name']}{quote}{SECRET}{quote}"
