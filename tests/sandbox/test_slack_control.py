"""The fake Slack's control interface and faults: everything a script can do, and how calls fail on demand."""

from __future__ import annotations

import aiohttp
import pytest

from slack_wire import actions, button

pytest_plugins = ["slack_fixtures"]


async def test_a_script_acts_as_people(slack, api, connect):
    """Somebody writes, taps, edits, reacts, sends a file and deletes over HTTP; the chat can be read."""
    slack.set_commands("status")
    person = (await api.control("person", **{"as": "ann"}))["person"]
    room = (await api.control("channel", name="general", members=["ann", "ben"]))["channel"]
    sent = (await api.control("send", **{"as": "ann", "text": "hi", "chat": "general"}))["message"]
    assert sent["channel"] == room
    reply = await api.control("send", **{"as": "ben", "text": "re", "chat": "general", "thread_ts": sent["ts"]})
    assert reply["message"]["thread_ts"] == sent["ts"]
    await api.control("edit", **{"as": "ann", "message_id": sent["ts"], "text": "hey"})
    await api.control("react", **{"as": "ben", "message_id": sent["ts"], "emoji": "👀"})
    file = await api.control("send", **{"as": "ann", "file_name": "a.txt", "content": "abc"})
    assert file["message"]["files"][0]["name"] == "a.txt"
    posted = await api.ok("chat.postMessage", channel=person["dm"], blocks=[actions(button("Yes", "yes"))])
    async with connect() as socket:
        tap = await api.control("tap", **{"as": "ann", "label": "Yes", "message_id": posted["ts"]})
        assert (tap["answer"], tap["failed"]) == (None, False)
        await socket.ack(await socket.next("interactive"))
        command = await api.control("send", **{"as": "ann", "text": "/status now"})
        assert command["interaction"].startswith("I")
        await socket.ack(await socket.next("slash_commands"), {"text": "fine"})
        await slack.wait_for(lambda: slack.person("ann").ephemerals)
    seen = await api.query("messages?chat=general")
    assert [one["text"] for one in seen["messages"]] == ["hey", "re"]
    assert seen["messages"][0]["reactions"] == [{"name": "eyes", "users": [slack.person("ben").id], "count": 1}]
    assert [one["text"] for one in (await api.query("messages?chat=ann"))["ephemerals"]] == ["fine"]
    await api.control("delete", **{"as": "ben", "message_id": reply["message"]["ts"]})
    state = await api.query("state")
    assert (state["channels"], state["sockets"], state["opened"]) == ({"general": room}, 0, 1)
    calls = (await api.query("calls?method=chat.*"))["calls"]
    assert [(one["method"], one["code"]) for one in calls] == [("chat.postMessage", 200)]


async def test_a_script_is_told_what_is_wrong(slack, api):
    """Every refusal names the next step, and nothing is done without the secret."""
    body = await api.control("send", **{"as": "ann", "text": "x", "chat": "nowhere"})
    assert (api.status, body["next"]) == (400, "POST /control/channel first; channels: none yet")
    assert "socket fault" in (await api.control("socket", do="explode"))["error"]
    assert "no such interaction" in (await api.control("submit", interaction="I0", values={"a": "b"}))["error"]
    assert "has buttons" in (await api.control("tap", **{"as": "ann"}))["error"]
    assert len((await api.query(""))["paths"]) > 15
    async with api.session.get(f"{slack.root}/control/state") as response:
        assert response.status == 401


async def test_a_script_configures_the_app_and_its_sockets(slack, api, connect):
    """Commands, scopes and events; sockets are cut, refreshed and switched off."""
    body = await api.control("app", commands=["a"], scopes=["chat:write"], events=["message.im"])
    assert (body["commands"], body["scopes"], body["events"]) == (["/a"], ["chat:write"], ["message.im"])
    async with connect() as socket:
        assert (await api.control("socket", do="refresh"))["connected"] is True
        assert (await socket.next("disconnect"))["reason"] == "refresh_requested"
        await api.control("socket", do="drop")
        await socket.ended()
    await api.control("socket", do="disable")
    assert await api.refused("apps.connections.open", token=slack.app_token) == "access_denied"
    await api.control("socket", do="enable")
    await api.ok("apps.connections.open", token=slack.app_token)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "drop_body"])
async def test_lost_answers(slack, api, eve, kind):
    """The connection is cut before or after the call, or in the middle of its answer; the record says so."""
    slack.faults.add(kind, method="chat.postMessage", times=1)
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await api("chat.postMessage", channel=eve.dm.id, text="x")
    assert len(eve.inbox) == (0 if kind == "drop_before" else 1)
    assert slack.calls_of("chat.postMessage")[-1].response_code == 0


async def test_errors_on_demand(slack, api, eve):
    """500 as JSON or as a page, 429 with its time, in one conversation alone, so many times."""
    slack.faults.add("error", method="chat.*", status=503, times=1, chat=eve.dm.id)
    await api.ok("chat.postMessage", channel=slack.person("ann").id, text="x")
    assert (await api("chat.postMessage", channel=eve.dm.id, text="x"))["error"] == "internal_error"
    assert api.status == 503
    slack.faults.add("flood", method="chat.*", retry_after=7, times=1)
    assert (await api("chat.postMessage", channel=eve.dm.id, text="x"))["error"] == "ratelimited"
    assert (api.status, api.headers["Retry-After"]) == (429, "7")
    slack.faults.add("html", method="auth.test", status=502, times=1)
    async with api.session.post(f"{slack.api}auth.test") as response:
        assert (response.status, response.content_type) == (502, "text/html")
    # A GET that was cut on a kept connection is asked again by the HTTP library itself, once.
    slack.faults.add("drop_before", method="socket", times=2)
    url = (await api.ok("apps.connections.open", token=slack.app_token))["url"]
    with pytest.raises(aiohttp.ClientError):
        await api.session.ws_connect(url)
    async with api.session.ws_connect(url) as ws:
        assert (await ws.receive_json())["type"] == "hello"


async def test_the_server_comes_back_with_all_its_state(slack, api, connect, eve):
    """Stopped and started on the same port it knows everybody; while it is down every connection is cut."""
    port = slack.port
    async with connect() as socket:
        await slack.aclose()
        await socket.ended()
    with pytest.raises(aiohttp.ClientError):
        await api("auth.test")
    await slack.start()
    assert slack.port == port
    assert (await api.ok("conversations.history", channel=eve.dm.id))["messages"][0]["text"] == "hello"
