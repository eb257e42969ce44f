"""The fake Slack's Web API: tokens, scopes, forms and JSON, conversations, history and threads."""

from __future__ import annotations

import pytest

from agent_channels.sandbox.slack.sandbox import SlackSandbox, random_token

pytest_plugins = ["slack_fixtures"]


async def test_tokens_are_told_apart(slack, api):
    """No token, a wrong one, a revoked one: each has its own error; a form may carry the bot's token."""
    assert await api.refused("auth.test", token="") == "not_authed"
    assert await api.refused("auth.test", token=random_token()) == "invalid_auth"
    body = await api.post("/api/auth.test", token="", data={"token": slack.token})
    assert (body["ok"], body["bot_id"], body["is_enterprise_install"]) == (True, slack.state.bot.bot_id, False)
    old = slack.token
    new = slack.revoke_token()
    assert await api.refused("auth.test", token=old) == "token_revoked"
    assert (await api.ok("auth.test", token=new))["user"] == "sandbox-bot"


async def test_scopes_are_told(slack, api, eve):
    """The headers list the token's scopes, and a method without its scope says which one it needs."""
    await api.ok("auth.test")
    assert api.headers["x-oauth-scopes"].split(",") == slack.state.app.bot_scopes
    slack.without_scope("chat:write", "im:history", "im:read")
    body = await api("chat.postMessage", channel=eve.dm.id, text="x")
    assert (body["error"], body["needed"]) == ("missing_scope", "chat:write")
    assert body["provided"] == ",".join(slack.state.app.bot_scopes)
    assert api.headers["x-accepted-oauth-scopes"] == "chat:write"
    body = await api.form("conversations.history", channel=eve.dm.id)
    assert (body["error"], body["needed"]) == ("missing_scope", "im:history")
    body = await api.form("conversations.list", types="public_channel,im")
    assert (body["error"], body["needed"]) == ("missing_scope", "im:read")


async def test_bodies_are_forms_or_json(slack, api, eve):
    """JSON without a charset is warned of, some methods ignore it, and what is neither is refused."""
    assert (await api("users.info", user=eve.id))["error"] == "user_not_found"
    assert (await api.ok("users.info", user=eve.id))["user"]["profile"]["display_name"] == "eve"
    headers = {"Authorization": f"Bearer {slack.token}", "Content-Type": "application/json"}
    for data, wanted in ((b"{", "invalid_json"), (b"[]", "json_not_object")):
        async with api.session.post(f"{slack.api}chat.postMessage", data=data, headers=headers) as response:
            body = await response.json()
        assert (body["error"], body["warning"]) == (wanted, "missing_charset")
    headers["Content-Type"] = "text/xml"
    async with api.session.post(f"{slack.api}auth.test", data=b"<a/>", headers=headers) as response:
        assert (await response.json())["error"] == "invalid_post_type"
    assert (await api("no.such"))["error"] == "unknown_method"
    async with api.session.get(f"{slack.api}auth.test", headers={"Authorization": f"Bearer {slack.token}"}) as response:
        assert (await response.json())["ok"] is True


async def test_conversations_are_listed_by_kind(slack, api, eve):
    """Public channels are listed even without the bot, private ones and direct chats only with it; cursors page."""
    general = slack.channel("general", members=[eve])
    slack.channel("elsewhere", members=[eve], bot=False)
    secret = slack.channel("secret", members=[eve], bot=False, private=True)
    names = [one["name"] for one in (await api.ok("conversations.list"))["channels"]]
    assert names == ["general", "elsewhere"]
    mine = await api.ok("users.conversations", types="public_channel,private_channel,im,mpim")
    assert [one["id"] for one in mine["channels"]] == [eve.dm.id, general.id]
    assert mine["channels"][0]["user"] == eve.id
    page = await api.ok("conversations.list", limit="1")
    cursor = page["response_metadata"]["next_cursor"]
    rest = await api.ok("conversations.list", limit="1", cursor=cursor)
    assert (rest["channels"][0]["name"], rest["response_metadata"]["next_cursor"]) == ("elsewhere", "")
    assert await api.refused("conversations.list", cursor="bogus") == "invalid_cursor"
    assert await api.refused("conversations.list", types="group") == "invalid_types"
    assert await api.refused("conversations.info", channel=secret.id) == "channel_not_found"
    info = await api.ok("conversations.info", channel=general.id, include_num_members="true")
    assert (info["channel"]["num_members"], info["channel"]["is_member"]) == (2, True)
    assert (await api.ok("conversations.members", channel=general.id))["members"] == [eve.id, slack.bot_id]


