"""The bot's messages in Discord: long, quoted, pinging nobody, posted once, with files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agent_channels.core.text.units import length
from harness import DiscordStage


async def test_nine_thousand_characters_with_a_fence(stage: DiscordStage) -> None:
    """Every part within 2,000 and with its fence closed; the code is whole and in order; a grid is on the last."""
    ann = stage.person()
    host = await stage.reading()
    code = [f"line {number:04} = compute({number})  # and some more words" for number in range(180)]
    text = "Before the code.\n\n```python\n" + "\n".join(code) + "\n```\n\nAfter it. " + "Words and words. " * 60
    assert len(text) > 9000
    result = await host.done("reply", chat_id=str(ann.dm.id), text=text, buttons=[["Ok"]])
    count = int(re.findall(r"sent (\d+) parts", result)[0])
    parts = [await ann.next_message() for _ in range(count)]
    said = [str(part["content"]) for part in parts]
    assert all(length(part, "utf16") <= 2000 for part in said)
    assert all(part.count("```") % 2 == 0 for part in said)
    assert all(part.startswith("```python\n") for part in said[1:-2])
    shown = "\n".join(said)
    assert re.findall(r"line \d{4} = .*", shown) == code
    assert [bool(part["components"]) for part in parts] == [False] * (count - 1) + [True]


async def test_nobody_is_pinged(stage: DiscordStage) -> None:
    """`@everyone`, `@here`, people and roles in a reply ping nobody, nor does the reply itself."""
    ann, bob = stage.person("ann"), stage.person("bob")
    team = stage.dc.guild("Team", members=[ann, bob])
    room, role = team.channel("general"), team.role("staff", bob)
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    host = await stage.reading()
    question = ann.send("hello", channel=room)
    await host.event()
    text = f"@everyone @here <@{bob.id}> <@&{role}> look"
    await host.done("reply", chat_id=str(room.id), text=text, reply_to=question["id"])
    said = await room.next_message()
    assert (said["mention_everyone"], said["mentions"], said["mention_roles"]) == (False, [], [])
    assert said["message_reference"]["message_id"] == question["id"]
    await host.done("edit_message", chat_id=str(room.id), message_id=said["id"], text=text + "!")
    edited = next(m for m in room.messages() if m["id"] == said["id"])
    assert (edited["mention_everyone"], edited["mentions"], edited["mention_roles"]) == (False, [], [])


@pytest.mark.parametrize("kind", ["drop_after", "drop_body", "drop_before"])
async def test_a_cut_posts_once(stage: DiscordStage, kind: str) -> None:
    """The connection is cut before or after the message was posted: it is there once, and the result has its id."""
    ann = stage.person()
    host = await stage.reading()
    stage.dc.faults.add(kind, method="POST /channels/*/messages", times=1)  # type: ignore[arg-type]
    result = await host.done("reply", chat_id=str(ann.dm.id), text="once")
    assert [message["content"] for message in ann.inbox] == ["once"]
    assert ann.inbox[0]["id"] in result


async def test_cuts_without_end_are_unknown(stage: DiscordStage) -> None:
    """When every try is cut the result says unknown, and the same key sends nothing again."""
    ann = stage.person()
    host = await stage.reading()
    stage.dc.faults.add("drop_after", method="POST /channels/*/messages")
    why = await host.refused("reply", chat_id=str(ann.dm.id), text="once", idempotency_key="k")
    assert "unknown" in why
    stage.dc.faults.clear()
    assert "unknown" in await host.done("reply", chat_id=str(ann.dm.id), text="once", idempotency_key="k")
    assert [message["content"] for message in ann.inbox] == ["once"]


async def test_plain_text_is_shown_as_it_stands(stage: DiscordStage) -> None:
    """With format text Markdown's signs are escaped, and the parts still fit when every character is one."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=str(ann.dm.id), text="*not bold* `code` __init__.py", format="text")
    said = str((await ann.next_message())["content"])
    assert re.sub(r"\\(?=\W|_)", "", said) == "*not bold* `code` __init__.py"
    assert r"\*not bold\*" in said
    stars = "*" * 3000
    result = await host.done("reply", chat_id=str(ann.dm.id), text=stars, format="text")
    count = int(re.findall(r"sent (\d+) parts", result)[0])
    parts = [str((await ann.next_message())["content"]) for _ in range(count)]
    assert all(len(part) <= 2000 for part in parts)
    assert "".join(parts).replace("\\", "") == stars


