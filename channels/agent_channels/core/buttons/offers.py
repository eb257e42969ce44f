"""Messages whose buttons offer something that nobody asked for; a typed word never answers one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from agent_channels.core.buttons.layout import lay_out
from agent_channels.core.buttons.panels import Panels
from agent_channels.core.contract.limits import Limits
from agent_channels.core.contract.outgoing import Grid, Outgoing, Sent

__all__ = ["send_offer"]


async def send_offer(
    send: Callable[[Outgoing], Awaitable[Sent]],
    panels: Panels,
    limits: Limits,
    outgoing: Outgoing,
    grid: Grid,
    *,
    ttl_s: float,
    tappers: Collection[str] | None = None,
    turn_id: str | None = None,
) -> None:
    """Send a message with buttons, and keep the grid for those who tap it. Raises what `send` does."""
    panel_id = panels.create(
        outgoing.chat_id, grid, ttl_s=ttl_s, thread_id=outgoing.thread_id, tappers=tappers, turn_id=turn_id, offer=True
    )
    with panels.sending(panel_id):
        sent = await send(replace(outgoing, keyboard=lay_out(panel_id, grid, limits)))
    panels.bind(panel_id, sent.message_id, sent.snapshot)
