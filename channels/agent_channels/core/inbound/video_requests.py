"""Requests for the PDF summary of a video: the command /yt2pdf, and a button under a message that links to one.

The agent makes the summary, by the skill of that name; what it is told holds the video's id and nothing that a person
wrote.
"""

from __future__ import annotations

from dataclasses import replace

from agent_channels.core.buttons.offers import send_offer
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import Button, Outgoing
from agent_channels.core.i18n.messages import translate
from agent_channels.core.inbound.incoming import IncomingMessage, answer_with
from agent_channels.core.scheduling import Courtesy, Wakeups
from agent_channels.core.services import Services
from agent_channels.core.text.video_links import find_video, is_video_id, link_to

__all__ = ["COMMAND", "VideoRequests"]

COMMAND = "yt2pdf"
OFFER_TTL_S = 24 * 3600.0


class VideoRequests:
    """Hand requests to the agent, and offer what may be requested."""

    def __init__(self, adapter: Adapter, services: Services, wakeups: Wakeups) -> None:
        self._adapter, self._services, self._wakeups = adapter, services, wakeups

    def run(self, incoming: IncomingMessage, argument: str) -> None:
        """Make an event of the command, or say how it is used if neither it nor what it replies to names a video."""
        message = incoming.message
        video_id = _named(argument) or find_video(message.reply.text or "" if message.reply else "")
        if video_id is None:
            answer = answer_with(self._adapter, message, translate("yt2pdf_usage"))
            incoming.follow_ups.append(Courtesy(answer, message.sender.id, asked=True))
            return
        event = replace(incoming.event, content=_request(video_id))
        self._services.inbox.open(incoming.entry_id, event)
        self._services.history.add_received(
            event.chat_id, event.message_id, f"/{COMMAND} {link_to(video_id)}", event.meta, event.thread_id, image=False
        )
        self._wakeups.ready.set()

    def offer(self, incoming: IncomingMessage) -> None:
        """Have a button sent under a message that links to a video."""
        message = incoming.message
        if message.edited or message.reaction or message.ephemeral or message.command:
            return
        if (video_id := find_video(message.text)) is not None:
            incoming.follow_ups.append(Courtesy(lambda: self._send_offer(message, video_id), message.sender.id))

    async def _send_offer(self, message: Message, video_id: str) -> None:
        adapter, panels = self._adapter, self._services.panels
        outgoing = Outgoing(
            message.chat.id,
            translate("yt2pdf_offer"),
            reply_to=message.message_id,
            thread_id=message.thread_id,
            silent=True,
        )
        grid = ((Button(translate("button_yt2pdf"), _request(video_id), "primary"),),)
        await send_offer(adapter.send, panels, adapter.limits, outgoing, grid, ttl_s=OFFER_TTL_S)


def _named(argument: str) -> str | None:
    """Return the video that the command names: by a link, or by its id alone."""
    word = argument.strip()
    return word if is_video_id(word) else find_video(word)


def _request(video_id: str) -> str:
    return f"/{COMMAND} {link_to(video_id)} (use the skill {COMMAND})"
