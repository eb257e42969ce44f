"""Journeys of two independent clients, python-telegram-bot and aiogram, which parse every object strictly."""

from __future__ import annotations

import asyncio

import pytest
import telegram
from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from agent_channels.sandbox.telegram.images import sample_png

pytestmark = pytest.mark.cold

PTB_KEYS = InlineKeyboardMarkup([[InlineKeyboardButton("Approve", callback_data="ok:1")]])


async def test_ptb_journey(tg, bot):
    """python-telegram-bot polls, sends, taps, edits, reacts, and handles files and albums."""
    ann = tg.person("ann", last_name="Lee")
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await tg.wait_for(lambda: tg.polling)
    ann.start("abc")
    (start,) = await polling
    assert (start.message.text, start.effective_user.last_name) == ("/start abc", "Lee")
    assert start.message.entities[0].type == "bot_command"

    sent = await bot.send_message(
        ann.id,
        "<b>Deploy?</b> &lt;prod&gt;",
        parse_mode="HTML",
        reply_markup=PTB_KEYS,
        reply_parameters=telegram.ReplyParameters(start.message.message_id, quote="abc"),
        link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
    )
    seen = await ann.next_message()
    assert (seen["message_id"], seen["text"]) == (sent.message_id, "Deploy? <prod>")
    tap = ann.tap(seen["message_id"], label="Approve")
    (update,) = await bot.get_updates(offset=start.update_id + 1)
    assert update.callback_query.data == "ok:1"
    assert update.callback_query.message.text_html == "<b>Deploy?</b> &lt;prod&gt;"
    await update.callback_query.answer("Approved")
    assert (await tap.answered()).text == "Approved"
    edited = await update.callback_query.edit_message_text("Approved by Ann")
    assert ann.inbox[-1]["text"] == edited.text == "Approved by Ann"
    with pytest.raises(telegram.error.BadRequest, match="not modified"):
        await update.callback_query.edit_message_text("Approved by Ann")

    await bot.set_message_reaction(ann.id, start.message.message_id, "👀")
    assert tg.reactions(ann, start.message.message_id) == ["👀"]
    await bot.send_chat_action(ann.id, "typing")
    assert len(tg.typing(ann)) == 1

    photo = await bot.send_photo(ann.id, sample_png(30, 20), caption="look")
    assert (photo.photo[-1].width, photo.photo[-1].height) == (30, 20)
    file = await bot.get_file(photo.photo[-1].file_id)
    assert bytes(await file.download_as_bytearray()) == sample_png(30, 20)
    document = await bot.send_document(ann.id, b"a,b\n", filename="table.csv")
    assert (document.document.file_name, document.document.file_size) == ("table.csv", 4)
    again = await bot.send_document(ann.id, document.document.file_id)
    assert again.document == document.document
    album = await bot.send_media_group(
        ann.id, [telegram.InputMediaPhoto(sample_png()), telegram.InputMediaPhoto(sample_png())], caption="two"
    )
    assert len({message.media_group_id for message in album}) == 1
    assert await bot.delete_message(ann.id, sent.message_id)
    assert sent.message_id not in {message["message_id"] for message in ann.messages()}


