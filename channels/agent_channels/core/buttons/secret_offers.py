"""The offer to delete a message in which somebody sent a credential."""

from __future__ import annotations

from agent_channels.core.buttons.offers import send_offer
from agent_channels.core.buttons.panels import Panel, Panels
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import Button, Outgoing
from agent_channels.core.i18n.messages import translate

__all__ = ["KEEP", "is_secret_offer", "offer_deletion"]

# The last button's value; no other offer has such a one.
KEEP = "·keep·"
# As long as platforms let a bot delete a message.
TTL_S = 48 * 3600.0


def is_secret_offer(panel: Panel) -> bool:
    """Return whether a panel is such an offer: its first button's value is the id of the message."""
    return panel.offer and panel.grid[0][-1].value == KEEP


async def offer_deletion(adapter: Adapter, panels: Panels, message: Message) -> None:
    """Tell who sent a message that what is kept of it is masked, and offer to delete it. Raises what `send` does.

    Where only they themselves can delete it, they are asked to.
    """
    delete = Button(translate("button_delete_message"), message.message_id, "danger")
    outgoing = Outgoing(
        message.chat.id,
        translate("secret_received" if adapter.capabilities.deletes else "secret_received_yours"),
        reply_to=message.message_id,
        thread_id=message.thread_id,
        silent=True,
    )
    if not adapter.capabilities.deletes:
        await adapter.send(outgoing)
        return
    grid = ((delete, Button(translate("button_keep_message"), KEEP)),)
    await send_offer(adapter.send, panels, adapter.limits, outgoing, grid, ttl_s=TTL_S, tappers=[message.sender.id])
