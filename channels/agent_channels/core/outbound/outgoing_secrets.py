"""What is done about credentials in what the agent sends: masked, refused, or decided by an approver on a card."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent_channels.core.buttons.prompt_spec import PromptSpec
from agent_channels.core.contract.outgoing import Button, Grid
from agent_channels.core.errors import Refused
from agent_channels.core.frozen import frozen
from agent_channels.core.i18n.messages import translate
from agent_channels.core.log import redact
from agent_channels.core.outbound.compose import shown_forms
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.secret_shapes import BY_NAME, SECRET, find_secrets, mask_shapes
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Secrets
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.core.text.sanitize import label, scrub

__all__ = ["Cleared", "OutgoingSecrets", "counted_kinds"]

MASKED, AS_IT_IS, NOT = "masked", "as it is", "not"
LEASE_S, RENEW_EVERY_S = 15.0, 4.0
# How much of a text its card shows.
EXCERPT_MAX = 600


@frozen
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
        # What is one only without its formatting is masked once it is rendered.
        others = [] if found else [shown for shown in shown_forms(text) if shown != text]
        formatted = max((len(find_secrets(shown)) for shown in others), default=0)
        # Labels are masked from the beginning, and are never sent otherwise.
        on_buttons = sum(button.label.count(SECRET) for row in grid or () for button in row)
        if not found and not formatted and not on_buttons:
            return Cleared(text)
        kinds = counted_kinds(
            [one.kind for one in found] + [BY_NAME] * formatted + ["a secret on a button"] * on_buttons
        )
        if self.mode == "block":
            self._services.audit.add("secrets blocked", chat_id, kinds)
            raise Refused(f"the message holds {kinds}, and this project sends none (secrets: block); leave it out")
        masked = mask_shapes(text, found)
        answer = MASKED
        if (found or formatted) and self.mode == "ask":
            head = translate("card_secrets_head", count=len(found) + formatted, chat=self._named(chat_id))
            # Whatever the formatting splits is not shown on the card either.
            shown = masked if found else max(map(mask_shapes, others), key=lambda one: one.count(SECRET))
            answer = await self._ask(head, _excerpt(shown), (MASKED, AS_IT_IS, NOT)) or MASKED
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

    async def clear_file(self, name: str, chat_id: str, notes: list[str]) -> bool:
        """Return whether a file that cannot be searched is sent: an approver decides it, where such are asked."""
        if self.mode != "ask":
            return False
        head = translate("card_unsearched_head", chat=self._named(chat_id))
        answer = await self._ask(
            head, translate("card_unsearched_body", file=label(redact(name), 200)), (AS_IT_IS, NOT)
        )
        if answer != AS_IT_IS:
            return False
        self._services.audit.add("unsearched file sent", chat_id, name)
        notes.append(f"{name} was sent although it cannot be searched for secrets, as an approver decided")
        return True

    def refuse_shown(self, parts: Sequence[RenderedPart], *, as_it_is: bool) -> None:
        """Raise `Refused` if one sees a credential once the formatting, which had split it, is applied."""
        if self.mode == "off" or as_it_is:
            return
        for part in parts:
            for shown in shown_forms(part.plain):
                if found := find_secrets(shown, by_name=False):
                    raise Refused(f"the text shows {found[0].kind} once its formatting is applied; leave it out")

    def _named(self, chat_id: str) -> str:
        return label(self._services.chats.title(chat_id) or chat_id)

    async def _ask(self, head: str, body: str, answers: Collection[str]) -> str | None:
        """Ask the approvers; return None if nobody decides in time."""
        services = self._services
        if not services.access.approvers():
            return None
        prompts = services.prompts
        masked = ((Button(translate("button_send_masked"), MASKED, "primary"),),) if MASKED in answers else ()
        others = (
            Button(translate("button_send_as_it_is"), AS_IT_IS, "danger"),
            Button(translate("button_send_nothing"), NOT),
        )
        spec = PromptSpec(
            grid=(*masked, others),
            head=head,
            body=scrub(body),
            verbatim=True,
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
        return None


def _excerpt(masked: str) -> str:
    """Return the part of a masked text with the first credential, as it would be sent."""
    begin = max(0, min(masked.find(SECRET) - EXCERPT_MAX // 2, len(masked) - EXCERPT_MAX))
    end = begin + EXCERPT_MAX
    return f"{'…' if begin else ''}{masked[begin:end]}{'…' if end < len(masked) else ''}"


def counted_kinds(kinds: Sequence[str]) -> str:
    """Return how many credentials of which kinds there are, in words, such as `2 secrets (a GitHub token, …)`."""
    number = "1 secret" if len(kinds) == 1 else f"{len(kinds)} secrets"
    return f"{number} ({', '.join(dict.fromkeys(kinds))})"
