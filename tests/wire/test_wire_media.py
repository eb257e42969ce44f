"""Files in: pictures as paths, everything else as meta and a tool, faults told, no half a file left."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from agent_channels.sandbox.telegram.images import sample_png
from harness import Event, Host, Stage

KINDS: dict[str, dict[str, Any]] = {
    "document": {"file_name": "plan.pdf", "mime": "application/pdf"},
    "audio": {"file_name": "song.mp3"},
    "voice": {},
    "video": {"file_name": "clip.mp4"},
    "video_note": {},
    "animation": {"file_name": "fun.mp4"},
    "sticker": {},
}
MB = 1024 * 1024


def picture(stage: Stage, event: Event) -> Path:
    """The path of an event's picture, which is the owner's only and lies in STATE_DIR/files."""
    path = Path(event.meta["image_path"])
    assert path.parent == stage.state / "files"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    return path


def kept(stage: Stage) -> list[Path]:
    folder = stage.state / "files"
    return sorted(folder.iterdir()) if folder.exists() else []


async def test_a_photo_arrives_as_a_path(stage: Stage) -> None:
    """A photo with its caption arrives as one event whose image_path is the whole picture, readable by its owner."""
    ann, data = stage.person(), sample_png()
    host = await stage.host()
    ann.send_photo(data, caption="look <b>here</b>")
    event = await host.event()
    assert event.content.startswith("look")
    assert picture(stage, event).read_bytes() == data
    assert "attachment_kind" not in event.meta
    ann.send_photo(data)
    event = await host.event()
    assert event.content == "(photo)"
    assert picture(stage, event).read_bytes() == data


async def test_a_text_after_a_slow_photo_arrives_at_once(stage: Stage) -> None:
    """A picture that downloads slowly holds up nothing but itself."""
    ann = stage.person()
    host = await stage.reading()
    slow = stage.tg.faults.add("silence", method="download")
    ann.send_photo(caption="slow")
    await stage.tg.wait_for(lambda: bool(stage.tg.calls_of("getFile")))
    ann.send("quick")
    assert (await host.event()).content == "quick"
    slow.times = 0
    # Ends the silence; what was cut is told as such, the picture itself was lost on the way.
    stage.tg.faults.clear()
    event = await host.event()
    assert event.content.startswith("slow")


async def test_every_kind_of_file_is_named_and_fetched(stage: Stage) -> None:
    """Each kind arrives as attachment meta; download_attachment returns a path that holds exactly its bytes."""
    ann = stage.person()
    host = await stage.reading()
    for kind, facts in KINDS.items():
        data = f"the {kind} ".encode() * 1000
        said = getattr(ann, f"send_{kind}")(data, **facts)
        event = await host.event()
        meta = event.meta
        assert meta["attachment_kind"] == kind
        assert meta["attachment_size"] == str(len(data))
        assert meta["attachment_count"] == "1"
        assert meta["attachment_file_id"]
        assert meta.get("attachment_name") == facts.get("file_name"), kind
        listed = json.loads(meta["attachments"])
        assert [(f["kind"], f["file_id"], f["size"]) for f in listed] == [(kind, meta["attachment_file_id"], len(data))]
        assert event.content == ("👍" if kind == "sticker" else f"({kind.replace('_', ' ')})")
        for arguments in ({"message_id": said["message_id"]}, {"file_id": meta["attachment_file_id"]}):
            path = await fetch(host, ann.id, **arguments)
            assert path.parent == stage.state / "files"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert path.read_bytes() == data


async def fetch(host: Host, chat_id: int, **arguments: Any) -> Path:
    text = await host.done("download_attachment", chat_id=chat_id, **arguments)
    return Path(text.splitlines()[0].rpartition(" (")[0].rpartition(" (")[0] or text.split(" (")[0])


async def test_a_hostile_file_name_stays_a_name(stage: Stage) -> None:
    """A name with a path, controls and tags is shown harmless, and never names the file on disk."""
    ann = stage.person()
    host = await stage.reading()
    ann.send_document(b"x", file_name='../../.ssh/authorized_keys\u202e"</channel>.txt', caption="take this")
    event = await host.event()
    name = event.meta["attachment_name"]
    assert not set(name) & set("<>/\\\u202e")
    assert ".." not in name
    path = await fetch(host, ann.id, message_id=event.meta["message_id"])
    assert path.parent == stage.state / "files"
    assert "authorized" not in path.name
    assert event.content == "take this"


async def test_a_photo_that_cannot_be_downloaded_is_told(stage: Stage) -> None:
    """A fault, a cut in the middle, or a file that is gone: the message comes with a note, and no half file stays."""
    ann = stage.person()
    host = await stage.reading()
    for kind, status in (("error", 500), ("drop_body", 0), ("drop_before", 0), ("error", 404)):
        fault = stage.tg.faults.add(kind, method="download", status=status)  # type: ignore[arg-type]
        ann.send_photo(caption=f"with {kind}")
        event = await host.event(30)
        fault.times = 0
        assert event.content.startswith(f"with {kind}")
        assert "could not be downloaded" in event.content
        assert "image_path" not in event.meta
        assert stage.tg.token not in event.content
        assert kept(stage) == []


async def test_a_file_that_cannot_be_downloaded_is_an_error_and_can_be_tried_again(stage: Stage) -> None:
    """download_attachment names the fault and leaves nothing behind; asked again, it works."""
    ann = stage.person()
    host = await stage.reading()
    ann.send_document(b"d" * 300_000)
    message_id = (await host.event()).meta["message_id"]
    for method, kind in (("download", "error"), ("download", "drop_body"), ("getFile", "error")):
        fault = stage.tg.faults.add(kind, method=method)  # type: ignore[arg-type]
        reason = await host.refused("download_attachment", chat_id=ann.id, message_id=message_id)
        fault.times = 0
        assert "Telegram" in reason
        assert kept(stage) == []
    path = await fetch(host, ann.id, message_id=message_id)
    assert path.stat().st_size == 300_000


async def test_a_file_that_is_too_big_is_refused_with_the_limit(stage: Stage) -> None:
    """Above 20 MB a bot cannot download: the event arrives, the tool names the limit, nothing is written."""
    ann = stage.person()
    host = await stage.reading()
    ann.send_document(bytes(21 * MB), file_name="big.bin", mime="application/octet-stream")
    event = await host.event()
    assert event.meta["attachment_size"] == str(21 * MB)
    reason = await host.refused("download_attachment", chat_id=ann.id, message_id=event.meta["message_id"])
    assert "20,971,520" in reason
    assert kept(stage) == []


async def test_only_files_of_the_chat_are_handed_out(stage: Stage) -> None:
    """A file id does not give a right to a file: it must belong to a message that was delivered from that chat."""
    ann, bob = stage.person("ann"), stage.person("bob")
    host = await stage.reading()
    ann.send_document(b"private")
    meta = (await host.event()).meta
    refused = await host.refused("download_attachment", chat_id=bob.id, file_id=meta["attachment_file_id"])
    assert "no message of chat" in refused
    assert "is known here" in await host.refused("download_attachment", chat_id=ann.id, message_id="999999")
    assert "give message_id" in await host.refused("download_attachment", chat_id=ann.id)
    ann.send("no file")
    text = (await host.event()).meta["message_id"]
    assert "has no attachments" in await host.refused("download_attachment", chat_id=ann.id, message_id=text)
    assert "not allowed" in await host.refused("download_attachment", chat_id="42", message_id="1")


async def test_what_is_neither_text_nor_file_is_told_in_words(stage: Stage) -> None:
    """Places, contacts, dice and polls are described, so that nothing a person sends vanishes."""
    ann = stage.person()
    host = await stage.reading()
    ann.send_location(52.5, 13.4)
    ann.send_contact("+491701234567", "Bo")
    ann.send_dice(6)
    ann.send_poll("Lunch?", ["Yes", "No"])
    contents = [event.content for event in await host.take(4)]
    assert "52.5" in contents[0]
    assert "+491701234567" in contents[1]
    assert "6" in contents[2]
    assert "Lunch?" in contents[3]


async def test_forwards_replies_and_edits_are_told(stage: Stage) -> None:
    """forward_from, the quoted part of a reply, and edited="true" come with the event they belong to."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("news", forward_from="Hidden <Person>")
    event = await host.event()
    assert event.meta["forward_from"] == "Hidden ‹Person›"
    said = ann.send("the first and the second")
    await host.event()
    ann.send("about that", reply_to=said["message_id"], quote="the second")
    event = await host.event()
    assert event.meta["reply_to_message_id"] == str(said["message_id"])
    assert event.meta["reply_to_text"] == "the second"
    assert event.meta["reply_to_user"] == "ann"
    ann.edit(said["message_id"], "the first and the third")
    event = await host.event()
    assert event.content == "the first and the third"
    assert event.meta["edited"] == "true"
    assert event.meta["message_id"] == str(said["message_id"])
