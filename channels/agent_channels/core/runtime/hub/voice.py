"""How the hub itself answers people: in the chat, or to a tap; a few calls at a time, beside everything else."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message, Tap
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, Outgoing, Sent
from agent_channels.core.errors import Rejected, ThreadGone
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.follow_ups import FollowUps
from agent_channels.core.inbound.incoming import answer_with
from agent_channels.core.scheduling import Courtesy, FollowUp
from agent_channels.core.text.units import truncate

__all__ = ["HubVoice"]


class HubVoice:
    """Queue answers, and send messages whose ids are needed."""

    def __init__(self, adapter: Adapter) -> None:
        """`adapter`: one whose sends are not recorded as a project's."""
        self.adapter = adapter
        self.follow_ups = FollowUps()

    def say(self, to: Message | Tap, text: str, keyboard: Keyboard | None = None) -> None:
        """Answer what somebody wrote; or a tap, with a new message beside it."""
        follow_up: FollowUp
        if isinstance(to, Tap):
            follow_up = partial(
                self.adapter.send, Outgoing(to.chat.id, text, thread_id=to.thread_id, keyboard=keyboard)
            )
        elif to.answer_id is not None and keyboard and to.chat.kind == "direct":
            # The answer to a command from the menu holds no buttons.
            follow_up = partial(self.send, to, text, keyboard, acknowledged="")
        else:
            follow_up = answer_with(self.adapter, to, text, keyboard=keyboard)
        self.follow_ups.add(Courtesy(follow_up, to.sender.id, asked=True))

    def tell(self, tap: Tap, text: str, *, alert: bool = False, counted: bool = False) -> None:
        """Acknowledge a tap with a text that its sender alone sees."""
        limits = self.adapter.limits
        notice = text if limits.notice is None else truncate(text, limits.notice, limits.unit)
        answer = partial(self.adapter.answer_tap, tap.tap_id, notice, alert=alert, counted=counted)
        self.follow_ups.add(answer if counted else Courtesy(answer, tap.sender.id))

    def refuse(self, to: Message | Tap) -> None:
        """Answer somebody who may not do what they did, where the platform waits for an answer."""
        if isinstance(to, Tap):
            self.tell(to, translate("tap_not_allowed"), alert=True)
        elif to.answer_id is not None:
            answer = answer_with(self.adapter, to, translate("hub_nobody"))
            self.follow_ups.add(Courtesy(answer, to.sender.id))

    def close(self, tap: Tap, outcome: str, chosen: KeyboardButton | None = None) -> None:
        """Take the buttons of a message that was tapped away, and write the outcome under its text."""
        self.follow_ups.add(
            partial(
                self.adapter.close_panel,
                tap.chat.id,
                tap.message_id,
                tap.snapshot,
                outcome,
                chosen=chosen,
                thread_id=tap.thread_id,
            )
        )

    def edit(self, chat_id: str, message_id: str, text: str, keyboard: Keyboard | None, user_id: str) -> None:
        """Have one of our messages read otherwise, for the sake of `user_id`."""
        part = self.adapter.render(self.adapter.escape(text, "text"), "text")[0]
        self.follow_ups.add(Courtesy(partial(self.adapter.edit, chat_id, message_id, part, keyboard), user_id))

    async def send(
        self, to: Message, text: str, keyboard: Keyboard | None, *, acknowledged: str, quoted: bool = False
    ) -> Sent:
        """Send a message where somebody wrote, with buttons or not, to them alone if what they wrote was private.

        `acknowledged`: what they see of a command for which the platform wants an answer. Raises `PlatformError`.
        """
        outgoing = Outgoing(
            to.chat.id,
            text,
            thread_id=to.thread_id,
            keyboard=keyboard,
            reply_to=to.message_id if quoted and to.answer_id is None else None,
        )
        if to.answer_id is not None:
            await self.adapter.answer_tap(to.answer_id, acknowledged, alert=False, counted=False)
        if to.ephemeral and to.chat.kind == "group":
            try:
                return await self.adapter.send(replace(outgoing, reply_to=to.message_id, only_for=to.sender.id))
            except Rejected:
                direct = await self.adapter.open_direct_chat(to.sender.id)
                outgoing = replace(outgoing, chat_id=direct, thread_id=None, reply_to=None)
        try:
            return await self.adapter.send(outgoing)
        except ThreadGone:
            return await self.adapter.send(replace(outgoing, thread_id=None, reply_to=None))
