"""What each host takes of one call: how long it may be, and how much of its result is read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core.host.agents.registry import CLIENTS, host_of_client
from agent_channels.core.host.call_limits import CallLimits, call_limits
from agent_channels.core.host.frames import channel_block, channel_parts, offered_meta
from agent_channels.core.journal.entry import Entry
from agent_channels.core.settings.config import Settings
from inbox_socket import blocks_in

TEXTS = st.text(st.sampled_from('ab \n"\\&<é漢字\U0001f600'), max_size=600)
LIMITS = st.builds(CallLimits, page_max=st.integers(900, 1_500), in_bytes=st.booleans())


@pytest.mark.parametrize("client", [*CLIENTS.values(), "anything", ""])
def test_every_host_gets_its_result_before_it_gives_up(client: str) -> None:
    """No call lasts 50 s, nor as long as its host waits; no result is as long as what was read whole there."""
    limits = call_limits(f"{client} 1.2.3")
    known = host_of_client(client)
    assert (known is not None) == (client in CLIENTS.values())
    assert limits.wait_s < 50
    assert limits.page_max <= (known.limits.result_max if known else 6_000)
    if known is not None:
        assert limits.wait_s < known.limits.call_s
        # What is answered in the host's last seconds may reach nobody: the call began there before it was read here.
        assert limits.wait_s <= limits.heard_s < known.limits.call_s


def test_claude_code_waits_as_long_as_it_takes() -> None:
    """Its calls are not cut short."""
    limits = call_limits("claude-code 2.1.328")
    assert (limits.wait_s, limits.reads_pushes) == (math.inf, True)
    assert limits.page_max >= 80_000


@pytest.mark.parametrize("client", ["claude-code", "cline", "anything"])
def test_the_operator_knows_better(client: str) -> None:
    """`call_s` and `result_max` go before what is known of a host."""
    limits = call_limits(client, Settings(call_s=120, result_max=1_234))
    assert (limits.wait_s, limits.page_max) == (120, 1_234)


@given(TEXTS, LIMITS, st.integers(1, 800))
def test_what_fits_is_the_longest_beginning(text: str, limits: CallLimits, room: int) -> None:
    """It fits into the room, unless not even one character does, and never ends in the middle of one."""
    end = limits.fitting(text, room) if text else 0
    assert end <= len(text)
    assert end <= 1 or limits.size(text[:end]) <= room
    if end < len(text):
        assert limits.size(text) > room


@given(TEXTS, TEXTS, LIMITS)
def test_the_parts_of_an_entry_are_the_whole_of_it(text: str, quoted: str, limits: CallLimits) -> None:
    """Each part fits and has its frame and the short attributes; put together they hold every character."""
    meta = {"chat_id": "1", "message_id": "2", "user": "ann", "context": quoted}
    entry = Entry(1, "d1", "1", None, "2", text.strip() or "x", meta, 1)
    parts = channel_parts("telegram", entry, limits, 800)
    assert all(limits.size(part) <= 800 for part in parts)
    blocks = [block for part in parts for block in blocks_in(part)]
    assert "".join(block.content for block in blocks) == entry.content
    assert "".join(block.meta.get("context", "") for block in blocks) == quoted
    for number, block in enumerate(blocks, 1):
        assert (block.meta["user"], block.meta["delivery_id"]) == ("ann", "d1")
        assert len(blocks) == 1 or (block.meta["part"], block.meta["parts"]) == (str(number), str(len(blocks)))
    if limits.fits(channel_block("telegram", entry), 800):
        assert parts == [channel_block("telegram", entry)]
    assert offered_meta(entry)["context"] == quoted
