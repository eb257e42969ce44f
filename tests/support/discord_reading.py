"""What a person reads of a message in Discord's Markdown: its client's rules, in their order."""

from __future__ import annotations

import re

__all__ = ["fences", "read"]

# discord-markdown and simple-markdown, whose rules the client uses; a rule is tried where the ones before it fail.
ESCAPE = re.compile(r"\\([^0-9A-Za-z\s])")
FENCE = re.compile(r"```(?:([a-z0-9_+\-.#]+?)\n)?\n*([^\n][\s\S]*?)\n*```", re.IGNORECASE)
QUOTE = re.compile(r"(?: *> [^\n]*(?:\n|$))+")
HEADING = re.compile(r" *#{1,3} +(?=\S)")
ITEM = re.compile(r"( *)(?:[-*]|(\d+\.)) +(?=\S)")
URL = re.compile(r"https?://[^\s<]+[^<.,:;\"'\]\s]")
LINK = re.compile(r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]\(\s*<?((?:[^\s()\\]|\\.)*?)>?\s*\)")
MARKS = (
    re.compile(r"\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)"),
    re.compile(r"__((?:\\[\s\S]|[^\\])+?)__(?!_)"),
    re.compile(r"~~(?=\S)((?:\\[\s\S]|~(?!~)|[^\s~\\]|\s(?!~~))+?)~~"),
    re.compile(r"\|\|([\s\S]+?)\|\|"),
    re.compile(
        r"_((?:__|\\[\s\S]|[^\\_])+?)_\b(?!_)|\*(?=\S)((?:\*\*|\\[\s\S]|\s+(?:\\[\s\S]|[^\s*\\]|\*\*)|[^\s*\\])+?)\*(?!\*)"
    ),
)
CODE = re.compile(r"(`+)([\s\S]*?[^`])\1(?!`)")


def read(source: str) -> str:
    """The words of a message without its marks; list marks are bullets, links are their labels."""
    out: list[str] = []
    at = 0
    while at < len(source):
        match, said = _next(source, at)
        out.append(said)
        at = match
    return "".join(out)


def _next(source: str, at: int) -> tuple[int, str]:  # noqa: C901 - one rule after the other, as the client tries them
    if at == 0 or source[at - 1] == "\n":
        if match := QUOTE.match(source, at):
            inner = "\n".join(line.lstrip(" ")[2:] for line in match[0].split("\n") if line.strip())
            return match.end(), read(inner) + "\n"
        if match := HEADING.match(source, at):
            return match.end(), ""
        if match := ITEM.match(source, at):
            return match.end(), match[1] + (f"{match[2]} " if match[2] else "• ")
    if match := ESCAPE.match(source, at):
        return match.end(), match[1]
    if match := FENCE.match(source, at):
        return match.end(), match[2]
    if match := re.compile(r"<(https?://[^\s<>]+)>").match(source, at):
        return match.end(), match[1]
    if match := URL.match(source, at):
        return match.end(), match[0]
    if (match := LINK.match(source, at)) and "://" not in match[1]:
        return match.end(), read_inline(match[1])
    for rule in MARKS:
        if match := rule.match(source, at):
            return match.end(), read_inline(match[1] if match[1] is not None else match[2])
    if match := CODE.match(source, at):
        return match.end(), match[2].strip()
    return at + 1, source[at]


def read_inline(source: str) -> str:
    """As `read`, of words in the middle of a line."""
    return read("\u200b" + source).removeprefix("\u200b")


def fences(source: str) -> int:
    """How many code blocks a message opens without closing them."""
    # From left to right: within a code block a backslash escapes nothing.
    left = re.sub(rf"{FENCE.pattern}|\\[^0-9A-Za-z\s]", "", re.sub(r"(?m)^> ", "", source), flags=FENCE.flags)
    return left.count("```")
