"""The fake Slack's taps, menus, response URLs, commands and modals."""

from __future__ import annotations

import pytest

from slack_wire import actions, button, section

pytest_plugins = ["slack_fixtures"]


def text(value):
    return {"type": "plain_text", "text": value}


FIELD = {"type": "input", "block_id": "b", "label": text("Why?")}
FIELD["element"] = {"type": "plain_text_input", "action_id": "why", "max_length": 10}
VIEW = {"type": "modal", "title": text("Form"), "submit": text("Send"), "blocks": [FIELD], "private_metadata": "p"}
MENU = {"type": "static_select", "action_id": "m", "placeholder": text("Choose")}
MENU["options"] = [{"text": text("One"), "value": "1"}, {"text": text("Two"), "value": "2"}]


@pytest.fixture
async def posted(api, room):
    """A message with buttons and a menu in the channel."""
    blocks = [section("Deploy?"), actions(button("Yes", "yes", value="1", style="primary"), button("No", "no"), MENU)]
    return await api.ok("chat.postMessage", channel=room.id, text="Deploy?", blocks=blocks)


async def test_a_tap_brings_all_an_app_needs(slack, api, connect, room, eve, posted):
    """Who tapped what, where, on which message, with a trigger and an address to answer to."""
    async with connect() as socket:
        eve.tap(posted["ts"], label="Yes")
        envelope = await socket.next("interactive")
        payload = envelope["payload"]
        assert (payload["type"], payload["user"]["id"]) == ("block_actions", eve.id)
        assert payload["channel"] == {"id": room.id, "name": "general"}
        container = {"type": "message", "message_ts": posted["ts"], "channel_id": room.id, "is_ephemeral": False}
        assert payload["container"] == container
        assert payload["message"]["text"] == "Deploy?"
        action = payload["actions"][0]
        assert (action["type"], action["action_id"], action["value"], action["text"]) == (
            "button",
            "yes",
            "1",
            text("Yes"),
        )
        assert action["block_id"] == payload["message"]["blocks"][1]["block_id"]
        assert payload["trigger_id"].count(".") == 2
        assert payload["response_url"].startswith(slack.root)
        eve.select(posted["ts"], "Two")
        chosen = (await socket.next("interactive"))["payload"]["actions"][0]
        assert (chosen["type"], chosen["selected_option"]) == ("static_select", MENU["options"][1])
        held = {"m": {"type": "static_select", "selected_option": None}}
        assert payload["state"]["values"] == {action["block_id"]: held}
        eve.tap(posted["ts"], action_id="gone")
        assert (await socket.next("interactive"))["payload"]["actions"][0]["action_id"] == "gone"
    with pytest.raises(LookupError, match="no button labelled 'Maybe'"):
        eve.tap(posted["ts"], label="Maybe")
    with pytest.raises(LookupError, match="no menu with 'Three'"):
        eve.select(posted["ts"], "Three")
    with pytest.raises(LookupError, match="not in"):
        slack.person("stranger").tap(posted["ts"])


async def test_response_urls(slack, api, connect, room, eve, posted):
    """An answer is for the tapper alone, or replaces the message, five times within half an hour."""
    async with connect() as socket:
        tap = eve.tap(posted["ts"], label="Yes")
        envelope = await socket.next("interactive")
        url = envelope["payload"]["response_url"]
        await socket.ack(envelope)
        await tap.answered()

        async def respond(**body):
            async with api.session.post(url, json=body) as response:
                return response.status, await response.text()

        assert await respond(text="only you & me") == (200, "ok")
        told = await tap.next_message()
        assert (told["text"], told["is_ephemeral"]) == ("only you &amp; me", True)
        assert await respond(text="done", replace_original=True) == (200, "ok")
        assert (room.messages()[0]["text"], "blocks" in room.messages()[0]) == ("done", False)
        assert await respond(text="all", response_type="in_channel") == (200, "ok")
        assert room.messages()[-1]["text"] == "all"
        status, body = await respond(blocks=[{"type": "no"}])
        assert (status, "invalid_blocks" in body) == (400, True)
        assert (await respond())[0] == 400
        assert await respond(delete_original=True) == (200, "ok")
        assert await respond(text="fifth") == (200, "ok")
        assert "used_url" in (await respond(text="sixth"))[1]
        ts = (await api.ok("chat.postMessage", channel=room.id, blocks=[actions(button("Yes", "yes"))]))["ts"]
        await socket.event()
        eve.tap(ts)
        while (late := await socket.next())["type"] != "interactive":
            await socket.ack(late)
        slack.advance(31 * 60)
        async with api.session.post(late["payload"]["response_url"], json={"text": "x"}) as response:
            assert (response.status, (await response.json())["error"]) == (404, "expired_url")


