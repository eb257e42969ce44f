"""Editing, deleting, replying, reacting; and where a bot may write."""

from __future__ import annotations

import pytest
import telegram.constants

from agent_channels.sandbox.telegram.edit_methods import REACTIONS

pytestmark = pytest.mark.cold

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)
KEYS = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}


async def test_edit_replaces_text_and_keyboard(raw, ann):
    """An edit shows on the person's screen; a keyboard that is not sent again is removed."""
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="one", reply_markup=KEYS)
    place = {"chat_id": ann.id, "message_id": sent["message_id"]}
    edited = await raw.ok("editMessageText", **place, text="<b>two</b>", parse_mode="HTML")
    assert edited["text"] == "two"
    assert "edit_date" in edited
    (seen,) = ann.inbox
    assert (seen["text"], seen["entities"]) == ("two", [{"type": "bold", "offset": 0, "length": 3}])
    assert "reply_markup" not in seen
    assert (await raw.ok("editMessageReplyMarkup", **place, reply_markup=KEYS))["reply_markup"] == KEYS
    assert "reply_markup" not in await raw.ok("editMessageReplyMarkup", **place, reply_markup={"inline_keyboard": []})


async def test_same_content_is_not_modified(raw, ann):
    """An edit that changes neither text nor keyboard is refused."""
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="one", reply_markup=KEYS)
    place = {"chat_id": ann.id, "message_id": sent["message_id"]}
    assert await raw.refused("editMessageText", **place, text=" one ", reply_markup=KEYS) == NOT_MODIFIED
    assert await raw.refused("editMessageReplyMarkup", **place, reply_markup=KEYS) == NOT_MODIFIED
    await raw.ok("editMessageText", **place, text="one")
    assert await raw.refused("editMessageText", **place, text="one") == NOT_MODIFIED


async def test_edit_refusals(raw, ann):
    """Other people's, missing and unsuitable messages cannot be edited."""
    mine = ann.send("hi")
    text = await raw.ok("sendMessage", chat_id=ann.id, text="text")
    photo = await raw.ok("sendPhoto", chat_id=ann.id, photo=ann.send_photo()["photo"][-1]["file_id"], caption="c")

    async def edit(method, message_id=None, **params):
        place = {"message_id": message_id} if message_id else {}
        return (await raw.refused(method, chat_id=ann.id, **place, **params)).removeprefix("Bad Request: ")

    assert await edit("editMessageText", mine["message_id"], text="x") == "message can't be edited"
    assert await edit("editMessageText", 999, text="x") == "message to edit not found"
    assert await edit("editMessageText", text="x") == "message identifier is not specified"
    assert await edit("editMessageText", photo["message_id"], text="x") == "there is no text in the message to edit"
    no_caption = "there is no caption in the message to edit"
    assert await edit("editMessageCaption", text["message_id"], caption="x") == no_caption
    assert await edit("editMessageText", text["message_id"], text="x" * 4097) == "message is too long"
    changed = await raw.ok("editMessageCaption", chat_id=ann.id, message_id=photo["message_id"], caption="d")
    assert changed["caption"] == "d"


async def test_delete(tg, raw, ann):
    """A bot deletes its own messages, and any in a private chat, within 48 hours."""
    mine, own = ann.send("hi"), await raw.ok("sendMessage", chat_id=ann.id, text="yo")
    for message in (mine, own):
        assert await raw.ok("deleteMessage", chat_id=ann.id, message_id=message["message_id"]) is True
    again = await raw.refused("deleteMessage", chat_id=ann.id, message_id=own["message_id"])
    assert again == "Bad Request: message to delete not found"
    old = await raw.ok("sendMessage", chat_id=ann.id, text="old")
    tg.advance(49 * 3600)
    late = await raw.refused("deleteMessage", chat_id=ann.id, message_id=old["message_id"])
    assert late == "Bad Request: message can't be deleted for everyone"


async def test_what_people_may_not_do(ann):
    """People can delete only existing messages, and edit only their own."""
    message = ann.send("hi")
    ann.delete(message["message_id"])
    assert message["message_id"] not in {one["message_id"] for one in ann.messages()}
    with pytest.raises(LookupError, match="no message"):
        ann.delete(message["message_id"])
    with pytest.raises(LookupError, match="no message"):
        ann.send("x", reply_to=999)
    with pytest.raises(ValueError, match="is not in message"):
        ann.send("x", reply_to=ann.send("abc")["message_id"], quote="d")
    with pytest.raises(ValueError, match="no kind of file"):
        ann.send_media("fax")
    with pytest.raises(ValueError, match="2-10"):
        ann.send_album([None])
    with pytest.raises(TypeError, match="unknown option"):
        ann.send_dice(colour="red")


