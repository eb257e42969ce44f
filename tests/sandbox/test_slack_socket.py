"""The fake Slack's Socket Mode: hello, envelopes and answers, several sockets, refreshes, and what is lost."""

from __future__ import annotations

import aiohttp
import pytest

from agent_channels.sandbox.slack.sandbox import random_app_token
from slack_wire import actions, button

pytest_plugins = ["slack_fixtures"]


async def test_a_socket_is_greeted_and_an_event_is_acknowledged(slack, connect):
    """Hello names the app and counts sockets; a message comes once, with everything around it, if it is answered."""
    ann = slack.person("ann")
    async with connect() as socket:
        assert socket.hello["num_connections"] == 1
        assert socket.hello["connection_info"] == {"app_id": slack.state.app.id}
        assert socket.hello["debug_info"]["approximate_connection_time"] == 3600
        sent = ann.send("hi & <bye>")
        envelope = await socket.next("events_api")
        assert (envelope["accepts_response_payload"], envelope["retry_attempt"], envelope["retry_reason"]) == (
            False,
            0,
            "",
        )
        payload = envelope["payload"]
        assert (payload["type"], payload["api_app_id"]) == ("event_callback", slack.state.app.id)
        assert payload["authorizations"][0]["user_id"] == slack.bot_id
        event = payload["event"]
        assert (event["type"], event["channel_type"], event["text"]) == ("message", "im", "hi &amp; &lt;bye&gt;")
        assert (event["user"], event["channel"], event["ts"]) == (ann.id, ann.dm.id, sent["ts"])
        assert event["blocks"][0]["elements"][0]["elements"] == [{"type": "text", "text": "hi & <bye>"}]
        await socket.ack(envelope)
        await slack.wait_for(lambda: not slack.socket.unanswered)
    assert [one.lost for one in slack.socket.envelopes.values()] == [False]


async def test_what_comes_while_nobody_is_connected_is_lost(slack, connect):
    """Slack keeps nothing for a socket that is away: only what comes later is heard."""
    ann = slack.person("ann")
    ann.send("lost")
    async with connect() as socket:
        ann.send("heard")
        assert (await socket.event())["text"] == "heard"
    assert [one.payload["event"]["text"] for one in slack.socket.missed] == ["lost"]


async def test_an_event_without_an_answer_comes_again_a_few_times(slack, connect):
    """After the time to answer the same event comes in a new envelope with the attempt's number, and then no more."""
    slack.socket.answer_within_s, slack.socket.retry_after_s = 0.01, (0.0, 0.01)
    async with connect() as socket:
        slack.person("ann").send("hello?")
        seen = [await socket.next("events_api") for _ in range(3)]
        await slack.wait_for(lambda: not slack.socket.unanswered)
        assert [(one["retry_attempt"], one["retry_reason"]) for one in seen] == [
            (0, ""),
            (1, "timeout"),
            (2, "timeout"),
        ]
        assert len({one["payload"]["event_id"] for one in seen}) == 1
        assert len({one["envelope_id"] for one in seen}) == 3
        assert all(one.lost for one in slack.socket.envelopes.values())


async def test_an_event_that_was_cut_off_comes_over_the_next_socket(slack, connect):
    """A socket that dies before it answers leaves the event to the next one, if that is there in time."""
    slack.socket.answer_within_s, slack.socket.retry_after_s = 0.05, (0.0,)
    async with connect() as socket:
        slack.person("ann").send("hello?")
        await socket.next("events_api")
        slack.faults.drop_sockets()
        await socket.ended()
    async with connect() as socket:
        assert (await socket.next("events_api"))["retry_attempt"] == 1


async def test_several_sockets_share_the_events(slack, connect):
    """Each event goes to one of the sockets; hello says how many there are."""
    ann = slack.person("ann")
    async with connect() as first, connect() as second:
        assert (first.hello["num_connections"], second.hello["num_connections"]) == (1, 2)
        ann.send("one")
        ann.send("two")
        texts = {(await first.event())["text"], (await second.event())["text"]}
        assert texts == {"one", "two"}


async def test_there_are_at_most_ten_sockets(slack, connect, api):
    """The eleventh is told so and closed."""
    async with connect(), connect(), connect(), connect(), connect():  # noqa: SIM117 - ten of them
        async with connect(), connect(), connect(), connect(), connect():
            url = (await api.ok("apps.connections.open", token=slack.app_token))["url"]
            async with api.session.ws_connect(url) as ws:
                assert (await ws.receive_json())["reason"] == "too_many_websockets"
                assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_a_refresh_asks_for_a_new_socket_and_events_go_there(slack, connect):
    """After `refresh_requested` the old socket still gets events while it is alone, then the new one does."""
    slack.socket.refresh_grace_s = 0.05
    ann = slack.person("ann")
    async with connect() as old:
        slack.faults.warn_sockets()
        assert (await old.next("disconnect"))["reason"] == "warning"
        slack.faults.refresh_sockets()
        assert (await old.next("disconnect"))["reason"] == "refresh_requested"
        ann.send("between")
        assert (await old.event())["text"] == "between"
        async with connect() as new:
            ann.send("after")
            assert (await new.event())["text"] == "after"
            await old.ended()


