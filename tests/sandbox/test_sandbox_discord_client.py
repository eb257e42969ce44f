"""Journeys of discord.py, which parses every object and obeys every rule it knows."""

from __future__ import annotations

import io

import pytest

import discord_wire as wire
from agent_channels.sandbox.discord.sandbox import random_token

pytestmark = pytest.mark.cold

discord = wire.discord
pytest_plugins = ["discord_fixtures"]


def view(*items):
    made = discord.ui.View(timeout=None)
    for item in items:
        made.add_item(item)
    return made


async def test_direct_chat(dc, run):
    """discord.py receives, answers, replies, edits, reacts, deletes and reads in a direct chat."""
    ann = dc.person("ann", "Ann Lee")
    async with run() as client:
        first = ann.send("hello 🦄")
        heard = await client.next("message")
        assert (heard.content, heard.author.global_name, heard.guild) == ("hello 🦄", "Ann Lee", None)
        assert isinstance(heard.channel, discord.DMChannel)
        sent = await heard.reply("hi", mention_author=False, suppress_embeds=True, nonce="n1")
        assert (await client.next("message")).id == sent.id
        seen = await ann.next_message()
        assert (seen["content"], seen["flags"], seen["mentions"]) == ("hi", 4, [])
        assert seen["referenced_message"]["id"] == first["id"]
        await sent.edit(content="hi!")
        assert (await client.next("message_edit")).content == ann.inbox[-1]["content"] == "hi!"
        await heard.add_reaction("👀")
        assert dc.reactions(first) == ["👀"]
        await heard.remove_reaction("👀", client.user)
        assert dc.reactions(first) == []
        await heard.channel.typing()
        assert len(dc.typing(ann)) == 1
        edited = ann.edit(first, "hello there")
        assert (await client.next("message_edit")).content == edited["content"]
        ann.react(sent.id, "👍")
        reaction = await client.next("raw_reaction_add")
        await client.next("raw_reaction_add")
        assert reaction.emoji.name == "👀"
        history = [one.content async for one in heard.channel.history(oldest_first=True, after=heard)]
        assert history == ["hi!"]
        await sent.delete()
        assert [one["content"] for one in ann.messages()] == ["hello there"]
        user = await client.fetch_user(ann.id)
        assert (await user.create_dm()).id == ann.dm.id


async def test_files(dc, run):
    """Files go both ways, with their names, types and sizes."""
    ann = dc.person("ann")
    async with run() as client:
        ann.send("look", attachments=[("plan v2.txt", b"one"), b"two"])
        heard = await client.next("message")
        assert [(one.filename, one.size) for one in heard.attachments] == [("plan_v2.txt", 3), ("notes.txt", 3)]
        assert await heard.attachments[0].read() == b"one"
        files = [discord.File(io.BytesIO(b"abc"), "a.csv", description="table"), discord.File(io.BytesIO(b"d"), "b.md")]
        sent = await heard.channel.send("here", files=files)
        assert [(one.filename, one.description) for one in sent.attachments] == [("a.csv", "table"), ("b.md", None)]
        assert await sent.attachments[0].read() == b"abc"
        kept = await sent.edit(attachments=[sent.attachments[1]])
        assert [one.filename for one in kept.attachments] == ["b.md"]


