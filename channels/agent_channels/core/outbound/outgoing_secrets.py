"""What is done about credentials in what the agent sends: masked, refused, or decided by an approver on a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.errors import Refused
from agent_channels.core.i18n.messages import translate
from agent_channels.core.outbound.compose import shown_forms
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.secret_shapes import SECRET, find_secrets, mask_shapes
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Secrets
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.sanitize import label, scrub

__all__ = ["Cleared", "OutgoingSecrets", "counted_kinds"]

MASKED, AS_IT_IS, NOT = "masked", "as it is", "not"
LEASE_S, RENEW_EVERY_S = 15.0, 4.0
# How much of a text its card shows.
EXCERPT_MAX = 600


@dataclass(frozen=True, slots=True)
class Cleared:
    """A text that may be sent. `as_it_is`: an approver has decided that its credentials are sent too."""

    text: str
    as_it_is: bool = False


class OutgoingSecrets:
    """Decide about texts of the agent's before they are split, rendered or recorded."""

    def __init__(
        self, mode: Secrets, services: Services, wakeups: Wakeups, *, session: str, project: str, wait_s: float
    ) -> None:
        """`session` asks, for `project`; a card waits `wait_s` for an approver."""
        self.mode, self._services, self._wakeups = mode, services, wakeups
        self._session, self._project, self._wait_s = session, project, wait_s

    async def clear(self, text: str, chat_id: str, grid: Grid | None, notes: list[str]) -> Cleared:
        """Return the text to send, and append to `notes` what the agent has to know.

        Raises `Refused` if it is not sent at all.
        """
        if self.mode == "off":
            return Cleared(text)
        found = find_secrets(text)
        # Labels are masked from the beginning, and are never sent otherwise.
        on_buttons = sum(button.label.count(SECRET) for row in grid or () for button in row)
        if not found and not on_buttons:
            return Cleared(text)
        kinds = counted_kinds([one.kind for one in found] + ["a secret on a button"] * on_buttons)
        if self.mode == "block":
            self._services.audit.add("secrets blocked", chat_id, kinds)
            raise Refused(f"the message holds {kinds}, and this project sends none (secrets: block); leave it out")
        masked = mask_shapes(text, found)
        answer = await self._ask(masked, len(found), chat_id) if found and self.mode == "ask" else MASKED
        if answer == NOT:
            self._services.audit.add("secrets not sent", chat_id, kinds)
            raise Refused(f"the message holds {kinds}, and an approver decided not to send it; leave the secret out")
        if answer == AS_IT_IS:
            self._services.audit.add("secrets sent", chat_id, kinds)
            notes.append(f"sent with {kinds} in it, as an approver decided")
            return Cleared(text, as_it_is=True)
        self._services.audit.add("secrets masked", chat_id, kinds)
        notes.append(f"masked: {kinds}; people see {SECRET} instead")
        return Cleared(masked)

    def refuse_shown(self, parts: Sequence[RenderedPart], *, as_it_is: bool) -> None:
        """Raise `Refused` if one sees a credential once the formatting, which had split it, is applied."""
        if self.mode == "off" or as_it_is:
            return
        for part in parts:
            for shown in shown_forms(part.plain):
                if found := find_secrets(shown, by_name=False):
                    raise Refused(f"the text shows {found[0].kind} once its formatting is applied; leave it out")

    async def _ask(self, masked: str, count: int, chat_id: str) -> str:
        """Ask the approvers; return `masked` if nobody decides otherwise in time."""
        services = self._services
        if not services.access.approvers():
            return MASKED
        prompts = services.prompts
        chat = services.chats.title(chat_id) or chat_id
        spec = PromptSpec(
            grid=(
                (Button(translate("button_send_masked"), MASKED, "primary"),),
                (
                    Button(translate("button_send_as_it_is"), AS_IT_IS, "danger"),
                    Button(translate("button_send_nothing"), NOT),
                ),
            ),
            head=translate("card_secrets_head", count=count, chat=label(chat)),
            body=scrub(masked[:EXCERPT_MAX]),
            foot=translate("card_question_foot", project=label(self._project, 100)),
        )
        prompt = prompts.create("question", spec, session=self._session, timeout_s=self._wait_s, lease_s=LEASE_S)
        self._wakeups.card_due.set()
        try:
            while (now := prompts.check(prompt.id, LEASE_S)) is not None and now.state == "open":
                left_s = now.expires_at - prompts.now()
                if left_s <= 0:
                    break
                await self._wakeups.changed.wait(min(left_s, RENEW_EVERY_S))
            if now is not None and now.result is not None and prompts.take(prompt.id):
                return str(now.result["value"])
        finally:
            prompts.close(prompt.id, translate("prompt_timed_out"))
            self._wakeups.outcome_due.set()
        return MASKED


def counted_kinds(kinds: Sequence[str]) -> str:
    """Return how many credentials of which kinds there are, in words, such as `2 secrets (a GitHub token, …)`."""
    number = "1 secret" if len(kinds) == 1 else f"{len(kinds)} secrets"
    return f"{number} ({', '.join(dict.fromkeys(kinds))})"
