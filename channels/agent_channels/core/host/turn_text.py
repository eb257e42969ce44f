"""A turn in words for people: how long it takes, its steps, what still runs, its plan, and how it ended.

What a step says was masked before it was written down; nothing else of a tool's input, and nothing of its result, is
known here.
"""

from __future__ import annotations

import time

from agent_channels.core.host.turns import Ending, Step, Turn
from agent_channels.core.i18n.messages import translate
from agent_channels.core.text.sanitize import label

__all__ = ["DraftText", "duration", "ending_line", "progress_text", "running_words", "summary", "working_line"]

# More lines than these say nothing more to somebody with a phone. With lines of this length, in characters, everything
# together stays below 2,000, which is the shortest message that a platform takes.
RUNNING_MAX = 3
PLAN_MAX = 8
LINE_MAX = 90
# Lines of a draft; above that its older half goes.
DRAFT_MAX = 20
# Of the part of a plan that is done, so many items stay in sight.
PLAN_DONE_MAX = 2
_ENDINGS: dict[Ending, str] = {
    "done": "progress_done",
    "stopped": "progress_stopped",
    "failed": "progress_failed",
    "interrupted": "progress_interrupted",
    "gone": "progress_gone",
}


def duration(seconds: float) -> str:
    """Return `0:07`, `2:31` or `1:02:03`."""
    minutes, left = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def summary(turn: Turn, now: float | None = None) -> str:
    """Return `2:31, 14 steps, 3 files`: the time from the turn's beginning to its end, or to now."""
    until = turn.ended_at or now or time.time()
    parts = [duration(until - turn.began_at)]
    steps, files = turn.detail.steps, len(turn.detail.files)
    parts += [translate("turn_step") if steps == 1 else translate("turn_steps", count=steps)] if steps else []
    parts += [translate("turn_file") if files == 1 else translate("turn_files", count=files)] if files else []
    return ", ".join(parts)


def running_words(turn: Turn, now: float | None = None) -> str:
    """Return what still runs, and for how long, as a sentence; "" if nothing does."""
    now = now or time.time()
    running = [f"{step.words} ({duration(now - step.since)})" for step in turn.detail.running[:RUNNING_MAX]]
    return translate("turn_running", what="; ".join(running)) if running else ""


def working_line(turn: Turn, now: float | None = None) -> str:
    """Return `2:31, 14 steps: Bash: npm test (0:12)`, for a status."""
    now = now or time.time()
    running = [_with_time(step, now) for step in turn.detail.running[:RUNNING_MAX]]
    return f"{summary(turn, now)}: {'; '.join(running) or translate('progress_thinking')}"


def ending_line(turn: Turn) -> str:
    """Return how a turn ended, in one line."""
    user = label(turn.stop_by or "?")
    return translate(_ENDINGS[turn.ending or "gone"], user=user, summary=summary(turn))


def progress_text(turn: Turn, now: float, *, verbose: bool = False) -> str:
    """Return what a turn that runs shows: what it did last, what runs and since when, its plan, what its host says.

    `now`: epoch seconds; the texts of two moments differ only in durations if the turn came no further between them.
    `verbose`: also what the agent last said.
    """
    detail, stopping = turn.detail, turn.stop_at is not None
    lines = [translate("progress_stopping" if stopping else "progress_working", summary=summary(turn, now))]
    if not stopping:
        lines += [translate("progress_step", words=label(words, LINE_MAX)) for words in detail.recent]
    lines += [translate("progress_running", what=_with_time(step, now)) for step in detail.running[:RUNNING_MAX]]
    if len(detail.running) > RUNNING_MAX:
        lines.append(translate("progress_more", count=len(detail.running) - RUNNING_MAX))
    if not (detail.running or detail.note or stopping):
        lines.append(translate("progress_running", what=translate("progress_thinking")))
    if detail.note:
        lines.append(detail.note)
    if stopping:
        return "\n".join(lines)
    if plan := _plan_lines(detail.plan):
        lines += ["", *plan]
    if verbose and detail.words:
        lines += ["", translate("progress_words", words=detail.words)]
    return "\n".join(lines)


class DraftText:
    """What a draft shows of a turn: lines that are only ever added, since what changes above the end flickers."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._seen: set[str] = set()
        self._steps, self._notes = 0, ("", "")

    def text(self, turn: Turn, *, verbose: bool = False) -> str:
        """Return the text as it is now: a line for each step that began, and for what its host or agent says."""
        detail = turn.detail
        new = [step for step in detail.running if step.call not in self._seen]
        # Those that began and ended since the last look are only known by their words.
        ended = detail.steps - self._steps - len(new)
        words = [*(detail.recent[-ended:] if ended > 0 else ()), *(step.words for step in new)]
        self._lines += [translate("progress_step", words=label(line, LINE_MAX)) for line in words]
        self._seen |= {step.call for step in new}
        self._steps = max(self._steps, detail.steps)
        said = (detail.note, translate("progress_words", words=detail.words) if verbose and detail.words else "")
        self._lines += [line for line, before in zip(said, self._notes, strict=True) if line and line != before]
        self._notes = said
        if len(self._lines) > DRAFT_MAX:
            self._lines = self._lines[-DRAFT_MAX // 2 :]
        return "\n".join(self._lines) or translate("progress_running", what=translate("progress_thinking"))


def _with_time(step: Step, now: float) -> str:
    return f"{label(step.words, LINE_MAX)} ({duration(now - step.since)})"


def _plan_lines(plan: list[tuple[str, str, bool]]) -> list[str]:
    """Return the part of a plan that is worked on, and how much there is before and after it."""
    first_open = next((at for at, (_, _, done) in enumerate(plan) if not done), len(plan))
    start = max(0, min(first_open - PLAN_DONE_MAX, len(plan) - PLAN_MAX))
    end = start + PLAN_MAX
    lines = [translate("progress_plan_done", count=start)] if start else []
    lines += [f"{'☑' if done else '☐'} {label(text, LINE_MAX)}" for _, text, done in plan[start:end]]
    return [*lines, translate("progress_more", count=len(plan) - end)] if len(plan) > end else lines