async def test_guild(dc, run):
    """discord.py follows guilds, members, channels, mentions, threads and forum posts as they change."""
    ann, bob = dc.person("ann"), dc.person("bob")
    team = dc.guild("Team", members=[ann, bob])
    general, forum = team.channel("general"), team.forum("help")
    async with run() as client:
        guild = client.get_guild(team.id)
        assert (guild.name, guild.member_count, guild.owner_id) == ("Team", 3, ann.id)
        assert {one.name: type(one) for one in guild.channels} == {
            "general": discord.TextChannel,
            "help": discord.ForumChannel,
        }
        ann.send(f"<@{dc.bot_id}> and <@{bob.id}>", channel=general)
        heard = await client.next("message")
        assert client.user.mentioned_in(heard)
        assert (heard.author.display_name, heard.channel.name) == ("Ann", "general")
        quiet = await heard.channel.send("@everyone <@1>", allowed_mentions=discord.AllowedMentions.none())
        assert (quiet.mention_everyone, quiet.mentions) == (False, [])
        await client.next("message")
        thread = general.thread("Deploys", by=ann)
        made = await client.next("thread_create")
        assert (made.id, made.name, made.parent_id) == (thread.id, "Deploys", general.id)
        await client.next("message")
        bob.send("inside", channel=thread)
        heard = await client.next("message")
        assert (heard.channel.id, heard.channel.parent.id) == (thread.id, general.id)
        post = forum.post("Broken", "It is broken", by=bob)
        made = await client.next("thread_create")
        assert (made.id, made.parent.name) == (post.id, "help")
        assert (await client.next("message")).content == "It is broken"
        mine = await guild.get_channel(forum.id).create_thread(name="Fixed", content="It is fixed")
        assert mine.message.id == mine.thread.id
        answered = await guild.get_channel(general.id).create_thread(name="Side", message=quiet)
        assert answered.id == quiet.id
        late = dc.guild("Late", members=[ann])
        assert (await client.next("guild_join")).id == late.id
        late.kick_bot()
        assert (await client.next("guild_remove")).id == late.id
        member = await guild.fetch_member(bob.id)
        assert member.name == "bob"


async def test_interactions(dc, run):
    """Buttons, menus, modals, deferred and ephemeral answers work with discord.py's own responses."""
    ann = dc.person("ann")
    room = dc.guild("Team", members=[ann]).channel("general")
    async with run() as client:
        menu = discord.ui.Select(custom_id="menu", options=[discord.SelectOption(label=one) for one in ("a", "b")])
        buttons = [discord.ui.Button(label=one, custom_id=one) for one in ("Say", "Edit", "Ask", "Later")]
        link = discord.ui.Button(label="Docs", url="https://example.org/")
        panel = await client.get_channel(room.id).send("?", view=view(*buttons, link, menu))

        async def tapped(tap):
            return tap, await client.next("interaction")

        tap, heard = await tapped(ann.tap(panel.id, label="Say"))
        assert (heard.data["custom_id"], heard.user.id, heard.message.id) == ("Say", ann.id, panel.id)
        said = await heard.response.send_message("only you", ephemeral=True)
        assert said.message_id
        answer = await tap.answered()
        assert (answer.type, answer.text, answer.ephemeral) == (4, "only you", True)
        assert [one["content"] for one in ann.ephemerals] == ["only you"]
        await heard.edit_original_response(content="only you!")
        await heard.followup.send("and more", ephemeral=True)
        assert [one["content"] for one in tap.messages] == ["only you!", "and more"]
        assert [one["content"] for one in room.messages()] == ["?"]

        tap, heard = await tapped(ann.tap(panel.id, label="Edit"))
        await heard.response.edit_message(content="done", view=view(*buttons, menu))
        assert (await tap.answered()).text == room.messages()[0]["content"] == "done"

        tap, heard = await tapped(ann.tap(panel.id, label="Later"))
        await heard.response.defer(ephemeral=True, thinking=True)
        assert ((await tap.answered()).type, tap.messages) == (5, [])
        await heard.followup.send("at last", ephemeral=True)
        assert (await tap.next_message())["content"] == "at last"

        tap, heard = await tapped(ann.select(panel.id, ["b"]))
        assert heard.data["values"] == ["b"]
        await heard.response.defer()
        assert (await tap.answered()).type == 6

        modal = discord.ui.Modal(title="Why?", custom_id="why")
        modal.add_item(discord.ui.TextInput(label="Reason", custom_id="reason", max_length=10))
        tap, heard = await tapped(ann.tap(panel.id, label="Ask"))
        await heard.response.send_modal(modal)
        answer = await tap.answered()
        assert (answer.type, answer.modal["title"]) == (9, "Why?")
        with pytest.raises(LookupError, match="reason"):
            tap.submit(cause="x")
        with pytest.raises(ValueError, match="takes 0-10 characters"):
            tap.submit(reason="x" * 11)
        submitted, heard = await tapped(ann.submit(tap, reason="because"))
        assert heard.data["components"][0]["components"][0]["value"] == "because"
        await heard.response.send_message("noted")
        assert (await submitted.answered()).text == "noted"