async def test_replies_and_quotes(raw, ann, updates):
    """A reply carries the replied message, in both directions, and a quote its position in UTF-16."""
    asked = ann.send("🎉 what now?")
    place = {"message_id": asked["message_id"], "quote": "what"}
    sent = await raw.ok("sendMessage", chat_id=ann.id, text="this", reply_parameters=place)
    assert sent["reply_to_message"]["text"] == "🎉 what now?"
    assert sent["quote"] == {"text": "what", "position": 3, "is_manual": True}
    old = await raw.ok("sendMessage", chat_id=ann.id, text="that", reply_to_message_id=asked["message_id"])
    assert "reply_to_message" not in old["reply_to_message"]
    await updates()
    ann.send("thanks", reply_to=sent["message_id"], quote="this")
    (update,) = await updates()
    assert update["message"]["reply_to_message"]["message_id"] == sent["message_id"]
    assert update["message"]["quote"]["text"] == "this"


async def test_reply_refusals(raw, ann):
    """A reply to a missing message is refused, unless it may be sent without."""
    words = "Bad Request: message to be replied not found"
    assert await raw.refused("sendMessage", chat_id=ann.id, text="x", reply_parameters={"message_id": 999}) == words
    assert await raw.refused("sendMessage", chat_id=ann.id, text="x", reply_to_message_id=999) == words
    loose = {"message_id": 999, "allow_sending_without_reply": True}
    assert "reply_to_message" not in await raw.ok("sendMessage", chat_id=ann.id, text="x", reply_parameters=loose)
    missing = await raw.refused("sendMessage", chat_id=ann.id, text="x", reply_parameters={"quote": "x"})
    assert missing == 'Bad Request: can\'t find field "message_id"'
    asked = ann.send("hi")
    wrong = {"message_id": asked["message_id"], "quote": "bye"}
    refused = await raw.refused("sendMessage", chat_id=ann.id, text="x", reply_parameters=wrong)
    assert refused == "Bad Request: QUOTE_TEXT_INVALID"


def test_reactions_are_the_73():
    """The list is the documented one, as python-telegram-bot has it."""
    assert {one.value for one in telegram.constants.ReactionEmoji} == REACTIONS
    assert len(REACTIONS) == 73


async def test_reactions(tg, raw, ann):
    """A bot sets one listed reaction per message; an empty list removes it."""
    message = ann.send("hi")["message_id"]

    def react(*emoji):
        return {"chat_id": ann.id, "message_id": message, "reaction": [{"type": "emoji", "emoji": e} for e in emoji]}

    assert await raw.ok("setMessageReaction", **react("👀")) is True
    assert tg.reactions(ann, message) == ["👀"]
    custom = {"reaction": [{"type": "custom_emoji", "custom_emoji_id": "1"}]}
    assert await raw.refused("setMessageReaction", **react() | custom) == "Bad Request: REACTION_INVALID"
    for emoji in ("✅", "❌", "❤️", "x"):
        assert await raw.refused("setMessageReaction", **react(emoji)) == "Bad Request: REACTION_INVALID"
    assert await raw.refused("setMessageReaction", **react("👍", "🔥")) == "Bad Request: REACTIONS_TOO_MANY"
    await raw.ok("setMessageReaction", **react("👌"))
    assert tg.reactions(ann, message) == ["👌"]
    await raw.ok("setMessageReaction", **react())
    assert tg.reactions(ann, message) == []
    lost = await raw.refused("setMessageReaction", **react("👌") | {"message_id": 999})
    assert lost == "Bad Request: message to react not found"


async def test_where_a_bot_may_write(tg, raw, ann):
    """A bot cannot write to strangers, to people who blocked it, to deleted accounts and unknown chats."""

    async def write(chat_id):
        return await raw.refused("sendMessage", chat_id=chat_id, text="x")

    bob = tg.person("bob")
    assert await write(bob.id) == "Forbidden: bot can't initiate conversation with a user"
    bob.start()
    await raw.ok("sendMessage", chat_id=bob.id, text="x")
    bob.block()
    assert await write(bob.id) == "Forbidden: bot was blocked by the user"
    with pytest.raises(ValueError, match="unblock"):
        bob.send("hi")
    bob.unblock()
    await raw.ok("sendMessage", chat_id=bob.id, text="x")
    bob.deactivate()
    assert await write(bob.id) == "Forbidden: user is deactivated"
    for unknown in (0, -1, 123456, "@nobody_here", "words"):
        assert await write(unknown) == "Bad Request: chat not found"
    assert await write("") == "Bad Request: chat_id is empty"


