"""The control interface: acting as people from another process."""

from __future__ import annotations

import asyncio
import base64

import pytest

from agent_channels.sandbox.telegram.images import sample_png

pytestmark = pytest.mark.cold

KEYS = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"}]]}


async def test_send_needs_only_a_name(tg, raw, updates):
    """One POST creates the person and sends, whatever the content type."""
    status, body = await raw.control("send", **{"as": "ann", "text": "hi"})
    assert status == 200
    assert body["message"]["text"] == "hi"
    (update,) = await updates()
    assert update["message"]["from"]["username"] == "ann"
    curl = {"Content-Type": "application/x-www-form-urlencoded", **tg.authorization}
    async with raw.session.post(f"{tg.root}/control/send", data='{"as":"ann","text":"two"}', headers=curl) as response:
        assert response.status == 200
    assert len(await updates()) == 1


async def test_media(raw, updates):
    """Files are given as base64, as text, or as a sample."""
    data = base64.b64encode(sample_png(7, 8)).decode()
    await raw.control("send", **{"as": "ann", "kind": "photo", "base64": data, "caption": "look"})
    await raw.control("send", **{"as": "ann", "kind": "document", "content": "a,b", "file_name": "a.csv"})
    await raw.control("send", **{"as": "ann", "kind": "voice"})
    photo, document, voice = [update["message"] for update in await updates()]
    assert (photo["photo"][-1]["width"], photo["caption"]) == (7, "look")
    assert document["document"]["file_name"] == "a.csv"
    assert voice["voice"]["duration"] == 3


async def test_tap_and_wait_for_the_answer(raw, ann, updates):
    """A tap finds the last keyboard by itself and returns the bot's answer."""
    await raw.ok("sendMessage", chat_id=ann.id, text="?", reply_markup=KEYS)
    tapping = asyncio.create_task(raw.control("tap", **{"as": "ann", "label": "No", "wait": 5}))
    (update,) = await raw.ok("getUpdates", timeout=5)
    query = update["callback_query"]
    assert query["data"] == "n"
    await raw.ok("answerCallbackQuery", callback_query_id=query["id"], text="pity")
    status, body = await tapping
    assert (status, body["answer"]) == (200, {"text": "pity", "show_alert": False})
    _, body = await raw.control("tap", **{"as": "ann", "row": 0, "col": 0, "wait": 0.01})
    assert body["answer"] is None
    _, body = await raw.control("tap", **{"as": "ann", "data": "forged"})
    assert [one["callback_query"]["data"] for one in (await updates())[1:]] == ["y", "forged"]


async def test_groups_and_topics(tg, raw, updates):
    """Groups are created and named by title; topics, replies, edits and reactions work in them."""
    _, body = await raw.control("group", title="Team", forum=True, members=["ann", "bob"], bot="administrator")
    chat = body["chat"]["id"]
    _, body = await raw.control("topic", chat="Team", name="Deploys")
    thread = body["thread_id"]
    await updates()
    _, body = await raw.control("send", **{"as": "bob", "chat": "Team", "thread_id": thread, "text": "go"})
    message = body["message"]
    assert (message["chat"]["id"], message["message_thread_id"]) == (chat, thread)
    place = {"as": "bob", "chat": chat, "message_id": message["message_id"]}
    assert (await raw.control("edit", **place, text="went"))[0] == 200
    assert (await raw.control("react", **place, emoji="👍"))[0] == 200
    sent, edited = await updates()
    assert (sent["message"]["text"], edited["edited_message"]["text"]) == ("go", "went")
    assert (await raw.control("group", title="Team", add=["cid"], bot=False))[0] == 200
    refused = await raw.refused("sendMessage", chat_id=chat, text="x")
    assert refused == "Forbidden: bot was kicked from the supergroup chat"
    await raw.control("group", title="Old", kind="group", members=["ann"])
    _, body = await raw.control("group", title="Old", migrate=True)
    assert body["chat"]["type"] == "supergroup"
    assert (await raw.control("send", **{"as": "ann", "chat": "Old", "text": "/x"}))[1]["message"]["chat"] == body[
        "chat"
    ]


