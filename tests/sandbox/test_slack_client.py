"""Journeys of slack-sdk and slack-bolt, which know Slack better than the sandbox does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from slack_wire import actions, button, section

pytestmark = pytest.mark.cold
pytest_plugins = ["slack_fixtures"]


@pytest.fixture
def web(slack):
    return AsyncWebClient(slack.token, base_url=slack.api, retry_handlers=[])


@pytest.fixture
async def bolt(slack, web):
    """Run a bolt app against the sandbox until its block ends."""

    @asynccontextmanager
    async def running(app: AsyncApp) -> AsyncIterator[None]:
        handler = AsyncSocketModeHandler(app, slack.app_token, web_client=web)
        try:
            await handler.connect_async()
            await slack.wait_for(lambda: slack.connected)
            yield
        finally:
            await handler.close_async()

    return running


async def test_slack_sdk_talks_in_a_direct_chat(slack, web):
    """slack-sdk identifies itself, hears, answers, edits, reacts, reads and deletes."""
    ann = slack.person("ann", "Ann Lee")
    me = await web.auth_test()
    assert (me["user_id"], me["team_id"]) == (slack.bot_id, slack.state.team_id)
    assert "chat:write" in me.headers["x-oauth-scopes"]
    heard: asyncio.Queue = asyncio.Queue()
    client = SocketModeClient(slack.app_token, web_client=web)

    async def listen(client, request):
        await client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        heard.put_nowait(request.payload["event"])

    client.socket_mode_request_listeners.append(listen)
    try:
        await client.connect()
        await slack.wait_for(lambda: slack.connected)
        first = ann.send("hello 👍")
        event = await heard.get()
        assert (event["text"], event["channel"], event["ts"]) == ("hello :+1:", ann.dm.id, first["ts"])
        sent = await web.chat_postMessage(channel=ann.dm.id, text="hi <there> & you")
        assert (await heard.get())["bot_id"] == slack.state.bot.bot_id
        assert (await ann.next_message())["text"] == sent["message"]["text"] == "hi &lt;there&gt; &amp; you"
        await web.chat_update(channel=ann.dm.id, ts=sent["ts"], text="hi!")
        changed = await heard.get()
        assert (changed["subtype"], changed["message"]["text"]) == ("message_changed", "hi!")
        await web.reactions_add(channel=ann.dm.id, timestamp=first["ts"], name="eyes")
        assert slack.reactions(first) == ["eyes"]
        assert (await heard.get())["type"] == "reaction_added"
        history = await web.conversations_history(channel=ann.dm.id)
        assert [one["text"] for one in history["messages"]] == ["hi!", "hello :+1:"]
        await web.chat_delete(channel=ann.dm.id, ts=sent["ts"])
        assert (await heard.get())["deleted_ts"] == sent["ts"]
        with pytest.raises(SlackApiError) as refused:
            await web.chat_postMessage(channel="C0UNKNOWN01", text="x")
        assert refused.value.response["error"] == "channel_not_found"
        slack.faults.refresh_sockets()
        await slack.wait_for(lambda: slack.socket.opened == 2 and slack.connected)
        ann.send("after the refresh")
        assert (await heard.get())["text"] == "after the refresh"
    finally:
        await client.close()


async def test_bolt_answers_mentions_taps_and_modals(slack, web, bolt):
    """A bolt app answers in a thread, acknowledges a tap, opens a modal, checks it and answers its submission."""
    ann = slack.person("ann")
    room = slack.channel("general", members=[ann])
    app = AsyncApp(client=web, signing_secret="x")
    view = {
        "type": "modal",
        "callback_id": "form",
        "title": {"type": "plain_text", "text": "Form"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "b",
                "label": {"type": "plain_text", "text": "Why?"},
                "element": {"type": "plain_text_input", "action_id": "why"},
            }
        ],
    }

    @app.event("app_mention")
    async def mentioned(event, say):
        blocks = [section("Deploy?"), actions(button("Yes", "yes", value="1", style="primary"), button("Why", "why"))]
        await say(text="Deploy?", blocks=blocks, thread_ts=event["ts"])

    @app.event("message")
    async def ignored():
        pass

    @app.action("yes")
    async def yes(ack, respond, body):
        await ack()
        await respond(text=f"<@{body['user']['id']}> said yes", replace_original=True)

    @app.action("why")
    async def why(ack, body, client):
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)

    @app.view("form")
    async def submitted(ack, body, client, view):
        given = view["state"]["values"]["b"]["why"]["value"]
        if given == "wrong":
            await ack(response_action="errors", errors={"b": "Not that"})
            return
        await ack()
        await client.chat_postEphemeral(channel=room.id, user=body["user"]["id"], text=f"because {given}")

    @app.command("/status")
    async def status(ack, command):
        await ack(f"fine, {command['user_name']}: {command['text']}")

    async with bolt(app):
        asked = ann.send("@sandbox-bot deploy", channel=room)
        assert asked["text"] == f"<@{slack.bot_id}> deploy"
        posted = await slack.wait_for(lambda: next((m for m in room.messages() if m.get("bot_id")), None))
        assert (posted["thread_ts"], room.messages()[0]["reply_count"]) == (asked["ts"], 1)
        form = ann.tap(posted["ts"], label="Why")
        assert (await form.opened())["title"]["text"] == "Form"
        wrong = form.submit(why="wrong")
        assert (await wrong.answered()).errors == {"b": "Not that"}
        right = form.submit(why="it is late")
        assert (await right.answered()).errors == {}
        assert (await right.next_message())["text"] == "because it is late"
        assert ann.modal is None
        tap = ann.tap(posted["ts"], label="Yes")
        await tap.answered()
        text = await slack.wait_for(lambda: (t := room.messages()[1]["text"]) != "Deploy?" and t)
        assert text == f"<@{ann.id}> said yes"
        slack.set_commands("status")
        told = await ann.command("status", "now", channel=room).answered()
        assert (told.text, told.ephemeral) == ("fine, ann: now", True)


async def test_slack_sdk_sends_and_fetches_files(slack, web, api):
    """A file goes up in three steps and is in a thread a moment later; private addresses ask for the bot's token."""
    ann = slack.person("ann")
    root = ann.send("a picture, please")
    up = await web.files_upload_v2(
        channel=ann.dm.id, thread_ts=root["ts"], filename="a.txt", content="abc", initial_comment="here"
    )
    message = await ann.next_message()
    assert (message["subtype"], message["thread_ts"], message["text"]) == ("file_share", root["ts"], "here")
    info = (await web.files_info(file=up["files"][0]["id"]))["file"]
    assert info["shares"]["private"][ann.dm.id][0]["ts"] == message["ts"]
    sent = ann.send("look", attachments=[("b.bin", b"\x00\x01")])
    url = sent["files"][0]["url_private_download"]
    async with api.session.get(url, headers={"Authorization": f"Bearer {slack.token}"}) as response:
        assert await response.read() == b"\x00\x01"
    async with api.session.get(url) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert "Sign in" in await response.text()