async def test_direct_chats_are_opened(slack, api):
    """With one person or several, by their ids; the bot itself and strangers are refused."""
    ann, ben = slack.person("ann"), slack.person("ben")
    first = await api.ok("conversations.open", users=ann.id)
    again = await api.ok("conversations.open", users=ann.id, return_im="true")
    assert (first["already_open"], again["already_open"], again["channel"]["id"]) == (
        False,
        True,
        first["channel"]["id"],
    )
    assert await api.refused("conversations.open", users=slack.bot_id) == "cannot_dm_bot"
    assert await api.refused("conversations.open", users="U0NOBODY001") == "user_not_found"
    assert await api.refused("conversations.open") == "users_list_not_supplied"
    slack.state.app.bot_scopes.append("mpim:write")
    both = (await api.ok("conversations.open", users=f"{ann.id},{ben.id}"))["channel"]["id"]
    assert (await api.ok("conversations.info", channel=both))["channel"]["is_mpim"] is True


async def test_history_is_paged_from_the_newest_or_forward_from_the_oldest(slack, api, room, eve):
    """Newest first; replies are left out, broadcasts are not; with `oldest` alone the pages go forward."""
    sent = [eve.send(str(number), channel=room)["ts"] for number in range(5)]
    eve.send("in the thread", channel=room, thread=sent[0])
    eve.send("and in the channel", channel=room, thread=sent[0], broadcast=True)

    async def texts(**params):
        body = await api.ok("conversations.history", channel=room.id, **params)
        return [one["text"] for one in body["messages"]], body

    assert (await texts())[0] == ["and in the channel", "4", "3", "2", "1", "0"]
    page, body = await texts(limit="2")
    assert (page, body["has_more"]) == (["and in the channel", "4"], True)
    assert (await texts(limit="2", cursor=body["response_metadata"]["next_cursor"]))[0] == ["3", "2"]
    page, body = await texts(oldest=sent[1], limit="2")
    assert (page, body["has_more"]) == (["3", "2"], True)
    cursor = body["response_metadata"]["next_cursor"]
    page, body = await texts(oldest=sent[1], limit="2", cursor=cursor)
    assert (page, body["has_more"]) == (["and in the channel", "4"], False)
    assert (await texts(oldest=sent[1], latest=sent[3]))[0] == ["2"]
    assert (await texts(oldest=sent[1], latest=sent[3], inclusive="1"))[0] == ["3", "2", "1"]
    assert await api.refused("conversations.history", channel=room.id, oldest="yesterday") == "invalid_ts_oldest"
    assert await api.refused("conversations.history", channel=room.id, limit="0") == "invalid_limit"
    room.remove_bot()
    assert await api.refused("conversations.history", channel=room.id) == "not_in_channel"


