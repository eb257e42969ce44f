"""What people decide about a turn: to stop it, and whether what the agent said at its end is sent to the chat."""

from __future__ import annotations

from collections.abc import Sequence

from agent_channels.core.buttons.panels import Panel
from agent_channels.core.contract.messages import Person
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.host.final_answers import FinalAnswers
from agent_channels.core.host.loops import Loops
from agent_channels.core.host.turn_text import running_words
from agent_channels.core.host.turns import Place, Turn, Turns
from agent_channels.core.i18n.messages import translate
from agent_channels.core.store.audit import Audit
from agent_channels.core.text.sanitize import label

__all__ = ["DROP", "SEND", "STOP", "TurnButtons", "is_stop", "offer_grid", "stop_grid", "stopping_words"]

STOP, SEND, DROP = "stop", "send", "drop"


def stop_grid() -> Grid:
    """Return the button that stops a turn."""
    return ((Button(translate("button_stop"), STOP, "danger"),),)


def is_stop(panel: Panel) -> bool:
    """Return whether a panel is the button that stops a turn, and so no question."""
    return panel.turn_id is not None and panel.grid[0][0].value == STOP


def offer_grid() -> Grid:
    """Return the buttons of an answer that was given at the terminal."""
    send, drop = Button(translate("button_send"), SEND, "primary"), Button(translate("button_dont_send"), DROP)
    return ((send, drop),)


def stopping_words(turns: Sequence[Turn]) -> str:
    """Return what somebody is told who stopped turns: that they end at their next step, and what runs until then."""
    running = " ".join(filter(None, map(running_words, turns)))
    return translate("stop_requested") + (f"\n{running}" if running else "")


class TurnButtons:
    """Decide in the transaction of the tap or command."""

    def __init__(self, turns: Turns, answers: FinalAnswers, loops: Loops, audit: Audit) -> None:
        self._turns, self._answers, self._loops, self._audit = turns, answers, loops, audit

    def stop(self, turn_ids: Sequence[str], by: Person) -> list[Turn]:
        """Ask turns to stop, and end the loops that would begin the next; return those not asked before."""
        asked = [turn_id for turn_id in turn_ids if self._turns.request_stop(turn_id, by.display_name)]
        for turn_id in asked:
            self._audit.add("stop", by.id, turn_id)
        stopping = [turn for turn_id in asked if (turn := self._turns.get(turn_id)) is not None]
        self._loops.stop_in((turn.session for turn in stopping), (by.id, by.display_name))
        return stopping

    def stop_feedback(self, turn_id: str) -> str:
        """Return what somebody is told whose tap on Stop changed nothing."""
        turn = self._turns.get(turn_id)
        if turn is None or turn.ended_at is not None:
            return translate("stop_too_late")
        return translate("stop_already", user=label(turn.stop_by or "?"))

    def settle(self, turn_id: str, place: Place, value: str) -> None:
        """Record whether an answer given at the terminal is sent to a chat."""
        if (answer := self._answers.offered(turn_id, place)) is not None:
            self._answers.set_state(answer.id, "wanted" if value == SEND else "dropped")
