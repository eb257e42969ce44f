"""Files out: pictures together, the text under them, each kind as what it is, and what the platform refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_channels.sandbox.discord.sandbox import DiscordSandbox
from agent_channels.sandbox.telegram.images import sample_png
from agent_channels.sandbox.telegram.people import TelegramPerson
from harness import TOKEN, DiscordStage, Stage

MB = 1024 * 1024
# A refusal that nobody waits out.
BLOCKED: dict[str, Any] = {
    "status": 403,
    "body": {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"},
}


def written(stage: Stage | DiscordStage, **files: bytes) -> list[str]:
    """Files in the project; `a_png` is written as a.png."""
    names = [name.replace("_", ".") for name in files]
    for name, data in zip(names, files.values(), strict=True):
        (stage.project / name).write_bytes(data)
    return names


def pictures(stage: Stage | DiscordStage, count: int) -> list[str]:
    """So many pictures in the project."""
    return written(stage, **{f"p{n}_png": sample_png(20 + n, 20) for n in range(count)})


async def seen(person: TelegramPerson, count: int) -> list[dict[str, Any]]:
    """The bot's next messages."""
    return [await person.next_message() for _ in range(count)]


async def test_several_pictures_are_one_album_with_the_text_under_it(stage: Stage) -> None:
    """One request, one album in order, the caption on the first, the quote, without a sound; every id is told."""
    ann = stage.person()
    host = await stage.reading()
    said = ann.send("show me")
    answer = await host.done(
        "reply", chat_id=ann.id, text="four", files=pictures(stage, 4), reply_to=said["message_id"], silent=True
    )
    messages = await seen(ann, 4)
    assert len({message["media_group_id"] for message in messages}) == 1
    assert [message["photo"][-1]["width"] for message in messages] == [20, 21, 22, 23]
    assert [message.get("caption") for message in messages] == ["four", None, None, None]
    assert messages[0]["reply_to_message"]["message_id"] == said["message_id"]
    (call,) = stage.tg.calls_of("sendMediaGroup")
    assert call.params["disable_notification"] == "true"
    assert all(str(message["message_id"]) in answer for message in messages)
    assert stage.tg.calls_of("sendMessage") == stage.tg.calls_of("sendPhoto") == []


async def test_a_text_that_is_too_long_for_a_caption_comes_before(stage: Stage) -> None:
    """1,024 characters stand under the pictures, 1,025 before them, formatting included."""
    ann, files = stage.person(), pictures(stage, 2)
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="x" * 1024, files=files, format="text")
    assert [message.get("caption") for message in await seen(ann, 2)] == ["x" * 1024, None]
    await host.done("reply", chat_id=ann.id, text="x" * 1025, files=files, format="text")
    assert (await ann.next_message())["text"] == "x" * 1025
    assert ["caption" in message for message in await seen(ann, 2)] == [False, False]
    await host.done("reply", chat_id=ann.id, text="a <b>bold</b> word", files=files[:1], format="html")
    one = await ann.next_message()
    assert one["caption"] == "a bold word"
    assert one["caption_entities"] == [{"type": "bold", "offset": 2, "length": 4}]


async def test_buttons_and_albums(stage: Stage) -> None:
    """An album takes no buttons: they stand under the text before it, or under the last picture, sent by itself."""
    ann, files = stage.person(), pictures(stage, 3)
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="Which?", files=files, buttons=[["A", "B"]])
    text, *album = await seen(ann, 4)
    assert text["text"] == "Which?"
    assert text["reply_markup"]
    assert len({message["media_group_id"] for message in album}) == 1
    await host.done("reply", chat_id=ann.id, files=files, buttons=[["A", "B"]])
    first, second, last = await seen(ann, 3)
    assert first["media_group_id"] == second["media_group_id"]
    assert "media_group_id" not in last
    ann.tap(last["message_id"], label="B")
    assert (await host.event()).content == "B"
    assert "B" in (await ann.next_message())["text"]
    await host.done("reply", chat_id=ann.id, text="This?", files=files[:1], buttons=[["A"]])
    one = await ann.next_message()
    assert one["caption"] == "This?"
    assert one["reply_markup"]


async def test_every_kind_goes_as_what_it_is(stage: Stage) -> None:
    """Voice, audio, video, animation, and everything else as a document; videos stand with pictures."""
    ann = stage.person()
    host = await stage.reading()
    data = b"some bytes"
    files = written(
        stage, v_ogg=data, w_opus=data, x_oga=data, s_mp3=data, t_m4a=data, g_gif=data, c_mp4=data,
        p_png=sample_png(), r_pdf=data,
    )  # fmt: skip
    await host.done("reply", chat_id=ann.id, files=files)
    messages = await seen(ann, 9)
    kinds = ("voice", "audio", "animation", "video", "photo", "document")
    found = [next(kind for kind in kinds if kind in message) for message in messages]
    assert found == ["voice", "voice", "voice", "audio", "audio", "animation", "video", "photo", "document"]
    assert messages[6]["media_group_id"] == messages[7]["media_group_id"]


