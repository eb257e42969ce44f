"""Patterns that address the bot in a group. Strangers choose the text, so a process with a deadline matches them."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING

import anyio

from agent_channels.core.errors import Refused
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.people.pattern_worker import NOT_REGULAR

if TYPE_CHECKING:
    from anyio.abc import Process

__all__ = ["PATTERNS_MAX", "PatternMatcher", "checked"]

logger = logging.getLogger(__name__)
PATTERNS_MAX = 20
LENGTH_MAX = 300
# Judging a pattern, and matching a batch of messages, with the start of the process.
JUDGE_WITHIN_S = 15.0
MATCH_WITHIN_S = 10.0
# A pattern that took too long for one message is not tried again for this long.
REST_S = 30.0
ANSWER_MAX = 1 << 20
# Without the user's own packages and the current folder, from which it would import what a project calls `regex`.
WORKER = (sys.executable, "-I", str(Path(__file__).with_name("pattern_worker.py")))


def checked(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns, each once.

    Raises `Refused` naming one that is invalid, too long, empty, too broad, or too slow on a text that is hard for it.
    """
    found = tuple(dict.fromkeys(patterns))
    if len(found) > PATTERNS_MAX:
        raise Refused(
            sentence(
                "there are {count} patterns; at most {most} are allowed: join some with |",
                count=len(found),
                most=PATTERNS_MAX,
            )
        )
    for pattern in found:
        if not pattern or len(pattern) > LENGTH_MAX:
            raise Refused(
                sentence(
                    "a pattern has {count} characters; it must have 1 to {most}", count=len(pattern), most=LENGTH_MAX
                )
            )
    for pattern, problem in zip(found, _judged(found), strict=True):
        if problem:
            raise Refused(_refusal(pattern, problem))
    return found


def _refusal(pattern: str, problem: str) -> str:
    if problem.startswith(NOT_REGULAR):
        error = problem.removeprefix(NOT_REGULAR)
        return sentence("the pattern {pattern!r} is not a regular expression: {error}", pattern=pattern, error=error)
    return sentence("the pattern {pattern!r} {problem}", pattern=pattern, problem=problem)


def _judged(patterns: tuple[str, ...]) -> list[str]:
    """Return why each pattern is not taken, "" for one that is."""
    if not patterns:
        return []
    request = json.dumps({"judge": patterns}) + "\n"
    try:
        answers = subprocess.run(  # noqa: S603 - our own file; the patterns are its input
            WORKER, input=request.encode(), capture_output=True, timeout=JUDGE_WITHIN_S, check=False
        ).stdout
    except subprocess.TimeoutExpired as error:
        answers = error.stdout or b""
    judged = [str(json.loads(line)) for line in answers.splitlines(keepends=True) if line.endswith(b"\n")]
    # It was killed while it judged the first one that has no answer, or ended by itself.
    missing = "takes too long to be judged; write it without nested repetition"
    return [*judged, *[missing] * (len(patterns) - len(judged))]


class PatternMatcher:
    """Matches texts in a process of its own, started when it is first needed."""

    def __init__(self) -> None:
        self._process: Process | None = None
        # Until when (monotonic) a pattern that took too long rests.
        self._resting: dict[str, float] = {}

    async def matching(self, patterns: Sequence[str], texts: Sequence[str]) -> set[str]:
        """Return the texts in which a pattern is found. Whatever takes too long does not match."""
        now = time.monotonic()
        awake = [pattern for pattern in patterns if self._resting.get(pattern, 0.0) <= now]
        if not awake or not texts:
            return set()
        try:
            with anyio.fail_after(MATCH_WITHIN_S):
                answer = json.loads(await self._ask({"patterns": awake, "texts": texts}))
        except (TimeoutError, OSError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            logger.warning("the patterns of a group were not matched: %r", error)
            await self.close()
            self._rest(awake)
            return set()
        self._rest(answer["slow"])
        return {text for text, found in zip(texts, answer["found"], strict=True) if found}

    def _rest(self, patterns: Sequence[str]) -> None:
        for pattern in patterns:
            logger.warning("the pattern %r took too long for a message; it rests for %d s", pattern, REST_S)
            self._resting[pattern] = time.monotonic() + REST_S

    async def _ask(self, request: dict[str, object]) -> bytes:
        if self._process is None:
            self._process = await anyio.open_process(WORKER, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("no pipes to the process that matches patterns")
        await stdin.send(json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += await stdout.receive(ANSWER_MAX)
        return answer

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            with anyio.CancelScope(shield=True):
                await process.aclose()