async def test_switching_socket_mode_off_ends_the_sockets(slack, connect, api):
    """`link_disabled`, the end of the socket, and no new address."""
    async with connect() as socket:
        slack.faults.disable_socket_mode()
        assert (await socket.next("disconnect"))["reason"] == "link_disabled"
        await socket.ended()
    assert await api.refused("apps.connections.open", token=slack.app_token) == "access_denied"


async def test_an_address_is_for_one_socket_and_half_a_minute(slack, api):
    """A used ticket, an old one and a made-up one are refused at the handshake."""
    used = (await api.ok("apps.connections.open", token=slack.app_token))["url"]
    async with api.session.ws_connect(used):
        pass
    old = (await api.ok("apps.connections.open", token=slack.app_token))["url"]
    slack.advance(31)
    for url in (used, old, f"{slack.socket.url}/link/?ticket=none"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.session.ws_connect(url)
        assert refused.value.status == 403


async def test_only_the_app_level_token_opens_sockets(slack, api):
    """The bot's token is of the wrong type, and the right one counts in the header alone."""
    assert await api.refused("apps.connections.open") == "not_allowed_token_type"
    assert await api.refused("auth.test", token=slack.app_token) == "not_allowed_token_type"
    assert await api.refused("apps.connections.open", token=random_app_token()) == "invalid_auth"
    body = await api.post("/api/apps.connections.open", token="", data={"token": slack.app_token})
    assert body["error"] == "invalid_auth"
    slack.state.app.app_scopes = []
    body = await api.form("apps.connections.open", token=slack.app_token)
    assert (body["error"], body["needed"]) == ("missing_scope", "connections:write")


async def test_the_server_pings(slack, connect):
    """Pings come with a text, and the client's own are answered with its text."""
    slack.socket.ping_every_s = 0.01
    async with connect() as socket:
        ping = await socket.ws.receive()
        assert (ping.type, ping.data) == (aiohttp.WSMsgType.PING, b"Ping from applink-sandbox")
        slack.socket.ping_every_s = 60.0
        await socket.ws.ping(b"mine")
        while (pong := await socket.ws.receive()).type is aiohttp.WSMsgType.PING:
            pass
        assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"mine")


async def test_silent_sockets_say_nothing_until_the_faults_are_cleared(slack, connect):
    """A socket that hears nothing looks open, and is cut at the end; before that it can hear nonsense."""
    async with connect() as socket:
        slack.faults.garble_sockets('{"type": "events_api"}')
        assert await socket.next() == {"type": "events_api"}
        slack.faults.silence_sockets()
        slack.person("ann").send("x")
        slack.faults.clear()
        await socket.ended()


async def test_events_wait_while_they_are_held(slack, connect):
    """Held events come in order when they are released."""
    ann = slack.person("ann")
    async with connect() as socket:
        slack.hold_events()
        ann.send("one")
        ann.send("two")
        slack.release()
        assert [(await socket.event())["text"] for _ in range(2)] == ["one", "two"]


async def test_only_subscribed_events_with_their_scope_come(slack, connect, room, eve):
    """Without the subscription or the scope nothing of that kind comes."""
    async with connect() as socket:
        slack.set_events("message.channels")
        eve.send("in the direct chat")
        eve.send("one", channel=room)
        assert (await socket.event())["text"] == "one"
        slack.without_scope("channels:history")
        eve.send("two", channel=room)
        slack.set_scopes("channels:history")
        eve.send("three", channel=room)
        assert (await socket.event())["text"] == "three"


async def test_a_tap_that_nobody_answers_fails_and_is_not_sent_again(slack, connect, api, eve):
    """The person sees a warning after three seconds, or at once if no socket is open."""
    slack.socket.answer_within_s = 0.01
    posted = await api.ok("chat.postMessage", channel=eve.dm.id, blocks=[actions(button("Yes", "a"))])
    assert eve.tap(posted["ts"]).failed
    async with connect() as socket:
        tap = eve.tap(posted["ts"])
        envelope = await socket.next("interactive")
        assert not tap.failed
        slack.advance(4)
        assert tap.failed
        await socket.ack(envelope)
        await slack.wait_for(lambda: not slack.socket.unanswered)
        assert tap.failed
        assert tap.answer is None
        eve.send("x")
        assert (await socket.event())["text"] == "x"