async def test_pictures_the_platform_refuses_go_as_documents(stage: Stage) -> None:
    """One of an album that is not a picture, or too wide: each file arrives, once, and the ids are told."""
    ann = stage.person()
    host = await stage.reading()
    files = [*pictures(stage, 2), *written(stage, wide_png=sample_png(9000, 10), fake_png=b"not a picture")]
    answer = await host.done("reply", chat_id=ann.id, text="all of them", files=files)
    messages = await seen(ann, 4)
    assert ["photo" in message for message in messages] == [True, True, False, False]
    assert [message["document"]["file_name"] for message in messages[2:]] == ["wide.png", "fake.png"]
    assert messages[0]["caption"] == "all of them"
    assert all(str(message["message_id"]) in answer for message in messages)
    big = written(stage, big_png=sample_png() + bytes(11 * MB))
    await host.done("reply", chat_id=ann.id, files=big)
    assert "document" in await ann.next_message()


async def test_an_album_that_may_have_arrived_is_not_sent_again(stage: Stage) -> None:
    """Cut after execution: unknown, and under its key only what comes after it is sent; refused: sent whole again."""
    ann, files = stage.person(), [*pictures(stage, 3), *written(stage, n_txt=b"n")]
    host = await stage.reading()
    stage.tg.faults.add("drop_after", method="sendMediaGroup", times=1)
    reason = await host.refused("reply", chat_id=ann.id, files=files, idempotency_key="k")
    assert reason.startswith("unknown")
    assert len(await seen(ann, 3)) == 3
    again = await host.done("reply", chat_id=ann.id, files=files, idempotency_key="k")
    assert again.startswith("unknown: part 1, 2, 3 of 4")
    assert "document" in await ann.next_message()
    assert len(stage.tg.calls_of("sendMediaGroup")) == 1
    stage.tg.faults.add("error", method="sendMediaGroup", times=1, **BLOCKED)
    await host.refused("reply", chat_id=ann.id, files=files[:3], idempotency_key="l")
    await host.done("reply", chat_id=ann.id, files=files[:3], idempotency_key="l")
    assert len(await seen(ann, 3)) == 3
    # In the fallback, what went is not sent again either.
    files = [*files[:2], *written(stage, fake_png=b"not a picture")]
    fault = stage.tg.faults.add("error", method="sendDocument", **BLOCKED)
    await host.refused("reply", chat_id=ann.id, files=files, idempotency_key="m")
    assert len(await seen(ann, 2)) == 2
    fault.times = 0
    await host.done("reply", chat_id=ann.id, files=files, idempotency_key="m")
    assert (await ann.next_message())["document"]["file_name"] == "fake.png"
    ann.send("end")
    assert ann.messages()[-2]["document"]["file_name"] == "fake.png"


async def test_too_big_is_refused_with_the_limit_before_anything_goes(stage: Stage) -> None:
    """50 MB is the most: one file above it, and nothing of the reply is sent."""
    ann = stage.person()
    host = await stage.reading()
    files = [*pictures(stage, 2), *written(stage, big_bin=bytes(50 * MB + 1))]
    assert "52,428,800" in await host.refused("reply", chat_id=ann.id, text="x", files=files)
    assert ann.inbox == []


async def test_an_album_goes_into_its_topic(stage: Stage) -> None:
    """thread_id carries files too."""
    ann = stage.person()
    host = await stage.reading()
    group = stage.tg.group("Forum", members=[ann], forum=True)
    topic = group.topic("Deploys")
    assert (await stage.access("group", "add", str(group.id))).code == 0
    await host.done("reply", chat_id=group.id, thread_id=str(topic.thread_id), files=pictures(stage, 2))
    assert {(await group.next_message())["message_thread_id"] for _ in range(2)} == {topic.thread_id}


@pytest.mark.parametrize("on", [True, False])
async def test_links_unfold_by_setting(stage: Stage, on: bool) -> None:
    """link_preview: false switches previews off, in replies and in edits."""
    stage.config(grace_s=0, link_preview=on)
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text="see https://example.org")
    message_id = (await ann.next_message())["message_id"]
    await host.done("edit_message", chat_id=ann.id, message_id=message_id, text="see https://example.org/2")
    for method in ("sendMessage", "editMessageText"):
        (call,) = stage.tg.calls_of(method)
        wanted = None if on else {"is_disabled": True}
        assert call.params.get("link_preview_options") == wanted


async def test_discord_takes_files_and_text_and_buttons_in_one_message(tmp_path: Path) -> None:
    """Ten files of any kind, the text and the grid are one message there; its one id is told."""
    async with DiscordSandbox() as dc, DiscordStage(dc, tmp_path) as stage:
        ann = stage.person()
        host = await stage.reading()
        files = [*pictures(stage, 8), *written(stage, a_txt=b"a", b_ogg=b"b")]
        chat = str(ann.dm.id)
        answer = await host.done("reply", chat_id=chat, text="ten", files=files, buttons=[["Good"]])
        message = await ann.next_message()
        assert message["content"] == "ten"
        assert [file["filename"] for file in message["attachments"]] == files
        assert message["components"]
        assert answer == f"sent (id: {message['id']})"
        await host.done("reply", chat_id=chat, text="x" * 3000, files=files[:2])
        parts = [await ann.next_message() for _ in range(3)]
        assert [len(part["attachments"]) for part in parts] == [0, 0, 2]
        big = written(stage, big_bin=bytes(10 * MB + 1))
        assert "10,485,760" in await host.refused("reply", chat_id=chat, text="x", files=[*files[:2], *big])
    assert TOKEN not in stage.everything_said()
