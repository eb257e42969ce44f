"""The adapter contract on every platform: sending, editing, answering and downloading."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from agent_channels.core.contract.messages import Attachment, MenuEntry, Message, Tap
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, Outgoing
from agent_channels.core.errors import PlatformError, Refused, Rejected
from agent_channels.core.files.storage import open_file
from agent_channels.core.text.formatted_text import RenderedPart, spans_over
from contract_bench import FIRST, Bench

AFTER = RenderedPart("after", "text", "after")


async def test_send_shows_what_was_asked_for(bench: Bench) -> None:
    """Text, reply, keyboard and format arrive; the id which comes back is the message's."""
    asked = bench.platform.say("question")
    format_, text, reads = bench.platform.formatted
    message_id = await bench.send(text=text, format=format_, reply_to=asked, keyboard=FIRST)
    shown = bench.platform.shown(message_id)
    assert shown["text"] == reads
    assert shown["bold"] == ["bold 🦄 word"]
    assert shown["reply_to"] == asked
    assert shown["labels"] == [["Yes", "No"], ["Later"]]


async def test_a_file_is_sent(bench: Bench, tmp_path: Path) -> None:
    """A path is uploaded under its own name."""
    (tmp_path / "notes.md").write_text("# notes")
    message_id = await bench.send(file=open_file(tmp_path / "notes.md"))
    assert bench.platform.shown(message_id)["file"] == "notes.md"
    # No header can hold line breaks, nor can a name break out of one; such a file arrives all the same.
    (tmp_path / "two\r\nlines: 1.md").write_text("# notes")
    message_id = await bench.send(file=open_file(tmp_path / "two\r\nlines: 1.md"))
    assert bench.platform.shown(message_id)["file"] in {"two lines: 1.md", "two_lines__1.md"}


async def test_a_keyboard_at_its_limits_is_accepted(bench: Bench) -> None:
    """As many buttons as the limits say, in rows as wide, with data as long, are drawn as they are."""
    limits, width = bench.adapter.limits, bench.platform.data_bytes
    keys = [KeyboardButton(f"b{number}", f"{number:0{width}}") for number in range(limits.buttons)]
    keyboard: Keyboard = tuple(tuple(keys[i : i + limits.row]) for i in range(0, len(keys), limits.row))
    message_id = await bench.send(text="many", keyboard=keyboard)
    assert [label for row in bench.platform.shown(message_id)["labels"] for label in row] == [key.label for key in keys]


async def test_edit_replaces_text_and_keyboard(bench: Bench) -> None:
    """An edit changes both; one that changes nothing is not an error; None removes the keyboard."""
    message_id = await bench.send(text="before", keyboard=FIRST)
    for _ in range(2):
        await bench.adapter.edit(bench.platform.chat_id, message_id, AFTER, ((KeyboardButton("Ok", "d"),),))
    assert bench.platform.shown(message_id)["text"] == "after"
    assert bench.platform.shown(message_id)["labels"] == [["Ok"]]
    await bench.adapter.edit(bench.platform.chat_id, message_id, AFTER, None)
    assert bench.platform.shown(message_id)["labels"] == []


async def test_delete_takes_a_message_away(bench: Bench) -> None:
    """It is gone for everybody; one that is gone already is a definite refusal."""
    message_id = await bench.send(text="going", keyboard=FIRST)
    await bench.adapter.delete(bench.platform.chat_id, message_id)
    with pytest.raises(StopIteration):
        bench.platform.shown(message_id)
    with pytest.raises(Rejected):
        await bench.adapter.delete(bench.platform.chat_id, message_id)


async def test_close_panel_writes_the_outcome_and_keeps_the_formatting(bench: Bench) -> None:
    """The keyboard goes, the outcome stands under the text, bold stays bold; closing again is not an error."""
    format_, text, reads = bench.platform.formatted
    sent = await bench.adapter.send(Outgoing(bench.platform.chat_id, text, format=format_, keyboard=FIRST))
    for _ in range(2):
        await bench.adapter.close_panel(bench.platform.chat_id, sent.message_id, sent.snapshot, "✅ Yes · ann")
    shown = bench.platform.shown(sent.message_id)
    assert shown["text"].startswith(reads)
    assert shown["text"].endswith("✅ Yes · ann")
    assert shown["bold"] == ["bold 🦄 word"]
    assert shown["labels"] == []


