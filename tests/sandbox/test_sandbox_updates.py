"""The queue of updates: kept, confirmed, read by one poller."""

from __future__ import annotations

import asyncio

import pytest
import telegram

pytestmark = pytest.mark.cold

OTHER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


async def test_update_stays_until_a_higher_offset(tg, raw):
    """An update is returned again until a higher offset confirms it."""
    tg.person("ann").send("one")
    tg.person("ann").send("two")
    first = await raw.ok("getUpdates")
    assert [update["message"]["text"] for update in first] == ["one", "two"]
    assert await raw.ok("getUpdates") == first
    assert await raw.ok("getUpdates", offset=first[0]["update_id"]) == first
    assert tg.pending_updates == 2
    left = await raw.ok("getUpdates", offset=first[1]["update_id"])
    assert left == first[1:]
    assert tg.confirmed == first[0]["update_id"]
    assert await raw.ok("getUpdates", offset=first[1]["update_id"] + 1) == []
    assert tg.pending_updates == 0
    assert tg.confirmed == first[1]["update_id"]


async def test_update_ids_are_sequential_and_survive_a_too_high_offset(tg, raw):
    """An offset in the future confirms everything, and later updates are still delivered."""
    tg.person("ann").send("one")
    (one,) = await raw.ok("getUpdates")
    assert await raw.ok("getUpdates", offset=one["update_id"] + 1) == []
    tg.person("ann").send("two")
    (two,) = await raw.ok("getUpdates", offset=one["update_id"] + 1)
    assert two["update_id"] == one["update_id"] + 1


async def test_negative_offset_forgets_all_but_the_last(tg, raw):
    """offset=-N returns the last N updates and forgets the earlier ones."""
    for number in range(5):
        tg.person("ann").send(str(number))
    last = await raw.ok("getUpdates", offset=-2)
    assert [update["message"]["text"] for update in last] == ["3", "4"]
    assert tg.pending_updates == 2
    assert await raw.ok("getUpdates", offset=-10) == last


async def test_limit_is_1_to_100(tg, raw):
    """The limit is clipped to 1-100, 100 by default."""
    tg.hold_updates()
    for number in range(120):
        tg.person("ann").send(str(number))
    assert await raw.ok("getUpdates") == []
    tg.release()
    assert len(await raw.ok("getUpdates")) == 100
    assert len(await raw.ok("getUpdates", limit=500)) == 100
    assert len(await raw.ok("getUpdates", limit=0)) == 1
    assert len(await raw.ok("getUpdates", limit=7)) == 7


async def test_long_poll_is_woken_at_once(tg, raw):
    """A waiting poll answers as soon as a person writes."""
    poll = asyncio.create_task(raw.ok("getUpdates", timeout=50))
    await tg.wait_for(lambda: tg.polling)
    tg.person("ann").send("wake up")
    async with asyncio.timeout(2):
        (update,) = await poll
    assert update["message"]["text"] == "wake up"


async def test_long_poll_ends_empty(tg, raw):
    """A poll without updates returns an empty list after its timeout."""
    assert await raw.ok("getUpdates", timeout=1) == []
    assert not tg.polling


async def test_older_of_two_pollers_gets_conflict(tg, raw):
    """Of two waiting polls the older is refused with 409, and the newer continues."""
    older = asyncio.create_task(raw("getUpdates", timeout=50))
    await tg.wait_for(lambda: tg.polling)
    newer = asyncio.create_task(raw.ok("getUpdates", timeout=50))
    status, body = await older
    assert (status, body) == (409, {"ok": False, "error_code": 409, "description": OTHER})
    tg.person("ann").send("hi")
    assert len(await newer) == 1


