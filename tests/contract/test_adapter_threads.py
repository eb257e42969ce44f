"""The adapter contract on every platform: threads, where a platform has them."""

from __future__ import annotations

import pytest

from agent_channels.core.contract.messages import Place
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import Forbidden, PlatformError, Refused, Rejected, ThreadGone, Unsupported
from contract_bench import FIRST, Bench


async def test_a_thread_is_opened_written_in_and_renamed(bench: Bench) -> None:
    """Its messages go to the place that is returned; the longest name is taken, and the same name again is no error."""
    adapter, platform = bench.adapter, bench.platform
    place = await adapter.create_thread(platform.room_for_threads(), "Deploys")
    assert platform.thread_name(place) == "Deploys"
    await adapter.send(Outgoing(place.chat_id, "to the thread", thread_id=place.thread_id))
    assert platform.said_in(place) == ["to the thread"]
    await adapter.send_typing(*place)
    longest = "x" * adapter.limits.thread_name
    for _ in range(2):
        await adapter.rename_thread(place, longest)
    assert platform.thread_name(place) == longest


async def test_where_threads_can_be_is_told(bench: Bench) -> None:
    """A chat that has none is refused with a hint, an unknown one too; an id that is none goes nowhere."""
    adapter, platform = bench.adapter, bench.platform
    assert adapter.capabilities.threads
    with pytest.raises(Rejected) as refused:
        await adapter.create_thread(platform.chat_id, "Deploys")
    assert "opened in" in str(refused.value)
    with pytest.raises(Rejected):
        await adapter.create_thread(platform.unknown_chat, "Deploys")
    with pytest.raises(Refused):
        await adapter.create_thread("not-an-id", "Deploys")


async def test_the_missing_right_is_named(bench: Bench) -> None:
    """Without it no thread is opened."""
    room = bench.platform.room_for_threads(allowed=False)
    with pytest.raises(Forbidden) as refused:
        await bench.adapter.create_thread(room, "Deploys")
    assert "Threads" in str(refused.value) or "Topics" in str(refused.value)


async def test_drafts_are_shown_or_said_to_be_none(bench: Bench) -> None:
    """Where a platform has none it says so at once, and nothing is sent."""
    place = Place(bench.platform.chat_id, None)
    try:
        await bench.adapter.show_draft(place, 1, "half a")
    except Unsupported:
        assert not bench.adapter.capabilities.drafts


async def test_a_thread_that_was_deleted_is_gone(bench: Bench) -> None:
    """Nothing is sent elsewhere by the adapter: that is decided by who sends."""
    place = await bench.adapter.create_thread(bench.platform.room_for_threads(), "Deploys")
    bench.platform.delete_thread(place)
    with pytest.raises(ThreadGone):
        await bench.adapter.send(Outgoing(place.chat_id, "hello", thread_id=place.thread_id))
    with pytest.raises(ThreadGone):
        await bench.adapter.rename_thread(place, "Releases")


async def test_a_closed_thread_says_what_is_missing(bench: Bench) -> None:
    """It is not taken for one that is gone."""
    place = await bench.adapter.create_thread(bench.platform.room_for_threads(), "Deploys")
    bench.platform.close_thread(place)
    with pytest.raises(PlatformError) as refused:
        await bench.adapter.send(Outgoing(place.chat_id, "hello", thread_id=place.thread_id))
    assert not isinstance(refused.value, ThreadGone)
    assert "reopen" in str(refused.value)
    assert "Manage" in str(refused.value)


async def test_the_outcome_without_room_goes_into_the_thread(bench: Bench) -> None:
    """A panel whose text leaves no room is closed with a reply, which is in the same thread."""
    adapter, platform = bench.adapter, bench.platform
    place = Place(*(await adapter.create_thread(platform.room_for_threads(), "Deploys")))
    full = "x" * adapter.limits.text
    sent = await adapter.send(Outgoing(place.chat_id, full, thread_id=place.thread_id, keyboard=FIRST))
    await adapter.close_panel(place.chat_id, sent.message_id, sent.snapshot, "Yes, ann", thread_id=place.thread_id)
    assert platform.said_in(place) == [full, "Yes, ann"]
