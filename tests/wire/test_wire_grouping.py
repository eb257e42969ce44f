"""What a client sends as several messages and a person means as one arrives as one event; everything else at once."""

from __future__ import annotations

import json

from agent_channels.sandbox.telegram.images import sample_png
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import Event, Host, Stage

LIMIT = 4096


def ids(event: Event) -> list[str]:
    """The ids of the messages an event was made of."""
    return list(json.loads(event.meta["message_ids"]))


async def only(host: Host, ann: TelegramPerson) -> None:
    """No further event than those taken: the next is this text."""
    ann.send("and nothing else")
    assert (await host.event()).content == "and nothing else"


async def test_an_album_is_one_event(stage: Stage) -> None:
    """Ten pictures and their captions: one event with every caption, file, path and id, in order."""
    ann, pictures = stage.person(), [sample_png(10 + n, 10) for n in range(10)]
    host = await stage.reading()
    parts = [{"data": data, "caption": f"caption {n}" if n in {0, 4} else None} for n, data in enumerate(pictures)]
    sent = ann.send_album(parts)
    event = await host.event()
    assert event.content == "caption 0\ncaption 4"
    assert ids(event) == [str(message["message_id"]) for message in sent]
    assert event.meta["message_id"] == str(sent[0]["message_id"])
    assert len(json.loads(event.meta["delivery_ids"])) == 9
    assert event.meta["delivery_id"] not in event.meta["delivery_ids"]
    files = json.loads(event.meta["attachments"])
    assert event.meta["attachment_count"] == "10"
    assert event.meta["image_path"] == files[0]["path"]
    for file, data in zip(files, pictures, strict=True):
        with open(file["path"], "rb") as found:  # noqa: ASYNC230, PTH123
            assert found.read() == data
    await only(host, ann)
    text = await host.done("download_attachment", chat_id=ann.id, message_id=event.meta["message_id"])
    assert len(text.splitlines()) == 10
    one = await host.done("download_attachment", chat_id=ann.id, message_id=str(sent[6]["message_id"]))
    assert len(one.splitlines()) == 1


async def test_an_album_of_files_whose_parts_come_one_by_one_is_one_event(stage: Stage) -> None:
    """Parts in updates of their own, each confirmed before the next is sent, still are one event, and in order."""
    ann = stage.person()
    host = await stage.reading()
    for n in range(3):
        ann.send_document(f"file {n}".encode(), file_name=f"{n}.txt", media_group_id="77", caption=f"c{n}")
        await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
    event = await host.event()
    assert event.content == "c0\nc1\nc2"
    assert [file["name"] for file in json.loads(event.meta["attachments"])] == ["0.txt", "1.txt", "2.txt"]
    await only(host, ann)


async def test_an_album_survives_a_kill_in_its_middle(stage: Stage) -> None:
    """Half an album is journalled, the server is killed, the other half comes to the next: one event, complete."""
    ann = stage.person()
    host = await stage.reading()
    first = [ann.send_document(b"x", file_name=f"{n}.txt", media_group_id="77") for n in range(2)]
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
    await host.kill()
    assert host.events == []
    second = [ann.send_document(b"x", file_name=f"{n}.txt", media_group_id="77") for n in range(2, 4)]
    host = await stage.reading()
    event = await host.event()
    assert ids(event) == [str(message["message_id"]) for message in [*first, *second]]
    # Decided once: what is offered again is the same.
    await host.kill()
    again = await (await stage.reading()).event()
    assert again.meta == {**event.meta, "redelivered": "true"}
    assert again.content == event.content


async def test_a_paste_that_the_client_split_is_one_event(stage: Stage) -> None:
    """20,000 characters in five messages are one event with every character of them."""
    ann = stage.person()
    host = await stage.reading()
    text = "".join(f"{n:05d} words without a space;"[:10] for n in range(2000))
    assert len(text) == 20_000
    sent = [ann.send(text[at : at + LIMIT]) for at in range(0, len(text), LIMIT)]
    assert len(sent) == 5
    event = await host.event()
    assert event.content == text
    assert ids(event) == [str(message["message_id"]) for message in sent]
    await only(host, ann)
    # Cut at white space, which the client drops.
    for part in ("a" * 3950, "b" * 3950, "the end"):
        ann.send(part)
        await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
    assert (await host.event()).content == "\n".join(("a" * 3950, "b" * 3950, "the end"))
    await only(host, ann)


