"""Messages that belong together arrive as one event; pictures that cannot be downloaded are named."""

from __future__ import annotations

import json
from pathlib import Path

from agent_channels.sandbox.telegram.images import sample_png
from harness import DiscordStage, Event

MB = 1024 * 1024


def ids(event: Event) -> list[str]:
    """The ids of the messages an event was made of."""
    return list(json.loads(event.meta["message_ids"]))


async def test_files_of_a_message_come_in_order_and_pictures_as_paths(stage: DiscordStage) -> None:
    """Ten files in one message: one event, each listed where it stands, each picture downloaded."""
    ann = stage.person()
    host = await stage.reading()
    pictures = {f"p{n}.png": sample_png(10 + n, 10) for n in range(8)}
    files = [("first.txt", b"1"), *pictures.items(), ("last.txt", b"2")]
    ann.send("all of it", attachments=files)
    event = await host.event()
    assert event.content == "all of it"
    listed = json.loads(event.meta["attachments"])
    assert [file["name"] for file in listed] == [name for name, _ in files]
    assert event.meta["image_path"] == listed[1]["path"]
    for file in listed:
        if file["name"] in pictures:
            assert Path(file["path"]).read_bytes() == pictures[file["name"]]  # noqa: ASYNC240
        else:
            assert "path" not in file
    text = await host.done("download_attachment", chat_id=event.meta["chat_id"], message_id=event.meta["message_id"])
    assert len(text.splitlines()) == 10


async def test_a_long_text_in_parts_is_one_event(stage: DiscordStage) -> None:
    """Parts of the length that Discord takes, and the short end; a shorter message comes alone, at once."""
    ann = stage.person()
    host = await stage.reading()
    text = "".join(f"{n:04d}/" for n in range(1000))
    parts = [ann.send(text[at : at + 2000]) for at in range(0, len(text), 2000)]
    event = await host.event()
    assert event.content == text
    assert ids(event) == [part["id"] for part in parts]
    for n in range(20):
        ann.send(f"line {n}")
        assert (await host.event()).content == f"line {n}"


async def test_a_forward_and_its_comment_are_one_event(stage: DiscordStage) -> None:
    """Discord sends the comment after the forward."""
    ann = stage.person()
    host = await stage.reading()
    said = ann.send("the news")
    await host.event()
    sent = [ann.forward(said), ann.send("what of it?")]
    event = await host.event()
    assert event.content == "[forwarded from somebody]\nthe news\n\nwhat of it?"
    assert event.meta["forward_from"] == "somebody"
    assert ids(event) == [message["id"] for message in sent]
    ann.send("end")
    assert (await host.event()).content == "end"


async def test_a_picture_that_cannot_be_had_is_told(stage: DiscordStage) -> None:
    """A fault, an empty file, one above the limit, a name full of slashes: an event with a note, nothing lost."""
    ann = stage.person()
    host = await stage.reading()
    folder = stage.state / "files"
    fault = stage.dc.faults.add("error", method="download", status=500)
    ann.send("look", attachments=[("../../x/\x1b[31m.png", sample_png())])
    event = await host.event(30)
    assert event.content.startswith("look\n[the picture could not be downloaded: ")
    assert "500" in event.content
    fault.times = 0
    assert list(folder.iterdir()) == []
    arguments = {"chat_id": event.meta["chat_id"], "message_id": event.meta["message_id"]}
    await host.done("download_attachment", **arguments)
    (path,) = folder.iterdir()
    assert path.read_bytes() == sample_png()
    ann.send("look", attachments=[("empty.png", b"")])
    assert "empty" in (await host.event(30)).content
    ann.send("look", attachments=[("big.png", bytes(100 * MB + 1))])
    assert "104,857,600" in (await host.event(30)).content
    assert list(folder.iterdir()) == [path]
    # Slow, and overtaken by messages written meanwhile.
    stage.dc.faults.add("slow", method="download", seconds=600)
    ann.send("slow", attachments=[("slow.png", sample_png() + bytes(20 * MB))])
    ann.send("quick")
    assert (await host.event()).content == "quick"
    stage.dc.faults.clear()
    event = await host.event(30)
    assert event.content == "slow"
    assert Path(event.meta["image_path"]).stat().st_size > 20 * MB  # noqa: ASYNC240