async def test_dead_pollers_slot_is_free_at_once_or_held(tg, raw):
    """A poll whose client disconnected frees its slot, or keeps it for the configured time."""
    dead = asyncio.create_task(raw("getUpdates", timeout=50))
    await tg.wait_for(lambda: tg.polling)
    dead.cancel()
    await tg.wait_for(lambda: not tg.polling)
    assert await raw.ok("getUpdates", timeout=0) == []
    tg.set_poller_slot(50)
    dead = asyncio.create_task(raw("getUpdates", timeout=50))
    await tg.wait_for(lambda: tg.polling)
    dead.cancel()
    await tg.wait_for(lambda: not tg.polling)
    assert await raw.refused("getUpdates") == OTHER
    tg.advance(51)
    assert await raw.ok("getUpdates") == []


async def test_updates_expire_after_24_hours(tg, raw):
    """Updates that nobody reads for a day are deleted."""
    tg.person("ann").send("old")
    tg.advance(23 * 3600)
    tg.person("ann").send("new")
    assert tg.pending_updates == 2
    tg.advance(3700)
    (left,) = await raw.ok("getUpdates")
    assert left["message"]["text"] == "new"


async def test_allowed_updates_is_sticky(tg, raw, ann, updates):
    """Requested kinds stay requested; reactions come only when named; an empty list restores the default."""
    message = await raw.ok("sendMessage", chat_id=ann.id, text="hi")
    ann.react(message["message_id"], "👍")
    assert await updates() == []
    await raw.ok("getUpdates", allowed_updates=["message_reaction"])
    ann.react(message["message_id"], "🔥")
    ann.send("not wanted")
    (update,) = await updates()
    reaction = update["message_reaction"]
    assert reaction["old_reaction"] == [{"type": "emoji", "emoji": "👍"}]
    assert reaction["new_reaction"] == [{"type": "emoji", "emoji": "🔥"}]
    await raw.ok("getUpdates", allowed_updates=[])
    ann.send("wanted again")
    ann.react(message["message_id"], None)
    (update,) = await updates()
    assert update["message"]["text"] == "wanted again"


async def test_webhook_excludes_polling(tg, raw):
    """With a webhook, getUpdates is refused and a waiting poll ended; deleteWebhook allows polling again."""
    poll = asyncio.create_task(raw.refused("getUpdates", timeout=50))
    await tg.wait_for(lambda: tg.polling)
    assert "HTTPS" in await raw.refused("setWebhook", url="http://example.com/hook")
    assert await raw.ok("setWebhook", url="https://example.com/hook") is True
    assert await poll == "Conflict: terminated by setWebhook request"
    assert (await raw.ok("getWebhookInfo"))["url"] == "https://example.com/hook"
    assert await raw.refused("getUpdates") == (
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    )
    tg.person("ann").send("queued")
    assert (await raw.ok("getWebhookInfo"))["pending_update_count"] == 1
    assert await raw.ok("deleteWebhook", drop_pending_updates=True) is True
    assert await raw.ok("getUpdates") == []


async def test_revoked_token(tg, bot, raw):
    """A revoked token ends the waiting poll with 401 and is refused from then on; the new one works."""
    poll = asyncio.create_task(bot.get_updates(timeout=50))
    await tg.wait_for(lambda: tg.polling)
    old = tg.token
    new = tg.revoke_token()
    assert new == tg.token != old
    with pytest.raises(telegram.error.InvalidToken):
        await poll
    with pytest.raises(telegram.error.InvalidToken):
        await bot.get_me()
    assert (await raw.ok("getMe"))["id"] == tg.bot_id


async def test_calls_are_recorded(tg, raw, ann):
    """Every call is recorded with its parameters and status."""
    await raw("sendMessage", chat_id=ann.id, text="")
    await raw("sendMessage", chat_id=ann.id, text="hi")
    refused, sent = tg.calls_of("sendmessage")
    assert (refused.response_code, sent.response_code) == (400, 200)
    assert sent.params == {"chat_id": ann.id, "text": "hi"}
    assert sent.at >= refused.at


async def test_timeouts_name_the_last_calls(tg, raw):
    """When wait_for times out, the error names the bot's last calls."""
    await raw.ok("getMe")
    with pytest.raises(TimeoutError, match="getMe 200"):
        await tg.wait_for(lambda: None, timeout=0.01)
