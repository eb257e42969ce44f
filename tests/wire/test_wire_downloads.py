"""Pictures that cannot be had: the message arrives all the same, says so, and holds nothing up."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.sandbox.telegram.images import sample_png
from harness import Event, Host, Stage

MB = 1024 * 1024


def kept(stage: Stage) -> list[Path]:
    """What lies in STATE_DIR/files."""
    folder = stage.state / "files"
    return sorted(folder.iterdir()) if folder.exists() else []


async def noted(host: Host, words: str) -> None:
    """The next event is the picture's: its caption, a note with these words, no path, and the bot's file to ask for."""
    event = await host.event(30)
    assert event.content.startswith("look\n[the picture could not be downloaded: ")
    assert words in event.content
    assert "image_path" not in event.meta


async def test_a_text_after_a_slow_20_mb_download_arrives_at_once(stage: Stage) -> None:
    """20 MB trickle in; what is written meanwhile is there before the picture is, and the picture comes whole."""
    ann, data = stage.person(), sample_png(320, 240) + bytes(20 * MB - 1000)
    host = await stage.reading()
    stage.tg.faults.add("slow", method="download", seconds=600)
    ann.send_photo(data, caption="slow")
    await stage.tg.wait_for(lambda: bool(stage.tg.calls_of("getFile")))
    for n in range(3):
        ann.send(f"quick {n}")
        assert (await host.event()).content == f"quick {n}"
    assert sum(path.stat().st_size for path in kept(stage)) < len(data)
    stage.tg.faults.clear()
    event = await host.event(30)
    assert event.content == "slow"
    assert Path(event.meta["image_path"]).read_bytes() == data  # noqa: ASYNC240


async def test_a_tool_call_that_downloads_slowly_holds_up_no_message(stage: Stage) -> None:
    """download_attachment on a slow 20 MB file: a text sent meanwhile arrives; the call ends with the whole file."""
    ann, data = stage.person(), bytes(20 * MB)
    host = await stage.reading()
    ann.send_document(data, file_name="big.bin")
    message_id = (await host.event()).meta["message_id"]
    stage.tg.faults.add("slow", method="download", seconds=600)
    call = host.calling("download_attachment", chat_id=ann.id, message_id=message_id)
    await stage.tg.wait_for(lambda: bool(stage.tg.calls_of("getFile")))
    ann.send("quick")
    assert (await host.event()).content == "quick"
    stage.tg.faults.clear()
    result = await host.answered(call, 30)
    assert not result.failed
    assert kept(stage)[0].stat().st_size == len(data)


async def test_a_picture_that_cannot_be_had_is_told_and_costs_nothing_else(stage: Stage) -> None:
    """500 while downloading, an empty file, one above the limit: the event says which; asked again later, it comes."""
    ann, data = stage.person(), sample_png(320, 240)
    host = await stage.reading()
    fault = stage.tg.faults.add("error", method="download", status=500)
    said = ann.send_photo(data, caption="look")
    await noted(host, "HTTP 500")
    fault.times = 0
    assert kept(stage) == []
    await host.done("download_attachment", chat_id=ann.id, message_id=said["message_id"])
    assert [path.read_bytes() for path in kept(stage)] == [data]
    fault = stage.tg.faults.add("error", method="download", status=200, body="")
    ann.send_photo(data, caption="look")
    await noted(host, "empty file")
    fault.times = 0
    ann.send_photo(data + bytes(20 * MB), caption="look")
    await noted(host, "20,971,520")
    assert len(kept(stage)) == 1
    ann.send("still there")
    assert (await host.event()).content == "still there"


async def test_an_album_without_one_of_its_pictures_is_told_of_it(stage: Stage) -> None:
    """Two of four pictures fail: one event, two paths, one note for both."""
    ann = stage.person()
    host = await stage.reading()
    stage.tg.faults.add("error", method="download", status=500, times=2)
    ann.send_album([{"data": sample_png(320, 240)}] * 4)
    event = await host.event()
    assert event.content.startswith("(photo × 4)\n[2 pictures could not be downloaded: ")
    assert event.meta["attachments"].count('"path"') == 2
    assert len(kept(stage)) == 2


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/cron.d/x.png",
        "/abs/\x00\x1b[31m\r\n.png",
        "a\\b\\..\\c.exe.png",
        "\u202egnp.exe",
        "." * 300 + "/.png",
    ],
)
async def test_a_file_name_full_of_slashes_and_controls_names_nothing_here(stage: Stage, name: str) -> None:
    """The file lies under a name of ours in STATE_DIR/files and nowhere else; the name is shown, and harmless."""
    ann = stage.person()
    host = await stage.reading()
    before = {path for path in stage.folder.rglob("*") if "state" not in path.parts}
    ann.send_document(b"data", file_name=name, caption="take")
    event = await host.event()
    shown = event.meta["attachment_name"]
    assert not set(shown) & set("/\\\x00\x1b\r\n\u202e<>")
    await host.done("download_attachment", chat_id=ann.id, message_id=event.meta["message_id"])
    (path,) = kept(stage)
    assert path.read_bytes() == b"data"
    assert path.name.replace("-", "").split(".")[0].isalnum()
    assert {found for found in stage.folder.rglob("*") if "state" not in found.parts} == before


def picture(event: Event) -> bytes:
    return Path(event.meta["image_path"]).read_bytes()


async def test_the_quota_bounds_open_pictures_and_never_deletes_them(stage: Stage) -> None:
    """What does not fit is named in its event; pictures of unanswered messages stay, and answered they make room."""
    stage.config(grace_s=0, files_quota_mb=1)
    ann, data = stage.person(), sample_png(320, 240)
    host = await stage.reading()
    photo = data + bytes(400_000 - len(data))
    for _ in range(4):
        ann.send_photo(photo, caption="look")
    events = await host.take(4)
    shown = [event for event in events if "image_path" in event.meta]
    assert len(shown) == 2
    for event in shown:
        assert picture(event) == photo
    for event in events:
        assert ("image_path" in event.meta) != ("files_quota_mb" in event.content)
    await host.done("reply", chat_id=ann.id, text="seen")
    ann.send_photo(photo, caption="look")
    event = await host.event()
    assert picture(event) == photo
    assert sum(path.stat().st_size for path in kept(stage)) <= 1024 * 1024
