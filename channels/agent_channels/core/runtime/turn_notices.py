"""What people are told of a turn in words: that it was steered, stopped or failed, or waits at the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from agent_channels.core.host.turn_text import running_words, summary
from agent_channels.core.host.turns import Place, Turn
from agent_channels.core.i18n.messages import translate
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.services import Services
from agent_channels.core.text.sanitize import label

__all__ = ["TurnNotices"]

# The kinds of failure that have a sentence of their own; the host's name for the kind -> its key in the texts.
_FAILURES = {
    "rate_limit": "turn_failed_rate_limit",
    "overloaded": "turn_failed_overloaded",
    "server_error": "turn_failed_overloaded",
    "authentication_failed": "turn_failed_login",
    "oauth_org_not_allowed": "turn_failed_login",
    "billing_error": "turn_failed_billing",
}
# As much of the host's own words as helps: they may name the hour from which it works again.
DETAIL_MAX = 300


class TurnNotices:
    """Queue notices for the chats that a turn works for and that are still let in, in the caller's transaction."""

    def __init__(self, services: Services, wakeups: Wakeups) -> None:
        self._services, self._wakeups = services, wakeups
        # The turn, and its chats, that were told of a steering; the turn that was told of a dialog.
        self._steered: tuple[str, set[Place]] = ("", set())
        self._dialog = ""

    def tell_steered(self, turn: Turn, places: Iterable[Place]) -> None:
        """Tell people, once in a turn, that their message reached the agent in the middle of its work."""
        known = self._steered[1] if self._steered[0] == turn.id else set()
        new = set(places) - known
        self._steered = turn.id, known | new
        running = running_words(turn)
        text = translate("turn_steered") + (f" {running}" if running else "")
        self._tell(new, text)

    def tell_stopped(self, turn: Turn) -> None:
        """Tell people that the turn ended because somebody stopped it."""
        running = running_words(turn)
        text = translate("turn_stopped", user=label(turn.stop_by or "?"), summary=summary(turn))
        self._tell(turn.places, text + (f"\n{running}" if running else ""))

    def tell_failed(self, turn: Turn, kind: str, detail: str) -> None:
        """Tell people why the agent could not go on, with the host's own words."""
        lines = [translate(_FAILURES.get(kind, "turn_failed_other"))]
        lines += [f"“{label(detail, DETAIL_MAX)}”"] if detail.strip() else []
        lines.append(translate("turn_failed_kept"))
        self._tell(turn.places, "\n".join(lines))

    def tell_dialog(self, turn: Turn | None, message: str) -> None:
        """Tell approvers that a dialog waits at the terminal, unless they have a card for it."""
        if self._services.prompts.open_cards(only_unsent=False):
            return
        # The same words may come again, of another step.
        key = f"{turn.id} {turn.detail.steps} {message}" if turn else message
        if key == self._dialog:
            return
        self._dialog = key
        works_for = turn.chats if turn else set()
        approvers = [chat_id for _, chat_id in self._services.access.approver_chats() if chat_id]
        # Where it works for a thread of their chat, they are told there.
        direct = [Place(chat_id, None) for chat_id in approvers if chat_id not in works_for]
        chats = dict.fromkeys([*direct, *(turn.places if turn else ())])
        self._tell(chats, translate("turn_dialog", message=message))

    def _tell(self, places: Iterable[Place], text: str) -> None:
        for place in filter(lambda place: self._services.access.is_target(place.chat_id), places):
            self._services.notices.add(place.chat_id, text, thread_id=place.thread_id)
        self._wakeups.outcome_due.set()