async def test_queries(tg, raw, ann):
    """Messages, calls and state can be read."""
    await raw.ok("sendMessage", chat_id=ann.id, text="hello", reply_markup=KEYS)
    eyes = [{"type": "emoji", "emoji": "👀"}]
    await raw.ok("setMessageReaction", chat_id=ann.id, message_id=1, reaction=eyes)
    for name in ("ann", str(ann.id)):
        _, body = await raw.query(f"messages?chat={name}")
        assert body["messages"][-1]["text"] == "hello"
        assert body["messages"][-1]["reply_markup"] == KEYS
        assert (body["reactions"], body["actions"]) == ({"1": ["👀"]}, [])
    _, body = await raw.query("calls?method=sendMessage")
    assert [(call["method"], call["code"]) for call in body["calls"]] == [("sendMessage", 200)]
    tg.group("Team", members=[ann])
    _, body = await raw.query("state")
    assert [person["handle"] for person in body["people"]] == ["ann"]
    assert body["groups"][0]["title"] == "Team"
    assert body["pending_updates"] == tg.pending_updates == 2
    _, body = await raw.query("")
    assert any(path.startswith("POST /control/send") for path in body["paths"])


async def test_waiting_for_a_change(raw, ann):
    """A waiting request returns at the next change, or unchanged after its timeout."""
    _, body = await raw.query("state")
    waiting = asyncio.create_task(raw.query(f"wait?since={body['changes']}&timeout=10"))
    await asyncio.sleep(0)
    await raw.ok("sendMessage", chat_id=ann.id, text="x")
    _, changed = await waiting
    assert changed["changed"] is True
    _, body = await raw.query("state")
    _, unchanged = await raw.query(f"wait?since={body['changes'] + 100}&timeout=0.01")
    assert unchanged["changed"] is False


async def test_faults_clock_flood_and_blocking(tg, raw, ann):
    """Faults, the clock, the flood rule and blocking are controlled from outside."""
    assert (await raw.control("faults", kind="error", method="getMe", status=502, times=1))[1]["rules"] == 1
    assert (await raw("getMe"))[0] == 502
    assert (await raw.control("faults", clear=True))[1]["rules"] == 0
    before = tg.state.now()
    await raw.control("clock", advance=61)
    assert tg.state.now() - before > 60
    await raw.control("flood", per_s=1, burst=1)
    await raw.ok("sendMessage", chat_id=ann.id, text="x")
    assert (await raw("sendMessage", chat_id=ann.id, text="x"))[0] == 429
    await raw.control("flood", off=True)
    await raw.ok("sendMessage", chat_id=ann.id, text="x")
    await raw.control("block", **{"as": "ann"})
    assert await raw.refused("sendMessage", chat_id=ann.id, text="x") == "Forbidden: bot was blocked by the user"
    await raw.control("block", **{"as": "ann", "blocked": False})
    await raw.ok("sendMessage", chat_id=ann.id, text="x")


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("send", {"text": "hi"}, "as is missing"),
        ("send", {"as": "ann"}, "text is missing"),
        ("send", {"as": "ann", "text": "x", "chat": "Nowhere"}, "no group 'Nowhere'"),
        ("send", {"as": "ann", "kind": "fax"}, "no kind of file 'fax'"),
        ("send", {"as": "ann", "kind": "photo", "base64": "%%"}, "base64 does not decode"),
        ("tap", {"as": "ann"}, "no message there has buttons"),
        ("edit", {"as": "ann", "message_id": 99, "text": "x"}, "no message 99"),
        ("faults", {"kind": "explode"}, "no fault kind 'explode'"),
        ("topic", {"name": "x"}, "chat is missing"),
        ("group", {"title": "G", "kind": "party"}, "a group is kind"),
    ],
)
async def test_errors_name_the_next_step(raw, path, body, error):
    """The answer to a wrong request says what is wrong and what would work."""
    status, answer = await raw.control(path, **body)
    assert status == 400
    assert error in answer["error"]
    assert answer["next"]


async def test_not_json(tg, raw):
    """A body that is not a JSON object is refused in the same way."""
    for data in (b"hello", b"[1]", b"[" * 100_000):
        async with raw.session.post(f"{tg.root}/control/send", data=data, headers=tg.authorization) as response:
            assert response.status == 400
            assert "JSON" in (await response.json())["error"]