async def test_close_panel_keeps_the_chosen_button(bench: Bench) -> None:
    """It stays alone, closing again changes nothing, and whoever gave its data before gets no second keyboard."""
    for text in ("Ship?", "x" * bench.adapter.limits.text):
        sent = await bench.adapter.send(Outgoing(bench.platform.chat_id, text, keyboard=FIRST))
        for _ in range(2):
            place = bench.platform.chat_id, sent.message_id
            await bench.adapter.close_panel(*place, sent.snapshot, "✅ No", chosen=FIRST[0][1])
        assert bench.platform.shown(sent.message_id)["labels"] == [["No"]]


async def test_a_message_for_one_person_reaches_nobody_else(bench: Bench) -> None:
    """Where the platform cannot promise it, it is refused and not sent."""
    seen = await bench.send(text="before")
    for more in ({}, {"answers_tap": "1"}, {"reply_to": seen}):
        with pytest.raises(PlatformError):
            await bench.send(text="psst", only_for=bench.platform.user_id, **more)
    after = await bench.send(text="after")
    assert bench.platform.texts()[-2:] == ["before", "after"]
    assert bench.platform.shown(after)["text"] == "after"


async def test_moments_and_codes_are_drawn_in_plain_texts(bench: Bench) -> None:
    """Words of our own have a time and a code in them; the rest reads as it stands."""
    text = "*Code* ABCD2345 until 14:05 UTC"
    spans = spans_over(text, [("code", "ABCD2345", ""), ("time", "14:05 UTC", "1765202700:t")])
    shown = bench.platform.shown(await bench.send(text=text, spans=spans))["text"]
    assert shown in {text, "*Code* `ABCD2345` until <t:1765202700:t>"}


async def test_a_button_that_can_only_copy(bench: Bench) -> None:
    """It is drawn where the platform has such buttons, else left out; the message is sent in any case."""
    copy = KeyboardButton("Copy", copy="make test")
    shown = bench.platform.shown(await bench.send(text="Run", keyboard=((copy,),)))
    assert shown["labels"] in ([["Copy"]], [])


async def test_close_panel_without_room_or_snapshot_still_takes_the_keyboard(bench: Bench) -> None:
    """A text at the limit keeps its words, and the outcome is said below; without a snapshot the keyboard goes."""
    full = "x" * bench.adapter.limits.text
    sent = await bench.adapter.send(Outgoing(bench.platform.chat_id, full, keyboard=FIRST))
    await bench.adapter.close_panel(bench.platform.chat_id, sent.message_id, sent.snapshot, "✅ Yes")
    assert bench.platform.shown(sent.message_id)["text"] == full
    assert bench.platform.shown(sent.message_id)["labels"] == []
    other = await bench.send(text="plain", keyboard=FIRST)
    await bench.adapter.close_panel(bench.platform.chat_id, other, None, "")
    assert bench.platform.shown(other) == {**bench.platform.shown(other), "text": "plain", "labels": []}


async def test_a_tap_is_answered_and_a_late_answer_is_no_error(bench: Bench) -> None:
    """The person sees the text, as an alert when asked for; a tap that has grown old is passed over."""
    grid = await bench.send(text="Ship?", keyboard=FIRST)
    answer = bench.platform.tap(grid, "Yes")
    heard = await bench.heard()
    assert isinstance(heard, Tap)
    await bench.adapter.answer_tap(heard.tap_id, "Taken", alert=True, counted=False)
    assert answer() == ("Taken", True)
    bench.platform.tap(grid, "No")
    late = await bench.heard()
    assert isinstance(late, Tap)
    bench.platform.grow_old()
    await bench.adapter.answer_tap(late.tap_id, "Too late", alert=False, counted=False)


async def test_reactions_and_typing(bench: Bench) -> None:
    """One reaction at a time, an empty one removes it, all that the limits offer are taken; typing is shown."""
    said = bench.platform.say("nice")
    offered = sorted(bench.adapter.limits.reactions or {"👍", "🔥"})
    for emoji in (*offered, ""):
        await bench.adapter.react(bench.platform.chat_id, said, emoji)
        assert [found.replace("\ufe0f", "") for found in bench.platform.reactions(said)] == (
            [emoji.replace("\ufe0f", "")] if emoji else []
        )
    await bench.adapter.send_typing(bench.platform.chat_id, bench.platform.thread_of(said))
    assert bench.platform.typing() == 1


# ---- files in