async def test_aiogram_journey(tg, aio):
    """Aiogram does the same with its models, which reject missing fields."""
    import aiogram
    from aiogram import types

    button = types.InlineKeyboardButton(text="Approve", callback_data="ok:1", style="success")
    keys = types.InlineKeyboardMarkup(inline_keyboard=[[button]])
    ann = tg.person("ann")
    polling = asyncio.create_task(aio.get_updates(timeout=30))
    await tg.wait_for(lambda: tg.polling)
    ann.send("hello @sandbox_bot")
    (update,) = await polling
    assert update.message.text == "hello @sandbox_bot"

    me = await aio.get_me()
    assert (me.id, me.username, me.can_read_all_group_messages) == (tg.bot_id, "sandbox_bot", False)
    sent = await aio.send_message(ann.id, "*Deploy?* prod\\!", parse_mode="MarkdownV2", reply_markup=keys)
    assert sent.html_text == "<b>Deploy?</b> prod!"
    tap = ann.tap((await ann.next_message())["message_id"])
    (tapped,) = await aio.get_updates(offset=update.update_id + 1)
    await tapped.callback_query.answer("Done", show_alert=True).as_(aio)
    assert (await tap.answered()).show_alert is True
    await sent.edit_text("Done", reply_markup=keys).as_(aio)
    assert ann.inbox[-1]["reply_markup"]["inline_keyboard"][0][0]["style"] == "success"
    with pytest.raises(aiogram.exceptions.TelegramBadRequest, match="not modified"):
        await sent.edit_text("Done", reply_markup=keys).as_(aio)

    png = types.BufferedInputFile(sample_png(), "a.png")
    photo = await aio.send_photo(ann.id, png, caption="look")
    info = await aio.get_file(photo.photo[-1].file_id)
    assert (await aio.download_file(info.file_path)).read() == sample_png()
    voice = await aio.send_voice(ann.id, types.BufferedInputFile(b"ogg", "v.ogg"), duration=2)
    assert voice.voice.duration == 2
    album = await aio.send_media_group(ann.id, [types.InputMediaPhoto(media=png), types.InputMediaPhoto(media=png)])
    assert album[0].media_group_id == album[1].media_group_id
    await aio.set_message_reaction(ann.id, update.message.message_id, [types.ReactionTypeEmoji(emoji="👍")])
    await aio.set_my_commands([types.BotCommand(command="start", description="Begin")])
    assert (await aio.get_my_commands())[0].command == "start"


KINDS = "message edited_message callback_query message_reaction my_chat_member poll poll_answer".split()  # noqa: SIM905


def do_everything(tg, ann):
    """Do everything that a person can do, once."""
    tg.set_privacy(on=False)
    text = ann.send("see https://ya.ru #tag $USD a@b.com +491701234567")
    for kind in ("photo", "document", "voice", "audio", "video", "video_note", "sticker", "animation"):
        getattr(ann, f"send_{kind}")(caption="c")
    ann.send_album([None, None])
    for verb in (ann.send_location, ann.send_contact, ann.send_dice):
        verb()
    ann.send_poll("?", ["a", "b"])
    ann.send("reply", reply_to=text["message_id"], quote="see")
    ann.send("forward", forward_from=ann)
    ann.send("hidden", forward_from="Somebody")
    ann.edit(text["message_id"], "edited")
    ann.react(text["message_id"], "👍")
    ann.block()
    ann.unblock()
    forum = tg.group("Forum", forum=True, members=[ann], administrator=True)
    topic = forum.topic("Deploys")
    ann.send("in topic", chat=forum, thread_id=topic.thread_id)
    forum.kick_bot()
    basic = tg.group("Basic", kind="group", members=[ann])
    basic.add(tg.person("bob"))
    basic.remove(tg.person("bob"))
    ann.send("last", chat=basic.migrate())


async def test_both_clients_parse_everything(tg, bot, aio, raw):
    """Both clients parse every update a person can cause, and know every field in it."""
    ann = tg.person("ann")
    await raw.ok("getUpdates", allowed_updates=KINDS)
    do_everything(tg, ann)
    sent = await bot.send_poll(ann.id, "?", ["a", "b"], is_anonymous=False)
    ann.vote(sent.message_id, 0)
    by_ptb = await bot.get_updates()
    by_aiogram = await aio.get_updates()
    assert [update.update_id for update in by_ptb] == [update.update_id for update in by_aiogram]
    assert tg.pending_updates == len(by_ptb) > 30
    assert {update.event_type for update in by_aiogram} == set(KINDS) - {"callback_query"}
    for update in by_ptb:
        assert not update.api_kwargs
        message = update.effective_message
        if isinstance(message, telegram.Message):
            assert set(message.api_kwargs) <= {"all_members_are_administrators"}
    last = by_ptb[-1]
    assert last.poll_answer or last.poll