async def test_a_forward_and_its_comment_are_one_event(stage: Stage) -> None:
    """Comment first, as clients send it, or after: one event that says whose words are whose."""
    ann, bob = stage.person(), stage.tg.person("bob")
    host = await stage.reading()
    sent = [ann.send("what is this?"), ann.send("the news", forward_from=bob)]
    event = await host.event()
    assert event.content == "what is this?\n\n[forwarded from bob]\nthe news"
    assert event.meta["forward_from"] == "bob"
    assert ids(event) == [str(message["message_id"]) for message in sent]
    await only(host, ann)
    ann.send_photo(sample_png(), forward_from="Somebody <Hidden>")
    ann.send("and this?")
    event = await host.event()
    assert event.content == "[forwarded from Somebody ‹Hidden›]\n(photo)\n\nand this?"
    assert event.meta["image_path"]
    await only(host, ann)
    ann.send("alone", forward_from=bob)
    assert (await host.event()).content == "alone"


async def test_separate_lines_are_separate_and_not_held(stage: Stage) -> None:
    """Twenty lines are twenty events, each there before the next is written; a reply or a command joins nothing."""
    ann, bob = stage.person(), stage.person("bob")
    host = await stage.reading()
    for n in range(20):
        ann.send(f"line {n}")
        event = await host.event()
        assert event.content == f"line {n}"
        assert "delivery_ids" not in event.meta
    for n in range(20):
        ann.send(f"burst {n}")
    assert [event.content for event in await host.take(20)] == [f"burst {n}" for n in range(20)]
    # Somebody else's words in between belong to nobody's paste; what its sender says next ends it.
    long = ann.send("x" * 4000)
    bob.send("hello")
    ann.send("unrelated", reply_to=long["message_id"])
    found = {event.content[:5] for event in await host.take(3)}
    assert found == {"hello", "xxxxx", "unrel"}


async def test_in_a_group_the_parts_of_what_is_for_the_bot_are_heard(stage: Stage) -> None:
    """The bot is named in the first part only; the rest of the album and of the paste comes with it, nobody else's."""
    ann, bob = stage.person(), stage.tg.person("bob")
    host = await stage.reading()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    ann.send_album([{"data": b"a", "caption": "@sandbox_bot look"}, {"data": b"b"}], kind="document", chat=group)
    event = await host.event()
    assert len(ids(event)) == 2
    ann.send("@sandbox_bot " + "a" * 4083, chat=group)
    bob.send("not for the bot", chat=group)
    ann.send("the rest", chat=group)
    event = await host.event()
    assert event.content.endswith("aaathe rest")
    ann.send("not for the bot either", chat=group)
    await only(host, ann)


async def test_a_strangers_album_counts_as_one_message(stage: Stage) -> None:
    """It is kept whole among the three messages that are kept of a stranger, and delivered after the approval."""
    eve = stage.tg.person("eve")
    host = await stage.reading()
    eve.send_album([{"data": b"x", "file_name": f"{n}.txt"} for n in range(5)], kind="document")
    code = (await eve.next_message())["text"].partition("code: ")[2].split()[0]
    eve.send("second")
    eve.send("third")
    await stage.tg.wait_for(lambda: stage.tg.pending_updates == 0)
    assert (await stage.access("pair", code)).code == 0
    album, second, third = await host.take(3)
    assert album.meta["attachment_count"] == "5"
    assert (second.content, third.content) == ("second", "third")


async def test_any_id_of_a_joined_event_acknowledges_it(stage: Stage) -> None:
    """An agent that names the delivery id of a part has answered the whole."""
    ann = stage.person()
    host = await stage.reading(CHANNELS_MODE="pull")
    ann.send_album([{"data": b"a"}, {"data": b"b"}], kind="document")
    text = await host.done("wait_for_messages", timeout_s=5)
    assert text.count("<channel") == 1
    other = text.partition('delivery_ids="[&quot;')[2].partition("&quot;")[0]
    assert (await host.done("wait_for_messages", timeout_s=0, ack=[other])).startswith("1 acknowledged")
    assert (await host.status())["inbox"]["open"] == 0