async def test_blocking_reaches_the_bot(ann, updates):
    """Blocking and unblocking reach the bot as my_chat_member."""
    ann.block()
    ann.unblock()
    changes = [update["my_chat_member"]["new_chat_member"]["status"] for update in await updates()]
    assert changes == ["kicked", "member"]


async def test_tokens_and_methods(tg, raw):
    """An unknown method and a malformed token are 404, a wrong token is 401."""
    assert await raw("sendFax") == (404, {"ok": False, "error_code": 404, "description": "Not Found: method not found"})
    for token, status, words in (
        ("nonsense", 404, "Not Found"),
        ("7000000001:" + "x" * 35, 401, "Unauthorized"),
    ):
        async with raw.session.get(f"{tg.root}/bot{token}/getMe") as response:
            body = await response.json()
            assert (response.status, body["description"]) == (status, words)
    async with raw.session.get(f"{tg.root}/elsewhere") as response:
        assert response.status == 404


async def test_flood(tg, raw, ann):
    """With the rule on, a burst is sent, then 429 says how long to wait; other chats are not affected."""
    tg.set_flood(per_chat_per_s=0.5, burst=2)
    bob = tg.person("bob")
    bob.start()
    for _ in range(2):
        await raw.ok("sendMessage", chat_id=ann.id, text="x")
    status, body = await raw("sendMessage", chat_id=ann.id, text="x")
    assert (status, body["description"]) == (429, "Too Many Requests: retry after 2")
    assert body["parameters"] == {"retry_after": 2}
    await raw.ok("sendMessage", chat_id=bob.id, text="x")
    tg.advance(2)
    await raw.ok("sendMessage", chat_id=ann.id, text="x")
    tg.set_flood(None)
    for _ in range(5):
        await raw.ok("sendMessage", chat_id=ann.id, text="x")


async def test_commands(tg, raw):
    """Commands are kept by scope and language, checked, and every call is counted."""
    commands = [{"command": "start", "description": "Begin"}]
    await raw.ok("setMyCommands", commands=commands)
    scope = {"type": "all_private_chats"}
    assert await raw.ok("getMyCommands") == commands
    assert await raw.ok("getMyCommands", scope=scope) == []
    assert len(tg.calls_of("setMyCommands")) == 1
    for wrong, words in (
        ([{"command": "Bad Name", "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "x", "description": ""}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        (commands * 101, "BOT_COMMANDS_TOO_MUCH"),
    ):
        assert await raw.refused("setMyCommands", commands=wrong) == f"Bad Request: {words}"


async def test_chat_actions(tg, raw, ann):
    """Typing is recorded, an unknown action is refused."""
    await raw.ok("sendChatAction", chat_id=ann.id, action="typing")
    assert len(tg.typing(ann)) == 1
    wrong = await raw.refused("sendChatAction", chat_id=ann.id, action="dancing")
    assert wrong == "Bad Request: wrong parameter action in request"


async def test_other_contents(raw, ann, updates):
    """People send locations, contacts, dice and polls; the bot gets the votes of its own public poll."""
    poll = await raw.ok("sendPoll", chat_id=ann.id, question="?", options=["a", {"text": "b"}], is_anonymous=False)
    one = await raw.refused("sendPoll", chat_id=ann.id, question="?", options=["a"])
    assert one == "Bad Request: poll must have at least 2 option"
    ann.vote(poll["message_id"], 1)
    answer, state = await updates()
    assert answer["poll_answer"]["option_ids"] == [1]
    assert state["poll"]["total_voter_count"] == 1
    ann.send_location()
    ann.send_contact()
    ann.send_dice(6)
    ann.send_poll("?", ["a", "b"])
    kinds = [set(update["message"]) & {"location", "contact", "dice", "poll"} for update in await updates()]
    assert kinds == [{"location"}, {"contact"}, {"dice"}, {"poll"}]


async def test_peoples_edits_and_forwards(ann, updates):
    """People's edits and forwards reach the bot as such."""
    message = ann.send("teh /start")
    ann.edit(message["message_id"], "the /start")
    ann.send("news", forward_from="Somebody")
    first, second, third = await updates()
    assert first["message"]["text"] == "teh /start"
    assert second["edited_message"]["text"] == "the /start"
    assert second["edited_message"]["entities"] == [{"type": "bot_command", "offset": 4, "length": 6}]
    assert third["message"]["forward_origin"]["sender_user_name"] == "Somebody"
    with pytest.raises(LookupError):
        ann.edit(999, "x")