async def test_clients_raise_their_own_errors(tg, bot, aio):
    """Blocked, unauthorised, migrated and flooded calls raise the clients' own errors."""
    import aiogram

    ann = tg.person("ann")
    ann.start()
    old = tg.group("Team", kind="group", members=[ann])
    new = old.migrate()
    with pytest.raises(telegram.error.ChatMigrated) as migrated:
        await bot.send_message(old.id, "x")
    assert migrated.value.new_chat_id == new.id
    with pytest.raises(aiogram.exceptions.TelegramMigrateToChat) as moved:
        await aio.send_message(old.id, "x")
    assert moved.value.migrate_to_chat_id == new.id
    tg.set_flood(per_chat_per_s=0.1, burst=1)
    await bot.send_message(ann.id, "x")
    with pytest.raises(telegram.error.RetryAfter):
        await bot.send_message(ann.id, "x")
    with pytest.raises(aiogram.exceptions.TelegramRetryAfter) as slow:
        await aio.send_message(ann.id, "x")
    assert slow.value.retry_after == 10
    ann.block()
    with pytest.raises(telegram.error.Forbidden, match="blocked by the user"):
        await bot.send_message(ann.id, "x")
    with pytest.raises(aiogram.exceptions.TelegramForbiddenError, match="blocked by the user"):
        await aio.send_message(ann.id, "x")
    tg.revoke_token()
    with pytest.raises(telegram.error.InvalidToken):
        await bot.get_me()
    with pytest.raises(aiogram.exceptions.TelegramUnauthorizedError):
        await aio.get_me()


async def test_state_outlives_the_bots_process(tg):
    """Updates, messages and keyboards outlive the bot's process."""
    ann = tg.person("ann")
    ann.start()

    async def life(offset):
        request = telegram.request.HTTPXRequest()
        async with telegram.Bot(tg.token, base_url=f"{tg.root}/bot", get_updates_request=request) as bot:
            updates = await bot.get_updates(offset=offset)
            await bot.send_message(ann.id, "?", reply_markup=PTB_KEYS)
            return updates

    (first,) = await life(None)
    ann.tap(ann.inbox[0]["message_id"])
    (second,) = await life(first.update_id + 1)
    assert second.callback_query.data == "ok:1"
    assert len(ann.inbox) == 2


async def test_two_bots_at_one_address(tg):
    """Each token reads and writes its own bot's chats; a person has the same id in both, and starts each by itself."""
    other = tg.beside("7000000002:" + "B" * 35, "other_bot")
    ann, again = tg.person("ann"), other.person("ann")
    assert ann.id == again.id
    again.dm.started = True
    base = f"{tg.root}/bot"
    async with telegram.Bot(tg.token, base_url=base) as first, telegram.Bot(other.token, base_url=base) as second:
        assert ((await first.get_me()).username, (await second.get_me()).username) == (tg.username, "other_bot")
        with pytest.raises(telegram.error.Forbidden):
            await first.send_message(ann.id, "from the first")
        await second.send_message(ann.id, "from the second")
        again.send("to the second")
        (update,) = await second.get_updates()
        assert update.message.text == "to the second"
        assert await first.get_updates(timeout=0) == ()
        assert (await second.get_webhook_info()).pending_update_count == 1
    assert [message["text"] for message in again.messages()] == ["from the second", "to the second"]
    assert ann.messages() == []


async def test_clients_raise_their_own_conflict(tg, bot, aio):
    """PTB and aiogram both raise their own Conflict."""
    import aiogram

    older = asyncio.create_task(bot.get_updates(timeout=50))
    await tg.wait_for(lambda: tg.polling)
    newer = asyncio.create_task(aio.get_updates(timeout=50))
    with pytest.raises(telegram.error.Conflict):
        await older
    await tg.wait_for(lambda: tg.polling)
    third = asyncio.create_task(bot.get_updates(timeout=50))
    with pytest.raises(aiogram.exceptions.TelegramConflictError):
        await newer
    tg.person("ann").send("hi")
    assert len(await third) == 1
