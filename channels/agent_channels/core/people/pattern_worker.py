"""The process that matches group patterns: a line of JSON in, a line of JSON out, until its input ends.

A regular expression cannot be interrupted from outside and holds the interpreter's lock, so it runs in a process that
can be killed. It is started by its path and imports nothing of this program.
"""

from __future__ import annotations

import importlib
import json
import re
import signal
import sys
import time
from functools import lru_cache
from typing import Any

# Processor time for one pattern and one text, in seconds: in a chat, for all texts at once, and when it is judged.
BOUND_S = 0.02
TOTAL_S = 0.1
JUDGE_S = 0.1
# How much of a message is searched.
TEXT_MAX = 4096
# What the reason begins with that the engine gives.
NOT_REGULAR = "is not a regular expression: "
# A request that takes longer than this many seconds ends the process.
ALARM_S = 20


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """Return a pattern that ignores case. Raises whatever its engine raises for one that is not valid."""
    # Unlike the standard library's, this engine has a time-out.
    regex = importlib.import_module("regex")
    return regex.compile(pattern, regex.IGNORECASE)


def search(pattern: str, text: str, bound_s: float) -> bool:
    """Return True if a pattern is found in a text. Raises `TimeoutError` above so much processor time.

    The engine counts the time that passes; a busy machine gives this process only a part of it, so it is tried again.
    """
    expression = compiled(pattern)
    for patience in (1, 10, 50):
        began = time.process_time()
        try:
            return bool(expression.search(text, timeout=patience * bound_s))
        except TimeoutError:
            if time.process_time() - began > bound_s / 2:
                raise
    raise TimeoutError


def match(patterns: list[str], texts: list[str]) -> dict[str, Any]:
    """Return which texts match a pattern, and which patterns took too long and were given up."""
    found: list[bool] = []
    slow: list[str] = []
    spent = dict.fromkeys(patterns, 0.0)
    for text in texts:
        matched = False
        for pattern in patterns:
            if matched or pattern in slow:
                continue
            began = time.process_time()
            try:
                matched = search(pattern, text[:TEXT_MAX], BOUND_S)
            except Exception:  # noqa: BLE001 - a time-out, or one that an older version took and the engine no longer does
                slow.append(pattern)
                continue
            spent[pattern] += time.process_time() - began
            if spent[pattern] > TOTAL_S:
                slow.append(pattern)
        found.append(matched)
    return {"found": found, "slow": slow}


def judge(pattern: str) -> str:
    """Return why a pattern is not taken, as the end of a sentence; "" if it is."""
    try:
        if search(pattern, "", JUDGE_S):
            return "matches every message; use --no-mention for that"
        for sample in samples(pattern):
            search(pattern, sample, JUDGE_S)
    except TimeoutError:
        return "takes too long on a text that is hard for it; write it without nested repetition"
    except Exception as error:  # noqa: BLE001 - it compiles what people type, and has errors of many types
        return f"{NOT_REGULAR}{error}"
    return ""


def samples(pattern: str) -> list[str]:
    """Return texts that are hard for many patterns: what a pattern names, over and over, and then something else.

    What it names is also there once more at the end: an engine looks first whether a text has it at all.
    """
    words = re.findall(r"\w+", re.sub(r"\\[a-zA-Z]", " ", pattern))
    characters = [*dict.fromkeys("a0 _-." + "".join(words) + pattern)][:60]
    marks = dict.fromkeys(re.findall(r"[^\w\s]", pattern))
    last = pattern.rstrip("$)*+?")[-1:]
    ends = ("\x00", "\n!", "\x00" + "".join(dict.fromkeys(pattern)), f"\x00{last}")
    parts = [
        *characters,
        *dict.fromkeys(words),
        "".join(words),
        " ".join(words),
        "ab",
        "a ",
        "a.b@",
        "/x",
        *(f"a{mark}" for mark in marks),
    ]
    return [(part * TEXT_MAX)[: TEXT_MAX - len(end)] + end for part in parts if part for end in ends]


def answer(value: object) -> None:
    """Write a line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer requests."""
    for line in sys.stdin:
        request = json.loads(line)
        if hasattr(signal, "alarm"):
            signal.alarm(ALARM_S)
        if "judge" in request:
            # One line for each, so that those before a pattern that hangs are answered.
            for pattern in request["judge"]:
                answer(judge(pattern))
        else:
            answer(match(request["patterns"], request["texts"]))
        if hasattr(signal, "alarm"):
            signal.alarm(0)


if __name__ == "__main__":
    main()
