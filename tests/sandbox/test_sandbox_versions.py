"""What came to the Bot API lately: messages that one person sees, moments, and servers that know none of it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.cold

KEYS = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}


async def grid(tg, raw):
    ann, bob = tg.person("ann"), tg.person("bob")
    group = tg.group("Team", members=[ann, bob])
    sent = await raw.ok("sendMessage", chat_id=group.id, text="?", reply_markup=KEYS)
    return ann, bob, group, sent["message_id"]


def private(person, **more):
    return {"text": "psst", "ephemeral_message_parameters": {"receiver_user_id": person.id, **more}}


async def test_only_who_tapped_sees_the_answer(tg, raw):
    """It has the id 0 and a number, stands in no list of the chat, and the control interface shows it to one person."""
    ann, bob, group, message_id = await grid(tg, raw)
    tap = ann.tap(message_id, chat=group)
    sent = await raw.ok("sendMessage", chat_id=group.id, **private(ann, callback_query_id=tap.id))
    assert (sent["message_id"], sent["receiver_user"]["id"], sent["chat"]["id"]) == (0, ann.id, group.id)
    assert sent["ephemeral_message_id"]
    assert [message["text"] for message in ann.ephemerals] == ["psst"]
    assert bob.ephemerals == []
    assert [message["text"] for message in group.messages() if "text" in message] == ["?"]
    for name, seen in (("ann", ["psst"]), ("bob", [])):
        _, answer = await raw.query(f"messages?chat=Team&as={name}")
        assert [message["text"] for message in answer["ephemerals"]] == seen


async def test_what_one_person_sees_answers_them_and_at_once(tg, raw):
    """Another's tap, one that is 15 s old, no cause at all, a stranger and a channel: refused; an admin needs none."""
    ann, bob, group, message_id = await grid(tg, raw)
    tap = ann.tap(message_id, chat=group)
    await raw.refused("sendMessage", chat_id=group.id, **private(bob, callback_query_id=tap.id))
    await raw.refused("sendMessage", chat_id=group.id, **private(ann))
    tg.advance(16)
    await raw.refused("sendMessage", chat_id=group.id, **private(ann, callback_query_id=tap.id))
    await raw.refused("sendMessage", chat_id=group.id, **private(tg.person("eve"), callback_query_id=tap.id))
    group.add_bot(administrator=True)
    await raw.ok("sendMessage", chat_id=group.id, **private(ann))
    assert len(ann.ephemerals) == 1
    channel = tg.group("News", kind="channel", members=[ann])
    await raw.refused("sendMessage", chat_id=channel.id, **private(ann))


async def test_commands_that_nobody_else_sees(tg, raw, updates):
    """Sent from the menu they come with a number, and their answer names it."""
    ann = tg.person("ann")
    group = tg.group("Team", members=[ann])
    menu = [{"command": "pair", "description": "x", "is_ephemeral": True}, {"command": "help", "description": "x"}]
    await raw.ok("setMyCommands", commands=menu)
    assert await raw.ok("getMyCommands") == menu
    ann.command("/pair", chat=group)
    heard = (await updates())[-1]["message"]
    assert (heard["message_id"], heard["text"]) == (0, "/pair")
    number = heard["ephemeral_message_id"]
    await raw.refused("sendMessage", chat_id=group.id, **private(ann))
    reply = {"ephemeral_message_id": number}
    await raw.ok("sendMessage", chat_id=group.id, reply_parameters=reply, **private(ann))
    assert [message["text"] for message in ann.ephemerals] == ["psst"]
    assert ann.command("/help", chat=group)["message_id"]


@pytest.mark.parametrize(("version", "taken"), [("10.3", False), ("10.4", True)])
async def test_from_10_4_on_the_tap_alone_says_where(of_version, version, taken):
    """Before, the chat and the person have to be named, and it has to be a group."""
    async with of_version(version) as (tg, raw):
        ann = tg.person("ann")
        ann.dm.started = True
        sent = await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=KEYS)
        tap = ann.tap(sent["message_id"])
        status, _ = await raw("sendMessage", text="psst", ephemeral_message_parameters={"callback_query_id": tap.id})
        assert (status == 200) == taken == bool(ann.ephemerals)
        method, _ = await raw("sendWidget", chat_id=ann.id)
        assert method == (400 if taken else 404)


async def test_an_older_server_ignores_what_it_does_not_know(of_version):
    """Of 10.0: what is for one person is seen by all, a keyboard opens no field, a disabled button is no button."""
    async with of_version("10.0") as (tg, raw):
        ann, _, group, message_id = await grid(tg, raw)
        tap = ann.tap(message_id, chat=group)
        sent = await raw.ok("sendMessage", chat_id=group.id, **private(ann, callback_query_id=tap.id))
        assert sent["message_id"]
        assert ann.ephemerals == []
        assert [message["text"] for message in group.messages() if "text" in message] == ["?", "psst"]
        sent = await raw.ok("sendMessage", chat_id=group.id, text="?", reply_markup={**KEYS, "force_reply": True})
        assert sent["reply_markup"] == KEYS
        keys = {"inline_keyboard": [[{"text": "Yes", "disabled": {}}]]}
        refused = await raw.refused("sendMessage", chat_id=group.id, text="?", reply_markup=keys)
        assert "Text buttons are unallowed" in refused
        await raw.ok("setMyCommands", commands=[{"command": "pair", "description": "x", "is_ephemeral": True}])
        assert await raw.ok("getMyCommands") == [{"command": "pair", "description": "x"}]
        assert await raw.refused("sendWidget", chat_id=group.id) == "Not Found: method not found"


async def test_a_moment_is_an_entity_since_9_5(of_version):
    """It has a time and may have a format; other formats, times and older servers refuse it."""
    moment = {"type": "date_time", "offset": 0, "length": 5, "unix_time": 1_765_200_000, "date_time_format": "t"}
    async with of_version("9.5") as (tg, raw):
        tg.person("ann").dm.started = True
        where = {"chat_id": tg.person("ann").id, "text": "14:05"}
        sent = await raw.ok("sendMessage", **where, entities=[moment])
        assert sent["entities"] == [moment]
        for wrong in ({"date_time_format": "x"}, {"unix_time": 0}, {"unix_time": "soon"}):
            refused = await raw.refused("sendMessage", **where, entities=[{**moment, **wrong}])
            assert "can't parse MessageEntity" in refused
    async with of_version("9.4") as (tg, raw):
        tg.person("ann").dm.started = True
        refused = await raw.refused("sendMessage", chat_id=tg.person("ann").id, text="14:05", entities=[moment])
        assert refused.endswith("Unsupported type specified")