async def test_download_streams_a_whole_file(bench: Bench, tmp_path: Path) -> None:
    """Every byte arrives, in a file that only the owner can read, and the size is returned."""
    data = bytes(range(256)) * 2000
    file = await received(bench, data)
    target = tmp_path / "in.bin"
    assert await bench.adapter.download(file, target, bench.adapter.limits.download) == len(data)
    assert target.read_bytes() == data
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("announced", [True, False])
async def test_download_refuses_above_the_limit(bench: Bench, tmp_path: Path, announced: bool) -> None:
    """Too big is Refused with the limit, by the announced size or by what really comes; nothing is left behind."""
    file = await received(bench, b"x" * 100_000)
    with pytest.raises(Refused, match="99,999"):
        await bench.adapter.download(file if announced else replace(file, size=None), tmp_path / "in.bin", 99_999)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["error", "drop_before", "drop_body"])
async def test_a_download_that_fails_leaves_nothing(bench: Bench, tmp_path: Path, kind: str) -> None:
    """A fault or a cut in the middle is a PlatformError without the token; no partial file stays."""
    file = await received(bench, b"x" * 300_000)
    bench.platform.fail_download(kind)
    with pytest.raises(PlatformError) as failed:
        await bench.adapter.download(file, tmp_path / "in.bin", bench.adapter.limits.download)
    assert bench.platform.token not in str(failed.value)
    assert left_in(tmp_path) == []
    bench.platform.heal()
    assert await bench.adapter.download(file, tmp_path / "in.bin", bench.adapter.limits.download) == 300_000


async def test_a_file_that_is_gone_is_an_error(bench: Bench, tmp_path: Path) -> None:
    """An id the platform does not know is a PlatformError; an existing target is never written over."""
    with pytest.raises(PlatformError):
        await bench.adapter.download(Attachment("document", "no-such-file"), tmp_path / "in.bin", 1000)
    file = await received(bench, b"new")
    (tmp_path / "in.bin").write_bytes(b"old")
    with pytest.raises(OSError, match="exists"):
        await bench.adapter.download(file, tmp_path / "in.bin", 1000)
    assert (tmp_path / "in.bin").read_bytes() == b"old"


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("in*")]


async def received(bench: Bench, data: bytes) -> Attachment:
    bench.platform.send_file("document", data, "data.bin")
    heard = await bench.heard()
    assert isinstance(heard, Message)
    return heard.attachments[0]


async def test_what_the_platform_keeps_is_handed_out_oldest_first(bench: Bench) -> None:
    """Both directions with ids, authors and answers, in pages that go back; None where bots may read nothing."""
    said = [bench.platform.say(f"said {number}") for number in range(3)]
    answer = await bench.send(text="an answer", reply_to=said[1])
    ids = [*said, answer]
    page = await bench.adapter.history(bench.platform.chat_id, 3, None)
    if page is None:
        return
    assert [one.message_id for one in page] == ids[1:]
    assert [one.sender.id for one in page] == [bench.platform.user_id] * 2 + [bench.platform.bot_id]
    assert page[0].text == "said 1"
    assert page[0].chat == page[2].chat
    assert page[2].reply is not None
    assert page[2].reply.message_id == said[1]
    before = await bench.adapter.history(bench.platform.chat_id, 3, page[0].message_id)
    assert before is not None
    assert [one.message_id for one in before] == ids[:1]
    assert await bench.adapter.history(bench.platform.chat_id, 3, ids[0]) == []
    with pytest.raises(PlatformError):
        await bench.adapter.history(bench.platform.unknown_chat, 3, None)
    for wrong in (("../users/@me", None), (bench.platform.chat_id, "../1")):
        with pytest.raises(Refused):
            await bench.adapter.history(wrong[0], 3, wrong[1])


async def test_the_menu_of_commands_is_taken_and_replaced(bench: Bench) -> None:
    """Names, descriptions and choices are accepted; a later menu takes the place of the earlier one.

    None where the operator declares them.
    """
    await bench.adapter.set_commands([MenuEntry("status", "How it stands"), MenuEntry("go", "Goes", ("left", "right"))])
    assert bench.platform.menu() in (["status", "go"], None)
    await bench.adapter.set_commands([MenuEntry("help", "Helps")])
    assert bench.platform.menu() in (["help"], None)
    with pytest.raises(Rejected):
        await bench.adapter.set_commands([MenuEntry("no good!", "x")])
    assert bench.platform.menu() in (["help"], None)