async def test_triggers_open_one_modal_for_three_seconds(slack, api, connect, eve, posted):
    """A used trigger, an old one and a made-up one are refused; the modal is the person's to see."""
    async with connect() as socket:
        tap = eve.tap(posted["ts"], label="Yes")
        trigger = (await socket.next("interactive"))["payload"]["trigger_id"]
        opened = await api.ok("views.open", trigger_id=trigger, view=VIEW)
        assert (opened["view"]["private_metadata"], opened["view"]["state"]) == ("p", {"values": {}})
        assert eve.modal["id"] == tap.modal["id"] == opened["view"]["id"]
        assert await api.refused("views.open", trigger_id=trigger, view=VIEW) == "exchanged_trigger_id"
        assert await api.refused("views.open", trigger_id="1.2.x", view=VIEW) == "invalid_trigger_id"
        eve.tap(posted["ts"], label="No")
        late = (await socket.next("interactive"))["payload"]["trigger_id"]
        slack.advance(4)
        assert await api.refused("views.open", trigger_id=late, view=VIEW) == "expired_trigger_id"
        changed = {**VIEW, "title": text("Other")}
        view_id = opened["view"]["id"]
        assert await api.refused("views.update", view_id=view_id, view=changed, hash="old") == "hash_conflict"
        again = await api.ok("views.update", view_id=view_id, view=changed, hash=opened["view"]["hash"])
        assert eve.modal["title"]["text"] == again["view"]["title"]["text"] == "Other"
        assert await api.refused("views.update", view_id="V0NOBODY001", view=VIEW) == "not_found"
        assert await api.refused("views.open", trigger_id=late, view="{") == "invalid_arguments"


async def test_a_submitted_modal_is_answered_by_its_envelope(slack, api, connect, eve, posted):
    """Errors leave it open, an update changes it, an empty answer closes it; closing it can be heard."""
    async with connect() as socket:
        tap = eve.tap(posted["ts"], label="Yes")
        envelope = await socket.next("interactive")
        await socket.ack(envelope)
        view = {**VIEW, "notify_on_close": True, "external_id": "e"}
        await api.ok("views.open", trigger_id=envelope["payload"]["trigger_id"], view=view)
        with pytest.raises(ValueError, match="must be filled in"):
            tap.submit()
        with pytest.raises(ValueError, match="0-10 characters"):
            tap.submit(why="x" * 11)
        with pytest.raises(LookupError, match="no field"):
            tap.submit(other="x")
        submitted = tap.submit(why="late")
        envelope = await socket.next("interactive")
        payload = envelope["payload"]
        assert (payload["type"], envelope["accepts_response_payload"]) == ("view_submission", True)
        assert payload["view"]["state"]["values"] == {"b": {"why": {"type": "plain_text_input", "value": "late"}}}
        await socket.ack(envelope, {"response_action": "errors", "errors": {"b": "no"}})
        assert (await submitted.answered()).errors == {"b": "no"}
        submitted = tap.submit(b="late")
        await socket.ack(
            await socket.next("interactive"),
            {"response_action": "update", "view": {**view, "title": text("Two")}},
        )
        assert (await submitted.answered()).modal["title"]["text"] == "Two"
        submitted = tap.submit(why="ok")
        await socket.ack(await socket.next("interactive"))
        assert (await submitted.answered()).modal is None
        eve.tap(posted["ts"], label="Yes")
        trigger = (await socket.next("interactive"))["payload"]["trigger_id"]
        assert await api.refused("views.open", trigger_id=trigger, view=view) == "duplicate_external_id"
        second = eve.tap(posted["ts"], label="Yes")
        trigger = (await socket.next("interactive"))["payload"]["trigger_id"]
        await api.ok("views.open", trigger_id=trigger, view={**view, "external_id": "f"})
        second.cancel()
        assert (await socket.next("interactive"))["payload"]["type"] == "view_closed"
        assert eve.modal is None


async def test_commands_are_the_apps_own(slack, api, connect, room, eve):
    """A command brings its text, and is answered with its envelope or over its address, in the channel or alone."""
    slack.set_commands("deploy")
    async with connect() as socket:
        tap = eve.command("/deploy", "now", channel=room)
        envelope = await socket.next("slash_commands")
        payload = envelope["payload"]
        assert (payload["command"], payload["text"], payload["channel_id"]) == ("/deploy", "now", room.id)
        assert (payload["user_id"], payload["is_enterprise_install"]) == (eve.id, "false")
        await socket.ack(envelope, {"text": "going", "response_type": "in_channel"})
        answer = await tap.answered()
        assert (answer.text, answer.ephemeral) == ("going", False)
        assert room.messages()[-1]["text"] == "going"
    with pytest.raises(LookupError, match="/other is not a command of the app"):
        eve.command("other")
    await slack.wait_for(lambda: not slack.connected)
    assert eve.command("deploy").failed


async def test_a_tap_on_an_ephemeral_message_brings_no_message(slack, api, connect, room, eve):
    """Its container says so, and its address can replace or delete it."""
    await api.ok("chat.postEphemeral", channel=room.id, user=eve.id, text="?", blocks=[actions(button("Yes", "y"))])
    async with connect() as socket:
        eve.tap(eve.ephemerals[0]["ts"], label="Yes")
        payload = (await socket.next("interactive"))["payload"]
        assert (payload["container"]["is_ephemeral"], "message" in payload) == (True, False)
        for body, left in (({"replace_original": True, "text": "done"}, ["done"]), ({"delete_original": True}, [])):
            async with api.session.post(payload["response_url"], json=body) as response:
                assert response.status == 200
            assert [one["text"] for one in eve.ephemerals] == left