async def test_replies_begin_with_the_first_message(slack, api, room, eve):
    """A thread's first message comes with every page; a reply's timestamp brings that reply alone."""
    root = eve.send("root", channel=room)
    replies = [eve.send(f"reply {number}", channel=room, thread=root)["ts"] for number in range(3)]
    body = await api.ok("conversations.replies", channel=room.id, ts=root["ts"], limit="2")
    assert [one["text"] for one in body["messages"]] == ["root", "reply 0", "reply 1"]
    assert (body["messages"][0]["reply_count"], body["messages"][1]["parent_user_id"]) == (3, eve.id)
    body = await api.ok(
        "conversations.replies",
        channel=room.id,
        ts=root["ts"],
        limit="2",
        cursor=body["response_metadata"]["next_cursor"],
    )
    assert [one["text"] for one in body["messages"]] == ["root", "reply 2"]
    body = await api.ok("conversations.replies", channel=room.id, ts=root["ts"], oldest=replies[0])
    assert [one["text"] for one in body["messages"]] == ["root", "reply 1", "reply 2"]
    body = await api.ok("conversations.replies", channel=room.id, ts=replies[1])
    assert [one["text"] for one in body["messages"]] == ["reply 1"]
    assert await api.refused("conversations.replies", channel=room.id, ts="1.000001") == "thread_not_found"


async def test_people_and_bots_are_looked_up(slack, api, room, eve):
    """Each by its own id; another integration's messages have a bot and no user."""
    assert (await api.ok("bots.info", bot=slack.state.bot.bot_id))["bot"]["user_id"] == slack.bot_id
    assert await api.refused("bots.info", bot="B0NOBODY001") == "bot_not_found"
    said = room.post_as_bot("built", "CI")
    assert (said["subtype"], said["username"], "user" in said) == ("bot_message", "CI", False)
    link = await api.ok("chat.getPermalink", channel=room.id, message_ts=said["ts"])
    assert link["permalink"].endswith(f"/archives/{room.id}/p{said['ts'].replace('.', '')}")
    slack.state.emoji["shipit"] = "https://example.com/shipit.png"
    assert (await api.ok("emoji.list"))["emoji"] == {"shipit": "https://example.com/shipit.png"}


async def test_the_bot_joins_public_channels_alone(slack, api, eve):
    """Joining makes it a member; a private channel is not found, an archived one is refused."""
    room = slack.channel("open", members=[eve], bot=False)
    assert await api.refused("chat.postMessage", channel=room.id, text="x") == "not_in_channel"
    await api.ok("conversations.join", channel=room.id)
    await api.ok("chat.postMessage", channel="#open", text="x")
    room.archive()
    assert await api.refused("chat.postMessage", channel=room.id, text="x") == "is_archived"
    with pytest.raises(ValueError, match="archived"):
        eve.send("x", channel=room)
    hidden = slack.channel("hidden", members=[eve], bot=False, private=True)
    assert await api.refused("conversations.join", channel=hidden.id) == "channel_not_found"


async def test_rate_limits_say_when_to_come_back(slack, api, eve):
    """429 with Retry-After, by method and by conversation, until the time is over."""
    slack.set_limit("conversations.*", 2)
    for _ in range(2):
        await api.ok("conversations.history", channel=eve.dm.id)
    assert await api.refused("conversations.history", channel=eve.dm.id) == "ratelimited"
    assert (api.status, int(api.headers["Retry-After"]) in range(50, 61)) == (429, True)
    slack.advance(61)
    await api.ok("conversations.history", channel=eve.dm.id)
    slack.set_flood(1.0)
    await api.ok("chat.postMessage", channel=eve.dm.id, text="1")
    assert await api.refused("chat.postMessage", channel=eve.dm.id, text="2") == "ratelimited"
    assert api.headers["Retry-After"] == "1"
    await api.ok("chat.postMessage", channel=slack.person("ann").id, text="3")


def test_malformed_tokens_and_other_hosts_are_refused():
    """A sandbox is for loopback and well-formed tokens alone."""
    with pytest.raises(ValueError, match="xoxb-NUMBER"):
        SlackSandbox("xoxb-1")
    with pytest.raises(ValueError, match="xapp-1"):
        SlackSandbox(app_token="xapp-1")
    with pytest.raises(ValueError, match="loopback"):
        SlackSandbox(host="192.0.2.1")