async def test_refusals_raise_the_clients_own_errors(dc, run):
    """Refusals raise discord.py's own errors, with code and form errors."""
    ann = dc.person("ann")
    room = dc.guild("Team", members=[ann]).channel("general")
    ann.send("hi")
    async with run() as client:
        channel = client.get_channel(room.id)
        with pytest.raises(discord.HTTPException, match=r"In content: Must be 2000 or fewer in length\."):
            await channel.send("x" * 2001)
        buttons = [discord.ui.Button(label="x", custom_id="same") for _ in range(2)]
        with pytest.raises(discord.HTTPException, match=r"In components\.0\.components\.1\.custom_id") as wrong:
            await channel.send("?", view=view(*buttons))
        assert wrong.value.code == 50035
        room.deny("send_messages")
        with pytest.raises(discord.Forbidden) as forbidden:
            await channel.send("x")
        assert forbidden.value.code == 50013
        ann.block()
        user = await client.fetch_user(ann.id)
        with pytest.raises(discord.Forbidden) as blocked:
            await user.send("x")
        assert blocked.value.code == 50007
        with pytest.raises(discord.NotFound) as missing:
            await client.fetch_channel(7)
        assert missing.value.code == 10003
        dc.faults.add("error", status=400, body={"message": "odd", "code": 123}, times=1)
        with pytest.raises(discord.HTTPException) as odd:
            await client.fetch_channel(room.id)
        assert odd.value.code == 123


async def test_late_and_double_answers(dc, run):
    """discord.py gets 10062 for an answer after three seconds and 40060 for a second one."""
    ann = dc.person("ann")
    ann.send("hi")
    async with run() as client:
        panel = await (await client.fetch_channel(ann.dm.id)).send(
            "?", view=view(discord.ui.Button(custom_id="y", label="Y"))
        )
        tap = ann.tap(panel.id)
        heard = await client.next("interaction")
        dc.advance(3.1)
        with pytest.raises(discord.NotFound) as late:
            await heard.response.defer()
        assert (late.value.code, tap.failed) == (10062, True)
        ann.tap(panel.id)
        heard = await client.next("interaction")
        await heard.response.defer()
        # discord.py itself refuses a second answer, unless it goes through another object.
        again = discord.Interaction(data=_payload(heard), state=client._connection)
        with pytest.raises(discord.HTTPException) as double:
            await again.response.defer()
        assert double.value.code == 40060


def _payload(heard):
    data = {"id": heard.id, "type": 3, "token": heard.token, "version": 1, "data": heard.data, "channel": {}}
    return {**data, "application_id": heard.application_id, "attachment_size_limit": 1, "channel_id": 1}


async def test_login_and_intents(dc, run):
    """A wrong token and a privileged intent that is off raise discord.py's errors for them."""
    dc.set_portal(message_content=False)
    with pytest.raises(discord.PrivilegedIntentsRequired):
        async with run():
            pass
    assert [one.code for one in dc.identifies] == [4014]
    client = wire.Client(intents=discord.Intents.none())
    with pytest.raises(discord.LoginFailure):
        await client.start("MTE0NDAwMDAwMDAwMDAwMDAwMQ.Gwrong.SandboxSandboxSandboxSandboxSandbox123")
    await client.close()


async def test_members_intent(dc, run):
    """With the Server Members intent discord.py gets the members in chunks."""
    dc.set_portal(members=True)
    team = dc.guild("Team", members=[dc.person("ann"), dc.person("bob")])
    intents = discord.Intents.default()
    intents.members = True
    async with run(intents) as client:
        names = {member.name for member in client.get_guild(team.id).members}
        assert names == {"ann", "bob", "sandbox-bot"}


async def test_two_bots_at_one_address(dc, run):
    """Each token has its own sessions and chats; a person has one id, and a chat with each."""
    other = dc.beside(random_token(), "other-bot")
    ann, again = dc.person("ann"), other.person("ann")
    assert (ann.id, ann.dm.id == again.dm.id) == (again.id, False)
    async with run() as first, run(token=other.token) as second:
        assert (first.user.id, second.user.id) == (dc.bot_id, other.bot_id)
        again.send("to the second")
        heard = await second.next("message")
        await heard.reply("hi")
        assert (await again.next_message())["content"] == "hi"
        ann.send("to the first")
        assert (await first.next("message")).content == "to the first"
        assert (await (await second.fetch_user(ann.id)).create_dm()).id == again.dm.id
    assert [message["content"] for message in ann.messages()] == ["to the first"]