async def test_floods_are_waited_for(stage: DiscordStage) -> None:
    """Ten quick replies against a limit of one a second: all arrive in order, and the waiting is said."""
    ann = stage.person()
    host = await stage.reading()
    stage.dc.set_flood(1.0, burst=2)
    calls = [host.calling("reply", chat_id=str(ann.dm.id), text=f"reply {number}") for number in range(6)]
    results = [await host.answered(call) for call in calls]
    assert not any(result.failed for result in results)
    assert any("waited" in result.text for result in results)
    assert [message["content"] for message in ann.inbox] == [f"reply {number}" for number in range(6)]


async def test_links_do_not_unfold_unless_wanted(stage: DiscordStage) -> None:
    """Previews are suppressed; with suppress_embeds off they are not; silent sends without a notification."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=str(ann.dm.id), text="https://example.org", silent=True)
    assert (await ann.next_message())["flags"] == 1 << 2 | 1 << 12
    await host.kill()
    stage.config(grace_s=0, suppress_embeds=False)
    host = await stage.reading()
    await host.done("reply", chat_id=str(ann.dm.id), text="https://example.org")
    assert (await ann.next_message())["flags"] == 0


async def test_files_go_out_and_come_in(stage: DiscordStage) -> None:
    """A file of the project is sent under its name; what a person attaches is fetched by the tool, picture at once."""
    ann = stage.person()
    host = await stage.reading()
    (stage.project / "notes.md").write_text("# notes")
    await host.done("reply", chat_id=str(ann.dm.id), text="here", files=["notes.md"])
    texts = [await ann.next_message() for _ in range(len(ann.inbox))]
    assert [file["filename"] for message in texts for file in message["attachments"]] == ["notes.md"]
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6300010000050001"
        "0d0a2db40000000049454e44ae426082"
    )
    ann.send("look", attachments=[("dot.png", png), ("log.txt", b"x" * 2000)])
    event = await host.event()
    assert event.content == "look"
    assert Path(event.meta["image_path"]).read_bytes() == png  # noqa: ASYNC240 - a small local file
    log = next(file for file in json.loads(event.meta["attachments"]) if file["name"] == "log.txt")
    assert log["size"] == 2000
    told = await host.done("download_attachment", chat_id=str(ann.dm.id), file_id=log["file_id"])
    assert Path(told.split(" (")[0]).read_bytes() == b"x" * 2000  # noqa: ASYNC240 - as above


async def test_react_edit_and_typing(stage: DiscordStage) -> None:
    """One reaction at a time in place of our mark; an edit replaces; typing is shown until the answer."""
    ann = stage.person()
    host = await stage.reading()
    said = ann.send("hello")
    await host.event()
    await stage.dc.wait_for(lambda: stage.dc.reactions(said) == ["👀"])
    await stage.dc.wait_for(lambda: stage.dc.typing(ann))
    await host.done("react", chat_id=str(ann.dm.id), message_id=said["id"], emoji="👍")
    await stage.dc.wait_for(lambda: stage.dc.reactions(said) == ["👍"])
    assert "emoji" in await host.refused("react", chat_id=str(ann.dm.id), message_id=said["id"], emoji="nonsense")
    sent = await host.done("reply", chat_id=str(ann.dm.id), text="working")
    number = re.findall(r"\d{15,}", sent)[0]
    await host.done("edit_message", chat_id=str(ann.dm.id), message_id=number, text="done")
    assert [message["content"] for message in ann.inbox] == ["done"]
    theirs = await host.refused("edit_message", chat_id=str(ann.dm.id), message_id=said["id"], text="mine")
    assert "cannot be edited" in theirs


async def test_what_nobody_can_see_is_not_sent(stage: DiscordStage) -> None:
    """Controls are in no text of any format, and a text of invisible characters alone is refused."""
    ann = stage.person()
    host = await stage.reading()
    for format_ in ("markdown", "text"):
        await host.done("reply", chat_id=str(ann.dm.id), text="done\x07 12\x083", format=format_)
        assert (await ann.next_message())["content"] == "done 123"
        reason = await host.refused("reply", chat_id=str(ann.dm.id), text="\u200b\u2060\ufeff", format=format_)
        assert "nothing to see" in reason


async def test_a_message_that_cannot_be_replied_to_is_answered_all_the_same(stage: DiscordStage) -> None:
    """A system message, and a channel whose history the bot may not read: posted without the reference, and said so."""
    ann = stage.person("ann")
    team = stage.dc.guild("Team", members=[ann])
    room = team.channel("general")
    assert (await stage.access("group", "add", str(room.id), "--no-mention")).code == 0
    host = await stage.reading()
    asked = ann.send("hello", channel=room)
    await host.event()
    room.thread("plan", by=ann)
    system = next(message for message in room.messages() if message["type"] == 18)
    told = await host.done("reply", chat_id=str(room.id), text="to the system", reply_to=system["id"])
    assert f"message {system['id']} cannot be replied to" in told
    room.deny("read_message_history")
    told = await host.done("reply", chat_id=str(room.id), text="to ann", reply_to=asked["id"], buttons=[["Ok"]])
    assert "not as a reply" in told
    own = [
        message
        for message in room.messages()
        if message["author"]["id"] == str(stage.dc.bot_id) and message["type"] == 0
    ]
    assert [(message["content"], message.get("message_reference")) for message in own] == [
        ("to the system", None),
        ("to ann", None),
    ]
    ann.tap(own[-1], label="Ok")
    assert "Ok" in (await host.event()).content


async def test_numbers_and_names_are_shown_as_written(stage: DiscordStage) -> None:
    """Numbers that the client would count up anew are escaped; terminal colours leave the words."""
    ann = stage.person()
    host = await stage.reading()
    for text, content in (
        ("12. a\n15. b\n20. c", "12\\. a\n15\\. b\n20\\. c"),
        ("1. a\n   - x\n3. b", "1\\. a\n   - x\n3\\. b"),
        ("1. a\n- x\n1. b\n- y", "1\\. a\n\n- x\n\n2\\. b\n\n- y"),
        ("4. a\n5. b", "4. a\n5. b"),
        ("\x1b[31mFAIL\x1b[0m", "FAIL"),
    ):
        await host.done("reply", chat_id=str(ann.dm.id), text=text)
        assert (await ann.next_message())["content"] == content


@pytest.mark.parametrize("url", ["tg://user?id=1", "http://a@b", "https://x.com/\n"])
async def test_a_button_with_a_doubtful_url_is_refused(stage: DiscordStage, url: str) -> None:
    """Nothing is posted, and the reason names the address."""
    ann = stage.person()
    host = await stage.reading()
    told = await host.refused("reply", chat_id=str(ann.dm.id), text="x", buttons=[[{"label": "Open", "url": url}]])
    assert repr(url) in told
    assert ann.inbox == []


async def test_a_file_that_is_swapped_while_a_rate_limit_is_waited_for(stage: DiscordStage) -> None:
    """What arrives is what was checked, although its name leads elsewhere by then."""
    ann = stage.person()
    host = await stage.reading()
    path = stage.project / "a.txt"
    path.write_text("harmless")
    stage.dc.faults.add("flood", method="POST /channels/*/messages", times=1, retry_after=1)
    call = host.calling("reply", chat_id=str(ann.dm.id), files=["a.txt"])
    await stage.dc.wait_for(lambda: stage.dc.calls_of("POST /channels/*/messages") or None)
    path.unlink()
    path.symlink_to(stage.state / "channel.db")
    assert "waited 1 s" in (await host.answered(call)).text
    await ann.next_message()
    assert [file.data for file in stage.dc.state.files.by_id.values()] == [b"harmless"]
    assert "state folder" in await host.refused("reply", chat_id=str(ann.dm.id), files=["a.txt"])


async def test_no_token_reaches_a_chat(stage: DiscordStage) -> None:
    """In texts, buttons and edits the bot's token is masked, and so it is where a person's message is listed."""
    ann = stage.person()
    host = await stage.reading()
    token = stage.dc.token
    await host.done("reply", chat_id=str(ann.dm.id), text=f"it is {token}", buttons=[[f"Use {token}"]])
    message = await ann.next_message()
    assert message["content"] == "it is [token]"
    await host.done("edit_message", chat_id=str(ann.dm.id), message_id=message["id"], text=f"it was {token}")
    assert token not in repr(ann.messages())
    ann.send(f"is {token} yours?")
    assert (await host.event()).content == "is [token] yours?"
    listed = await stage.cli("inbox", "discord", "--json")
    exported = await stage.cli("history", "export", "discord")
    for text in (listed.out, exported.out, await host.done("fetch_messages", chat_id=str(ann.dm.id))):
        assert "is [token] yours?" in text
        assert token not in text
